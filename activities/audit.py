"""The audit log's hash chain: sealed in the sweep, verified every night and by hand (security.md J-04).

Whoever writes an entry touches no chain: a head that every writer updates would let one write at a time. The sealer
links entries once no earlier transaction is open, in the order of (transaction, id). An entry that shows up before the
last link was written later than it says.
"""

from __future__ import annotations

import hashlib
import json
import logging
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg
from prometheus_client import Counter, Gauge

from db import audit
from db.pool import Connection, Pool, system
from messages.audit_words import AUDIT_EVENTS

log = logging.getLogger(__name__)

BATCH = 1000  # entries of one transaction
MOST_BATCHES = 20  # of one round
PUBLISH_SECONDS = 300.0
LATE_MINUTES = 10  # an entry is linked within a round of the sweep
BACKDATED = timedelta(hours=1)  # an entry's moment is its transaction's beginning; none is open for an hour
DENIALS_PER_HOUR = 5
EXPORTS_PER_HOUR = 20

LENGTH = Gauge("hcr_audit_chain_length", "Entries of the audit log that are linked")
SEALED_AT = Gauge("hcr_audit_chain_sealed_at", "When the sealer last had nothing left to link, in seconds since 1970")
FINDINGS = Gauge("hcr_audit_chain_findings", "What the last verification of the audit log found wrong")
EVENTS = Counter(
    "hcr_security_events_total", "Entries of the audit log, counted as they are linked", ["event", "outcome"]
)
ALERTS = Gauge("hcr_alerts", "Actors about whom somebody should be asked, within the last hour", ["alert"])
NOTICES_WAITING = Gauge("hcr_notices_waiting_seconds", "How long the oldest notice has been waiting to leave")

for _event in AUDIT_EVENTS:  # there from the beginning: a rise from nothing to one is none for Prometheus
    for _outcome in ("done", "refused", "failed"):
        EVENTS.labels(_event, _outcome)

_START = b"\0" * 32  # the hash before the first link
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LINK = struct.Struct(">32sqqq?q32s")


class Head(NamedTuple):
    """The last link; `number` 0: there is none."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """`NUMBER:HASH`, as it was published. Raises ValueError."""
        number, _, digest = text.partition(":")
        head = cls(int(number), bytes.fromhex(digest))
        if len(head.hash) != len(_START) or head.number < 1:
            raise ValueError(f"not NUMBER:HASH: {text}")
        return head


def content_of(entry: asyncpg.Record) -> bytes:
    """SHA-256 of an entry: JSON with sorted names. What is null is left out: a column added later changes no hash."""
    fields = {
        "id": entry["id"],
        "at": micros(entry["at"]),
        "company_id": entry["company_id"] and str(entry["company_id"]),
        "affiliation_id": entry["affiliation_id"] and str(entry["affiliation_id"]),
        "actor_kind": entry["actor_kind"],
        "actor_id": entry["actor_id"],
        "event": entry["event"],
        "details": entry["details"],
        "outcome": entry["outcome"],
        "object_type": entry["object_type"],
        "object_id": entry["object_id"],
        "request_id": entry["request_id"],
        "transaction_id": entry["transaction_id"],
    }
    known = {name: value for name, value in fields.items() if value is not None}
    canonical = json.dumps(known, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).digest()


def link_hash(
    former: bytes, number: int, audit_id: int, at: datetime, security: bool, transaction_id: int, content: bytes
) -> bytes:
    """SHA-256 of fields of fixed length, big-endian."""
    return hashlib.sha256(_LINK.pack(former, number, audit_id, micros(at), security, transaction_id, content)).digest()


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (moment - _EPOCH) // _MICROSECOND


class Sealer:
    def __init__(self, pool: Pool, batch: int = BATCH) -> None:
        self._pool = pool
        self._batch = batch
        self._published: float | None = None

    async def seal(self) -> int:
        """Link what is committed, in bounded batches; how many were linked. Publishes the head."""
        sealed = 0
        for _ in range(MOST_BATCHES):
            async with system(self._pool) as connection:
                if not await connection.fetchval(audit.LOCK_CHAIN):
                    return sealed  # another worker is at it
                rows = await self._batch_of(connection)
            for row in rows:  # committed
                EVENTS.labels(row["event"], row["outcome"]).inc()
            sealed += len(rows)
            if len(rows) < self._batch:
                SEALED_AT.set_to_current_time()
                break
        await self._publish()
        return sealed

    async def _batch_of(self, connection: Connection) -> list[asyncpg.Record]:
        last = await connection.fetchrow(audit.HEAD)
        number, former, transaction, audit_id = 0, _START, 0, 0
        if last is not None:
            if last["of_another_cluster"]:
                log.error(
                    "the audit chain was linked in another cluster: nothing is linked until its counter is past it"
                )
                return []
            number, former = last["number"], last["hash"]
            transaction, audit_id = last["transaction_id"], last["audit_id"]
        rows: list[asyncpg.Record] = await connection.fetch(audit.TO_SEAL, str(transaction), audit_id, self._batch)
        links = []
        for following, row in enumerate(rows, number + 1):
            linked = (following, row["id"], row["at"], row["security"], row["transaction_id"], content_of(row))
            former = link_hash(former, *linked)
            links.append((*linked, former))
        if links:
            await connection.execute(audit.ADD_LINKS, *(list(column) for column in zip(*links, strict=True)))
        return rows

    async def _publish(self) -> None:
        """The head, in the logs that leave the host: with one of them the chain's end cannot be cut off unseen."""
        async with system(self._pool) as connection:
            last = await connection.fetchrow(audit.HEAD)
        if last is None:
            return
        LENGTH.set(last["number"])
        now = time.monotonic()
        if self._published is None or now - self._published >= PUBLISH_SECONDS:
            self._published = now
            log.info("audit head", extra={"head": str(Head(last["number"], last["hash"]))})

    async def watch(self) -> None:
        """The alerts that count by actor, of whom metrics may not speak (security.md J-07)."""
        async with system(self._pool) as connection:
            row = await connection.fetchrow(audit.ALERTS, DENIALS_PER_HOUR, EXPORTS_PER_HOUR)
            waiting: float = await connection.fetchval(audit.OLDEST_NOTICE)
        assert row is not None, "an aggregate"
        for alert, count in row.items():
            ALERTS.labels(alert).set(count)
        NOTICES_WAITING.set(waiting)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. `number`: of the link; `audit_id`: of the entry; where there is one."""

    what: str
    number: int | None = None
    audit_id: int | None = None

    def __str__(self) -> str:
        where = [f"link {self.number}"] if self.number is not None else []
        where += [f"entry {self.audit_id}"] if self.audit_id is not None else []
        return f"{', '.join(where)}: {self.what}" if where else self.what


class Verifier:
    """Walks the chain from its beginning, in constant memory; `head` afterwards is its end."""

    def __init__(self, pool: Pool, batch: int = BATCH, beat: Callable[[int], None] = lambda _: None) -> None:
        """`beat` is called with the last number of each batch."""
        self._pool = pool
        self._batch = batch
        self._beat = beat
        self.head = Head(0, _START)

    async def findings(self, known: Head | None = None) -> AsyncIterator[Finding]:
        """What is wrong. `known`: a head that was published; it must be in the chain."""
        gone = 0
        last = (0, 0)  # (transaction, id) of the last link
        newest: datetime | None = None
        seen_known = known is None
        purged = await self._purged()
        async for link in self._links():
            number, audit_id, former = link["number"], link["audit_id"], self.head
            if number != former.number + 1:
                yield Finding(f"missing, up to {number - 1}", former.number + 1)
            position = (link["linked_transaction_id"], audit_id)
            content = link["content"]
            if link["hash"] != link_hash(
                former.hash, number, audit_id, link["linked_at"], link["security"], position[0], content
            ):
                yield Finding("the link does not follow from the one before it", number, audit_id)
            elif position <= last:
                yield Finding("the entry was written later than it says", number, audit_id)
            if link["id"] is None:
                gone += 1
                if not _was_due(link, purged):
                    purged = await self._purged()  # the purge may be at it
                if not _was_due(link, purged):
                    yield Finding("the entry is gone, and was not due", number, audit_id)
            elif content_of(link) != content:
                yield Finding("the entry is not what it was", number, audit_id)
            elif newest is not None and link["at"] < newest - BACKDATED:
                yield Finding("the entry is dated before those that were there already", number, audit_id)
            if known is not None and number == known.number:
                seen_known = True
                if link["hash"] != known.hash:
                    yield Finding("the known head is another link", number, audit_id)
            newest = max(newest or link["linked_at"], link["linked_at"])
            last = max(last, position)
            self.head = Head(number, link["hash"])
        if not seen_known:
            yield Finding("the known head is not in the chain: its end is cut off", known.number if known else None)
        purged = await self._purged()
        if gone > purged["rows"]:
            yield Finding(f"{gone} entries are gone, {purged['rows']} were purged")
        async for finding in self._unlinked(last):
            yield finding

    async def _links(self) -> AsyncIterator[asyncpg.Record]:
        number = 0
        while True:
            async with system(self._pool) as connection:
                rows = await connection.fetch(audit.LINKS, number, self._batch)
            self._beat(number)
            for row in rows:
                yield row
            if len(rows) < self._batch:
                return
            number = rows[-1]["number"]

    async def _purged(self) -> asyncpg.Record:
        async with system(self._pool) as connection:
            purged = await connection.fetchrow(audit.PURGED)
        assert purged is not None, "an aggregate"
        return purged

    async def _unlinked(self, last: tuple[int, int]) -> AsyncIterator[Finding]:
        transaction, audit_id = last
        after: int | None = -1
        while after is not None:
            async with system(self._pool) as connection:
                page = await connection.fetchrow(
                    audit.UNLINKED, after, str(transaction), audit_id, LATE_MINUTES, self._batch
                )
            assert page is not None, "an aggregate"
            self._beat(self.head.number)
            for passed_by in page["passed_by"]:
                yield Finding("the entry has no link, though later ones have", audit_id=passed_by)
            for late in page["late"]:
                yield Finding(f"the entry has had no link for more than {LATE_MINUTES} minutes", audit_id=late)
            after = page["after"]


def _was_due(link: asyncpg.Record, purged: asyncpg.Record) -> bool:
    """Whether the purge may have taken this entry: a security event of more than twelve months, and it went so far."""
    return bool(link["security"] and link["due"] and purged["newest"] and link["linked_at"] <= purged["newest"])


async def verify(pool: Pool, beat: Callable[[int], None]) -> int:
    """Every night: how many findings; the log names each. `python -m upkeep verify-audit-log` says the same."""
    count = 0
    async for finding in Verifier(pool, beat=beat).findings():
        count += 1
        log.error("audit log: %s", finding.what, extra={"number": finding.number, "audit_id": finding.audit_id})
    FINDINGS.set(count)
    return count
