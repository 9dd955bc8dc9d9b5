"""One row of a bulk import by itself: completed where the rest of it tells, held against the rules of a declaration.

Problems are kept as codes: what is said of them is made when they are read, of the values as they are then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from activities.writing import recipient
from domain.identifiers import NIR_WARNINGS, nir_warnings
from gateways.encryption import FieldCipher
from messages.typography import french
from services.affiliation_import_views import RowProblem, RowRepair, Severity
from services.affiliations import check_address
from services.declarations import PreAffiliation
from services.fields import validated
from services.import_columns import FIELD_OF_PATH, as_declaration
from services.import_values import Repair, read_values
from services.pre_affiliation_checks import Place
from services.problems import InvalidFields

TABLE: Final = "affiliation_import_row"  # what its encrypted fields are bound to

# What is found beside the rules of the fields: by the rows around it, and by what is known of the person.
SIRET_UNKNOWN: Final = "siret.unknown"
SIRET_CLOSED: Final = "siret.closed"
_SAYS: Final[Mapping[str, str]] = {
    SIRET_UNKNOWN: "Ce SIRET n’est pas celui d’un de vos établissements. Vérifiez-le dans « Mes contrats », ou ajoutez "
    "l’établissement à votre périmètre.",
    SIRET_CLOSED: "Cet établissement est fermé à la date d’embauche. Indiquez un établissement ouvert.",
    "conflict.other_person": "Ce numéro de sécurité sociale est déjà celui d’une autre personne de l’entreprise : sa "
    "date de naissance est différente. Vérifiez le numéro et la date sur la carte Vitale.",
    "conflict.other_row": "La ligne {row} porte le même numéro de sécurité sociale avec d’autres informations. "
    "Corrigez l’une des deux, ou écartez-la.",
    "skipped.same_row": "Cette ligne répète la ligne {row} : elle ne sera pas envoyée.",
    "running.here": "Une affiliation est déjà en cours pour cette personne dans cet établissement : rien ne sera "
    "envoyé.",
    "running.declared": "Cette embauche a déjà été déclarée : rien ne sera envoyé.",
    "changed.contact": "Une affiliation est déjà en cours, avec d’autres coordonnées. Cochez la ligne pour les "
    "remplacer par celles du fichier.",
    "insured.here": "Cette personne est déjà assurée par l’entreprise à la date d’embauche : rien ne sera envoyé.",
    "new.abandoned_before": "Cette embauche a déjà été déclarée, et l’affiliation a été abandonnée. Cochez la ligne "
    "pour la reprendre.",
    "failed.contact": "Les coordonnées n’ont pas pu être remplacées : la personne nous a donné les siennes, ou elles "
    "sont déjà à jour.",
    "failed.unreadable": "Cette ligne n’a pas pu être relue. Donnez de nouveau le fichier.",
    **NIR_WARNINGS,
}
_A_DAY: Final = "Cette date n’existe pas ou n’a pas pu être lue. Exemple : 01/12/2026"
_ADVICE: Final = frozenset({*NIR_WARNINGS, "changed.contact", "new.abandoned_before"})
_NOT_WRONG: Final = ("running.", "insured.", "skipped.")


@dataclass(frozen=True)
class Found:
    """A problem as it is kept: a field (or none), a code, another row where it is about one."""

    field: str
    code: str
    row: int | None = None

    def kept(self) -> dict[str, Any]:
        return {"field": self.field, "code": self.code, **({"row": self.row} if self.row is not None else {})}


@dataclass(frozen=True)
class Given:
    """The values of a row, and what was read otherwise than it was written."""

    values: Mapping[str, str]
    repairs: Sequence[RowRepair]


@dataclass(frozen=True)
class Looked:
    """A row held against the rules. `request`: None where it is wrong."""

    number: int
    values: Mapping[str, str]
    repairs: Sequence[RowRepair]
    request: PreAffiliation | None
    problems: tuple[Found, ...] = ()


@dataclass(frozen=True)
class Perimeter:
    """The open establishments of whoever gives the table: what a row leaves out may follow from them."""

    places: Mapping[str, Place] = field(default_factory=dict)


def look_at(number: int, given: Mapping[str, str], repairs: Sequence[RowRepair], perimeter: Perimeter) -> Looked:
    """Completed, and held against what a pre-affiliation asks for."""
    values, added = completed(given, perimeter)
    try:
        request = declaration(values)
    except InvalidFields as invalid:
        wrong = tuple(dict.fromkeys(Found(field_of(error.field), error.code) for error in invalid.errors))
        return Looked(number, values, (*repairs, *added), None, wrong)
    employee = request.employee
    differs = nir_warnings(employee.nir, employee.birth_date, employee.civility)
    return Looked(number, values, (*repairs, *added), request, tuple(Found("nir", code) for code in differs))


def declaration(values: Mapping[str, str]) -> PreAffiliation:
    """What `POST /affiliations` would be sent. Raises InvalidFields, by the fields of the request."""
    request = validated(PreAffiliation, as_declaration(values))
    employee = request.employee
    check_address(recipient(employee.civility, employee.first_names, employee.last_name), employee.address, "employee.")
    return request


def read_again(values: Mapping[str, str], repairs: Sequence[RowRepair], typed: Mapping[str, str]) -> Given:
    """A row with other values, read as those of a file. What followed from others is not kept: it follows anew."""
    followed = {repair.field for repair in repairs if not repair.was}
    kept = {name: text for name, text in values.items() if name not in followed}
    read = read_values(0, {**kept, **typed})
    stays = [one for one in repairs if one.field not in followed and one.field not in typed]
    return Given(read.values, [*stays, *(repair_of(one) for one in read.repairs)])


def completed(given: Mapping[str, str], perimeter: Perimeter) -> tuple[dict[str, str], list[RowRepair]]:
    """The values with what follows from the others, where it was left out, and how it follows."""
    values = {name: text.strip() for name, text in given.items() if text.strip()}
    repairs: list[RowRepair] = []

    def fill(name: str, became: str, why: str) -> None:
        values[name] = became
        repairs.append(RowRepair(field=name, was="", became=became, why=french(why)))

    if "last_name" not in values and "birth_name" in values:
        fill("last_name", values["birth_name"], "Sans nom d’usage, le nom de naissance est repris.")
    if "siret" not in values and len(perimeter.places) == 1:
        [siret] = perimeter.places
        fill("siret", siret, "C’est votre seul établissement ouvert.")
    place = perimeter.places.get("".join(values.get("siret", "").split()))
    if "scheme" not in values and place is not None:
        fill("scheme", place.usual_scheme.value, "C’est le régime habituel à l’adresse de l’établissement.")
    return values, repairs


def field_of(path: str) -> str:
    """The row's field of a field of the request; "" where it is about more than one."""
    if path in FIELD_OF_PATH:
        return FIELD_OF_PATH[path]
    return "line1" if path.startswith("employee.address") else ""


def told(values: Mapping[str, str], problems: Sequence[Mapping[str, Any]]) -> list[RowProblem]:
    """Kept problems in words."""
    words: dict[tuple[str, str], str] = {}
    if any(problem["code"] not in _SAYS for problem in problems):
        try:
            declaration(values)
        except InvalidFields as invalid:
            words = {(field_of(error.field), error.code): error.message for error in invalid.errors}
    return [_told(problem, words) for problem in problems]


def _told(problem: Mapping[str, Any], words: Mapping[tuple[str, str], str]) -> RowProblem:
    name, code = problem["field"], problem["code"]
    said = (
        _SAYS.get(code)
        or (_A_DAY if code.startswith("date_") else "")
        or words.get((name, code), "Cette valeur n’est pas valable.")
    )
    mild = code in _ADVICE or code.startswith(_NOT_WRONG)
    return RowProblem(
        field=name,
        code=code,
        message=french(said.replace("{row}", str(problem.get("row", "")))),
        severity=Severity.advice if mild else Severity.wrong,
    )


def repair_of(repair: Repair | RowRepair) -> RowRepair:
    """As it is shown."""
    return RowRepair(field=repair.field, was=repair.was, became=repair.became, why=repair.why)


# --- as the database keeps it


def sealed(cipher: FieldCipher, row_id: UUID, values: Mapping[str, str]) -> bytes:
    return cipher.encrypt(json.dumps(values, ensure_ascii=False), TABLE, "values", str(row_id))


def opened(cipher: FieldCipher, row_id: UUID, values_sealed: bytes) -> dict[str, str]:
    """Raises CannotDecrypt."""
    values: dict[str, str] = json.loads(cipher.decrypt(values_sealed, TABLE, "values", str(row_id)))
    return values


def sealed_repairs(cipher: FieldCipher, row_id: UUID, repairs: Sequence[RowRepair]) -> bytes | None:
    if not repairs:
        return None
    text = json.dumps([repair.model_dump() for repair in repairs], ensure_ascii=False)
    return cipher.encrypt(text, TABLE, "repairs", str(row_id))


def opened_repairs(cipher: FieldCipher, row_id: UUID, repairs_sealed: bytes | None) -> list[RowRepair]:
    """Raises CannotDecrypt."""
    if repairs_sealed is None:
        return []
    return [RowRepair(**one) for one in json.loads(cipher.decrypt(repairs_sealed, TABLE, "repairs", str(row_id)))]
