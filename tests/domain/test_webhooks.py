from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from activities.contracts.affiliation import EventKind
from domain.webhooks import (
    GIVES_UP_AFTER,
    MOST_TRIES,
    WebhookKind,
    event_message,
    new_secret,
    rest_after,
    signed_headers,
    wait_after,
)

AT = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
ID = UUID("01890000-0000-7000-8000-000000000001")


def test_every_line_of_the_timeline_can_be_told() -> None:
    assert {kind.value for kind in WebhookKind} == {kind.value for kind in EventKind}


def test_twelve_tries_take_nearly_six_days_and_the_first_repetition_comes_at_once() -> None:
    waits = [wait_after(tries) for tries in range(1, MOST_TRIES + 1)]
    assert (MOST_TRIES, waits[0], waits[-1]) == (12, timedelta(seconds=5), None)
    known = [wait for wait in waits if wait is not None]
    assert known == sorted(known)
    assert timedelta(days=5.6) < GIVES_UP_AFTER < timedelta(days=5.8)
    assert wait_after(1, 600) == timedelta(minutes=10), "the receiver asked for more"
    assert wait_after(3, 1) == timedelta(minutes=30), "and never for less"


@pytest.mark.parametrize(("failures", "seconds"), [(1, 5), (2, 10), (5, 80), (7, 300), (10_000, 300)])
def test_a_failing_address_rests_longer_each_time_and_never_long(failures: int, seconds: int) -> None:
    assert rest_after(failures) == timedelta(seconds=seconds)


def test_a_message_is_signed_as_the_specification_says() -> None:
    """The example of github.com/standard-webhooks/standard-webhooks, of its libraries' tests."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    moment = datetime.fromtimestamp(1614265330, UTC)
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", body, [secret], moment)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    two = signed_headers(ID, body, [secret, new_secret()], moment)["webhook-signature"].split(" ")
    assert [one.partition(",")[0] for one in two] == ["v1", "v1"], "during a rotation"


def test_a_message_says_what_happened_in_ids_codes_and_dates() -> None:
    message = json.loads(event_message("finalised", AT, ID, 7, "finalised", "999000003", "99900000300015"))
    assert message == {
        "type": "affiliation.finalised",
        "timestamp": "2026-05-12T09:30:00.000Z",
        "data": {
            "affiliation_id": str(ID),
            "number": 7,
            "status": "finalised",
            "siren": "999000003",
            "siret": "99900000300015",
        },
    }
