"""What is done every night: the retention table carried out, and files held against their rows.

Every step looks for what is due and deletes a batch in one transaction: killed anywhere, it goes on where it was.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

import asyncpg
from prometheus_client import Counter, Gauge
from temporalio import activity

from activities import audit
from activities.contracts.nightly import PURGE, RECONCILE_FILES, Purge, Purged, Reconciled
from activities.erasure import Eraser
from db import (
    access_retention,
    affiliation_imports,
    assistant,
    contact,
    documents,
    dsn,
    dsn_desk,
    erasure,
    exports,
    notices,
    webhooks,
)
from db.erasure import Asked
from db.pool import Pool, system
from domain.retention import Rule, beginning_of, due_before, due_on, rule
from domain.working_time import paris_date
from gateways.files.storage import FileVault, StoredObject
from messages.notices import NoticeKind

log = logging.getLogger(__name__)

BATCH = 200
MOST_BATCHES = 1000  # of one rule in one night
ORPHAN_AGE = timedelta(hours=24)  # younger files may still get their row
ROW_AGE = timedelta(hours=1)  # a younger row's file may have been written behind the listing
KEYS_AT_ONCE = 500
NOTICE_OF_ENDING = timedelta(days=30)

PURGED = Counter("hcr_purged_total", "What the retention table's rules deleted", ["rule"])
NOT_ERASED = Gauge(
    "hcr_purge_failures", "Affiliations and accounts that the last purge could not erase; the log names them"
)
ORPHANS = Counter("hcr_orphan_files_total", "Files without a row that were deleted")
MISSING = Gauge("hcr_missing_files", "Rows of documents whose file is not in the store; the log names them")
STORED_BYTES = Gauge("hcr_stored_bytes", "Bytes of the files in the store, encrypted")

_MOMENTS = {
    "drafts": (erasure.DRAFTS,),
    "tokens": (erasure.TOKENS,),
    "sessions": (erasure.SESSIONS,),
    "birth_date_tries": (erasure.BIRTH_DATE_TRIES,),
    "messages_local": (erasure.MESSAGES_LOCAL,),
    "idempotency_keys": (erasure.IDEMPOTENCY_KEYS,),
    "delivery_events": (erasure.DELIVERY_EVENTS,),
    "api_keys": (erasure.API_KEYS,),
    "erasures": (erasure.ERASURES,),
    "codes": (access_retention.CHALLENGES,),
    "portal_sessions": (access_retention.PORTAL_SESSIONS,),
    "devices": (access_retention.DEVICES, access_retention.ADDRESSES),
    "access_links": (
        access_retention.INVITATIONS,
        access_retention.ACTIVATIONS,
        access_retention.RECOVERIES,
        access_retention.PASSWORD_RESETS,
        access_retention.EMAIL_CHANGES,
        access_retention.PHONE_LOSSES,
    ),
    "notices": (access_retention.NOTICES,),
    "rate_limits": (access_retention.RATE_LIMITS,),
    "audit_origins": (access_retention.AUDIT_ORIGINS,),
    "company_contacts": (access_retention.COMPANY_CONTACTS,),
    "dsn_people": (dsn.CHANGES_DUE, dsn.PEOPLE_DUE, dsn.NUMBERS_DUE),
    "hire_proposals": (dsn.HIRE_PROPOSALS_DUE,),
    "exports": (exports.PURGE,),
    "assistant_questions": (assistant.PURGE,),
    "affiliation_imports": (affiliation_imports.PURGE,),
    "webhook_deliveries": (webhooks.PURGE,),
    "webhook_endpoints": (webhooks.PURGE_ENDPOINTS,),
}
_FILES = {
    "drafts": erasure.DOCUMENTS_OF_DRAFTS,
    "documents_accepted": erasure.DOCUMENTS_ACCEPTED,
    "documents_refused": erasure.DOCUMENTS_REFUSED,
}
# (statement, whether it counts in days and not in moments)
_LIVES = {
    "never_affiliated": (erasure.NEVER_AFFILIATED, False),
    "coverages": (erasure.COVERAGES, True),
    "waivers": (erasure.WAIVERS, True),
}


@dataclass
class _Count:
    by_rule: dict[str, int]
    failed: int = 0

    def add(self, name: str, count: int) -> None:
        self.by_rule[name] = self.by_rule.get(name, 0) + count
        PURGED.labels(name).inc(count)
        _beat(name, self.by_rule[name])


class Nightly:
    def __init__(self, pool: Pool, vault: FileVault, eraser: Eraser) -> None:
        self._pool = pool
        self._vault = vault
        self._eraser = eraser

    @activity.defn(name=PURGE)
    async def purge(self, order: Purge) -> Purged:
        """Everything that is due at this moment, rule by rule."""
        count = _Count({})
        for name, statement in _FILES.items():
            await self._in_batches(count, name, partial(self._files, statement, rule(name), order.at))
        for name, statements in _MOMENTS.items():
            for statement in statements:
                await self._in_batches(count, name, partial(self._rows, statement, rule(name), order.at))
        await self._in_batches(count, "dsn_files", partial(self._dsn_files, rule("dsn_files"), order.at))
        await self._in_batches(
            count, "contact_requests", partial(self._contact_requests, rule("contact_requests"), order.at)
        )
        await self._in_batches(count, "security_log", partial(self._security_log, rule("security_log"), order.at))
        for name, (statement, in_days) in _LIVES.items():
            await self._lives(count, statement, rule(name), order.at, in_days)
        await self._tell_users(rule("users"), order.at)
        await self._users(count, rule("users"), order.at)
        NOT_ERASED.set(count.failed)
        await audit.verify(self._pool, partial(_beat, "audit log"))
        return Purged(count.by_rule, count.failed)

    async def _in_batches(self, count: _Count, name: str, batch: Callable[[], Awaitable[int]]) -> None:
        for _ in range(MOST_BATCHES):
            done = await batch()
            count.add(name, done)
            if done < BATCH:
                return
        log.warning("the purge of a rule goes on tomorrow", extra={"rule": name})

    async def _rows(self, statement: str, rule: Rule, at: datetime) -> int:
        async with system(self._pool) as connection:
            answer = await connection.execute(statement, beginning_of(due_before(rule, at)), BATCH)
        return int(answer.rpartition(" ")[2])

    async def _files(self, statement: str, rule: Rule, at: datetime) -> int:
        moment = beginning_of(due_before(rule, at))
        async with system(self._pool) as connection:
            rows = await erasure.delete_documents(connection, statement, moment, BATCH, rule.name)
        await self._eraser.delete_files(row["object_key"] for row in rows)
        return len(rows)

    async def _dsn_files(self, rule: Rule, at: datetime) -> int:
        async with system(self._pool) as connection:
            rows = await connection.fetch(dsn_desk.FILES_DUE, beginning_of(due_before(rule, at)), BATCH)
        await self._eraser.delete_files(row["object_key"] for row in rows)
        return len(rows)

    async def _contact_requests(self, rule: Rule, at: datetime) -> int:
        async with system(self._pool) as connection:
            gone, object_keys = await contact.delete_due(connection, beginning_of(due_before(rule, at)), BATCH)
        await self._eraser.delete_files(object_keys)
        return gone

    async def _security_log(self, rule: Rule, at: datetime) -> int:
        async with system(self._pool) as connection:
            purged: int = await connection.fetchval(erasure.SECURITY_LOG, beginning_of(due_before(rule, at)), BATCH)
        return purged

    async def _lives(self, count: _Count, statement: str, rule: Rule, at: datetime, in_days: bool) -> None:
        """Each in a transaction of its own: one that cannot be erased keeps no other."""
        day = due_before(rule, at)
        boundary: date | datetime = day if in_days else beginning_of(day)
        failed: set[UUID] = set()
        for _ in range(MOST_BATCHES):
            async with system(self._pool) as connection:
                rows = await connection.fetch(statement, boundary, BATCH)
            rows = [row for row in rows if row["id"] not in failed]
            for row in rows:
                if await self._erase(row, rule):
                    count.add(rule.name, 1)
                else:
                    failed.add(row["id"])
            if not rows:
                break
        count.by_rule.setdefault(rule.name, 0)
        count.failed += len(failed)

    async def _tell_users(self, rule: Rule, at: datetime) -> None:
        """Whose account ends in thirty days, and is theirs again as soon as they sign in."""
        soon = beginning_of(due_before(rule, at + NOTICE_OF_ENDING))
        earliest = paris_date(at) + NOTICE_OF_ENDING
        for _ in range(MOST_BATCHES):
            async with system(self._pool) as connection:
                rows = await connection.fetch(access_retention.ENDING, soon, BATCH)
                for row in rows:
                    on = max(due_on(rule, paris_date(row["last_used_at"])), earliest)
                    key = f"{NoticeKind.account_ending}/{row['id']}/{on}"
                    kind, details = NoticeKind.account_ending.value, {"on": on.isoformat()}
                    await connection.execute(
                        notices.ADD, key, kind, "email", row["id"], None, None, None, details, None, None
                    )
            _beat("users told", len(rows))
            if len(rows) < BATCH:
                return

    async def _users(self, count: _Count, rule: Rule, at: datetime) -> None:
        """Each in a transaction of its own, as `_lives`."""
        before, today = beginning_of(due_before(rule, at)), paris_date(at)
        failed: set[UUID] = set()
        for _ in range(MOST_BATCHES):
            async with system(self._pool) as connection:
                rows = await access_retention.unused(connection, before, BATCH, today)
            rows = [row for row in rows if row["id"] not in failed]
            for row in rows:
                try:
                    async with system(self._pool) as connection:
                        gone = await access_retention.forget_user(connection, row["id"], before, today)
                    count.add(rule.name, int(gone))
                except asyncpg.PostgresError as why:
                    log.error("an account could not be deleted: %s", type(why).__name__, extra={"id": str(row["id"])})
                    failed.add(row["id"])
            if not rows:
                break
        count.by_rule.setdefault(rule.name, 0)
        count.failed += len(failed)

    async def _erase(self, row: asyncpg.Record, rule: Rule) -> bool:
        try:
            return await self._eraser.erase_affiliations(row["employee_id"], [row["id"]], Asked(rule.name))
        except asyncpg.PostgresError as why:
            log.error("an affiliation could not be erased: %s", type(why).__name__, extra={"id": str(row["id"])})
            return False

    # --- files

    @activity.defn(name=RECONCILE_FILES)
    async def reconcile_files(self) -> Reconciled:
        """Deletes files that no row names, after a day; reports rows whose file is missing."""
        started = datetime.now(UTC)
        stored: set[str] = set()
        size = orphans = 0
        async for batch in self._stored():
            stored.update(found.object_key for found in batch)
            size += sum(found.size for found in batch)
            orphans += await self._delete_orphans(batch, started - ORPHAN_AGE)
            _beat(RECONCILE_FILES, len(stored))
        rows, missing = await self._missing(stored, started)
        STORED_BYTES.set(size)
        MISSING.set(missing)
        return Reconciled(len(stored), size, rows, orphans, missing)

    async def _stored(self) -> AsyncIterator[list[StoredObject]]:
        batch: list[StoredObject] = []
        async for found in self._vault.list():
            batch.append(found)
            if len(batch) == KEYS_AT_ONCE:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _delete_orphans(self, batch: list[StoredObject], before: datetime) -> int:
        old = [found.object_key for found in batch if found.modified_at < before]
        if not old:
            return 0
        async with system(self._pool) as connection:
            known = {row["object_key"] for row in await connection.fetch(documents.OBJECT_KEYS, old)}
        orphans = [object_key for object_key in old if object_key not in known]
        for object_key in orphans:
            await self._vault.delete(object_key)
            ORPHANS.inc()
        return len(orphans)

    async def _missing(self, stored: set[str], started: datetime) -> tuple[int, int]:
        """(rows in all, rows whose file is not in the listing)."""
        rows = missing = 0
        after = UUID(int=0)
        while True:
            async with system(self._pool) as connection:
                batch = await connection.fetch(documents.OBJECTS_AFTER, after, started - ROW_AGE, KEYS_AT_ONCE)
            if not batch:
                return rows, missing
            after = batch[-1]["id"]
            rows += len(batch)
            for row in batch:
                if row["object_key"] not in stored:
                    missing += 1
                    log.error("the file of a document is missing", extra={"id": str(row["id"])})
            _beat(RECONCILE_FILES, rows)


def _beat(step: str, count: int) -> None:
    if activity.in_activity():
        activity.heartbeat(step, count)
