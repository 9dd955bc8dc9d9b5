"""What an employer reads of affiliations: the list, one with its calendar, its timeline, its form."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, TypeVar
from uuid import UUID

import asyncpg
from pydantic import AfterValidator, AwareDatetime, StrictBool, TypeAdapter

from activities.contracts.affiliation import Progress
from activities.writing import Writer
from db import affiliations, audit, dispatches
from db.pool import Connection, Pool, tenant
from domain.affiliation import Status
from domain.identifiers import masked_nir
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
from services.sent_messages import SentMessages
from services.views import (
    AffiliationDetail,
    AffiliationPage,
    AffiliationSummary,
    DeclaredView,
    EventView,
    Source,
    dispatch_views,
    step_view,
    summary,
)
from workflows.client import Affiliations
from workflows.engine import EngineAway, NotRunning

# Which documents are missing tells of the family: not the employer's (security.md Z-06).
_EMPLOYEES_OWN = ("missing", "pieces")
_Place = TypeVar("_Place")
_At = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]
_BY_DATE = TypeAdapter(tuple[_At, UUID])
_TODO_FIRST = TypeAdapter(tuple[StrictBool, _At, UUID])
MOST_COUNTED = 10_001  # beyond, there are « more than 10 000 »
MOST_PLACES = 300  # establishments to choose from; who has more types the SIRET


class Order(StrEnum):
    """`todo`: what waits for the employer first, then the newest."""

    todo = "todo"
    newest = "-date"
    oldest = "date"


_LISTS = {
    Order.todo: affiliations.LIST_TODO_FIRST,
    Order.newest: affiliations.LIST_NEWEST,
    Order.oldest: affiliations.LIST_OLDEST,
}


@dataclass(frozen=True)
class Filters:
    """« Suivi des affiliations »: every filter is optional. `needs_action`: waits for a person, the employer or staff;
    `todo`: for the employer."""

    siren: str | None = None
    siret: str | None = None
    statuses: tuple[Status, ...] = ()
    medium: Medium | None = None
    q: str | None = None
    sent_from: date | None = None
    sent_to: date | None = None
    needs_action: bool | None = None
    todo: bool | None = None
    order: Order = Order.newest


@dataclass(frozen=True)
class Counts:
    """How many there are of each status, and `todo`. `bounded`: counting stopped, there are more."""

    by_status: dict[Status, int] = field(default_factory=dict)
    todo: int = 0
    bounded: bool = False

    @property
    def all(self) -> int:
        return sum(self.by_status.values())


@dataclass(frozen=True)
class Place:
    """An establishment of the perimeter."""

    siren: str
    company: str
    siret: str
    establishment: str


@dataclass(frozen=True)
class Overview:
    """A page of the list, with what it can be filtered by. `counts`: of the same filters, whatever the status.
    `places`: None where they are too many to choose from."""

    items: list[AffiliationSummary]
    next_cursor: str | None
    counts: Counts
    places: list[Place] | None


@dataclass(frozen=True)
class FileView:
    """Everything that an employer is shown of one affiliation. `successor_id`: the one that it was resumed as."""

    detail: AffiliationDetail
    events: list[EventView]
    declared: DeclaredView
    successor_id: UUID | None


class FollowUpService:
    """« Suivi des affiliations »."""

    def __init__(self, web: Pool, engine: Affiliations, writer: Writer) -> None:
        self._web = web
        self._engine = engine
        self._writer = writer
        self.messages = SentMessages(web, writer)

    async def page(self, caller: Caller, filters: Filters, limit: int, cursor: str | None) -> AffiliationPage:
        """« Suivi des affiliations ». `cursor` comes from the page before. Raises NotAllowed, InvalidFields."""
        caller.need(Scope.read)
        after = _after(cursor, filters.order)
        arguments = _arguments(filters)
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(_LISTS[filters.order], *arguments, *after, limit + 1)
            total = await connection.fetchval(affiliations.COUNT, *arguments, MOST_COUNTED)
        items, next_cursor = _cut(rows, limit, filters.order)
        return AffiliationPage(items=items, next_cursor=next_cursor, total=total)

    async def overview(self, caller: Caller, filters: Filters, limit: int, cursor: str | None) -> Overview:
        """The same for a page that people look at. Raises NotAllowed, InvalidFields."""
        caller.need(Scope.read)
        after = _after(cursor, filters.order)
        whatever_the_status = _arguments(replace(filters, statuses=(), todo=None))
        async with tenant(self._web, caller.companies) as connection:
            rows = await connection.fetch(_LISTS[filters.order], *_arguments(filters), *after, limit + 1)
            counts = await connection.fetch(affiliations.COUNT_BY_STATUS, *whatever_the_status, MOST_COUNTED)
            places = await connection.fetch(affiliations.PLACES, MOST_PLACES + 1)
        items, next_cursor = _cut(rows, limit, filters.order)
        return Overview(
            items,
            next_cursor,
            _counts(counts),
            [Place(**row) for row in places] if len(places) <= MOST_PLACES else None,
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
            messages = await connection.fetch(dispatches.OF_AFFILIATION, affiliation_id)
            if viewed is not None:
                await audit.viewed(connection, caller.actor, [affiliation_id], viewed)
        return await self._with_progress(row, messages)

    async def file(self, caller: Caller, affiliation_id: UUID) -> FileView:
        """One affiliation as a page shows it: detail, timeline and what was declared. Reading it is in the audit log.

        Raises NotAllowed, NotFound.
        """
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            row = await affiliation_row(connection, affiliation_id)
            messages = await connection.fetch(dispatches.OF_AFFILIATION, affiliation_id)
            events = await connection.fetch(affiliations.EVENTS, affiliation_id)
            declared = await self._declared(connection, affiliation_id)
            successor_id = await connection.fetchval(affiliations.SUCCESSOR, affiliation_id)
            await audit.viewed(connection, caller.actor, [affiliation_id], "detail")
        return FileView(
            await self._with_progress(row, messages),
            [employers_event(event) for event in events],
            declared,
            successor_id,
        )

    async def declared(self, caller: Caller, affiliation_id: UUID) -> tuple[AffiliationSummary, DeclaredView]:
        """What a form about one affiliation is filled in from. Raises NotAllowed, NotFound."""
        caller.need(Scope.read)
        async with tenant(self._web, caller.companies) as connection:
            row = await affiliation_row(connection, affiliation_id)
            declared = await self._declared(connection, affiliation_id)
            await audit.viewed(connection, caller.actor, [affiliation_id], "detail")
        return AffiliationSummary(**summary(row)), declared

    async def _declared(self, connection: Connection, affiliation_id: UUID) -> DeclaredView:
        person, employers = await _person(connection, affiliation_id)
        current = await connection.fetchval(affiliations.CONTACT_GIVEN_BY, affiliation_id)
        kept: Mapping[str, str | None] = dict(person) if employers else {}
        return DeclaredView(
            civility=person["civility"],
            last_name=person["last_name"],
            birth_name=person["birth_name"],
            first_names=person["first_names"],
            birth_date=person["birth_date"],
            nir=masked_nir(self._writer.nir(person)),
            email=kept.get("email"),
            phone=kept.get("phone"),
            line1=kept.get("line1"),
            line2=kept.get("line2"),
            postcode=kept.get("postcode"),
            city=kept.get("city"),
            own_contact=current != "employer",
        )

    async def _with_progress(self, row: asyncpg.Record, dispatched: Sequence[asyncpg.Record]) -> AffiliationDetail:
        fields = summary(row)
        messages = dispatch_views(dispatched)
        progress = await self._progress(row["id"])
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
            person, employers = await _person(connection, affiliation_id)
            await audit.viewed(connection, caller.actor, [affiliation_id], "form")
        form = self._writer.form(person, today())
        if not employers:
            form = replace(form, address="", address_complement="", postal_code="", city="", email="", phone="")
        return await asyncio.to_thread(render_affiliation_form, form)


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


async def _person(connection: Connection, affiliation_id: UUID) -> tuple[asyncpg.Record, bool]:
    """What the employer declared. False: the contact in it is the person's own, which is not the employer's to read
    (they gave it with a former affiliation). Raises NotFound."""
    version = await connection.fetchval(affiliations.EMPLOYERS_CONTACT, affiliation_id)
    person = await affiliations.person(connection, affiliation_id, version)
    if person is None:
        raise NotFound()
    return person, version is not None


def _arguments(filters: Filters) -> tuple[object, ...]:
    """Of `db.affiliations.FILTER`. Words of a name are found in any order."""
    words = search_form(filters.q).split() if filters.q else []
    return (
        filters.siren,
        filters.siret,
        list(filters.statuses) or None,
        filters.medium,
        [f"%{like_escaped(word)}%" for word in words] or None,
        filters.sent_from,
        filters.sent_to,
        filters.needs_action,
        filters.todo,
    )


def _cut(rows: Sequence[asyncpg.Record], limit: int, order: Order) -> tuple[list[AffiliationSummary], str | None]:
    """The rows of a page, and where the next one begins: one row more was asked for."""
    items = [AffiliationSummary(**summary(row)) for row in rows[:limit]]
    if len(rows) <= limit:
        return items, None
    last = rows[limit - 1]
    if order is Order.todo:
        return items, _encoded([last["todo"], last["status_at"].isoformat(), str(last["id"])])
    return items, encode_cursor(last["status_at"], last["id"])


def _counts(rows: Sequence[asyncpg.Record]) -> Counts:
    by_status: dict[Status, int] = {}
    for row in rows:
        by_status[Status(row["status"])] = by_status.get(Status(row["status"]), 0) + row["count"]
    todo = sum(row["count"] for row in rows if row["todo"])
    return Counts(by_status, todo, sum(by_status.values()) >= MOST_COUNTED)


def like_escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _after(cursor: str | None, order: Order) -> tuple[object, ...]:
    """Where a page begins, for the statement of its order. Raises InvalidFields: no page of this order gave it."""
    if order is not Order.todo:
        return decode_cursor(cursor)
    if cursor is None:
        return (None, None, None)
    return _decoded(_TODO_FIRST, cursor)


def encode_cursor(at: datetime, row_id: UUID) -> str:
    return _encoded([at.isoformat(), str(row_id)])


def decode_cursor(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    """Raises InvalidFields."""
    if cursor is None:
        return None, None
    return _decoded(_BY_DATE, cursor)


def _encoded(place: list[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decoded(kind: TypeAdapter[_Place], cursor: str) -> _Place:
    try:
        return kind.validate_json(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, OverflowError):
        message = "Ce repère de page n’est pas valable. Reprenez la liste depuis le début."
        raise InvalidFields([FieldError("cursor", "cursor.invalid", message)]) from None
