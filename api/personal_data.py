"""/staff/people, /enrolments/current/personal-data: a person's data handed over, and erased."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from api.problems import describes
from gateways.files.names import content_disposition
from services.personal_data import ErasureRequest, ErasureResult
from services.personal_data_views import PersonalData
from services.problems import (
    BirthDateNeeded,
    ErasureHeld,
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    StepUpNeeded,
    StorageAway,
)
from web.callers import Employee, StaffCaller
from web.parts import Parts, parts

router = APIRouter(tags=["personal data"])

Use = Annotated[Parts, Depends(parts)]

_NAME = "donnees-personnelles"
_PDF, _ZIP = "application/pdf", "application/zip"


def _file(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media_type: {}}, "description": description}}


@router.get(
    "/staff/people/{employee_id}/personal-data.json",
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields),
)
async def person_json(employee_id: UUID, caller: StaffCaller, use: Use) -> PersonalData:
    """Everything that is kept of a person; who asked is in the audit log."""
    return await use.personal_data.export(caller, employee_id)


@router.get(
    "/staff/people/{employee_id}/personal-data.pdf",
    response_class=Response,
    responses={
        **_file(_PDF, "The same to be read, in French"),
        **describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields),
    },
)
async def person_pdf(employee_id: UUID, caller: StaffCaller, use: Use) -> Response:
    """Everything that is kept of a person, to be read."""
    return _answer(await use.personal_data.export_pdf(caller, employee_id), _PDF, "pdf")


@router.get(
    "/staff/people/{employee_id}/personal-data.zip",
    response_class=Response,
    responses={
        **_file(_ZIP, "Both, with the person's files"),
        **describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, InvalidFields, StorageAway),
    },
)
async def person_zip(employee_id: UUID, caller: StaffCaller, use: Use) -> Response:
    """Everything that is kept of a person, files included."""
    return _answer(await use.personal_data.export_zip(caller, employee_id), _ZIP, "zip")


@router.post(
    "/staff/people/{employee_id}/erasure",
    responses=describes(NotAuthenticated, NotAllowed, StepUpNeeded, NotFound, ErasureHeld, InvalidFields),
)
async def erase(employee_id: UUID, request: ErasureRequest, caller: StaffCaller, use: Use) -> ErasureResult:
    """Erase a person, for good. Refused while an affiliation, a coverage or a waiver of theirs runs."""
    return await use.personal_data.erase(caller, employee_id, request)


@router.get("/enrolments/current/personal-data.json", responses=describes(NotAuthenticated, BirthDateNeeded))
async def own_json(employee: Employee, use: Use) -> PersonalData:
    """What is kept of the person whose session this is, about this affiliation."""
    return await use.personal_data.export_own(employee)


@router.get(
    "/enrolments/current/personal-data.pdf",
    response_class=Response,
    responses={**_file(_PDF, "The same to be read, in French"), **describes(NotAuthenticated, BirthDateNeeded)},
)
async def own_pdf(employee: Employee, use: Use) -> Response:
    """The same, to be read."""
    return _answer(await use.personal_data.export_own_pdf(employee), _PDF, "pdf")


@router.get(
    "/enrolments/current/personal-data.zip",
    response_class=Response,
    responses={
        **_file(_ZIP, "Both, with the person's files"),
        **describes(NotAuthenticated, BirthDateNeeded, StorageAway),
    },
)
async def own_zip(employee: Employee, use: Use) -> Response:
    """The same, files included."""
    return _answer(await use.personal_data.export_own_zip(employee), _ZIP, "zip")


def _answer(content: bytes, media_type: str, ending: str) -> Response:
    headers = {
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
        "Content-Disposition": content_disposition(f"{_NAME}.{ending}"),
    }
    return Response(content, media_type=media_type, headers=headers)
