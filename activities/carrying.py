"""Carries one message of the ledger to its provider, exactly once.

The business key is claimed in the ledger before (`db.dispatches.claim`). `calling_since` stands while nobody knows what
came of a call: a crash, a time-out. Then nothing is sent before the provider has been asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from temporalio.exceptions import ApplicationError

from db import dispatches
from db.pool import Connection, Pool, system
from domain.affiliation import Result
from domain.media import Medium
from gateways.mail import Email, MailGateway
from gateways.outcomes import Ambiguous, CannotTell, RefusalReason, Refused, Unavailable
from gateways.post import Letter, PostGateway
from gateways.sms import Sms, SmsGateway

_LOOK_AGAIN = timedelta(seconds=15)
_NOT_ABOUT_THE_ADDRESS = (RefusalReason.bad_content, RefusalReason.not_authorised)
_LEDGER = {
    Result.accepted: "handed_over",
    Result.bad_address: "rejected",
    Result.refused: "rejected",
    Result.uncertain: "unknown",
}

Write = Callable[[], Awaitable[Email | Letter | Sms]]


@dataclass(frozen=True)
class Providers:
    mail: MailGateway
    post: PostGateway
    sms: SmsGateway
    # how long an e-mail or SMS whose fate is unknown may still surface in the provider's search
    settling: timedelta


@dataclass(frozen=True)
class Outcome:
    result: Result
    provider_ref: str | None = None
    reason: str | None = None


class Carrier:
    def __init__(self, pool: Pool, providers: Providers) -> None:
        self._pool = pool
        self._providers = providers

    async def carry(self, claim: asyncpg.Record, medium: Medium, write: Write) -> Outcome:
        """Safe to repeat after a crash anywhere. `claim`: the row as claimed for this attempt; `write` writes the
        message for `medium`, when it is to leave. Raises ApplicationError (`ProviderUnavailable`, `OutcomeUnknown`),
        both to be tried again."""
        in_doubt = claim["calling_since"] is not None
        settled = in_doubt and claim["calling_seconds"] >= self._providers.settling.total_seconds()
        try:
            if medium is Medium.post:
                ref = await self._post(claim, write)
            else:
                ref = await self._send(claim, medium, write, in_doubt, settled)
        except Refused as refused:
            result = Result.refused if refused.reason in _NOT_ABOUT_THE_ADDRESS else Result.bad_address
            return Outcome(result, reason=refused.reason.value)
        except CannotTell:
            return Outcome(Result.uncertain, reason="cannot_tell")
        except Unavailable as unavailable:
            if not in_doubt:
                await self._not_calling(claim)
            delay = timedelta(seconds=unavailable.retry_after) if unavailable.retry_after else None
            raise ApplicationError(str(unavailable), type="ProviderUnavailable", next_retry_delay=delay) from None
        except Ambiguous as ambiguous:
            raise ApplicationError(
                str(ambiguous), type="OutcomeUnknown", next_retry_delay=min(_LOOK_AGAIN, self._providers.settling)
            ) from None
        return Outcome(Result.accepted, provider_ref=ref)

    async def _send(self, claim: asyncpg.Record, medium: Medium, write: Write, in_doubt: bool, settled: bool) -> str:
        """An e-mail or an SMS: where a former call is in doubt, look before sending again."""
        dispatch_id: UUID = claim["id"]
        gateway: MailGateway | SmsGateway = self._providers.mail if medium is Medium.email else self._providers.sms
        if in_doubt:
            if await self._seen_at_provider(dispatch_id):
                return ""
            try:
                found = await gateway.find(str(dispatch_id))
            except CannotTell:
                if settled:
                    raise
                raise Ambiguous("still settling") from None
            if found is not None:
                return found.provider_ref
            if not settled:
                raise Ambiguous("not seen yet")
        written = await write()
        await self._calling(claim)
        if isinstance(written, Email):
            return (await self._providers.mail.send(written)).provider_ref
        assert isinstance(written, Sms), "a letter is posted"
        return (await self._providers.sms.send(written)).provider_ref

    async def _post(self, claim: asyncpg.Record, write: Write) -> str:
        """A letter: the gateway itself looks up what a former attempt did before it goes on."""
        dispatch_id: UUID = claim["id"]
        letter = await write()
        assert isinstance(letter, Letter), "written for the post"

        async def remember(ref: str) -> None:
            async with system(self._pool) as connection:
                if not await connection.fetchval(dispatches.REMEMBER_REF, dispatch_id, ref):
                    raise Ambiguous("another attempt is posting this letter")

        await self._calling(claim)
        return (await self._providers.post.hand_over(letter, claim["provider_ref"], remember)).provider_ref

    async def _calling(self, claim: asyncpg.Record) -> None:
        async with system(self._pool) as connection:
            if not await connection.fetchval(dispatches.CALLING, claim["id"], claim["attempts"]):
                raise Ambiguous("another attempt has taken over")

    async def _not_calling(self, claim: asyncpg.Record) -> None:
        async with system(self._pool) as connection:
            await connection.execute(dispatches.NOT_CALLING, claim["id"], claim["attempts"])

    async def _seen_at_provider(self, dispatch_id: UUID) -> bool:
        async with system(self._pool) as connection:
            seen: bool = await connection.fetchval(dispatches.SEEN_AT_PROVIDER, dispatch_id)
        return seen


async def settle(connection: Connection, claim: asyncpg.Record, outcome: Outcome, at: datetime) -> None:
    """What became of it, in the ledger. Raises ApplicationError (`OutcomeUnknown`): another attempt has taken over."""
    last = await connection.fetchval(
        dispatches.SETTLE,
        claim["id"],
        _LEDGER[outcome.result],
        outcome.reason,
        outcome.provider_ref or None,
        at if outcome.result is Result.accepted else None,
        claim["attempts"],
    )
    if not last:
        raise ApplicationError("another attempt has taken over", type="OutcomeUnknown")


def recorded(claim: asyncpg.Record) -> Outcome:
    """What a former attempt wrote in the ledger."""
    match claim["state"]:
        case "handed_over" | "delivered":
            return Outcome(Result.accepted)
        case "unknown":
            return Outcome(Result.uncertain, reason=claim["reason"])
        case _:
            not_address = claim["reason"] in {reason.value for reason in _NOT_ABOUT_THE_ADDRESS}
            return Outcome(Result.refused if not_address else Result.bad_address, reason=claim["reason"])
