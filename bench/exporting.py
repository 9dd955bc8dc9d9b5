"""The process that `bench.export` measures: `python -m bench.exporting ours|bare COMPANY`. It imports no more than an
export needs, so that its memory is the export's."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from openpyxl import Workbook

from activities.export import ExportOrder
from db.pool import create_pool
from gateways.encryption import FieldCipher
from services.insured import InsuredFilters
from services.insured_sheet import COLUMNS, InsuredExport, parameters_of
from services.sheets import SheetForm
from settings import settings


class _Bare:
    """openpyxl's own loop, over what the export would write."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = [[column.title for column in COLUMNS]]

    def write(self) -> None:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("Salariés affiliés")
        for row in self.rows:
            sheet.append(row)
        book.save(io.BytesIO())


async def _measured(which: str, company: UUID) -> dict[str, float]:
    config = settings()
    pool = await create_pool(config.database_url, "hcr_system", 1)
    export = InsuredExport(
        pool,
        FieldCipher(
            config.field_keys.get_secret_value(),
            config.blind_index_key.get_secret_value(),
            config.link_key.get_secret_value(),
        ),
    )
    order = ExportOrder(uuid4(), (company,), SheetForm.xlsx.value, parameters_of(InsuredFilters()))
    bare = _Bare()
    if which == "bare":
        bare.rows += await export.lines(order)
    before = _peak()
    began = time.perf_counter()
    if which == "bare":
        bare.write()
    else:
        await export.write(order, _nobody)
    seconds = time.perf_counter() - began
    await pool.close()
    return {"seconds": seconds, "megabytes": _peak(), "before": before}


async def _nobody(done: int, total: int) -> None:
    """Nobody is told how far it is."""


def _peak() -> float:
    """Megabytes of this process at most; `getrusage` would count the one that it was forked from."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError("no peak of the memory")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured(sys.argv[1], UUID(sys.argv[2])))))
