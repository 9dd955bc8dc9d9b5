from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateways.delivery import DeliveryKind
from gateways.sendgrid_events import WebhookRefused, parse, verify
from tests.standins.sendgrid import SendGridStandin

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RAW = '[{"event":"delivered","name":"Zoé"}]'.encode()


def check(standin: SendGridStandin, raw: bytes, headers: dict[str, str], *keys: str, now: datetime = NOW) -> None:
    signature, timestamp = headers.values()
    verify(raw, signature, timestamp, now, keys or (standin.public_key,))


def test_genuine() -> None:
    standin = SendGridStandin()
    check(standin, RAW, standin.signed(RAW, NOW))
    check(standin, RAW, standin.signed(RAW, NOW - timedelta(hours=25)))


def test_tampered() -> None:
    standin = SendGridStandin()
    with pytest.raises(WebhookRefused):
        check(standin, RAW + b" ", standin.signed(RAW, NOW))


def test_signed_for_another_time() -> None:
    standin = SendGridStandin()
    signature, _ = standin.signed(RAW, NOW).values()
    with pytest.raises(WebhookRefused):
        verify(RAW, signature, str(int(NOW.timestamp()) + 1), NOW, [standin.public_key])


def test_too_old() -> None:
    standin = SendGridStandin()
    with pytest.raises(WebhookRefused, match="too old"):
        check(standin, RAW, standin.signed(RAW, NOW - timedelta(hours=27)))


def test_two_keys_while_they_are_rotated() -> None:
    standin = SendGridStandin()
    old_key, old_headers = standin.public_key, standin.signed(RAW, NOW)
    standin.rotate_key()
    for headers in (old_headers, standin.signed(RAW, NOW)):
        check(standin, RAW, headers, old_key, f" {standin.public_key} ")
    with pytest.raises(WebhookRefused):
        check(standin, RAW, old_headers, standin.public_key)


@pytest.mark.parametrize(
    ("signature", "timestamp"),
    [
        (None, "1"),
        ("", "1"),
        ("AAAA", None),
        ("é" * 8, None),
        ("é" * 8, "now"),
        ("not base64!", "now"),
        ("AAAA", "now"),
        ("A" * 10_000, "now"),
        ("AAAA", "-1"),
        ("AAAA", "9" * 1_000),
        ("AAAA", "1.5"),
        ("AAAA", "١٢٣"),
    ],
)
def test_malformed_headers(signature: str | None, timestamp: str | None) -> None:
    moment = str(int(NOW.timestamp())) if timestamp == "now" else timestamp
    with pytest.raises(WebhookRefused):
        verify(RAW, signature, moment, NOW, [SendGridStandin().public_key])


def test_bytes_that_are_no_text() -> None:
    standin = SendGridStandin()
    with pytest.raises(WebhookRefused):
        check(standin, b"\xff\xfe", standin.signed(b"\xff\xfe", NOW))


def test_without_a_key_nothing_is_genuine() -> None:
    with pytest.raises(WebhookRefused):
        verify(RAW, "AAAA", str(int(NOW.timestamp())), NOW, [])


def test_a_setting_that_is_no_key_is_our_fault() -> None:
    with pytest.raises(ValueError, match=r"key|PEM|ASN"):
        check(SendGridStandin(), RAW, SendGridStandin().signed(RAW, NOW), "bm90IGEga2V5")


@pytest.mark.parametrize(
    ("fields", "kind", "reason"),
    [
        ({"event": "processed"}, DeliveryKind.accepted, ""),
        ({"event": "delivered", "response": "250 camille@exemple.fr ok"}, DeliveryKind.delivered, ""),
        ({"event": "deferred", "response": "452 try later"}, DeliveryKind.deferred, ""),
        (
            {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 camille@exemple.fr unknown"},
            DeliveryKind.bounced,
            "5.1.1",
        ),
        (
            {"event": "bounce", "type": "bounce", "bounce_classification": "Invalid Address", "status": "5.1.1"},
            DeliveryKind.bounced,
            "invalid_address",
        ),
        (
            {"event": "bounce", "type": "blocked", "bounce_classification": "Reputation"},
            DeliveryKind.soft_bounced,
            "reputation",
        ),
        ({"event": "dropped", "reason": "Bounced Address"}, DeliveryKind.bounced, "bounced_address"),
        ({"event": "dropped", "reason": "Invalid"}, DeliveryKind.bounced, "invalid_address"),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, DeliveryKind.dropped, "spam_reporting_address"),
        ({"event": "dropped", "reason": "for camille@exemple.fr"}, DeliveryKind.dropped, ""),
        ({"event": "spamreport"}, DeliveryKind.complained, ""),
        ({"event": "open"}, DeliveryKind.other, "open"),
        ({"event": "click", "url": "https://exemple.fr/l/secret"}, DeliveryKind.other, "click"),
        ({"event": "camille@exemple.fr"}, DeliveryKind.other, "unknown_event"),
    ],
)
def test_kinds(fields: dict[str, Any], kind: DeliveryKind, reason: str) -> None:
    raw = json.dumps([{"sg_event_id": "e1", "timestamp": 1_795_424_400, "dispatch_id": "d1", **fields}]).encode()
    (event,) = parse(raw)
    assert (event.provider, event.provider_event_id, event.dispatch_id) == ("sendgrid", "e1", "d1")
    assert (event.kind, event.reason) == (kind, reason)
    assert event.occurred_at == datetime.fromtimestamp(1_795_424_400, UTC)


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "text",
        {},
        {"event": "delivered", "timestamp": 1},
        {"event": "delivered", "sg_event_id": "e", "timestamp": "1"},
        {"event": "delivered", "sg_event_id": "e", "timestamp": True},
        {"event": "delivered", "sg_event_id": "e", "timestamp": 10**30},
        {"event": "delivered", "sg_event_id": "a\0b", "timestamp": 1},
        {"event": "delivered", "sg_event_id": ["e"], "timestamp": 1},
        {"event": "delivered", "sg_event_id": "e" * 1000, "timestamp": 1},
    ],
)
def test_one_malformed_event_does_not_lose_the_others(malformed: Any, caplog: pytest.LogCaptureFixture) -> None:
    good = {"event": "delivered", "sg_event_id": "good", "timestamp": 1, "dispatch_id": "d"}
    with caplog.at_level(logging.WARNING):
        events = parse(json.dumps([malformed, good]).encode())
    assert [event.provider_event_id for event in events] == ["good"]
    assert "1 of 2" in caplog.text


@pytest.mark.parametrize("raw", [b"", b"{", b"12", b"\xff", b'"x"'])
def test_a_body_that_is_no_batch_has_no_events(raw: bytes) -> None:
    assert parse(raw) == ()


@pytest.mark.parametrize("dispatch_id", [None, 12, "", "a b", "a\nb", "x" * 1000, {"a": 1}])
def test_only_our_own_key_correlates(dispatch_id: Any) -> None:
    entry = {"event": "delivered", "sg_event_id": "e", "timestamp": 1, "email": "camille@exemple.fr"}
    (event,) = parse(json.dumps([{**entry, "dispatch_id": dispatch_id}]).encode())
    assert event.dispatch_id is None
    assert "camille" not in repr(event)


def test_the_stand_in_signs_what_it_tells() -> None:
    standin = SendGridStandin()
    raw = json.dumps([standin.event("d1", "delivered")]).encode()
    check(standin, raw, standin.signed(raw, NOW))
    assert parse(raw)[0].dispatch_id == "d1"
