"""The embedded default's mailbox, phone and letter box: real gateways whose provider is a table of ours.

A message is put in once for its dispatch, however often it is handed over; `/dev` shows what is in there. Two domains
are refused, as a provider would: `@inconnu.example.fr` (no such address) and `@compte-refuse.example.fr` (our account).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from db import local_messages
from db.pool import Pool, system
from gateways.delivery import DeliveryKind
from gateways.mail import Email
from gateways.outcomes import Accepted, RefusalReason, Refused
from gateways.post import Letter
from gateways.sms import Sms

REFUSED_DOMAINS = {
    "inconnu.example.fr": Refused(RefusalReason.bad_address, 400),
    "compte-refuse.example.fr": Refused(RefusalReason.not_authorised, 403),
}


class LocalBoxes:
    """The table the three boxes share."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(
        self,
        dispatch_id: str,
        medium: str,
        kind: str,
        recipient: str,
        *,
        subject: str | None = None,
        html: str | None = None,
        text: str | None = None,
        pdf: bytes | None = None,
    ) -> Accepted:
        async with system(self._pool) as connection:
            await connection.execute(
                local_messages.PUT, UUID(dispatch_id), medium, kind, recipient, subject, html, text, pdf
            )
        return Accepted(f"local-{dispatch_id}")

    async def find(self, dispatch_id: str) -> Accepted | None:
        async with system(self._pool) as connection:
            there = await connection.fetchval(local_messages.HAS, UUID(dispatch_id))
        return Accepted(f"local-{dispatch_id}") if there else None


class LocalMail:
    """A `MailGateway`."""

    def __init__(self, boxes: LocalBoxes) -> None:
        self._boxes = boxes

    async def send(self, email: Email) -> Accepted:
        refused = REFUSED_DOMAINS.get(email.to.rpartition("@")[2])
        if refused is not None:
            raise Refused(refused.reason, refused.status)
        return await self._boxes.put(
            email.dispatch_id,
            "email",
            email.kind,
            email.to,
            subject=email.subject,
            html=email.html,
            text=email.text,
            pdf=email.attachment.pdf if email.attachment else None,
        )

    async def find(self, dispatch_id: str) -> Accepted | None:
        return await self._boxes.find(dispatch_id)


class LocalPost:
    """A `PostGateway`."""

    def __init__(self, boxes: LocalBoxes) -> None:
        self._boxes = boxes

    async def hand_over(
        self, letter: Letter, known_ref: str | None, remember: Callable[[str], Awaitable[None]]
    ) -> Accepted:
        lines = "\n".join(letter.address_lines)
        return await self._boxes.put(letter.dispatch_id, "post", "letter", lines, pdf=letter.pdf)

    async def status(self, ref: str) -> DeliveryKind | None:
        return DeliveryKind.accepted


class LocalSms:
    """An `SmsGateway`."""

    def __init__(self, boxes: LocalBoxes) -> None:
        self._boxes = boxes

    async def send(self, sms: Sms) -> Accepted:
        return await self._boxes.put(sms.dispatch_id, "sms", "sms", sms.to, text=sms.text)

    async def find(self, dispatch_id: str) -> Accepted | None:
        return await self._boxes.find(dispatch_id)
