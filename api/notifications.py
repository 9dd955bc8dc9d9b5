"""/notifications: 🔔 what matters among what happened, what is new of it, and how its user is written to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.problems import describes
from services.callers import Caller
from services.fields import Form, Siren
from services.notifications import (
    ChosenPreferences,
    NotificationPreferences,
    Notifications,
    ReadUntil,
    Unread,
)
from services.problems import InvalidFields, NotAllowed, NotAuthenticated, NotFound
from web.callers import UserCaller
from web.parts import Parts, parts

router = APIRouter(prefix="/notifications", tags=["notifications"])

Use = Annotated[Parts, Depends(parts)]


class Wanted(Form):
    siren: Annotated[Siren | None, Field(description="Of one company")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 25
    cursor: Annotated[str | None, Field(max_length=200)] = None


@router.get("", responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields))
async def page(asked: Annotated[Wanted, Query()], caller: UserCaller, use: Use) -> Notifications:
    """Newest first."""
    company = None
    if asked.siren is not None:
        companies = (await use.company_views.companies(caller)).items
        company = next((one.id for one in companies if one.siren == asked.siren), None)
        if company is None:
            raise NotFound()
    return await use.notifications.page(caller, asked.limit, asked.cursor, company)


@router.get("/unread", responses=describes(NotAuthenticated, NotAllowed))
async def unread(caller: UserCaller, use: Use) -> Unread:
    """What the pictograms of every page say."""
    return await _unread(caller, use)


@router.post("/read", responses=describes(NotAuthenticated, NotAllowed, InvalidFields))
async def read(asked: ReadUntil, caller: UserCaller, use: Use) -> Unread:
    """Everything up to a moment has been seen; said again, or of an earlier moment, it changes nothing."""
    await use.notifications.read(caller, asked)
    return await _unread(caller, use)


@router.get("/preferences", responses=describes(NotAuthenticated, NotAllowed))
async def preferences(caller: UserCaller, use: Use) -> NotificationPreferences:
    """When the user is written to, by company and kind."""
    return await use.notifications.preferences(caller)


@router.put("/preferences", responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields))
async def prefer(chosen: ChosenPreferences, caller: UserCaller, use: Use) -> NotificationPreferences:
    """Of one company, or of all."""
    await use.notifications.prefer(caller, chosen)
    return await use.notifications.preferences(caller)


async def _unread(caller: Caller, use: Parts) -> Unread:
    found = await use.notifications.unread(caller)
    if found is None:
        raise NotAuthenticated()
    return found
