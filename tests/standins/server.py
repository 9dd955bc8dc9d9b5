"""A provider on loopback: real HTTP, and the ways in which a provider fails."""

from __future__ import annotations

import asyncio
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


class _How(Enum):
    answer = "answer"  # instead of doing anything
    cut_before = "cut_before"  # the connection, without doing anything
    cut_after = "cut_after"  # the connection, once done
    hang_after = "hang_after"  # once done, never answer


@dataclass
class _Fault:
    how: _How
    times: int
    skip: int
    on: str
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Standin(ABC):
    """Base of the stand-ins; use it as a context manager, or `start()` and `stop()`.

    `url` is its base address; `calls` everything that arrived. `on="POST /submit"` limits a fault to a method and
    the end of a path; `skip` lets that many matching requests through first. `on_call` is called with each request
    before it is answered: for what happens at the provider meanwhile.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.on_call: Callable[[Call], None] | None = None
        self._faults: list[_Fault] = []
        self._app = Starlette(routes=list(self.routes()))
        self._port = 0
        self._server: asyncio.Server | None = None
        self._state = ServerState()

    @abstractmethod
    def routes(self) -> Iterable[BaseRoute]: ...

    # --- life

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        asyncio.run_coroutine_threadsafe(self._listen(), _loop()).result(timeout=10)
        return self

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), _loop()).result(timeout=10)

    async def _listen(self) -> None:
        config = uvicorn.Config(self, ws="none", lifespan="off", log_config=None, access_log=False, proxy_headers=False)
        config.load()
        self._state = ServerState()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: H11Protocol(config, self._state, {}), "127.0.0.1", self._port
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            for connection in list(self._state.connections):
                connection.transport.abort()
            self._server = None

    down = stop  # the listening socket is really closed: connections are refused

    def up(self) -> None:
        """Back on the same port, with everything it had taken."""
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # --- faults

    def fail_next(
        self, status: int, times: int = 1, headers: Mapping[str, str] | None = None, *, body: Any = None,
        on: str = "", skip: int = 0,
    ) -> None:  # fmt: skip
        """Answer `status` to the next `times` requests, without doing what they ask."""
        self._faults.append(_Fault(_How.answer, times, skip, on, status, headers or {}, body))

    def accept_then_time_out(self, times: int = 1, *, on: str = "", skip: int = 0) -> None:
        """Do what the next `times` requests ask, and never answer."""
        self._faults.append(_Fault(_How.hang_after, times, skip, on))

    def cut_next(self, times: int = 1, *, done: bool, on: str = "", skip: int = 0) -> None:
        """Cut the connection of the next `times` requests, after (`done`) or before doing what they ask."""
        self._faults.append(_Fault(_How.cut_after if done else _How.cut_before, times, skip, on))

    def heal(self) -> None:
        """Forget the faults that have not happened yet."""
        self._faults.clear()

    def calls_of(self, on: str) -> list[Call]:
        """The requests of a method and path ending, such as `POST /submit`."""
        return [call for call in self.calls if _is(call, on)]

    def _next_fault(self, call: Call) -> _Fault | None:
        for fault in self._faults:
            if _is(call, fault.on):
                if fault.skip:
                    fault.skip -= 1
                    return None
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    # --- ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = await _read(scope, receive)
        self.calls.append(call)
        if self.on_call:
            self.on_call(call)
        fault = self._next_fault(call)
        if fault and fault.how is _How.answer:
            body = {"errors": []} if fault.body is None else fault.body
            await JSONResponse(body, fault.status, fault.headers)(scope, receive, send)
            return
        if fault and fault.how is _How.cut_before:
            _cut(send)
            return
        answer = await self._answer(scope, call)
        if fault and fault.how is _How.cut_after:
            _cut(send)
        elif fault:
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            for message in answer:
                await send(message)

    async def _answer(self, scope: Scope, call: Call) -> list[Message]:
        answer: list[Message] = []

        async def replay() -> Message:
            return {"type": "http.request", "body": call.body, "more_body": False}

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, replay, keep)
        return answer


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The loop of all stand-ins, in a thread of its own: it serves whatever the tests' loop is doing."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="stand-ins", daemon=True).start()
    return loop


async def _read(scope: Scope, receive: Receive) -> Call:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = dict(parse_qsl(scope["query_string"].decode()))
    return Call(scope["method"], scope["path"], query, headers, body)


def _is(call: Call, on: str) -> bool:
    method, _, path = on.partition(" ")
    return not on or (call.method == method and call.path.endswith(path))


def _cut(send: Send) -> None:
    cast(Any, send).__self__.transport.abort()  # uvicorn's `send` belongs to the connection
