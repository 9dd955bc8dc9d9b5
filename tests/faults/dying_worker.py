"""The real worker process, made to kill itself (SIGKILL) at a chosen point: `python -m tests.faults.dying_worker …`.

The points are the boundaries of every transaction and of every call to a provider: `hand_over 3 before` dies inside the
third transaction of the hand-over, just before its commit; `record 1 after` just after the commit of a recorded change;
`send 1 after` once the (local) provider has taken the message. `nowhere 0 never` lives.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.client import Client

from activities.contracts import affiliation, affiliation_imports, dsn, exports

# How long Temporal waits for a dead worker's attempt before it gives it to another: 90 s in earnest.
ATTEMPT_SECONDS = 2.0
affiliation.HAND_OVER_TIMEOUT = timedelta(seconds=ATTEMPT_SECONDS)
exports.EXPORT_HEARTBEAT = timedelta(seconds=ATTEMPT_SECONDS)
dsn.DSN_HEARTBEAT = timedelta(seconds=ATTEMPT_SECONDS)
affiliation_imports.IMPORT_HEARTBEAT = timedelta(seconds=ATTEMPT_SECONDS)

from settings import settings  # noqa: E402  (the time limit is read when the workflow's module is)

MODULES = {
    "dsn": "activities.dsn_import",
    "dsn_changes": "activities.dsn_changes",
    "export": "activities.export",
    "hand_over": "activities.hand_over",
    "import": "activities.affiliation_import",
    "notice": "activities.notices",
    "record": "activities.record",
    "send": "gateways.local_boxes",
}


def die_at(place: str, number: int, moment: str) -> None:
    """Kill this process at the `number`th transaction of `place`, `before` its commit or `after`."""
    module = importlib.import_module(MODULES[place])
    honest = module.system
    counted = 0

    @asynccontextmanager
    async def dying(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
        nonlocal counted
        counted += 1
        doomed = counted == number
        async with honest(*arguments, **options) as connection:
            yield connection
            if doomed and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        if doomed:
            os.kill(os.getpid(), signal.SIGKILL)

    module.system = dying  # type: ignore[attr-defined]


async def _no_schedule(client: Client, task_queue: str) -> None:
    """The sweep belongs to the tests that are about it."""


if __name__ == "__main__":
    place, number, moment, sweep = sys.argv[1:]
    if place in MODULES:
        die_at(place, int(number), moment)
    import worker

    if sweep == "without-sweep":
        worker.ensure_sweep = _no_schedule
        worker.ensure_nightly = _no_schedule
    asyncio.run(worker.main(settings()))
    os._exit(0)
