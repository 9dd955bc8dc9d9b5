"""« Notifications »: what matters among what happened, what of it is new to a user, and how they are written to."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import asyncpg
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter

from db import notifications, register
from db.pool import Pool, single, system, tenant
from domain.notifications import USUAL, How, NotificationKind
from messages import words
from messages.notices import NoticeKind, notice_page, notice_subject
from services.callers import Caller, Scope
from services.fields import Form, Siren
from services.follow_up import employers_event
from services.problems import NotFound
from services.views import EventView

_CURSOR = TypeAdapter(tuple[AwareDatetime, UUID, int])


class Notification(BaseModel):
    """One line. Of an affiliation: whom it concerns, and `event`, or `ends_at` where it is abandoned then. Of the user
    alone: none of these, and `path`, the page where it goes on.

    `kind`: an event's, `abandoned_soon`, or a message's; `to_correct`: it waits for the employer now.
    """

    kind: str
    title: str
    at: datetime
    unread: bool
    path: str
    siren: str | None
    company: str | None
    affiliation_id: UUID | None = None
    first_names: str | None = None
    last_name: str | None = None
    establishment: str | None = None
    to_correct: bool = False
    event: EventView | None = None
    ends_at: datetime | None = None


class Unread(BaseModel):
    """How many are new, 100 at most; `messages`: not opened."""

    notifications: int
    messages: int


class Notifications(BaseModel):
    """`as_of`: what is shown here was there then; `POST /notifications/read` takes it."""

    items: list[Notification]
    as_of: datetime
    next_cursor: str | None


class ReadUntil(Form):
    until: Annotated[
        AwareDatetime,
        Field(description="`as_of` of the list that was read", examples=["2026-05-12T14:05:00+02:00"]),
    ]


class CompanyPreferences(BaseModel):
    siren: str
    company: str
    kinds: dict[NotificationKind, How]


class NotificationPreferences(BaseModel):
    items: list[CompanyPreferences]


_Chosen = Annotated[How | None, Field(examples=[How.weekly])]


class ChosenKinds(Form):
    """What is not named stays as it is."""

    to_correct: _Chosen = None
    abandoned_soon: _Chosen = None
    finalised: _Chosen = None
    ended: _Chosen = None


class ChosenPreferences(Form):
    """`siren`: of one company; none: of all that the session works for."""

    siren: Siren | None = None
    kinds: ChosenKinds


class NotificationService:
    def __init__(self, web: Pool, system_pool: Pool) -> None:
        self._web = web
        self._system = system_pool

    async def page(
        self, caller: Caller, limit: int, cursor: str | None = None, company: UUID | None = None
    ) -> Notifications:
        """Newest first, of all companies of the perimeter or of one. `cursor` comes from the page before.

        Raises NotAllowed (an API key), NotFound (an unknown cursor, a company of others).
        """
        caller.need(Scope.read)
        person = caller.person()
        if company is not None and company not in caller.companies:
            raise NotFound()
        after, as_of = _decoded(cursor), datetime.now(UTC)
        companies = list(caller.companies) if company is None else [company]
        async with tenant(self._web, companies) as connection:
            rows = list(await connection.fetch(notifications.LATEST, companies, *after, limit + 1))
            ending = list(await connection.fetch(notifications.ENDING, companies, *after, limit + 1))
        own: list[asyncpg.Record] = []
        seen = as_of  # whoever looks in a company's place has read nothing there
        if caller.look_as is None:
            async with single(self._system) as connection:
                seen = await connection.fetchval(notifications.SEEN_UNTIL, person.user_id)
                own = await connection.fetch(notifications.OWN, person.user_id, company, *after, limit + 1)
        lines = [
            *(((row["at"], row["affiliation_id"], row["number"]), _happened(row, seen)) for row in rows),
            *(((row["at"], row["affiliation_id"], row["number"]), _ending(row, seen)) for row in ending),
            *(((row["at"], row["id"], row["number"]), _own(row, seen)) for row in own),
        ]
        lines.sort(key=lambda line: line[0], reverse=True)
        return Notifications(
            items=[line for _, line in lines[:limit]],
            as_of=as_of,
            next_cursor=_encoded(*lines[limit - 1][0]) if len(lines) > limit else None,
        )

    async def unread(self, caller: Caller) -> Unread | None:
        """None: the session, or the account, has ended meanwhile. Raises NotAllowed (an API key)."""
        person = caller.person()
        async with single(self._system) as connection:
            row = await connection.fetchrow(
                notifications.UNREAD, person.user_id, person.session_id, list(caller.companies)
            )
        return None if row is None else Unread(notifications=row["news"], messages=row["letters"])

    async def read(self, caller: Caller, asked: ReadUntil) -> None:
        """Everything up to a moment has been seen; what has been, stays so. Raises NotAllowed."""
        caller.need(Scope.read)
        person = caller.person()
        async with single(self._system) as connection:
            await connection.execute(notifications.READ, person.user_id, asked.until)

    async def message_read(self, caller: Caller, notice_id: UUID) -> None:
        """A message of the user's own has been opened. Raises NotAllowed (an API key)."""
        person = caller.person()
        if caller.look_as is None:
            async with single(self._system) as connection:
                await connection.execute(notifications.MESSAGE_READ, person.user_id, notice_id)

    async def messages_read(self, caller: Caller, asked: ReadUntil) -> None:
        """All of them, up to a moment. Raises NotAllowed (an API key)."""
        person = caller.person()
        async with single(self._system) as connection:
            await connection.execute(notifications.MESSAGES_READ, person.user_id, asked.until)

    # --- preferences

    async def preferences(self, caller: Caller) -> NotificationPreferences:
        """Of the companies that the session works for, by name. Raises NotAllowed (an API key)."""
        caller.need(Scope.read)
        person = caller.person()
        async with tenant(self._web, caller.companies) as connection:
            companies = await connection.fetch(register.COMPANIES)
        async with single(self._system) as connection:
            rows = await connection.fetch(notifications.PREFERENCES, person.user_id, list(caller.companies))
        chosen = {(row["company_id"], row["kind"]): How(row["how"]) for row in rows}
        return NotificationPreferences(
            items=[
                CompanyPreferences(
                    siren=one["siren"],
                    company=one["name"],
                    kinds={kind: chosen.get((one["id"], kind.value), usual) for kind, usual in USUAL.items()},
                )
                for one in companies
            ]
        )

    async def prefer(self, caller: Caller, chosen: ChosenPreferences) -> None:
        """Raises NotAllowed, NotFound (a company of others)."""
        caller.need(Scope.read)
        person = caller.person()
        companies = list(caller.companies)
        if chosen.siren is not None:
            async with tenant(self._web, caller.companies) as connection:
                rows = await connection.fetch(register.COMPANIES)
            companies = [row["id"] for row in rows if row["siren"] == chosen.siren]
            if not companies:
                raise NotFound()
        named = chosen.kinds.model_dump(mode="json", exclude_none=True)
        kinds, hows = list(named), list(named.values())
        async with system(self._system) as connection:
            await connection.execute(notifications.PREFER, person.user_id, companies, kinds, hows)
            await connection.execute(notifications.BEGIN_TELLING, person.user_id, hows)


def _happened(row: asyncpg.Record, seen: datetime) -> Notification:
    event = employers_event(row)
    return Notification(
        kind=event.kind.value,
        title=words.event_label(event.kind),
        at=row["at"],
        unread=row["recorded_at"] > seen,
        path=f"/salaries/suivi/{row['affiliation_id']}",
        to_correct=row["to_correct"],
        event=event,
        **_person(row),
    )


def _ending(row: asyncpg.Record, seen: datetime) -> Notification:
    return Notification(
        kind=NotificationKind.abandoned_soon.value,
        title="Bientôt abandonnée",
        at=row["at"],
        unread=row["at"] > seen,
        path=f"/salaries/suivi/{row['affiliation_id']}",
        ends_at=row["ends_at"],
        **_person(row),
    )


def _person(row: asyncpg.Record) -> dict[str, str | UUID]:
    names = ("affiliation_id", "first_names", "last_name", "establishment", "siren", "company")
    return {name: row[name] for name in names}


def _own(row: asyncpg.Record, seen: datetime) -> Notification:
    kind = NoticeKind(row["kind"])
    return Notification(
        kind=kind.value,
        title=notice_subject(kind, row["details"]),
        at=row["at"],
        unread=row["at"] > seen,
        path=notice_page(kind, row["details"]),
        siren=row["siren"],
        company=row["company"],
    )


def _encoded(at: datetime, identity: UUID, number: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), str(identity), number]).encode()).decode()


def _decoded(cursor: str | None) -> tuple[datetime | None, UUID | None, int | None]:
    if not cursor:
        return None, None, None
    try:
        at, identity, number = _CURSOR.validate_json(base64.urlsafe_b64decode(cursor.encode()))
        return at.astimezone(UTC), identity, number
    except (ValueError, OverflowError):
        raise NotFound() from None
