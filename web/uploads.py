"""One uploaded file: read from the stream into memory, never onto a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from services.documents import MOST_BYTES
from services.limits import Limit
from services.problems import UnreadableUpload
from web.callers import Employee, Use
from web.csrf import FIELD, check_beside_file, content_type

# the file, its name and the few fields beside it
MAX_UPLOAD_BYTES = MOST_BYTES + 512 * 1024
_MOST_FIELDS = 20


@dataclass(frozen=True)
class Uploaded:
    """`fields`: what stood beside the file, each once."""

    fields: dict[str, str]
    name: str
    content: bytes


class _InMemory(MultiPartParser):
    spool_max_size = MAX_UPLOAD_BYTES  # the body's limit: nothing ever rolls over to a temporary file


async def uploaded_file(request: Request) -> Uploaded:
    """The file of a `multipart/form-data` request, in the part named `file`. Raises UnreadableUpload, CsrfRefused.

    The body's size is limited for the whole application, whatever its Content-Length says.
    """
    if content_type(request) != "multipart/form-data":
        raise UnreadableUpload()
    try:
        form = await _InMemory(
            request.headers, request.stream(), max_files=1, max_fields=_MOST_FIELDS, max_part_size=4096
        ).parse()
    except (MultiPartException, KeyError, UnicodeDecodeError):
        raise UnreadableUpload() from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            raise UnreadableUpload()
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        check_beside_file(request, fields.pop(FIELD, None))
        return Uploaded(fields, file.filename[:400], await file.read())
    finally:
        await form.close()


async def room_for_upload(employee: Employee, use: Use) -> None:
    """Thirty files an hour for one affiliation (security.md U-07). Raises TooManyRequests."""
    await use.tools.limiter.take(Limit.upload_session, str(employee.affiliation_id))


RoomForUpload = Depends(room_for_upload)
File = Annotated[Uploaded, Depends(uploaded_file)]
