"""Gateways that do what the address tells them; everything else goes into the local boxes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from activities.carrying import Providers
from gateways.delivery import DeliveryKind
from gateways.mail import Email
from gateways.outcomes import Accepted, Ambiguous, CannotTell, RefusalReason, Refused, Unavailable
from gateways.post import Letter

NOBODY = "refusee@exemple.fr"  # refused: no such address
SUSPENDED = "suspendue@exemple.fr"  # refused: our account
AWAY = "panne@exemple.fr"  # never answers
HICCUP = "hoquet@exemple.fr"  # fails once
LOST_ANSWER = "coupure@exemple.fr"  # takes it, and the answer is lost, once
UNCLEAR_STREET = "1 rue Incertaine"  # nobody can tell whether the first letter left
SOON = 0.01


class ToldMail:
    """A `MailGateway`."""

    def __init__(self, inner: Providers) -> None:
        self._inner = inner.mail
        self._met: set[str] = set()

    async def send(self, email: Email) -> Accepted:
        first = email.dispatch_id not in self._met
        self._met.add(email.dispatch_id)
        match email.to:
            case address if address == NOBODY:
                raise Refused(RefusalReason.bad_address, 400)
            case address if address == SUSPENDED:
                raise Refused(RefusalReason.not_authorised, 403)
            case address if address == AWAY or (address == HICCUP and first):
                raise Unavailable("503", retry_after=600 if address == AWAY else SOON)
            case address if address == LOST_ANSWER and first:
                await self._inner.send(email)
                raise Ambiguous("cut after sending")
        return await self._inner.send(email)

    async def find(self, dispatch_id: str) -> Accepted | None:
        return await self._inner.find(dispatch_id)


class ToldPost:
    """A `PostGateway`."""

    def __init__(self, inner: Providers) -> None:
        self._inner = inner.post
        self._met: set[tuple[str, ...]] = set()

    async def hand_over(
        self, letter: Letter, known_ref: str | None, remember: Callable[[str], Awaitable[None]]
    ) -> Accepted:
        first = letter.address_lines not in self._met
        self._met.add(letter.address_lines)
        if first and any(UNCLEAR_STREET.casefold() in line.casefold() for line in letter.address_lines):
            raise CannotTell("the provider contradicts itself")
        return await self._inner.hand_over(letter, known_ref, remember)

    async def status(self, ref: str) -> DeliveryKind | None:
        return await self._inner.status(ref)


def told(local: Providers) -> Providers:
    """The told gateways in front of the local ones."""
    return Providers(mail=ToldMail(local), post=ToldPost(local), sms=local.sms, settling=local.settling)
