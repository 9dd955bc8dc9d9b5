"""How large a request may be: an upload more than anything else (security.md H-08, U-01)."""

from __future__ import annotations

import re

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from web.uploads import MAX_UPLOAD_BYTES

MAX_BODY_BYTES = 1_000_000
MAX_HEAD_BYTES = 16 * 1024  # address and headers
_UPLOADS = re.compile(r"/documents(/[\w:]+)?/?$")


def limit_of(scope: Scope) -> int:
    """The most bytes that the body of this request may have."""
    uploads = scope["method"] == "POST" and _UPLOADS.search(scope["path"])
    return MAX_UPLOAD_BYTES if uploads else MAX_BODY_BYTES


class BodyLimits:
    """Counted while it streams, whatever Content-Length says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._limited = {
            limit: RequestBodyLimitMiddleware(app, max_body_size=limit) for limit in (MAX_BODY_BYTES, MAX_UPLOAD_BYTES)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._limited[limit_of(scope)] if scope["type"] == "http" else self._app
        await app(scope, receive, send)
