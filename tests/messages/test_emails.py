from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from domain.media import Language, MessageKind
from messages import house
from messages.catalogue import FRENCH, catalogue
from messages.emails import EMAIL_KINDS, EmailContent, RenderedEmail, render_email
from tests.messages.samples import BROKEN_NAME, EMAIL, HOSTILE_NAMES, LONG_NAME, WIDE_NAME, named_email

BAD_SPACE = re.compile(r"\S [:;?!»]|« ")
KINDS = sorted(EMAIL_KINDS)
LANGUAGES = list(Language)
FOREIGN = [language for language in Language if language not in FRENCH]
ISOLATES = re.compile("[\u2068\u2069]")


@dataclass(frozen=True)
class Case:
    """Something that an e-mail is sent to say."""

    name: str
    kind: MessageKind
    changes: dict[str, Any] = field(default_factory=dict)

    def content(self, language: Language = Language.fr) -> EmailContent:
        return replace(EMAIL, language=language, **self.changes)

    def rendered(self, language: Language = Language.fr) -> RenderedEmail:
        return render_email(self.kind, self.content(language))


CASES = [
    *(Case(kind, kind) for kind in KINDS),
    Case("waiver_ended", MessageKind.invitation, {"waiver_ended_on": date(2026, 5, 31)}),
    Case("missing_pieces_reminder", MessageKind.missing_pieces, {"reminder": True, "missing": ("rib",)}),
    Case("confirmation_checking", MessageKind.confirmation, {"checking": True}),
    Case("waiver_confirmation", MessageKind.confirmation, {"outcome": "waiver"}),
    Case("waiver_confirmation_checking", MessageKind.confirmation, {"outcome": "waiver", "checking": True}),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_language = pytest.mark.parametrize("language", LANGUAGES)


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


@every_case
@every_language
def test_every_email_in_every_language(case: Case, language: Language, output: Path) -> None:
    email = case.rendered(language)
    (output / f"email-{case.name}-{language}.html").write_text(email.html, encoding="utf-8")
    (output / f"email-{case.name}-{language}.txt").write_text(email.text, encoding="utf-8")
    words = catalogue(language)
    assert email.subject == words.text(f"email.{case.name}.subject")
    assert f"<title>{email.subject}</title>" in unescape(email.html)
    name = "Madame Martin" if language in FRENCH else "Camille Martin"
    for part in (Page(email.html).text, ISOLATES.sub("", email.text)):
        assert words.source("email.greeting").format(name=name) in part
        assert words.text(f"email.{case.name}.title") in part
        assert words.text(f"email.{case.name}.rest") in part
        assert EMAIL.link in part  # in clear
        assert house.HELPLINE in part
        assert words.text("house.helpline.cost") in part
        assert EMAIL.reference in part
        assert EMAIL.employer in part
        assert "None" not in part
        assert "{" not in part
        assert "**" not in part
        assert not re.search(r"NIR\b", part)


@every_language
def test_language_and_direction(language: Language) -> None:
    direction = "rtl" if language is Language.ar else "ltr"
    tags = Page(render_email(MessageKind.missing_pieces, replace(EMAIL, language=language)).html).tags
    said = [(a["lang"], a["dir"]) for tag, a in tags if tag in ("html", "table") and "lang" in a]
    assert said == [(catalogue(language).html_lang, direction)] * 2  # a client may drop <html>
    assert all(a.get("dir") == "ltr" for tag, a in tags if a.get("href") == EMAIL.link and a.get("class") != "button")
    assert any(tag == "bdi" for tag, _ in tags) == (direction == "rtl")


def test_arabic_is_laid_out_from_the_right() -> None:
    html = render_email(MessageKind.invitation, replace(EMAIL, language=Language.ar)).html
    styles = [a["style"] or "" for _, a in Page(html).tags if "style" in a]
    assert any("border-right: 4px" in style for style in styles)
    assert any("padding-right: 24px" in style for style in styles)
    assert not [style for style in styles if re.search("border-left|padding-left|text-align: ?left", style)]
    assert not [style for style in styles if re.search("letter-spacing: ?-", style)]  # it would part joined letters


@every_case
@every_language
def test_it_says_where_else_it_can_be_read(case: Case, language: Language) -> None:
    email = case.rendered(language)
    others = [other for other in Language if other is not language] if language in FRENCH else [Language.fr]
    for part in (Page(email.html).text, email.text):
        for other in Language:
            line = catalogue(other).text("email.in_this_language")
            assert (line in part) == (other in others)
    spans = [(a["lang"], a["dir"]) for tag, a in Page(email.html).tags if tag == "span" and "lang" in a]
    assert spans == [(catalogue(other).html_lang, catalogue(other).direction) for other in others]


@every_case
@every_language
def test_nothing_is_fetched_and_no_link_is_rewritten(case: Case, language: Language) -> None:
    email = case.rendered(language)
    page = Page(email.html)
    assert set(page.links) == {EMAIL.link, EMAIL.decline_link, house.HELPLINE_URI}
    assert page.links.count(EMAIL.link) == 2  # the button and the address in clear
    assert not {tag for tag, _ in page.tags} & {"img", "script", "link", "iframe", "object", "form", "base"}
    assert not any(name in attributes for _, attributes in page.tags for name in ("src", "background", "srcset"))
    assert "url(" not in email.html
    assert "@import" not in email.html
    assert re.findall(r"https?://[^\s<\"]+", email.text) == [EMAIL.link, EMAIL.decline_link]


@every_case
@every_language
def test_structure(case: Case, language: Language) -> None:
    email = case.rendered(language)
    tags = Page(email.html).tags
    assert sum(tag == "h1" for tag, _ in tags) == 1
    assert all(attributes.get("role") == "presentation" for tag, attributes in tags if tag == "table")
    assert sum("button" in (attributes.get("class") or "").split() for _, attributes in tags) == 1
    assert "prefers-color-scheme: dark" in email.html  # css-inline keeps what cannot be inlined
    assert re.search(r'class="button"[^>]*style="[^"]*background: ?#0f5c4d', email.html)
    assert len(email.html.encode()) < 100_000  # Gmail cuts a longer message
    assert "\n\n\n\n" not in email.text


@every_case
@every_language
def test_subject_is_neutral(case: Case, language: Language) -> None:
    subject = case.rendered(language).subject
    personal = (EMAIL.first_name, EMAIL.last_name, EMAIL.employer, EMAIL.city, EMAIL.reference, EMAIL.link)
    assert not any(value in subject for value in personal)
    revealing = (
        r"sant[ée]|mutuelle|s[ée]curit|médic|assur|dispens|health|insur|exempt|sa[úl]u?d|segur|exenci|صح|تأمين|إعفاء"
    )
    assert not re.search(revealing, subject, re.IGNORECASE)
    named = replace(named_email(BROKEN_NAME), language=language, **case.changes)
    assert subject == render_email(case.kind, named).subject
    assert "\r" not in subject
    assert "\n" not in subject


@every_case
@pytest.mark.parametrize("language", FRENCH)
def test_french_typography(case: Case, language: Language) -> None:
    email = case.rendered(language)
    foreign = [catalogue(other).text("email.in_this_language") for other in FOREIGN]
    for part in (email.subject, Page(email.html).text, email.text):
        for line in foreign:
            part = part.replace(line, "")
        assert not BAD_SPACE.search(part), BAD_SPACE.findall(part)
        assert "'" not in part  # the typographic apostrophe


@every_case
@pytest.mark.parametrize("language", FOREIGN)
def test_no_french_typography_elsewhere(case: Case, language: Language) -> None:
    email = case.rendered(language)
    in_french = catalogue(Language.fr).text("email.in_this_language")
    for part in (email.subject, Page(email.html).text, email.text):
        assert not re.search("[\u00a0\u202f][:;?!»]|«[\u00a0\u202f ]", part.replace(in_french, ""))


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
    assert "Le Grand Hôtel du Port, vous a déclaré" in render_email(MessageKind.invitation, content).text


def test_missing_pieces_are_listed_without_naming_a_dependant() -> None:
    asked = replace(EMAIL, missing=("rib", "school_certificate:k1", "partnership_proof:k2"))
    email = render_email(MessageKind.missing_pieces, asked)
    listed = [
        "RIB (relevé d’identité bancaire)",
        "Certificat de scolarité de votre enfant",
        "Justificatif de mariage, de Pacs ou de vie commune",
    ]
    assert "il nous manque ces documents\u00a0:\n" + "".join(f"- {name}\n" for name in listed) in email.text
    assert all(name in Page(email.html).text for name in listed)
    again = render_email(MessageKind.missing_pieces, replace(asked, refusals={"rib": "unreadable"}))
    assert "- RIB (relevé d’identité bancaire)\n  Nous n’arrivons pas à lire ce document." in again.text
    assert "Nous n’arrivons pas à lire ce document." in Page(again.html).text
    one = render_email(MessageKind.missing_pieces, replace(asked, missing=("rib",)))
    assert "il nous manque ce document\u00a0:" in one.text
    assert "RIB" not in render_email(MessageKind.confirmation, asked).text
    with pytest.raises(ValueError, match="passeport"):
        render_email(MessageKind.missing_pieces, replace(EMAIL, missing=("passeport",)))


def test_a_reminder_of_missing_pieces_says_so() -> None:
    first, again = (
        render_email(MessageKind.missing_pieces, replace(EMAIL, reminder=reminder)) for reminder in (False, True)
    )
    assert again.subject == "Rappel\u00a0: votre dossier n’est pas encore complet"
    assert "Rappel\u00a0:" in Page(again.html).text
    assert "Rappel" not in first.subject + first.text
    for email in (first, again):
        assert "au plus tard le mardi\u00a012\u00a0mai\u00a02026" in email.text


def test_the_end_of_a_waiver_is_told_with_its_day() -> None:
    ended = render_email(MessageKind.invitation, replace(EMAIL, waiver_ended_on=date(2026, 5, 31)))
    assert "prend fin le dimanche\u00a031\u00a0mai\u00a02026" in ended.text
    assert "dispense" not in render_email(MessageKind.invitation, EMAIL).text


def test_a_draft_is_opened_with_the_birth_date() -> None:
    assert "votre date de naissance" in render_email(MessageKind.draft_reminder, EMAIL).text


def test_a_confirmation_confirms_what_happened() -> None:
    texts = {case.name: case.rendered().text for case in CASES if case.kind is MessageKind.confirmation}
    assert [name for name, text in texts.items() if "dispense" in text] == [
        "waiver_confirmation",
        "waiver_confirmation_checking",
    ]
    checking = "Nous vérifions vos documents. Nous vous écrivons s’il manque quelque chose."
    assert [name for name, text in texts.items() if checking in text] == [
        "confirmation_checking",
        "waiver_confirmation_checking",
    ]
    assert not any(("plus rien à" in text) == (checking in text) for text in texts.values())
    assert not any("au plus tard" in text for text in texts.values())


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
