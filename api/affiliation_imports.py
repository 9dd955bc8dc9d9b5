"""/affiliation-imports: many pre-affiliations at once, for employers' users: a table, its rows, and their sending."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from activities.contracts.affiliation_imports import RowState
from api.problems import describes
from services.affiliation_import_views import ImportRow, ImportRows, ImportSummary, ImportView
from services.exports import Download
from services.fields import Form
from services.problems import (
    InvalidFields,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RefusedByRules,
    TooManyRequests,
    UnreadableUpload,
)
from services.sheets import SheetForm
from web.callers import AnyCaller
from web.csrf import content_type
from web.downloads import download_answer
from web.parts import Parts, parts
from web.uploads import uploaded_file

router = APIRouter(prefix="/affiliation-imports", tags=["affiliations"])

Use = Annotated[Parts, Depends(parts)]
Number = Annotated[int, Field(ge=1, le=1_000_000, examples=[12])]
_MOST_NUMBERS = 10_000
_READING = describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields)
_ASKING = describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, InvalidFields)
_WORKBOOK: dict[int | str, dict[str, Any]] = {
    200: {"content": {SheetForm.xlsx.media_type: {}}, "description": "The workbook"}
}


class PastedTable(Form):
    """Cells copied from a workbook: lines, with tabs between their cells, titles first."""

    text: Annotated[str, Field(min_length=1, examples=["Nom\tPrénom\nMartin\tCamille"])]


class RowCorrection(Form):
    """By the names of `values`; what is left out stays."""

    values: Annotated[
        dict[str, Annotated[str, Field(max_length=300)]],
        Field(max_length=30, examples=[{"nir": "275067599000197", "hired_on": "2026-12-01"}]),
    ]


class ColumnMapping(Form):
    """The column of each field, by its index from 0; a field that is left out has none."""

    mapping: Annotated[
        dict[str, Annotated[int, Field(ge=0, le=1_000)]], Field(max_length=30, examples=[{"last_name": 0, "nir": 4}])
    ]


class RowSelection(Form):
    """Rows that a confirmation starts, or leaves."""

    numbers: Annotated[list[Number], Field(min_length=1, max_length=_MOST_NUMBERS, examples=[[2, 3]])]
    included: bool = Field(examples=[False])


class Confirmation(Form):
    """`numbers`: these rows only; left out: all that can be started and are included."""

    numbers: Annotated[list[Number], Field(min_length=1, max_length=_MOST_NUMBERS, examples=[[2, 3]])] | None = None


_UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": ".xlsx or .csv"}},
                }
            },
            "application/json": {"schema": PastedTable.model_json_schema()},
        },
    }
}


@router.post(
    "",
    status_code=201,
    openapi_extra=_UPLOAD_BODY,
    responses=describes(NotAuthenticated, NotAllowed, InvalidFields, UnreadableUpload, TooManyRequests),
)
async def give(request: Request, caller: AnyCaller, use: Use) -> ImportView:
    """A file in the part named `file`, or a pasted table as JSON: it is read and checked; nothing leaves yet."""
    if content_type(request) == "multipart/form-data":
        file = await uploaded_file(request)
        return await use.affiliation_imports.upload(caller, file.name, file.content)
    return await use.affiliation_imports.paste(caller, (await _pasted(request)).text)


async def _pasted(request: Request) -> PastedTable:
    try:
        return PastedTable.model_validate_json(await request.body())
    except ValidationError as wrong:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in wrong.errors()]) from None


@router.get("", responses=describes(NotAuthenticated, NotAllowed))
async def recent(caller: AnyCaller, use: Use) -> list[ImportSummary]:
    """The caller's own, the newest first."""
    return await use.affiliation_imports.recent(caller)


@router.get(
    "/template.xlsx", response_class=Response, responses={**describes(NotAuthenticated, NotAllowed), **_WORKBOOK}
)
async def template(caller: AnyCaller, use: Use) -> Response:
    """The workbook to fill in, with lists, examples and instructions."""
    return _workbook("pre-affiliation-modele", await use.affiliation_imports.template(caller))


@router.get("/{import_id}", responses=_READING)
async def one(import_id: UUID, caller: AnyCaller, use: Use) -> ImportView:
    """How far it is, and how many rows come to what."""
    return await use.affiliation_imports.view(caller, import_id)


@router.get("/{import_id}/rows", responses=_READING)
async def rows(
    import_id: UUID,
    caller: AnyCaller,
    use: Use,
    state: RowState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=400, description="`next_cursor` of the page before")] = None,
) -> ImportRows:
    """In the order of the table, each with what was read otherwise and what is to be corrected."""
    states = None if state is None else [state]
    return await use.affiliation_imports.rows(caller, import_id, states, limit, cursor)


@router.patch("/{import_id}/rows/{number}", responses=_ASKING)
async def correct(
    import_id: UUID,
    number: Annotated[int, Path(ge=1, le=1_000_000)],
    request: RowCorrection,
    caller: AnyCaller,
    use: Use,
) -> ImportRow:
    """Other values for a row, which is checked again. A row that is still wrong is an answer, not an error."""
    return await use.affiliation_imports.correct(caller, import_id, number, request.values)


@router.put("/{import_id}/columns", responses=_ASKING)
async def map_columns(import_id: UUID, request: ColumnMapping, caller: AnyCaller, use: Use) -> ImportView:
    """What each column is: all rows are read anew, corrections are lost."""
    return await use.affiliation_imports.map_columns(caller, import_id, request.mapping)


@router.post("/{import_id}/selection", responses=_ASKING)
async def select(import_id: UUID, request: RowSelection, caller: AnyCaller, use: Use) -> ImportView:
    """Leave some rows out of what a confirmation starts, or take them in again."""
    return await use.affiliation_imports.include(caller, import_id, request.numbers, request.included)


@router.post("/{import_id}/confirmation", responses=_ASKING)
async def confirm(import_id: UUID, request: Confirmation, caller: AnyCaller, use: Use) -> ImportView:
    """Start what can be started, all of it or some rows, at the engine's pace. Asked again, nothing starts twice."""
    return await use.affiliation_imports.confirm(caller, import_id, request.numbers)


@router.post("/{import_id}/cancellation", responses=_ASKING)
async def cancel(import_id: UUID, caller: AnyCaller, use: Use) -> ImportView:
    """What was not started is not."""
    return await use.affiliation_imports.cancel(caller, import_id)


@router.get(
    "/{import_id}/report.xlsx",
    response_class=Response,
    responses={**describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields), **_WORKBOOK},
)
async def report(import_id: UUID, caller: AnyCaller, use: Use) -> Response:
    """The rows with their states and what is to be corrected: it can be corrected there and given again."""
    return _workbook(f"pre-affiliation-{import_id}", await use.affiliation_imports.report(caller, import_id))


def _workbook(name: str, content: bytes) -> Response:
    return download_answer(Download(f"{name}.xlsx", SheetForm.xlsx.media_type, content, len(content)))
