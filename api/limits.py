"""How large a request may be: an upload more than anything else (security.md H-08, U-01)."""

from __future__ import annotations

import re

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from web.several_files import MAX_TOGETHER_BYTES, takes_several
from web.uploads import MAX_UPLOAD_BYTES

MAX_BODY_BYTES = 1_000_000
MAX_HEAD_BYTES = 16 * 1024  # address and headers
_UPLOADS = re.compile(r"/documents(/[\w:]+)?/?$")
# a workbook, or a table pasted from one
_IMPORTS = re.compile(r"/(affiliation-imports|salaries/pre-affiliation/imports(/collage)?)/?$")
_DSN_UPLOADS = re.compile(r"/(staff/dsn-imports|gestion/dsn)/?$")
_LIBRARY_UPLOADS = re.compile(r"^/gestion/bibliotheque/[\w-]+/?$")
_BESIDE_FILE = 16 * 1024


def limit_of(scope: Scope) -> int:
    """The most bytes that the body of this request may have."""
    if scope["method"] == "POST" and _DSN_UPLOADS.search(scope["path"]):
        return int(scope["app"].state.most_dsn_bytes) + _BESIDE_FILE
    if scope["method"] == "POST" and takes_several(scope["path"]):
        return MAX_TOGETHER_BYTES
    uploads = scope["method"] == "POST" and any(
        paths.search(scope["path"]) for paths in (_UPLOADS, _IMPORTS, _LIBRARY_UPLOADS)
    )
    return MAX_UPLOAD_BYTES if uploads else MAX_BODY_BYTES


class BodyLimits:
    """Counted while it streams, whatever Content-Length says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._limited: dict[int, RequestBodyLimitMiddleware] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = limit_of(scope)
        if limit not in self._limited:
            self._limited[limit] = RequestBodyLimitMiddleware(self._app, max_body_size=limit)
        await self._limited[limit](scope, receive, send)
