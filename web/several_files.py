"""A form with several files: read from the stream into memory, never onto a disk, and once: what stood beside the files
is still known to whoever keeps it when the session has ended (`portal.kept_forms`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from services.contact_views import MOST_BYTES_IN_ALL, UploadedFile
from services.problems import UnreadableUpload
from web.csrf import FIELD, check_beside_file

MAX_TOGETHER_BYTES: Final = MOST_BYTES_IN_ALL + 512 * 1024  # the files and what stands beside them
_MOST_PARTS: Final = 40  # of more than six, one is still told so at the field
_MOST_FIELD_BYTES: Final = 64 * 1024
_MOST_FIELDS: Final = 20
_THEIR_PATHS = re.compile(r"^/contact/?$|/contact-requests(/[\w-]+/\w+)?/?$|/(demarches|demandes)/[\w-]+/\w+/?$")


def takes_several(path: str) -> bool:
    """Whether a form with several files may be sent there."""
    return _THEIR_PATHS.search(path) is not None


@dataclass(frozen=True)
class WithFiles:
    """`fields`: what stood beside the files, each once."""

    fields: dict[str, str]
    files: list[UploadedFile]


class _InMemory(MultiPartParser):
    spool_max_size = MAX_TOGETHER_BYTES  # the body's limit: nothing ever rolls over to a temporary file


async def several_files(request: Request) -> WithFiles:
    """The files of a `multipart/form-data` request, in its parts named `file`. Raises UnreadableUpload, CsrfRefused.

    The body's size is limited before, whatever its Content-Length says (`api.limits`).
    """
    sent = await read_once(request)
    check_beside_file(request, sent.fields.get(FIELD))
    return sent


async def read_once(request: Request) -> WithFiles:
    """The same with the page's token among the fields, which nobody has looked at. Raises UnreadableUpload."""
    if not hasattr(request.state, "with_files"):
        request.state.with_files = await _read(request)
    sent: WithFiles = request.state.with_files
    return sent


async def _read(request: Request) -> WithFiles:
    try:
        form = await _InMemory(
            request.headers,
            request.stream(),
            max_files=_MOST_PARTS,
            max_fields=_MOST_FIELDS,
            max_part_size=_MOST_FIELD_BYTES,
        ).parse()
    except (MultiPartException, KeyError, UnicodeDecodeError):
        raise UnreadableUpload() from None
    try:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        chosen = [one for one in form.getlist("file") if isinstance(one, UploadFile) and one.filename]
        files = [UploadedFile((one.filename or "")[:400], await one.read()) for one in chosen]
    finally:
        await form.close()
    return WithFiles(fields, files)
