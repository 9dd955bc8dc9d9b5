"""The employee's form as data: what is asked, when, and which documents follow from the answers.

An edition is a file of `data/enrolment/`, read with this module. Answers are a flat mapping of paths to what was typed:
`nir`, `dependants.k1.birth_date`; a dependant's key (`k1`: a letter and a number) is chosen by whoever adds it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib import resources
from typing import Any, Final, Literal

from domain.pieces import Piece, PieceCode

Answers = Mapping[str, str]  # path → as typed

# No room for a name: keys go into the workflow with the pieces asked for.
_KEY: Final = re.compile(r"[a-z][0-9]{1,9}", re.ASCII)


class Kind(StrEnum):
    """What an answer is; `services/enrolment_form.py` says how each is read."""

    yes_no = "yes_no"
    choice = "choice"
    consent = "consent"
    name = "name"
    day = "day"
    birth_date = "birth_date"
    nir = "nir"
    iban = "iban"
    address_line = "address_line"
    postcode = "postcode"
    city = "city"
    email = "email"
    phone = "phone"


Catalogue = Literal["levels", "waivers"]
Condition = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class FormField:
    """One question. `name` is its path, or within a group the end of it."""

    name: str
    kind: Kind
    choices: tuple[str, ...] | Catalogue = ()
    required: bool = True
    when: Condition | None = None
    suggested: bool = False
    asks: PieceCode | None = None
    legal: str | None = None


@dataclass(frozen=True)
class FormGroup:
    """Questions asked of each of several people."""

    name: str
    most: int
    fields: tuple[FormField, ...]
    when: Condition | None = None


@dataclass(frozen=True)
class FormDocument:
    """A document that may be needed; `of`: the group whose people it is about."""

    piece: PieceCode
    when: Condition | None = None
    of: str | None = None


@dataclass(frozen=True)
class FormStep:
    name: str
    fields: tuple[FormField, ...] = ()
    groups: tuple[FormGroup, ...] = ()
    documents: tuple[FormDocument, ...] = ()
    when: Condition | None = None


@dataclass(frozen=True)
class Question:
    """A field as asked in one case: `path` names its answer, `step` where it is asked."""

    path: str
    step: str
    field: FormField


@dataclass(frozen=True)
class Case:
    """What the form comes to with certain answers.

    `answers`: those to questions that are asked; what was answered to a question that no longer is stays in the draft
    and counts for nothing.
    """

    steps: tuple[FormStep, ...]
    questions: tuple[Question, ...]
    answers: Answers

    def documents(self, of_people: Mapping[str, tuple[Piece, ...]]) -> tuple[Piece, ...]:
        """The documents needed; `of_people`: the pieces that each dependant brings, by key."""
        needed: list[Piece] = []
        for document in (d for step in self.steps for d in step.documents if _holds(d.when, self.answers)):
            if document.of is None:
                needed.append(Piece(document.piece))
            else:
                needed += [p for pieces in of_people.values() for p in pieces if p.code is document.piece]
        return tuple(needed)


@dataclass(frozen=True)
class Form:
    """One edition."""

    version: str
    legal: str
    steps: tuple[FormStep, ...]

    def case(self, answers: Answers) -> Case:
        """The steps and questions that these answers lead to, in order. A condition looks at earlier questions only."""
        asked: dict[str, str] = {}
        steps, questions = [], []
        for step in self.steps:
            if not _holds(step.when, asked):
                continue
            steps.append(step)
            for path, prefix, field in _fields_of(step, answers, asked):
                if _holds(field.when, asked, prefix):
                    questions.append(Question(path, step.name, field))
                    if answers.get(path):
                        asked[path] = answers[path]
        return Case(tuple(steps), tuple(questions), asked)

    def knows(self, path: str) -> FormField | None:
        """The field that a path names, whether it is asked at present or not; None: this form has no such field."""
        match path.split("."):
            case [name]:
                return self._fields.get(("", name))
            case [group, key, name] if _KEY.fullmatch(key):
                return self._fields.get((group, name))
            case _:
                return None

    @cached_property
    def _fields(self) -> dict[tuple[str, str], FormField]:
        """By group ("" for none) and name."""
        fields = {("", field.name): field for step in self.steps for field in step.fields}
        fields |= {(group.name, field.name): field for group in self.groups for field in group.fields}
        return fields

    @cached_property
    def groups(self) -> tuple[FormGroup, ...]:
        return tuple(group for step in self.steps for group in step.groups)


def _fields_of(step: FormStep, answers: Answers, asked: Answers) -> Iterator[tuple[str, str, FormField]]:
    """(path, what it begins with, field) of a step. `asked` grows while this goes on."""
    for field in step.fields:
        yield field.name, "", field
    for group in step.groups:
        if _holds(group.when, asked):
            for key in keys_of(answers, group.name):
                prefix = f"{group.name}.{key}."
                for field in group.fields:
                    yield prefix + field.name, prefix, field


def keys_of(answers: Answers, group: str) -> tuple[str, ...]:
    """The keys of the people of a group, in the order in which they were first answered."""
    found: dict[str, None] = {}
    for path in answers:
        parts = path.split(".")
        if len(parts) == 3 and parts[0] == group:
            found[parts[1]] = None
    return tuple(found)


def form(version: str) -> Form:
    """An edition. Raises KeyError."""
    return _FORMS[version]


def current_form() -> Form:
    """The edition that a new enrolment is given."""
    return _FORMS[max(_FORMS)]


def _holds(condition: Condition | None, answers: Answers, prefix: str = "") -> bool:
    if condition is None:
        return True
    return all(answers.get(prefix + name, "") in values for name, values in condition.items())


def _load() -> dict[str, Form]:
    """Raises KeyError, TypeError or ValueError when the data is wrong, so at start-up."""
    folder = resources.files("domain").joinpath("data/enrolment")
    forms = {}
    for file in folder.iterdir():
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        forms[data["version"]] = Form(data["version"], data["legal"], tuple(_step(step) for step in data["step"]))
    return forms


def _step(data: dict[str, Any]) -> FormStep:
    return FormStep(
        data["name"],
        tuple(_field(field) for field in data.get("field", ())),
        tuple(
            FormGroup(g["name"], g["most"], tuple(_field(f) for f in g["field"]), _condition(g.get("when")))
            for g in data.get("group", ())
        ),
        tuple(
            FormDocument(PieceCode(d["piece"]), _condition(d.get("when")), d.get("of"))
            for d in data.get("document", ())
        ),
        _condition(data.get("when")),
    )


def _field(data: dict[str, Any]) -> FormField:
    choices = data.get("choices", ())
    return FormField(
        **{
            **data,
            "kind": Kind(data["kind"]),
            "choices": choices if isinstance(choices, str) else tuple(choices),
            "when": _condition(data.get("when")),
            "asks": PieceCode(data["asks"]) if "asks" in data else None,
        }
    )


def _condition(data: dict[str, list[str]] | None) -> Condition | None:
    return None if data is None else {name: tuple(values) for name, values in data.items()}


# Read once, with the module.
_FORMS: Final = _load()
