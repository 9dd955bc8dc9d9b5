"""Every language says what French says, with the same values, and nothing is said that nothing uses."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from domain.media import Language, MessageKind
from domain.pieces import PieceCode
from messages import house, legal
from messages.catalogue import FRENCH, LOCALES, catalogue
from messages.pieces import piece_label
from messages.typography import NBSP, french

ROOT = Path(__file__).parents[2]
AREAS = sorted(path.stem for path in (LOCALES / "fr").glob("*.po"))
TRANSLATIONS = [language for language in Language if language is not Language.fr]
FOREIGN = [language for language in Language if language not in FRENCH]
# French on purpose: a line for whoever helps the person to read.
IN_FRENCH_EVERYWHERE = re.compile(r"(^|\.)in_french$")
# Names and words that are the same in both languages.
SAME_WORDS = {"Signature", "IBAN", "Complémentaire santé solidaire (C2S)"}

PUBLISHED = {"2026-11.toml": "14fc3fdcf767e65a79eb1c6f9e3ab1d4a927c77b002a74a8718d02d80476dc98"}
LEGAL_NAMES = sorted(tomllib.loads((ROOT / "messages" / "legal" / "2026-11.toml").read_text(encoding="utf-8")))

EMAIL_NAMES = {
    "invitation",
    "waiver_ended",
    "reminder",
    "draft_reminder",
    "employer_reminder",
    "missing_pieces",
    "missing_pieces_reminder",
    "confirmation",
    "confirmation_checking",
    "waiver_confirmation",
    "waiver_confirmation_checking",
}
EMAIL_TEXTS = {"subject", "preheader", "title", "opening", "rest", "button"}
# Keys that are put together where they are used, and every one of which must be there.
FAMILIES = {
    "email": {f"email.{name}.{text}" for name in EMAIL_NAMES for text in EMAIL_TEXTS},
    "sms": {f"sms.{kind}" for kind in MessageKind},
    "piece": {f"piece.{code}" for code in PieceCode},
    # the notice: beside a translation, on the form's pages
    "legal": {"legal.translation_notice"}
    | {f"legal.{version.removesuffix('.toml')}.{name}" for version in PUBLISHED for name in LEGAL_NAMES},
}


@cache
def area_of(language: Language, area: str) -> Catalog:
    with (LOCALES / language.value / f"{area}.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def texts_of(language: Language, area: str) -> dict[str, tuple[str, ...]]:
    """As they stand in the file: each key with its forms."""
    return {
        message.id if isinstance(message.id, str) else message.id[0]: (message.string,)
        if isinstance(message.string, str)
        else tuple(message.string or ())
        for message in area_of(language, area)
        if message.id
    }


def said(language: Language, area: str) -> Iterator[tuple[str, str]]:
    for key, forms in texts_of(language, area).items():
        for form in forms:
            yield key, form


def values_in(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


# --- the same in every language


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("area", AREAS)
def test_exactly_the_keys_of_french_and_none_empty(language: Language, area: str) -> None:
    expected = set(texts_of(Language.fr, area))
    if area == "legal" and language is not Language.fr:  # the French texts stand in messages/legal
        expected |= FAMILIES["legal"]
    assert set(texts_of(language, area)) == expected
    assert not [key for key, text in said(language, area) if not text.strip()]


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("area", AREAS)
def test_the_same_values_and_marks(language: Language, area: str) -> None:
    reference = texts_of(Language.fr, area)
    for key, text in said(language, area):
        if key not in reference:
            continue
        assert values_in(text) - {"count"} == values_in(reference[key][0]) - {"count"}, key
        assert text.count("**") == reference[key][0].count("**"), key
        assert text.count("**") % 2 == 0, key


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("area", AREAS)
def test_every_plural_form(language: Language, area: str) -> None:
    plurals = {key: forms for key, forms in texts_of(language, area).items() if len(forms) > 1}
    assert {len(forms) for forms in plurals.values()} <= {area_of(language, area).num_plurals}
    assert set(plurals) == {key for key, forms in texts_of(Language.fr, area).items() if len(forms) > 1}
    for key in plurals:
        for count in (0, 1, 2, 3, 11, 100):
            assert catalogue(language).source(key, count)


@pytest.mark.parametrize("language", FOREIGN)
@pytest.mark.parametrize("area", AREAS)
def test_nothing_is_left_in_french(language: Language, area: str) -> None:
    reference = texts_of(Language.fr, area)
    left = [
        key
        for key, forms in texts_of(language, area).items()
        if forms == reference.get(key)
        and not IN_FRENCH_EVERYWHERE.search(key)
        and re.search(r"[^\W\d_]{3}", re.sub(r"{\w+}", "", forms[0]))
        and forms[0] not in SAME_WORDS
    ]
    assert not left


# --- as it is written


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("area", AREAS)
def test_no_markup_and_no_stray_space(language: Language, area: str) -> None:
    for key, text in said(language, area):
        assert not re.search(r"<[a-z/!]|&[a-z#]\w*;", text, re.IGNORECASE), key
        assert text == text.strip(), key
        assert "  " not in text, key


@pytest.mark.parametrize("language", FRENCH)
@pytest.mark.parametrize("area", AREAS)
def test_french_typography_in_french(language: Language, area: str) -> None:
    for key, text in said(language, area):
        assert not re.search(r"\S [:;?!»]|« ", french(text)), key
        assert not re.search(r"\w[:;?!](\s|$)", text), key  # the space before is typed
        if area != "sms":  # GSM-7 has no typographic apostrophe
            assert "'" not in text, key


@pytest.mark.parametrize("language", FOREIGN)
@pytest.mark.parametrize("area", AREAS)
def test_no_french_typography_elsewhere(language: Language, area: str) -> None:
    for key, text in said(language, area):
        if not IN_FRENCH_EVERYWHERE.search(key):
            assert not re.search(r"\s[:;?!»]|«\s", text), key


@pytest.mark.parametrize("area", AREAS)
def test_arabic_is_arabic_with_western_digits(area: str) -> None:
    for key, text in said(Language.ar, area):
        if not IN_FRENCH_EVERYWHERE.search(key):
            assert not re.search(r"[٠-٩۰-۹]", text), key
            assert not re.search(r"[؀-ۿ] ?[,;?]", text), key  # ، ؛ ؟


@pytest.mark.parametrize("area", ["email", "house", "legal", "piece", "sms"])
def test_easy_french_has_short_sentences(area: str) -> None:
    for key, text in said(Language.falc, area):
        for sentence in re.split(r"[.?!:]+(?:\s|$)", text):
            assert len(sentence.split()) <= 20, (key, sentence)


# --- used, and there


def _sources(*folders: str) -> Iterator[str]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".html", ".txt", ".typ"):
                yield path.read_text(encoding="utf-8")


@cache
def _literals() -> frozenset[str]:
    """Every string of our code that begins as a key; what is put in later stands as {}."""
    areas = "|".join(sorted({key.split(".")[0] for area in AREAS for key in texts_of(Language.falc, area)}))
    literal = re.compile(rf"""["']((?:{areas})\.[^"'\s]*)["'](\s*~)?""")
    found = set()
    for source in _sources("messages", "portal", "services", "web", "api", "activities"):
        for text, goes_on in literal.findall(source):
            found.add(re.sub(r"{[^}]*}", "{}", text) + ("{}" if goes_on else ""))
    return frozenset(found)


def _pattern(literal: str) -> re.Pattern[str]:
    return re.compile(".+".join(re.escape(part) for part in literal.split("{}")))


@pytest.mark.parametrize("area", AREAS)
def test_every_text_is_used(area: str) -> None:
    keys = set(texts_of(Language.falc, area))
    patterns: Sequence[re.Pattern[str]] = [_pattern(text) for text in _literals() if text != "email.{}"]
    unused = {key for key in keys - FAMILIES.get(area, set()) if not any(p.fullmatch(key) for p in patterns)}
    # a person's documents by name: the other key of the same document
    unused -= {f"{key}.of" for key in FAMILIES["piece"]}
    assert not unused


def _asked() -> list[str]:
    called = re.compile(r"""(?:\bsay|\bt|\.text|\.html|\.runs)\(\s*["']([a-z_]+\.[a-z_0-9.]*[a-z_0-9])["']""")
    return sorted({key for source in _sources("messages", "portal", "services") for key in called.findall(source)})


@pytest.mark.parametrize("group", sorted({key.split(".")[0] for key in _asked()}))
def test_every_text_that_is_asked_for_is_there(group: str) -> None:
    keys = catalogue(Language.falc).keys
    assert not [key for key in _asked() if key.startswith(f"{group}.") and key not in keys]


@pytest.mark.parametrize(("area", "family"), FAMILIES.items())
def test_every_text_of_a_family_is_there(area: str, family: set[str]) -> None:
    assert family <= set(texts_of(Language.falc, area))


# --- documents, legal texts, the house


@pytest.mark.parametrize("language", list(Language))
def test_names_of_documents(language: Language) -> None:
    words = catalogue(language)
    for code in PieceCode:
        label = piece_label(words, code.value)
        assert label[:1] == label[:1].upper()
        assert "{" not in label
    of_a_child = piece_label(words, "school_certificate:k1", {"k1": "Noa"})
    assert "Noa" in of_a_child
    assert piece_label(words, "school_certificate:k2", {"k1": "Noa"}) == piece_label(words, "school_certificate")
    assert piece_label(words, "rib:k1", {"k2": "Noa"}) == piece_label(words, "rib")


def test_names_of_documents_in_french() -> None:
    words = catalogue(Language.fr)
    assert piece_label(words, "rib") == "RIB (relevé d’identité bancaire)"
    assert piece_label(words, "school_certificate:k1", {"k1": "Alix"}) == "Certificat de scolarité pour Alix"
    with pytest.raises(ValueError, match="passeport"):
        piece_label(words, "passeport")


@pytest.mark.parametrize("path", sorted((ROOT / "messages" / "legal").glob("*.toml")), ids=lambda path: path.name)
def test_a_published_legal_text_is_never_edited(path: Path) -> None:
    assert hashlib.sha256(path.read_bytes()).hexdigest() == PUBLISHED[path.name], "write a new version instead"


@pytest.mark.parametrize("name", LEGAL_NAMES)
def test_every_legal_text_has_a_translation(name: str) -> None:
    text = legal.legal_text(name, "2026-11")
    assert text.sha256 == hashlib.sha256(text.french.encode()).hexdigest()
    assert text.french == french(text.french)
    assert "'" not in text.french
    assert legal.translation(name, Language.fr) is None
    for language in TRANSLATIONS:
        translated = legal.translation(name, language)
        assert translated
        assert len(legal.paragraphs(translated)) == len(legal.paragraphs(text.french))
        assert translated.count("**") == text.french.count("**")
        assert not values_in(translated)
        assert set(re.findall(r"\d{2,}", translated)) == set(re.findall(r"\d{2,}", text.french))


def test_legal_versions() -> None:
    assert legal.current_version() == "2026-11"
    assert {f"{legal.current_version()}.toml"} <= set(PUBLISHED)
    for name, version in (("nothing", "2026-11"), ("information", "2020-01"), ("information", "../house")):
        with pytest.raises(KeyError):
            legal.legal_text(name, version)
    (paragraph,) = legal.paragraphs("**<b>**")
    assert paragraph == "<strong>&lt;b&gt;</strong>"


def test_the_house_says_its_hours_once() -> None:
    words = catalogue(Language.fr)
    assert words.text("house.helpline.hours") == house.HELPLINE_HOURS.replace(NBSP, " ")
    assert house.HELPLINE in legal.legal_text("information", "2026-11").french
