"""« Retours papier »: a form that came back by post, found by the reference of its QR code.

Made for a keyboard: the reference is typed or read by a scanner that types, the form's parts follow the paper's, and
what is saved leads back to the next reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from domain.pieces import PieceCode
from messages.typography import french
from portal.desk import Done, desk_page
from portal.desk_words import ANSWERS, answer_words, piece_title
from portal.forms import Fields
from portal.menu import DESK
from portal.pages import see_other
from portal.space import SpaceRoute, one_problem
from services.callers import Caller
from services.enrolment_form import PaperReturn
from services.fields import validated
from services.paper_desk import PRINTED, Printed
from services.problems import AlreadySubmitted, FieldError, InvalidFields, RefusedByRules
from web.callers import StaffWriter, Use
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

PAPER: Final = f"{DESK}/retours-papier"
LAST: Final = 10
Reference = Annotated[str, Query(max_length=60)]

# What the paper asks besides what is printed on it, in its order.
_ASKED: Final = (
    *("nir", "birth_date", "path", "waiver_reason", "waiver_until", "waiver_proof", "level", "iban"),
    *("account_holder", "teletransmission"),
)
CHILDREN: Final = ("k1", "k2", "k3", "k4")  # the paper has room for them
_OF_PERSON: Final = ("last_name", "first_names", "birth_date", "nir", "attached_to", "civil_link", "student")
_NAMED: Final = ("last_name", "first_names", "birth_date", "nir")  # a line of the family is filled in
# The boxes of the paper's last part, and the kinds of documents behind each.
DOCUMENTS: Final = {
    name: (french(label), codes)
    for name, label, codes in (
        ("rib", "Le RIB", (PieceCode.rib,)),
        ("attestation", "Son attestation de droits", (PieceCode.social_security_certificate,)),
        (
            "attestations",
            "L’attestation de chaque personne à couvrir",
            (PieceCode.partner_social_security_certificate, PieceCode.child_social_security_certificate),
        ),
        ("union", "La preuve de mariage, de Pacs ou de vie commune", (PieceCode.partnership_proof,)),
        ("scolarite", "Le certificat de scolarité", (PieceCode.school_certificate,)),
        ("dispense", "Le justificatif de dispense", (PieceCode.waiver_proof,)),
    )
}


# --- the reference


@router.get(PAPER)
async def references(
    request: Request, caller: StaffWriter, use: Use, reference: Reference = "", fait: Done = ""
) -> Response:
    """The field for the next reference; with one, its form."""
    typed = "".join(reference.split())
    if not typed:
        return await _references_page(request, caller, use, saved=fait == "enregistre")
    if len(typed) != 12 or any(sign not in "0123456789abcdefABCDEF" for sign in typed):
        words = "Une référence a douze caractères, des chiffres et les lettres A à F. Exemple : 4F3A 9C21 0B7E"
        return await _references_page(request, caller, use, reference, [FieldError("reference", "format", words)])
    found = await use.staff.by_reference(caller, typed)
    if len(found.items) != 1:
        words = "Aucun dossier n’a cette référence. Relisez-la sur le papier : le « O » y est toujours un zéro."
        return await _references_page(request, caller, use, reference, [FieldError("reference", "unknown", words)])
    return see_other(f"{PAPER}/{found.items[0].id}")


async def _references_page(
    request: Request,
    caller: Caller,
    use: Parts,
    typed: str = "",
    errors: list[FieldError] | None = None,
    saved: bool = False,
) -> Response:
    day = await use.paper_desk.day(caller, LAST)
    wrong = InvalidFields([FieldError(one.field, one.code, french(one.message)) for one in errors]) if errors else None
    return await desk_page(
        request,
        caller,
        use,
        "paper_references",
        wrong=wrong,
        typed=typed,
        count=day.count,
        last=[(one, [piece_title(piece, {}) for piece in one.missing]) for one in day.items],
        saved=saved and bool(day.items),
    )


# --- the form


@router.get(f"{PAPER}/{{affiliation_id:uuid}}")
async def form_page(affiliation_id: UUID, request: Request, caller: StaffWriter, use: Use) -> Response:
    return await _form_page(request, caller, use, await use.paper_desk.printed(caller, affiliation_id), {})


@router.post(f"{PAPER}/{{affiliation_id:uuid}}")
async def record(affiliation_id: UUID, request: Request, caller: StaffWriter, fields: Fields, use: Use) -> Response:
    """Saved, it leads to the next reference; what is missing is asked for by itself."""
    printed = await use.paper_desk.printed(caller, affiliation_id)
    received = [code.value for name, (_, codes) in DOCUMENTS.items() if fields.get(f"doc_{name}") for code in codes]
    try:
        asked = validated(PaperReturn, {"answers": _answers(printed, fields), "received": received})
        await use.enrolments.record_paper(caller, affiliation_id, asked)
    except InvalidFields as wrong:
        return await _form_page(request, caller, use, printed, fields, _named(wrong))
    except (AlreadySubmitted, RefusedByRules) as problem:
        printed = await use.paper_desk.printed(caller, affiliation_id)
        if printed.state == "recorded":  # pressed twice, or done by a colleague
            return await _form_page(request, caller, use, printed, fields, status=problem.status)
        return await _form_page(request, caller, use, printed, fields, one_problem(problem), problem.status)
    return see_other(f"{PAPER}?fait=enregistre")


async def _form_page(
    request: Request,
    caller: Caller,
    use: Parts,
    printed: Printed,
    typed: Mapping[str, str],
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    names = {one.field for one in wrong.errors} if wrong else set()
    return await desk_page(
        request,
        caller,
        use,
        "paper_form",
        wrong=wrong,
        status=status,
        form=printed,
        typed=defaultdict(str, {**printed.answers, "path": "join", "teletransmission": "no", **typed}),
        labels=ANSWERS,
        children=CHILDREN,
        documents=[(name, label, bool(typed.get(f"doc_{name}"))) for name, (label, _) in DOCUMENTS.items()],
        waivers=[(code, answer_words("waiver_reason", code)) for code in printed.waivers],
        corrects=bool(names & {*PRINTED, "nir", "birth_date"}) or _corrected(printed, typed),
        family=any(name.startswith("dependants") for name in names) or _has_people(typed),
    )


def _answers(printed: Printed, fields: Mapping[str, str]) -> dict[str, str]:
    """What is not as it was printed, and what was printed empty."""
    given = {name: fields.get(name, "").strip()[:200] for name in (*PRINTED, *_ASKED)}
    answers = {name: given[name] for name in _ASKED if given[name]}
    answers |= {name: given[name] for name in PRINTED if name in fields and given[name] != printed.answers[name]}
    if answers.get("path") == "join":
        for key in ("p1", *CHILDREN):
            answers |= _person(key, fields)
    if fields.get("signed"):
        names = (answers.get("first_names") or printed.first_names, answers.get("last_name") or printed.last_name)
        answers["signature"] = " ".join(names)
    return answers


def _person(key: str, fields: Mapping[str, str]) -> dict[str, str]:
    """A line of the family's table; nothing where it was left empty."""
    given = {name: fields.get(f"dependants.{key}.{name}", "").strip()[:200] for name in _OF_PERSON}
    if not any(given[name] for name in _NAMED):
        return {}
    given["kind"] = "partner" if key == "p1" else "child"
    return {f"dependants.{key}.{name}": value for name, value in given.items() if value}


def _has_people(typed: Mapping[str, str]) -> bool:
    return any(_person(key, typed) for key in ("p1", *CHILDREN))


def _corrected(printed: Printed, typed: Mapping[str, str]) -> bool:
    changed = any(name in typed and typed[name].strip() != printed.answers[name] for name in PRINTED)
    return changed or bool(typed.get("nir") or typed.get("birth_date"))


_MISSING: Final = {
    "level": "Cochez le niveau choisi au point 5, par exemple BASE.",
    "waiver_reason": "Choisissez le motif coché au point 3.",
    "waiver_proof": "Dites si la dispense est prouvée par un document ou attestée sur l’honneur.",
    "civil_link": "Choisissez l’union cochée au point 4, par exemple mariage.",
    "attached_to": "Choisissez sur quelle attestation cette personne est inscrite.",
}


def _named(wrong: InvalidFields) -> InvalidFields:
    """The same, what is missing by the paper's own parts."""
    errors = []
    for one in wrong.errors:
        words = _MISSING.get(one.field.split(".")[-1], "") if one.code in ("missing", "choice") else ""
        label = ANSWERS.get(one.field, "") if one.code == "missing" and not words else ""
        message = words or (f"{label} : {one.message}" if label else one.message)
        errors.append(FieldError(one.field, one.code, french(message), one.example))
    return InvalidFields(errors)
