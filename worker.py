"""The Temporal worker process: `python -m worker`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from datetime import timedelta
from pathlib import Path

from prometheus_client import start_http_server
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
)
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner

from activities.affiliation_import import ImportDesk
from activities.affiliation_import_sweep import ImportSweep
from activities.carrying import Providers
from activities.company_recovery import RecoveryDesk
from activities.contact import ContactRecorder, ContactTeller
from activities.contact_files import ContactRescanner
from activities.contracts.affiliation import SEARCH_ATTRIBUTES
from activities.contracts.digests import DIGEST_AT
from activities.contracts.dsn import DSN_DIRECTORY_EVERY
from activities.contracts.nightly import NIGHTLY_AT
from activities.contracts.sweep import SWEEP_EVERY
from activities.coverage_messages import RightsDesk
from activities.coverage_record import RightsRecorder
from activities.coverage_writing import RightsWriter
from activities.digests import Digests
from activities.dsn_changes import DsnApplier
from activities.dsn_directory import DsnDirectory
from activities.dsn_import import DsnImporter
from activities.dsn_intake import DsnIntake
from activities.erasure import Eraser
from activities.export import ExportDesk
from activities.export_sweep import ExportSweep
from activities.hand_over import MessageDesk
from activities.nightly import Nightly
from activities.notices import NoticeDesk
from activities.record import Recorder
from activities.renewal import Renewer
from activities.rights import Rights
from activities.scanning import Rescanner
from activities.sweep import Sweeper
from activities.webhook_listener import WebhookListener
from activities.webhook_sweep import WebhookSweep
from activities.webhooks import WebhookDesk
from activities.writing import Writer
from composition import cipher, connect, dsn_vault, providers, scanner, vault, webhook_gateway
from db.pool import Pool, create_pool
from observability import set_up_logging
from services.affiliation_import_checking import ImportChecker
from services.affiliation_import_reader import ImportReader
from services.affiliation_import_starting import RowStarter
from services.affiliations import AffiliationService
from services.export_kinds import export_kinds
from services.faq import load
from settings import Settings, settings
from workflows.affiliation import AffiliationWorkflow
from workflows.affiliation_import import AffiliationImportWorkflow
from workflows.affiliation_imports_client import AffiliationImportRuns
from workflows.client import Affiliations
from workflows.company_recoveries import CompanyRecoveries
from workflows.company_recovery import CompanyRecoveryWorkflow
from workflows.contact_client import ContactRequests
from workflows.contact_request import ContactRequestWorkflow
from workflows.coverage_rights import RightsWorkflow
from workflows.coverage_rights_client import CoverageRights
from workflows.digest import DigestWorkflow
from workflows.dsn_directory import DsnDirectoryWorkflow
from workflows.dsn_import import DsnImportWorkflow
from workflows.dsn_imports_client import DsnImports
from workflows.export import ExportWorkflow
from workflows.exports_client import Exports
from workflows.histories import Histories
from workflows.nightly import NightlyWorkflow
from workflows.notice import NoticeWorkflow
from workflows.notices_client import Notices
from workflows.runners import LettingGo, SharingRunner
from workflows.sweep import SweepWorkflow
from workflows.waiver import WaiverWorkflow
from workflows.webhook import WebhookWorkflow
from workflows.webhooks_client import Webhooks

log = logging.getLogger(__name__)

CONNECT_PAUSE_SECONDS = 1.0
SWEEP_ID = "sweep"
NIGHTLY_ID = "nightly"
DIGEST_ID = "digest"
DSN_DIRECTORY_ID = "dsn-directory"
DIGEST_CATCH_UP = timedelta(hours=8)  # Temporal away in the morning: told in the afternoon
NIGHTLY_CATCH_UP = timedelta(hours=12)  # Temporal away at night: done in the morning


def build_worker(
    client: Client,
    pool: Pool,
    config: Settings,
    chosen: Providers | None = None,
    runner: WorkflowRunner | None = None,
) -> Worker:
    """The worker of all workflows and activities, on the settings' task queue.

    `chosen` replaces the gateways, `runner` the workflows' surroundings.
    """
    rpc_timeout = timedelta(seconds=config.temporal_rpc_timeout_seconds)
    engine = Affiliations(client, config.temporal_task_queue, rpc_timeout)
    gateways = chosen or providers(pool, config)
    desk = MessageDesk(pool, gateways, Writer(cipher(config), config.public_base_url))
    notices = Notices(client, config.temporal_task_queue, rpc_timeout)
    recoveries = CompanyRecoveries(client, config.temporal_task_queue, rpc_timeout)
    recovery = RecoveryDesk(pool, cipher(config), notices)
    files = vault(config)
    coverage_rights = CoverageRights(client, config.temporal_task_queue, rpc_timeout)
    rights_recorder = RightsRecorder(pool)
    dsn_files = dsn_vault(config)
    dsn = DsnImports(client, config.temporal_task_queue, rpc_timeout)
    dsn_importer = DsnImporter(pool, dsn_files, cipher(config), _listed(config.dsn_references))
    dsn_intake = DsnIntake(pool, dsn_files, dsn, config.dsn_most_megabytes * 2**20)
    eraser = Eraser(pool, files, Histories(client, rpc_timeout))
    nightly = Nightly(pool, files, eraser)
    digests = Digests(pool)
    exports = ExportDesk(
        pool, cipher(config), files, notices, export_kinds(pool, cipher(config), config.public_base_url)
    )
    contact_recorder = ContactRecorder(pool, notices)
    fields = cipher(config)
    imports = ImportDesk(
        pool,
        ImportReader(pool, fields, ImportChecker(pool, fields)),
        RowStarter(AffiliationService(pool, engine, fields, Writer(fields, config.public_base_url)), fields),
        notices,
    )
    exports_client = Exports(client, config.temporal_task_queue, rpc_timeout)
    deployment = None
    if config.worker_deployment_name:
        # Lives last for months: a new build takes the open ones over, changes are guarded by `patched` and replays.
        deployment = WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(config.worker_deployment_name, config.worker_build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
        )
    return Worker(
        client,
        task_queue=config.temporal_task_queue,
        workflows=[
            AffiliationWorkflow,
            WaiverWorkflow,
            SweepWorkflow,
            NightlyWorkflow,
            DigestWorkflow,
            NoticeWorkflow,
            CompanyRecoveryWorkflow,
            RightsWorkflow,
            DsnImportWorkflow,
            DsnDirectoryWorkflow,
            ExportWorkflow,
            AffiliationImportWorkflow,
            ContactRequestWorkflow,
            WebhookWorkflow,
        ],
        activities=[
            desk.hand_over,
            Recorder(pool).record,
            Renewer(pool, engine).renew,
            NoticeDesk(pool, gateways, cipher(config), config.public_base_url).send,
            Sweeper(
                pool,
                engine,
                scanning=Rescanner(pool, files, scanner(config)),
                eraser=eraser,
                notices=notices,
                recoveries=recoveries,
                rights=coverage_rights,
                dsn=dsn,
                imports=ImportSweep(pool, AffiliationImportRuns(client, config.temporal_task_queue, rpc_timeout)),
                exports=ExportSweep(pool, exports_client, exports),
                digests=digests,
                contacts=ContactTeller(pool, ContactRequests(client, config.temporal_task_queue, rpc_timeout)),
                contact_files=ContactRescanner(pool, files, scanner(config)),
                webhooks=WebhookSweep(pool, Webhooks(client, config.temporal_task_queue, rpc_timeout)),
            ).sweep,
            exports.write,
            exports.fail,
            exports.expire,
            imports.check,
            imports.start,
            imports.finish,
            contact_recorder.acknowledge,
            contact_recorder.escalate,
            contact_recorder.close,
            WebhookDesk(pool, cipher(config), webhook_gateway(config), notices).send,
            RightsDesk(pool, gateways, RightsWriter()).hand_over,
            rights_recorder.record,
            rights_recorder.end_unproven,
            recovery.open,
            recovery.enter_code,
            recovery.grant,
            recovery.end,
            nightly.purge,
            nightly.reconcile_files,
            Rights(pool).lapse,
            digests.send,
            dsn_importer.survey,
            dsn_importer.record,
            dsn_importer.finish,
            DsnApplier(pool, cipher(config), coverage_rights).apply,
            DsnDirectory(pool, dsn_intake, Path(config.dsn_directory) if config.dsn_directory else None).look,
        ],
        workflow_runner=runner or SharingRunner(),
        interceptors=[LettingGo()],
        max_cached_workflows=config.worker_max_cached_workflows,
        max_concurrent_activities=config.worker_max_concurrent_activities,
        max_concurrent_workflow_tasks=config.worker_max_concurrent_workflow_tasks,
        graceful_shutdown_timeout=timedelta(seconds=config.worker_graceful_shutdown_seconds),
        deployment_config=deployment,
    )


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


async def ensure_search_attributes(client: Client) -> None:
    """Register what is missing. An unregistered one would fail workflow tasks for ever, silently."""
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {
        key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        for key in SEARCH_ATTRIBUTES
        if key.name not in listed.custom_attributes
    }
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )


async def ensure_sweep(client: Client, task_queue: str) -> None:
    """The sweep's schedule, made once; operators see and pause it in the Temporal UI."""
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            SWEEP_ID,
            Schedule(
                action=ScheduleActionStartWorkflow(SweepWorkflow.run, id=SWEEP_ID, task_queue=task_queue),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=SWEEP_EVERY)]),
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=SWEEP_EVERY),
            ),
        )


async def ensure_nightly(client: Client, task_queue: str) -> None:
    """The night's schedule, made once: at 4:30 in Paris, when no clock is changed (security.md F-09)."""
    at = ScheduleCalendarSpec(hour=[ScheduleRange(NIGHTLY_AT.hour)], minute=[ScheduleRange(NIGHTLY_AT.minute)])
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            NIGHTLY_ID,
            Schedule(
                action=ScheduleActionStartWorkflow(NightlyWorkflow.run, id=NIGHTLY_ID, task_queue=task_queue),
                spec=ScheduleSpec(calendars=[at], time_zone_name="Europe/Paris"),
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=NIGHTLY_CATCH_UP),
            ),
        )


async def ensure_digest(client: Client, task_queue: str) -> None:
    """The schedule of the day's messages, made once: at eight in Paris, Monday to Friday; holidays are left out by the
    activity."""
    at = ScheduleCalendarSpec(
        hour=[ScheduleRange(DIGEST_AT.hour)],
        minute=[ScheduleRange(DIGEST_AT.minute)],
        day_of_week=[ScheduleRange(1, 5)],
    )
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            DIGEST_ID,
            Schedule(
                action=ScheduleActionStartWorkflow(DigestWorkflow.run, id=DIGEST_ID, task_queue=task_queue),
                spec=ScheduleSpec(calendars=[at], time_zone_name="Europe/Paris"),
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=DIGEST_CATCH_UP),
            ),
        )


async def ensure_dsn_directory(client: Client, task_queue: str) -> None:
    """The schedule that looks into the watched directory, made once, where there is such a directory."""
    with contextlib.suppress(ScheduleAlreadyRunningError):
        await client.create_schedule(
            DSN_DIRECTORY_ID,
            Schedule(
                action=ScheduleActionStartWorkflow(
                    DsnDirectoryWorkflow.run, id=DSN_DIRECTORY_ID, task_queue=task_queue
                ),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=DSN_DIRECTORY_EVERY)]),
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=DSN_DIRECTORY_EVERY),
            ),
        )


async def _connected(config: Settings, runtime: Runtime, stop: asyncio.Event) -> Client | None:
    """Try until Temporal answers or the process is told to stop."""
    while not stop.is_set():
        try:
            client = await connect(config, runtime)
            await ensure_search_attributes(client)
            await ensure_sweep(client, config.temporal_task_queue)
            await ensure_nightly(client, config.temporal_task_queue)
            await ensure_digest(client, config.temporal_task_queue)
            if config.dsn_directory:
                await ensure_dsn_directory(client, config.temporal_task_queue)
            return client
        except (RPCError, RuntimeError) as error:
            log.warning("Temporal does not answer yet", extra={"kind": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CONNECT_PAUSE_SECONDS)
    return None


async def main(config: Settings) -> None:
    """Run until SIGTERM or SIGINT, then finish what is under way within the graceful time."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    metrics = None
    if config.worker_metrics_port:
        start_http_server(config.worker_metrics_port, addr=config.worker_metrics_host)
    if config.worker_sdk_metrics_port:  # another registry, another endpoint
        metrics = PrometheusConfig(bind_address=f"{config.worker_metrics_host}:{config.worker_sdk_metrics_port}")
    runtime = Runtime(telemetry=TelemetryConfig(metrics=metrics))
    client = await _connected(config, runtime, stop)
    if client is None:
        return
    pool = await create_pool(config.database_url, "hcr_system", config.database_pool_size)
    await load(pool)
    rpc_timeout = timedelta(seconds=config.temporal_rpc_timeout_seconds)
    listener = WebhookListener(config.database_url, Webhooks(client, config.temporal_task_queue, rpc_timeout))
    async with build_worker(client, pool, config):
        listening = asyncio.create_task(listener.run())
        log.info("worker ready", extra={"queue": config.temporal_task_queue})
        await stop.wait()
        log.info("worker stopping")
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
    await pool.close()


if __name__ == "__main__":
    chosen_settings = settings()
    set_up_logging(chosen_settings.log_level)
    asyncio.run(main(chosen_settings))
    logging.shutdown()
    # The interpreter's own exit can crash in the SDK's threads (sdk-python#300): everything is closed by now.
    os._exit(0)
