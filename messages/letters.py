"""The letters written to an employee, as PDF: the letter in their language, then the pre-filled paper form.

Each letter is one folded A4 sheet for a French DL window envelope. Tagged, PDF/UA-1 and PDF/A-2a.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from domain.media import Language, MessageKind
from messages import house, typeset
from messages.catalogue import Catalogue, Run, catalogue
from messages.forms import FormContent, form_data
from messages.pieces import asked_pieces
from messages.typography import NBSP

MAX_LINES = 6
MAX_LINE_CHARACTERS = 38
MAX_PIECES = 12  # listed: a family of six at its worst; more would not fit a page

LETTER_KINDS = frozenset(
    {
        MessageKind.invitation,
        MessageKind.postal_fallback,
        MessageKind.reminder,
        MessageKind.draft_reminder,
        MessageKind.employer_reminder,
        MessageKind.missing_pieces,
    }
)

_FRENCH = (Language.fr, Language.falc)


@dataclass(frozen=True)
class LetterContent:
    """What a letter says of one affiliation.

    `recipient_lines`: 1 to 6 lines of at most 38 characters, as in the window. `civility` as it is read (« Madame »,
    « Monsieur ») or "". `web_address`: short, to be typed (« hcrbienetre.fr/code »). `code`: in its groups, printed as
    given. `qr_link`: what the QR code holds. `deadline`: last day to answer, None when there is none to tell.
    `missing`: texts of `domain.pieces.Piece`, shown by `missing_pieces` only, with the first names of dependants of
    `names`, by key, and why a piece is asked for again (`refusals`, a code by piece). `sent_on`: the date of the
    letter. `reminder`: missing pieces asked for again. `waiver_ended_on`: the exemption whose end this invitation
    follows.
    """

    recipient_lines: tuple[str, ...]
    first_name: str
    last_name: str
    civility: str
    employer: str
    city: str
    web_address: str
    code: str
    qr_link: str
    deadline: date | None
    missing: tuple[str, ...]
    language: Language
    reference: str
    sent_on: date
    sender_lines: tuple[str, ...] = house.RETURN_ADDRESS
    names: Mapping[str, str] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)
    reminder: bool = False
    waiver_ended_on: date | None = None


def render_letter(kind: MessageKind, content: LetterContent, form: FormContent | None) -> bytes:
    """The PDF of this letter: two pages, one for `missing_pieces`, which has no form.

    `form` pre-fills page 2; None leaves its boxes empty, the reference stays. Raises ValueError when the kind is never
    sent by post (`confirmation`), the address does not fit the window or a piece is unknown.
    """
    if kind not in LETTER_KINDS:
        raise ValueError(f"{kind} is not sent by post")
    recipient = [typeset.printable(line) for line in content.recipient_lines]
    if not 1 <= len(recipient) <= MAX_LINES or any(len(line) > MAX_LINE_CHARACTERS for line in recipient):
        raise ValueError(f"an address has 1 to {MAX_LINES} lines of at most {MAX_LINE_CHARACTERS} characters")
    asks_for_pieces = kind is MessageKind.missing_pieces
    words = catalogue(content.language)
    reference = typeset.printable(content.reference)
    steps = "letter.steps.pieces" if asks_for_pieces else "letter.steps.form"
    data = {
        **typeset.language_of(words),
        "sizes": typeset.sizes(content.language),
        "words": _words(kind, content, words),
        "languages": [(other.html_lang, other.text("letter.language")) for other in _others(content.language)],
        "recipient": recipient,
        "sender": [typeset.printable(line) for line in content.sender_lines],
        "body": typeset.marked(_body(kind, content, words)),
        "missing": _missing(content, words) if asks_for_pieces else [],
        "web_address": typeset.printable(content.web_address),
        "code": typeset.printable(content.code),
        "steps": [typeset.marked(words.runs(f"{steps}.{rank}")) for rank in (1, 2, 3)],
        "closing": [typeset.marked(runs) for runs in _closing(content, words, asks_for_pieces)],
        "reference": reference,
        "form": None if asks_for_pieces else form_data(form or FormContent(), content.reference),
    }
    codes = {"qr": typeset.qr_svg(content.qr_link), "reference_qr": typeset.qr_svg(content.reference)}
    return typeset.render("letter.typ", content.sent_on, data, codes)


def _words(kind: MessageKind, content: LetterContent, words: Catalogue) -> dict[str, str]:
    reference = typeset.printable(content.reference)
    first = content.civility if content.civility and content.language in _FRENCH else content.first_name
    return {
        **{
            key: words.text(f"letter.{key}")
            for key in (
                "languages",
                "question",
                "code.address",
                "code.code",
                "code.qr",
                "data",
                "reference",
            )
        },
        "tagline": words.text("house.tagline"),
        "hours": words.text("house.helpline.hours"),
        "cost": words.text("house.helpline.cost"),
        "title": words.text("letter.title", house=house.NAME, reference=reference),
        "in_french": words.text("letter.in_french", helpline=house.HELPLINE),
        "sent_on": words.text("letter.sent_on", day=words.full_day(content.sent_on)),
        "subject": words.text(f"letter.{_case(kind, content)}.subject"),
        "greeting": words.text(
            "letter.greeting", name=typeset.breakable(typeset.printable(f"{first} {content.last_name}"))
        ),
        "reference_qr": words.text("letter.reference_qr", reference=reference),
    }


def _body(kind: MessageKind, content: LetterContent, words: Catalogue) -> list[Run]:
    employer, city = (typeset.breakable(typeset.printable(said)) for said in (content.employer, content.city))
    workplace = words.text("letter.workplace", employer=employer, city=city) if city else employer
    day = words.full_day(content.waiver_ended_on) if content.waiver_ended_on else ""
    return words.runs(f"letter.{_case(kind, content)}.body", workplace=workplace, day=day)


def _case(kind: MessageKind, content: LetterContent) -> str:
    if kind is MessageKind.invitation and content.waiver_ended_on:
        return "invitation.waiver_ended"
    if kind is MessageKind.missing_pieces and content.reminder:
        return "missing_pieces.again"
    return kind.value


def _missing(content: LetterContent, words: Catalogue) -> list[tuple[str, str]]:
    """(label, why it is asked for again)."""
    names = {key: typeset.breakable(typeset.printable(name)) for key, name in content.names.items()}
    asked = [(one.label, one.reason) for one in asked_pieces(words, content.missing, names, content.refusals)]
    if len(asked) <= MAX_PIECES:
        return asked
    return [*asked[: MAX_PIECES - 1], (words.text("letter.missing_others"), "")]


def _closing(content: LetterContent, words: Catalogue, asks_for_pieces: bool) -> list[list[Run]]:
    what = "pieces" if asks_for_pieces else "form"
    closing = [
        words.runs(f"letter.paper.{what}", address=_on_one_line(house.RETURN_ADDRESS))
        if asks_for_pieces
        else words.runs("letter.paper.form"),
        words.runs("letter.not_you", helpline=house.HELPLINE),
    ]
    if content.deadline:
        closing.insert(0, words.runs(f"letter.deadline.{what}", day=words.full_day(content.deadline)))
    return closing


def _on_one_line(address: tuple[str, ...]) -> str:
    return ", ".join(line.replace(" ", NBSP) for line in address)


def _others(language: Language) -> list[Catalogue]:
    """The languages that a French letter says the form can be read in; the others say that they exist in French."""
    return [catalogue(other) for other in _OFFERED if other is not language] if language in _FRENCH else []


_OFFERED = (Language.en, Language.pt, Language.es, Language.ar, Language.falc)
