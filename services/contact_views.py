"""Requests to HCR Bien-Être, as the doors receive and show them: to employers, and to staff."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from domain.contact import GROUPS, REASONS, ContactState
from domain.identifiers import InvalidValue
from services.fields import Form

# security.md U-01, B-01
MOST_FILES: Final = 6
MOST_BYTES_IN_ALL: Final = 25 * 1024 * 1024
MOST_CHARACTERS: Final = 4_000
_EXAMPLE: Final = "Bonjour, je souhaite connaître le montant de nos cotisations du mois d’octobre."
_SUBJECT: Final = "Cotisations d’octobre"
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _known(reason: str) -> str:
    if reason not in REASONS:
        raise InvalidValue("contact.reason", "Choisissez un motif de la liste.", next(iter(REASONS)))
    return reason


def _written(text: str) -> str:
    """Some lines of text, in one way to end a line."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if any((unicodedata.category(mark) == "Cc" and mark not in "\n\t") or mark in _TURNING for mark in text):
        raise InvalidValue("text.characters", "Ce texte contient un caractère invisible.", _EXAMPLE)
    if not any(unicodedata.category(mark)[0] in "LNPS" for mark in text):
        raise InvalidValue("text.empty", "Écrivez votre message.", _EXAMPLE)
    return text


def _one_line(text: str) -> str:
    if any(unicodedata.category(mark) in ("Cc", "Zl", "Zp") or mark in _TURNING for mark in text):
        raise InvalidValue("text.characters", "L’objet tient sur une ligne, sans caractère invisible.", _SUBJECT)
    return unicodedata.normalize("NFC", text)


ReasonCode = Annotated[str, Field(max_length=40, examples=["contributions"]), AfterValidator(_known)]
Message = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS, examples=[_EXAMPLE]), AfterValidator(_written)]
Subject = Annotated[str, Field(min_length=1, max_length=120, examples=[_SUBJECT]), AfterValidator(_one_line)]
Satisfaction = Annotated[int, Field(ge=1, le=5, examples=[5])]


@dataclass(frozen=True)
class UploadedFile:
    """As it was sent: its name counts for nothing but its extension, until `Intake` has looked at the content."""

    name: str
    content: bytes


class NewContact(Form):
    """« Nous contacter ». `company_id`: the one of the perimeter that it is about."""

    company_id: UUID
    reason: ReasonCode
    subject: Subject
    message: Message


class Reply(Form):
    """What is added to a request: by the employer's user, or as an answer by staff."""

    message: Message


class Rating(Form):
    """How satisfied the employer's user is, from 1 to 5."""

    satisfaction: Satisfaction


class ReasonView(BaseModel):
    """`delay`: the expected time in French (« 2 jours ouvrés »). `page`: where the same is done at once, or null."""

    code: str
    label: str
    hours: int
    delay: str
    page: str | None
    page_label: str | None


class ReasonGroup(BaseModel):
    code: str
    label: str
    reasons: list[ReasonView]


class ContactReceipt(BaseModel):
    """`number`: to be quoted (« HCR-2026-000123 »). `due_at`: an answer is due until then."""

    id: UUID
    number: str
    received_at: datetime
    due_at: datetime


class FileState(StrEnum):
    """Only what is `ready` can be downloaded (security.md U-03)."""

    pending = "pending"
    ready = "ready"
    infected = "infected"
    unreadable = "unreadable"


class ContactFileView(BaseModel):
    """`size`: in bytes."""

    id: UUID
    name: str
    media_type: str
    size: int
    state: FileState


class ContactMessageView(BaseModel):
    """`from_staff`: an answer of HCR Bien-Être; `author`: who wrote it, by name: employers are not told which member of
    staff, and nobody a name once the account is deleted."""

    number: int
    from_staff: bool
    author: str | None
    body: str
    at: datetime
    files: list[ContactFileView]


class ContactSummary(BaseModel):
    """One line of « Mes démarches ». `reason_label`, `group_label`: the guide's words."""

    id: UUID
    number: str
    company_id: UUID
    company: str
    reason: str
    reason_label: str
    group_label: str
    subject: str
    state: ContactState
    received_at: datetime
    due_at: datetime
    answered_at: datetime | None
    closed_at: datetime | None
    satisfaction: int | None


class ContactRequests(BaseModel):
    """Newest first."""

    items: list[ContactSummary]
    next_cursor: str | None
    total: int


class ContactRequestView(ContactSummary):
    """`closes_at`: when it is closed unless somebody replies. What can be done now: `can_reply` (not closed),
    `can_reopen` (answered or closed), `can_rate` (the same, and not rated yet)."""

    closes_at: datetime | None
    messages: list[ContactMessageView]
    can_reply: bool
    can_reopen: bool
    can_rate: bool


class ContactFileContent(BaseModel):
    name: str
    media_type: str
    content: bytes


# --- staff


class ContactLine(ContactSummary):
    """One line of « Demandes ». `sender`: null once the account is deleted. `late`: the answer is overdue."""

    siren: str
    sender: str | None
    assigned_to: UUID | None
    assigned_name: str | None
    late: bool
    escalated_at: datetime | None


class ContactQueue(BaseModel):
    """By due date; what is not waiting any more, newest first."""

    items: list[ContactLine]
    next_cursor: str | None
    total: int


class ContactCount(BaseModel):
    """What waits for staff; `mine`: and the caller has taken."""

    waiting: int
    late: int
    mine: int


class ContactCase(ContactLine):
    """`sender_email`: whom the answer's notice goes to. `earlier`: other requests of the same company, newest first."""

    sender_email: str | None
    closes_at: datetime | None
    messages: list[ContactMessageView]
    earlier: list[ContactSummary]
    can_answer: bool
    can_close: bool


def reason_groups() -> list[ReasonGroup]:
    """Every reason, as the guide groups them."""
    return [
        ReasonGroup(
            code=group.code,
            label=group.label,
            reasons=[
                ReasonView(
                    code=one.code,
                    label=one.label,
                    hours=one.hours,
                    delay=delay_in_words(one.hours),
                    page=one.page or None,
                    page_label=one.page_label or None,
                )
                for one in group.reasons
            ],
        )
        for group in GROUPS
    ]


def delay_in_words(hours: int) -> str:
    """« 1 jour ouvré », « 2 jours ouvrés »: eight working hours make a day."""
    days = -(-hours // 8)
    return "1 jour ouvré" if days == 1 else f"{days} jours ouvrés"
