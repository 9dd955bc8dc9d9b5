"""The activity that hands one message about somebody's rights over, exactly once for its business key.

By e-mail where the latest contact has an address that has not failed, else by post; the key is that of every message to
an employee, `(affiliation, kind, number)`.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import coverage_changes
from activities.carrying import Carrier, Outcome, Providers, recorded, settle
from activities.contracts.rights import HAND_OVER_RIGHTS, HandOverRights, RightsHandedOver
from activities.coverage_writing import RightsWriter
from db import affiliations, coverage_rights, dispatches, insured
from db.pool import Connection, Pool, system
from domain.affiliation import Result
from domain.identifiers import InvalidValue
from domain.media import Medium
from domain.working_time import paris_date
from gateways.mail import Email
from gateways.outcomes import RefusalReason
from gateways.post import Letter
from gateways.sms import Sms


class RightsDesk:
    def __init__(self, pool: Pool, providers: Providers, writer: RightsWriter) -> None:
        self._pool = pool
        self._carrier = Carrier(pool, providers)
        self._writer = writer

    @activity.defn(name=HAND_OVER_RIGHTS)
    async def hand_over(self, order: HandOverRights) -> RightsHandedOver:
        """Safe to repeat after a crash anywhere. Raises ApplicationError (`ProviderUnavailable`, `OutcomeUnknown`),
        both to be tried again."""
        now = activity.info().current_attempt_scheduled_time
        coverage_id, affiliation_id = UUID(order.coverage_id), UUID(order.facts.affiliation_id)
        async with system(self._pool) as connection:
            person = await affiliations.person(connection, affiliation_id)
            cover = await connection.fetchrow(insured.ONE, coverage_id)
            if person is None or cover is None:
                raise ApplicationError("no such coverage", type="UnknownCoverage", non_retryable=True)
            contract = await connection.fetchrow(insured.CONTRACT, affiliation_id)
            medium = await _medium(connection, affiliation_id, person)
            claim = await dispatches.claim(
                connection, affiliation_id, order.message, order.number, medium, person["contact_version"]
            )
            facts = await coverage_changes.facts_of(connection, coverage_id)
            if facts.version > order.facts.version and claim["state"] == "prepared" and claim["calling_since"] is None:
                await connection.execute(dispatches.SUPERSEDE, claim["id"])
                return RightsHandedOver(Result.superseded, now, facts=facts)
            medium = Medium(claim["medium"])  # of a call in doubt, as it was claimed
        if claim["state"] == "prepared":
            assert contract is not None, "a coverage has its affiliation"

            async def write() -> Email | Letter | Sms:
                made = (claim["id"], order, person, cover, contract, paris_date(now))
                if medium is Medium.email:
                    return await asyncio.to_thread(self._writer.email, *made)
                return await asyncio.to_thread(self._writer.letter, *made)

            try:
                outcome = await self._carrier.carry(claim, medium, write)
            except InvalidValue:  # the address does not fit a window
                outcome = Outcome(Result.bad_address, reason=RefusalReason.bad_address.value)
        else:  # a former attempt did it all and was cut off before it could say so
            outcome = recorded(claim)
            now = claim["handed_over_at"] or now
        async with system(self._pool) as connection:
            await settle(connection, claim, outcome, now)
        return RightsHandedOver(outcome.result, now, medium, outcome.reason)


async def _medium(connection: Connection, affiliation_id: UUID, person: asyncpg.Record) -> Medium:
    if person["email"] is None:
        return Medium.post
    failed = await connection.fetchval(coverage_rights.EMAIL_FAILED, affiliation_id, person["contact_version"])
    return Medium.post if failed else Medium.email
