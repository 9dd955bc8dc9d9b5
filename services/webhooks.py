"""Outgoing webhooks: a company's software is told of each event of its affiliations.

An endpoint belongs to a company. Its administrators look after it, and the API keys that may write for it: a payroll
software sets itself up. The address and the secrets lie encrypted; the secret is shown when it is made, never again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final
from uuid import UUID

import asyncpg
from pydantic import BaseModel, Field

from activities.webhooks import TABLE, call
from db import audit, webhooks
from db.pool import Connection, single, system
from domain.identifiers import SIREN_EXAMPLE
from domain.webhooks import FORMER_SECRET, WebhookKind, new_secret, trial_message
from gateways.webhooks import BadAddress, Unreached, WebhookGateway
from messages.typography import french
from services.callers import Caller, Scope
from services.fields import Form, Name, Siren
from services.limits import Limit
from services.problems import FieldError, InvalidFields, NotFound
from services.tools import Tools
from workflows.engine import EngineAway
from workflows.webhooks_client import Webhooks

log = logging.getLogger(__name__)

URL_EXAMPLE: Final = "https://paie.exemple.fr/hcr"
MOST_URL: Final = 500
WRONG_ADDRESS: Final[Mapping[Unreached, str]] = MappingProxyType(
    {
        why: french(f"{words} Exemple : {URL_EXAMPLE}")
        for why, words in {
            Unreached.not_https: "L’adresse commence par https://.",
            Unreached.port: "L’adresse utilise le port 443 ou 8443.",
            Unreached.malformed: "Cette adresse n’est pas valable : donnez-la sans identifiant, mot de passe ni « # ».",
            Unreached.unknown_host: "Ce nom de serveur n’existe pas, ou ne répond pas. Vérifiez l’adresse.",
            Unreached.internal: "Cette adresse n’est pas sur l’internet public.",
        }.items()
    }
)


class EndpointState(StrEnum):
    """`paused`: by its company. `stopped`: by us, as it answered nobody for days, or wanted no more."""

    active = "active"
    paused = "paused"
    stopped = "stopped"


class DeliveryState(StrEnum):
    waiting = "waiting"
    delivered = "delivered"
    failed = "failed"


class NewWebhookEndpoint(Form):
    """`url`: of a public server, by https on port 443 or 8443. `kinds`: of the events; none: all of them."""

    siren: Siren
    name: Name
    url: Annotated[str, Field(min_length=1, max_length=MOST_URL, examples=[URL_EXAMPLE])]
    kinds: Annotated[tuple[WebhookKind, ...], Field(max_length=len(WebhookKind))] = ()


class WebhookEndpoint(BaseModel):
    """`waiting`, `failed`: events on their way, and those that were given up. `failing_since`: nothing has been taken
    since then. `former_secret_until`: the secret before the last rotation signs beside the new one."""

    id: UUID
    siren: str
    name: str
    url: str
    kinds: list[str]
    state: EndpointState
    waiting: int
    failed: int
    failing_since: datetime | None
    last_success_at: datetime | None
    former_secret_until: datetime | None
    created_at: datetime
    created_by: str | None


class MadeWebhookEndpoint(WebhookEndpoint):
    """`secret`: what signatures are checked with, shown this once."""

    secret: str


class WebhookSecret(BaseModel):
    """A new one, shown this once. `former_until`: the one before signs too."""

    secret: str
    former_until: datetime


class WebhookEndpointList(BaseModel):
    """The newest first."""

    items: list[WebhookEndpoint]


class WebhookDelivery(BaseModel):
    """An event on its way, or a test (`affiliation_id` null). `id`: the `webhook-id`. `last_status`: of the receiver's
    last answer; `last_error`: why there was none. `next_at`: of the next try."""

    id: UUID
    kind: str
    affiliation_id: UUID | None
    number: int | None
    status: str | None
    happened_at: datetime
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    tried_at: datetime | None
    next_at: datetime | None
    delivered_at: datetime | None


class WebhookDeliveryPage(BaseModel):
    """The newest first. `next_cursor`: where the next page begins."""

    items: list[WebhookDelivery]
    next_cursor: UUID | None


class Replayed(BaseModel):
    """How many are sent again."""

    count: int


class WebhookService:
    def __init__(self, tools: Tools, gateway: WebhookGateway, engine: Webhooks) -> None:
        self._tools = tools
        self._gateway = gateway
        self._engine = engine

    async def list(self, caller: Caller) -> WebhookEndpointList:
        """Raises NotAllowed."""
        companies = _companies(caller, Scope.read)
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(webhooks.LIST, companies, None)
        return WebhookEndpointList(items=[WebhookEndpoint(**self._fields(row)) for row in rows])

    async def one(self, caller: Caller, endpoint_id: UUID) -> WebhookEndpoint:
        """Raises NotAllowed, NotFound."""
        companies = _companies(caller, Scope.read)
        async with single(self._tools.system) as connection:
            return await self._one(connection, companies, endpoint_id)

    async def make(self, caller: Caller, request: NewWebhookEndpoint) -> MadeWebhookEndpoint:
        """Raises NotAllowed, StepUpNeeded, InvalidFields, TooManyRequests."""
        companies = _companies(caller, Scope.write)
        caller.need_step_up_of_person()
        await self._tools.limiter.take(Limit.webhook_address, caller.id)
        try:
            await self._gateway.check(request.url)
        except BadAddress as bad:
            raise InvalidFields([FieldError("url", f"url.{bad.why}", WRONG_ADDRESS[bad.why], URL_EXAMPLE)]) from None
        secret, kinds = new_secret(), sorted(set(request.kinds))
        async with system(self._tools.system) as connection:
            company = await connection.fetchrow(webhooks.LOCK_COMPANY, request.siren, companies)
            if company is None:
                raise InvalidFields([_not_ours()])
            if await connection.fetchval(webhooks.COUNT, company["id"]) >= webhooks.MOST_ENDPOINTS:
                raise InvalidFields([_too_many()])
            endpoint_id: UUID = await connection.fetchval(webhooks.NEW_ID)
            await connection.execute(
                webhooks.ADD,
                endpoint_id,
                company["id"],
                request.name,
                self._sealed(endpoint_id, "url", request.url),
                self._sealed(endpoint_id, "secret", secret),
                kinds,
                None if caller.signed_in is None else caller.signed_in.user_id,
            )
            await _log(connection, caller, "created", company["id"], endpoint_id, {"kinds": kinds})
            made = await self._one(connection, companies, endpoint_id)
        return MadeWebhookEndpoint(**made.model_dump(), secret=secret)

    async def rotate(self, caller: Caller, endpoint_id: UUID) -> WebhookSecret:
        """A new secret; for a day the former one signs too, so that the receiver misses nothing.

        Raises NotAllowed, StepUpNeeded, NotFound.
        """
        companies = _companies(caller, Scope.write)
        caller.need_step_up_of_person()
        secret = new_secret()
        async with system(self._tools.system) as connection:
            row = await _locked(connection, companies, endpoint_id)
            former = self._tools.cipher.decrypt(row["secret_sealed"], TABLE, "secret", str(endpoint_id))
            await connection.execute(
                webhooks.ROTATE,
                endpoint_id,
                self._sealed(endpoint_id, "secret", secret),
                self._sealed(endpoint_id, "former_secret", former),
                FORMER_SECRET.total_seconds(),
            )
            await _log(connection, caller, "rotated", row["company_id"], endpoint_id)
            view = await self._one(connection, companies, endpoint_id)
        assert view.former_secret_until is not None, "just written"
        return WebhookSecret(secret=secret, former_until=view.former_secret_until)

    async def pause(self, caller: Caller, endpoint_id: UUID) -> WebhookEndpoint:
        """Nothing leaves; what happens meanwhile waits. Raises NotAllowed, NotFound."""
        companies = _companies(caller, Scope.write)
        async with system(self._tools.system) as connection:
            row = await _locked(connection, companies, endpoint_id)
            if row["state"] != EndpointState.paused:
                await connection.execute(webhooks.PAUSE, endpoint_id)
                await _log(connection, caller, "paused", row["company_id"], endpoint_id)
            return await self._one(connection, companies, endpoint_id)

    async def resume(self, caller: Caller, endpoint_id: UUID) -> WebhookEndpoint:
        """What waits leaves now, in its order: of one that was stopped too. Raises NotAllowed, NotFound."""
        companies = _companies(caller, Scope.write)
        async with system(self._tools.system) as connection:
            row = await _locked(connection, companies, endpoint_id)
            if row["state"] != EndpointState.active:
                await _log(connection, caller, "resumed", row["company_id"], endpoint_id)
            await connection.execute(webhooks.RESUME, endpoint_id)
            view = await self._one(connection, companies, endpoint_id)
        if view.waiting:
            await self._look(endpoint_id)
        return view

    async def delete(self, caller: Caller, endpoint_id: UUID) -> None:
        """With what waits for it and its log. Raises NotAllowed, StepUpNeeded, NotFound."""
        companies = _companies(caller, Scope.write)
        caller.need_step_up_of_person()
        async with system(self._tools.system) as connection:
            row = await _locked(connection, companies, endpoint_id)
            await connection.execute(webhooks.DELETE, endpoint_id)
            await _log(connection, caller, "deleted", row["company_id"], endpoint_id)

    async def test(self, caller: Caller, endpoint_id: UUID) -> WebhookDelivery:
        """One call now, about nobody, also while it is paused; what came of it stands in the log too.

        Raises NotAllowed, NotFound, TooManyRequests.
        """
        companies = _companies(caller, Scope.write)
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(webhooks.LIST, companies, endpoint_id)
            if not rows:
                raise NotFound()
            await self._tools.limiter.take(Limit.webhook_test, str(endpoint_id))
            delivery_id: UUID = await connection.fetchval(webhooks.NEW_ID)
            moment: datetime = await connection.fetchval("SELECT now()")
        [row] = rows
        body = trial_message(moment, row["siren"])
        answer = await call(self._gateway, self._tools.cipher, row, delivery_id, body)
        state = DeliveryState.delivered if answer.taken else DeliveryState.failed
        async with system(self._tools.system) as connection:
            await _locked(connection, companies, endpoint_id)  # gone meanwhile: there is no log to write to
            await connection.execute(
                webhooks.ADD_TRIAL,
                delivery_id,
                endpoint_id,
                row["company_id"],
                state.value,
                answer.status,
                answer.why,
            )
            tried = await connection.fetchrow(webhooks.DELIVERY, endpoint_id, delivery_id)
        assert tried is not None, "just written"
        return _delivery(tried)

    async def deliveries(
        self,
        caller: Caller,
        endpoint_id: UUID,
        limit: int,
        cursor: UUID | None = None,
        state: DeliveryState | None = None,
    ) -> WebhookDeliveryPage:
        """The log. Raises NotAllowed, NotFound."""
        companies = _companies(caller, Scope.read)
        async with single(self._tools.system) as connection:
            await self._one(connection, companies, endpoint_id)
            rows = await connection.fetch(webhooks.DELIVERIES, endpoint_id, state, cursor, limit + 1)
        items = [_delivery(row) for row in rows[:limit]]
        return WebhookDeliveryPage(items=items, next_cursor=items[-1].id if len(rows) > limit else None)

    async def replay(self, caller: Caller, endpoint_id: UUID, delivery_id: UUID | None) -> Replayed:
        """Sent again under the same `webhook-id`; None: all that were given up. Of one that is paused: once it goes on.

        Raises NotAllowed, NotFound (also: a test).
        """
        companies = _companies(caller, Scope.write)
        async with system(self._tools.system) as connection:
            row = await _locked(connection, companies, endpoint_id)
            count: int = await connection.fetchval(webhooks.REPLAY, endpoint_id, delivery_id)
            if delivery_id is not None and not count:
                raise NotFound()
            if count:
                await _log(connection, caller, "replayed", row["company_id"], endpoint_id, {"count": count})
        if count and row["state"] == EndpointState.active:
            await self._look(endpoint_id)
        return Replayed(count=count)

    # --- the parts of it

    async def _one(self, connection: Connection, companies: Sequence[UUID], endpoint_id: UUID) -> WebhookEndpoint:
        rows = await connection.fetch(webhooks.LIST, companies, endpoint_id)
        if not rows:
            raise NotFound()
        return WebhookEndpoint(**self._fields(rows[0]))

    async def _look(self, endpoint_id: UUID) -> None:
        """Temporal away: the sweep does."""
        try:
            await self._engine.look(endpoint_id)
        except EngineAway:
            log.info("a webhook waits for the sweep", extra={"id": str(endpoint_id)})

    def _sealed(self, endpoint_id: UUID, field: str, value: str) -> bytes:
        return self._tools.cipher.encrypt(value, TABLE, field, str(endpoint_id))

    def _fields(self, row: asyncpg.Record) -> dict[str, Any]:
        url = self._tools.cipher.decrypt(row["url_sealed"], TABLE, "url", str(row["id"]))
        return {**row, "url": url, "former_secret_until": row["former_until"]}


def _companies(caller: Caller, scope: Scope) -> tuple[UUID, ...]:
    """Whose endpoints the caller looks after: an administrator's, or those of an API key. Raises NotAllowed."""
    if caller.signed_in is not None:
        caller.need_administrator()
        return caller.administers
    caller.need(scope)
    return caller.companies


async def _locked(connection: Connection, companies: Sequence[UUID], endpoint_id: UUID) -> asyncpg.Record:
    row = await connection.fetchrow(webhooks.LOCK, endpoint_id, companies)
    if row is None:
        raise NotFound()
    return row


async def _log(
    connection: Connection,
    caller: Caller,
    event: str,
    company_id: UUID,
    endpoint_id: UUID,
    details: dict[str, Any] | None = None,
) -> None:
    await audit.add(
        connection,
        f"webhook_endpoint.{event}",
        caller.actor,
        company_id=company_id,
        object_type="webhook_endpoint",
        object_id=endpoint_id,
        details=details,
    )


def _delivery(row: asyncpg.Record) -> WebhookDelivery:
    waits = row["state"] == DeliveryState.waiting
    return WebhookDelivery(**{**row, "next_at": row["next_at"] if waits else None})


def _not_ours() -> FieldError:
    """The same for a company that nobody knows and for one of others."""
    words = french(f"Choisissez une entreprise dont vous êtes administrateur. Exemple : {SIREN_EXAMPLE}")
    return FieldError("siren", "siren.not_administered", words, SIREN_EXAMPLE)


def _too_many() -> FieldError:
    words = (
        f"Une entreprise a {webhooks.MOST_ENDPOINTS} webhooks au plus. Supprimez-en un. Exemple : un ancien logiciel."
    )
    return FieldError("siren", "siren.too_many_webhooks", french(words))
