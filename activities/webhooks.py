"""The activity that sends an endpoint's webhooks: those that are due, each affiliation's in its order.

One round at a time for each endpoint, and bounded: a receiver that is slow, or away, keeps nobody else waiting. A try
is counted before its call, so that a round that is cut off is repeated under the same ids (domain/webhooks.py).
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from temporalio import activity

from activities.contracts.affiliation import SYSTEM_ACTOR
from activities.contracts.webhooks import SEND_WEBHOOKS, SendWebhooks, WebhookRound
from db import api_keys, audit, notices, webhooks
from db.pool import Connection, Pool, system
from domain.webhooks import GIVES_UP_AFTER, GONE, event_message, rest_after, signed_headers, wait_after
from gateways.encryption import FieldCipher
from gateways.webhooks import Answered, WebhookGateway
from messages.notices import NoticeKind
from workflows.engine import EngineAway
from workflows.notices_client import Notices

log = logging.getLogger(__name__)

TABLE = "webhook_endpoint"  # what its encrypted fields are bound to
ENDPOINTS_AT_ONCE = 5  # in one worker; the others wait a moment
AT_ONCE = 4  # calls of one round, of different affiliations
MOST_DUE = 40  # read at a time
ROUND_SECONDS = 30.0  # then the rest is left to the next round
_BUSY_SECONDS = 2.0
_SHORTEST_WAIT = 0.5

CALLS = Counter("hcr_webhook_calls_total", "Outgoing webhooks by what became of the call", ["outcome"])
STOPPED = Counter("hcr_webhook_endpoints_stopped_total", "Endpoints that answered nobody for days, or wanted no more")


class WebhookDesk:
    def __init__(self, pool: Pool, cipher: FieldCipher, gateway: WebhookGateway, notices: Notices) -> None:
        self._pool = pool
        self._cipher = cipher
        self._gateway = gateway
        self._notices = notices
        self._room = asyncio.Semaphore(ENDPOINTS_AT_ONCE)

    @activity.defn(name=SEND_WEBHOOKS)
    async def send(self, order: SendWebhooks) -> WebhookRound:
        """What is due at `order.at`, until it is done, something fails, or the round's time is over."""
        if self._room.locked():
            return WebhookRound(0, 0, _BUSY_SECONDS)
        async with self._room:
            return await self._send(UUID(order.endpoint_id), order.at)

    async def _send(self, endpoint_id: UUID, at: datetime) -> WebhookRound:
        async with system(self._pool) as connection:
            endpoint = await connection.fetchrow(webhooks.ENDPOINT, endpoint_id)
        if endpoint is None:
            return WebhookRound(0, 0)
        sent = failed = 0
        over = time.monotonic() + ROUND_SECONDS
        rests = endpoint["retry_at"] is not None and endpoint["retry_at"] > at
        due: list[asyncpg.Record] = []
        while not rests and not failed and time.monotonic() < over:
            if not due:
                async with system(self._pool) as connection:
                    due = await connection.fetch(webhooks.DUE, endpoint_id, at, MOST_DUE)
            if not due:
                break
            group, due = due[:AT_ONCE], due[AT_ONCE:]
            answers = await asyncio.gather(*(self._call(endpoint, one, at) for one in group))
            taken = sum(answer.taken for answer in answers)
            sent, failed = sent + taken, failed + len(group) - taken
            await self._note(endpoint, answers, at)
        return WebhookRound(sent, failed, await self._wait(endpoint_id, at))

    async def _call(self, endpoint: asyncpg.Record, one: asyncpg.Record, at: datetime) -> Answered:
        async with system(self._pool) as connection:
            tries = await connection.fetchval(webhooks.TRY, one["id"], at)
        if tries is None:  # forgotten meanwhile, with its affiliation
            return Answered(200)
        body = event_message(
            one["kind"],
            one["happened_at"],
            one["affiliation_id"],
            one["number"],
            one["status"],
            one["siren"],
            one["siret"],
        )
        answer = await call(self._gateway, self._cipher, endpoint, one["id"], body)
        async with system(self._pool) as connection:
            if answer.taken:
                await connection.execute(webhooks.DELIVERED, one["id"], answer.status, at)
            else:
                wait = wait_after(tries, answer.retry_after)
                await connection.execute(
                    webhooks.NOT_TAKEN, one["id"], answer.status, answer.why, None if wait is None else at + wait
                )
        return answer

    async def _note(self, endpoint: asyncpg.Record, answers: list[Answered], at: datetime) -> None:
        """What the answers say of the endpoint itself."""
        endpoint_id = endpoint["id"]
        gone = any(answer.status == GONE for answer in answers)
        stopped = None
        async with system(self._pool) as connection:
            if any(answer.taken for answer in answers) and not gone:
                await connection.execute(webhooks.ANSWERS, endpoint_id, at)
                return
            failing_since = endpoint["failing_since"] or at
            rest = rest_after(endpoint["failures"] + 1)
            await connection.execute(webhooks.FAILS, endpoint_id, at, at + rest)
            if gone or at - failing_since >= GIVES_UP_AFTER:
                stopped = await connection.fetchrow(webhooks.STOP, endpoint_id)
                told = await _tell_stopped(connection, endpoint_id, stopped, gone) if stopped else []
        if stopped is not None:
            STOPPED.inc()
            log.warning("a webhook endpoint is stopped", extra={"id": str(endpoint_id)})
            await self._start(told)

    async def _wait(self, endpoint_id: UUID, at: datetime) -> float | None:
        async with system(self._pool) as connection:
            next_at: datetime | None = await connection.fetchval(webhooks.NEXT_AT, endpoint_id)
        return None if next_at is None else max((next_at - at) / timedelta(seconds=1), _SHORTEST_WAIT)

    async def _start(self, told: list[UUID]) -> None:
        """Temporal away: the sweep starts them."""
        for notice_id in told:
            try:
                await self._notices.start(notice_id, None)
            except EngineAway:
                log.info("a notice waits for the sweep")
                return


async def call(
    gateway: WebhookGateway, cipher: FieldCipher, endpoint: asyncpg.Record, webhook_id: UUID, body: bytes
) -> Answered:
    """One signed call of an endpoint: a row with its address and its secrets. Raises CannotDecrypt."""
    row_id = str(endpoint["id"])
    keys = [cipher.decrypt(endpoint["secret_sealed"], TABLE, "secret", row_id)]
    if endpoint["former_secret_sealed"] is not None:
        keys.append(cipher.decrypt(endpoint["former_secret_sealed"], TABLE, "former_secret", row_id))
    address = cipher.decrypt(endpoint["url_sealed"], TABLE, "url", row_id)
    answer = await gateway.send(address, signed_headers(webhook_id, body, keys, datetime.now(UTC)), body)
    CALLS.labels("taken" if answer.taken else answer.why.value if answer.why else "refused").inc()
    return answer


async def _tell_stopped(connection: Connection, endpoint_id: UUID, stopped: asyncpg.Record, gone: bool) -> list[UUID]:
    """In the log, and to the administrators; the notices to start."""
    company_id: UUID = stopped["company_id"]
    await audit.add(
        connection,
        "webhook_endpoint.stopped",
        SYSTEM_ACTOR,
        company_id=company_id,
        object_type="webhook_endpoint",
        object_id=endpoint_id,
        details={"why": "gone" if gone else "silent"},
    )
    added = []
    for row in await connection.fetch(api_keys.ADMINISTRATORS, [company_id]):
        key = f"webhook_stopped/{endpoint_id}/{stopped['failing_since'].isoformat()}/{row['user_id']}"
        added.append(
            await connection.fetchval(
                notices.ADD,
                key,
                NoticeKind.webhook_stopped.value,
                "email",
                row["user_id"],
                None,
                company_id,
                endpoint_id,
                {},
                None,
                None,
            )
        )
    return [one for one in added if one is not None]
