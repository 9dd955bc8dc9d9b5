"""Lives last for months: every recorded path must replay on today's code, and a mistake must be noticed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.histories import corpus
from tests.histories.affiliation_imports import BULK
from tests.histories.contacts import CONTACTS
from tests.histories.coverages import COVERAGES
from tests.histories.dsn import IMPORTS
from tests.histories.exports import EXPORTS
from tests.histories.mutants import ShowsBeforeItRecords, WaitsFirst, WaitsInEveryLife
from tests.histories.notices import NOTICES
from tests.histories.paths import PATHS
from tests.histories.webhooks import WEBHOOKS
from workflows.affiliation import AffiliationWorkflow
from workflows.affiliation_import import AffiliationImportWorkflow
from workflows.company_recovery import CompanyRecoveryWorkflow
from workflows.contact_request import ContactRequestWorkflow
from workflows.converter import DATA_CONVERTER
from workflows.coverage_rights import RightsWorkflow
from workflows.digest import DigestWorkflow
from workflows.dsn_import import DsnImportWorkflow
from workflows.export import ExportWorkflow
from workflows.notice import NoticeWorkflow
from workflows.runners import watchful_runner
from workflows.sweep import SweepWorkflow
from workflows.waiver import WaiverWorkflow
from workflows.webhook import WebhookWorkflow

WORKFLOWS = (
    AffiliationWorkflow,
    WaiverWorkflow,
    SweepWorkflow,
    NoticeWorkflow,
    DigestWorkflow,
    CompanyRecoveryWorkflow,
    ExportWorkflow,
    AffiliationImportWorkflow,
    ContactRequestWorkflow,
    RightsWorkflow,
    DsnImportWorkflow,
    WebhookWorkflow,
)
# what nothing in Temporal may look like: an e-mail, a telephone, a NIR, an IBAN, a link
PERSONAL = re.compile(r"@|\+33|\b[12]\d{12}(?:\d{2})?\b|\bFR\d{2}|https?:|rue |Essai|Camille|HÔTEL", re.IGNORECASE)


def replayer(*workflows: type[Any]) -> Replayer:
    """As the worker runs them."""
    return Replayer(workflows=workflows, workflow_runner=watchful_runner(), data_converter=DATA_CONVERTER)


@pytest.mark.parametrize("name", corpus.names())
async def test_a_recorded_life_replays_on_todays_code(name: str) -> None:
    await replayer(*WORKFLOWS).replay_workflow(corpus.load(name))


@pytest.mark.parametrize(
    ("mutant", "name"),
    [
        (ShowsBeforeItRecords, "withdrawal"),
        (WaitsFirst, "restart"),
        (WaitsInEveryLife, "paper_with_missing_pieces"),
    ],
)
async def test_replaying_notices_a_changed_order_of_commands(mutant: type[Any], name: str) -> None:
    await replayer(AffiliationWorkflow).replay_workflow(corpus.load(name))
    with pytest.raises(NondeterminismError):
        await replayer(mutant).replay_workflow(corpus.load(name))


def test_every_path_is_recorded() -> None:
    assert {*PATHS, *NOTICES, *COVERAGES, *EXPORTS, *IMPORTS, *BULK, *CONTACTS, *WEBHOOKS} <= set(corpus.names())


def test_the_sequence_of_commands_is_the_committed_one() -> None:
    assert corpus.COMMANDS.read_text(encoding="utf-8") == corpus.fingerprint(), "run python -m tests.histories.record"


@pytest.mark.parametrize("name", corpus.names())
def test_a_recorded_life_is_small_and_says_nothing_of_anybody(name: str) -> None:
    text = corpus.text(name)
    assert len(text) < 50_000
    found = [word for word in corpus.words(name) if PERSONAL.search(word)]
    assert not found


def test_what_says_something_of_somebody_would_be_found() -> None:
    for said in ("a@b.fr", "+33612345678", "1900512990001", "190051299000155", "FR7630", "http://x/e/1", "M. Essai"):
        assert PERSONAL.search(said), said
