"""Waiting for what other processes do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

_T = TypeVar("_T")


async def until(look: Callable[[], Awaitable[_T | None]], seconds: float, *, pause: float = 0.02) -> _T:
    """Look until there is something. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):  # noqa: ASYNC110 (other processes set no event)
            await asyncio.sleep(pause)
    return seen
