"""/enrolments: the employee's side."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from api.problems import describes
from domain.enrolment import Form, current_form
from services.access import RECOVERY_ANSWER, Access, LinkRecovery, Opened, Proof, RecoveryAnswer
from services.documents import DocumentList, DocumentView, Upload
from services.enrolment_form import SaveDraft, Submission
from services.enrolments import ChosenLanguage, Decline, EnrolmentView, Saved
from services.fields import validated
from services.known_person import AskFormerCode, FormerCode, FormerCodeAsked, FormerFile, TakeFormer
from services.problems import (
    AlreadySubmitted,
    BirthDateNeeded,
    DocumentRefused,
    EngineUnavailable,
    InvalidFields,
    NotAuthenticated,
    NotFound,
    RefusedByRules,
    StaleDraft,
    StorageAway,
    TooManyRequests,
    TooManyTries,
    UnreadableUpload,
    WrongAccess,
    WrongBirthDate,
    WrongCode,
)
from services.sessions import csrf_token
from web.callers import Employee, open_session
from web.csrf import EmployeesOwn, NotFromElsewhere
from web.parts import Parts, parts
from web.uploads import File, RoomForUpload
from web.visitors import Visit

router = APIRouter(prefix="/enrolments", tags=["enrolments"], dependencies=[NotFromElsewhere])
mine = APIRouter(dependencies=[EmployeesOwn])  # in the session that an access opened

Use = Annotated[Parts, Depends(parts)]

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["piece", "file"],
                    "properties": {
                        "piece": {"type": "string", "examples": ["rib"]},
                        "file": {"type": "string", "format": "binary", "description": "JPEG, PNG, HEIC or PDF, 10 MB"},
                    },
                }
            }
        },
    }
}


class OpenedSession(Opened):
    """`csrf_token`: every change made in the session carries it as X-CSRF-Token."""

    csrf_token: str


@router.post("/access", responses=describes(WrongAccess, InvalidFields, TooManyRequests))
async def open_access(request: Access, use: Use, visit: Visit, response: Response) -> OpenedSession:
    """A link's token or a letter's code opens an employee session (cookie). One answer for unknown, wrong and dead."""
    session, opened = await use.access.open(request, visit.network)
    open_session(response, session, use.config)
    return OpenedSession(**opened.model_dump(), csrf_token=csrf_token(session))


@router.post("/link-recovery", status_code=202, responses=describes(InvalidFields, TooManyRequests))
async def recover_link(request: LinkRecovery, use: Use, visit: Visit, background: BackgroundTasks) -> RecoveryAnswer:
    """« Retrouver mon lien »: one answer for everybody, and a fresh message to the contact on file if there is one."""
    await use.access.admit_recovery(visit.network)
    background.add_task(use.access.recover, request)  # after the answer: its time tells nothing either
    return RECOVERY_ANSWER


@router.get("/form")
async def form() -> Form:
    """The form as data: steps, questions with their conditions, documents. Texts are the portal's."""
    return current_form()


@mine.get("/current", responses=describes(NotAuthenticated))
async def current(employee: Employee, use: Use) -> EnrolmentView:
    """The draft, or the receipt once it is submitted; `locked` until the birth date is told."""
    return await use.enrolments.current(employee)


@mine.patch(
    "/current", responses=describes(NotAuthenticated, StaleDraft, AlreadySubmitted, RefusedByRules, InvalidFields)
)
async def save(request: SaveDraft, employee: Employee, use: Use) -> Saved:
    """Keep some answers as typed; nothing is checked before the form is sent."""
    return await use.enrolments.save(employee, request)


@mine.put("/current/language", status_code=204, responses=describes(NotAuthenticated, InvalidFields))
async def choose_language(request: ChosenLanguage, employee: Employee, use: Use) -> None:
    """The language of the pages, and of every message from now on."""
    await use.enrolments.choose_language(employee, request)


@mine.post(
    "/current/proof",
    status_code=204,
    responses=describes(NotAuthenticated, WrongBirthDate, TooManyTries, InvalidFields),
)
async def prove(request: Proof, employee: Employee, use: Use) -> None:
    """The birth date opens what was saved before, for this session."""
    await use.access.prove(employee, request)


@mine.post(
    "/current/former/code",
    status_code=202,
    responses=describes(NotAuthenticated, BirthDateNeeded, AlreadySubmitted, InvalidFields),
)
async def ask_former_code(
    request: AskFormerCode, employee: Employee, use: Use, visit: Visit, background: BackgroundTasks
) -> FormerCodeAsked:
    """« Déjà affilié·e chez nous ? »: a code to the contact of the person's former form, if there is one; one answer
    for everybody."""
    asked, order = await use.known_person.ask(employee, request)
    background.add_task(use.known_person.deliver, order, visit)  # after the answer: its time tells nothing either
    return asked


@mine.post(
    "/current/former/answer",
    status_code=204,
    responses=describes(NotAuthenticated, BirthDateNeeded, AlreadySubmitted, WrongCode, InvalidFields),
)
async def give_former_code(request: FormerCode, employee: Employee, use: Use) -> None:
    """The code, once; this session may then read the former answers for an hour."""
    await use.known_person.answer(employee, request)


@mine.get("/current/former", responses=describes(NotAuthenticated, BirthDateNeeded, AlreadySubmitted, NotFound))
async def read_former(employee: Employee, use: Use) -> FormerFile:
    """The answers of the former form, numbers masked; only after the code."""
    return await use.known_person.read(employee)


@mine.post(
    "/current/former/taking",
    responses=describes(
        NotAuthenticated, BirthDateNeeded, AlreadySubmitted, NotFound, StaleDraft, RefusedByRules, InvalidFields
    ),
)
async def take_former(request: TakeFormer, employee: Employee, use: Use) -> Saved:
    """Fill the draft with the parts that are still right. Answers that it has stay; documents are asked for anew."""
    return await use.known_person.take(employee, request)


@mine.get("/current/documents", responses=describes(NotAuthenticated, BirthDateNeeded))
async def list_documents(employee: Employee, use: Use) -> DocumentList:
    """The files that are here, with what was seen at once."""
    return await use.documents.list(employee)


@mine.post(
    "/current/documents",
    status_code=201,
    dependencies=[RoomForUpload],
    openapi_extra=UPLOAD_BODY,
    responses=describes(
        NotAuthenticated,
        BirthDateNeeded,
        DocumentRefused,
        UnreadableUpload,
        RefusedByRules,
        InvalidFields,
        NotFound,
        StorageAway,
        TooManyRequests,
    ),
)
async def add_document(employee: Employee, file: File, use: Use) -> DocumentView:
    """One file of a document. It is rewritten, scanned and kept encrypted; advice comes with the answer."""
    return await use.documents.add(employee, validated(Upload, file.fields), file.name, file.content)


@mine.delete(
    "/current/documents/{document_id}",
    status_code=204,
    responses=describes(NotAuthenticated, BirthDateNeeded, NotFound, RefusedByRules, InvalidFields),
)
async def remove_document(document_id: UUID, employee: Employee, use: Use) -> None:
    """Before the form is sent."""
    await use.documents.remove(employee, document_id)


@mine.post(
    "/current/submission",
    responses=describes(NotAuthenticated, BirthDateNeeded, StaleDraft, AlreadySubmitted, RefusedByRules, InvalidFields),
)
async def submit(request: Submission, employee: Employee, use: Use) -> EnrolmentView:
    """Send the draft; the coverage or the waiver exists from this moment."""
    return await use.enrolments.submit(employee, request)


@mine.get(
    "/current/receipt.pdf",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {}}, "description": "One page, in the person's language"},
        **describes(NotAuthenticated, BirthDateNeeded, NotFound),
    },
)
async def receipt(employee: Employee, use: Use) -> Response:
    """What the person keeps of the form that they sent."""
    return Response(await use.receipts.pdf(employee), media_type="application/pdf")


@mine.post(
    "/current/decline",
    status_code=204,
    responses=describes(NotAuthenticated, RefusedByRules, InvalidFields, EngineUnavailable),
)
async def decline(request: Decline, employee: Employee, use: Use) -> None:
    """« Ce n'est pas moi », « J'ai quitté l'entreprise »."""
    await use.enrolments.decline(employee, request)


router.include_router(mine)
