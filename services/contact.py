"""« Nous contacter » and « Mes démarches »: an employer's requests, their files and what became of them.

A user sees their own requests, and all of those of the companies they administer; row-level security shows no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from activities.contact import ContactTeller
from db import audit, contact
from db.pool import Connection, tenant
from domain.contact import ContactState, due_at
from services.callers import Caller, Scope, SignedIn
from services.contact_files import ContactFiles, Infected, TakenIn
from services.contact_views import (
    ContactFileContent,
    ContactReceipt,
    ContactRequests,
    ContactRequestView,
    ContactSummary,
    NewContact,
    Rating,
    ReasonGroup,
    Reply,
    UploadedFile,
    reason_groups,
)
from services.contact_words import REQUEST, Author, ContactWords, closes_of, downloaded, viewed, was_written
from services.follow_up import decode_cursor, encode_cursor
from services.limits import Limit
from services.problems import KeyReused, NotFound, RefusedByRules
from services.tools import Tools

_REPLIED: Final = (ContactState.answered, ContactState.closed)


class ContactService:
    def __init__(self, tools: Tools, files: ContactFiles, teller: ContactTeller) -> None:
        self._tools = tools
        self._files = files
        self._teller = teller
        self._words = ContactWords(tools.cipher, files)

    async def reasons(self) -> list[ReasonGroup]:
        """The guide's, in two levels."""
        return reason_groups()

    async def send(
        self, caller: Caller, request: NewContact, files: Sequence[UploadedFile], key: str, network: str
    ) -> ContactReceipt:
        """`key`: the same again gives the first one's receipt. `network`: `Visitor.network`. Raises NotAllowed (an API
        key, read-only), NotFound (company), InvalidFields (files), StorageAway, KeyReused, TooManyRequests."""
        person = _writer(caller)
        if request.company_id not in caller.companies:
            raise NotFound()
        asked = self._words.asked("contact", request, files)
        async with tenant(self._tools.web, caller.companies) as connection:
            known = await _receipt(connection, person, key, asked)
        if known is not None:
            return known
        counted = (Limit.contact_user, str(person.user_id)), (Limit.contact_network, network)
        await self._room_for(counted, network, len(files))
        taken = await self._taken_in(caller, request.company_id, files)
        await self._count(counted)
        now = datetime.now(UTC)
        async with tenant(self._tools.web, caller.companies) as connection:
            request_id: UUID = await connection.fetchval(contact.NEW_ID)
            row = await connection.fetchrow(
                contact.ADD,
                request_id,
                request.company_id,
                person.user_id,
                key,
                asked,
                request.reason,
                self._words.sealed_subject(request_id, request.subject),
                now,
                due_at(now, request.reason),
            )
            if row is not None:
                author = Author("user", person.user_id, key, asked)
                await self._words.write(connection, author, request_id, request.company_id, request.message, taken)
                await _log(connection, caller, "contact.sent", request.company_id, request_id)
            else:  # somebody was faster with the same key
                known = await _receipt(connection, person, key, asked)
        if row is None:
            if known is None:  # of a company that is not followed any more
                raise KeyReused()
            return known
        await self._teller.tell(request_id)
        return ContactReceipt(**dict(row))

    async def page(
        self, caller: Caller, limit: int, cursor: str | None = None, state: ContactState | None = None
    ) -> ContactRequests:
        """The user's own, and all of the companies they administer. Raises NotAllowed (an API key), InvalidFields."""
        seen = (*_sees(caller), state.value if state else None)
        after = decode_cursor(cursor)
        async with tenant(self._tools.web, caller.companies) as connection:
            rows = await connection.fetch(contact.LIST, *seen, *after, limit + 1)
            total: int = await connection.fetchval(contact.COUNT, *seen)
        last = rows[limit - 1] if len(rows) > limit else None
        return ContactRequests(
            items=[ContactSummary(**self._words.summary(row)) for row in rows[:limit]],
            next_cursor=encode_cursor(last["received_at"], last["id"]) if last else None,
            total=total,
        )

    async def one(self, caller: Caller, request_id: UUID) -> ContactRequestView:
        """Raises NotAllowed (an API key), NotFound."""
        sees = _sees(caller)
        async with tenant(self._tools.web, caller.companies) as connection:
            row = await connection.fetchrow(contact.ONE, *sees, request_id)
            if row is None:
                raise NotFound()
            if caller.look_as is not None:
                await viewed(connection, caller, row["company_id"], request_id)
            messages = await self._words.messages(connection, request_id, for_staff=False)
        state, writes = ContactState(row["state"]), Scope.write in caller.scopes
        return ContactRequestView(
            **self._words.summary(row),
            closes_at=closes_of(row),
            messages=messages,
            can_reply=writes and state is not ContactState.closed,
            can_reopen=writes and state in _REPLIED,
            can_rate=writes and state in _REPLIED and row["satisfaction"] is None,
        )

    async def reply(
        self,
        caller: Caller,
        request_id: UUID,
        reply: Reply,
        files: Sequence[UploadedFile],
        key: str,
        network: str,
    ) -> ContactRequestView:
        """After an answer, it waits for staff again. Raises as `send`, NotFound, RefusedByRules (closed)."""
        return await self._add(caller, request_id, reply, files, key, network, reopening=False)

    async def reopen(
        self,
        caller: Caller,
        request_id: UUID,
        reply: Reply,
        files: Sequence[UploadedFile],
        key: str,
        network: str,
    ) -> ContactRequestView:
        """Answered or closed, and not settled: an answer is due as for a new one. Raises as `send`, NotFound,
        RefusedByRules (it waits for an answer already)."""
        return await self._add(caller, request_id, reply, files, key, network, reopening=True)

    async def rate(self, caller: Caller, request_id: UUID, rating: Rating) -> ContactRequestView:
        """Once it is answered; the last rating counts. Raises NotAllowed, NotFound, RefusedByRules (not answered)."""
        _writer(caller)
        async with tenant(self._tools.web, caller.companies) as connection:
            row = await self._locked(connection, caller, request_id)
            if row["state"] not in _REPLIED:
                raise RefusedByRules("contact.not_answered", "Vous pourrez donner votre avis après notre réponse.")
            await connection.execute(contact.RATE, request_id, rating.satisfaction)
            await _log(connection, caller, "contact.rated", row["company_id"], request_id)
        return await self.one(caller, request_id)

    async def file(self, caller: Caller, request_id: UUID, file_id: UUID) -> ContactFileContent:
        """Raises NotAllowed, NotFound, NotYetScanned, StorageAway."""
        sees = _sees(caller)
        async with tenant(self._tools.web, caller.companies) as connection:
            if await connection.fetchrow(contact.ONE, *sees, request_id) is None:
                raise NotFound()
            row = await connection.fetchrow(contact.FILE, request_id, file_id)
            if row is None:
                raise NotFound()
            await downloaded(connection, caller, row)
        return await self._files.content(row)

    # --- the parts of it

    async def _add(
        self,
        caller: Caller,
        request_id: UUID,
        reply: Reply,
        files: Sequence[UploadedFile],
        key: str,
        network: str,
        *,
        reopening: bool,
    ) -> ContactRequestView:
        person = _writer(caller)
        asked = self._words.asked("reopen" if reopening else "reply", reply, files, request_id)
        async with tenant(self._tools.web, caller.companies) as connection:
            row = await self._locked(connection, caller, request_id)
            known = await was_written(connection, request_id, person.user_id, key, asked)
            if not known:
                _may_add(row, reopening=reopening)
        if known:
            return await self.one(caller, request_id)
        counted = [(Limit.contact_reply_user, str(person.user_id))]
        await self._room_for(counted, network, len(files))
        taken = await self._taken_in(caller, row["company_id"], files)
        await self._count(counted)
        async with tenant(self._tools.web, caller.companies) as connection:
            row = await self._locked(connection, caller, request_id)  # as it is by now
            written = await was_written(connection, request_id, person.user_id, key, asked)
            reopened = not written and row["state"] in _REPLIED
            if not written:
                _may_add(row, reopening=reopening)
                author = Author("user", person.user_id, key, asked)
                await self._words.write(connection, author, request_id, row["company_id"], reply.message, taken)
                if reopened:
                    await connection.fetchval(contact.REOPEN, request_id, due_at(datetime.now(UTC), row["reason"]))
                event = "contact.reopened" if reopened else "contact.replied"
                await _log(connection, caller, event, row["company_id"], request_id)
        if reopened:
            await self._teller.tell(request_id)
        return await self.one(caller, request_id)

    async def _locked(self, connection: Connection, caller: Caller, request_id: UUID) -> asyncpg.Record:
        """Raises NotFound."""
        row = await connection.fetchrow(contact.LOCK, *_sees(caller), request_id)
        if row is None:
            raise NotFound()
        return row

    async def _room_for(self, counted: Sequence[tuple[Limit, str]], network: str, files: int) -> None:
        """What is refused for a file of it is not counted as sent; its files are. Raises TooManyRequests."""
        await self._tools.limiter.check(*counted)
        for _ in range(files):
            await self._tools.limiter.take(Limit.contact_files_network, network)

    async def _count(self, counted: Sequence[tuple[Limit, str]]) -> None:
        """Raises TooManyRequests."""
        for limit, whom in counted:
            await self._tools.limiter.take(limit, whom)

    async def _taken_in(self, caller: Caller, company_id: UUID, files: Sequence[UploadedFile]) -> list[TakenIn]:
        try:
            return await self._files.take_in(files)
        except Infected as why:
            async with tenant(self._tools.web, caller.companies) as connection:
                await _log(connection, caller, "file.infected", company_id, None)
            raise why.problem from None


def _writer(caller: Caller) -> SignedIn:
    """Who signed in as themselves, for their companies. Raises NotAllowed."""
    caller.need(Scope.write)
    return caller.person()


def _sees(caller: Caller) -> tuple[UUID, list[UUID]]:
    """The user, and the companies all of whose requests they see. Raises NotAllowed."""
    caller.need(Scope.read)
    return caller.person().user_id, list(caller.companies if caller.look_as is not None else caller.administers)


def _may_add(row: asyncpg.Record, *, reopening: bool) -> None:
    """Raises RefusedByRules."""
    if reopening and row["state"] not in _REPLIED:
        raise RefusedByRules("contact.open", "Cette demande est déjà ouverte : nous préparons notre réponse.")
    if not reopening and row["state"] == ContactState.closed:
        raise RefusedByRules("contact.closed", "Cette demande est close. Rouvrez-la pour nous écrire de nouveau.")


async def _receipt(connection: Connection, person: SignedIn, key: str, asked: bytes) -> ContactReceipt | None:
    """Of what the key was used for before. Raises KeyReused: for another request."""
    row = await connection.fetchrow(contact.BY_KEY, person.user_id, key)
    if row is None:
        return None
    if row["request_hash"] != asked:
        raise KeyReused()
    return ContactReceipt(**{name: row[name] for name in ContactReceipt.model_fields})


async def _log(connection: Connection, caller: Caller, event: str, company_id: UUID, request_id: UUID | None) -> None:
    await audit.add(connection, event, caller.actor, company_id=company_id, object_type=REQUEST, object_id=request_id)
