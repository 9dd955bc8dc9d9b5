"""What the employee completes: as a draft, whatever was typed; as a submission, what the rules accept."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from domain.formulas import levels
from domain.identifiers import InvalidValue
from messages.words import PIECES
from services.fields import Form, Iban, Name, Nir, between, empty_is_none, today

Typed = Annotated[str | None, Field(max_length=200)]


class DraftDependant(Form):
    kind: Typed = None
    last_name: Typed = None
    first_names: Typed = None
    birth_date: Typed = None
    nir: Typed = None


class Draft(Form):
    """Saved as typed: nothing is checked before it is sent, so that nothing is lost."""

    nir: Typed = None
    level: Typed = None
    dependants: Annotated[tuple[DraftDependant, ...], Field(max_length=20)] = ()
    iban: Typed = None
    account_holder: Typed = None
    consent: bool | None = None
    signature: Typed = None


class SaveDraft(Form):
    """`version`: the one this draft was made from, 0 when there is none."""

    version: Annotated[int, Field(ge=0, le=1_000_000, examples=[0])]
    content: Draft


def _offered(level: str) -> str:
    offered = levels(today())
    if level not in offered:
        raise InvalidValue("level.unknown", f"Choisissez un de ces niveaux\u00a0: {', '.join(offered)}.", offered[0])
    return level


def _known_pieces(pieces: tuple[str, ...]) -> tuple[str, ...]:
    for piece in pieces:
        if piece not in PIECES:
            raise InvalidValue("missing.unknown", "Cette pièce n’est pas connue.", "rib")
    return tuple(dict.fromkeys(pieces))


DependantBirthDate = Annotated[
    date,
    between(
        lambda: date(1900, 1, 1),
        today,
        "Cette date de naissance n’est pas possible.",
        "2015-03-10",
    ),
    Field(examples=["2015-03-10"]),
]


class Dependant(Form):
    """« Ayant droit »: partner or child."""

    kind: Literal["partner", "child"]
    last_name: Name
    first_names: Name
    birth_date: DependantBirthDate
    nir: Annotated[Nir | None, BeforeValidator(empty_is_none)] = None


Dependants = Annotated[tuple[Dependant, ...], Field(max_length=20)]
Level = Annotated[str, AfterValidator(_offered), Field(examples=["BASE"])]


class Submission(Form):
    """The completed form, as the employee sends it."""

    nir: Nir
    level: Level
    dependants: Dependants = ()
    iban: Iban
    account_holder: Name
    consent: Literal[True]
    signature: Name


class PaperReturn(Form):
    """The BIA that came back on paper, as staff read it; `missing`: pieces to ask the employee for."""

    level: Level
    dependants: Dependants = ()
    iban: Annotated[Iban | None, BeforeValidator(empty_is_none)] = None
    account_holder: Annotated[Name | None, BeforeValidator(empty_is_none)] = None
    missing: Annotated[tuple[str, ...], AfterValidator(_known_pieces), Field(max_length=10, examples=[["rib"]])] = ()
