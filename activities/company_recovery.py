"""The activities of a company's recovery: each one transaction, safe to repeat, deciding by what the database has."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import asyncpg
from temporalio import activity

from activities.contracts.affiliation import SYSTEM_ACTOR
from activities.contracts.company_recovery import (
    END_RECOVERY,
    ENTER_RECOVERY_CODE,
    GRANT_RECOVERY,
    OPEN_RECOVERY,
    EndRecovery,
    EnterRecoveryCode,
    RecoveryCodeTaken,
    RecoveryEnded,
    RecoveryOpened,
)
from db import audit, company_recoveries, notices, users
from db.pool import Connection, Pool, system
from domain.company_recovery import RecoveryState
from domain.rights import Role
from gateways.access_links import LinkKind, link_hash
from gateways.encryption import FieldCipher
from messages.notices import NoticeKind
from workflows.engine import EngineAway
from workflows.notices_client import Notices

log = logging.getLogger(__name__)

_WAITING = (RecoveryState.requested, RecoveryState.letter_sent)


class RecoveryDesk:
    def __init__(self, pool: Pool, cipher: FieldCipher, engine: Notices) -> None:
        self._pool = pool
        self._cipher = cipher
        self._engine = engine

    @activity.defn(name=OPEN_RECOVERY)
    async def open(self, recovery_id: str) -> RecoveryOpened:
        """Write to whoever may object, and the letter, which the workflow posts."""
        added: list[UUID] = []
        async with system(self._pool) as connection:
            row = await connection.fetchrow(company_recoveries.LOCK, UUID(recovery_id))
            if row is None or row["state"] not in _WAITING:
                return RecoveryOpened(None)
            await _tell(connection, row, "asked", added)
            key = f"recovery_letter/{row['id']}"
            await _notify(connection, key, NoticeKind.recovery_letter, row, medium="post")
            letter_id = await connection.fetchval(company_recoveries.NOTICE, key)
            await connection.execute(company_recoveries.LETTER_SENT, row["id"])
        await self._start(added)
        return RecoveryOpened(str(letter_id))

    @activity.defn(name=ENTER_RECOVERY_CODE)
    async def enter_code(self, order: EnterRecoveryCode) -> RecoveryCodeTaken:
        """Use the code, and begin the delay; whoever may object is told again."""
        added: list[UUID] = []
        async with system(self._pool) as connection:
            row = await connection.fetchrow(company_recoveries.LOCK, UUID(order.recovery_id))
            if row is None or row["state"] != RecoveryState.letter_sent:
                # a former attempt of this very order, cut off before it could say so, had this moment
                return RecoveryCodeTaken(row["grant_at"] if row is not None and row["grant_at"] else None)
            if await connection.fetchval(notices.USE_OFFICE_CODE, UUID(order.notice_id)) is None:
                return RecoveryCodeTaken(None)
            await connection.execute(company_recoveries.CODE_ENTERED, row["id"], order.at, order.grant_at)
            added.append(
                await _notify(
                    connection,
                    f"recovery_waiting/{row['id']}",
                    NoticeKind.recovery_waiting,
                    row,
                    recipient=row["email"],
                    details={"grant_at": order.grant_at.isoformat()},
                )
            )
            await _tell(connection, row, "code", added)
            await _audit(connection, "company.recovery_code_entered", row)
        await self._start(added)
        return RecoveryCodeTaken(order.grant_at)

    @activity.defn(name=END_RECOVERY)
    async def end(self, order: EndRecovery) -> RecoveryEnded:
        """Nobody answered, or the letter cannot arrive. Whoever stopped it before is believed."""
        async with system(self._pool) as connection:
            row = await connection.fetchrow(company_recoveries.LOCK, UUID(order.recovery_id))
            if row is None:
                return RecoveryEnded(RecoveryState.expired)
            if row["state"] not in _WAITING:
                return RecoveryEnded(RecoveryState(row["state"]))
            await connection.execute(company_recoveries.END, row["id"], order.why.value)
            await _audit(connection, f"company.recovery_{order.why}", row)
        return RecoveryEnded(order.why)

    @activity.defn(name=GRANT_RECOVERY)
    async def grant(self, recovery_id: str) -> RecoveryEnded:
        """Invite who asked as an administrator, where nobody objected; those who are administrators stay."""
        added: list[UUID] = []
        async with system(self._pool) as connection:
            company_id = await connection.fetchval(company_recoveries.COMPANY, UUID(recovery_id))
            await connection.execute(users.LOCK_COMPANY, company_id)
            row = await connection.fetchrow(company_recoveries.LOCK, UUID(recovery_id))
            if row is None or row["state"] != RecoveryState.code_entered:
                return RecoveryEnded(RecoveryState(row["state"]) if row is not None else RecoveryState.expired)
            state = RecoveryState.granted if await self._offer(connection, row, added) else RecoveryState.stopped
            await connection.execute(company_recoveries.END, row["id"], state.value)
            await _audit(connection, f"company.recovery_{state}", row)
        await self._start(added)
        return RecoveryEnded(state)

    async def _offer(self, connection: Connection, row: asyncpg.Record, added: list[UUID]) -> bool:
        """False: the address is that of an account which staff have closed."""
        names = (row["first_name"], row["last_name"])
        user = await connection.fetchrow(company_recoveries.ADD_OR_FIND_USER, row["email"], *names)
        assert user is not None, "added or found"
        if user["closed"]:
            return False
        if await connection.fetchval(company_recoveries.ADMINISTER, user["id"], row["company_id"]):
            await connection.execute(users.CODE_DUE, user["id"], "role_raised")
            added.append(
                await _notify(
                    connection,
                    f"recovery_granted/{row['id']}",
                    NoticeKind.rights_changed,
                    row,
                    user_id=user["id"],
                    details={"role": Role.administrator.value},
                )
            )
            return True
        invitation_id = await connection.fetchval(company_recoveries.NEW_ID)
        await connection.execute(
            users.ADD_INVITATION,
            invitation_id,
            user["id"],
            None,
            *names,
            row["email"],
            link_hash(self._cipher, LinkKind.invitation, invitation_id),
            company_recoveries.INVITATION_HOURS,
        )
        await connection.execute(company_recoveries.OFFER, user["id"], row["company_id"], invitation_id)
        added.append(
            await _notify(
                connection,
                f"recovery_granted/{row['id']}",
                NoticeKind.recovery_granted,
                row,
                recipient=row["email"],
                subject_id=invitation_id,
            )
        )
        return True

    async def _start(self, added: list[UUID]) -> None:
        """Temporal away: the sweep starts them."""
        try:
            for notice_id in added:
                await self._engine.start(notice_id, None)
        except EngineAway:
            log.info("notices wait for the sweep")


async def _tell(connection: Connection, row: asyncpg.Record, when: str, added: list[UUID]) -> None:
    """Whoever may object, with the link that stops it."""
    for told in await connection.fetch(company_recoveries.TOLD, row["company_id"]):
        added.append(
            await _notify(
                connection,
                f"recovery_told/{row['id']}/{when}/{told['user_id'] or 'contact'}",
                NoticeKind.recovery_told,
                row,
                user_id=told["user_id"],
                recipient=told["contact"],
            )
        )


async def _notify(
    connection: Connection,
    key: str,
    kind: NoticeKind,
    row: asyncpg.Record,
    *,
    user_id: UUID | None = None,
    recipient: str | None = None,
    medium: str = "email",
    subject_id: UUID | None = None,
    details: dict[str, Any] | None = None,
) -> UUID:
    """The notice of this key, written once; its subject is the recovery unless another one is said."""
    await connection.execute(
        notices.ADD,
        key,
        kind.value,
        medium,
        user_id,
        recipient,
        row["company_id"],
        subject_id or row["id"],
        details or {},
        None,
        None,
    )
    notice_id: UUID = await connection.fetchval(company_recoveries.NOTICE, key)
    return notice_id


async def _audit(connection: Connection, event: str, row: asyncpg.Record) -> None:
    await audit.add(
        connection,
        event,
        SYSTEM_ACTOR,
        company_id=row["company_id"],
        object_type="company_recovery",
        object_id=row["id"],
    )
