"""What can be told at once of an uploaded document, from its text layer and its quality. Advice only: staff decide.

A text layer is messy: ligatures, no-break spaces, words cut by lines, capitals without accents, names in either order,
an IBAN in groups or in the cells of a RIB. So what is typed is searched for in the text, boundaries left aside, before
anything is read from it. Nothing of the text or of what is typed leaves here: codes only. Absent advice says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final, Literal

from schwifty.exceptions import InvalidCountryCode
from schwifty.registry import get_iban_spec
from stdnum.fr import nir as stdnum_nir
from stdnum.iso7064 import mod_97_10

from domain.dependants import AttachedTo
from domain.identifiers import InvalidValue, parse_iban, parse_nir
from domain.names import search_form
from domain.pieces import Piece, PieceCode


class AdviceCode(StrEnum):
    blank = "blank"
    blurred = "blurred"
    too_dark = "too_dark"
    too_small = "too_small"
    not_this_document = "not_this_document"  # it reads like another kind of document
    iban_matches = "iban_matches"
    iban_differs = "iban_differs"
    iban_absent = "iban_absent"
    holder_differs = "holder_differs"
    nir_matches = "nir_matches"
    nir_differs = "nir_differs"
    name_absent = "name_absent"  # the employee's
    dependant_absent = "dependant_absent"
    out_of_date = "out_of_date"


@dataclass(frozen=True)
class Advice:
    """`good`: what is typed was found; `look`: worth a look before it is sent."""

    code: AdviceCode
    level: Literal["good", "look"]


@dataclass(frozen=True)
class ExpectedDependant:
    """What is typed of a dependant; `attached_to`: whose certificate names them."""

    last_name: str | None = field(default=None, repr=False)
    first_names: str | None = field(default=None, repr=False)
    nir: str | None = field(default=None, repr=False)
    attached_to: AttachedTo | None = None


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What is typed so far, as it was typed; None: nothing yet. `dependants` by the keys that pieces carry."""

    today: date
    iban: str | None = field(default=None, repr=False)
    account_holder: str | None = field(default=None, repr=False)
    nir: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    birth_name: str | None = field(default=None, repr=False)
    first_names: str | None = field(default=None, repr=False)
    dependants: Mapping[str, ExpectedDependant] = field(default_factory=dict, repr=False)


def advise(piece: Piece, text: str, quality: tuple[str, ...], expected: Expected) -> tuple[Advice, ...]:
    """The advice on a document given as `piece`, of text layer `text` (empty: none) and known defects `quality`.

    Only the first 20 000 characters are read. A photo or scan has no text: nothing is compared. What reads like another
    document is told so, and not compared. Unknown defects are passed over.
    """
    codes = [code for code in _QUALITY if code in quality]
    read = _Text(text)
    if read.tokens:
        codes += [AdviceCode.not_this_document] if _is_another(piece, read) else _comparisons(piece, read, expected)
    return tuple(Advice(code, "good" if code in _GOOD else "look") for code in dict.fromkeys(codes))


_QUALITY: Final = (AdviceCode.blank, AdviceCode.blurred, AdviceCode.too_dark, AdviceCode.too_small)
_GOOD: Final = frozenset([AdviceCode.iban_matches, AdviceCode.nir_matches])
_CERTIFICATES: Final = frozenset(
    [
        PieceCode.social_security_certificate,
        PieceCode.partner_social_security_certificate,
        PieceCode.child_social_security_certificate,
    ]
)
_DATED: Final = _CERTIFICATES | {PieceCode.school_certificate, PieceCode.waiver_proof}


def _comparisons(piece: Piece, text: _Text, expected: Expected) -> Iterator[AdviceCode]:
    subject = expected.dependants.get(piece.subject or "")
    if piece.code is PieceCode.rib:
        yield from _on_iban(text, expected.iban)
        if text.enough and not _names_holder(text, expected.account_holder):
            yield AdviceCode.holder_differs
    if piece.code is PieceCode.social_security_certificate:
        yield from _on_nir(text, expected.nir)
    if piece.code in _CERTIFICATES and subject and subject.nir:
        # A child's own number seldom stands on the certificate of a parent, whose number does.
        of_a_parent = subject.attached_to in (AttachedTo.employee, AttachedTo.partner, AttachedTo.both)
        is_child = piece.code is PieceCode.child_social_security_certificate
        yield from _on_nir(text, subject.nir, others=is_child and of_a_parent)
    if text.enough:
        yield from _on_names(piece, text, expected, subject)
    if piece.code in _DATED and _is_out_of_date(piece, text, expected.today):
        yield AdviceCode.out_of_date


# --- which document it is

_SIGNS_OF_RIB: Final = ("releve d identite bancaire", "code guichet", "cle rib", "titulaire du compte")
_SIGNS_OF_CERTIFICATE: Final = (
    "attestation de droits",
    "attestation de securite sociale",
    "droits a l assurance maladie",
    "caisse primaire d assurance maladie",
    "mutualite sociale agricole",
    "ameli fr",
    "cpam",
)
_SIGNS_OF_IDENTITY: Final = (
    "carte nationale d identite",
    "carte d identite",
    "passeport",
    "titre de sejour",
    "permis de conduire",
)
_SIGNS_OF_PAYSLIP: Final = ("bulletin de paie", "bulletin de salaire", "net a payer avant impot", "net imposable")
_SIGNS_OF_SCHOOL: Final = ("certificat de scolarite", "annee scolaire", "annee universitaire", "scolarite")
_SIGNS_OF_UNION: Final = (
    "mariage",
    "maries",
    "epoux",
    "livret de famille",
    "pacte civil de solidarite",
    "pacs",
    "concubin",
    "vie commune",
    "vie maritale",
)
_SIGNS_OF_COVER: Final = ("mutuelle", "complementaire", "garanties", "couverture", "contrat")

# Of each document: words that it may hold, and words of those often given in its place. A pay slip may prove the reason
# of a waiver (10 % of pay), and so may a certificate (C2S); the RIB of a joint account shows a common life.
_SIGNS: Final[Mapping[PieceCode, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    PieceCode.rib: (
        (*_SIGNS_OF_RIB, "iban", "rib"),
        (*_SIGNS_OF_CERTIFICATE, *_SIGNS_OF_IDENTITY, *_SIGNS_OF_PAYSLIP, *_SIGNS_OF_SCHOOL),
    ),
    **{
        certificate: (
            _SIGNS_OF_CERTIFICATE,
            (*_SIGNS_OF_RIB, *_SIGNS_OF_IDENTITY, *_SIGNS_OF_PAYSLIP, *_SIGNS_OF_SCHOOL),
        )
        for certificate in _CERTIFICATES
    },
    PieceCode.school_certificate: (
        _SIGNS_OF_SCHOOL,
        (*_SIGNS_OF_RIB, *_SIGNS_OF_CERTIFICATE, *_SIGNS_OF_IDENTITY, *_SIGNS_OF_PAYSLIP),
    ),
    PieceCode.partnership_proof: (
        _SIGNS_OF_UNION,
        (*_SIGNS_OF_CERTIFICATE, *_SIGNS_OF_IDENTITY, *_SIGNS_OF_PAYSLIP),
    ),
    PieceCode.waiver_proof: (_SIGNS_OF_COVER, (*_SIGNS_OF_RIB, *_SIGNS_OF_IDENTITY)),
}


def _is_another(piece: Piece, text: _Text) -> bool:
    """Whether no word of the document asked for stands in the text, and a word of another does."""
    own, others = _SIGNS.get(piece.code, ((), ()))
    return any(map(text.says, others)) and not any(map(text.says, own))


# --- bank details

_RIB_CELLS: Final = (5, 5, 11, 2)  # bank, branch, account, key
_IBAN_BEGINS: Final = re.compile(r"(?=[A-Z]{2}[0-9]{2})")


def _on_iban(text: _Text, typed: str | None) -> Iterator[AdviceCode]:
    iban = _normalised(parse_iban, typed)
    if iban and (iban in text.squeezed or (iban[:2] in ("FR", "MC") and iban[4:] in text.figures)):
        yield AdviceCode.iban_matches
    elif _holds_iban(text):
        if iban:
            yield AdviceCode.iban_differs
    elif text.enough:
        yield AdviceCode.iban_absent


def _holds_iban(text: _Text) -> bool:
    """Whether any valid IBAN stands in the text, or the four cells of a RIB that make one."""
    return any(_normalised(parse_iban, candidate) for candidate in _iban_candidates(text))


def _iban_candidates(text: _Text) -> Iterator[str]:
    for begins in _IBAN_BEGINS.finditer(text.squeezed):
        try:
            length = get_iban_spec(text.squeezed[begins.start() :][:2]).iban_length
        except InvalidCountryCode:
            continue
        candidate = text.squeezed[begins.start() : begins.start() + length]
        if mod_97_10.is_valid(candidate[4:] + candidate[:4]):  # much quicker than all of parse_iban
            yield candidate
    for number, word in enumerate(text.figure_words):
        cells = text.figure_words[number : number + 4]
        if len(word) == 5 and tuple(map(len, cells)) == _RIB_CELLS:
            # A right RIB key makes 76 the key of every French IBAN (89, 15 and 3 are its weights modulo 97).
            yield "FR76" + "".join(cells)


_CIVILITIES: Final = frozenset(["m", "mr", "mme", "mlle", "monsieur", "madame", "mademoiselle", "ou", "et"])


def _names_holder(text: _Text, typed: str | None) -> bool:
    """Whether two words of the holder's name stand in the text, a first name maybe by its initial; nothing typed: yes.

    Banks shorten first names and leave out the second; one name in common may be a relative's.
    """
    words = [word for word in _words(typed) if word not in _CIVILITIES]
    words = [word for word in words if len(word) > 2] or words
    found = [text.says(word) for word in words]
    initials = sum(word[0] in text.tokens for word, is_found in zip(words, found, strict=True) if not is_found)
    return sum(found) + (initials if any(found) else 0) >= min(2, len(words))


# --- social-security numbers

# 13 characters in their groups, then maybe the key. Every repetition is bounded and no two of them begin alike, so a
# text is read in one pass.
_GAP: Final = r"[\s.\-/|\u2010-\u2015]{0,3}"
_NIR: Final = re.compile(
    rf"(?<![0-9])(?=(?P<body>[1-478]{_GAP}[0-9]{{2}}{_GAP}[0-9]{{2}}{_GAP}"
    rf"(?:(?:[0-9]{{2}}|2[AB]){_GAP}[0-9]{{3}}|[0-9]{{3}}{_GAP}[0-9]{{2}}){_GAP}[0-9]{{3}})"
    rf"(?:{_GAP}(?:CLE)?[ :]{{0,3}}(?P<key>[0-9]{{2}}))?(?![0-9]))"
)


def _on_nir(text: _Text, typed: str | None, *, others: bool = False) -> Iterator[AdviceCode]:
    """`others`: the numbers of other people are expected too, so a missing one tells nothing."""
    nir = _normalised(parse_nir, typed)
    if nir is None:
        return
    if nir[:13] in text.squeezed:
        yield AdviceCode.nir_matches
    elif not others and any(map(_is_nir, _NIR.finditer(text.upper))):
        yield AdviceCode.nir_differs


def _is_nir(found: re.Match[str]) -> bool:
    """Whether the characters make a NIR. Without its key a number counts only when it is written in groups."""
    body = re.sub(r"[^0-9AB]", "", found["body"])
    if found["key"] is None and len(found["body"]) < len(body) + 4:
        return False
    key = found["key"] or str(stdnum_nir.calc_check_digits(body))
    return _normalised(parse_nir, body + key) is not None


# --- names


def _on_names(piece: Piece, text: _Text, expected: Expected, subject: ExpectedDependant | None) -> Iterator[AdviceCode]:
    of_employee = (PieceCode.social_security_certificate, PieceCode.waiver_proof, PieceCode.partnership_proof)
    if piece.code in of_employee:
        last_names = (expected.last_name, expected.birth_name)
        if not _names_person(text, last_names, expected.first_names):
            yield AdviceCode.name_absent
    named = [subject] if subject else []
    if piece.code is PieceCode.social_security_certificate:
        theirs = (AttachedTo.employee, AttachedTo.both)
        named = [dependant for dependant in expected.dependants.values() if dependant.attached_to in theirs]
    for dependant in named:
        if not _names_person(text, (dependant.last_name,), dependant.first_names):
            yield AdviceCode.dependant_absent


def _names_person(text: _Text, last_names: tuple[str | None, ...], first_names: str | None) -> bool:
    """Whether a whole last name and one of the first names stand in the text, in any order; what is not typed does."""
    typed = [words for words in map(_words, last_names) if words]
    has_last_name = not typed or any(all(map(text.says, words)) or text.says("".join(words)) for words in typed)
    return has_last_name and (not _words(first_names) or any(map(text.says, _words(first_names))))


# --- dates

_MONTHS: Final = (
    *("janvier", "fevrier", "mars", "avril", "mai", "juin"),
    *("juillet", "aout", "septembre", "octobre", "novembre", "decembre"),
)
_MADE: Final = frozenset(["le", "date", "edition", "emission"])
# « né(e) le » reads « ne e le »
_NOT_MADE: Final = frozenset(["ne", "nee", "e", "naissance", "depuis", "effet", "compter"])
_UNTIL: Final = frozenset(["jusqu", "jusque", "expire", "expirant", "fin"])
_A_YEAR: Final = timedelta(days=366)


def _is_out_of_date(piece: Piece, text: _Text, today: date) -> bool:
    """Whether the document says so itself: the day or the school year it holds until, or else the day it was made.

    A day of making, « le 12/03/2024 », counts only when no date at all of the text is within a year: lists of rights
    are full of dates.
    """
    dates = list(_dates(text.tokens))
    if piece.code is PieceCode.school_certificate:
        ends = list(_school_years(text.tokens))
        if ends:
            return today > date(max(ends), 10, 31)  # universities begin the next one in the course of October
    until = [day for day, before in dates if _UNTIL & set(before) or _ends_period(before)]
    if until:
        return max(until) < today
    made = [day for day, before in dates if _MADE & set(before[-1:]) and not _NOT_MADE & set(before)]
    return bool(made) and max(day for day, _ in dates) < today - _A_YEAR


def _ends_period(before: tuple[str, ...]) -> bool:
    """« du 01/11/2025 au »."""
    return len(before) > 1 and before[-1] == "au" and _number(before[-2]) >= 1900


def _dates(tokens: tuple[str, ...]) -> Iterator[tuple[date, tuple[str, ...]]]:
    """Every date, 12/03/2024, 12 mars 2024 or 2024-03-12, with the three words before it."""
    for place in range(len(tokens) - 2):
        day, month, year = tokens[place : place + 3]
        if len(day) == 4:
            day, year = year, day
        numbers = [_number(day.removesuffix("er")), _number(month), _number(year)]
        if month in _MONTHS:
            numbers[1] = _MONTHS.index(month) + 1
        if numbers[2] >= 1900:
            try:
                yield date(numbers[2], numbers[1], numbers[0]), tokens[max(0, place - 3) : place]
            except ValueError:
                continue


def _school_years(tokens: tuple[str, ...]) -> Iterator[int]:
    """The year that each « 2025-2026 » ends in."""
    for first, second in pairwise(tokens):
        if 2000 <= _number(first) < 2100 and _number(second) == _number(first) + 1:
            yield _number(second)


def _number(token: str) -> int:
    """-1 for what is no number of a date."""
    return int(token) if len(token) <= 4 and token.isascii() and token.isdigit() else -1


# --- the text


_LONGEST: Final = 20_000  # characters
_WORD: Final = re.compile(r"[^\W_]+")
_ENOUGH: Final = 6  # different words: fewer are the mark of a scanning programme


class _Text:
    """A text layer, in the forms that it is searched in. No repr(): it is personal data."""

    def __init__(self, text: str) -> None:
        plain = _plain(text)
        self.upper = "".join(c for c in unicodedata.normalize("NFD", plain.upper()) if not unicodedata.combining(c))
        self.tokens = _words(plain)
        self._words = frozenset(self.tokens)
        self._joined = "".join(self.tokens)
        self.squeezed = _only_figures_and_capitals(self.upper)
        # the words with a figure in them: the cells of a RIB, their titles left out
        self.figure_words = tuple(w.upper() for w in self.tokens if any("0" <= c <= "9" for c in w))
        self.figures = _only_figures_and_capitals("".join(self.figure_words))

    @property
    def enough(self) -> bool:
        """Whether there is so much text that what is not there is missing."""
        return len(self._words) >= _ENOUGH

    def says(self, words: str) -> bool:
        """Whether words in search form stand in the text; long ones even when lines or spaces cut them elsewhere."""
        joined = words.replace(" ", "")
        return joined in self._words or (len(joined) >= 5 and joined in self._joined)


def _plain(text: str) -> str:
    """The beginning of a text without ligatures, no-break spaces and invisible marks (soft hyphens)."""
    folded = unicodedata.normalize("NFKC", text[:_LONGEST])[:_LONGEST]
    return "".join(char for char in folded if unicodedata.category(char) != "Cf")


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(_WORD.findall(search_form(_plain(text or ""))))


def _only_figures_and_capitals(text: str) -> str:
    return re.sub(r"[^0-9A-Z]", "", text)


def _normalised(parse: Callable[[str], str], typed: str | None) -> str | None:
    """What was typed or found, None when it is not valid."""
    try:
        return parse(typed) if typed else None
    except InvalidValue:
        return None
