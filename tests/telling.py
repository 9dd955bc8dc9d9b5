"""Webhook endpoints as the service leaves them, for tests of what is sent to them."""

from __future__ import annotations

from uuid import UUID

from activities.webhooks import TABLE
from db import webhooks
from db.pool import system
from domain.webhooks import new_secret
from tests.world import Employer, World


async def add_endpoint(world: World, employer: Employer, address: str = "http://127.0.0.1:9/hcr") -> UUID:
    """One that is told of everything; nobody answers there unless the address says otherwise."""
    async with system(world.system) as connection:
        endpoint_id: UUID = await connection.fetchval(webhooks.NEW_ID)

        def sealed(field: str, value: str) -> bytes:
            return world.cipher.encrypt(value, TABLE, field, str(endpoint_id))

        await connection.execute(
            webhooks.ADD,
            endpoint_id,
            employer.company_id,
            "Logiciel de paie",
            sealed("url", address),
            sealed("secret", new_secret()),
            [],
            None,
        )
    return endpoint_id
