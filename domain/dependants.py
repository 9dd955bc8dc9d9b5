"""Who may be a dependant (« ayant droit »), and the documents about each, as dated data (`data/dependants.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib import resources
from itertools import pairwise
from typing import Final

from domain.pieces import Piece, PieceCode


class DependantKind(StrEnum):
    partner = "partner"
    child = "child"


class CivilLink(StrEnum):
    """What binds partners (Code civil, art. 143, 515-1 and 515-8)."""

    marriage = "marriage"
    pacs = "pacs"
    cohabitation = "cohabitation"


class AttachedTo(StrEnum):
    """Whose social-security certificate names the dependant; `both`: both parents' (CSS L160-2); `own`: their own."""

    employee = "employee"
    partner = "partner"
    both = "both"
    own = "own"


@dataclass(frozen=True)
class Dependant:
    """A dependant as the rules see them; None: not answered. `key` names them in the answers and in their pieces."""

    key: str
    kind: DependantKind
    birth_date: date | None
    civil_link: CivilLink | None = None
    student: bool | None = None
    attached_to: AttachedTo | None = None


@dataclass(frozen=True)
class Trouble:
    """What cannot be accepted: where (`dependants.k1.birth_date`), a stable code, a French sentence, a valid example.

    Neither the sentence nor the example repeats what was answered.
    """

    path: str
    code: str
    message: str
    example: str


def check_dependants(dependants: Sequence[Dependant], on: date) -> tuple[Trouble, ...]:
    """Everything that keeps these dependants from being covered on a day, in their order; empty: nothing.

    Raises LookupError when no rule covers the day.
    """
    return tuple(_troubles(dependants, _rule(on), on))


def pieces_of(dependant: Dependant, on: date) -> tuple[Piece, ...]:
    """The documents to ask for about a dependant on a day.

    Who is on the employee's own certificate needs no other one. Raises LookupError when no rule covers the day.
    """
    rule, codes = _rule(on), []
    if dependant.kind is DependantKind.partner:
        codes.append(PieceCode.partnership_proof)
        if dependant.attached_to is not AttachedTo.employee:
            codes.append(PieceCode.partner_social_security_certificate)
    else:
        if dependant.attached_to is not AttachedTo.employee:
            codes.append(PieceCode.child_social_security_certificate)
        if dependant.birth_date is not None and _age(dependant.birth_date, on) >= rule.child_until:
            codes.append(PieceCode.school_certificate)
    return tuple(Piece(code, dependant.key) for code in codes)


@dataclass(frozen=True)
class _Rule:
    """Ages in full years, in force from `valid_from` to `valid_to`, both included; None: until further notice."""

    valid_from: date
    valid_to: date | None
    child_until: int
    student_until: int
    partner_from: int
    most: int


_OLDEST: Final = 120  # years: nobody in France has lived longer but one


def _troubles(dependants: Sequence[Dependant], rule: _Rule, on: date) -> Iterator[Trouble]:
    if len(dependants) > rule.most:
        message = f"Vous pouvez indiquer {rule.most}\u00a0ayants droit au plus\u00a0: appelez-nous pour les autres."
        yield Trouble("dependants", "dependants.too_many", message, str(rule.most))
    partners = 0
    for dependant in dependants:
        if dependant.kind is DependantKind.partner:
            partners += 1
            if partners > 1:
                message = "Vous pouvez indiquer un seul conjoint, partenaire de PACS ou concubin."
                yield _trouble(dependant, "kind", "second_partner", message, "child")
            yield from _troubles_of_partner(dependant, rule, on)
        else:
            yield from _troubles_of_child(dependant, rule, on)


def _troubles_of_partner(partner: Dependant, rule: _Rule, on: date) -> Iterator[Trouble]:
    example = _years_before(on, 35)
    impossible = _impossible_birth_date(partner, on, example)
    if impossible:
        yield impossible
    elif partner.birth_date is not None and _age(partner.birth_date, on) < rule.partner_from:
        message = f"Votre conjoint a au moins {rule.partner_from}\u00a0ans\u00a0: vérifiez l’année de naissance."
        yield _trouble(partner, "birth_date", "partner_too_young", message, example)
    if partner.civil_link is None:
        message = "Indiquez si vous êtes mariés, pacsés ou si vous vivez ensemble."
        yield _trouble(partner, "civil_link", "missing", message, CivilLink.marriage)
    if partner.attached_to not in (AttachedTo.employee, AttachedTo.own):
        message = "Indiquez si cette personne a sa propre attestation de droits ou si elle figure sur la vôtre."
        yield _trouble(partner, "attached_to", "missing", message, AttachedTo.own)


def _troubles_of_child(child: Dependant, rule: _Rule, on: date) -> Iterator[Trouble]:
    example = _years_before(on, min(8, rule.child_until - 1))
    age = None if child.birth_date is None else _age(child.birth_date, on)
    impossible = _impossible_birth_date(child, on, example)
    if impossible:
        yield impossible
    elif age is not None and age >= rule.student_until:
        message = (
            f"Un enfant est couvert jusqu’à ses {rule.student_until}\u00a0ans\u00a0: vérifiez l’année de naissance, "
            "ou contactez-nous si votre enfant est en situation de handicap."
        )
        yield _trouble(child, "birth_date", "child_too_old", message, example)
    elif age is not None and age >= rule.child_until and not child.student:
        message = (
            f"De {rule.child_until} à {rule.student_until}\u00a0ans, un enfant est couvert s’il étudie, "
            "avec un certificat de scolarité."
        )
        code = "missing" if child.student is None else "not_a_student"
        yield _trouble(child, "student", code, message, "yes")
    if child.attached_to is None:
        message = (
            "Indiquez sur quelle attestation de droits figure cet enfant\u00a0: la vôtre, celle de l’autre parent…"
        )
        yield _trouble(child, "attached_to", "missing", message, AttachedTo.employee)


def _impossible_birth_date(dependant: Dependant, on: date, example: str) -> Trouble | None:
    if dependant.birth_date is None:
        return _trouble(dependant, "birth_date", "missing", "Indiquez la date de naissance.", example)
    if dependant.birth_date > on:
        message = "Cette date de naissance n’est pas encore passée\u00a0: vérifiez l’année."
        return _trouble(dependant, "birth_date", "in_the_future", message, example)
    if _age(dependant.birth_date, on) > _OLDEST:
        message = "Cette date de naissance est trop ancienne\u00a0: vérifiez l’année."
        return _trouble(dependant, "birth_date", "too_long_ago", message, example)
    return None


def _trouble(dependant: Dependant, field: str, code: str, message: str, example: str) -> Trouble:
    return Trouble(f"dependants.{dependant.key}.{field}", f"{field}.{code}", message, str(example))


def _age(birth_date: date, on: date) -> int:
    """Full years; who was born on 29 February turns on 1 March of the other years."""
    return on.year - birth_date.year - ((on.month, on.day) < (birth_date.month, birth_date.day))


def _years_before(day: date, years: int) -> str:
    return date(day.year - years, 3, 10).isoformat()


def _rule(on: date) -> _Rule:
    for rule in _RULES:
        if rule.valid_from <= on and (rule.valid_to is None or on <= rule.valid_to):
            return rule
    raise LookupError(f"no rule on {on}")


def _load() -> tuple[_Rule, ...]:
    """The rules in order. Raises ValueError, KeyError or TypeError when the data is wrong, so at start-up."""
    data = tomllib.loads(resources.files("domain").joinpath("data/dependants.toml").read_text(encoding="utf-8"))
    rules = tuple(_Rule(**{"valid_to": None, **entry}) for entry in data["rule"])
    for earlier, later in pairwise(rules):
        if earlier.valid_to is None or earlier.valid_to >= later.valid_from:
            raise ValueError(f"the rule of {later.valid_from} overlaps the one before it")
    return rules


# Read once, with the module: what calls this may not read files (workflows).
_RULES = _load()
