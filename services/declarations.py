"""What an employer fills in about an affiliation: the pre-affiliation, a corrected contact, reasons."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from domain.affiliation import Closure, PauseReason, Verdict
from domain.employment import ContractKind
from domain.formulas import ProfessionalStatus, Scheme
from domain.identifiers import Civility
from domain.media import Language, Medium, MessageKind
from services.fields import (
    AddressLine,
    City,
    Day,
    Form,
    Name,
    Nir,
    OptionalEmail,
    OptionalLine,
    OptionalPhone,
    Postcode,
    Siret,
    between,
    today,
)

OLDEST_YEARS = 110
YOUNGEST_YEARS = 14  # the age from which school holidays' work is allowed (Code du travail, art. L4153-3)


def _years_ago(years: int) -> date:
    return today() - timedelta(days=round(365.25 * years))


BirthDate = Annotated[
    Day,
    between(
        lambda: _years_ago(OLDEST_YEARS),
        lambda: _years_ago(YOUNGEST_YEARS),
        "Cette date de naissance n’est pas celle d’une personne en âge de travailler.",
        "1990-05-12",
    ),
    Field(examples=["1990-05-12"]),
]
HiredOn = Annotated[
    Day,
    between(
        lambda: _years_ago(5),
        lambda: today() + timedelta(days=366),
        "La date d’embauche se situe entre il y a cinq ans et dans un an.",
        "2026-12-01",
    ),
    Field(examples=["2026-12-01"]),
]


class Address(Form):
    """Where the employee lives; as typed, it must fit the window of an envelope."""

    line1: AddressLine
    line2: OptionalLine = None
    postcode: Postcode
    city: City
    country: Literal["FR"] = "FR"


class DeclaredEmployee(Form):
    civility: Civility
    last_name: Name
    birth_name: Name
    first_names: Name
    birth_date: BirthDate
    nir: Nir
    email: OptionalEmail = None
    phone: OptionalPhone = None
    language: Language = Language.fr
    address: Address


class PreAffiliation(Form):
    """« Pré-affiliation »: the employer's declaration of one new employee."""

    siret: Siret
    employee: DeclaredEmployee
    hired_on: HiredOn
    professional_status: ProfessionalStatus
    scheme: Scheme
    contract_kind: ContractKind
    medium: Literal[Medium.email, Medium.post] | None = None


class CorrectedContact(Form):
    """What changes; what is left out stays, an empty e-mail or phone is removed."""

    email: OptionalEmail = None
    phone: OptionalPhone = None
    address: Address | None = None


class WithdrawalReason(StrEnum):
    not_hired = "not_hired"
    left = "left"
    duplicate = "duplicate"
    mistake = "mistake"
    other = "other"

    @property
    def closure(self) -> Closure:
        return Closure(f"withdrawn_{self.value}")


class Withdrawal(Form):
    reason: WithdrawalReason


class Pause(Form):
    reason: PauseReason


class Skip(Form):
    """The automatic message that need not leave, by the `kind` and `number` of the calendar."""

    kind: Literal[MessageKind.reminder, MessageKind.draft_reminder, MessageKind.postal_fallback] = Field(
        examples=["reminder"]
    )
    number: Annotated[int, Field(ge=1, le=100, examples=[1])]


class WaiverEnd(Form):
    """The reason of a waiver has gone before its time; `on`: its last day."""

    on: Annotated[Day, Field(examples=["2026-11-30"])]


class DoubtResolution(Form):
    """What staff found out about the message in doubt."""

    verdict: Verdict
