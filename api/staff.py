"""/staff: paper returns, the check of documents, messages in doubt."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from api.affiliations import Key
from api.enrolments import UPLOAD_BODY
from api.problems import describes
from gateways.files.names import content_disposition
from services.declarations import DoubtResolution, WaiverEnd
from services.document_checks import Accept, AskAgain, CheckQueue, Review
from services.documents import Upload
from services.enrolment_form import PaperReturn, PieceText
from services.enrolments import EnrolmentView
from services.fields import validated
from services.idempotency import once
from services.problems import (
    AlreadySubmitted,
    DocumentRefused,
    EngineUnavailable,
    InvalidFields,
    KeyReused,
    MassReading,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotYetScanned,
    RefusedByRules,
    StorageAway,
    UnreadableUpload,
)
from services.staff import Desk
from services.views import AffiliationSummary
from web.callers import StaffCaller, StaffWriter
from web.parts import Parts, parts
from web.uploads import File

router = APIRouter(prefix="/staff", tags=["staff"])

Use = Annotated[Parts, Depends(parts)]
Reference = Annotated[str, Query(min_length=12, max_length=40, pattern="^[0-9A-Fa-f ]+$", examples=["4F3A 9C21 0B7E"])]
PieceInPath = Annotated[PieceText, Path()]
FILE_HEADERS = {"Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "no-store"}


@router.get("/desk", responses=describes(NotAuthenticated, NotAllowed))
async def desk(caller: StaffCaller, use: Use) -> Desk:
    """The affiliations that wait for staff."""
    return await use.staff.desk(caller)


@router.get("/affiliations", responses=describes(NotAuthenticated, NotAllowed, MassReading, InvalidFields))
async def by_reference(reference: Reference, caller: StaffCaller, use: Use) -> Desk:
    """The affiliation whose reference a paper carries, in words and as a QR code."""
    return await use.staff.by_reference(caller, reference)


@router.post(
    "/affiliations/{affiliation_id}/paper-return",
    status_code=201,
    responses=describes(NotAuthenticated, NotAllowed, NotFound, AlreadySubmitted, RefusedByRules, InvalidFields),
)
async def paper_return(affiliation_id: UUID, request: PaperReturn, caller: StaffCaller, use: Use) -> EnrolmentView:
    """Record a BIA that came back on paper; the employee is asked for what is missing."""
    return await use.enrolments.record_paper(caller, affiliation_id, request)


@router.post(
    "/affiliations/{affiliation_id}/doubt-resolution",
    responses=describes(
        NotAuthenticated, NotAllowed, NotFound, RefusedByRules, KeyReused, InvalidFields, EngineUnavailable
    ),
)
async def resolve_doubt(
    affiliation_id: UUID, request: DoubtResolution, caller: StaffCaller, use: Use, key: Key = None
) -> AffiliationSummary:
    """Say what became of the message in doubt: it left, or it is sent again."""
    return await use.staff.resolve_doubt(
        caller, affiliation_id, request, once(use.cipher, key, "resolve_doubt", affiliation_id, request)
    )


@router.get("/document-checks", responses=describes(NotAuthenticated, NotAllowed))
async def document_checks(caller: StaffCaller, use: Use) -> CheckQueue:
    """The enrolments whose documents wait for a check, the oldest first."""
    return await use.document_checks.queue(caller)


@router.get(
    "/affiliations/{affiliation_id}/documents",
    responses=describes(NotAuthenticated, NotAllowed, NotFound, MassReading, InvalidFields),
)
async def documents(affiliation_id: UUID, caller: StaffCaller, use: Use) -> Review:
    """The documents of one enrolment, with what was seen at once and what is still missing."""
    return await use.document_checks.review(caller, affiliation_id)


@router.post(
    "/affiliations/{affiliation_id}/documents",
    status_code=201,
    openapi_extra=UPLOAD_BODY,
    responses=describes(
        NotAuthenticated,
        NotAllowed,
        NotFound,
        RefusedByRules,
        DocumentRefused,
        UnreadableUpload,
        InvalidFields,
        StorageAway,
    ),
)
async def add_document(affiliation_id: UUID, caller: StaffWriter, file: File, use: Use) -> Review:
    """A document that came by post, scanned: accepted as it is taken in."""
    upload = validated(Upload, file.fields)
    return await use.document_checks.add(caller, affiliation_id, upload, file.name, file.content)


@router.get(
    "/documents/{document_id}/file",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {}, "image/jpeg": {}}, "description": "The file as it is kept"},
        **describes(NotAuthenticated, NotAllowed, NotFound, MassReading, NotYetScanned, InvalidFields, StorageAway),
    },
)
async def file(document_id: UUID, caller: StaffCaller, use: Use) -> Response:
    """The file itself; who read it is in the audit log."""
    name, media_type, content = await use.document_checks.file(caller, document_id)
    return Response(
        content, media_type=media_type, headers={**FILE_HEADERS, "Content-Disposition": content_disposition(name)}
    )


@router.post(
    "/affiliations/{affiliation_id}/pieces/{piece}/acceptance",
    responses=describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, InvalidFields),
)
async def accept_piece(
    affiliation_id: UUID, piece: PieceInPath, request: Accept, caller: StaffCaller, use: Use
) -> Review:
    """Accept what came of a piece, or settle one that is missing."""
    return await use.document_checks.accept(caller, affiliation_id, piece, request)


@router.post(
    "/affiliations/{affiliation_id}/pieces/{piece}/request",
    responses=describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, InvalidFields),
)
async def ask_for_piece(
    affiliation_id: UUID, piece: PieceInPath, request: AskAgain, caller: StaffCaller, use: Use
) -> Review:
    """Ask for a piece again, with the reason: the employee is written to, and has until the deadline."""
    return await use.document_checks.ask_again(caller, affiliation_id, piece, request)


@router.post(
    "/affiliations/{affiliation_id}/waiver-end",
    status_code=204,
    responses=describes(NotAuthenticated, NotAllowed, NotFound, RefusedByRules, InvalidFields, EngineUnavailable),
)
async def end_waiver(affiliation_id: UUID, request: WaiverEnd, caller: StaffCaller, use: Use) -> None:
    """A waiver ends before its time: a new affiliation asks the person again at once."""
    await use.staff.end_waiver(caller, affiliation_id, request)
