"""« Have I Been Pwned »: the range of passwords."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route

from tests.standins.server import Standin


class PwnedStandin(Standin):
    """`leaked` says how often each password was seen; each answer is padded, as asked."""

    def __init__(self, **leaked: int) -> None:
        super().__init__()
        self.leaked = leaked

    def routes(self) -> Iterable[BaseRoute]:
        yield Route("/range/{prefix:str}", self._range)

    async def _range(self, request: Request) -> PlainTextResponse:
        prefix = request.path_params["prefix"]
        lines = [f"{'0' * 34}{digit}:0" for digit in range(10)]
        for password, count in self.leaked.items():
            digest = hashlib.sha1(password.encode()).hexdigest().upper()
            if digest.startswith(prefix):
                lines.append(f"{digest[5:]}:{count}")
        return PlainTextResponse("\r\n".join(sorted(lines)))
