"""OVHcloud as it answers: its clock, and the SMS jobs, with signed requests."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tests.standins.server import Standin

APPLICATION_KEY, APPLICATION_SECRET, CONSUMER_KEY = "synthetic-app", "synthetic-secret", "synthetic-consumer"
SERVICE = "sms-xx00000-1"
_WINDOW_SECONDS = 30


class OvhStandin(Standin):
    """`taken` holds every job accepted. `clock_ahead`: seconds between OVHcloud's clock and ours.

    `listing_delay`: seconds before a message taken shows in the search. `bad_numbers`: refused as receivers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []
        self.clock_ahead = 0
        self.listing_delay = 0.0
        self.bad_numbers: set[str] = set()
        self._taken_at: list[float] = []
        self._ids = itertools.count(1000)

    @property
    def settings(self) -> dict[str, Any]:
        """What `Settings(...)` needs to send here."""
        return {
            "sms_provider": "ovh",
            "ovh_base_url": self.url,
            "ovh_application_key": APPLICATION_KEY,
            "ovh_application_secret": APPLICATION_SECRET,
            "ovh_consumer_key": CONSUMER_KEY,
            "ovh_sms_service": SERVICE,
        }

    def routes(self) -> Iterable[BaseRoute]:
        return [
            Route("/1.0/auth/time", self._time),
            Route("/1.0/sms/{service}/jobs", self._jobs, methods=["POST"]),
            Route("/1.0/sms/{service}/outgoing", self._outgoing),
        ]

    def taken_for(self, tag: str) -> list[dict[str, Any]]:
        return [job for job in self.taken if job["tag"] == tag]

    def _now(self) -> int:
        return int(time.time()) + self.clock_ahead

    async def _time(self, request: Request) -> Response:
        return PlainTextResponse(str(self._now()))

    async def _jobs(self, request: Request) -> Response:
        if (refused := await self._check(request)) is not None:
            return refused
        job = json.loads(await request.body())
        if any(number in self.bad_numbers for number in job["receivers"]):
            return JSONResponse({"totalCreditsRemoved": 0, "ids": [], "invalidReceivers": job["receivers"]})
        job["id"] = next(self._ids)
        self.taken.append(job)
        self._taken_at.append(time.monotonic())
        return JSONResponse(
            {"totalCreditsRemoved": 1, "ids": [job["id"]], "validReceivers": job["receivers"], "invalidReceivers": []}
        )

    async def _outgoing(self, request: Request) -> Response:
        if (refused := await self._check(request)) is not None:
            return refused
        tag = request.query_params.get("tag")
        return JSONResponse(
            [
                job["id"]
                for job, at in zip(self.taken, self._taken_at, strict=True)
                if tag in (None, job["tag"]) and time.monotonic() - at >= self.listing_delay
            ]
        )

    async def _check(self, request: Request) -> Response | None:
        headers = request.headers
        if (headers.get("X-Ovh-Application"), headers.get("X-Ovh-Consumer")) != (APPLICATION_KEY, CONSUMER_KEY):
            return _error(403, "INVALID_CREDENTIAL", "This credential is not valid")
        timestamp = headers["X-Ovh-Timestamp"]
        if abs(int(timestamp) - self._now()) > _WINDOW_SECONDS:
            return _error(400, "QUERY_TIME_OUT", "Query out of time")
        body = (await request.body()).decode()
        signed = "+".join((APPLICATION_SECRET, CONSUMER_KEY, request.method, str(request.url), body, timestamp))
        if headers.get("X-Ovh-Signature") != "$1$" + hashlib.sha1(signed.encode()).hexdigest():
            return _error(400, "INVALID_SIGNATURE", "Invalid signature")
        if request.path_params["service"] != SERVICE:
            return _error(404, "NOT_FOUND", "The requested object does not exist")
        return None


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"class": "Client::Error", "errorCode": code, "message": message}, status)
