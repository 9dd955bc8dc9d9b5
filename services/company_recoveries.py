"""An administrator who has gone: a company's access by a code posted to its registered office.

The request decides nothing but who is written to; the workflow posts the letter, waits and grants. An objection is
written here, at once: what grants looks for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from activities.contracts.affiliation import Actor
from db import audit, company_recoveries
from db.pool import single
from domain.company_recovery import RecoveryState
from domain.working_time import paris_date
from gateways.access_links import LinkKind, link_hash
from gateways.encryption import token_hash
from messages.notices import NoticeKind
from messages.typography import date_in_words
from services.activations import SOMEBODY, ActivationService, MailedLink, Reference, Told, by_reference
from services.callers import Caller
from services.fields import Email, Name
from services.limits import Limit
from services.notices import Transaction
from services.office_codes import OfficeCode, right_code
from services.problems import EngineUnavailable, LinkRefused, NotFound, OfficeCodeRefused
from services.tools import Tools
from services.visitors import Visitor
from workflows.company_recoveries import CompanyRecoveries
from workflows.engine import EngineAway, NotRunning

log = logging.getLogger(__name__)


class RecoveryRequest(Reference):
    first_name: Name
    last_name: Name
    email: Email


class RecoveryView(BaseModel):
    """Somebody asks to administer the company; `grant_at`: when they will, unless an administrator objects."""

    id: UUID
    siren: str
    company: str
    first_name: str
    last_name: str
    email: str
    state: RecoveryState
    requested_at: datetime
    grant_at: datetime | None


class Recoveries(BaseModel):
    items: list[RecoveryView]


RECOVERY_ANSWER = Told(
    detail="Si ces informations correspondent, un courrier avec un code part au siège de l’entreprise, et ses "
    "administrateurs sont prévenus."
)


class CompanyRecoveryService:
    def __init__(self, tools: Tools, engine: CompanyRecoveries) -> None:
        self._tools = tools
        self._engine = engine
        self._telling: set[asyncio.Task[None]] = set()

    async def ask(self, request: RecoveryRequest, visitor: Visitor) -> Told:
        """Begin, where there is such a company with an office to write to and no other request. Raises
        TooManyRequests; nothing else is told."""
        await self._tools.limiter.take(Limit.recovery_address, visitor.network)
        await self._tools.limiter.take(Limit.recovery_siret, request.siret)
        added: UUID | None = None
        async with self._tools.outbox.transaction() as transaction:
            connection = transaction.connection
            company = await by_reference(connection, request)
            possible = company is not None and company["activated"] and not company["closed"] and company["has_office"]
            if company is not None and possible:
                added = await connection.fetchval(
                    company_recoveries.ADD,
                    company["new_id"],
                    company["company_id"],
                    request.email,
                    request.first_name,
                    request.last_name,
                    link_hash(self._tools.cipher, LinkKind.recovery_stop, company["new_id"]),
                )
            await audit.add(
                connection,
                "company.recovery_requested",
                SOMEBODY,
                company_id=company["company_id"] if company is not None else None,
                object_type="company_recovery" if added else None,
                object_id=added,
                outcome="done" if added else "refused",
            )
        if added is not None:
            self._tell(self._start(added))
        return RECOVERY_ANSWER

    async def enter_code(self, request: OfficeCode, visitor: Visitor) -> Told:
        """The code of a letter: of a recovery, or of an activation, as the one page for codes takes both.

        Raises OfficeCodeRefused: unknown, wrong, used and too late are one answer; TooManyRequests, EngineUnavailable.
        """
        code = await right_code(self._tools, request, visitor)
        if code.kind is NoticeKind.activation_letter:
            return await ActivationService(self._tools).enter_letter_code(code.notice_id, code.subject_id)
        try:
            grant_at = await self._engine.enter_code(code.subject_id, code.notice_id)
        except NotRunning:
            raise OfficeCodeRefused() from None
        except EngineAway:
            raise EngineUnavailable() from None
        if grant_at is None:
            raise OfficeCodeRefused()
        day = date_in_words(paris_date(grant_at))
        return Told(
            detail=f"Code reconnu. Sans opposition d’un administrateur, vous recevrez votre accès par e-mail le {day}."
        )

    async def stop(self, request: MailedLink) -> None:
        """By the link in a message; told twice, nothing more happens. Raises LinkRefused: unknown, or granted."""
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(company_recoveries.BY_STOP_LINK, token_hash(request.token))
        if row is None or not await self._stop(row["id"], SOMEBODY, "contact"):
            raise LinkRefused()

    async def stop_one(self, caller: Caller, recovery_id: UUID) -> None:
        """By an administrator of the company. Raises NotAllowed, NotFound: not theirs, or over."""
        caller.need_administrator()
        async with single(self._tools.system) as connection:
            own = await connection.fetchval(company_recoveries.OF_COMPANIES, recovery_id, list(caller.administers))
        if own is None or not await self._stop(recovery_id, caller.actor, caller.id):
            raise NotFound()

    async def list(self, caller: Caller) -> Recoveries:
        """The open ones of the companies that the caller administers. Raises NotAllowed."""
        caller.need_administrator()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(company_recoveries.OPEN, list(caller.administers))
        return Recoveries(items=[RecoveryView(**dict(row)) for row in rows])

    async def _stop(self, recovery_id: UUID, actor: Actor, by: str) -> bool:
        """False: it has ended otherwise."""
        async with self._tools.outbox.transaction() as transaction:
            row = await transaction.connection.fetchrow(company_recoveries.STOP, recovery_id, by)
            if row is None:
                state = await transaction.connection.fetchval(company_recoveries.STATE, recovery_id)
                return bool(state == RecoveryState.stopped)
            await self._tell_stopped(transaction, recovery_id, row, actor)
        self._tell(self._stop_workflow(recovery_id))
        return True

    async def _tell_stopped(
        self, transaction: Transaction, recovery_id: UUID, row: asyncpg.Record, actor: Actor
    ) -> None:
        await transaction.notify(
            f"recovery_stopped/{recovery_id}",
            NoticeKind.recovery_stopped,
            recipient=row["email"],
            company_id=row["company_id"],
            subject_id=recovery_id,
        )
        await audit.add(
            transaction.connection,
            "company.recovery_stopped",
            actor,
            company_id=row["company_id"],
            object_type="company_recovery",
            object_id=recovery_id,
        )

    def _tell(self, call: Coroutine[Any, Any, None]) -> None:
        """Not awaited: how long it takes tells nothing to whoever asked."""
        task = asyncio.create_task(call)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _start(self, recovery_id: UUID) -> None:
        try:
            await self._engine.start(recovery_id)
        except EngineAway:
            log.info("a recovery waits for the sweep", extra={"recovery": str(recovery_id)})

    async def _stop_workflow(self, recovery_id: UUID) -> None:
        try:
            await self._engine.stop(recovery_id)
        except (EngineAway, NotRunning):
            log.info("a recovery hears later that it was stopped", extra={"recovery": str(recovery_id)})
