"""The activity that brings a person back when their waiver ends: a new affiliation, once, where one is wanted."""

from __future__ import annotations

import logging
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.contracts.affiliation import StartAffiliation
from activities.contracts.waivers import RENEW, Renew, Renewal, Renewed
from db import affiliations
from db.pool import Connection, Pool, system
from domain.affiliation import first_medium
from domain.media import Medium, reachable_media
from domain.policy import DEFAULT_POLICY, Policy
from workflows.client import Affiliations
from workflows.engine import EngineAway

log = logging.getLogger(__name__)

_POLICY = TypeAdapter(Policy)


class Renewer:
    """`policy`: of the affiliations that it makes."""

    def __init__(self, pool: Pool, engine: Affiliations, policy: Policy = DEFAULT_POLICY) -> None:
        self._pool = pool
        self._engine = engine
        self._policy = policy

    @activity.defn(name=RENEW)
    async def renew(self, order: Renew) -> Renewed:
        """Idempotent: one new affiliation for each waived one. Temporal away: the sweep starts it."""
        former_id = UUID(order.affiliation_id)
        try:
            async with system(self._pool) as connection:
                renewed, start, place = await self._written(connection, former_id, order)
        except asyncpg.UniqueViolationError:  # the employer declared them this very moment: looked at again
            raise ApplicationError("another one was written meanwhile", type="RenewalConflict") from None
        if start is not None:
            try:
                await self._engine.start(start, place["siret"], place["siren"])
            except EngineAway:
                log.warning("Temporal is away: the sweep will start it", extra={"id": start.affiliation_id})
        return renewed

    async def _written(
        self, connection: Connection, former_id: UUID, order: Renew
    ) -> tuple[Renewed, StartAffiliation | None, asyncpg.Record]:
        """What came of it, and what to start; all in the transaction of `connection`."""
        last_day = order.ended_on or order.ends_on
        if order.ended_on is not None:
            await connection.execute(affiliations.END_WAIVER, former_id, order.ended_on)
        await connection.fetchrow(affiliations.LOCK, former_id)  # two attempts take turns
        former = await connection.fetchrow(affiliations.RENEWAL_SOURCE, former_id, last_day)
        if former is None:
            raise ApplicationError("no such affiliation", type="UnknownAffiliation", non_retryable=True)
        new_id = former["renewed"]
        if new_id is None:
            open_id = await connection.fetchval(affiliations.OPEN_LIKE, former_id)
            if open_id is not None:
                return Renewed(Renewal.already_open, str(open_id)), None, former
            if former["covered"]:
                return Renewed(Renewal.covered), None, former
            if former["closed_on"] is not None and former["closed_on"] <= last_day:
                return Renewed(Renewal.establishment_closed), None, former
            new_id = await connection.fetchval(affiliations.NEW_ID)
            await self._write(connection, former_id, new_id, former)
        start = StartAffiliation(str(new_id), self._policy, _media(former), _asked(former))
        return Renewed(Renewal.renewed, str(new_id)), start, former

    async def _write(self, connection: Connection, former_id: UUID, new_id: UUID, former: asyncpg.Record) -> None:
        medium = first_medium(_media(former), _asked(former))
        policy = _POLICY.dump_python(self._policy, mode="json")
        await connection.fetchval(affiliations.AGAIN, former_id, new_id, policy, medium, "waiver_ended", "system", None)


def _media(former: asyncpg.Record) -> tuple[Medium, ...]:
    return reachable_media(former["has_email"], former["has_phone"])


def _asked(former: asyncpg.Record) -> Medium | None:
    return Medium(former["asked_medium"]) if former["asked_medium"] else None
