"""« Pré-affiliation › Plusieurs salariés à la fois »: a table is given, looked at row by row, repaired, confirmed,
and its sending followed. Nothing of a row stands in an address but its number; nothing leaves unconfirmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from activities.contracts.affiliation_imports import ImportState, RowState
from messages import import_words
from messages.typography import french
from portal.desk_pages import Done
from portal.forms import Fields
from portal.import_rows import Shown, changed, correctable, read_row, shown, wrong_in_row
from portal.pages import fragment, see_other
from portal.space import SpaceRoute, one_problem, signed_in_page
from services.affiliation_import_views import STARTABLE, ImportView
from services.callers import Caller
from services.exports import Download
from services.import_columns import COLUMNS, NIR_KEY
from services.problems import (
    FieldError,
    InvalidFields,
    RefusedByRules,
    TooManyRequests,
    UnreadableUpload,
)
from services.sheets import SheetForm
from web.callers import Use, UserCaller, UserUploader
from web.csrf import OwnSite
from web.downloads import download_answer
from web.parts import Parts
from web.uploads import uploaded_file

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

IMPORTS: Final = "/salaries/pre-affiliation/imports"
TEMPLATE: Final = f"{IMPORTS}/modele.xlsx"
PASTE: Final = f"{IMPORTS}/collage"
ONE: Final = f"{IMPORTS}/{{import_id:uuid}}"
ROW: Final = f"{ONE}/lignes/{{number}}"
Cursor = Annotated[str, Query(alias="apres", max_length=400)]
Number = Annotated[int, Path(ge=1, le=1_000_000)]
Which = Annotated[str, Query(alias="etat", max_length=40)]
_MOST_ROWS: Final = 50
_MOST_CARDS: Final = 20  # rows with their forms
_MOST_AT_ONCE: Final = 200  # rows asked of the service
_MOST_COUNTED: Final = 1_000  # beyond, how many e-mails and letters is not told beforehand
_TO_CORRECT: Final = "a-corriger"
# The filters of the rows: (address, words, states).
_GROUPS: Final[Mapping[str, tuple[str, tuple[RowState, ...]]]] = {
    _TO_CORRECT: ("À corriger", (RowState.invalid, RowState.conflict)),
    "prets": ("Prêts à envoyer", (RowState.new, RowState.changed)),
    "connus": ("Déjà connus ou en double", (RowState.running, RowState.insured, RowState.skipped)),
    "envoyes": ("Pré-affiliés", (RowState.started,)),
    "echecs": ("Non envoyés", (RowState.failed,)),
}
LABELS: Final = {
    **{column.field: column.title for column in COLUMNS},
    NIR_KEY: "Clé du numéro de sécurité sociale, à part",
}
_OPTIONAL: Final = frozenset(column.field for column in COLUMNS if not column.required)
_EDITABLE: Final = (ImportState.checked, ImportState.done)  # what did not leave can still be corrected and sent
_MOVING: Final = (ImportState.checking, ImportState.confirmed, ImportState.running)
_STATE_ICONS: Final = {
    ImportState.read: "filter",
    ImportState.checking: "refresh",
    ImportState.checked: "eye",
    ImportState.confirmed: "clock",
    ImportState.running: "refresh",
    ImportState.done: "good",
    ImportState.cancelled: "abandoned",
    ImportState.refused: "rejected",
}
_ROW_ICONS: Final = {
    RowState.new: "good",
    RowState.changed: "edit",
    RowState.invalid: "warning",
    RowState.conflict: "switch",
    RowState.running: "clock",
    RowState.insured: "insured",
    RowState.skipped: "files",
    RowState.started: "sent",
    RowState.failed: "rejected",
}
_NOTES: Final = {
    code: french(words)
    for code, words in {
        "lu": "Le fichier est lu. Rien n’est envoyé : vérifiez, corrigez, puis confirmez.",
        "colonnes": "Les colonnes sont enregistrées, et toutes les lignes ont été relues.",
        "corrigee": "La ligne est corrigée.",
        "choix": "Votre choix est enregistré.",
        "rien": "Aucune ligne n’est cochée pour partir. Rien n’est envoyé.",
        "confirme": "C’est confirmé. Les pré-affiliations partent maintenant, vous pouvez quitter cette page.",
        "abandonne": "L’import est abandonné : ce qui n’était pas parti ne partira pas.",
    }.items()
}


# --- giving a table


@router.get(IMPORTS)
async def imports(request: Request, caller: UserCaller, use: Use) -> Response:
    return await _start(request, caller, use)


@router.post(IMPORTS)
async def deposit(request: Request, caller: UserUploader, use: Use) -> Response:
    """A workbook or a CSV."""
    try:
        file = await uploaded_file(request)
        made = await use.affiliation_imports.upload(caller, file.name, file.content)
    except UnreadableUpload:
        words = french("Choisissez un fichier, puis envoyez-le : un classeur Excel (.xlsx) ou un fichier CSV.")
        return await _start(request, caller, use, InvalidFields([FieldError("file", "missing", words)]))
    except InvalidFields as wrong:
        return await _start(request, caller, use, wrong)
    except TooManyRequests as problem:
        return await _start(request, caller, use, one_problem(problem), status=problem.status)
    return _read(made)


@router.post(PASTE)
async def paste(request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """A table as it is copied from a workbook."""
    text = fields.get("text", "")
    try:
        made = await use.affiliation_imports.paste(caller, text)
    except InvalidFields as wrong:
        return await _start(request, caller, use, wrong, text)
    except TooManyRequests as problem:
        return await _start(request, caller, use, one_problem(problem), text, problem.status)
    return _read(made)


@router.get(PASTE)
async def back_to_start() -> Response:
    """Where something was sent to is looked at again after signing in, or « Réessayer »."""
    return see_other(IMPORTS)


@router.get(TEMPLATE)
async def template(caller: UserCaller, use: Use) -> Response:
    return _workbook("pre-affiliation-modele", await use.affiliation_imports.template(caller))


def _read(made: ImportView) -> Response:
    if made.state is ImportState.read:
        return see_other(f"{IMPORTS}/{made.id}/colonnes")
    return see_other(f"{IMPORTS}/{made.id}?fait=lu")


async def _start(
    request: Request, caller: Caller, use: Parts, wrong: InvalidFields | None = None, pasted: str = "", status: int = 0
) -> Response:
    recent = await use.affiliation_imports.recent(caller)
    return await signed_in_page(
        request, caller, use, "imports/start", wrong, status, recent=recent, pasted=pasted, **_words()
    )


# --- one import


@router.get(ONE)
async def one(
    import_id: UUID,
    request: Request,
    caller: UserCaller,
    use: Use,
    etat: Which = "",
    apres: Cursor = "",
    fait: Done = "",
) -> Response:
    """Its rows by what they come to; while they are looked at or sent, the page looks again by itself."""
    view = await use.affiliation_imports.view(caller, import_id)
    if "hx-request" in request.headers:
        answer = fragment("space/imports/one.html", "progress", one=view, **_words())
        if view.state not in _MOVING:  # the rest of the page tells something else now
            answer.headers["HX-Refresh"] = "true"
        return answer
    if view.state is ImportState.read:
        return see_other(f"{IMPORTS}/{import_id}/colonnes")
    return await _rows_page(request, caller, use, view, etat, apres, note=_NOTES.get(fait, ""))


async def _rows_page(
    request: Request,
    caller: Caller,
    use: Parts,
    view: ImportView,
    which: str,
    after: str,
    *,
    note: str = "",
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    here = f"{IMPORTS}/{view.id}"
    states = list(_GROUPS[which][1]) if which in _GROUPS else None
    cards = which == _TO_CORRECT and view.state in _EDITABLE
    rows: list[Shown] = []
    following = None
    if view.state is not ImportState.checking:
        try:
            page = await use.affiliation_imports.rows(
                caller, view.id, states, _MOST_CARDS if cards else _MOST_ROWS, after or None
            )
        except InvalidFields:
            return see_other(here)  # an address that was cut
        rows, following = [shown(one) for one in page.items], page.next_cursor
    filtered = f"{here}?{urlencode({'etat': which})}" if states else here
    return await signed_in_page(
        request,
        caller,
        use,
        "imports/one",
        wrong,
        status,
        one=view,
        note=note,
        rows=rows,
        cards=cards,
        chips=_chips(view, here, which),
        which=which if states else "",
        to_correct=_count(view, _TO_CORRECT),
        numbers=",".join(str(row.row.number) for row in rows if row.row.state in STARTABLE),
        first=filtered if after else "",
        next=f"{here}?{urlencode({'etat': which, 'apres': following} if states else {'apres': following})}"
        if following
        else "",
        **_words(),
    )


def _count(view: ImportView, group: str) -> int:
    return sum(view.counts.get(state, 0) for state in _GROUPS[group][1])


def _chips(view: ImportView, here: str, chosen: str) -> list[tuple[str, str, int, bool]]:
    """(label, address, how many, whether it is this one)."""
    chips = [("Toutes les lignes", here, view.rows_total, chosen not in _GROUPS)]
    return chips + [
        (label, f"{here}?etat={code}", many, code == chosen)
        for code, (label, _) in _GROUPS.items()
        if (many := _count(view, code)) or code == chosen
    ]


# --- its columns


@router.get(f"{ONE}/colonnes")
async def columns(import_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """What each column was read as, to be changed."""
    view = await use.affiliation_imports.view(caller, import_id)
    return await _columns_page(request, caller, use, view)


@router.post(f"{ONE}/colonnes")
async def map_columns(import_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    view = await use.affiliation_imports.view(caller, import_id)
    chosen = {one.index: fields.get(f"colonne-{one.index}", "") for one in view.columns}
    mapping: dict[str, int] = {}
    errors = []
    for index, field in chosen.items():
        if field in mapping:
            words = (
                f"« {LABELS[field]} » est déjà choisi pour une autre colonne. Laissez « Ne pas lire » à l’une des deux."
            )
            errors.append(FieldError(f"colonne-{index}", "duplicate", french(words)))
        elif field in LABELS:
            mapping[field] = index
    if not mapping:
        words = "Dites au moins ce que contient une colonne, par exemple « Nom »."
        errors.append(FieldError("", "missing", french(words)))
    try:
        if errors:
            raise InvalidFields(errors)
        await use.affiliation_imports.map_columns(caller, import_id, mapping)
    except InvalidFields as wrong:
        return await _columns_page(request, caller, use, view, chosen, wrong)
    except RefusedByRules as problem:
        return await _columns_page(request, caller, use, view, chosen, one_problem(problem), problem.status)
    return see_other(f"{IMPORTS}/{import_id}?fait=colonnes")


async def _columns_page(
    request: Request,
    caller: Caller,
    use: Parts,
    view: ImportView,
    chosen: Mapping[int, str] | None = None,
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    values = chosen or {one.index: one.field or "" for one in view.columns}
    return await signed_in_page(
        request, caller, use, "imports/columns", wrong, status, one=view, chosen=values, **_words()
    )


# --- one row


@router.get(ROW)
async def row(import_id: UUID, number: Number, request: Request, caller: UserCaller, use: Use) -> Response:
    """Everything that a row says, to be corrected where that is still possible."""
    found = await use.affiliation_imports.row(caller, import_id, number)
    return await _row_page(request, caller, use, import_id, shown(found))


@router.post(ROW)
async def correct(
    import_id: UUID, number: Number, request: Request, caller: UserCaller, fields: Fields, use: Use
) -> Response:
    """What was typed replaces what the row said; what still does not go is told at its field."""
    values = read_row(fields)
    found = await use.affiliation_imports.row(caller, import_id, number)
    try:
        corrected = await use.affiliation_imports.correct(caller, import_id, number, changed(found, values))
    except (InvalidFields, RefusedByRules) as problem:
        wrong = problem if isinstance(problem, InvalidFields) else one_problem(problem)
        return await _row_page(request, caller, use, import_id, shown(found, values), wrong, problem.status)
    still = wrong_in_row(corrected)
    if still is not None and correctable(corrected):
        return await _row_page(request, caller, use, import_id, shown(corrected, values), still)
    etat = fields.get("etat", "")
    query = {"etat": etat} if etat in _GROUPS else {}
    return see_other(f"{IMPORTS}/{import_id}?{urlencode({**query, 'fait': 'corrigee'})}")


async def _row_page(
    request: Request,
    caller: Caller,
    use: Parts,
    import_id: UUID,
    found: Shown,
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    view = await use.affiliation_imports.view(caller, import_id)
    places = await use.pre_affiliation_checks.places(caller)
    return await signed_in_page(
        request,
        caller,
        use,
        "imports/row",
        wrong,
        status,
        one=view,
        found=found,
        places=places,
        etat=_TO_CORRECT if _count(view, _TO_CORRECT) else "",
        **_words(),
    )


# --- which rows, and sending them


@router.post(f"{ONE}/choix")
async def choose(import_id: UUID, request: Request, caller: UserCaller, fields: Fields, use: Use) -> Response:
    """Of the rows of a page those that are ticked, or what concerns all of them."""
    asked = [int(one) for one in fields.get("lignes", "").split(",")[:_MOST_ROWS] if one.isascii() and one.isdigit()]
    ticked = [number for number in asked if f"ligne-{number}" in fields]
    left = [number for number in asked if f"ligne-{number}" not in fields]
    try:
        for numbers, included in ((ticked, True), (left, False)):
            if numbers:
                await use.affiliation_imports.include(caller, import_id, numbers, included)
    except RefusedByRules as problem:
        view = await use.affiliation_imports.view(caller, import_id)
        wrong = one_problem(problem)
        return await _rows_page(request, caller, use, view, "", "", wrong=wrong, status=problem.status)
    if "hx-request" in request.headers:
        view = await use.affiliation_imports.view(caller, import_id)
        to_correct = _count(view, _TO_CORRECT)
        return fragment(
            "space/imports/one.html", "onward", one=view, numbers=asked, cards=False, to_correct=to_correct, **_words()
        )
    if fields.get("suite") == "confirmer":
        return see_other(f"{IMPORTS}/{import_id}/confirmation")
    query = {"etat": fields["etat"]} if fields.get("etat") in _GROUPS else {}
    return see_other(f"{IMPORTS}/{import_id}?{urlencode({**query, 'fait': 'choix'})}")


@router.get(f"{ONE}/confirmation")
async def review(import_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """What will be sent, and when."""
    view = await use.affiliation_imports.view(caller, import_id)
    if not view.can_confirm:
        return see_other(f"{IMPORTS}/{import_id}?fait=rien")
    return await _review(request, caller, use, view)


@router.post(f"{ONE}/confirmation")
async def confirm(import_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    try:
        await use.affiliation_imports.confirm(caller, import_id, None)
    except RefusedByRules as problem:
        view = await use.affiliation_imports.view(caller, import_id)
        return await _review(request, caller, use, view, one_problem(problem), problem.status)
    return see_other(f"{IMPORTS}/{import_id}?fait=confirme")


async def _review(
    request: Request,
    caller: Caller,
    use: Parts,
    view: ImportView,
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    invitations = await _invitations(caller, use, view)
    by_email, by_post = invitations or (0, 0)
    return await signed_in_page(
        request,
        caller,
        use,
        "imports/confirm",
        wrong,
        status,
        one=view,
        counted=invitations is not None,
        by_email=by_email,
        by_post=by_post,
        updates=view.to_start - by_email - by_post,
        left=sum(view.counts.values()) - view.to_start,
        to_correct=_count(view, _TO_CORRECT),
        **_words(),
    )


async def _invitations(caller: Caller, use: Parts, view: ImportView) -> tuple[int, int] | None:
    """How many e-mails and letters leave to new people; None where counting them would take long."""
    if view.to_start > _MOST_COUNTED:
        return None
    by_email, by_post, cursor = 0, 0, None
    while True:
        page = await use.affiliation_imports.rows(caller, view.id, [RowState.new], _MOST_AT_ONCE, cursor)
        leaving = [shown(one).by_email for one in page.items if one.included]
        by_email, by_post = by_email + sum(leaving), by_post + len(leaving) - sum(leaving)
        cursor = page.next_cursor
        if cursor is None:
            return by_email, by_post


@router.post(f"{ONE}/annulation")
async def cancel(import_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    try:
        await use.affiliation_imports.cancel(caller, import_id)
    except RefusedByRules as problem:
        view = await use.affiliation_imports.view(caller, import_id)
        return await _rows_page(request, caller, use, view, "", "", wrong=one_problem(problem), status=problem.status)
    return see_other(f"{IMPORTS}/{import_id}?fait=abandonne")


@router.get(f"{ONE}/choix")
@router.get(f"{ONE}/annulation")
async def back_to_one(import_id: UUID) -> Response:
    """Where something was sent to is looked at again after signing in, or « Réessayer »."""
    return see_other(f"{IMPORTS}/{import_id}")


@router.get(f"{ONE}/rapport.xlsx")
async def report(import_id: UUID, caller: UserCaller, use: Use) -> Response:
    """The rows with their states and what is to be corrected: the same file, to be corrected and given again."""
    return _workbook(f"pre-affiliation-{import_id}", await use.affiliation_imports.report(caller, import_id))


def _workbook(name: str, content: bytes) -> Response:
    return download_answer(Download(f"{name}.xlsx", SheetForm.xlsx.media_type, content, len(content)))


def _words() -> dict[str, Any]:
    return {
        "imports": import_words,
        "LABELS": LABELS,
        "OPTIONAL": _OPTIONAL,
        "STATE_ICONS": _STATE_ICONS,
        "ROW_ICONS": _ROW_ICONS,
        "moving": _MOVING,
        "editable": _EDITABLE,
    }
