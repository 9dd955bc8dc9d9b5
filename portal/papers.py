"""The documents of the employee's form: what is needed, what is here, one file at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from domain.pieces import Piece, PieceCode
from messages.catalogue import Catalogue
from messages.pieces import piece_label
from portal.forms import Fields
from portal.frame import EmployeeRoute
from portal.pages import see_other
from services.callers import EmployeeCaller
from services.documents import MOST_PER_PIECE, DocumentView, Upload
from services.enrolments import DocumentNeed, EnrolmentView
from services.fields import validated
from services.problems import DocumentRefused, InvalidFields, NotFound, StorageAway, UnreadableUpload
from web.callers import Employee
from web.csrf import OwnPages
from web.parts import Parts, parts
from web.uploads import RoomForUpload, uploaded_file

router = APIRouter(route_class=EmployeeRoute, dependencies=[OwnPages], include_in_schema=False)

Use = Annotated[Parts, Depends(parts)]

# What nearly everybody who joins is asked for: told before the answers say it exactly.
USUAL: Final = (PieceCode.social_security_certificate, PieceCode.rib)
From = Annotated[Literal["", "verification"], Query()]


@dataclass(frozen=True)
class FileShown:
    """One file that is here. `advice`: (level, words)."""

    id: UUID
    name: str
    scanning: bool
    verdict: str | None
    reason: str
    advice: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Need:
    """One document. `refusal`: why the file that was just sent was not taken; `again`: why it is asked again; `more`:
    it is here and waits for its check, and further pages of it are taken meanwhile."""

    piece: str
    label: str
    hint: str
    files: tuple[FileShown, ...]
    room: bool
    refusal: str
    again: str
    wanted: bool = True
    more: bool = False

    @property
    def id(self) -> str:
        return "q-documents." + self.piece.replace(":", ".")


@dataclass(frozen=True)
class UploadRefusal:
    code: str
    piece: str


def upload_refusal(code: str, piece: str) -> UploadRefusal | None:
    """What the address says of the last upload."""
    return UploadRefusal(code, piece) if code else None


async def needs_of(
    employee: EmployeeCaller,
    use: Parts,
    view: EnrolmentView,
    t: Catalogue,
    refused: UploadRefusal | None = None,
) -> list[Need]:
    """The documents that are asked for, with their files; then files that no answer asks for any more."""
    files = (await use.documents.list(employee)).items
    asked = [_need(t, need, files, refused) for need in view.documents]
    known = {need.piece for need in view.documents}
    others = [file.piece for file in files if file.piece not in known]
    names = {need.piece: need.name for need in view.documents}
    for piece in dict.fromkeys(others):
        extra = DocumentNeed(piece=piece, name=names.get(piece), received=0)
        more = view.checking and any(file.piece == piece and file.verdict is None for file in files)
        asked.append(_need(t, extra, files, refused if more else None, wanted=False, more=more))
    return asked


def need_label(t: Catalogue, need: DocumentNeed) -> str:
    """« Certificat de scolarité pour Alix »."""
    subject = Piece.parse(need.piece).subject
    return piece_label(t, need.piece, {subject: need.name} if subject and need.name else {})


def _need(
    t: Catalogue,
    need: DocumentNeed,
    files: Sequence[DocumentView],
    refused: UploadRefusal | None,
    wanted: bool = True,
    more: bool = False,
) -> Need:
    mine = [file for file in files if file.piece == need.piece]
    code = refused.code if refused is not None and refused.piece == need.piece else ""
    refusal_key = f"document.refused.{code}"
    again = [file.reason for file in mine if file.verdict == "refused" and file.reason]
    open_files = [file for file in mine if file.verdict != "refused"]
    room = sum(file.verdict is None for file in open_files) < MOST_PER_PIECE
    hint = f"document.kind.{Piece.parse(need.piece).code}.hint"
    return Need(
        piece=need.piece,
        label=need_label(t, need),
        hint=t.text(hint) if hint in t.keys else "",
        files=tuple(_file(t, file) for file in mine),
        room=room,
        refusal=t.text(refusal_key if refusal_key in t.keys else "page.documents.refused") if code else "",
        again=_reason(t, again[-1]) if again and wanted else "",
        wanted=wanted,
        more=more and room,
    )


def _file(t: Catalogue, file: DocumentView) -> FileShown:
    advice = tuple(
        (one.level, t.text(f"document.advice.{one.code}"))
        for one in file.advice
        if f"document.advice.{one.code}" in t.keys and file.verdict is None
    )
    reason = _reason(t, file.reason) if file.reason else ""
    return FileShown(file.id, file.name, file.scan == "pending", file.verdict, reason, advice)


def _reason(t: Catalogue, code: str) -> str:
    key = f"document.reason.{code}"
    return t.text(key if key in t.keys else "document.reason.missing")


# --- what is sent


@router.post("/dossier/documents", dependencies=[RoomForUpload])
async def add(request: Request, employee: Employee, use: Use, piece: str = "", depuis: From = "") -> Response:
    """One file of a document. What is wrong with it is said beside it; nothing else is touched."""
    refusal = ""
    try:
        file = await uploaded_file(request)
        await use.documents.add(employee, validated(Upload, {"piece": piece}), file.name, file.content)
    except DocumentRefused as refused:
        refusal = refused.reason
    except UnreadableUpload as unreadable:
        refusal = unreadable.code
    except StorageAway as away:
        refusal = away.code
    except InvalidFields:
        raise NotFound() from None
    return see_other(await _back(employee, use, piece, depuis, refusal, "" if refusal else "recu"))


@router.post("/dossier/documents/{document_id}/retrait")
async def remove(document_id: UUID, employee: Employee, fields: Fields, use: Use) -> Response:
    """Take a file back, before the form is sent. Twice is once."""
    depuis = "verification" if fields.get("_from") == "verification" else ""
    piece = fields.get("piece", "")
    with contextlib.suppress(NotFound):
        await use.documents.remove(employee, document_id)
    return see_other(await _back(employee, use, piece, depuis, "", "supprime"))


async def _back(employee: EmployeeCaller, use: Parts, piece: str, depuis: str, refusal: str, note: str) -> str:
    """To the list that the file belongs to: of the form, or of what was asked after it."""
    view = await use.enrolments.current(employee)
    query = {"depuis": depuis, "note": note, "refus": refusal, "piece": piece if refusal else ""}
    given = urlencode({name: value for name, value in query.items() if value})
    address = "/dossier" if view.submitted_at else "/dossier/etapes/documents"
    return f"{address}?{given}#q-documents.{piece.replace(':', '.')}"
