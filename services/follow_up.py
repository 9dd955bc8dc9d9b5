"""What an employer reads of affiliations: the list, one with its calendar, its timeline, its form."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

import asyncpg
from pydantic import AwareDatetime, TypeAdapter

from activities.contracts import Progress
from activities.writing import Writer
from db import affiliations, audit, dispatches
from db.pool import Connection, Pool, tenant
from domain.affiliation import Status
from domain.media import Medium
from domain.names import search_form
from messages.forms import render_affiliation_form
from services.callers import Caller, Scope
from services.fields import today
from services.problems import (
    FieldError,
    InvalidFields,
    NotFound,
)
from services.views import (
    AffiliationDetail,
    AffiliationPage,
    AffiliationSummary,
    EventView,
    Source,
    dispatch_views,
    step_view,
    summary,
)
from workflows.client import Affiliations, EngineAway, NotRunning

# Which documents are missing tells of the family: not the employer's (security.md Z-06).
_EMPLOYEES_OWN = ("missing", "pieces")
_CURSOR = TypeAdapter(tuple[AwareDatetime, UUID])


@dataclass(frozen=True)
class Filters:
    """« Suivi des affiliations »: every filter is optional."""

    siren: str | None = None
    siret: str | None = None
    statuses: tuple[Status, ...] = ()
    medium: Medium | None = None
    q: str | None = None
    sent_from: date | None = None
    sent_to: date | None = None
    needs_action: bool | None = None
    newest_first: bool = True


class FollowUpService:
    """« Suivi des affiliations »."""

    def __init__(self, web: Pool, engine: Affiliations, writer: Writer) -> None:
        self._web = web
        self._engine = engine
        self._writer = writer

    async def page(self, caller: Caller, filters: Filters, limit: int, cursor: str | None) -> AffiliationPage:
        """« Suivi des affiliations ». `cursor` comes from the page before. Raises NotAllowed, InvalidFields."""
        caller.need(Scope.read)
        after = _decode_cursor(cursor)
        arguments = (
            filters.siren,
            filters.siret,
            list(filters.statuses) or None,
            filters.medium,
            like_escaped(search_form(filters.q)) if filters.q else None,
            filters.sent_from,
            filters.sent_to,
            filters.needs_action,
        )
        query = affiliations.LIST_NEWEST if filters.newest_first else affiliations.LIST_OLDEST
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(query, *arguments, *after, limit + 1)
            total = await connection.fetchval(affiliations.COUNT, *arguments)
        last = rows[limit - 1] if len(rows) > limit else None
        return AffiliationPage(
            items=[AffiliationSummary(**summary(row)) for row in rows[:limit]],
            next_cursor=_encode_cursor(last["status_at"], last["id"]) if last else None,
            total=total,
        )

    async def detail(self, caller: Caller, affiliation_id: UUID) -> AffiliationDetail:
        """One affiliation with its calendar: from the workflow, or from the read model when nobody answers in a second.

        Reading it is in the audit log. Raises NotAllowed, NotFound.
        """
        return await self._detail(caller, affiliation_id, "detail")

    async def answer(self, caller: Caller, affiliation_id: UUID) -> AffiliationDetail:
        """The same for whoever has just changed something, which is in the log already. Raises as `detail`."""
        return await self._detail(caller, affiliation_id, None)

    async def _detail(self, caller: Caller, affiliation_id: UUID, viewed: str | None) -> AffiliationDetail:
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            row = await affiliation_row(connection, affiliation_id)
            messages = dispatch_views(await connection.fetch(dispatches.OF_AFFILIATION, affiliation_id))
            if viewed is not None:
                await audit.viewed(connection, caller.actor, [affiliation_id], viewed)
        fields = summary(row)
        progress = await self._progress(affiliation_id)
        if progress is None:
            known = fields["next_step"]
            return AffiliationDetail(
                **fields,
                calendar=[known] if known else [],
                skippable=[],
                reminder_allowed_from=None,
                dispatches=messages,
                source=Source.read_model,
            )
        fields.update(
            status=progress.status,
            medium=progress.medium,
            attention=progress.attention,
            pause=progress.pause,
            next_step=step_view(progress.next_step),
        )
        return AffiliationDetail(
            **fields,
            calendar=[view for step in progress.calendar if (view := step_view(step))],
            skippable=[view for step in progress.skippable if (view := step_view(step))],
            reminder_allowed_from=progress.reminder_allowed_from,
            dispatches=messages,
            source=Source.workflow,
        )

    async def _progress(self, affiliation_id: UUID) -> Progress | None:
        try:
            return await self._engine.progress(str(affiliation_id))
        except (NotRunning, EngineAway):
            return None

    async def events(self, caller: Caller, affiliation_id: UUID) -> list[EventView]:
        """The timeline, oldest first. Raises NotAllowed, NotFound."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            await affiliation_row(connection, affiliation_id)
            rows = await connection.fetch(affiliations.EVENTS, affiliation_id)
            await audit.viewed(connection, caller.actor, [affiliation_id], "events")
        return [employers_event(row) for row in rows]

    async def form_pdf(self, caller: Caller, affiliation_id: UUID) -> bytes:
        """The pre-filled paper form (BIA), without link or code. Raises NotAllowed, NotFound."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            version = await connection.fetchval(affiliations.EMPLOYERS_CONTACT, affiliation_id)
            person = await affiliations.person(connection, affiliation_id, version)
            if person is None:
                raise NotFound()
            await audit.viewed(connection, caller.actor, [affiliation_id], "form")
        return await asyncio.to_thread(render_affiliation_form, self._writer.form(person, today()))


def employers_event(row: asyncpg.Record) -> EventView:
    """An event without what is the employee's own."""
    return EventView(
        number=row["number"],
        kind=row["kind"],
        at=row["at"],
        actor=row["actor_kind"],
        details={name: value for name, value in row["details"].items() if name not in _EMPLOYEES_OWN},
    )


async def affiliation_row(connection: Connection, affiliation_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(affiliations.GET, affiliation_id)
    if row is None:
        raise NotFound()
    return row


def like_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _encode_cursor(at: datetime, row_id: UUID) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), str(row_id)]).encode()).decode()


def _decode_cursor(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    if cursor is None:
        return None, None
    try:
        at, row_id = _CURSOR.validate_json(base64.urlsafe_b64decode(cursor.encode()))
        return at.astimezone(UTC), row_id
    except (ValueError, OverflowError):
        message = "Ce repère de page n’est pas valable. Reprenez la liste depuis le début."
        raise InvalidFields([FieldError("cursor", "cursor.invalid", message)]) from None
