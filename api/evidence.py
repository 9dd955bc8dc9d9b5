"""/evidence-packs: « Dossier de preuves (Urssaf) », for administrators."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.problems import describes
from services.evidence import EvidencePack, EvidencePacks, EvidenceState, NewEvidencePack
from services.fields import Siren, Siret
from services.problems import (
    ExportsUnderWay,
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    StepUpNeeded,
    StorageAway,
    TooManyRequests,
)
from web.callers import AnyCaller
from web.downloads import download_answer
from web.parts import Parts, parts

router = APIRouter(prefix="/evidence-packs", tags=["evidence"])

Use = Annotated[Parts, Depends(parts)]
_READING = describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields)


@router.post(
    "",
    status_code=202,
    responses=describes(
        NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields, TooManyRequests, ExportsUnderWay
    ),
)
async def make(asked: NewEvidencePack, caller: AnyCaller, use: Use) -> EvidencePack:
    """A job, of which its user is told. A code of less than ten minutes is needed."""
    return await use.evidence.ask(caller, asked)


@router.get("", responses=_READING)
async def packs(caller: AnyCaller, use: Use, siren: Annotated[Siren, Query()]) -> EvidencePacks:
    """Those of a company, the newest first, with the hash of each one's manifest."""
    return await use.evidence.packs(caller, siren)


@router.get("/state", responses=_READING)
async def state(
    caller: AnyCaller, use: Use, siren: Annotated[Siren, Query()], siret: Annotated[Siret | None, Query()] = None
) -> EvidenceState:
    """What can be proved now, and of whom nothing is."""
    return await use.evidence.state(caller, siren, siret)


@router.get("/{pack_id}", responses=_READING)
async def pack(pack_id: UUID, caller: AnyCaller, use: Use) -> EvidencePack:
    """One of the caller's own: how far it is."""
    return await use.evidence.pack(caller, pack_id)


@router.get(
    "/{pack_id}/file",
    response_class=Response,
    responses={
        **describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields, StorageAway),
        200: {"content": {"application/zip": {}}, "description": "The pack"},
    },
)
async def file(pack_id: UUID, caller: AnyCaller, use: Use) -> Response:
    """For 24 hours."""
    return download_answer(await use.evidence.file(caller, pack_id))
