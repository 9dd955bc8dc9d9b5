"""A file as an answer: whole where it is short, in parts where it is not."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import StreamingResponse

from gateways.files.names import content_disposition
from services.exports import Download


def download_answer(file: Download) -> Response:
    """Saved under its name, and kept by nobody on the way."""
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"', "Cache-Control": "no-store"}
    if isinstance(file.content, bytes):
        return Response(file.content, media_type=file.media_type, headers=headers)
    headers["Content-Length"] = str(file.size)
    return StreamingResponse(file.content, media_type=file.media_type, headers=headers)


def received_file(name: str, media_type: str, content: bytes) -> Response:
    """What somebody sent us: saved, never opened in a page of ours (security.md U-05)."""
    headers = {
        "Content-Disposition": content_disposition(name),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=media_type, headers=headers)
