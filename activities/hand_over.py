"""The activity that hands one message over to a provider, exactly once for its business key.

The key `(affiliation, kind, number)` is claimed in the ledger before the provider is called (`activities.carrying`).
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import projection
from activities.carrying import Carrier, Outcome, Providers, recorded, settle
from activities.contracts.affiliation import HAND_OVER, PROVIDER_ACTOR, Event, EventKind, HandedOver, Handling, HandOver
from activities.writing import Writer
from db import access, affiliations, dispatches
from db.pool import Pool, system
from domain.affiliation import Message, Result
from domain.media import Medium, MessageKind
from domain.plan import calendar, next_step
from domain.policy import Policy
from domain.working_time import next_working_moment, paris_date
from gateways.letter_codes import hash_secret, new_selector
from gateways.mail import Email
from gateways.post import Letter
from gateways.sms import Sms

_POLICY = TypeAdapter(Policy)


class MessageDesk:
    """Hands messages over and records what became of them, in one activity."""

    def __init__(self, pool: Pool, providers: Providers, writer: Writer) -> None:
        self._pool = pool
        self._carrier = Carrier(pool, providers)
        self._writer = writer

    @activity.defn(name=HAND_OVER)
    async def hand_over(self, order: HandOver) -> HandedOver:
        """Safe to repeat after a crash anywhere. Raises ApplicationError (`ProviderUnavailable`, `OutcomeUnknown`),
        both to be tried again."""
        now = activity.info().current_attempt_scheduled_time
        message, affiliation_id = order.message, UUID(order.affiliation_id)
        async with system(self._pool) as connection:
            person = await affiliations.person(
                connection, affiliation_id, order.state.contact_version, order.state.missing
            )
            if person is None:
                raise ApplicationError("no such affiliation", type="UnknownAffiliation", non_retryable=True)
            completion = None
            if not order.state.closed:
                completion = await projection.completion_of(connection, affiliation_id)
            if completion is not None:
                return HandedOver(Handling.completed_meanwhile, Result.superseded, now, completion=completion)
            policy = _POLICY.validate_python(person["policy"])
            if message.automatic and next_working_moment(now, policy.opens, policy.closes) > now:
                return HandedOver(Handling.postponed, Result.superseded, now)
            claim = await dispatches.claim(
                connection, affiliation_id, message.kind, message.number, message.medium, order.state.contact_version
            )
            if claim["pause"] and _held_by_a_pause(message) and not _called(claim):
                return HandedOver(Handling.postponed, Result.superseded, now)
        if claim["state"] == "prepared":
            outcome = await self._call(claim, order, policy, person, now)
        else:  # a former attempt did it all and was cut off before it could say so
            outcome = recorded(claim)
            now = claim["handed_over_at"] or now
        await self._record(order, policy, claim, outcome, now)
        return HandedOver(Handling.done, outcome.result, now, reason=outcome.reason)

    # --- calling

    async def _call(
        self, claim: asyncpg.Record, order: HandOver, policy: Policy, person: asyncpg.Record, now: datetime
    ) -> Outcome:
        dispatch_id: UUID = claim["id"]
        message, deadline = order.message, _deadline(order, policy, now)
        selector = await self._open_access(dispatch_id, message.medium)

        async def write() -> Email | Letter | Sms:
            if message.medium is Medium.post:
                return await asyncio.to_thread(
                    self._writer.letter, dispatch_id, message, person, selector or "", paris_date(now), deadline
                )
            if message.medium is Medium.email:
                return self._writer.email(dispatch_id, message, person, deadline)
            return self._writer.sms(dispatch_id, message, person)

        return await self._carrier.carry(claim, message.medium, write)

    async def _open_access(self, dispatch_id: UUID, medium: Medium) -> str | None:
        """The link of this dispatch, and for a letter its code: made once, the same at every attempt."""
        link_hash = self._writer.link_hash(dispatch_id)
        async with system(self._pool) as connection:
            known = await connection.fetchrow(access.TOKEN_OF_DISPATCH, dispatch_id)
        if known is None or (medium is Medium.post and known["selector"] is None):
            selector = secret_hash = None
            if medium is Medium.post:
                selector, secret_hash = new_selector(), await hash_secret(self._writer.letter_secret(dispatch_id))
            async with system(self._pool) as connection:
                await connection.execute(access.ADD_TOKEN, dispatch_id, link_hash, selector, secret_hash)
                known = await connection.fetchrow(access.TOKEN_OF_DISPATCH, dispatch_id)
        return known["selector"] if known is not None else None

    # --- recording

    async def _record(
        self, order: HandOver, policy: Policy, claim: asyncpg.Record, outcome: Outcome, at: datetime
    ) -> None:
        """Ledger, timeline and read model in one transaction."""
        message = order.message
        state = order.state.handed_over(message, outcome.result, at)
        details = {"message": message.kind.value, "number": str(message.number), "medium": message.medium.value}
        if outcome.reason:
            details["reason"] = outcome.reason
        event = Event(_EVENTS[outcome.result], at, PROVIDER_ACTOR, details)
        async with system(self._pool) as connection:
            await settle(connection, claim, outcome, at)
            await connection.execute(dispatches.SUPERSEDE_OLDER, claim["id"])
            await projection.write(
                connection, UUID(order.affiliation_id), state, next_step(state, policy, at), event, at
            )


def _held_by_a_pause(message: Message) -> bool:
    """Nobody asked for it by name (as `domain.plan` has it)."""
    return message.automatic or message.kind is MessageKind.postal_fallback


def _called(claim: asyncpg.Record) -> bool:
    """It left, or may have: then it is cleared up, pause or not."""
    return claim["state"] != "prepared" or claim["calling_since"] is not None


def _deadline(order: HandOver, policy: Policy, now: datetime) -> date | None:
    """The last day to answer, told with reminders: an invitation asks to answer now, not in two months.

    Missing pieces have a day of their own, told from the first message on, where the affiliation waits for them.
    """
    if order.message.kind not in _TELLING_THE_DEADLINE:
        return None
    left = order.state.handed_over(order.message, Result.accepted, now)
    ends = [step.at for step in calendar(left, policy, now) if step.message is None]
    return paris_date(ends[-1]) if ends else None


_TELLING_THE_DEADLINE = (
    MessageKind.reminder,
    MessageKind.draft_reminder,
    MessageKind.employer_reminder,
    MessageKind.missing_pieces,
)
_EVENTS = {
    Result.accepted: EventKind.message_handed_over,
    Result.bad_address: EventKind.message_refused,
    Result.refused: EventKind.message_refused,
    Result.uncertain: EventKind.message_uncertain,
}
