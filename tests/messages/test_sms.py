from __future__ import annotations

import re

import pytest

from domain.media import Language, MessageKind
from messages.catalogue import FRENCH, catalogue
from messages.sms import MAX_CHARACTERS, MAX_WIDE_CHARACTERS, render_sms, septets, wide

# as long as a personal link is: its token has 43 characters
LINK = "https://entreprise.hcrbienetre.example/e/Yk3vQm9ZrT1cXw8LpD2sNfYk3vQm9ZrT1cXw8LpD2sN"


@pytest.mark.parametrize("kind", list(MessageKind))
@pytest.mark.parametrize("language", list(Language))
def test_sms_fits_its_segments(kind: MessageKind, language: Language) -> None:
    text = render_sms(kind, LINK, language)
    assert text.endswith(" " + LINK)
    assert text == f"{catalogue(language).text(f'sms.{kind}')} {LINK}"
    assert not re.search(r"\S [:;?!»]|« ", text)
    if language is Language.ar:
        assert wide(text) <= MAX_WIDE_CHARACTERS  # two segments: the link alone is longer than one
    else:
        assert septets(text) <= MAX_CHARACTERS
    if language in FRENCH:
        assert "\N{NO-BREAK SPACE}" not in text


@pytest.mark.parametrize("language", list(Language))
def test_sms_names_the_sender_and_nobody_else(language: Language) -> None:
    for kind in MessageKind:
        assert re.search("HCR Bien-[EÊ]tre", render_sms(kind, LINK, language))
        assert "{" not in catalogue(language).source(f"sms.{kind}")


@pytest.mark.parametrize("language", list(Language))
def test_sms_refuses_what_does_not_fit(language: Language) -> None:
    with pytest.raises(ValueError, match="too long"):
        render_sms(MessageKind.invitation, "https://a.example/" + "x" * 130, language)
    with pytest.raises(ValueError, match="GSM-7"):
        render_sms(MessageKind.invitation, "https://a.example/ê", language)


def test_an_extended_character_counts_twice() -> None:
    assert septets("a€") == 3
    assert wide("a€") == 2
