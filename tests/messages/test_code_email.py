"""The e-mail with a code: the code, in the person's language, and nothing about anybody."""

from __future__ import annotations

import re

import pytest

from domain.media import Language
from messages import house
from messages.catalogue import catalogue
from messages.code_email import render_code_email


@pytest.mark.parametrize("language", list(Language))
def test_it_says_the_code_how_long_it_is_valid_and_that_it_is_nobody_else_s(language: Language) -> None:
    words, mail = catalogue(language), render_code_email("042137", language)
    assert mail.subject == words.text("email.code.subject")
    assert "042137" not in mail.subject
    assert re.search(r"^042137$", mail.text, re.MULTILINE)
    assert "042137" in mail.html
    assert f'lang="{words.html_lang}" dir="{words.direction}"' in mail.html
    for text in (mail.text, mail.html):
        assert "10" in text
        assert words.text("email.code.not_asked")[:20] in text


@pytest.mark.parametrize("language", list(Language))
def test_it_has_no_link_but_the_helpline(language: Language) -> None:
    mail = render_code_email("042137", language)
    assert set(re.findall(r'href="([^"]+)"', mail.html)) == {house.HELPLINE_URI}
    assert "http" not in mail.text
