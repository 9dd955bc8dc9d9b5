"""What a person is told of their rights once their work contract has ended, by e-mail or by post, in their language.

One text for both: a subject and a few paragraphs, `coverage.…` in the catalogues. No personal link: there is nothing to
fill in, and a proof comes by post or is announced by phone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from domain.coverage_rights import EarlyEnd, Opening, RightsMessage
from domain.media import Language
from messages import emails, house, typeset
from messages.catalogue import FRENCH, Catalogue, catalogue
from messages.certificates import CertificateContent, Portability, radiation_page
from messages.emails import RenderedEmail
from messages.typography import NBSP, one_line

MAX_LINES = 6
MAX_LINE_CHARACTERS = 38

_EARLY = (EarlyEnd.no_proof, EarlyEnd.new_job, EarlyEnd.retirement)  # those that have words of their own
Paragraph = tuple[str, dict[str, object]]  # key, values


@dataclass(frozen=True)
class CoverageContent:
    """What a message says. `opening`, `first`, `last`: of portability, None where it is not open; `proof_by`: the last
    day for the proof that is awaited; `proven_until`: the last day that one covers; `evin_by`: the last day to ask for
    the individual contract. `ended`: the cover was said to end and does not."""

    first_name: str
    last_name: str
    civility: str
    employer: str
    city: str
    language: Language
    reference: str
    sent_on: date
    contract_ends_on: date | None = None
    covered_until: date | None = None
    opening: Opening = Opening.closed
    first: date | None = None
    last: date | None = None
    proof_by: date | None = None
    proven_until: date | None = None
    early: EarlyEnd | None = None
    evin_by: date | None = None


def coverage_email(message: RightsMessage, content: CoverageContent) -> RenderedEmail:
    """The e-mail of this message."""
    words = catalogue(content.language)
    subject = words.text(f"coverage.{message}.subject")
    paragraphs = list(_paragraphs(message, content, words))
    # a page for whoever reads the e-mail, and plain words beside it: one text, marked or not
    values = {
        "subject": subject,
        "addressee": one_line(f"{_called(content)} {content.last_name}"),
        "says": [words.html(key, **said) for key, said in paragraphs],
        "plainly": [words.text(key, **said) for key, said in paragraphs],
        "reference": one_line(content.reference),
    }
    return emails.render("coverage", words, values)


def coverage_letter(
    message: RightsMessage,
    content: CoverageContent,
    recipient_lines: tuple[str, ...],
    certificate: CertificateContent | None = None,
) -> bytes:
    """The PDF of this message: one page, and the certificate behind it. Raises ValueError when the address does not fit
    the window."""
    recipient = [typeset.printable(line) for line in recipient_lines]
    if not 1 <= len(recipient) <= MAX_LINES or any(len(line) > MAX_LINE_CHARACTERS for line in recipient):
        raise ValueError(f"an address has 1 to {MAX_LINES} lines of at most {MAX_LINE_CHARACTERS} characters")
    words = catalogue(content.language)
    reference = typeset.printable(content.reference)
    name = typeset.breakable(typeset.printable(f"{_called(content)} {content.last_name}"))
    data: dict[str, Any] = {
        **typeset.language_of(words),
        "sizes": typeset.sizes(content.language),
        "tagline": words.text("house.tagline"),
        "hours": words.text("house.helpline.hours"),
        "cost": words.text("house.helpline.cost"),
        "title": words.text("letter.title", house=house.NAME, reference=reference),
        "subject": words.text(f"coverage.{message}.subject"),
        "greeting": words.text("letter.greeting", name=name),
        "sent_on": words.text("letter.sent_on", day=words.full_day(content.sent_on)),
        "question": words.text("letter.question"),
        "in_french": words.text("letter.in_french", helpline=house.HELPLINE),
        "personal": words.text("coverage.personal"),
        "reference": reference,
        "reference_name": words.text("letter.reference"),
        "reference_qr_name": words.text("letter.reference_qr", reference=reference),
        "recipient": recipient,
        "sender": [typeset.printable(line) for line in house.RETURN_ADDRESS],
        "says": [typeset.marked(words.runs(key, **said)) for key, said in _paragraphs(message, content, words)],
        "certificate": radiation_page(certificate, certified(content)) if certificate else None,
    }
    return typeset.render("coverage_letter.typ", content.sent_on, data, {"reference_qr": typeset.qr_svg(reference)})


def certified(content: CoverageContent) -> Portability:
    """What the certificate that goes with a message says of portability."""
    return Portability(content.opening.value, content.first, content.last)


def _paragraphs(message: RightsMessage, content: CoverageContent, words: Catalogue) -> Iterator[Paragraph]:
    workplace = typeset.breakable(typeset.printable(content.employer))
    if content.city:
        city = typeset.breakable(typeset.printable(content.city))
        workplace = words.text("email.workplace", employer=workplace, city=city)

    def day(known: date | None) -> str:
        assert known is not None, "a day that this message says"
        return words.day(known)

    match message:
        case RightsMessage.cover_end:
            ended, until = day(content.contract_ends_on), day(content.covered_until)
            yield "coverage.cover_end.until", {"workplace": workplace, "ended": ended, "until": until}
            if content.opening is Opening.open:
                yield "coverage.cover_end.open", {"first": day(content.first), "last": day(content.last)}
                yield "coverage.proof.send", {"day": day(content.proof_by), "address": _address()}
                yield "coverage.proof.tell", {}
            else:
                yield f"coverage.cover_end.{content.opening}", {}
                yield from _evin(content, words)
            yield "coverage.cover_end.certificate", {}
        case RightsMessage.proof_reminder:
            if content.proven_until is None:
                yield "coverage.proof_reminder.first", {"workplace": workplace}
            else:
                yield "coverage.proof_reminder.again", {"day": day(content.proven_until)}
            yield "coverage.proof.send", {"day": day(content.proof_by), "address": _address()}
            yield "coverage.proof.without", {}
        case RightsMessage.portability_end:
            yield "coverage.portability_end.body", {"workplace": workplace, "day": day(content.last)}
            if content.early in _EARLY:
                yield f"coverage.portability_end.{content.early}", {}
            yield from _evin(content, words)
        case RightsMessage.rights_restored:
            if content.contract_ends_on is None:
                yield "coverage.rights_restored.cancelled", {"workplace": workplace}
            else:
                yield "coverage.rights_restored.resumed", {"day": day(content.last)}
            yield "coverage.rights_restored.nothing", {}


def _evin(content: CoverageContent, words: Catalogue) -> Iterator[Paragraph]:
    if content.evin_by is not None and content.opening is not Opening.review:
        yield "coverage.evin", {"day": words.day(content.evin_by), "helpline": house.HELPLINE}


def _called(content: CoverageContent) -> str:
    return content.civility if content.civility and content.language in FRENCH else content.first_name


def _address() -> str:
    return ", ".join(line.replace(" ", NBSP) for line in house.RETURN_ADDRESS)
