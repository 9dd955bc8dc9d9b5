"""What the doors are made of, built once per process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from fastapi import Request
from temporalio.client import Client

from activities.writing import Writer
from composition import cipher, connect, providers
from db.pool import Pool, create_pool
from gateways.encryption import FieldCipher
from services.affiliations import AffiliationService
from services.deliveries import DeliveryService
from services.enrolments import EnrolmentService
from services.staff import StaffService
from settings import Settings
from workflows.client import Affiliations


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
    enrolments: EnrolmentService
    deliveries: DeliveryService
    staff: StaffService


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
            enrolments=EnrolmentService(web, system_pool, engine, fields),
            deliveries=DeliveryService(system_pool, engine, providers(system_pool, config).post),
            staff=StaffService(system_pool, engine),
        )
    finally:
        await web.close()
        await system_pool.close()


async def parts(request: Request) -> Parts:
    """The dependency through which routes reach the services; async, as another kind runs in a thread."""
    return cast(Parts, request.app.state.parts)
