"""« Exporter » on « Mes salariés affiliés » (guide, page 12): the file at once, or the page of those being prepared."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from messages.typography import french
from portal.forms import Fields
from portal.insured import LIST, read_asked
from portal.pages import fragment, see_other
from portal.space import SpaceRoute, signed_in_page
from services.exports import Download, ExportJob, ExportStands
from services.problems import NotFound, StepUpNeeded
from services.sheets import SheetForm
from web.callers import Use, UserCaller
from web.csrf import OwnSite
from web.downloads import download_answer

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

EXPORTS: Final = f"{LIST}/exports"
ONE: Final = f"{EXPORTS}/{{job_id:uuid}}"
Done = Annotated[str, Query(alias="fait", max_length=40)]
_DONE: Final = {
    "demande": french("L’export est en préparation : nous vous écrirons dès que le fichier sera prêt."),
}
STATE_ICONS: Final = {
    ExportStands.waiting: "clock",
    ExportStands.running: "refresh",
    ExportStands.done: "good",
    ExportStands.failed: "rejected",
    ExportStands.cancelled: "abandoned",
    ExportStands.expired: "withdraw",
}
_MOVING: Final = (ExportStands.waiting, ExportStands.running)


@router.post(EXPORTS)
async def export(caller: UserCaller, fields: Fields, use: Use) -> Response:
    """What is on the screen. Where a code is to be given first, what is asked for waits for it."""
    asked, wrong = read_asked(fields)
    if wrong:
        return see_other(asked.address())
    try:
        form = SheetForm(fields.get("fichier", ""))
    except ValueError:
        raise NotFound() from None
    try:
        made = await use.exports.insured(caller, asked.filters, form)
    except StepUpNeeded:
        return _code_first(f"{EXPORTS}/{await use.exports.ask_insured(caller, asked.filters, form)}")
    return _answer(made)


@router.get(EXPORTS)
async def jobs(request: Request, caller: UserCaller, use: Use, fait: Done = "") -> Response:
    """The user's own; those under way are looked at again by themselves."""
    items = (await use.exports.jobs(caller)).items
    moving = any(one.state in _MOVING for one in items)
    if "HX-Request" in request.headers:
        return fragment("space/insured/exports.html", "jobs", items=items, moving=moving, state_icons=STATE_ICONS)
    return await signed_in_page(
        request,
        caller,
        use,
        "insured/exports",
        items=items,
        moving=moving,
        state_icons=STATE_ICONS,
        note=_DONE.get(fait, ""),
    )


@router.get(ONE)
async def one(job_id: UUID, request: Request, caller: UserCaller, use: Use) -> Response:
    """What waited for a code."""
    job = await use.exports.job(caller, job_id)
    if job.state is not ExportStands.asked:
        return see_other(EXPORTS)
    return await signed_in_page(request, caller, use, "insured/export", job=job)


@router.post(ONE)
async def carry_out(job_id: UUID, caller: UserCaller, use: Use) -> Response:
    return _answer(await use.exports.carry_out(caller, job_id))


@router.get(f"{ONE}/fichier")
async def file(job_id: UUID, caller: UserCaller, use: Use) -> Response:
    try:
        return _answer(await use.exports.file(caller, job_id))
    except StepUpNeeded:
        return _code_first(EXPORTS)  # a download leaves the page of the code on the screen


def _code_first(after: str) -> Response:
    return see_other(f"/connexion/confirmer?{urlencode({'suite': after})}")


def _answer(made: Download | ExportJob) -> Response:
    if isinstance(made, ExportJob):
        return see_other(f"{EXPORTS}?fait=demande")
    return download_answer(made)
