"""The stand-ins, a fresh one for each test, and the gateways that talk to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateways.maileva import MailevaPost
from gateways.ovh import OvhSms
from gateways.sendgrid import SendGridMail
from settings import Settings
from tests.standins.maileva import MailevaStandin
from tests.standins.ovh import OvhStandin
from tests.standins.sendgrid import SendGridStandin

TIMEOUT_SECONDS = 0.4


@pytest.fixture
def sendgrid() -> Iterator[SendGridStandin]:
    with SendGridStandin() as standin:
        yield standin


@pytest.fixture
def mail(sendgrid: SendGridStandin) -> SendGridMail:
    return SendGridMail(Settings(**sendgrid.settings, provider_timeout_seconds=TIMEOUT_SECONDS))


@pytest.fixture
def maileva() -> Iterator[MailevaStandin]:
    with MailevaStandin() as standin:
        yield standin


@pytest.fixture
def post(maileva: MailevaStandin) -> MailevaPost:
    return MailevaPost(Settings(**maileva.settings, provider_timeout_seconds=TIMEOUT_SECONDS))


@pytest.fixture
def ovh() -> Iterator[OvhStandin]:
    with OvhStandin() as standin:
        yield standin


@pytest.fixture
def sms(ovh: OvhStandin) -> OvhSms:
    return OvhSms(Settings(**ovh.settings, provider_timeout_seconds=TIMEOUT_SECONDS))
