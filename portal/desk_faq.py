"""« Questions fréquentes »: what the assistant answers from. Staff see an entry as the assistant would show it before
they publish it, and what nobody had an answer for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request, Response

from domain.contact import GROUPS
from messages.typography import french
from portal.desk_pages import Done, desk_page
from portal.forms import Fields
from portal.pages import see_other
from portal.space import SpaceRoute, one_problem
from services.callers import Caller, Scope
from services.faq import FaqEntry, FaqState, FaqText
from services.fields import validated
from services.problems import FieldError, InvalidFields, RefusedByRules
from web.callers import StaffClerk, StaffUser, Use
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

FAQ: Final = "/gestion/questions"
ADD: Final = f"{FAQ}/ajouter"
ONE: Final = f"{FAQ}/{{entry_id:uuid}}"
_DONE: Final = {
    code: french(words)
    for code, words in {
        "publiee": "La question est publiée : l’assistant y répond.",
        "brouillon": "La question est enregistrée comme brouillon : l’assistant n’y répond pas.",
    }.items()
}
_MISSING: Final = {
    "question": "Écrivez la question, en 5 caractères au moins. Exemple : Où trouver mon identifiant entreprise ?",
    "answer": "Écrivez la réponse, en 10 caractères au moins. Exemple : Sur les courriers de votre assureur.",
}
_LONG: Final = {
    "question": "La question dépasse 200 caractères. Gardez-en une phrase.",
    "answer": "La réponse dépasse 2 000 caractères. Faites-en deux questions.",
    "variants": "20 autres façons de demander au plus, de 2 à 200 caractères chacune.",
    "page": "L’adresse de la page dépasse 200 caractères. Exemple : /contrats",
    "page_label": "Le nom du lien dépasse 80 caractères. Exemple : Mes contrats",
}
_NAMES: Final = ("question", "variants", "answer", "page", "page_label", "reason", "version")


@router.get(FAQ)
async def entries(request: Request, caller: StaffUser, use: Use, fait: Done = "") -> Response:
    return await desk_page(
        request,
        caller,
        use,
        "faq/list",
        entries=await use.faq.entries(caller),
        unanswered=await use.faq.unanswered(caller),
        note=_DONE.get(fait, ""),
    )


@router.get(ADD)
async def new_page(request: Request, caller: StaffUser, use: Use) -> Response:
    caller.need(Scope.staff_write)
    return await _form(request, caller, use, dict.fromkeys(_NAMES, ""))


@router.post(ADD)
async def add(request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    return await _save(request, caller, use, fields, None)


@router.get(ONE)
async def entry_page(entry_id: UUID, request: Request, caller: StaffUser, use: Use) -> Response:
    caller.need(Scope.staff_write)
    entry = await use.faq.one(caller, entry_id)
    return await _form(request, caller, use, _typed_of(entry), entry_id, shown=entry)


@router.post(ONE)
async def change(entry_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    return await _save(request, caller, use, fields, entry_id)


async def _save(
    request: Request, caller: Caller, use: Parts, fields: Mapping[str, str], entry_id: UUID | None
) -> Response:
    typed = {name: fields.get(name, "")[:4000] for name in _NAMES}
    publish = fields.get("faire") == "publier"
    try:
        text = _read(typed, FaqState.published if publish else FaqState.draft)
        if fields.get("faire") == "voir":
            return await _form(request, caller, use, typed, entry_id, shown=text, seen=True)
        if entry_id is None:
            await use.faq.add(caller, text)
        else:
            await use.faq.change(caller, entry_id, int(typed["version"]) if typed["version"].isdecimal() else 0, text)
    except InvalidFields as wrong:
        return await _form(request, caller, use, typed, entry_id, wrong=wrong)
    except RefusedByRules as problem:
        return await _form(request, caller, use, typed, entry_id, wrong=one_problem(problem), status=problem.status)
    return see_other(f"{FAQ}?fait={'publiee' if publish else 'brouillon'}")


def _read(typed: Mapping[str, str], state: FaqState) -> FaqText:
    """Raises InvalidFields."""
    lines = [line.strip() for line in typed["variants"].splitlines() if line.strip()]
    paragraphs = [" ".join(part.split()) for part in typed["answer"].replace("\r", "").split("\n\n")]
    texts = {name: typed[name].strip() for name in ("question", "page", "page_label", "reason")}
    given = {**texts, "variants": lines, "answer": "\n\n".join(filter(None, paragraphs)), "state": state.value}
    try:
        text = validated(FaqText, given)
    except InvalidFields as wrong:
        raise InvalidFields([_in_words(error) for error in wrong.errors]) from None
    if bool(text.page) != bool(text.page_label):
        missing = "page_label" if text.page else "page"
        words = {
            "page_label": "Nommez le lien vers cette page. Exemple : Mes contrats",
            "page": "Indiquez la page de ce lien. Exemple : /contrats",
        }
        raise InvalidFields([FieldError(missing, "missing", french(words[missing]))])
    return text


def _in_words(error: FieldError) -> FieldError:
    field = error.field.split(".")[0]
    too_long = error.code.endswith("too_long") or field == "variants"
    words = (
        (_LONG if too_long else _MISSING).get(field) if error.code.startswith(("string", "too", "missing")) else None
    )
    return FieldError(field, error.code, french(words) if words else error.message)


def _typed_of(entry: FaqEntry) -> dict[str, str]:
    same = {name: str(getattr(entry, name)) for name in _NAMES}
    return {**same, "variants": "\n".join(entry.variants)}


async def _form(
    request: Request,
    caller: Caller,
    use: Parts,
    typed: Mapping[str, str],
    entry_id: UUID | None = None,
    *,
    shown: FaqText | None = None,
    seen: bool = False,
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    """`shown`: as the assistant would show it. `seen`: it was asked for, so that it comes first."""
    return await desk_page(
        request,
        caller,
        use,
        "faq/one",
        wrong,
        status,
        typed=typed,
        action=ADD if entry_id is None else f"{FAQ}/{entry_id}",
        is_new=entry_id is None,
        shown=shown,
        paragraphs=shown.answer.split("\n\n") if shown else [],
        seen=seen,
        groups=GROUPS,
    )
