"""Both providers call a real door, which does with their events what ours does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateways import maileva_events, sendgrid_events
from gateways.delivery import DeliveryEvent, DeliveryKind
from tests.standins.maileva import CALLBACK_PASSWORD, CALLBACK_USERNAME, MailevaStandin, Sending
from tests.standins.sendgrid import SendGridStandin
from tests.standins.server import Standin


class Door(Standin):
    def __init__(self, public_key: str) -> None:
        super().__init__()
        self.events: list[DeliveryEvent] = []
        self._public_key = public_key

    def routes(self) -> Iterable[BaseRoute]:
        return [
            Route("/sendgrid", self._sendgrid, methods=["POST"]),
            Route("/maileva", self._maileva, methods=["POST"]),
        ]

    async def _sendgrid(self, request: Request) -> Response:
        raw = await request.body()
        signature = request.headers.get("X-Twilio-Email-Event-Webhook-Signature")
        timestamp = request.headers.get("X-Twilio-Email-Event-Webhook-Timestamp")
        try:
            sendgrid_events.verify(raw, signature, timestamp, datetime.now(UTC), [self._public_key])
        except sendgrid_events.WebhookRefused:
            return Response(status_code=403)
        self.events += sendgrid_events.parse(raw)
        return Response(status_code=204)

    async def _maileva(self, request: Request) -> Response:
        header = request.headers.get("Authorization")
        if not maileva_events.authorised(header, CALLBACK_USERNAME, CALLBACK_PASSWORD):
            return Response(status_code=401)
        self.events.append(maileva_events.parse(await request.body()))
        return Response(status_code=201)


@pytest.fixture
def standin() -> SendGridStandin:
    return SendGridStandin()


@pytest.fixture
def door(standin: SendGridStandin) -> Iterator[Door]:
    with Door(standin.public_key) as door:
        yield door


async def test_signed_events_twice_and_out_of_order(standin: SendGridStandin, door: Door) -> None:
    events = [standin.event("d1", name) for name in ("processed", "deferred", "delivered")]
    assert await standin.post_events(f"{door.url}/sendgrid", events, duplicated=True, shuffled=True) == [204, 204]
    assert len(door.events) == 12
    assert len({event.provider_event_id for event in door.events}) == 3
    assert {event.dispatch_id for event in door.events} == {"d1"}


async def test_a_key_that_was_changed(standin: SendGridStandin, door: Door) -> None:
    standin.rotate_key()
    assert await standin.post_events(f"{door.url}/sendgrid", [standin.event("d1", "delivered")]) == [403]
    assert not door.events


async def test_maileva_calls_back(door: Door) -> None:
    maileva = MailevaStandin()
    maileva.sendings["s1"] = Sending("s1", {"custom_id": "d1"})
    assert await maileva.call_back(f"{door.url}/maileva", "s1", "ON_STATUS_ACCEPTED") == 201
    assert await maileva.call_back(f"{door.url}/maileva", "s1", "ON_STATUS_ACCEPTED", password="other") == 401
    assert [(event.dispatch_id, event.kind) for event in door.events] == [("d1", DeliveryKind.accepted)]
