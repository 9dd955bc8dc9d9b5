"""The embedded default's boxes: put once, and two domains refused as a provider would."""

from __future__ import annotations

from uuid import uuid4

import pytest

from gateways.local_boxes import LocalBoxes, LocalMail
from gateways.mail import Email
from gateways.outcomes import RefusalReason, Refused
from tests.world import World


def email(to: str) -> Email:
    return Email(
        dispatch_id=str(uuid4()),
        to=to,
        subject="Essai",
        html="<p>Essai</p>",
        text="Essai",
        kind="invitation",
        language="fr",
    )


async def test_an_email_handed_over_twice_lies_there_once(world: World) -> None:
    mail, message = LocalMail(LocalBoxes(world.system)), email("camille@example.fr")
    assert await mail.find(message.dispatch_id) is None
    assert await mail.send(message) == await mail.send(message) == await mail.find(message.dispatch_id)


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        ("inconnu.example.fr", RefusalReason.bad_address),
        ("compte-refuse.example.fr", RefusalReason.not_authorised),
    ],
)
async def test_two_domains_are_refused(world: World, domain: str, reason: RefusalReason) -> None:
    mail, message = LocalMail(LocalBoxes(world.system)), email(f"camille@{domain}")
    with pytest.raises(Refused) as refused:
        await mail.send(message)
    assert refused.value.reason is reason
    assert await mail.find(message.dispatch_id) is None
