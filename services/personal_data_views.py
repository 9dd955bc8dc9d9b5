"""One person's data as they are handed over: stable names, so that another system can read them (RGPD art. 15, 20)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel


class ContactData(BaseModel):
    """`given_by`: the employer, or the person."""

    given_by: str
    email: str | None
    phone: str | None
    line1: str
    line2: str | None
    postcode: str
    city: str
    country: str
    created_at: datetime


class AnswersData(BaseModel):
    """The form: answers by the path of their question, as typed. `conflicts`: what another device wrote beside."""

    form_version: str | None
    saved_at: datetime | None
    submitted_at: datetime | None
    channel: str | None
    missing: list[str]
    checking: bool
    answers: dict[str, str]
    conflicts: dict[str, str]


class SignatureData(BaseModel):
    name: str | None
    signed_at: datetime
    form_version: str
    text_version: str
    language: str


class DependantData(BaseModel):
    kind: str
    last_name: str
    first_names: str
    birth_date: date
    nir: str | None
    civil_link: str | None
    attached_to: str | None
    student: bool | None


class CoverageData(BaseModel):
    formula: str
    starts_on: date
    ends_on: date | None
    iban: str | None
    account_holder: str | None
    teletransmission: bool
    created_at: datetime
    dependants: list[DependantData]


class WaiverData(BaseModel):
    reason: str
    starts_on: date
    ends_on: date
    ended_on: date | None
    sworn: bool
    created_at: datetime


class DocumentData(BaseModel):
    """`text`: what was read in a PDF. `file`: its name in the archive; null: the antivirus has not seen it yet."""

    id: UUID
    piece: str
    name: str
    text: str | None
    media_type: str
    size: int
    pages: int
    scan: str
    uploaded_by: str
    uploaded_at: datetime
    verdict: str | None
    verdict_reason: str | None
    verdict_at: datetime | None
    file: str | None


class MessageData(BaseModel):
    """`recipient`, `subject`, `text`: where the message itself is kept; without the secret of its link."""

    kind: str
    medium: str
    state: str
    reason: str | None
    prepared_at: datetime
    handed_over_at: datetime | None
    told_at: datetime | None
    recipient: str | None
    subject: str | None
    text: str | None


class EventData(BaseModel):
    kind: str
    at: datetime
    actor_kind: str


class SessionData(BaseModel):
    """One opening of the form by a link or a letter's code."""

    medium: str
    created_at: datetime
    expires_at: datetime


class AccessData(BaseModel):
    """Who did what with the file (« qui a consulté mon dossier »): the kind of person, not their name."""

    at: datetime
    event: str
    actor_kind: str


class AffiliationData(BaseModel):
    id: UUID
    establishment: str
    siret: str
    status: str
    status_at: datetime
    closure: str | None
    declared_at: datetime
    origin: str
    language: str
    hired_on: date
    professional_status: str
    scheme: str
    contract_kind: str
    medium: str
    contacts: list[ContactData]
    answers: AnswersData | None
    signature: SignatureData | None
    coverage: CoverageData | None
    waiver: WaiverData | None
    documents: list[DocumentData]
    messages: list[MessageData]
    events: list[EventData]
    sessions: list[SessionData]
    accesses: list[AccessData]


class PayrollData(BaseModel):
    """A change of rights that the employer's payroll declared (DSN). `declared`: who it said it was of, while kept."""

    recorded_at: datetime
    kind: str
    on_day: date
    reason: str
    state: str
    applied_at: datetime | None
    declared: dict[str, Any] | None


class PersonalData(BaseModel):
    """Everything that is kept of one person at one company."""

    exported_at: datetime
    id: UUID
    company: str
    civility: str
    last_name: str
    birth_name: str
    first_names: str
    birth_date: date
    nir: str | None
    created_at: datetime
    affiliations: list[AffiliationData]
    payroll: list[PayrollData]
