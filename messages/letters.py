"""The letters written to an employee, as PDF: the letter, then the pre-filled paper form.

Each letter is one folded A4 sheet for a French DL window envelope. Tagged, PDF/UA-1 and PDF/A-2a.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from domain.media import Language, MessageKind
from messages import house, typeset
from messages.forms import FormContent, form_data
from messages.typography import date_in_words, list_item
from messages.words import piece_label

MAX_LINES = 6
MAX_LINE_CHARACTERS = 38

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


@dataclass(frozen=True)
class LetterContent:
    """What a letter says of one affiliation.

    `recipient_lines`: 1 to 6 lines of at most 38 characters, as in the window. `civility` as it is read (« Madame »,
    « Monsieur ») or "". `web_address`: short, to be typed (« hcrbienetre.fr/code »). `code`: in its groups, printed as
    given. `qr_link`: what the QR code holds. `deadline`: last day to answer, None when there is none to tell.
    `missing`: codes of `words.PIECES`, shown by `missing_pieces` only. `sent_on`: the date of the letter.
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


def render_letter(kind: MessageKind, content: LetterContent, form: FormContent | None) -> bytes:
    """The PDF of this letter: two pages, one for `missing_pieces`, which has no form.

    `form` pre-fills page 2; None leaves its boxes empty, the reference stays. Raises ValueError when the kind is never
    sent by post (`confirmation`) or the address does not fit the window, KeyError for an unknown piece.
    """
    if kind not in LETTER_KINDS:
        raise ValueError(f"{kind} is not sent by post")
    recipient = [typeset.printable(line) for line in content.recipient_lines]
    if not 1 <= len(recipient) <= MAX_LINES or any(len(line) > MAX_LINE_CHARACTERS for line in recipient):
        raise ValueError(f"an address has 1 to {MAX_LINES} lines of at most {MAX_LINE_CHARACTERS} characters")
    with_form = kind is not MessageKind.missing_pieces
    data = {
        "kind": kind.value,
        "lang": house.written_language(content.language).value,
        "recipient": recipient,
        "sender": [typeset.printable(line) for line in content.sender_lines],
        "addressee": typeset.printable(f"{content.civility or content.first_name} {content.last_name}"),
        "employer": typeset.printable(content.employer),
        "city": typeset.printable(content.city),
        "web_address": typeset.printable(content.web_address),
        "code": typeset.printable(content.code),
        "deadline": content.deadline and date_in_words(content.deadline),
        "missing": [list_item(piece_label(code)) for code in content.missing],
        "reference": typeset.printable(content.reference),
        "sent_on": date_in_words(content.sent_on),
        "form": form_data(form, content.reference) if with_form else None,
    }
    codes = {"qr": typeset.qr_svg(content.qr_link), "reference_qr": typeset.qr_svg(content.reference)}
    return typeset.render("letter.typ", content.sent_on, data, codes)
