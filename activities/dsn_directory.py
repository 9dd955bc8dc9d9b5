"""The watched directory: DSN files of another system are taken in once, and sorted by what becomes of them.

    <directory>/            where files are put; names that begin with a point or end in .part or .tmp are left alone
    <directory>/taken/      taken in and being read, as `<import's id>--<name>`
    <directory>/done/       read to the end
    <directory>/refused/    refused whole, with `<name>.txt` that says why by code and line

Whoever puts files renames them into place once they are whole; a file that was written there directly is taken when it
has not changed for a minute. Killed between two steps, the next round finds the same content known and goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final
from uuid import UUID

from temporalio import activity

from activities.contracts.affiliation import SYSTEM_ACTOR
from activities.contracts.dsn import LOOK_INTO_DIRECTORY
from activities.dsn_intake import DsnIntake, Unfit
from db import dsn_desk
from db.pool import Pool, system
from gateways.files.storage import StorageUnavailable

log = logging.getLogger(__name__)

TAKEN: Final = "taken"
DONE: Final = "done"
REFUSED: Final = "refused"
STILL_SECONDS: Final = 60.0
MOST_AT_ONCE: Final = 20  # files of one look
_UNFINISHED: Final = (".part", ".tmp", ".filepart", ".crdownload")
_PART_BYTES: Final = 1 << 20
_TAKEN_NAME: Final = re.compile(r"([0-9a-f-]{36})--(.*)")


class DsnDirectory:
    """`directory`: absolute; None: none is watched."""

    def __init__(
        self, pool: Pool, intake: DsnIntake, directory: Path | None, still_seconds: float = STILL_SECONDS
    ) -> None:
        self._pool = pool
        self._intake = intake
        self._watched = directory is not None
        self._directory = directory or Path("/nowhere")
        self._still = still_seconds

    @activity.defn(name=LOOK_INTO_DIRECTORY)
    async def look(self) -> int:
        """Sort what was taken before, then take files in; how many were taken. What cannot be read or moved is told to
        the log, and left for the next look."""
        if not self._watched:
            return 0  # the schedule outlived the setting
        try:
            await asyncio.to_thread(self._prepare)
            await self._sort()
            whole = await asyncio.to_thread(self._whole)
        except OSError as why:
            log.error("the watched directory cannot be used: %s", type(why).__name__)
            return 0
        taken = 0
        for path in whole[:MOST_AT_ONCE]:
            try:
                taken += await self._take(path)
            except StorageUnavailable as why:
                log.warning("DSN files wait in the directory: %s", type(why).__name__)
                break
            except OSError as why:
                log.error("a file of the watched directory cannot be taken: %s", type(why).__name__)
        return taken

    def _prepare(self) -> None:
        for name in (TAKEN, DONE, REFUSED):
            (self._directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _whole(self) -> list[Path]:
        """The oldest first; plain files only, no links."""
        found = []
        for entry in os.scandir(self._directory):
            if not entry.is_file(follow_symlinks=False) or entry.name.startswith("."):
                continue
            if entry.name.casefold().endswith(_UNFINISHED):
                continue
            changed = entry.stat(follow_symlinks=False).st_mtime
            if time.time() - changed >= self._still:
                found.append((changed, entry.name))
        return [self._directory / name for _, name in sorted(found)]

    async def _take(self, path: Path) -> bool:
        before = _print_of(path)
        try:
            taken = await self._intake.take(_content(path), "directory", SYSTEM_ACTOR, path.name[:200])
        except Unfit as why:
            await asyncio.to_thread(self._refuse, path, path.name, [f"{why.code}"])
            return False
        if _print_of(path) != before:
            log.warning("a DSN file changed while it was read: it is read again as it is then")
            return False
        await asyncio.to_thread(path.rename, self._directory / TAKEN / f"{taken.import_id}--{path.name}")
        return not taken.known

    async def _sort(self) -> None:
        """Out of `taken`, by what their imports came to."""
        names = {}
        for path in await asyncio.to_thread(lambda: sorted((self._directory / TAKEN).iterdir())):
            found = _TAKEN_NAME.fullmatch(path.name)
            if found is not None:
                names[path] = (UUID(found[1]), found[2])
        if not names:
            return
        async with system(self._pool) as connection:
            rows = await connection.fetch(dsn_desk.STATES, [import_id for import_id, _ in names.values()])
        states = {row["id"]: row for row in rows}
        for path, (import_id, name) in names.items():
            row = states.get(import_id)
            if row is None or row["state"] == "applied":
                await asyncio.to_thread(path.rename, _free(self._directory / DONE, name))
            elif row["state"] == "refused":
                lines = [f"{fault['code']} (line {fault['line']})" for fault in row["faults"]]
                await asyncio.to_thread(self._refuse, path, name, lines)

    def _refuse(self, path: Path, name: str, why: Iterable[str]) -> None:
        place = _free(self._directory / REFUSED, name)
        place.with_name(f"{place.name}.txt").write_text("\n".join(why) + "\n", encoding="utf-8")
        path.rename(place)


async def _content(path: Path) -> AsyncIterator[bytes]:
    descriptor = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        while part := await asyncio.to_thread(file.read, _PART_BYTES):
            if activity.in_activity():
                activity.heartbeat()
            yield part


def _print_of(path: Path) -> tuple[int, int, int]:
    found = path.stat(follow_symlinks=False)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _free(directory: Path, name: str) -> Path:
    """A place of that name where nothing lies yet."""
    place, number = directory / name, 1
    while place.exists():
        number += 1
        place = directory / f"{number}--{name}"
    return place
