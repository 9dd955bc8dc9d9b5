"""The process that `bench.dsn` measures: `python -m bench.dsn_reading read|record STORE IMPORT`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from uuid import UUID

from activities.contracts.dsn import DsnBatch, DsnStep
from activities.dsn_import import DsnImporter
from db import dsn
from db.pool import Pool, create_pool, system
from domain.dsn.reading import declarations, survey
from gateways.encryption import FieldCipher
from gateways.files.storage import open_store
from gateways.files.streams import StreamVault
from settings import settings


async def _measured(what: str, store: str, import_id: UUID) -> dict[str, float]:
    config = settings()
    keys = FieldCipher(
        config.field_keys.get_secret_value(),
        config.blind_index_key.get_secret_value(),
        config.link_key.get_secret_value(),
    )
    files = StreamVault(open_store(store), keys, "dsn_import")
    pool = await create_pool(config.database_url, "hcr_system", 2)
    before = _peak()
    began = time.perf_counter()
    read = await (
        _read(pool, files, import_id) if what == "read" else _record(DsnImporter(pool, files, keys), pool, import_id)
    )
    seconds = time.perf_counter() - began
    await pool.close()
    return {"seconds": seconds, "megabytes": _peak(), "before": before, **read}


async def _read(pool: Pool, files: StreamVault, import_id: UUID) -> dict[str, float]:
    """The file looked through, then every declaration of it as a tree, from the encrypted store."""
    async with system(pool) as connection:
        row = await connection.fetchrow(dsn.IMPORT, import_id)
    assert row is not None, "stored"
    source = files.open(row["object_key"], row["data_key_sealed"], row["size"], str(import_id))
    began = time.perf_counter()
    surveyed = survey(source)
    looked = time.perf_counter() - began
    for one in declarations(source, surveyed):
        assert one.fault is None, "a file of ours"
    return {"lines": surveyed.lines, "looked": looked}


async def _record(importer: DsnImporter, pool: Pool, import_id: UUID) -> dict[str, float]:
    surveyed = await importer.survey(DsnStep(str(import_id)))
    assert not surveyed.refused, "a file of ours"
    last, done = 0, False
    while not done:
        recorded = await importer.record(DsnBatch(str(import_id), last))
        last, done = recorded.last, recorded.done
    async with system(pool) as connection:
        row = await connection.fetchrow(dsn.IMPORT, import_id)
    assert row is not None, "recorded"
    return {"lines": row["lines"]}


def _peak() -> float:
    """Megabytes of this process at most; `getrusage` would count the one that it was forked from."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError("no peak of the memory")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured(sys.argv[1], sys.argv[2], UUID(sys.argv[3])))))
