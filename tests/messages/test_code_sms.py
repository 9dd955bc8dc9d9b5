from __future__ import annotations

import pytest

from messages.code_sms import render_code_sms
from messages.sms import MAX_CHARACTERS, septets

HOST = "entreprise.hcrbienetre.example"
CODE = "048291"


def test_a_code_sms_says_whose_it_is_and_not_to_pass_it_on() -> None:
    text = render_code_sms(CODE, HOST)
    assert text.startswith("HCR Bien-Etre")
    assert CODE in text.splitlines()[0]
    assert "ne le communiquez à personne" in text.lower()


def test_a_code_sms_ends_with_the_line_that_a_browser_reads() -> None:
    *_, empty, last = render_code_sms(CODE, HOST).split("\n")
    assert (empty, last) == ("", f"@{HOST} #{CODE}")


def test_a_code_sms_carries_no_link_and_is_one_segment() -> None:
    text = render_code_sms(CODE, HOST)
    assert "http" not in text
    assert "/" not in text
    assert septets(text) <= MAX_CHARACTERS


def test_a_host_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        render_code_sms(CODE, "a" * 80)
    with pytest.raises(ValueError, match="GSM-7"):
        render_code_sms(CODE, "hôte.example")
