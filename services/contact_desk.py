"""« Demandes »: what employers ask, by due date, and staff's answers."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg

from activities.contact import ContactTeller
from db import audit, contact
from db.pool import Connection, single, system
from domain.contact import WAITING, ContactState
from messages.notices import NoticeKind
from services.audit_trail import stop_mass_reading
from services.callers import Caller, Scope
from services.contact_files import ContactFiles, Infected
from services.contact_views import (
    ContactCase,
    ContactCount,
    ContactFileContent,
    ContactLine,
    ContactQueue,
    ContactSummary,
    Reply,
    UploadedFile,
)
from services.contact_words import REQUEST, Author, ContactWords, closes_of, downloaded, viewed, was_written
from services.follow_up import decode_cursor, encode_cursor
from services.problems import NotFound, RefusedByRules
from services.tools import Tools


class QueueState(StrEnum):
    """`waiting`: received, assigned or reopened."""

    waiting = "waiting"
    answered = "answered"
    closed = "closed"
    all = "all"


class Taken(StrEnum):
    """Whose they are."""

    mine = "mine"
    nobody = "nobody"
    anyone = "anyone"


_STATES: Final = {
    QueueState.waiting: WAITING,
    QueueState.answered: (ContactState.answered,),
    QueueState.closed: (ContactState.closed,),
    QueueState.all: tuple(ContactState),
}


class ContactDesk:
    def __init__(self, tools: Tools, files: ContactFiles, teller: ContactTeller) -> None:
        self._tools = tools
        self._files = files
        self._teller = teller
        self._words = ContactWords(tools.cipher, files)

    async def queue(
        self,
        caller: Caller,
        state: QueueState = QueueState.waiting,
        taken: Taken = Taken.anyone,
        reason: str | None = None,
        overdue: bool = False,
        limit: int = 25,
        cursor: str | None = None,
    ) -> ContactQueue:
        """What waits by due date, the rest newest first. Raises NotAllowed (not staff), InvalidFields (cursor)."""
        person = _reader(caller)
        asked = (
            [one.value for one in _STATES[state]],
            person if taken is Taken.mine else None,
            taken is Taken.nobody,
            reason,
            overdue,
        )
        by_due = state is QueueState.waiting
        after = decode_cursor(cursor)
        async with system(self._tools.system) as connection:
            statement = contact.QUEUE_BY_DUE if by_due else contact.QUEUE_BY_DATE
            rows = await connection.fetch(statement, *asked, *after, limit + 1)
            total: int = await connection.fetchval(contact.QUEUE_COUNT, *asked)
        last = rows[limit - 1] if len(rows) > limit else None
        return ContactQueue(
            items=[ContactLine(**self._line(row)) for row in rows[:limit]],
            next_cursor=encode_cursor(last["due_at" if by_due else "received_at"], last["id"]) if last else None,
            total=total,
        )

    async def count(self, caller: Caller) -> ContactCount:
        """For « À traiter ». Raises NotAllowed."""
        person = _reader(caller)
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(contact.WAITING, person)
        assert row is not None, "an aggregate"
        return ContactCount(**dict(row))

    async def one(self, caller: Caller, request_id: UUID) -> ContactCase:
        """Told in the audit log. Raises NotAllowed, NotFound, MassReading."""
        _reader(caller)
        await stop_mass_reading(self._tools.system, caller)
        async with system(self._tools.system) as connection:
            row = await connection.fetchrow(contact.DESK_ONE, request_id)
            if row is None:
                raise NotFound()
            await viewed(connection, caller, row["company_id"], request_id)
            messages = await self._words.messages(connection, request_id, for_staff=True)
            earlier = await connection.fetch(contact.EARLIER, row["company_id"], request_id)
        open_to_them = Scope.staff_write in caller.scopes and row["state"] != ContactState.closed
        return ContactCase(
            **self._line(row),
            sender_email=row["sender_email"],
            closes_at=closes_of(row),
            messages=messages,
            earlier=[ContactSummary(**self._words.summary(one)) for one in earlier],
            can_answer=open_to_them,
            can_close=open_to_them,
        )

    async def assign(self, caller: Caller, request_id: UUID, mine: bool) -> ContactCase:
        """To the caller, whoever had it, or to nobody any more; done already, nothing happens. Raises NotAllowed,
        NotFound, RefusedByRules (it does not wait for staff)."""
        taker = _writer(caller)
        wanted = taker if mine else None
        async with system(self._tools.system) as connection:
            row = await _locked(connection, request_id)
            if row["state"] not in WAITING:
                raise RefusedByRules("contact.not_waiting", "Cette demande n’attend pas de réponse.")
            changed = row["assigned_to"] != wanted or (mine and row["state"] != ContactState.assigned)
            if changed:
                await connection.execute(contact.ASSIGN, request_id, wanted)
                await _log(connection, caller, "contact.assigned" if mine else "contact.left", row)
        if changed:
            await self._teller.tell(request_id)
        return await self.one(caller, request_id)

    async def answer(
        self,
        caller: Caller,
        request_id: UUID,
        reply: Reply,
        files: Sequence[UploadedFile],
        key: str,
        close: bool = False,
    ) -> ContactCase:
        """Whoever asked is told by mail that there is an answer, and reads it in their space. `key`: the same again
        changes nothing. Raises NotAllowed, NotFound, InvalidFields (files), StorageAway, KeyReused, RefusedByRules
        (closed)."""
        by = _writer(caller)
        asked = self._words.asked("close" if close else "answer", reply, files, request_id)
        async with system(self._tools.system) as connection:
            row = await _locked(connection, request_id)
            known = await was_written(connection, request_id, by, key, asked)
            if not known:
                _need_open(row)
        if known:
            return await self.one(caller, request_id)
        try:
            taken = await self._files.take_in(files)
        except Infected as why:
            async with system(self._tools.system) as connection:
                await _log(connection, caller, "file.infected", row)
            raise why.problem from None
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            row = await _locked(connection, request_id)  # as it is by now
            known = await was_written(connection, request_id, by, key, asked)
            if not known:
                _need_open(row)
                author = Author("staff", by, key, asked)
                number = await self._words.write(
                    connection, author, request_id, row["company_id"], reply.message, taken
                )
                await connection.execute(contact.ANSWER, request_id, by, close)
                await _log(connection, caller, "contact.answered", row)
                if row["user_id"] is not None:
                    await transaction.notify(
                        f"{NoticeKind.contact_answered}/{request_id}/{number}",
                        NoticeKind.contact_answered,
                        user_id=row["user_id"],
                        company_id=row["company_id"],
                        subject_id=request_id,
                        details={"number": row["number"], "request": str(request_id)},
                    )
        if not known:
            await self._teller.tell(request_id)
        return await self.one(caller, request_id)

    async def close(self, caller: Caller, request_id: UUID) -> ContactCase:
        """Nothing more is to be said: whoever asked is told, and may reopen it. Raises NotAllowed, NotFound,
        RefusedByRules (closed already)."""
        _writer(caller)
        async with self._tools.outbox.transaction() as transaction:
            row = await _locked(transaction.connection, request_id)
            _need_open(row)
            await transaction.connection.execute(contact.CLOSE, request_id)
            await _log(transaction.connection, caller, "contact.closed", row)
            if row["user_id"] is not None:
                await transaction.notify(
                    f"{NoticeKind.contact_closed}/{request_id}/{row['version']}",
                    NoticeKind.contact_closed,
                    user_id=row["user_id"],
                    company_id=row["company_id"],
                    subject_id=request_id,
                    details={"number": row["number"], "request": str(request_id)},
                )
        await self._teller.tell(request_id)
        return await self.one(caller, request_id)

    async def file(self, caller: Caller, request_id: UUID, file_id: UUID) -> ContactFileContent:
        """Raises NotAllowed, NotFound, NotYetScanned, StorageAway, MassReading."""
        _reader(caller)
        await stop_mass_reading(self._tools.system, caller)
        async with system(self._tools.system) as connection:
            row = await connection.fetchrow(contact.FILE, request_id, file_id)
            if row is None:
                raise NotFound()
            await downloaded(connection, caller, row)
        return await self._files.content(row)

    def _line(self, row: asyncpg.Record) -> dict[str, object]:
        """The fields of `ContactLine`."""
        own = ("siren", "sender", "assigned_to", "assigned_name", "late", "escalated_at")
        return {**self._words.summary(row), **{name: row[name] for name in own}}


def _reader(caller: Caller) -> UUID:
    """Raises NotAllowed."""
    caller.need(Scope.staff)
    return caller.person().user_id


def _writer(caller: Caller) -> UUID:
    """Raises NotAllowed."""
    caller.need(Scope.staff_write)
    return caller.person().user_id


def _need_open(row: asyncpg.Record) -> None:
    """Raises RefusedByRules."""
    if row["state"] == ContactState.closed:
        raise RefusedByRules("contact.closed", "Cette demande est close. Son auteur peut la rouvrir.")


async def _locked(connection: Connection, request_id: UUID) -> asyncpg.Record:
    """Raises NotFound."""
    row = await connection.fetchrow(contact.DESK_LOCK, request_id)
    if row is None:
        raise NotFound()
    return row


async def _log(connection: Connection, caller: Caller, event: str, row: asyncpg.Record) -> None:
    await audit.add(
        connection, event, caller.actor, company_id=row["company_id"], object_type=REQUEST, object_id=row["id"]
    )
