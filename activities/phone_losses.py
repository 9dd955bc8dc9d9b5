"""Telephones lost a day ago, unless the user stopped it: number and app are taken away (security.md A-19)."""

from __future__ import annotations

import logging
from uuid import UUID

from activities.contracts.affiliation import SYSTEM_ACTOR
from db import audit, profile, sessions
from db.pool import Pool, system

log = logging.getLogger(__name__)


class PhoneLosses:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def apply_due(self, most: int) -> int:
        """At most so many, the longest due first; what fails is left for the next round."""
        async with system(self._pool) as connection:
            due = await connection.fetch(profile.LOSSES_DUE, most)
        applied = 0
        for loss in due:
            applied += await self._apply(loss["id"], loss["user_id"])
        return applied

    async def _apply(self, loss_id: UUID, user_id: UUID) -> bool:
        """False: it was stopped or done meanwhile."""
        async with system(self._pool) as connection:
            await connection.execute(profile.LOCK, user_id)
            if not await connection.fetchval(profile.LOSS_DONE, loss_id):
                return False
            await connection.execute(profile.CLEAR_FACTORS, user_id)
            await connection.execute(profile.CLEAR_RECOVERY_CODES, user_id)
            await connection.execute(sessions.CLOSE_ALL, user_id)
            await connection.execute(profile.KILL_DEVICES, user_id)
            await audit.add(
                connection,
                "auth.phone.lost",
                SYSTEM_ACTOR,
                object_type="user",
                object_id=user_id,
                details={"loss": str(loss_id)},
            )
        log.info("a lost telephone was taken away", extra={"loss": str(loss_id)})
        return True
