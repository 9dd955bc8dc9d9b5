"""/contact-requests: what employers' users ask HCR Bien-Être, and staff's answers."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field

from api.problems import describes
from domain.contact import ContactState
from services.callers import Caller, Scope
from services.contact_desk import QueueState, Taken
from services.contact_views import (
    ContactCase,
    ContactCount,
    ContactQueue,
    ContactReceipt,
    ContactRequests,
    ContactRequestView,
    NewContact,
    Rating,
    ReasonCode,
    ReasonGroup,
    Reply,
    UploadedFile,
)
from services.fields import Form, field_errors, validated
from services.problems import (
    FieldError,
    InvalidFields,
    KeyReused,
    MassReading,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotYetScanned,
    RefusedByRules,
    StorageAway,
    TooManyRequests,
    UnreadableUpload,
)
from web.callers import AnyCaller, StaffCaller, StaffWriter
from web.csrf import content_type
from web.downloads import received_file
from web.parts import Parts, parts
from web.several_files import several_files
from web.visitors import Visit

router = APIRouter(tags=["contact"])

Use = Annotated[Parts, Depends(parts)]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=100,
        pattern="^[!-~]+$",
        description="Repeat with it: no second effect",
    ),
]
_READING = describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields)
_WRITING = (NotAuthenticated, NotAllowed, NotFound, KeyReused, InvalidFields, UnreadableUpload, StorageAway)
_DESK = (NotAuthenticated, NotAllowed, NotFound, MassReading, InvalidFields)
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/pdf": {}, "image/jpeg": {}}, "description": "The file, made harmless"}
}
_Model = TypeVar("_Model", bound=BaseModel)


class Assignment(Form):
    """`mine`: to the caller; else to nobody any more."""

    mine: bool = Field(examples=[True])


class StaffAnswer(Reply):
    """`close`: nothing more is to be said."""

    close: bool = Field(default=False, examples=[False])


def _with_files(model: type[BaseModel]) -> dict[str, Any]:
    """The body in the OpenAPI document: the model as JSON, or as a form with files."""
    schema = model.model_json_schema()
    file = {"type": "array", "maxItems": 6, "items": {"type": "string", "format": "binary"}}
    form = {**schema, "properties": {**schema["properties"], "file": file}}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form}},
        }
    }


async def _received(request: Request, model: type[_Model]) -> tuple[_Model, list[UploadedFile]]:
    """Raises InvalidFields, UnreadableUpload."""
    if content_type(request) == "multipart/form-data":
        sent = await several_files(request)
        return validated(model, sent.fields), sent.files
    if content_type(request) != "application/json":
        words = "Envoyez du JSON, ou un formulaire (multipart/form-data) si vous joignez des fichiers."
        raise InvalidFields([FieldError("body", "content_type", words)])
    try:
        given = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InvalidFields(field_errors([{"type": "json_invalid", "loc": ()}], model)) from None
    return validated(model, given), []


def _writes(caller: Caller) -> None:
    """Before a body with files is read. Raises NotAllowed."""
    caller.need(Scope.write)
    caller.person()


# --- employers


@router.get("/contact-requests/reasons", responses=describes(NotAuthenticated, NotAllowed))
async def reasons(caller: AnyCaller, use: Use) -> list[ReasonGroup]:
    """The guide's, in two levels; of some, the page of the portal that does it at once."""
    caller.person()
    return await use.contact.reasons()


@router.post(
    "/contact-requests",
    status_code=201,
    openapi_extra=_with_files(NewContact),
    responses=describes(*_WRITING, TooManyRequests),
)
async def send(request: Request, caller: AnyCaller, use: Use, visit: Visit, key: Key = None) -> ContactReceipt:
    """With files, as a form: up to six in the parts named `file`, 25 MB together."""
    _writes(caller)
    asked, files = await _received(request, NewContact)
    return await use.contact.send(caller, asked, files, key or str(uuid4()), visit.network)


@router.get("/contact-requests", responses=describes(NotAuthenticated, NotAllowed, InvalidFields))
async def requests(
    caller: AnyCaller,
    use: Use,
    state: Annotated[ContactState | None, Query(description="Those in this state only")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 25,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> ContactRequests:
    """The user's own, and all of the companies they administer; newest first."""
    return await use.contact.page(caller, limit, cursor, state)


@router.get("/contact-requests/{request_id}", responses=_READING)
async def one(request_id: UUID, caller: AnyCaller, use: Use) -> ContactRequestView:
    """The conversation, and what can be done now."""
    return await use.contact.one(caller, request_id)


@router.post(
    "/contact-requests/{request_id}/replies",
    openapi_extra=_with_files(Reply),
    responses=describes(*_WRITING, RefusedByRules, TooManyRequests),
)
async def reply(
    request_id: UUID, request: Request, caller: AnyCaller, use: Use, visit: Visit, key: Key = None
) -> ContactRequestView:
    """One more message; after an answer, the request waits for staff again."""
    _writes(caller)
    asked, files = await _received(request, Reply)
    return await use.contact.reply(caller, request_id, asked, files, key or str(uuid4()), visit.network)


@router.post(
    "/contact-requests/{request_id}/reopening",
    openapi_extra=_with_files(Reply),
    responses=describes(*_WRITING, RefusedByRules, TooManyRequests),
)
async def reopen(
    request_id: UUID, request: Request, caller: AnyCaller, use: Use, visit: Visit, key: Key = None
) -> ContactRequestView:
    """Answered or closed, and not settled."""
    _writes(caller)
    asked, files = await _received(request, Reply)
    return await use.contact.reopen(caller, request_id, asked, files, key or str(uuid4()), visit.network)


@router.put(
    "/contact-requests/{request_id}/rating",
    responses=describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, InvalidFields),
)
async def rate(request_id: UUID, asked: Rating, caller: AnyCaller, use: Use) -> ContactRequestView:
    """Once it is answered; the last one counts."""
    return await use.contact.rate(caller, request_id, asked)


@router.get(
    "/contact-requests/{request_id}/files/{file_id}",
    response_class=Response,
    responses={
        **describes(NotAuthenticated, NotAllowed, NotFound, InvalidFields, NotYetScanned, StorageAway),
        **_FILE,
    },
)
async def file(request_id: UUID, file_id: UUID, caller: AnyCaller, use: Use) -> Response:
    """Once the antivirus has passed it."""
    found = await use.contact.file(caller, request_id, file_id)
    return received_file(found.name, found.media_type, found.content)


# --- staff


@router.get("/staff/contact-requests", responses=describes(NotAuthenticated, NotAllowed, InvalidFields))
async def queue(
    caller: StaffCaller,
    use: Use,
    state: QueueState = QueueState.waiting,
    taken: Taken = Taken.anyone,
    reason: Annotated[ReasonCode | None, Query()] = None,
    overdue: bool = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 25,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> ContactQueue:
    """What waits by due date, the rest newest first."""
    return await use.contact_desk.queue(caller, state, taken, reason, overdue, limit, cursor)


@router.get("/staff/contact-requests/count", responses=describes(NotAuthenticated, NotAllowed))
async def count(caller: StaffCaller, use: Use) -> ContactCount:
    """How much waits for staff."""
    return await use.contact_desk.count(caller)


@router.get("/staff/contact-requests/{request_id}", responses=describes(*_DESK))
async def case(request_id: UUID, caller: StaffCaller, use: Use) -> ContactCase:
    """Told in the audit log."""
    return await use.contact_desk.one(caller, request_id)


@router.post(
    "/staff/contact-requests/{request_id}/assignment",
    responses=describes(*_DESK, RefusedByRules),
)
async def assign(request_id: UUID, asked: Assignment, caller: StaffWriter, use: Use) -> ContactCase:
    """Whoever had it before."""
    return await use.contact_desk.assign(caller, request_id, asked.mine)


@router.post(
    "/staff/contact-requests/{request_id}/answer",
    openapi_extra=_with_files(StaffAnswer),
    responses=describes(*_WRITING, MassReading, RefusedByRules),
)
async def answer(request_id: UUID, request: Request, caller: StaffWriter, use: Use, key: Key = None) -> ContactCase:
    """A mail says that there is one; it is read in « Mes démarches »."""
    caller.person()
    asked, files = await _received(request, StaffAnswer)
    return await use.contact_desk.answer(
        caller, request_id, Reply(message=asked.message), files, key or str(uuid4()), asked.close
    )


@router.post("/staff/contact-requests/{request_id}/closing", responses=describes(*_DESK, RefusedByRules))
async def close(request_id: UUID, caller: StaffWriter, use: Use) -> ContactCase:
    """Nothing more is to be said; whoever asked may reopen it."""
    return await use.contact_desk.close(caller, request_id)


@router.get(
    "/staff/contact-requests/{request_id}/files/{file_id}",
    response_class=Response,
    responses={**describes(*_DESK, NotYetScanned, StorageAway), **_FILE},
)
async def case_file(request_id: UUID, file_id: UUID, caller: StaffCaller, use: Use) -> Response:
    """Once the antivirus has passed it; told in the audit log."""
    found = await use.contact_desk.file(caller, request_id, file_id)
    return received_file(found.name, found.media_type, found.content)
