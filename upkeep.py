"""What operators run by hand: `python -m upkeep COMMAND`. See docs/operations.md.

rotate-keys              re-encrypt everything with the first key of FIELD_KEYS
list-erasures            the list of erasures, a line of JSON each: keep it where the backups are not
reapply-erasures [FILE]  after a restore: erase again what the list says, from the file and from the database
purge                    the night's purge, now
invite-staff EMAIL FIRST LAST
                         the first account of staff, which invites the others; again, while it is not used
verify-audit-log [--head NUMBER:HASH]
                         whether the audit log is what it was, up to a head that was published
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from activities.audit import Head, Verifier
from activities.contracts.nightly import Purge
from activities.erasure import Eraser, Held
from activities.nightly import Nightly
from composition import cipher, connect, vault
from db import erasure
from db.erasure import Asked
from db.pool import Pool, create_pool, system
from domain.rights import StaffRole
from observability import set_up_logging
from services.fields import validated
from services.key_rotation import KeyRotation
from services.notices import Outbox
from services.problems import InvalidFields, RefusedByRules
from services.staff_accounts import NewStaffAccount, invite_first
from settings import Settings, settings
from workflows.histories import Histories
from workflows.notices_client import Notices

PAGE = 500


async def rotate_keys(config: Settings) -> int:
    """Says what was done, column by column; 1 when something could not be read."""
    async with _pool(config) as pool:
        rotated = await KeyRotation(pool, cipher(config)).run()
    for one in rotated:
        _say(column=one.column, values=one.seen, changed=one.changed, unreadable=one.unreadable)
    return 1 if any(one.unreadable for one in rotated) else 0


async def list_erasures(config: Settings) -> int:
    async with _pool(config) as pool:
        async for line in _listed(pool):
            _say(**line)
    return 0


async def reapply_erasures(config: Settings, lines: list[dict[str, Any]]) -> int:
    """Erases again what a restore brought back; 1 when the law holds somebody who had been erased."""
    held = 0
    async with _pool(config) as pool:
        eraser = await _eraser(config, pool)
        seen = set()
        for line in _newest_last([*lines, *[line async for line in _listed(pool)]]):
            if line["erasure"] in seen:
                continue
            seen.add(line["erasure"])
            ids = [UUID(one) for one in line["affiliations"]]
            asked = Asked(line["reason"], line["asked_by"])
            try:
                again = await eraser.again(UUID(line["employee"]), ids, asked, datetime.now(UTC))
            except Held as why:
                held += 1
                _say(employee=line["employee"], held=why.why.value)
                continue
            if again:
                _say(employee=line["employee"], erased_again=True)
    return 1 if held else 0


async def purge(config: Settings) -> int:
    async with _pool(config) as pool:
        nightly = Nightly(pool, vault(config), await _eraser(config, pool))
        purged = await nightly.purge(Purge(datetime.now(UTC)))
    _say(**purged.by_rule, failed=purged.failed)
    return 1 if purged.failed else 0


async def invite_staff(config: Settings, email: str, first_name: str, last_name: str) -> int:
    """The link goes to the address; 1 when there is an account already, or a word is wrong."""
    given = {"email": email, "first_name": first_name, "last_name": last_name, "roles": [StaffRole.super]}
    async with _pool(config) as pool:
        client = await connect(config, lazy=True)  # away: the sweep sends it later
        timeout = timedelta(seconds=config.temporal_rpc_timeout_seconds)
        outbox = Outbox(pool, Notices(client, config.temporal_task_queue, timeout))
        try:
            account = await invite_first(outbox, cipher(config), validated(NewStaffAccount, given))
        except InvalidFields as invalid:
            sys.stderr.writelines(f"{error.field}: {error.message}\n" for error in invalid.errors)
            return 1
        except RefusedByRules as refused:
            sys.stderr.write(f"{refused.detail}\n")
            return 1
        await outbox.started()
    _say(account=str(account))
    return 0


async def verify_audit_log(config: Settings, known: Head | None) -> int:
    """A line for each finding; 1 when there is one."""
    found = 0
    async with _pool(config) as pool:
        verifier = Verifier(pool)
        async for finding in verifier.findings(known):
            found += 1
            sys.stdout.write(f"{finding}\n")
    if found:
        return 1
    sys.stdout.write(f"{verifier.head.number} entries, head {verifier.head}\n")
    return 0


async def _listed(pool: Pool) -> AsyncIterator[dict[str, Any]]:
    after = UUID(int=0)
    while True:
        async with system(pool) as connection:
            rows = await connection.fetch(erasure.LIST, after, PAGE)
        if not rows:
            return
        after = rows[-1]["id"]
        for row in rows:
            yield {
                "erasure": str(row["id"]),
                "employee": str(row["employee_id"]),
                "affiliations": [str(one) for one in row["affiliation_ids"]],
                "reason": row["reason"],
                "asked_by": row["asked_by"],
                "erased_at": row["erased_at"].isoformat(),
            }


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _head(text: str) -> Head | None:
    try:
        return Head.parse(text)
    except ValueError:
        return None


def _newest_last(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(lines, key=lambda line: str(line["erased_at"]))


@asynccontextmanager
async def _pool(config: Settings) -> AsyncIterator[Pool]:
    pool = await create_pool(config.database_url, "hcr_system", 2)
    try:
        yield pool
    finally:
        await pool.close()


async def _eraser(config: Settings, pool: Pool) -> Eraser:
    client = await connect(config, lazy=True)  # away: the sweep deletes the histories later
    timeout = timedelta(seconds=config.temporal_rpc_timeout_seconds)
    return Eraser(pool, vault(config), Histories(client, timeout))


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")


def main(arguments: list[str]) -> int:
    """The exit code: 2 for words that are no command."""
    match arguments:
        case ["rotate-keys"]:
            command: Callable[[Settings], Coroutine[Any, Any, int]] = rotate_keys
        case ["list-erasures"]:
            command = list_erasures
        case ["reapply-erasures", *file] if len(file) < 2:
            lines = _lines(Path(file[0])) if file else []
            command = partial(reapply_erasures, lines=lines)
        case ["purge"]:
            command = purge
        case ["invite-staff", email, first_name, last_name]:
            command = partial(invite_staff, email=email, first_name=first_name, last_name=last_name)
        case ["verify-audit-log"]:
            command = partial(verify_audit_log, known=None)
        case ["verify-audit-log", "--head", head] if known := _head(head):
            command = partial(verify_audit_log, known=known)
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    config = settings()
    set_up_logging(config.log_level)
    return asyncio.run(command(config))


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    sys.exit(code)
