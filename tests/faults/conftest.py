"""A database of their own for systems that break, and providers' stand-ins that fail as told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from temporalio.common import RetryPolicy

from activities.contracts import affiliation as contracts
from local.postgres import PostgresServer
from settings import Settings
from tests.conftest import database_of_its_own
from tests.faults.breaking import changed
from tests.standins.maileva import MailevaStandin
from tests.standins.ovh import OvhStandin
from tests.standins.sendgrid import SendGridStandin

DATABASE = "faults"
PROVIDER_TIMEOUT_SECONDS = 0.4
# As in earnest (`HAND_OVER_RETRY`), on a tenth of its scale.
QUICK_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=0.1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=0.4)
)


@pytest.fixture(scope="session")
async def broken_config(config: Settings, postgres: PostgresServer) -> Settings:
    """The settings of a system with a database of its own, so that sweeps and counts concern nobody else."""
    return changed(
        await database_of_its_own(config, postgres, DATABASE),
        provider_timeout_seconds=PROVIDER_TIMEOUT_SECONDS,
        mail_settling_seconds=1.5,
    )


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries of the workflows scheduled by this process's workers, on a shorter scale."""
    monkeypatch.setattr(contracts, "HAND_OVER_RETRY", QUICK_RETRY)


@pytest.fixture
def sendgrid() -> Iterator[SendGridStandin]:
    with SendGridStandin() as standin:
        yield standin


@pytest.fixture
def maileva() -> Iterator[MailevaStandin]:
    with MailevaStandin() as standin:
        yield standin


@pytest.fixture
def ovh() -> Iterator[OvhStandin]:
    with OvhStandin() as standin:
        yield standin
