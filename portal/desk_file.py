"""« Dossiers »: finding a file, and reading one: its documents beside what was typed, accepting, asking again, its
timeline, its messages, what comes next."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Annotated, Any, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Request, Response

from activities.contracts.affiliation import workflow_id
from activities.writing import reference_of
from domain.affiliation import Verdict
from messages.typography import french
from portal.desk import DONE, FILES, LISTED, Cursor, Done, desk_page, with_query
from portal.desk_words import (
    ADVICE,
    REASONS,
    SCANS,
    WHAT_TO_DO,
    own_answers,
    people,
    piece_title,
    pieces_that_may_be_asked,
    proved_by,
)
from portal.forms import Fields
from portal.menu import DESK
from portal.pages import see_other, with_retry
from portal.space import SPACE_POLICY, SpaceRoute, one_problem
from services.audit_trail import AuditTrailService
from services.callers import Caller, Scope
from services.declarations import DoubtResolution, WaiverEnd
from services.desk_views import DeskFile, Found, NirSearch
from services.document_checks import Accept, AskAgain, RefusalReason, Review
from services.documents import DocumentView, Upload
from services.enrolment_form import PieceText, TypedDay
from services.fields import Form, today, validated
from services.idempotency import once
from services.problems import (
    DocumentRefused,
    EngineUnavailable,
    FieldError,
    InvalidFields,
    KeyReused,
    NotFound,
    Problem,
    RefusedByRules,
    StorageAway,
)
from web.callers import StaffUploader, StaffUser, StaffWriter, Use
from web.csrf import OwnSite
from web.parts import Parts
from web.uploads import File

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)

ONE: Final = f"{FILES}/{{affiliation_id:uuid}}"
PIECE: Final = f"{ONE}/pieces/{{piece}}"
PieceInPath = Annotated[PieceText, Path()]
_WITH_FILES: Final = f"{SPACE_POLICY}; frame-src 'self'; object-src 'self'"
# Chromium's own PDF viewer runs in no sandbox; the file was rewritten when it came, and nothing else may load or run.
_PDF_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
_FILE_POLICY: Final = "sandbox; default-src 'none'"
_READABLE: Final = ("clean", "not_scanned")


# --- finding one


@router.get(FILES)
async def search(request: Request, caller: StaffUser, use: Use, q: str = "", apres: Cursor = "") -> Response:
    """By reference, name, SIREN or SIRET; a reference leads to its file."""
    words = " ".join(q.split())[:100]
    if not words:
        return await _found_page(request, caller, use, None)
    try:
        found = await use.desk.find(caller, words, LISTED, apres or None)
    except InvalidFields as wrong:
        return await _found_page(request, caller, use, None, typed="" if _is_secret(wrong) else words, wrong=wrong)
    if found.by == "reference" and len(found.items) == 1:
        return see_other(f"{FILES}/{found.items[0].id}")
    return await _found_page(request, caller, use, found, typed=words, apres=apres)


@router.post(f"{FILES}/nir")
async def search_nir(request: Request, caller: StaffUser, fields: Fields, use: Use) -> Response:
    """By a social-security number, which no address may hold."""
    try:
        asked = validated(NirSearch, {"nir": fields.get("nir", "")[:40]})
    except InvalidFields as wrong:
        return await _found_page(request, caller, use, None, wrong=wrong, nir=fields.get("nir", "")[:40])
    return await _found_page(request, caller, use, await use.desk.find_nir(caller, asked, LISTED))


@router.get(f"{FILES}/nir")
async def search_nir_again(caller: StaffUser) -> Response:
    """The page of the results, asked for again: its number is not kept."""
    return see_other(FILES)


def _is_secret(wrong: InvalidFields) -> bool:
    return any(one.code == "nir" for one in wrong.errors)


async def _found_page(
    request: Request,
    caller: Caller,
    use: Parts,
    found: Found | None,
    *,
    typed: str = "",
    apres: str = "",
    wrong: InvalidFields | None = None,
    nir: str = "",
) -> Response:
    items = found.items if found else []
    here = with_query(FILES, q=typed)
    return await desk_page(
        request,
        caller,
        use,
        "files",
        wrong=wrong,
        found=found,
        items=items,
        references={one.id: reference_of(one.id) for one in items},
        typed=typed,
        nir=nir,
        first=here if apres else "",
        next=with_query(here, apres=found.next_cursor) if found and found.next_cursor else "",
    )


# --- reading one


@router.get(ONE)
async def file_page(affiliation_id: UUID, request: Request, caller: StaffUser, use: Use, fait: Done = "") -> Response:
    return await _file_page(request, caller, use, affiliation_id, note=DONE.get(fait, ""), taken=fait == "deja-pris")


async def _file_page(
    request: Request,
    caller: Caller,
    use: Parts,
    affiliation_id: UUID,
    *,
    wrong: InvalidFields | None = None,
    status: int = 0,
    note: str = "",
    taken: bool = False,
    typed: dict[str, str] | None = None,
) -> Response:
    # the file waits for its workflow's answer: its documents are read meanwhile
    file, review = await asyncio.gather(use.desk.file(caller, affiliation_id), _review_of(caller, use, affiliation_id))
    answers = _answers(file, review)
    answer = await desk_page(
        request,
        caller,
        use,
        "file",
        wrong=wrong,
        status=status,
        note=note,
        taken=taken,
        typed=defaultdict(str, typed or {}),
        file=file,
        item=file.detail,
        review=review,
        me=caller.person().user_id,
        exports=Scope.staff_export in caller.scopes,
        works=[(work, since, due, late.value, WHAT_TO_DO[work]) for work, since, due, late in file.works],
        pieces=_pieces(review, answers),
        answers=own_answers(answers) if review else [],
        people=people(answers) if review else [],
        may_ask=_may_ask(review),
        waived=answers.get("path") == "waive" and review is not None,
        key=uuid4().hex,
        today=today(),
        REASONS=REASONS,
        temporal=_temporal(use, affiliation_id),
    )
    answer.headers["Content-Security-Policy"] = _WITH_FILES
    return answer


async def _review_of(caller: Caller, use: Parts, affiliation_id: UUID) -> Review | None:
    """None: the form has not come."""
    try:
        return await use.document_checks.review(caller, affiliation_id)
    except NotFound:
        return None


def _answers(file: DeskFile, review: Review | None) -> dict[str, str]:
    """What was typed, over what the employer declared of the person."""
    declared = {
        "civility": file.civility,
        "last_name": file.detail.last_name,
        "birth_name": file.birth_name,
        "first_names": file.detail.first_names,
        "birth_date": file.birth_date.isoformat(),
        "nir": file.nir,
    }
    typed = {path: value for path, value in (review.answers if review else {}).items() if value}
    return {**declared, **typed}


def _pieces(review: Review | None, answers: dict[str, str]) -> list[dict[str, Any]]:
    """Each document with its files, what they should say, and what can be done: those to check first, then those that
    are missing, then those that were dealt with."""
    if review is None:
        return []
    by_piece: dict[str, list[DocumentView]] = {piece: [] for piece in review.missing}
    for item in review.items:
        by_piece.setdefault(item.piece, []).append(item)
    found = []
    for piece, items in by_piece.items():
        waiting = [item for item in items if item.verdict is None]
        state = "to_check" if waiting else "missing" if piece in review.missing else "accepted"
        found.append(
            {
                "code": piece,
                "id": piece.replace(":", "-"),
                "title": piece_title(piece, answers),
                "state": state,
                "waiting": [_shown(item) for item in waiting],
                "former": [_shown(item) for item in items if item.verdict is not None],
                "proves": proved_by(piece, answers),
            }
        )
    return sorted(found, key=lambda one: ("to_check", "missing", "accepted").index(str(one["state"])))


def _shown(item: DocumentView) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name,
        "image": item.media_type == "image/jpeg",
        "readable": item.scan in _READABLE,
        "scan": SCANS.get(item.scan, ""),
        "pages": item.pages,
        "at": item.uploaded_at,
        "verdict": item.verdict,
        "reason": REASONS.get(item.reason or "", ""),
        "advice": [(one.level, ADVICE[one.code]) for one in item.advice],
        "address": f"{DESK}/documents/{item.id}",
    }


def _may_ask(review: Review | None) -> list[tuple[str, str]]:
    """Besides those that have their own buttons; nothing once the file is complete: its workflow has ended."""
    if review is None or not (review.missing or review.checking):
        return []
    present = {*review.missing, *(item.piece for item in review.items if item.verdict is None)}
    return [(piece, title) for piece, title in pieces_that_may_be_asked(review) if piece not in present]


def _temporal(use: Parts, affiliation_id: UUID) -> str:
    workflow = workflow_id(str(affiliation_id))
    return f"{use.config.temporal_ui_url}/namespaces/{use.config.temporal_namespace}/workflows/{workflow}"


@router.get(f"{DESK}/documents/{{document_id:uuid}}")
async def document(document_id: UUID, caller: StaffUser, use: Use) -> Response:
    """One document's file, for the frame beside what it proves; who read it is in the log."""
    _, media_type, content = await use.document_checks.file(caller, document_id)
    policy = _PDF_POLICY if media_type == "application/pdf" else _FILE_POLICY
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Content-Disposition": "inline",
    }
    return Response(content, media_type=media_type, headers=headers)


@router.get(f"{ONE}/numeros")
async def numbers(affiliation_id: UUID, request: Request, caller: StaffUser, use: Use) -> Response:
    """The NIR and the IBAN in full, after a code; in the log each time."""
    shown = await use.desk.numbers(caller, affiliation_id)
    return await desk_page(
        request,
        caller,
        use,
        "numbers",
        numbers=shown,
        nir=_spaced_nir(shown.nir),
        iban=_in_fours(shown.iban or ""),
        back=f"{FILES}/{affiliation_id}",
    )


@router.get(f"{ONE}/consultations")
async def readings(affiliation_id: UUID, request: Request, caller: StaffUser, use: Use, avant: int = 0) -> Response:
    """« Qui a consulté ce dossier »."""
    caller.need(Scope.staff_export)
    file = await use.desk.file(caller, affiliation_id)
    history = await AuditTrailService(use.system).accesses(caller, file.employee_id, LISTED, avant or None)
    return await desk_page(
        request,
        caller,
        use,
        "readings",
        file=file,
        item=file.detail,
        readings=history.items,
        first=f"{FILES}/{affiliation_id}/consultations" if avant else "",
        next=with_query(f"{FILES}/{affiliation_id}/consultations", avant=history.next_before)
        if history.next_before
        else "",
    )


def _spaced_nir(nir: str) -> str:
    """« 2 75 06 75 990 001 97 »."""
    places = ((0, 1), (1, 3), (3, 5), (5, 7), (7, 10), (10, 13), (13, 15))
    return "\u00a0".join(nir[start:end] for start, end in places)


def _in_fours(text: str) -> str:
    return "\u00a0".join(text[start : start + 4] for start in range(0, len(text), 4))


# --- pieces


@router.post(f"{PIECE}/acceptation")
async def accept(
    affiliation_id: UUID, piece: PieceInPath, request: Request, caller: StaffWriter, fields: Fields, use: Use
) -> Response:
    """« Accepter », « Reçu sur papier », « N'est plus attendue »; pressed twice, it happens once."""
    how = fields.get("how", "seen")
    try:
        review = await use.document_checks.accept(caller, affiliation_id, piece, validated(Accept, {"how": how}))
    except (NotFound, RefusedByRules) as problem:
        if not await _is_settled(caller, use, affiliation_id, piece):
            return await _refused(request, caller, use, affiliation_id, problem, f"piece-{_anchor(piece)}")
        return see_other(f"{FILES}/{affiliation_id}")
    if not review.missing and not review.checking:
        return see_other(f"{FILES}/{affiliation_id}?fait=tout-accepte")
    done = {"seen": "accepte", "received_on_paper": "papier", "not_needed": "inutile"}[how]
    return see_other(f"{FILES}/{affiliation_id}?fait={done}#documents")


async def _is_settled(caller: Caller, use: Parts, affiliation_id: UUID, piece: str) -> bool:
    """Whether nothing of this piece waits any more: somebody was faster, or the button was pressed twice."""
    review = await use.document_checks.review(caller, affiliation_id)
    return piece not in review.missing and all(item.verdict for item in review.items if item.piece == piece)


@router.post(f"{PIECE}/demande")
async def ask_again(
    affiliation_id: UUID, piece: PieceInPath, request: Request, caller: StaffWriter, fields: Fields, use: Use
) -> Response:
    """« Redemander »: the employee is written to, with the reason."""
    return await _ask(request, caller, use, affiliation_id, piece, fields.get("reason", ""), f"reason-{_anchor(piece)}")


@router.post(f"{ONE}/pieces")
async def ask_for_another(
    affiliation_id: UUID, request: Request, caller: StaffWriter, fields: Fields, use: Use
) -> Response:
    """A piece that nobody had asked for yet."""
    try:
        piece = validated(Upload, {"piece": fields.get("piece", "")}).piece
    except InvalidFields:
        wrong = InvalidFields([FieldError("piece", "missing", "Choisissez la pièce à demander, par exemple le RIB.")])
        return await _file_page(request, caller, use, affiliation_id, wrong=wrong)
    return await _ask(request, caller, use, affiliation_id, piece, RefusalReason.missing, "piece")


async def _ask(
    request: Request, caller: Caller, use: Parts, affiliation_id: UUID, piece: str, reason: str, field: str
) -> Response:
    if reason not in set(RefusalReason):
        words = "Choisissez pourquoi la pièce est redemandée, par exemple « Illisible »."
        wrong = InvalidFields([FieldError(field, "missing", french(words))])
        return await _file_page(request, caller, use, affiliation_id, wrong=wrong)
    try:
        before = await use.document_checks.review(caller, affiliation_id)
        again = piece in before.missing and all(item.verdict for item in before.items if item.piece == piece)
        if not again:  # pressed twice: the first one counts
            await use.document_checks.ask_again(
                caller, affiliation_id, piece, validated(AskAgain, {"reason": RefusalReason(reason)})
            )
    except RefusedByRules as problem:
        return await _refused(request, caller, use, affiliation_id, problem, field)
    return see_other(f"{FILES}/{affiliation_id}?fait=redemande#documents")


@router.post(f"{ONE}/documents")
async def add(affiliation_id: UUID, request: Request, caller: StaffUploader, file: File, use: Use) -> Response:
    """A document that came by post, scanned: accepted as it is taken in."""
    upload = validated(Upload, {"piece": file.fields.get("piece", "")})
    try:
        await use.document_checks.add(caller, affiliation_id, upload, file.name, file.content)
    except (DocumentRefused, RefusedByRules, StorageAway) as problem:
        return await _refused(request, caller, use, affiliation_id, problem, f"file-{_anchor(upload.piece)}")
    return see_other(f"{FILES}/{affiliation_id}?fait=depose#documents")


def _anchor(piece: str) -> str:
    return piece.replace(":", "-")


# --- what else waits for somebody


@router.post(f"{ONE}/doute")
async def resolve_doubt(
    affiliation_id: UUID, request: Request, caller: StaffWriter, fields: Fields, use: Use
) -> Response:
    """« Le message est parti », « n'est pas parti »; pressed twice, it happens once."""
    verdict = fields.get("verdict", "")
    if verdict not in set(Verdict):
        raise NotFound()
    asked = validated(DoubtResolution, {"verdict": Verdict(verdict)})
    key = once(use.cipher, fields.get("key", "")[:64] or None, "resolve_doubt", affiliation_id, asked)
    try:
        await use.staff.resolve_doubt(caller, affiliation_id, asked, key)
    except (RefusedByRules, KeyReused, EngineUnavailable) as problem:
        return await _refused(request, caller, use, affiliation_id, problem, "")
    return see_other(f"{FILES}/{affiliation_id}?fait={'parti' if asked.verdict is Verdict.left else 'repart'}")


class LastDay(Form):
    """As it is typed."""

    on: TypedDay


@router.post(f"{ONE}/dispense")
async def end_waiver(affiliation_id: UUID, request: Request, caller: StaffWriter, fields: Fields, use: Use) -> Response:
    """The reason of a waiver has gone: the person is asked again at once."""
    typed = {"on": fields.get("on", "")[:40], "sure": fields.get("sure", "")}
    errors = []
    on = None
    try:
        on = validated(LastDay, {"on": typed["on"]}).on
    except InvalidFields:
        words = f"Indiquez le dernier jour de la dispense. Exemple : {today():%d/%m/%Y}"
        errors.append(FieldError("on", "date", french(words)))
    if typed["sure"] != "yes":
        errors.append(
            FieldError("sure", "consent", "Cochez la case pour confirmer : la personne sera écrite de nouveau.")
        )
    if errors or on is None:
        return await _file_page(request, caller, use, affiliation_id, wrong=InvalidFields(errors), typed=typed)
    try:
        await use.staff.end_waiver(caller, affiliation_id, WaiverEnd(on=on))
    except (RefusedByRules, EngineUnavailable) as problem:
        return await _refused(request, caller, use, affiliation_id, problem, "on")
    return see_other(f"{FILES}/{affiliation_id}?fait=dispense")


async def _refused(
    request: Request, caller: Caller, use: Parts, affiliation_id: UUID, problem: Problem, field: str
) -> Response:
    wrong = one_problem(problem, field)
    answer = await _file_page(request, caller, use, affiliation_id, wrong=wrong, status=problem.status)
    return with_retry(answer, problem)
