"""« Base documentaire » of staff: what employers download, each document with its versions."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response

from messages.typography import french
from portal.desk_pages import Done, desk_page, in_words
from portal.forms import form_with_files
from portal.library import CATEGORIES, pdf_answer
from portal.menu import DESK
from portal.pages import see_other
from portal.space import SpaceRoute
from services.callers import Caller
from services.contact_views import UploadedFile
from services.fields import validated
from services.library import SLUG, NewDocument
from services.problems import (
    DocumentRefused,
    FieldError,
    InvalidFields,
    NotYetScanned,
    Problem,
    RefusedByRules,
    StorageAway,
)
from web.callers import StaffClerk, StaffUploader, StaffUser, Use
from web.csrf import OwnSite
from web.parts import Parts

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

LIBRARY: Final = f"{DESK}/bibliotheque"
NEW: Final = f"{LIBRARY}/ajouter"
ONE: Final = f"{LIBRARY}/{{slug}}"
Slug = Annotated[str, Path(pattern=SLUG)]
_DONE: Final = {
    code: french(words)
    for code, words in {
        "ajoute": "Le document est ajouté : les entreprises le voient maintenant.",
        "remplace": "La nouvelle version est en ligne. Les précédentes restent ci-dessous.",
        "portail": "La version du portail est de nouveau en ligne.",
        "retire": "Le document est retiré : plus personne ne le trouve.",
        "publie": "Le document est de nouveau en ligne.",
    }.items()
}
_MISSING: Final = {
    "title": french("Indiquez le titre. Exemple : Guide des garanties"),
    "summary": french("Dites en une phrase à quoi il sert. Exemple : Ce que chaque formule rembourse."),
    "category": french("Choisissez la rubrique. Exemple : Guides pratiques"),
}
_NO_FILE: Final = french("Choisissez un fichier PDF de 10 Mo au plus. Exemple : guide-des-garanties.pdf")
_Refused = (DocumentRefused, NotYetScanned, StorageAway, RefusedByRules)


@router.get(LIBRARY)
async def documents(request: Request, caller: StaffUser, use: Use) -> Response:
    kept = await use.library.kept(caller)
    groups = [
        (title, [one for one in kept if one.document.category is category]) for category, title in CATEGORIES.items()
    ]
    return await desk_page(request, caller, use, "desk/library", groups=groups)


@router.get(NEW)
async def new_page(request: Request, caller: StaffClerk, use: Use) -> Response:
    return await _new_page(request, caller, use, {})


@router.post(NEW)
async def add(request: Request, caller: StaffUploader, use: Use) -> Response:
    fields, file = await _received(request)
    try:
        about = validated(NewDocument, {name: fields.get(name, "") for name in _MISSING})
    except InvalidFields as one:
        errors = [*in_words(one, _MISSING).errors, *([] if file else _no_file().errors)]
        return await _new_page(request, caller, use, fields, InvalidFields(errors))
    if file is None:
        return await _new_page(request, caller, use, fields, _no_file())
    try:
        slug = await use.library.add(caller, about, file.content, file.name)
    except _Refused as problem:
        field = "title" if isinstance(problem, RefusedByRules) else "file"
        return await _new_page(request, caller, use, fields, _at(field, problem), problem.status)
    return see_other(f"{LIBRARY}/{slug}?fait=ajoute")


async def _new_page(
    request: Request,
    caller: Caller,
    use: Parts,
    fields: dict[str, str],
    wrong: InvalidFields | None = None,
    status: int = 0,
) -> Response:
    typed = {name: fields.get(name, "") for name in _MISSING}
    return await desk_page(request, caller, use, "desk/library_new", wrong, status, typed=typed, categories=CATEGORIES)


@router.get(ONE)
async def one(slug: Slug, request: Request, caller: StaffUser, use: Use, fait: Done = "") -> Response:
    return await _one_page(request, caller, use, slug, done=_DONE.get(fait, ""))


@router.post(ONE)
async def replace(slug: Slug, request: Request, caller: StaffUploader, use: Use) -> Response:
    """Its next version."""
    _, file = await _received(request)
    if file is None:
        return await _one_page(request, caller, use, slug, _no_file())
    try:
        await use.library.replace(caller, slug, file.content, file.name)
    except _Refused as problem:
        return await _one_page(request, caller, use, slug, _at("file", problem), problem.status)
    return see_other(f"{LIBRARY}/{slug}?fait=remplace")


async def _one_page(
    request: Request,
    caller: Caller,
    use: Parts,
    slug: str,
    wrong: InvalidFields | None = None,
    status: int = 0,
    done: str = "",
) -> Response:
    kept, versions = await use.library.one(caller, slug)
    return await desk_page(
        request,
        caller,
        use,
        "desk/library_one",
        wrong,
        status,
        kept=kept,
        versions=versions,
        category=CATEGORIES[kept.document.category],
        done=done,
    )


@router.post(f"{ONE}/version-du-portail")
async def make_again(slug: Slug, caller: StaffClerk, use: Use) -> Response:
    await use.library.make_again(caller, slug)
    return see_other(f"{LIBRARY}/{slug}?fait=portail")


@router.post(f"{ONE}/retrait")
async def retire(slug: Slug, caller: StaffClerk, use: Use) -> Response:
    await use.library.retire(caller, slug, True)
    return see_other(f"{LIBRARY}/{slug}?fait=retire")


@router.post(f"{ONE}/publication")
async def publish(slug: Slug, caller: StaffClerk, use: Use) -> Response:
    await use.library.retire(caller, slug, False)
    return see_other(f"{LIBRARY}/{slug}?fait=publie")


@router.get(f"{ONE}/versions/{{number}}.pdf")
async def version(
    slug: Slug, number: Annotated[int, Path(ge=1, le=2**31 - 1)], caller: StaffUser, use: Use
) -> Response:
    return pdf_answer(await use.library.version(caller, slug, number))


async def _received(request: Request) -> tuple[dict[str, str], UploadedFile | None]:
    """What was typed, and the one file beside it. Raises UnreadableForm, UnreadableUpload, CsrfRefused."""
    sent = await form_with_files(request)
    file = sent.files[0] if len(sent.files) == 1 and sent.files[0].content else None
    return sent.fields, file


def _no_file() -> InvalidFields:
    return InvalidFields([FieldError("file", "missing", _NO_FILE)])


def _at(field: str, problem: Problem) -> InvalidFields:
    return InvalidFields([FieldError(field, problem.code, problem.detail)])
