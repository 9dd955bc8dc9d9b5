from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from domain.media import Language, MessageKind
from messages import house
from messages.emails import EMAIL_KINDS, RenderedEmail, render_email
from tests.messages.samples import BROKEN_NAME, EMAIL, HOSTILE_NAMES, LONG_NAME, WIDE_NAME, named_email

BAD_SPACE = re.compile(r"\S [:;?!»]|« ")
KINDS = sorted(EMAIL_KINDS)


class Page(HTMLParser):
    """What a reader gets of an HTML e-mail: its words, links and the tags that matter here."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._silent = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._silent += tag in ("style", "title")
        href = dict(attrs).get("href")
        if href is not None:
            self.links.append(href)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"[ \n]+", " ", "".join(self.words))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", list(Language))
def test_every_kind_in_every_language(kind: MessageKind, language: Language, output: Path) -> None:
    email = render_email(kind, replace(EMAIL, language=language))
    (output / f"email-{kind}.html").write_text(email.html, encoding="utf-8")
    (output / f"email-{kind}.txt").write_text(email.text, encoding="utf-8")
    page = Page(email.html)
    tag, attributes = page.tags[0]
    assert (tag, attributes["lang"]) == ("html", "fr")  # the language it is really written in
    assert f"<title>{email.subject}</title>" in unescape(email.html)
    for part in (page.text, email.text):
        assert "Bonjour Madame Martin," in part
        assert EMAIL.link in part  # in clear
        assert house.HELPLINE in part
        assert "Numéro non surtaxé" in part
        assert EMAIL.reference in part
        assert EMAIL.employer in part
        assert "None" not in part
        assert "{" not in part
        assert not re.search(r"(NIR|IBAN)\b", part)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_fetched_and_no_link_is_rewritten(kind: MessageKind) -> None:
    email = render_email(kind, EMAIL)
    page = Page(email.html)
    assert set(page.links) == {EMAIL.link, EMAIL.decline_link, house.HELPLINE_URI}
    assert page.links.count(EMAIL.link) == 2  # the button and the address in clear
    assert not {tag for tag, _ in page.tags} & {"img", "script", "link", "iframe", "object", "form", "base"}
    assert not any(name in attributes for _, attributes in page.tags for name in ("src", "background", "srcset"))
    assert "url(" not in email.html
    assert "@import" not in email.html
    assert re.findall(r"https?://[^\s<\"]+", email.text) == [EMAIL.link, EMAIL.decline_link]


@pytest.mark.parametrize("kind", KINDS)
def test_structure(kind: MessageKind) -> None:
    email = render_email(kind, EMAIL)
    tags = Page(email.html).tags
    assert sum(tag == "h1" for tag, _ in tags) == 1
    assert all(attributes.get("role") == "presentation" for tag, attributes in tags if tag == "table")
    assert sum("button" in (attributes.get("class") or "").split() for _, attributes in tags) == 1
    assert "prefers-color-scheme: dark" in email.html  # css-inline keeps what cannot be inlined
    assert re.search(r'class="button"[^>]*style="[^"]*background: ?#0f5c4d', email.html)
    assert len(email.html.encode()) < 100_000  # Gmail cuts a longer message


@pytest.mark.parametrize("kind", KINDS)
def test_subject_is_neutral(kind: MessageKind) -> None:
    subject = render_email(kind, EMAIL).subject
    personal = (EMAIL.first_name, EMAIL.last_name, EMAIL.employer, EMAIL.city, EMAIL.reference, EMAIL.link)
    assert not any(value in subject for value in personal)
    assert not re.search(r"sant[ée]|mutuelle|s[ée]curit[ée]|médic|assur", subject, re.IGNORECASE)
    assert subject == render_email(kind, named_email(BROKEN_NAME)).subject
    assert "\r" not in subject
    assert "\n" not in subject


@pytest.mark.parametrize("kind", KINDS)
def test_french_typography(kind: MessageKind) -> None:
    email = render_email(kind, EMAIL)
    for part in (email.subject, Page(email.html).text, email.text):
        assert not BAD_SPACE.search(part), BAD_SPACE.findall(part)
        assert "'" not in part  # the typographic apostrophe


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, LONG_NAME, WIDE_NAME])
def test_a_name_is_only_ever_a_name(name: str) -> None:
    plain, email = render_email(MessageKind.invitation, EMAIL), render_email(MessageKind.invitation, named_email(name))
    page = Page(email.html)
    assert f"Bonjour {name} {name}," in page.text
    assert f"Bonjour {name} {name}," in email.text
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in Page(plain.html).tags]
    assert page.links == Page(plain.html).links


def test_line_breaks_and_direction_marks_are_dropped() -> None:
    email = render_email(MessageKind.invitation, named_email(BROKEN_NAME))
    assert "Line Bcc: quelqu-un dautre" in email.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\r\u2028]", email.html + email.text)


def test_what_is_optional_leaves_no_trace() -> None:
    content = replace(EMAIL, civility="", city="", deadline=None)
    for kind in KINDS:
        email = render_email(kind, content)
        assert "Bonjour Camille Martin," in email.text
        assert "au plus tard" not in email.text + email.html
        assert "\n\n\n\n" not in email.text
    assert "Le Grand Hôtel du Port, vous a déclaré" in render_email(MessageKind.invitation, content).text


def test_missing_pieces_are_listed_by_their_names() -> None:
    email = render_email(MessageKind.missing_pieces, EMAIL)
    assert "- RIB (relevé d’identité bancaire)\n- Attestation de droits Sécurité sociale\n" in email.text
    with pytest.raises(KeyError):
        render_email(MessageKind.missing_pieces, replace(EMAIL, missing=("passeport",)))


@pytest.mark.parametrize("link", ["javascript:alert(1)", "entreprise.example/a", "https://a.example/\nx", ""])
def test_a_link_is_a_web_address(link: str) -> None:
    with pytest.raises(ValueError, match="link"):
        render_email(MessageKind.invitation, replace(EMAIL, link=link))


def test_a_kind_that_never_goes_by_email() -> None:
    with pytest.raises(ValueError, match="postal_fallback"):
        render_email(MessageKind.postal_fallback, EMAIL)


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("#22302b", "#ffffff"),
        ("#22302b", "#f4f0e8"),
        ("#56635d", "#f4f0e8"),
        ("#56635d", "#ffffff"),
        ("#0f5c4d", "#f4f0e8"),
        ("#ffffff", "#0f5c4d"),
        ("#e3e6e1", "#1d2421"),
        ("#e3e6e1", "#28322e"),
        ("#b4beb8", "#131816"),
        ("#b4beb8", "#1d2421"),
        ("#7fd1b9", "#1d2421"),
        ("#7fd1b9", "#131816"),
        ("#0c231d", "#7fd1b9"),
    ],
)
def test_contrast_of_the_colours_in_use(text: str, ground: str) -> None:
    html = render_email(MessageKind.invitation, EMAIL).html
    assert text in html
    assert ground in html
    assert _contrast(text, ground) >= 4.5


def test_rendered_email_is_plain_data() -> None:
    assert render_email(MessageKind.reminder, EMAIL) == render_email(MessageKind.reminder, EMAIL)
    assert isinstance(render_email(MessageKind.reminder, EMAIL), RenderedEmail)
