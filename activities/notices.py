"""The activity that hands one notice over, exactly once, and writes what became of it in its row.

As in `activities.hand_over`, `calling_since` stands while nobody knows what came of a call: then the provider is asked
before anything is sent (security.md W-10). Whether there is still something to say is looked at with each attempt.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
from prometheus_client import Counter
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.carrying import Providers
from activities.contracts.notices import SEND_NOTICE, NoticeOutcome, NoticeSent
from db import notices
from db.pool import Pool, system
from domain.addresses import PostalAddress, envelope_lines
from domain.identifiers import InvalidValue
from domain.media import Language
from domain.working_time import paris_date
from gateways.access_links import LinkKind, link_address
from gateways.encryption import FieldCipher
from gateways.letter_codes import format_code, hash_secret, new_selector
from gateways.mail import Email
from gateways.outcomes import Ambiguous, CannotTell, RefusalReason, Refused, Unavailable
from gateways.post import Letter
from messages.notices import NoticeContent, NoticeKind, render_notice
from messages.office_letters import ATTENTION, OfficeLetterContent, masked_email, render_office_letter

log = logging.getLogger(__name__)

SENT = Counter("hcr_notices_total", "Notices by kind and what became of them", ["kind", "outcome"])

# The links that notices carry, each made of the notice's subject.
LINKS = {
    NoticeKind.activation: LinkKind.activation,
    NoticeKind.activation_agreement: LinkKind.activation_agreement,
    NoticeKind.activation_told: LinkKind.activation_stop,
    NoticeKind.invitation: LinkKind.invitation,
    NoticeKind.access_offered: LinkKind.invitation,
    NoticeKind.staff_invitation: LinkKind.invitation,
    NoticeKind.recovery_granted: LinkKind.invitation,
    NoticeKind.password_reset: LinkKind.password_reset,
    NoticeKind.phone_loss: LinkKind.phone_loss_stop,
    NoticeKind.email_change: LinkKind.email_change,
    NoticeKind.recovery_told: LinkKind.recovery_stop,
}
_LOOK_AGAIN = timedelta(seconds=15)
_OFFICE = ("office_line1", "office_postcode", "office_city")


class NoticeDesk:
    def __init__(self, pool: Pool, providers: Providers, cipher: FieldCipher, public_base_url: str) -> None:
        self._pool = pool
        self._providers = providers
        self._cipher = cipher
        self._base_url = public_base_url.rstrip("/")

    @activity.defn(name=SEND_NOTICE)
    async def send(self, notice_id: str) -> NoticeSent:
        """Safe to repeat after a crash anywhere. Raises ApplicationError (`ProviderUnavailable`, `OutcomeUnknown`),
        both to be tried again."""
        async with system(self._pool) as connection:
            claim = await connection.fetchrow(notices.CLAIM, UUID(notice_id), notices.GIVE_UP_DAYS)
        if claim is None:
            raise ApplicationError("no such notice", type="UnknownNotice", non_retryable=True)
        if claim["state"] != "prepared":  # a former attempt did it all and was cut off before it could say so
            return NoticeSent(NoticeOutcome(claim["state"]), claim["reason"])
        try:
            sent, ref = await self._call(claim)
        except Refused as refused:
            sent, ref = NoticeSent(NoticeOutcome.refused, refused.reason.value), None
        except CannotTell:
            sent, ref = NoticeSent(NoticeOutcome.unknown, "cannot_tell"), None
        except Unavailable as unavailable:
            delay = timedelta(seconds=unavailable.retry_after) if unavailable.retry_after else None
            raise ApplicationError(str(unavailable), type="ProviderUnavailable", next_retry_delay=delay) from None
        except Ambiguous as ambiguous:
            raise ApplicationError(
                str(ambiguous), type="OutcomeUnknown", next_retry_delay=min(_LOOK_AGAIN, self._providers.settling)
            ) from None
        return await self._settle(claim, sent, ref)

    # --- calling

    async def _call(self, claim: asyncpg.Record) -> tuple[NoticeSent, str | None]:
        """What became of it, and the provider's reference. Raises what the gateways raise."""
        if claim["calling_since"] is not None:
            known = await self._looked_up(claim)
            if known is not None:
                return known
        if claim["overtaken"]:
            return NoticeSent(NoticeOutcome.superseded, claim["overtaken"]), None
        if claim["given_up"]:
            return NoticeSent(NoticeOutcome.unknown, "given_up"), None
        ref = await (self._post(claim) if claim["medium"] == "post" else self._mail(claim))
        return NoticeSent(NoticeOutcome.handed_over), ref

    async def _looked_up(self, claim: asyncpg.Record) -> tuple[NoticeSent, str | None] | None:
        """What became of a former call; None: it was not taken, or (a letter) posting it again looks first.

        Raises Unavailable, Ambiguous (it may still surface), CannotTell.
        """
        too_late = claim["overtaken"] or claim["given_up"]
        if claim["medium"] == "post":
            return (NoticeSent(NoticeOutcome.unknown, "cannot_tell"), None) if too_late else None
        settled = claim["calling_seconds"] >= self._providers.settling.total_seconds()
        try:
            found = await self._providers.mail.find(str(claim["id"]))
        except CannotTell:
            if settled:
                raise
            raise Ambiguous("still settling") from None
        except Unavailable:
            if claim["given_up"]:
                return NoticeSent(NoticeOutcome.unknown, "given_up"), None
            raise
        if found is not None:
            return NoticeSent(NoticeOutcome.handed_over), found.provider_ref
        if not settled:
            raise Ambiguous("not seen yet")
        return None

    async def _mail(self, claim: asyncpg.Record) -> str:
        email = self._email(claim)
        await self._calling(claim)
        try:
            return (await self._providers.mail.send(email)).provider_ref
        except Unavailable:
            if claim["calling_since"] is None:
                await self._not_calling(claim)
            raise

    async def _post(self, claim: asyncpg.Record) -> str:
        """A letter: the gateway itself looks up what a former attempt did before it goes on."""
        notice_id: UUID = claim["id"]
        if any(not claim[field] for field in _OFFICE):
            raise Refused(RefusalReason.bad_address, 0)
        letter = await asyncio.to_thread(self._letter, claim, await self._selector(claim))

        async def remember(ref: str) -> None:
            async with system(self._pool) as connection:
                if not await connection.fetchval(notices.REMEMBER_REF, notice_id, ref):
                    raise Ambiguous("another attempt is posting this letter")

        await self._calling(claim)
        try:
            return (await self._providers.post.hand_over(letter, claim["provider_ref"], remember)).provider_ref
        except Unavailable:
            if claim["calling_since"] is None:
                await self._not_calling(claim)
            raise

    async def _calling(self, claim: asyncpg.Record) -> None:
        async with system(self._pool) as connection:
            if not await connection.fetchval(notices.CALLING, claim["id"], claim["attempts"]):
                raise Ambiguous("another attempt has taken over")

    async def _not_calling(self, claim: asyncpg.Record) -> None:
        async with system(self._pool) as connection:
            await connection.execute(notices.NOT_CALLING, claim["id"], claim["attempts"])

    # --- writing

    def _email(self, claim: asyncpg.Record) -> Email:
        """Raises Refused: nobody to write to."""
        if not claim["recipient"]:
            raise Refused(RefusalReason.bad_address, 0)
        kind = NoticeKind(claim["kind"])
        secret_link = ""
        if kind in LINKS:
            secret_link = link_address(
                self._cipher, self._base_url, LINKS[kind], claim["subject_id"], claim["generation"]
            )
        rendered = render_notice(
            kind,
            NoticeContent(
                base_url=self._base_url,
                secret_link=secret_link,
                first_name=claim["first_name"],
                company=claim["company"],
                companies=claim["details"].get("companies") or claim["offered"],
                at=claim["created_at"],
                until=claim["expires_at"],
                effective_at=claim["effective_at"],
                details=claim["details"],
                staff=bool(claim["staff"]),
                names=claim["names"] or {},
            ),
        )
        return Email(
            dispatch_id=str(claim["id"]),
            to=claim["recipient"],
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            kind=kind.value,
            language=Language.fr.value,
        )

    async def _selector(self, claim: asyncpg.Record) -> str:
        """Of the letter's code: made once, the same at every attempt."""
        async with system(self._pool) as connection:
            known: str | None = await connection.fetchval(notices.OFFICE_CODE_OF_NOTICE, claim["id"])
        if known is None:
            secret_hash = await hash_secret(self._cipher.letter_secret(str(claim["id"])))
            async with system(self._pool) as connection:
                await connection.execute(
                    notices.ADD_OFFICE_CODE, claim["id"], claim["company_id"], new_selector(), secret_hash
                )
                known = await connection.fetchval(notices.OFFICE_CODE_OF_NOTICE, claim["id"])
        assert known is not None, "just written"
        return known

    def _letter(self, claim: asyncpg.Record, selector: str) -> Letter:
        """Renders for some tens of milliseconds: call it in a thread. Raises Refused: the address has no room."""
        notice_id = str(claim["id"])
        address = PostalAddress(
            line1=claim["office_line1"],
            line2=claim["office_line2"] or ATTENTION,
            postcode=claim["office_postcode"],
            city=claim["office_city"],
        )
        try:
            lines = envelope_lines(claim["company"], address)
        except InvalidValue:
            raise Refused(RefusalReason.bad_address, 0) from None
        pdf = render_office_letter(
            NoticeKind(claim["kind"]),
            OfficeLetterContent(
                recipient_lines=lines,
                company=claim["company"],
                asked_by=masked_email(claim["asked_by"]),
                asked_on=paris_date(claim["asked_at"]),
                web_address=f"{self._base_url.split('://', 1)[-1]}/acces/code",
                code=format_code(selector, self._cipher.letter_secret(notice_id)),
                until=_last_day(claim["created_at"]),
                sent_on=paris_date(datetime.now(UTC)),
            ),
        )
        return Letter(dispatch_id=notice_id, pdf=pdf, address_lines=lines)

    # --- recording

    async def _settle(self, claim: asyncpg.Record, sent: NoticeSent, ref: str | None) -> NoticeSent:
        async with system(self._pool) as connection:
            row = await connection.fetchrow(
                notices.SETTLE, claim["id"], sent.outcome.value, sent.reason, ref or None, claim["attempts"]
            )
        if row is None:
            raise ApplicationError("another attempt has taken over", type="OutcomeUnknown")
        settled = NoticeSent(NoticeOutcome(row["state"]), row["reason"])
        SENT.labels(claim["kind"], settled.outcome.value).inc()
        if settled.outcome in (NoticeOutcome.refused, NoticeOutcome.unknown):
            log.error("a notice did not leave: %s", settled.reason, extra={"notice": str(claim["id"])})
        return settled


def _last_day(created_at: datetime) -> date:
    """Of a letter's code, in Paris."""
    return paris_date(created_at) + timedelta(days=notices.OFFICE_CODE_DAYS)
