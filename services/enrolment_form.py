"""Reads the answers of an enrolment: as a draft, whatever was typed; when it is sent, what the rules accept.

`domain/enrolment.py` says what is asked; this module how each kind of answer is read, and what the whole comes to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from domain import dependants, formulas, waivers
from domain.addresses import envelope_lines, parse_address
from domain.employment import ContractKind
from domain.enrolment import Case, Form, FormField, Kind, Question, keys_of
from domain.identifiers import (
    Civility,
    InvalidValue,
    masked_iban,
    masked_nir,
    nir_warnings,
    parse_iban,
    parse_nir,
)
from domain.pieces import Piece, PieceCode
from services.fields import (
    AddressLine,
    City,
    Day,
    Email,
    Iban,
    Name,
    Nir,
    Phone,
    Postcode,
    between,
    field_errors,
    today,
)
from services.fields import (
    Form as Body,
)
from services.problems import FieldError, InvalidFields

MOST_ANSWERS = 400

Path = Annotated[str, Field(min_length=1, max_length=60, examples=["nir"])]
Typed = Annotated[str | None, Field(max_length=200, examples=["275067599000197"])]


class SaveDraft(Body):
    """Some answers, as typed: not even a space is taken away. null withdraws an answer.

    `version`: the last one that the person saw, 0 when there was none.
    """

    version: Annotated[int, Field(ge=0, le=1_000_000, examples=[0])]
    answers: Annotated[dict[Path, Typed], Field(max_length=MOST_ANSWERS, examples=[{"nir": "2 75 06"}])]

    model_config = ConfigDict(str_strip_whitespace=False)


class Submission(Body):
    """Sends the draft. `version`: the one that was reviewed. `later`: documents that are still missing follow."""

    version: Annotated[int, Field(ge=1, le=1_000_000, examples=[7])]
    later: bool = False


def _known_piece(text: str) -> str:
    try:
        return str(Piece.parse(text))
    except ValueError:
        known = ", ".join(PieceCode)
        raise InvalidValue("missing.unknown", f"Choisissez parmi les pièces connues\u00a0: {known}.", "rib") from None


PieceText = Annotated[str, Field(max_length=60, examples=["rib"]), AfterValidator(_known_piece)]
Pieces = Annotated[
    tuple[PieceText, ...],
    Field(max_length=40, examples=[["rib"]]),
    AfterValidator(lambda pieces: tuple(dict.fromkeys(pieces))),
]


class PaperReturn(Body):
    """The BIA that came back on paper, as staff read it: the same answers as online, what was declared being known.

    `missing`: pieces to ask for besides those that follow from what was left empty. `received`: the kinds of documents
    that came with it; what the answers call for and is not among them is asked for. None: nobody looked.
    """

    answers: Annotated[dict[Path, Typed], Field(max_length=MOST_ANSWERS, examples=[{"path": "join", "level": "BASE"}])]
    missing: Pieces = ()
    received: Annotated[tuple[PieceCode, ...], Field(max_length=20, examples=[["rib"]])] | None = None


# --- what the whole comes to


@dataclass(frozen=True)
class Circumstances:
    """What the form depends on besides the answers: `starts_on` is the first day of the cover, or of the waiver."""

    starts_on: date
    contract: ContractKind

    @property
    def family_on(self) -> date:
        """The day that the family is looked at: a child may be born between the hire and the form."""
        return max(self.starts_on, today())


@dataclass(frozen=True)
class Identity:
    """As the employee says it; None where what the employer declared is right."""

    civility: str | None
    last_name: str | None
    birth_name: str | None
    first_names: str | None
    birth_date: date


@dataclass(frozen=True)
class ContactAnswers:
    line1: str
    line2: str | None
    postcode: str
    city: str
    email: str | None
    phone: str | None


@dataclass(frozen=True)
class DependantAnswers:
    who: dependants.Dependant
    last_name: str
    first_names: str
    nir: str | None


@dataclass(frozen=True)
class Joining:
    """`iban` and `account_holder` are None on paper only, where the RIB is then asked for."""

    level: str
    dependants: tuple[DependantAnswers, ...]
    iban: str | None
    account_holder: str | None
    teletransmission: bool


@dataclass(frozen=True)
class Waiving:
    reason: str
    ends_on: date
    sworn: bool


@dataclass(frozen=True)
class Enrolment:
    """A completed form. `pieces`: the documents it needs; `unanswered`: pieces to ask for instead of what was left
    empty on paper; `legal`: the texts that were signed."""

    identity: Identity
    nir: str
    scheme: formulas.Scheme
    contact: ContactAnswers
    outcome: Joining | Waiving
    signature: str | None
    pieces: tuple[Piece, ...]
    unanswered: tuple[Piece, ...]
    legal: tuple[str, ...]


def read(form: Form, answers: Mapping[str, str], circumstances: Circumstances, on_paper: bool = False) -> Enrolment:
    """The enrolment that these answers make. Raises InvalidFields with every wrong answer, at its path."""
    case = form.case(answers)
    reading = _Reading(case, circumstances, on_paper)
    for question in case.questions:
        reading.take(question)
    reading.check()
    if reading.errors:
        raise InvalidFields(reading.errors)
    return reading.enrolment()


def pieces_needed(form: Form, answers: Mapping[str, str], circumstances: Circumstances) -> tuple[Piece, ...]:
    """The documents that follow from a draft's answers so far; dependants count once they are known well enough."""
    case = form.case(answers)
    of_people = {}
    for key in keys_of(case.answers, "dependants"):
        dependant = _draft_dependant(case.answers, key)
        if dependant is not None:
            of_people[key] = dependants.pieces_of(dependant, circumstances.family_on)
    return case.documents(of_people)


@dataclass(frozen=True)
class AnswerWarning:
    """Something to look at again, which stops nothing: a stable code at a path."""

    field: str
    code: str


def warnings(form: Form, answers: Mapping[str, str], civility: str) -> tuple[AnswerWarning, ...]:
    """Where a number and a birth date do not go together (security.md L-08). `civility`: as declared."""
    asked = form.case(answers).answers
    found = [AnswerWarning("nir", code) for code in _nir_warnings(asked, "", asked.get("civility", civility))]
    for key in keys_of(asked, "dependants"):
        prefix = f"dependants.{key}."
        found += [AnswerWarning(f"{prefix}nir", code) for code in _nir_warnings(asked, prefix, None)]
    return tuple(found)


def _nir_warnings(answers: Mapping[str, str], prefix: str, civility: str | None) -> tuple[str, ...]:
    born = read_birth_date(answers.get(f"{prefix}birth_date", ""))
    try:
        nir = parse_nir(answers.get(f"{prefix}nir", ""))
    except InvalidValue:
        return ()
    return (
        ()
        if born is None
        else tuple(nir_warnings(nir, born, Civility(civility) if civility in set(Civility) else None))
    )


def shown(form: Form, path: str, value: str) -> str:
    """An answer as it is shown again: a NIR or an IBAN that is one is masked (security.md L-07)."""
    field = form.knows(path)
    try:
        if field is not None and field.kind is Kind.nir:
            return masked_nir(parse_nir(value))
        if field is not None and field.kind is Kind.iban:
            return masked_iban(parse_iban(value))
    except InvalidValue:
        pass  # not yet one: the person must see it to finish it
    return value


def choices_of(field: FormField, circumstances: Circumstances) -> tuple[str, ...]:
    """What can be chosen: as the form says, or as the catalogue of today."""
    if field.choices == "levels":
        return formulas.levels(today())
    if field.choices == "waivers":
        return tuple(r.code for r in waivers.waiver_reasons(circumstances.starts_on, circumstances.contract))
    return tuple(field.choices)


# --- how each kind is read

_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_WRITTEN_DAY = re.compile(r"(\d{1,2})\s*[/.\- ]\s*(\d{1,2})\s*[/.\- ]\s*(\d{4})|(\d\d)(\d\d)(\d{4})", re.ASCII)


def _french_day(value: Any) -> Any:
    """« 12/06/1975 », « 12061975 » as a telephone's keys write it, as well as 1975-06-12."""
    written = _WRITTEN_DAY.fullmatch(value.strip()) if isinstance(value, str) else None
    if written is None:
        return value
    day, month, year = (part for part in written.groups() if part is not None)
    return f"{year}-{int(month):02}-{int(day):02}"


TypedDay = Annotated[Day, BeforeValidator(_french_day), Field(examples=["31/12/2030"])]
BirthDate = Annotated[
    Day,
    between(lambda: date(1900, 1, 1), today, "Cette date de naissance n’est pas possible.", "12/06/1975"),
    BeforeValidator(_french_day),
    Field(examples=["12/06/1975"]),
]

_READ_AS: Mapping[Kind, Any] = {
    Kind.yes_no: Literal["yes", "no"],
    Kind.consent: Literal["yes"],
    Kind.name: Name,
    Kind.day: TypedDay,
    Kind.birth_date: BirthDate,
    Kind.nir: Nir,
    Kind.iban: Iban,
    Kind.address_line: AddressLine,
    Kind.postcode: Postcode,
    Kind.city: City,
    Kind.email: Email,
    Kind.phone: Phone,
}


class _Reading:
    """One pass over the questions of a case, gathering values and errors."""

    def __init__(self, case: Case, circumstances: Circumstances, on_paper: bool) -> None:
        self._case = case
        self._circumstances = circumstances
        self._on_paper = on_paper
        self._values: dict[str, Any] = {}
        self._unanswered: dict[Piece, None] = {}
        self._people: list[DependantAnswers] = []
        self._ends_on: date | None = None
        self.errors: list[FieldError] = []

    def take(self, question: Question) -> None:
        field, typed = question.field, self._case.answers.get(question.path, "").strip()
        if not typed:
            if self._on_paper and field.asks is not None:
                self._unanswered[Piece(field.asks)] = None
            elif field.required and not (self._on_paper and field.kind is Kind.consent):
                self.errors.append(self._missing(question))
            return
        model = _answer(field.kind, choices_of(field, self._circumstances) if field.kind is Kind.choice else ())
        try:
            self._values[question.path] = _read(model, typed)
        except ValidationError as error:
            [wrong] = field_errors(error.errors()[:1], model)
            self.errors.append(FieldError(question.path, wrong.code, wrong.message, wrong.example))

    def check(self) -> None:
        """The rules between answers; only those whose answers could be read."""
        self._check_address()
        if self._values.get("path") == "waive":
            self._check_waiver()
        elif self._values.get("has_dependants") == "yes":
            self._check_dependants()

    def enrolment(self) -> Enrolment:
        value = self._value
        outcome: Joining | Waiving
        if value("path") == "waive":
            assert self._ends_on is not None, "checked"
            outcome = Waiving(value("waiver_reason"), self._ends_on, sworn=value("waiver_proof") == "sworn")
        else:
            outcome = Joining(
                value("level"),
                tuple(self._people),
                value("iban"),
                value("account_holder"),
                value("teletransmission") == "yes",
            )
        on = self._circumstances.family_on
        of_people = {person.who.key: dependants.pieces_of(person.who, on) for person in self._people}
        return Enrolment(
            identity=Identity(
                value("civility"), value("last_name"), value("birth_name"), value("first_names"), value("birth_date")
            ),
            nir=value("nir"),
            scheme=formulas.Scheme(value("scheme")),
            contact=ContactAnswers(
                value("line1"), value("line2"), value("postcode"), value("city"), value("email"), value("phone")
            ),
            outcome=outcome,
            signature=value("signature"),
            pieces=self._case.documents(of_people),
            unanswered=tuple(self._unanswered),
            legal=tuple(q.field.legal for q in self._case.questions if q.field.legal),
        )

    def _value(self, path: str) -> Any:
        return self._values.get(path)

    def _missing(self, question: Question) -> FieldError:
        choices = choices_of(question.field, self._circumstances) if question.field.kind is Kind.choice else ()
        model = _answer(question.field.kind, choices)
        try:
            model.model_validate({})
        except ValidationError as error:
            [wrong] = field_errors(error.errors()[:1], model)
            code = "consent" if question.field.kind is Kind.consent else wrong.code
            return FieldError(question.path, code, wrong.message, wrong.example)
        raise AssertionError("an answer is required")

    def _check_address(self) -> None:
        """Whether an envelope can carry it: whoever is written to by e-mail may get a letter in the end."""
        value = self._value
        if not (value("line1") and value("postcode") and value("city")):
            return
        try:
            address = parse_address(
                line1=value("line1"), line2=value("line2") or "", postcode=value("postcode"), city=value("city")
            )
            envelope_lines("Madame Camille Martin", address)
        except InvalidValue as invalid:
            place = invalid.code.split(".")[1]
            self.errors.append(_invalid(place if place in ("line1", "line2", "city") else "line1", invalid))

    def _check_waiver(self) -> None:
        code = self._values.get("waiver_reason")
        if code is None:
            return
        starts_on = self._circumstances.starts_on
        reason = waivers.waiver_reason(code, starts_on)
        proof = self._values.get("waiver_proof")
        if proof is not None and reason.proof not in ("either", proof):
            example = reason.proof
            words = (
                "Pour ce motif, une attestation sur l’honneur suffit."
                if example == "sworn"
                else "Pour ce motif, un document est nécessaire."
            )
            self.errors.append(FieldError("waiver_proof", "waiver.proof", f"{words} Exemple\u00a0: {example}", example))
        if any(error.field == "waiver_until" for error in self.errors):
            return
        try:
            self._ends_on = waivers.waiver_end(reason, starts_on, self._values.get("waiver_until"))
        except InvalidValue as invalid:
            self.errors.append(_invalid("waiver_until", invalid))

    def _check_dependants(self) -> None:
        keys = keys_of(self._case.answers, "dependants")
        if not keys:
            message = "Ajoutez au moins une personne, ou répondez que vous n’avez personne à couvrir."
            self.errors.append(FieldError("has_dependants", "dependants.none", f"{message} Exemple\u00a0: no", "no"))
        wrong = {error.field for error in self.errors}
        for key in keys:
            prefix = f"dependants.{key}."
            if any(path.startswith(prefix) for path in wrong):
                continue
            value = {path.removeprefix(prefix): v for path, v in self._values.items() if path.startswith(prefix)}
            who = _dependant(key, value)
            self._people.append(DependantAnswers(who, value["last_name"], value["first_names"], value.get("nir")))
        people = [person.who for person in self._people]
        for trouble in dependants.check_dependants(people, self._circumstances.family_on):
            example = _as_typed(trouble.example)
            words = f"{trouble.message} Exemple\u00a0: {example}"
            self.errors.append(FieldError(trouble.path, trouble.code, words, example))


@cache
def _answer(kind: Kind, choices: tuple[str, ...]) -> type[BaseModel]:
    """A model of one answer: pydantic reads it, and `field_errors` words what is wrong."""
    read_as: Any = Literal[choices] if kind is Kind.choice else _READ_AS[kind]
    return create_model("Answer", __base__=Body, value=(read_as, ...))


def _read(model: type[BaseModel], typed: str) -> Any:
    return getattr(model.model_validate({"value": typed}), "value")  # noqa: B009 - a field that only pydantic knows


def _invalid(path: str, invalid: InvalidValue) -> FieldError:
    example = _as_typed(invalid.example)
    return FieldError(path, invalid.code, f"{invalid.message} Exemple\u00a0: {example}", example)


def _as_typed(example: str) -> str:
    """A date as the form's hints write it."""
    return f"{date.fromisoformat(example):%d/%m/%Y}" if _ISO_DAY.fullmatch(example) else example


def _dependant(key: str, value: Mapping[str, Any]) -> dependants.Dependant:
    return dependants.Dependant(
        key=key,
        kind=dependants.DependantKind(value["kind"]),
        birth_date=value.get("birth_date"),
        civil_link=dependants.CivilLink(value["civil_link"]) if value.get("civil_link") else None,
        student=value["student"] == "yes" if value.get("student") else None,
        attached_to=dependants.AttachedTo(value["attached_to"]) if value.get("attached_to") else None,
    )


def _draft_dependant(answers: Mapping[str, str], key: str) -> dependants.Dependant | None:
    """A dependant of a draft, once their kind is known; a birth date that cannot be read yet is left open."""
    typed = {path.split(".")[2]: text for path, text in answers.items() if path.startswith(f"dependants.{key}.")}
    try:
        return _dependant(key, {**typed, "birth_date": read_birth_date(typed.get("birth_date", ""))})
    except (KeyError, ValueError):
        return None


def read_birth_date(typed: str) -> date | None:
    """A birth date as people type it; None: it is not one."""
    try:
        born: date = _read(_answer(Kind.birth_date, ()), typed)
    except ValidationError:
        return None
    return born
