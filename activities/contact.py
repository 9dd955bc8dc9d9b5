"""The steps of a contact request's workflow, and what tells it that somebody did something.

Each step is one transaction that holds for the version the workflow knows: repeated after a crash, it finds itself
done. What is written to people is claimed by its key there, and leaves once that is committed.
"""

from __future__ import annotations

import logging
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contracts.affiliation import SYSTEM_ACTOR
from activities.contracts.contact import (
    ACKNOWLEDGE_CONTACT,
    CLOSE_CONTACT,
    ESCALATE_CONTACT,
    ContactFacts,
    ContactStep,
)
from db import audit, contact, notices
from db.pool import Connection, Pool, system
from domain.contact import ContactState
from domain.working_time import paris_date
from messages.notices import NoticeKind
from workflows.contact_client import ContactRequests
from workflows.engine import EngineAway
from workflows.notices_client import Notices

log = logging.getLogger(__name__)

ESCALATED = Counter("hcr_contact_escalated_total", "Requests whose answer was not there in time")


class ContactRecorder:
    def __init__(self, pool: Pool, engine: Notices) -> None:
        self._pool = pool
        self._engine = engine

    @activity.defn(name=ACKNOWLEDGE_CONTACT)
    async def acknowledge(self, step: ContactStep) -> ContactFacts:
        """Whoever sent it is told its number, and until when an answer is due."""
        request_id = UUID(step.request_id)
        written: list[UUID] = []
        async with system(self._pool) as connection:
            row = await connection.fetchrow(contact.ACKNOWLEDGE, request_id)
            if row is not None and row["user_id"] is not None:
                details = {"number": row["number"], "on": paris_date(row["due_at"]).isoformat()}
                key = f"{NoticeKind.contact_received}/{request_id}"
                written = await _notify(
                    connection, key, NoticeKind.contact_received, row["user_id"], row["company_id"], request_id, details
                )
            facts = await facts_of(connection, request_id)
        await self._start(written)
        return facts

    @activity.defn(name=ESCALATE_CONTACT)
    async def escalate(self, step: ContactStep) -> ContactFacts:
        """The heads are told that an answer is overdue."""
        request_id = UUID(step.request_id)
        written: list[UUID] = []
        async with system(self._pool) as connection:
            row = await connection.fetchrow(contact.ESCALATE, request_id, step.version, step.at)
            if row is not None:
                for head in await connection.fetch(contact.HEADS):
                    key = f"{NoticeKind.contact_escalated}/{request_id}/{row['version']}/{head['id']}"
                    written += await _notify(
                        connection,
                        key,
                        NoticeKind.contact_escalated,
                        head["id"],
                        row["company_id"],
                        request_id,
                        {"number": row["number"]},
                    )
                await _log(connection, "contact.escalated", row["company_id"], request_id)
            facts = await facts_of(connection, request_id)
        if row is not None:
            ESCALATED.inc()
        await self._start(written)
        return facts

    @activity.defn(name=CLOSE_CONTACT)
    async def close(self, step: ContactStep) -> ContactFacts:
        """Nobody replied to the answer: whoever sent it is asked how it was."""
        request_id = UUID(step.request_id)
        written: list[UUID] = []
        async with system(self._pool) as connection:
            row = await connection.fetchrow(contact.CLOSE_SILENT, request_id, step.version, step.at)
            if row is not None:
                if row["user_id"] is not None:
                    key = f"{NoticeKind.contact_closed}/{request_id}/{step.version}"
                    kind, details = NoticeKind.contact_closed, {"number": row["number"]}
                    written = await _notify(
                        connection, key, kind, row["user_id"], row["company_id"], request_id, details
                    )
                await _log(connection, "contact.closed", row["company_id"], request_id)
            facts = await facts_of(connection, request_id)
        await self._start(written)
        return facts

    async def _start(self, notice_ids: list[UUID]) -> None:
        """Temporal away: the sweep starts them."""
        try:
            for notice_id in notice_ids:
                await self._engine.start(notice_id, None)
        except EngineAway:
            log.info("a notice waits for the sweep")


class ContactTeller:
    """Tells a request's workflow what the database has."""

    def __init__(self, pool: Pool, engine: ContactRequests) -> None:
        self._pool = pool
        self._engine = engine

    async def tell(self, request_id: UUID) -> bool:
        """False: Temporal is away, and the sweep tells it later."""
        async with system(self._pool) as connection:
            facts = await facts_of(connection, request_id)
        try:
            await self._engine.tell(request_id, facts)
        except EngineAway:
            log.info("a contact request waits for the sweep", extra={"id": str(request_id)})
            return False
        async with system(self._pool) as connection:
            await connection.execute(contact.TOLD, request_id, facts.version)
        return True

    async def tell_waiting(self, grace: float, batch: int) -> int:
        """What changed more than `grace` seconds ago and was not told."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(contact.UNTOLD, grace, batch)
        told = 0
        for row in rows:
            if not await self.tell(row["id"]):
                break
            told += 1
        return told


async def facts_of(connection: Connection, request_id: UUID) -> ContactFacts:
    """Raises ApplicationError, not to be tried again: there is no such request any more."""
    row: asyncpg.Record | None = await connection.fetchrow(contact.FACTS, request_id)
    if row is None:
        raise ApplicationError("no such request", type="UnknownContactRequest", non_retryable=True)
    return ContactFacts(
        version=row["version"],
        state=ContactState(row["state"]),
        due_at=row["due_at"],
        acknowledged=row["acknowledged_at"] is not None,
        escalated=row["escalated_at"] is not None,
        answered_at=row["answered_at"],
    )


async def _notify(
    connection: Connection,
    key: str,
    kind: NoticeKind,
    user_id: UUID,
    company_id: UUID,
    request_id: UUID,
    details: dict[str, str],
) -> list[UUID]:
    """Once for its key."""
    notice_id: UUID | None = await connection.fetchval(
        notices.ADD,
        key,
        kind.value,
        "email",
        user_id,
        None,
        company_id,
        request_id,
        {**details, "request": str(request_id)},
        None,
        None,
    )
    return [] if notice_id is None else [notice_id]


async def _log(connection: Connection, event: str, company_id: UUID, request_id: UUID) -> None:
    await audit.add(
        connection, event, SYSTEM_ACTOR, company_id=company_id, object_type="contact_request", object_id=request_id
    )
