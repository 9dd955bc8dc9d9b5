"""The sweep: starts what was declared and not started, tells what was not told, reports what stands still."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import uuid4

import asyncpg
from prometheus_client import Counter, Gauge
from pydantic import TypeAdapter
from temporalio import activity

from activities import coverage_changes, projection
from activities.affiliation_import_sweep import ImportSweep
from activities.audit import Sealer
from activities.contact import ContactTeller
from activities.contact_files import ContactRescanner
from activities.contracts.affiliation import (
    SYSTEM_ACTOR,
    Actor,
    ActorKind,
    Completed,
    DeliveryFailed,
    DraftSaved,
    EventKind,
    PiecesChanged,
    StartAffiliation,
)
from activities.contracts.rights import RightsDeliveryFailed
from activities.contracts.sweep import SWEEP, Swept
from activities.digests import Digests
from activities.erasure import Eraser
from activities.export_sweep import ExportSweep
from activities.phone_losses import PhoneLosses
from activities.scanning import Rescanner
from activities.webhook_sweep import WebhookSweep
from db import (
    access_retention,
    affiliations,
    company_recoveries,
    coverage_rights,
    dispatches,
    dsn_desk,
    enrolments,
    notices,
)
from db.pool import Pool, system
from domain.affiliation import Channel, Refusal
from domain.coverage_rights import RightsMessage
from domain.media import Medium, reachable_media
from domain.policy import Policy
from workflows.affiliation import AffiliationWorkflow
from workflows.client import Affiliations
from workflows.company_recoveries import CompanyRecoveries
from workflows.coverage_rights_client import CoverageRights
from workflows.dsn_imports_client import DsnImports
from workflows.engine import EngineAway, NotRunning
from workflows.notices_client import Notices

log = logging.getLogger(__name__)

BATCH = 500
GRACE_SECONDS = 10.0  # younger rows are being told by whoever wrote them
OVERDUE_MINUTES = 15
CHECKS = 50  # a round: a hundred thousand a day
RESCANS = 20

STARTED = Counter("hcr_sweep_started_total", "Affiliations whose workflow the sweep had to start")
STUCK = Gauge("hcr_affiliations_stuck", "Affiliations on their way that no running workflow moves")
PIECES_UNHEARD = Counter("hcr_pieces_unheard_total", "Changes of pieces that no workflow was left to hear of")

_POLICY = TypeAdapter(Policy)


class Sweeper:
    def __init__(
        self,
        pool: Pool,
        engine: Affiliations,
        grace: timedelta = timedelta(seconds=GRACE_SECONDS),
        scanning: Rescanner | None = None,
        eraser: Eraser | None = None,
        notices: Notices | None = None,
        recoveries: CompanyRecoveries | None = None,
        rights: CoverageRights | None = None,
        dsn: DsnImports | None = None,
        exports: ExportSweep | None = None,
        imports: ImportSweep | None = None,
        contacts: ContactTeller | None = None,
        contact_files: ContactRescanner | None = None,
        webhooks: WebhookSweep | None = None,
        digests: Digests | None = None,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._grace = grace.total_seconds()
        self._scanning = scanning
        self._eraser = eraser
        self._notices = notices
        self._recoveries = recoveries
        self._rights = rights
        self._dsn = dsn
        self._exports = exports
        self._imports = imports
        self._contacts = contacts
        self._contact_files = contact_files
        self._webhooks = webhooks
        self._digests = digests
        self._phone_losses = PhoneLosses(pool)
        self._sealer = Sealer(pool)

    @activity.defn(name=SWEEP)
    async def sweep(self) -> Swept:
        """Each part is bounded and idempotent; what fails is left for the next round."""
        return Swept(
            rescanned=await self._scanning.rescan(RESCANS) if self._scanning else 0,
            started=await self._start(),
            digests_written=await self._digests.send_now() if self._digests else 0,
            notices_started=await self._start_notices(self._notices) if self._notices else 0,
            recoveries_started=await self._start_recoveries(self._recoveries) if self._recoveries else 0,
            submissions_told=await self._tell_submissions(),
            drafts_told=await self._tell_drafts(),
            pieces_told=await self._tell_pieces(),
            rights_told=await self._tell_rights(self._rights) if self._rights else 0,
            deliveries_told=await self._tell_deliveries(),
            erasures_finished=await self._eraser.finish_waiting(self._grace, BATCH) if self._eraser else 0,
            phones_taken=await self._phone_losses.apply_due(BATCH),
            exports_started=await self._exports.start(self._grace, BATCH) if self._exports else 0,
            imports_started=await self._imports.start(self._grace, BATCH) if self._imports else 0,
            exports_expired=await self._exports.expire(BATCH) if self._exports else 0,
            dsn_started=await self._start_dsn(self._dsn) if self._dsn else 0,
            contacts_told=await self._contacts.tell_waiting(self._grace, BATCH) if self._contacts else 0,
            contact_files_rescanned=await self._contact_files.rescan(RESCANS) if self._contact_files else 0,
            webhooks_looked=await self._webhooks.look(self._grace, BATCH) if self._webhooks else 0,
            stuck=await self._check(),
            sealed=await self._watch(),
        )

    async def _watch(self) -> int:
        """Codes that are over, the alerts, and the audit log's chain."""
        async with system(self._pool) as connection:
            await connection.execute(access_retention.CODES_OF_A_DAY, BATCH)
        await self._sealer.watch()
        return await self._sealer.seal()

    async def _start(self) -> int:
        async with system(self._pool) as connection:
            rows = await connection.fetch(affiliations.NOT_STARTED, self._grace, BATCH)
        for row in rows:
            start = StartAffiliation(
                affiliation_id=str(row["id"]),
                policy=_POLICY.validate_python(row["policy"]),
                reachable=reachable_media(row["has_email"], row["has_phone"]),
                medium=Medium(row["asked_medium"]) if row["asked_medium"] else None,
            )
            await self._engine.start(start, row["siret"], row["siren"])
            STARTED.inc()
        return len(rows)

    async def _start_notices(self, engine: Notices) -> int:
        """Those that it is time for; one that has to wait is started when it may leave."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(notices.NOT_STARTED, self._grace, notices.GIVE_UP_DAYS, BATCH)
        started = 0
        for row in rows:
            try:
                await engine.start(row["id"], row["not_before"])
            except EngineAway:
                break
            started += 1
        return started

    async def _start_recoveries(self, engine: CompanyRecoveries) -> int:
        """Those whose request a crash, or Temporal away, kept from being started; what no workflow will end is over."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(company_recoveries.NOT_STARTED, self._grace, BATCH)
            forsaken = await connection.fetch(company_recoveries.FORSAKEN, company_recoveries.FORSAKEN_DAYS)
        for row in forsaken:
            log.error("a company's recovery had no workflow any more", extra={"recovery": str(row["id"])})
        started = 0
        for row in rows:
            try:
                await engine.start(row["id"])
            except EngineAway:
                break
            started += 1
        return started

    async def _start_dsn(self, engine: DsnImports) -> int:
        """Files that came while Temporal was away, or whose door died; and who was pre-affiliated as a DSN proposed."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(dsn_desk.NOT_STARTED, self._grace, BATCH)
            await connection.execute(dsn_desk.HIRES_FOLLOWED, BATCH)
        started = 0
        for row in rows:
            try:
                await engine.start(row["id"])
            except EngineAway:
                break
            started += 1
        return started

    async def _tell_submissions(self) -> int:
        async with system(self._pool) as connection:
            rows = await connection.fetch(enrolments.UNTOLD, self._grace, BATCH)
        told = 0
        for row in rows:
            channel = Channel(row["channel"])
            actor = Actor(ActorKind.employee if channel is Channel.online else ActorKind.staff, row["recorded_by"])
            completed = Completed(actor, projection.completion(row))
            try:
                await self._engine.tell(str(row["affiliation_id"]), AffiliationWorkflow.complete, completed, "complete")
                told += 1
            except (NotRunning, Refusal) as why:
                log.error("a submission could not be told: %s", type(why).__name__, extra={"id": row["affiliation_id"]})
            except EngineAway:
                break
        return told

    async def _tell_drafts(self) -> int:
        async with system(self._pool) as connection:
            rows = await connection.fetch(enrolments.UNTOLD_DRAFTS, self._grace, BATCH)
        told = 0
        for row in rows:
            saved = DraftSaved(Medium(row["saved_by"]))
            try:
                await self._engine.tell(
                    str(row["affiliation_id"]), AffiliationWorkflow.save_draft, saved, f"draft/{uuid4()}"
                )
            except (NotRunning, Refusal):
                pass  # it has ended: nobody is waiting for this any more
            except EngineAway:
                break
            async with system(self._pool) as connection:
                await connection.execute(enrolments.TOLD, row["affiliation_id"])
            told += 1
        return told

    async def _tell_pieces(self) -> int:
        """What a workflow that has ended did not hear is told to nobody: reported once, not tried for ever."""
        async with system(self._pool) as connection:
            rows = await connection.fetch(enrolments.UNTOLD_PIECES, self._grace, BATCH)
        told = 0
        for row in rows:
            affiliation_id = str(row["affiliation_id"])
            changed = PiecesChanged(
                SYSTEM_ACTOR, row["pieces_version"], tuple(row["missing"]), row["checking"], _what_happened(row)
            )
            request_id = f"pieces/{row['pieces_version']}"  # as who wrote it tells it
            try:
                await self._engine.tell(affiliation_id, AffiliationWorkflow.pieces_changed, changed, request_id)
                told += 1
            except (NotRunning, Refusal) as why:
                PIECES_UNHEARD.inc()
                log.error("pieces changed, and no workflow hears: %s", type(why).__name__, extra={"id": affiliation_id})
            except EngineAway:
                break
            async with system(self._pool) as connection:
                await connection.execute(enrolments.PIECES_TOLD, row["affiliation_id"], row["pieces_version"])
        return told

    async def _tell_rights(self, engine: CoverageRights) -> int:
        """Changes of rights that a crash, or Temporal away, kept from being told; the workflow writes what it heard."""
        async with system(self._pool) as connection:
            untold = [row["id"] for row in await connection.fetch(coverage_rights.UNTOLD, self._grace, BATCH)]
        told = 0
        for coverage_id in untold:
            async with system(self._pool) as connection:
                facts = await coverage_changes.facts_of(connection, coverage_id)
            try:
                await engine.tell(coverage_id, facts)
            except EngineAway:
                break
            told += 1
        return told

    async def _tell_deliveries(self) -> int:
        async with system(self._pool) as connection:
            rows = await connection.fetch(dispatches.TO_TELL, self._grace, BATCH)
        for row in rows:
            try:
                await self._tell_delivery(row)
            except NotRunning:
                pass  # it has ended: there is nobody left to tell
            except EngineAway:
                break
            async with system(self._pool) as connection:
                await connection.execute(dispatches.TOLD, row["provider"], row["provider_event_id"])
        return len(rows)

    async def _tell_delivery(self, row: asyncpg.Record) -> None:
        """To whoever sent the message. Raises NotRunning, EngineAway."""
        medium = Medium(row["medium"])
        if row["message"] not in list(RightsMessage):
            failed = DeliveryFailed(medium, row["contact_version"], row["reason"] or row["kind"])
            await self._engine.delivery_failed(str(row["affiliation_id"]), failed)
        elif self._rights is not None:
            lost = RightsDeliveryFailed(RightsMessage(row["message"]), row["number"], medium)
            await self._rights.delivery_failed(row["affiliation_id"], lost)

    async def _check(self) -> int:
        """Every affiliation on its way has a running workflow, and with it a timer or a person it waits for.

        Looks at some in turn, so that all are looked at within the day, and at every one whose step is overdue.
        """
        async with system(self._pool) as connection:
            rows = await connection.fetch(affiliations.TO_CHECK, OVERDUE_MINUTES, CHECKS)
        checked, stuck = set(), set()
        for row in rows:
            try:
                moves = not row["overdue"] and await self._engine.is_running(str(row["id"]))
            except EngineAway:
                break
            checked.add(row["id"])
            if not moves:
                stuck.add(row["id"])
        for affiliation_id in stuck:
            log.error("nothing moves this affiliation", extra={"id": str(affiliation_id)})
        async with system(self._pool) as connection:
            await connection.execute(affiliations.CHECKED, list(checked), list(stuck))
            count: int = await connection.fetchval(affiliations.COUNT_STUCK)
        STUCK.set(count)
        return count


def _what_happened(row: asyncpg.Record) -> EventKind:
    """As whoever wrote it would have said; they did not live to."""
    if set(row["missing"]) - set(row["known"] or ()):
        return EventKind.pieces_asked
    return EventKind.pieces_received if row["missing"] or row["checking"] else EventKind.pieces_accepted
