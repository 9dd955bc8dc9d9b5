"""What a person keeps of the form that they sent: a receipt of one page, in their language, as tagged PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from domain.formulas import parse_formula_code
from domain.media import Language
from domain.working_time import PARIS
from messages import house, typeset
from messages.catalogue import Catalogue, Run, catalogue
from messages.pieces import piece_label
from messages.typeset import Marked


@dataclass(frozen=True)
class CoverageOutcome:
    """`formula`: a code (`BASE CCN HCR NC SEUL RG`). `monthly_price_cents`: None when no tariff covers the day."""

    formula: str
    starts_on: date
    monthly_price_cents: int | None
    dependants: int


@dataclass(frozen=True)
class WaiverOutcome:
    """`reason`: in the person's language. `ends_on`: None when no end is known."""

    reason: str
    ends_on: date | None


@dataclass(frozen=True)
class Signature:
    """`at`: None for a form signed on paper, whose day is written on it. `version`: of the text that was signed."""

    name: str
    at: datetime | None
    version: str


@dataclass(frozen=True)
class ReceiptContent:
    """What a receipt says. Neither NIR nor IBAN: it is kept in drawers and on phones.

    `received`, `missing`: texts of `domain.pieces.Piece`; `names`: first names of dependants, by key. `deadline`: the
    last day for what is missing. `signature`: None when the paper form came back unsigned.
    """

    language: Language
    reference: str
    first_name: str
    last_name: str
    employer: str
    city: str
    received_at: datetime
    channel: Literal["online", "paper"]
    outcome: CoverageOutcome | WaiverOutcome
    received: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    deadline: date | None = None
    signature: Signature | None = None


def render_receipt(content: ReceiptContent) -> bytes:
    """The PDF of this receipt. Raises ValueError for an unknown piece or formula."""
    words = catalogue(content.language)
    reference = typeset.printable(content.reference)
    covered = isinstance(content.outcome, CoverageOutcome)
    moment = {"day": _paris_day(content.received_at, words), "time": words.time(content.received_at)}
    data = {
        **typeset.language_of(words),
        "sizes": typeset.sizes(content.language),
        "reference": reference,
        "words": {
            **{key: words.text(f"receipt.{key}") for key in ("title", "received", "missing", "next", "signature")},
            "tagline": words.text("house.tagline"),
            "document": words.text("receipt.document", house=house.NAME, reference=reference),
            "outcome": words.text("receipt.coverage.heading" if covered else "receipt.waiver.heading"),
            "reference": words.text("letter.reference"),
            "reference_qr": words.text("letter.reference_qr", reference=reference),
        },
        "intro": typeset.marked(words.runs(f"receipt.intro.{content.channel}", name=_name(content), **moment)),
        "facts": [(words.text("receipt.employer"), _plain(_workplace(content, words)))],
        "outcome": [(words.text(f"receipt.{key}"), value) for key, value in _outcome(content.outcome, words)],
        "received": _pieces(content.received, content, words),
        "missing": _pieces(content.missing, content, words),
        "missing_by": typeset.marked(_missing_by(content, words)),
        "next": [typeset.marked(runs) for runs in _next(content, words)],
        "signature": typeset.marked(_signed(content.signature, words)) if content.signature else [],
        "contact": typeset.marked(
            words.runs("receipt.contact", helpline=house.HELPLINE, hours=words.text("house.helpline.hours"))
        ),
    }
    dated = content.received_at.astimezone(PARIS).date()
    return typeset.render("receipt.typ", dated, data, {"reference_qr": typeset.qr_svg(content.reference)})


def _outcome(outcome: CoverageOutcome | WaiverOutcome, words: Catalogue) -> list[tuple[str, Marked]]:
    if isinstance(outcome, WaiverOutcome):
        end = words.full_day(outcome.ends_on) if outcome.ends_on else words.text("receipt.waiver.endless")
        return [
            ("waiver.reason", _plain(outcome.reason)),
            ("waiver.ends_on", _important(end) if outcome.ends_on else _plain(end)),
        ]
    formula = parse_formula_code(outcome.formula)
    rows = [
        (
            "coverage.formula",
            typeset.marked(
                words.runs(
                    "receipt.formula",
                    level=formula.level,
                    family=words.text(f"receipt.family.{formula.family}"),
                    status=words.text(f"receipt.status.{formula.status}"),
                    scheme=words.text(f"receipt.scheme.{formula.scheme}"),
                )
            ),
        ),
        ("coverage.starts_on", _important(words.full_day(outcome.starts_on))),
    ]
    if outcome.monthly_price_cents is not None:
        rows.append(("coverage.price", _plain(words.money(outcome.monthly_price_cents))))
    others = str(outcome.dependants) if outcome.dependants else words.text("receipt.dependants.none")
    return [*rows, ("coverage.dependants", _plain(others))]


def _missing_by(content: ReceiptContent, words: Catalogue) -> list[Run]:
    if content.deadline is None:
        return words.runs("receipt.missing_soon")
    return words.runs("receipt.missing_by", day=words.full_day(content.deadline))


def _next(content: ReceiptContent, words: Catalogue) -> list[list[Run]]:
    steps = [words.runs("receipt.next.check")] if content.received else []
    if isinstance(content.outcome, CoverageOutcome):
        steps.append(words.runs("receipt.next.change"))
    else:
        if content.outcome.ends_on:
            steps.append(words.runs("receipt.next.waiver_ends", day=words.full_day(content.outcome.ends_on)))
        steps.append(words.runs("receipt.next.waiver_change"))
    return [*steps, words.runs("receipt.next.keep")]


def _signed(signature: Signature, words: Catalogue) -> list[Run]:
    said = {
        "name": typeset.breakable(typeset.printable(signature.name)),
        "version": typeset.printable(signature.version),
    }
    if signature.at is None:
        return words.runs("receipt.signed_on_paper", **said)
    return words.runs("receipt.signed", **said, day=_paris_day(signature.at, words), time=words.time(signature.at))


def _pieces(pieces: tuple[str, ...], content: ReceiptContent, words: Catalogue) -> list[str]:
    names = {key: typeset.breakable(typeset.printable(name)) for key, name in content.names.items()}
    return [piece_label(words, piece, names) for piece in pieces]


def _workplace(content: ReceiptContent, words: Catalogue) -> str:
    employer, city = (typeset.breakable(typeset.printable(said)) for said in (content.employer, content.city))
    return words.text("letter.workplace", employer=employer, city=city) if city else employer


def _name(content: ReceiptContent) -> str:
    return typeset.breakable(typeset.printable(f"{content.first_name} {content.last_name}"))


def _paris_day(moment: datetime, words: Catalogue) -> str:
    return words.full_day(moment.astimezone(PARIS).date())


def _plain(text: str) -> Marked:
    return typeset.marked([Run(text, important=False)])


def _important(text: str) -> Marked:
    return typeset.marked([Run(text, important=True)])
