"""Consulting a company's space in its place: staff read what the company reads, for half an hour, with a reason that
its administrators are shown (peers.md §22)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from db import audit, look_as
from db.pool import Connection, single, system
from domain.identifiers import InvalidValue
from messages import words
from services.audit_trail import stop_mass_reading
from services.callers import Caller, LookAs, Scope
from services.fields import Form, empty_is_none
from services.problems import NotFound
from services.tools import Tools

MINUTES = look_as.MINUTES
TICKET_EXAMPLE = "D2026-00417"
_MOST = 50
_TICKET = re.compile(r"[A-Za-z0-9-]+", re.ASCII)


class LookReason(StrEnum):
    asked_for_help = "asked_for_help"
    follows_request = "follows_request"
    checks_complaint = "checks_complaint"
    finds_fault = "finds_fault"


def _reference(text: str) -> str:
    """No room for anything about a person."""
    if not _TICKET.fullmatch(text):
        raise InvalidValue(
            "ticket.characters", "La référence ne comporte que des lettres, des chiffres et des tirets.", TICKET_EXAMPLE
        )
    return text.upper()


Ticket = Annotated[str, Field(max_length=20, examples=[TICKET_EXAMPLE]), AfterValidator(_reference)]


class NewLookAs(Form):
    """`ticket`: the reference of the request that it answers."""

    reason: LookReason
    ticket: Annotated[Ticket | None, BeforeValidator(empty_is_none)] = None


class LookAsView(BaseModel):
    """One of them, as the company's administrators see it. `files`: the files that were opened in it."""

    id: UUID
    company: str
    siren: str
    reason: LookReason
    ticket: str | None
    began_at: datetime
    until: datetime
    files: int


class LookAsList(BaseModel):
    """The newest first. `next_before`: where the next page begins."""

    items: list[LookAsView]
    next_before: UUID | None


class LookAsService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def of(self, caller: Caller) -> Caller | None:
        """A member of staff as the company that they look at in this session; None: they look at none.

        Raises MassReading.
        """
        if caller.signed_in is None or Scope.staff_write not in caller.scopes:
            return None
        person = caller.signed_in
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(look_as.OPEN, person.session_id, person.user_id)
        if row is None:
            return None
        await stop_mass_reading(self._tools.system, caller)
        seen = LookAs(row["id"], row["company"], row["ends_at"], words.look_as_reason_label(row["reason"]))
        return replace(
            caller, companies=(row["company_id"],), administers=(), scopes=frozenset({Scope.read}), look_as=seen
        )

    async def begin(self, caller: Caller, company_id: UUID, request: NewLookAs) -> None:
        """In this session, instead of whatever it looked at. Raises NotAllowed, StepUpNeeded, NotFound."""
        caller.need(Scope.staff_write)
        person = caller.need_step_up()
        async with system(self._tools.system) as connection:
            if await connection.fetchrow(look_as.COMPANY, company_id) is None:
                raise NotFound()
            for ended in await connection.fetch(look_as.END, person.session_id):
                await _log(connection, "look_as.ended", caller, ended["company_id"], ended["id"])
            row = await connection.fetchrow(
                look_as.BEGIN,
                person.session_id,
                person.user_id,
                company_id,
                request.reason.value,
                request.ticket,
                MINUTES,
            )
            assert row is not None, "just added"
            details = {"reason": request.reason.value, **({"ticket": request.ticket} if request.ticket else {})}
            await _log(connection, "look_as.began", caller, company_id, row["id"], details)

    async def end(self, caller: Caller) -> UUID | None:
        """The company that was looked at; None: nothing was, or its time was over. Raises NotAllowed."""
        caller.need(Scope.staff)
        person = caller.person()
        company_id: UUID | None = None
        async with system(self._tools.system) as connection:
            for ended in await connection.fetch(look_as.END, person.session_id):
                company_id = ended["company_id"]
                await _log(connection, "look_as.ended", caller, ended["company_id"], ended["id"])
        return company_id

    async def list(self, caller: Caller, before: UUID | None = None) -> LookAsList:
        """What staff looked at in the place of the companies that the user administers. Raises NotAllowed."""
        caller.need_administrator()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(look_as.OF_COMPANIES, list(caller.administers), before, _MOST + 1)
        return LookAsList(
            items=[LookAsView(**dict(row)) for row in rows[:_MOST]],
            next_before=rows[_MOST - 1]["id"] if len(rows) > _MOST else None,
        )


async def _log(
    connection: Connection,
    event: str,
    caller: Caller,
    company_id: UUID,
    look_as_id: UUID,
    details: dict[str, str] | None = None,
) -> None:
    await audit.add(
        connection,
        event,
        caller.actor,
        company_id=company_id,
        object_type="look_as",
        object_id=look_as_id,
        details=details,
    )
