"""What the employee completes: as a draft, whatever was typed; as a submission, what the rules accept."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from domain.formulas import levels
from domain.identifiers import IBAN_EXAMPLE, NIR_EXAMPLE, InvalidValue
from messages.words import PIECES
from services.fields import Day, Form, Iban, Name, Nir, between, empty_is_none, today

Typed = Annotated[str | None, Field(max_length=200, examples=["Camille Martin"])]
TypedDay = Annotated[str | None, Field(max_length=200, examples=["2015-03-10"])]
TypedNir = Annotated[str | None, Field(max_length=200, examples=[NIR_EXAMPLE])]


class AsTyped(Form):
    """Not even a space is taken away."""

    model_config = ConfigDict(str_strip_whitespace=False)


class DraftDependant(AsTyped):
    kind: Annotated[Typed, Field(examples=["child"])] = None
    last_name: Typed = None
    first_names: Typed = None
    birth_date: TypedDay = None
    nir: TypedNir = None


class Draft(AsTyped):
    """Saved as typed: nothing is checked before it is sent, so that nothing is lost."""

    nir: TypedNir = None
    level: Annotated[Typed, Field(examples=["BASE"])] = None
    dependants: Annotated[tuple[DraftDependant, ...], Field(max_length=20)] = ()
    iban: Annotated[Typed, Field(examples=[IBAN_EXAMPLE])] = None
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


def _known_piece(piece: str) -> str:
    if piece not in PIECES:
        known = ", ".join(PIECES)
        raise InvalidValue("missing.unknown", f"Choisissez parmi les pièces connues\u00a0: {known}.", "rib")
    return piece


def _without_doubles(pieces: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pieces))


Piece = Annotated[str, Field(max_length=60, examples=["rib"]), AfterValidator(_known_piece)]

DependantBirthDate = Annotated[
    Day,
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
Level = Annotated[str, Field(max_length=40, examples=["BASE"]), AfterValidator(_offered)]


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
    missing: Annotated[
        tuple[Piece, ...], Field(max_length=10, examples=[["rib"]]), AfterValidator(_without_doubles)
    ] = ()
