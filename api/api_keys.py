"""/api-keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from api.problems import describes
from services.api_keys import ApiKeyList, MadeApiKey, NewApiKey
from services.problems import InvalidFields, NotAllowed, NotAuthenticated, NotFound, StepUpNeeded
from web.callers import UserCaller
from web.parts import Parts, parts

router = APIRouter(prefix="/api-keys", tags=["access"])

Use = Annotated[Parts, Depends(parts)]


@router.get("", responses=describes(NotAuthenticated, NotAllowed))
async def api_keys(caller: UserCaller, use: Use) -> ApiKeyList:
    """The keys of the companies that the caller administers, without their secrets."""
    return await use.api_keys.list(caller)


@router.post("", status_code=201, responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, InvalidFields))
async def make(request: NewApiKey, caller: UserCaller, use: Use) -> MadeApiKey:
    """A new key, whose secret is shown this once. All administrators of its companies are told."""
    return await use.api_keys.make(caller, request)


@router.delete(
    "/{key_id}",
    status_code=204,
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields),
)
async def revoke(key_id: UUID, caller: UserCaller, use: Use) -> None:
    """From now on it opens none of the companies that the caller administers."""
    await use.api_keys.revoke(caller, key_id)
