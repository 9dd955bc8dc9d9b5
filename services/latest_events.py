"""What happened last to the affiliations of an employer's companies: « Dernières notifications », « Notifications »."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg
from pydantic import AwareDatetime, BaseModel, TypeAdapter

from activities.contracts.affiliation import EventKind
from db import figures
from db.pool import Pool, tenant
from services.callers import Caller, Scope
from services.follow_up import employers_event
from services.problems import NotFound
from services.views import EventView

# What an employer hears of without asking.
NOTABLE: Final = frozenset(
    {
        EventKind.finalised,
        EventKind.delivery_failed,
        EventKind.message_refused,
        EventKind.declined,
        EventKind.abandoned,
    }
)
# What else moves, and is worth a line among the last events.
MOVING: Final = NOTABLE | {
    EventKind.declared,
    EventKind.message_handed_over,
    EventKind.started,
    EventKind.contact_corrected,
}
_CURSOR = TypeAdapter(tuple[AwareDatetime, UUID, int])


class Happening(BaseModel):
    """An event of an affiliation, with whom it concerns; `to_correct`: it waits for the employer now."""

    affiliation_id: UUID
    first_names: str
    last_name: str
    establishment: str
    siren: str
    company: str
    to_correct: bool
    event: EventView


class Happenings(BaseModel):
    items: list[Happening]
    next_cursor: str | None


class LatestEventsService:
    def __init__(self, web: Pool) -> None:
        self._web = web

    async def page(
        self,
        caller: Caller,
        kinds: Collection[EventKind],
        limit: int,
        cursor: str | None = None,
        company: UUID | None = None,
    ) -> Happenings:
        """Newest first, of all companies of the perimeter or of one. `cursor` comes from the page before.

        Raises NotAllowed, NotFound (an unknown cursor, a company of others).
        """
        caller.need(Scope.read)
        if company is not None and company not in caller.companies:
            raise NotFound()
        after = _decoded(cursor)
        companies = list(caller.companies) if company is None else [company]
        async with tenant(self._web, companies) as connection:
            await connection.execute(figures.IN_ORDER)
            rows = await connection.fetch(figures.LATEST, companies, [kind.value for kind in kinds], *after, limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        return Happenings(items=[_happening(row) for row in rows[:limit]], next_cursor=_encoded(last) if last else None)


def _happening(row: asyncpg.Record) -> Happening:
    fields = {name: row[name] for name in Happening.model_fields if name != "event"}
    return Happening(**fields, event=employers_event(row))


def _encoded(row: asyncpg.Record) -> str:
    key = json.dumps([row["at"].isoformat(), str(row["affiliation_id"]), row["number"]])
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decoded(cursor: str | None) -> tuple[datetime | None, UUID | None, int | None]:
    if not cursor:
        return None, None, None
    try:
        at, affiliation_id, number = _CURSOR.validate_json(base64.urlsafe_b64decode(cursor.encode()))
        return at.astimezone(UTC), affiliation_id, number
    except (ValueError, OverflowError):
        raise NotFound() from None
