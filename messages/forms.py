"""The paper forms, as tagged PDF: the BIA (bulletin individuel d'affiliation) and the employer's declaration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from messages import typeset

MAX_CHILDREN = 4
EDITION = date(2026, 11, 1)  # of the forms: their date in a PDF that has no other


@dataclass(frozen=True)
class FormDependant:
    """One line of the family table; everything optional. `nir`: 15 characters, spaces tolerated."""

    last_name: str = ""
    first_name: str = ""
    birth_date: date | None = None
    nir: str = ""


@dataclass(frozen=True)
class FormContent:
    """What is known of the employee, to pre-fill the BIA; everything optional, an empty value leaves its box empty.

    `civility`: « Madame » | « Monsieur ». `nir`: 15 characters, `iban`: up to 34, `siret`: 14, spaces tolerated.
    `scheme`: `general` | `alsace_moselle`. `status`: `non_cadre` | `cadre`. `formula`: one of `formulas`, the levels
    offered (catalogue data). At most 4 children are printed: the others go on a second form.
    """

    reference: str = ""
    civility: str = ""
    last_name: str = ""
    birth_name: str = ""
    first_name: str = ""
    birth_date: date | None = None
    birth_place: str = ""
    nir: str = ""
    scheme: str = ""
    address: str = ""
    address_complement: str = ""
    postal_code: str = ""
    city: str = ""
    email: str = ""
    phone: str = ""
    employer: str = ""
    siret: str = ""
    hire_date: date | None = None
    status: str = ""
    partner: FormDependant | None = None
    children: tuple[FormDependant, ...] = ()
    formula: str = ""
    formulas: tuple[str, ...] = ("BASE", "OPTION 1", "OPTION 2")
    iban: str = ""
    account_holder: str = ""


def render_affiliation_form(content: FormContent | None) -> bytes:
    """The BIA as a PDF of one page; None: blank. Raises ValueError for more than 4 children."""
    form = form_data(content, content.reference if content else "")
    codes = {"reference_qr": typeset.qr_svg(form["reference"])} if form["reference"] else {}
    return typeset.render("affiliation.typ", EDITION, {"form": form}, codes)


def render_pre_affiliation_form() -> bytes:
    """The employer's blank paper declaration of a new employee, as a PDF of one page."""
    return typeset.render("pre_affiliation.typ", EDITION, {}, {})


def form_data(content: FormContent | None, reference: str) -> dict[str, Any]:
    """The BIA's values as its template reads them: every value a string, digits without spaces, dates as ddmmyyyy.

    Raises ValueError for more than 4 children.
    """
    form = content or FormContent()
    if len(form.children) > MAX_CHILDREN:
        raise ValueError(f"the form has room for {MAX_CHILDREN} children")
    children = (*form.children, *(FormDependant(),) * (MAX_CHILDREN - len(form.children)))
    text = typeset.printable
    return {
        "reference": text(reference),
        "civility": text(form.civility),
        "last_name": text(form.last_name),
        "birth_name": text(form.birth_name),
        "first_name": text(form.first_name),
        "birth_date": _digits(form.birth_date),
        "birth_place": text(form.birth_place),
        "nir": _compact(form.nir),
        "scheme": form.scheme,
        "address": text(form.address),
        "address_complement": text(form.address_complement),
        "postal_code": _compact(form.postal_code),
        "city": text(form.city),
        "email": text(form.email),
        "phone": text(form.phone),
        "employer": text(form.employer),
        "siret": _compact(form.siret),
        "hire_date": _digits(form.hire_date),
        "status": form.status,
        "partner": _dependant(form.partner or FormDependant()),
        "children": [_dependant(child) for child in children],
        "formula": form.formula,
        "formulas": list(form.formulas),
        "iban": _compact(form.iban),
        "account_holder": text(form.account_holder),
    }


def _dependant(person: FormDependant) -> dict[str, str]:
    return {
        "last_name": typeset.printable(person.last_name),
        "first_name": typeset.printable(person.first_name),
        "birth_date": _digits(person.birth_date),
        "nir": _compact(person.nir),
    }


def _digits(day: date | None) -> str:
    return f"{day:%d%m%Y}" if day else ""


def _compact(number: str) -> str:
    return "".join(typeset.printable(number).split()).upper()
