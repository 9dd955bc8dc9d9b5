"""A DSN file taken in, whichever door it comes through: sealed into the store while it arrives, known again by its
content."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable
from dataclasses import dataclass
from uuid import UUID

from activities.contracts.affiliation import Actor, ActorKind
from db import affiliations, audit, dsn
from db.pool import Pool, system
from gateways.files.storage import StorageUnavailable
from gateways.files.streams import StreamVault, TooLong
from workflows.dsn_imports_client import DsnImports
from workflows.engine import EngineAway

log = logging.getLogger(__name__)


class Unfit(Exception):
    """The file is not taken: `empty` or `too_large`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Taken:
    """`known`: the same content came before, and this is that import."""

    import_id: UUID
    known: bool


class DsnIntake:
    """`most_bytes`: of one file."""

    def __init__(self, pool: Pool, files: StreamVault, engine: DsnImports, most_bytes: int) -> None:
        self._pool = pool
        self._files = files
        self._engine = engine
        self.most_bytes = most_bytes

    async def take(self, content: AsyncIterable[bytes], origin: str, actor: Actor, name: str = "") -> Taken:
        """Keep the file and have it read; Temporal away, the sweep has it read. Killed on the way, nothing is kept but
        an object without a row, which the nightly reconciliation deletes.

        `origin`: upload, api or directory. `name`: as the watched directory has it; of what people send none is kept:
        it may be somebody's. Raises Unfit, StorageUnavailable, and what `content` raises.
        """
        async with system(self._pool) as connection:
            import_id: UUID = await connection.fetchval(affiliations.NEW_ID)
        try:
            stored = await self._files.put(content, str(import_id), self.most_bytes)
        except TooLong:
            raise Unfit("too_large") from None
        if stored.size == 0:
            await self._forget(stored.object_key)
            raise Unfit("empty")
        async with system(self._pool) as connection:
            added = await connection.fetchval(
                dsn.ADD_IMPORT,
                import_id,
                origin,
                name,
                actor.id if actor.kind is not ActorKind.system else None,
                stored.sha256,
                stored.size,
                stored.object_key,
                stored.data_key_sealed,
            )
            known = added is None
            if known:
                earlier = await connection.fetchrow(dsn.IMPORT_OF_CONTENT, stored.sha256)
                if earlier is None:  # refused in this very moment
                    raise StorageUnavailable("the same content is being refused")
                import_id = earlier["id"]
            await audit.add(
                connection,
                "dsn.received",
                actor,
                object_type="dsn_import",
                object_id=import_id,
                details={"origin": origin, "known": known},
            )
        if known:
            await self._forget(stored.object_key)
        try:
            await self._engine.start(import_id)
        except EngineAway as why:
            log.warning("a DSN file waits for the sweep: %s", why, extra={"import": str(import_id)})
        return Taken(import_id, known)

    async def _forget(self, object_key: str) -> None:
        try:
            await self._files.delete(object_key)
        except StorageUnavailable:
            log.warning("a file is left for the nightly reconciliation")
