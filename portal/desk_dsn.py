"""« DSN »: files deposited, what each declaration came to, and the changes of rights that somebody has to confirm."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from messages import dsn_words
from messages.typography import french, month_in_words
from portal import dsn_wording
from portal.desk_pages import Done, desk_page
from portal.forms import Fields
from portal.menu import DESK
from portal.pages import fragment, see_other
from portal.space import SpaceRoute, one_problem
from services.callers import Caller
from services.dsn_imports import KINDS
from services.dsn_report import explained, report_of
from services.dsn_views import DsnChangeView, DsnDecision, DsnDeclarationState, DsnImportView
from services.fields import validated
from services.problems import FieldError, InvalidFields, RefusedByRules, StorageAway
from web.callers import StaffClerk, StaffUploader, StaffUser, Use
from web.csrf import OwnSite
from web.file_streams import file_stream
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

DSN: Final = f"{DESK}/dsn"
ONE: Final = f"{DSN}/{{import_id:uuid}}"
TO_CONFIRM: Final = f"{DSN}/a-confirmer"
CHANGE: Final = f"{TO_CONFIRM}/{{change_id:uuid}}"
Cursor = Annotated[str, Query(alias="apres", max_length=2000)]
_ICONS: Final = {"received": "clock", "reading": "refresh", "applied": "done", "refused": "rejected"}
_NOTES: Final = {
    code: french(words)
    for code, words in {
        "depose": "Le fichier est reçu. Il est lu maintenant : vous pouvez quitter cette page.",
        "deja": "Ce fichier a déjà été déposé : voici ce qu’il en est. Rien n’a été fait une seconde fois.",
        "applied": "Le changement est appliqué.",
        "unchanged": "C’était déjà enregistré : rien n’a changé.",
        "refused": "Le changement est refusé : les droits restent comme ils sont.",
    }.items()
}
_STATES: TypeAdapter[DsnDeclarationState] = TypeAdapter(DsnDeclarationState)


# --- files


@router.get(DSN)
async def imports(request: Request, caller: StaffUser, use: Use, apres: Cursor = "") -> Response:
    return await _imports_page(request, caller, use, apres)


@router.post(DSN)
async def deposit(request: Request, caller: StaffUploader, use: Use) -> Response:
    """A file, sealed into the store while it arrives."""
    try:
        file = await file_stream(request)
        received = await use.dsn_imports.receive(caller, file.content, "upload")
    except InvalidFields as wrong:
        return await _imports_page(request, caller, use, "", wrong)
    except StorageAway as problem:
        return await _imports_page(request, caller, use, "", one_problem(problem), problem.status)
    return see_other(f"{DSN}/{received.item.id}?fait={'deja' if received.known else 'depose'}")


async def _imports_page(
    request: Request, caller: Caller, use: Parts, after: str, wrong: InvalidFields | None = None, status: int = 0
) -> Response:
    try:
        page = await use.dsn_imports.list(caller, after or None)
    except InvalidFields:
        return see_other(DSN)  # an address that was cut
    return await desk_page(
        request,
        caller,
        use,
        "desk/dsn",
        wrong,
        status,
        items=page.items,
        most=use.dsn_imports.most_bytes // 2**20,
        to_decide=await use.dsn_imports.count_to_decide(caller),
        first=DSN if after else "",
        next=f"{DSN}?apres={page.next_cursor}" if page.next_cursor else "",
        **_words(),
    )


@router.get(ONE)
async def one(
    import_id: UUID,
    request: Request,
    caller: StaffUser,
    use: Use,
    resultat: Annotated[str, Query(max_length=20)] = "",
    apres: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    fait: Done = "",
) -> Response:
    """Its progress, then the result of each declaration; while it is read the page looks again by itself."""
    item = await use.dsn_imports.one(caller, import_id)
    if "hx-request" in request.headers:
        return fragment("space/desk/dsn_one.html", "progress", item=item, **_words(), progress=_progress(item))
    try:
        state = _STATES.validate_python(resultat) if resultat else None
    except ValidationError:
        state = None
    page = await use.dsn_imports.declarations(caller, import_id, state, apres)
    here = f"{DSN}/{import_id}"
    filtered = f"{here}?resultat={state}" if state else here
    more = f"{filtered}{'&' if state else '?'}apres={page.next_number}" if page.next_number else ""
    return await desk_page(
        request,
        caller,
        use,
        "desk/dsn_one",
        item=item,
        note=_NOTES.get(fait, ""),
        declarations=[(each, explained(each)) for each in page.items],
        chips=_chips(item, here, state),
        state=state,
        progress=_progress(item),
        faults=[dsn_words.fault_words(each.code, each.line, each.expected, each.found) for each in item.faults],
        first=filtered if apres else "",
        next=more,
        **_words(),
    )


@router.get(f"{ONE}/rapport.csv")
async def report(import_id: UUID, caller: StaffUser, use: Use) -> Response:
    page = await use.dsn_imports.reported(caller, import_id)
    return Response(
        report_of(page.items),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="dsn-{import_id}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _progress(item: DsnImportView) -> int:
    """In hundredths; what is read to the end is still being carried out."""
    return 100 * item.read_to // item.declarations if item.declarations else 0


def _chips(item: DsnImportView, here: str, chosen: DsnDeclarationState | None) -> list[tuple[str, str, int, bool]]:
    """(label, address, how many, whether it is this one)."""
    counts = {
        DsnDeclarationState.recorded: item.recorded,
        DsnDeclarationState.set_aside: item.set_aside,
        DsnDeclarationState.duplicate: item.duplicate,
        DsnDeclarationState.foreign: item.foreign,
        DsnDeclarationState.replaced: item.replaced,
    }
    chips = [("Toutes", here, sum(counts.values()), chosen is None)]
    return chips + [
        (dsn_words.DECLARATION_STATES[state], f"{here}?resultat={state}", many, state is chosen)
        for state, many in counts.items()
        if many or state is chosen
    ]


# --- what is to be confirmed


@router.get(TO_CONFIRM)
async def to_confirm(
    request: Request,
    caller: StaffUser,
    use: Use,
    sorte: Annotated[str, Query(max_length=40)] = "",
    fichier: UUID | None = None,
    apres: Cursor = "",
    fait: Done = "",
) -> Response:
    kind = sorte if sorte in KINDS else None
    try:
        page = await use.dsn_imports.changes(caller, kind, None, fichier, None, apres or None)
    except InvalidFields:
        return see_other(TO_CONFIRM)
    query = {"sorte": kind or "", "fichier": str(fichier or "")}
    return await desk_page(
        request,
        caller,
        use,
        "desk/dsn_to_confirm",
        note=_NOTES.get(fait, ""),
        changes=[_told(each) for each in page.items],
        chips=_kinds(page.counts, kind),
        kind=kind,
        of_file=fichier,
        first=_with(TO_CONFIRM, query) if apres else "",
        next=_with(TO_CONFIRM, {**query, "apres": page.next_cursor}) if page.next_cursor else "",
        **_words(),
    )


def _kinds(counts: dict[str, int], chosen: str | None) -> list[tuple[str, str, int, bool]]:
    chips = [("Tout", TO_CONFIRM, sum(counts.values()), chosen is None)]
    return chips + [
        (dsn_words.CHANGE_KINDS[kind], f"{TO_CONFIRM}?sorte={kind}", counts.get(kind, 0), kind == chosen)
        for kind in KINDS
        if counts.get(kind) or kind == chosen
    ]


def _with(path: str, query: dict[str, str]) -> str:
    given = "&".join(f"{name}={value}" for name, value in query.items() if value)
    return f"{path}?{given}" if given else path


@router.get(CHANGE)
async def change_page(change_id: UUID, request: Request, caller: StaffUser, use: Use, fait: Done = "") -> Response:
    return await _change_page(request, caller, use, change_id, note=_NOTES.get(fait, ""))


@router.post(CHANGE)
async def decide(change_id: UUID, request: Request, caller: StaffClerk, fields: Fields, use: Use) -> Response:
    accept = fields.get("decision") == "accepter"
    field = "accepte" if accept else "refuse"
    try:
        asked = validated(DsnDecision, {"accept": accept, "reason": fields.get(field, "")})
        decided = await use.dsn_imports.decide(caller, change_id, asked)
    except InvalidFields:
        example = "La DSN est juste, telle quelle" if accept else "Ce n’est pas la même personne"
        words = f"Choisissez pourquoi dans la liste, par exemple « {example} »."
        wrong = InvalidFields([FieldError(field, "missing", french(words))])
        return await _change_page(request, caller, use, change_id, wrong=wrong)
    except RefusedByRules as problem:
        return await _change_page(request, caller, use, change_id, wrong=one_problem(problem), status=problem.status)
    return see_other(f"{TO_CONFIRM}?fait={decided.state}")


async def _change_page(
    request: Request,
    caller: Caller,
    use: Parts,
    change_id: UUID,
    *,
    note: str = "",
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    change = await use.dsn_imports.change(caller, change_id)
    return await desk_page(
        request,
        caller,
        use,
        "desk/dsn_change",
        wrong,
        status,
        note=note,
        one=_told(change),
        side_by_side=_side_by_side(change),
        today_is=dsn_wording.as_we_have_it(change),
        **_words(),
    )


def _told(change: DsnChangeView) -> dict[str, Any]:
    person = change.known or change.declared
    return {
        "change": change,
        "name": f"{person.first_names} {person.last_name}" if person else "Personne effacée",
        "said": dsn_wording.said(change),
        "effects": dsn_wording.effects(change),
        "why": dsn_words.OUTCOMES.get(change.outcome, ""),
    }


def _side_by_side(change: DsnChangeView) -> list[tuple[str, str, str, bool]]:
    """(what, as declared, as we have it, whether they differ)."""
    declared, known = change.declared, change.known
    if declared is None:
        return []
    rows = [
        ("Nom de naissance", declared.birth_name, known.birth_name if known else ""),
        ("Nom d’usage", declared.last_name, known.last_name if known else ""),
        ("Prénoms", declared.first_names, known.first_names if known else ""),
        ("Date de naissance", _born(declared.birth_date), _born(known.birth_date) if known else ""),
        ("N° de sécurité sociale", declared.nir, known.nir if known else ""),
    ]
    return [(what, a, b, bool(a and b) and a.casefold() != b.casefold()) for what, a, b in rows]


def _born(day: Any) -> str:
    return f"{day:%d/%m/%Y}" if day else ""


def _words() -> dict[str, Any]:
    return {"dsn": dsn_words, "ICONS": _ICONS, "month": month_in_words, "size": _size}


def _size(count: int) -> str:
    """« 12,4 Mo »."""
    if count < 2**20:
        return french(f"{max(1, round(count / 2**10))} Ko")
    return f"{count / 2**20:.1f}".replace(".", ",") + "\u00a0Mo"
