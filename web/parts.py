"""What the doors are made of, built once per process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from fastapi import Request
from temporalio.client import Client

from activities.erasure import Eraser
from activities.writing import Writer
from composition import cipher, connect, providers, scanner, vault
from db.pool import Pool, create_pool
from gateways.encryption import FieldCipher
from services.access import AccessService
from services.affiliations import AffiliationService
from services.deliveries import DeliveryService
from services.document_checks import DocumentCheckService
from services.documents import DocumentService, Intake
from services.enrolments import EnrolmentService
from services.personal_data import PersonalDataService
from services.pieces import PiecesTeller
from services.receipts import ReceiptService
from services.staff import StaffService
from settings import Settings
from workflows.client import Affiliations
from workflows.histories import Histories


@dataclass(frozen=True)
class Parts:
    config: Settings
    web: Pool
    system: Pool
    temporal: Client
    engine: Affiliations
    writer: Writer
    cipher: FieldCipher
    affiliations: AffiliationService
    access: AccessService
    enrolments: EnrolmentService
    receipts: ReceiptService
    documents: DocumentService
    document_checks: DocumentCheckService
    deliveries: DeliveryService
    staff: StaffService
    personal_data: PersonalDataService


@asynccontextmanager
async def open_parts(config: Settings, temporal: Client | None = None) -> AsyncIterator[Parts]:
    """Pools, client and services; `temporal` is a client to use instead of the settings' address."""
    web = await create_pool(config.database_url, "hcr_web", config.database_pool_size)
    system_pool = await create_pool(config.database_url, "hcr_system", config.database_pool_size)
    # Lazy: the API answers while Temporal is away, and finds it when it is back.
    client = temporal or await connect(config, lazy=True)
    engine = Affiliations(client, config.temporal_task_queue, timedelta(seconds=config.temporal_rpc_timeout_seconds))
    fields = cipher(config)
    writer = Writer(fields, config.public_base_url)
    files = vault(config)
    intake = Intake(fields, files, scanner(config))
    teller = PiecesTeller(system_pool, engine)
    access = AccessService(web, system_pool, engine, fields)
    rpc_timeout = timedelta(seconds=config.temporal_rpc_timeout_seconds)
    eraser = Eraser(system_pool, files, Histories(client, rpc_timeout))
    try:
        yield Parts(
            config=config,
            web=web,
            system=system_pool,
            temporal=client,
            engine=engine,
            writer=writer,
            cipher=fields,
            affiliations=AffiliationService(web, engine, fields, writer),
            access=access,
            enrolments=EnrolmentService(web, engine, fields, access),
            receipts=ReceiptService(web, fields),
            documents=DocumentService(web, fields, intake, teller),
            document_checks=DocumentCheckService(system_pool, fields, files, intake, teller),
            deliveries=DeliveryService(system_pool, engine, providers(system_pool, config).post),
            staff=StaffService(system_pool, engine),
            personal_data=PersonalDataService(system_pool, fields, files, eraser),
        )
    finally:
        await web.close()
        await system_pool.close()


async def parts(request: Request) -> Parts:
    """The dependency through which routes reach the services; async, as another kind runs in a thread."""
    return cast(Parts, request.app.state.parts)
