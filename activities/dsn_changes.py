"""The changes that DSN declarations propose, carried out: automatic ones by the import, the others as staff decide."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from temporalio import activity

from activities.contracts.affiliation import SYSTEM_ACTOR, Actor
from activities.contracts.dsn import APPLY_DSN, DsnApplied, DsnBatch
from activities.dsn_effects import DecisionRefused, Effect, Effects
from activities.dsn_matching import MatchKind
from db import audit, dsn
from db.pool import Connection, Pool, system
from domain.coverage_rights import CoverageFacts
from domain.dsn.changes import ChangeKind
from gateways.encryption import FieldCipher
from workflows.engine import EngineAway

log = logging.getLogger(__name__)

APPLY_SECONDS = 45.0  # of one activity
AT_ONCE = 100

CARRIED_OUT = Counter("hcr_dsn_changes_total", "Changes of DSN declarations that were decided", ["state"])

for _state in ("applied", "unchanged", "refused", "left"):
    CARRIED_OUT.labels(_state)


class Rights(Protocol):
    """Tells a coverage's workflow, starting it where it is needed."""

    async def tell(self, coverage_id: UUID, facts: CoverageFacts) -> object: ...


@dataclass(frozen=True, slots=True)
class Decided:
    """`facts`: what the coverage's workflow is to be told once the transaction is committed; None: nothing."""

    state: str
    outcome: str = ""
    coverage_id: UUID | None = None
    facts: CoverageFacts | None = None


async def decide(
    connection: Connection, cipher: FieldCipher, change_id: UUID, accepted: bool, reason: str, actor: Actor
) -> Decided:
    """Staff carry a change out or refuse it; of somebody found by name and birth date, they say whether it is them.

    Raises DecisionRefused: unknown, decided, and why it cannot be carried out.
    """
    row = await connection.fetchrow(dsn.CHANGE, change_id)
    if row is None:
        raise DecisionRefused("unknown")
    if row["state"] != "proposed":
        raise DecisionRefused("decided")
    effects = Effects(connection, cipher, row, actor)
    alike = row["match"] == MatchKind.proposal
    if accepted:
        effect = await effects.carry_out()
        if alike:
            await effects.remember()
    elif alike and row["kind"] == ChangeKind.hire:
        effect = await effects.of_a_stranger()
    else:
        effect = Effect("refused")
    await _settle(connection, row, effect, actor, reason)
    await audit.add(
        connection,
        "dsn.decided",
        actor,
        company_id=row["company_id"],
        object_type="dsn_change",
        object_id=change_id,
        details={"kind": row["kind"], "state": effect.state},
    )
    return Decided(effect.state, effect.outcome, effect.coverage_id, effect.facts)


class DsnApplier:
    def __init__(self, pool: Pool, cipher: FieldCipher, rights: Rights, apply_seconds: float = APPLY_SECONDS) -> None:
        self._pool = pool
        self._cipher = cipher
        self._rights = rights
        self._apply_seconds = apply_seconds

    @activity.defn(name=APPLY_DSN)
    async def apply(self, batch: DsnBatch) -> DsnApplied:
        """The automatic changes of the declarations after `after`, in their order, each in a transaction of its own.

        One that cannot be carried out as it is waits for somebody; what was carried out before a crash is not again.
        """
        import_id, last, applied = UUID(batch.import_id), batch.after, 0
        until = time.monotonic() + self._apply_seconds
        done = False
        while not done and (time.monotonic() < until or last == batch.after):  # one declaration at least
            async with system(self._pool) as connection:
                rows = await connection.fetch(dsn.TO_APPLY, import_id, last, AT_ONCE)
            for row in rows:
                applied += await self._apply(row["id"])
                last = max(last, row["number"] - 1)
            done = len(rows) < AT_ONCE
            if activity.in_activity():
                activity.heartbeat(last)
        async with system(self._pool) as connection:
            left: int = await connection.fetchval(dsn.LEFT, import_id) if done else 0
            if done:
                last = await connection.fetchval(dsn.LAST_NUMBER, import_id) or last
        return DsnApplied(last, done, applied, left)

    async def _apply(self, change_id: UUID) -> bool:
        try:
            effect = await self._carry_out(change_id)
        except DecisionRefused as why:
            await self._leave(change_id, why.code)
            return False
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as why:
            log.error("a change of a DSN cannot be carried out: %s", type(why).__name__, extra={"id": str(change_id)})
            await self._leave(change_id, "by_hand")
            return False
        if effect is None:
            return False
        CARRIED_OUT.labels(effect.state).inc()
        if effect.facts is not None and effect.coverage_id is not None:
            try:
                await self._rights.tell(effect.coverage_id, effect.facts)
            except EngineAway:  # the sweep tells it
                log.warning("a coverage's workflow will be told later", extra={"id": str(effect.coverage_id)})
        return effect.state == "applied"

    async def _carry_out(self, change_id: UUID) -> Effect | None:
        """None: somebody decided meanwhile."""
        async with system(self._pool) as connection:
            row = await connection.fetchrow(dsn.CHANGE, change_id)
            if row is None or row["state"] != "proposed" or row["decision"] != "automatic":
                return None
            effect = await Effects(connection, self._cipher, row, SYSTEM_ACTOR).carry_out(automatic=True)
            await _settle(connection, row, effect, None)
        return effect

    async def _leave(self, change_id: UUID, code: str) -> None:
        CARRIED_OUT.labels("left").inc()
        async with system(self._pool) as connection:
            await connection.execute(dsn.LEAVE_TO_SOMEBODY, change_id, code)


async def _settle(
    connection: Connection, row: asyncpg.Record, effect: Effect, actor: Actor | None, reason: str = ""
) -> None:
    await connection.execute(
        dsn.SETTLE,
        row["id"],
        effect.state,
        effect.outcome,
        effect.employee_id,
        effect.coverage_id,
        None if actor is None else actor.id,
        effect.details,
        reason,
    )
