from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import pytest

from domain import affiliation, media
from domain.employment import ContractKind
from domain.formulas import ProfessionalStatus, Scheme
from domain.identifiers import Civility
from domain.insured import ContractState
from gateways.delivery import DeliveryKind
from gateways.outcomes import RefusalReason
from messages import words
from messages.typography import french, one_line

BAD_SPACE = re.compile(r"\S [:;?!»]|« ")
FAILING = {DeliveryKind.soft_bounced, DeliveryKind.bounced, DeliveryKind.dropped, DeliveryKind.complained}
FAILING |= {DeliveryKind.rejected, DeliveryKind.returned}


@pytest.mark.parametrize(
    ("label", "codes"),
    [
        (words.status_label, affiliation.Status),
        (words.medium_label, media.Medium),
        (words.message_kind_label, media.MessageKind),
        (words.message_state_label, ("prepared", "handed_over", "delivered", "rejected", "unknown")),
        (words.failure, FAILING | set(RefusalReason) | {"wrong_person"}),
        (words.closure_reason_label, affiliation.Closure),
        (words.decline_reason_label, affiliation.DeclineReason),
        (words.pause_reason_label, affiliation.PauseReason),
        (words.attention_label, affiliation.Attention),
        (words.CIVILITIES.__getitem__, Civility),
        (words.PROFESSIONAL_STATUSES.__getitem__, ProfessionalStatus),
        (words.SCHEMES.__getitem__, Scheme),
        (words.CONTRACT_KINDS.__getitem__, ContractKind),
        (words.LANGUAGES.__getitem__, media.Language),
        (words.contract_state_label, ContractState),
        (words.active_status_label, ProfessionalStatus),
    ],
)
def test_every_code_has_words(label: Callable[[str], object], codes: Iterable[str]) -> None:
    for code in codes:
        assert label(code)
    with pytest.raises(KeyError):
        label("nothing_of_the_kind")


def test_the_guides_own_words() -> None:
    assert words.status_label("sent") == "Envoyé à l'employé"
    assert words.status_label("started") == "Démarré par le salarié"
    assert words.medium_label("post") == "Courrier postal"


def test_words_are_typographically_french() -> None:
    catalogues = [words.STATUSES, words.MEDIA, words.MESSAGE_STATES, words.MESSAGE_KINDS]
    catalogues += [words.CLOSURE_REASONS, words.DECLINE_REASONS, words.PAUSE_REASONS, words.ATTENTIONS]
    said = [text for catalogue in catalogues for text in catalogue.values()]
    said += [text for failure in words.FAILURES.values() for text in (failure.what, failure.correct)]
    assert not [text for text in said if BAD_SPACE.search(text)]


def test_french_spaces() -> None:
    assert french("Qui ? Moi : « oui » ; non !") == "Qui\u202f? Moi\u00a0: «\u00a0oui\u00a0»\u202f; non\u202f!"
    assert french("https://a.example/x?y={{ z }}") == "https://a.example/x?y={{ z }}"


def test_one_line() -> None:
    assert one_line("  Anne\r\n\tMarie\u202e\x00 ") == "Anne Marie"
    assert one_line("E\u0301lise") == "Élise"
