"""/staff: who looked at a person's file, and what an actor reached."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from api.problems import describes
from services.audit_trail import MOST, AccessHistory, AuditTrailService, ReachedList
from services.problems import InvalidFields, NotAllowed, NotAuthenticated, NotFound
from web.callers import AnyCaller
from web.parts import Parts, parts

router = APIRouter(prefix="/staff", tags=["audit"])


async def _trail(use: Annotated[Parts, Depends(parts)]) -> AuditTrailService:
    return AuditTrailService(use.system)


Trail = Annotated[AuditTrailService, Depends(_trail)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Number = Annotated[int, Query(ge=1, le=2**63 - 1)]


@router.get(
    "/people/{employee_id}/accesses",
    responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields),
)
async def accesses(
    employee_id: UUID, caller: AnyCaller, trail: Trail, limit: Limit = 100, before: Number | None = None
) -> AccessHistory:
    """« Qui a consulté mon dossier », the newest first, for whoever answers a person; looking here is in the log."""
    return await trail.accesses(caller, employee_id, limit, before)


@router.get(
    "/actors/{actor_id}/reached",
    responses=describes(NotAuthenticated, NotAllowed, InvalidFields),
)
async def reached(
    actor_id: UUID,
    since: AwareDatetime,
    until: AwareDatetime,
    caller: AnyCaller,
    trail: Trail,
    limit: Limit = MOST,
    after: UUID | None = None,
) -> ReachedList:
    """Whose data a user or an API key read or changed in a period, `until` excluded: the scope of a breach."""
    return await trail.reachable(caller, str(actor_id), since, until, limit, after)
