"""Keeps a part alive: restarts it when it ends, a bounded number of times."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from local.errors import LocalError


class Part(Protocol):
    """One process of the stack. `start` returns when it is ready to serve and raises LocalError when it will not be."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def wait(self) -> None: ...

    async def stop(self) -> None: ...

    def kill(self) -> None: ...

    def end(self) -> str: ...


@dataclass(frozen=True)
class RestartPolicy:
    """At most `restarts` in `window_seconds`; waits double from `first_delay_seconds` up to `longest_delay_seconds`."""

    restarts: int = 5
    window_seconds: float = 60.0
    first_delay_seconds: float = 0.1
    longest_delay_seconds: float = 5.0


async def keep(part: Part, say: Callable[[str], None], policy: RestartPolicy) -> None:
    """Restart `part` each time it ends, until cancelled. Raises LocalError when it ends too often."""
    loop = asyncio.get_running_loop()
    recent: deque[float] = deque()
    why = ""
    while True:
        if not why:
            await part.wait()
            why = part.end()
        now = loop.time()
        while recent and now - recent[0] > policy.window_seconds:
            recent.popleft()
        if len(recent) >= policy.restarts:
            raise LocalError(
                f"{part.name} ended again ({why}) after {policy.restarts} restarts "
                f"within {policy.window_seconds:.0f} s; stopping everything."
            )
        delay = min(policy.first_delay_seconds * 2 ** len(recent), policy.longest_delay_seconds)
        recent.append(now)
        say(f"{part.name} ended ({why}); restart {len(recent)} of {policy.restarts} in {delay:.1f} s")
        await asyncio.sleep(delay)
        try:
            await part.start()
        except LocalError as error:
            why = str(error)
        else:
            why = ""
            say(f"{part.name} is back")
