"""/insured/exports: « Mes salariés affiliés » as a file, for employers' users."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api.insured import Narrowed
from api.problems import describes
from services.exports import ExportJob, ExportJobs
from services.fields import Nir
from services.problems import (
    ExportsUnderWay,
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    StepUpNeeded,
    StorageAway,
    TooManyRequests,
)
from services.sheets import SheetForm
from web.callers import AnyCaller
from web.downloads import download_answer
from web.parts import Parts, parts

router = APIRouter(prefix="/insured/exports", tags=["insured"])

Use = Annotated[Parts, Depends(parts)]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {form.media_type: {} for form in SheetForm}, "description": "The file"}
}


class NewInsuredExport(Narrowed):
    """The list as it is asked for, in its order. `nir`: somebody by their number."""

    nir: Nir | None = None
    form: Annotated[SheetForm, Field(description="Of the file")] = SheetForm.xlsx


@router.post(
    "",
    response_class=Response,
    responses={
        **describes(NotAuthenticated, NotAllowed, StepUpNeeded, InvalidFields, TooManyRequests, ExportsUnderWay),
        **_FILE,
        202: {"model": ExportJob, "description": "5,000 rows or more: a job, of which its user is told"},
    },
)
async def export(asked: NewInsuredExport, caller: AnyCaller, use: Use) -> Response:
    """Every line of the list, with whole social-security numbers: a code of less than ten minutes is needed."""
    people = None if asked.nir is None else await use.insured.recognise(caller, asked.nir)
    made = await use.exports.insured(caller, asked.filters(people), asked.form)
    if isinstance(made, ExportJob):
        return Response(made.model_dump_json(), 202, media_type="application/json")
    return download_answer(made)


@router.get("", responses=describes(NotAuthenticated, NotAllowed))
async def jobs(caller: AnyCaller, use: Use) -> ExportJobs:
    """The caller's own exports that took longer, the newest first."""
    return await use.exports.jobs(caller)


@router.get("/{job_id}", responses=describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields))
async def job(job_id: UUID, caller: AnyCaller, use: Use) -> ExportJob:
    """How far it is."""
    return await use.exports.job(caller, job_id)


@router.get(
    "/{job_id}/file",
    response_class=Response,
    responses={
        **describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields, StorageAway),
        **_FILE,
    },
)
async def file(job_id: UUID, caller: AnyCaller, use: Use) -> Response:
    """For 24 hours."""
    return download_answer(await use.exports.file(caller, job_id))
