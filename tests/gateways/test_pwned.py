from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from gateways.pwned import PwnedPasswords
from tests.standins.pwned import PwnedStandin

LEAKED = "correct horse battery staple"
TIMEOUT_SECONDS = 0.3


@pytest.fixture
def list_of_leaks() -> Iterator[PwnedStandin]:
    with PwnedStandin(**{LEAKED: 12_345, "padding only": 0, "café corsé en août": 1}) as standin:
        yield standin


@pytest.fixture
def pwned(list_of_leaks: PwnedStandin) -> PwnedPasswords:
    return PwnedPasswords(list_of_leaks.url, TIMEOUT_SECONDS)


async def test_a_leaked_password_is_known_and_another_is_not(pwned: PwnedPasswords) -> None:
    assert await pwned.seen(LEAKED) is True
    assert await pwned.seen(LEAKED + "!") is False


async def test_five_digits_of_its_hash_leave_and_nothing_else(
    pwned: PwnedPasswords, list_of_leaks: PwnedStandin
) -> None:
    await pwned.seen(LEAKED)
    [call] = list_of_leaks.calls
    digest = hashlib.sha1(LEAKED.encode()).hexdigest().upper()
    assert (call.method, call.path, call.query, call.body) == ("GET", f"/range/{digest[:5]}", {}, b"")
    assert call.headers["add-padding"] == "true"
    assert digest[5:15] not in str(call.headers).upper()


async def test_a_row_of_padding_is_no_leak(pwned: PwnedPasswords) -> None:
    assert await pwned.seen("padding only") is False


async def test_it_is_asked_as_it_is_stored(pwned: PwnedPasswords) -> None:
    assert await pwned.seen("cafe\u0301 corse\u0301 en aou\u0302t") is True  # typed on another keyboard


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 302])
async def test_a_failure_there_is_no_answer(pwned: PwnedPasswords, list_of_leaks: PwnedStandin, status: int) -> None:
    list_of_leaks.fail_next(status)
    assert await pwned.seen(LEAKED) is None
    assert await pwned.seen(LEAKED) is True


async def test_silence_a_cut_and_a_refused_connection_are_no_answer(
    pwned: PwnedPasswords, list_of_leaks: PwnedStandin
) -> None:
    list_of_leaks.accept_then_time_out()
    assert await pwned.seen(LEAKED) is None
    list_of_leaks.cut_next(done=False)
    assert await pwned.seen(LEAKED) is None
    list_of_leaks.down()
    assert await pwned.seen(LEAKED) is None


async def test_nonsense_is_no_leak(pwned: PwnedPasswords, list_of_leaks: PwnedStandin) -> None:
    list_of_leaks.fail_next(200, body="<html>:12\n:\n²:3\n")
    assert await pwned.seen(LEAKED) is False


async def test_without_an_address_nobody_is_asked(list_of_leaks: PwnedStandin) -> None:
    assert await PwnedPasswords("", TIMEOUT_SECONDS).seen(LEAKED) is None
    assert list_of_leaks.calls == []
