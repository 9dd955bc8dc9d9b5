"""The paper forms, as tagged PDF: the BIA (bulletin individuel d'affiliation) and the employer's declaration.

The BIA asks what the employee's form asks online (`domain/data/enrolment/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from domain.employment import ContractKind
from domain.formulas import Family
from domain.media import Language
from domain.waivers import WaiverReason, waiver_reasons
from messages import typeset
from messages.catalogue import catalogue
from messages.legal import current_version

MAX_CHILDREN = 4
EDITION = date(2026, 11, 1)  # of the forms: their date in a PDF that has no other


@dataclass(frozen=True)
class FormDependant:
    """One line of the family table; everything optional. `nir`: 15 characters, spaces tolerated.

    `attached_to`: `employee` | `partner` | `both` | `own`, as the form's data have it; `own` ticks nothing.
    """

    last_name: str = ""
    first_name: str = ""
    birth_date: date | None = None
    nir: str = ""
    attached_to: str = ""
    student: bool = False


@dataclass(frozen=True)
class FormContent:
    """What is known of the employee, to pre-fill the BIA; everything optional, an empty value leaves its box empty.

    `civility`: « Madame » | « Monsieur ». `nir`: 15 characters, `iban`: up to 34, `siret`: 14, spaces tolerated.
    `scheme`: `general` | `alsace_moselle`. `status`: `non_cadre` | `cadre`. `path`: `join` | `waive`. `waivers`: the
    reasons to tick (`waiver_labels`), every one there is when none is given; `waiver_reason`: the code of one.
    `waiver_proof`: `document` | `sworn`. `civil_link`: `marriage` | `pacs` | `cohabitation`. `formula`: one of
    `formulas`, the levels offered. `prices`: level → family → euro cents a month, shown for the levels that have them.
    `teletransmission`: `yes` | `no`. At most 4 children are printed: the others go on a second form.
    """

    reference: str = ""
    civility: str = ""
    last_name: str = ""
    birth_name: str = ""
    first_name: str = ""
    birth_date: date | None = None
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
    path: str = ""
    waivers: tuple[tuple[str, str], ...] = ()
    waiver_reason: str = ""
    waiver_until: date | None = None
    waiver_proof: str = ""
    partner: FormDependant | None = None
    civil_link: str = ""
    children: tuple[FormDependant, ...] = ()
    formula: str = ""
    formulas: tuple[str, ...] = ("BASE", "OPTION 1", "OPTION 2")
    prices: Mapping[str, Mapping[Family, int]] = field(default_factory=dict)
    iban: str = ""
    account_holder: str = ""
    teletransmission: str = ""


def render_affiliation_form(content: FormContent | None) -> bytes:
    """The BIA as a PDF of one page; None: blank. Raises ValueError for more than 4 children."""
    form = form_data(content, content.reference if content else "")
    codes = {"reference_qr": typeset.qr_svg(form["reference"])} if form["reference"] else {}
    return typeset.render("affiliation.typ", EDITION, {"form": form}, codes)


def render_pre_affiliation_form() -> bytes:
    """The employer's blank paper declaration of a new employee, as a PDF of one page."""
    return typeset.render("pre_affiliation.typ", EDITION, {}, {})


def waiver_labels(reasons: Iterable[WaiverReason]) -> tuple[tuple[str, str], ...]:
    """(code, short French label) of each, for `FormContent.waivers`. Raises KeyError for a reason without words."""
    words = catalogue(Language.fr)
    return tuple((reason.code, words.text(f"paper.waiver.{reason.code}")) for reason in reasons)


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
        "blank": content is None,
        "reference": text(reference),
        "civility": text(form.civility),
        "last_name": text(form.last_name),
        "birth_name": text(form.birth_name),
        "first_name": text(form.first_name),
        "birth_date": _digits(form.birth_date),
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
        "path": form.path,
        "waivers": form.waivers or waiver_labels(_every_reason()),
        "waiver_reason": form.waiver_reason,
        "waiver_until": _digits(form.waiver_until),
        "waiver_proof": form.waiver_proof,
        "partner": _dependant(form.partner or FormDependant()),
        "civil_link": form.civil_link,
        "children": [_dependant(child) for child in children],
        "formula": form.formula,
        "formulas": [{"level": level, "prices": _prices(form.prices.get(level, {}))} for level in form.formulas],
        "iban": _compact(form.iban),
        "account_holder": text(form.account_holder),
        "teletransmission": form.teletransmission,
        "legal": current_version(),
    }


def _every_reason() -> Iterable[WaiverReason]:
    return {r.code: r for kind in ContractKind for r in waiver_reasons(EDITION, kind)}.values()


def _prices(cents: Mapping[Family, int]) -> list[tuple[str, str]]:
    words = catalogue(Language.fr)
    return [(words.text(f"paper.price.{family}"), words.money(cents[family])) for family in Family if family in cents]


def _dependant(person: FormDependant) -> dict[str, str | bool]:
    return {
        "last_name": typeset.printable(person.last_name),
        "first_name": typeset.printable(person.first_name),
        "birth_date": _digits(person.birth_date),
        "nir": _compact(person.nir),
        "attached_to": person.attached_to,
        "student": person.student,
    }


def _digits(day: date | None) -> str:
    return f"{day:%d%m%Y}" if day else ""


def _compact(number: str) -> str:
    return "".join(typeset.printable(number).split()).upper()
