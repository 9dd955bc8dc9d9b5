from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gateways.delivery import DeliveryKind
from gateways.maileva_events import CallbackUnreadable, authorised, parse
from tests.standins.maileva import CALLBACK_PASSWORD, CALLBACK_USERNAME, MailevaStandin, Sending


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_the_right_password_opens() -> None:
    header = basic(f"{CALLBACK_USERNAME}:{CALLBACK_PASSWORD}")
    assert authorised(header, CALLBACK_USERNAME, CALLBACK_PASSWORD)
    assert authorised(header.replace("Basic", "basic"), CALLBACK_USERNAME, CALLBACK_PASSWORD)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic é",
        "Basic !!!",
        basic(""),
        basic(CALLBACK_USERNAME),
        basic(f"{CALLBACK_USERNAME}:other"),
        basic(f"other:{CALLBACK_PASSWORD}"),
        basic(f"{CALLBACK_USERNAME}:{CALLBACK_PASSWORD}").replace("Basic", "Bearer"),
        basic("x" * 100_000),
    ],
)
def test_anything_else_does_not(header: str | None) -> None:
    assert not authorised(header, CALLBACK_USERNAME, CALLBACK_PASSWORD)


def test_without_a_password_nobody_enters() -> None:
    assert not authorised(basic(":"), "", "")


@pytest.mark.parametrize(
    ("event_type", "kind", "reason"),
    [
        ("ON_STATUS_ACCEPTED", DeliveryKind.accepted, ""),
        ("ON_STATUS_REJECTED", DeliveryKind.rejected, ""),
        ("ON_STATUS_PROCESSED", DeliveryKind.delivered, ""),
        ("ON_STATUS_ARCHIVED", DeliveryKind.other, "unknown_event"),
        ("ON_SOMETHING_NEW", DeliveryKind.other, "unknown_event"),
    ],
)
def test_callbacks(event_type: str, kind: DeliveryKind, reason: str) -> None:
    standin = MailevaStandin()
    standin.sendings["s1"] = Sending("s1", {"custom_id": "d1"})
    body = {**standin.callback("s1", event_type), "event_date": "2026-11-23T10:23:31.137Z", "new_field": {"a": 1}}
    event = parse(json.dumps(body).encode())
    assert (event.kind, event.reason, event.dispatch_id) == (kind, reason, "d1")
    assert event.provider_event_id == f"s1:{event_type}:2026-11-23T10:23:31.137Z"
    assert event.occurred_at == datetime(2026, 11, 23, 10, 23, 31, 137000, tzinfo=UTC)


@pytest.mark.parametrize("date", ["2026-11-23T11:23:31+01:00", "2026-11-23T11:23:31+0100", "2026-11-23T10:23:31"])
def test_dates_become_utc(date: str) -> None:
    event = parse(json.dumps({"resource_id": "s", "event_type": "ON_STATUS_ACCEPTED", "event_date": date}).encode())
    assert event.occurred_at == datetime(2026, 11, 23, 10, 23, 31, tzinfo=UTC)
    assert event.dispatch_id is None


GOOD: dict[str, Any] = {"resource_id": "s", "event_type": "ON_STATUS_ACCEPTED", "event_date": "2026-11-23T10:23:31Z"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        *(
            json.dumps({**GOOD, **wrong}).encode()
            for wrong in (
                {"resource_id": None},
                {"resource_id": 1},
                {"resource_id": "a\0b"},
                {"event_type": "x" * 1000},
                {"event_date": "yesterday"},
                {"event_date": 12},
            )
        ),
    ],
)
def test_what_is_no_callback(raw: bytes) -> None:
    with pytest.raises(CallbackUnreadable):
        parse(raw)
