from __future__ import annotations

import asyncio
import base64
import os
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from gateways import passwords as module
from gateways.encryption import BadKeys
from gateways.passwords import LANES, MEMORY_KIB, PASSES, Busy, Passwords, peppers

PASSWORD = "girafe tournevis mauve lagune"
PEPPER = os.urandom(32)


async def test_a_password_is_known_again_and_another_is_not() -> None:
    passwords = Passwords(PEPPER)
    stored = await passwords.hash(PASSWORD)
    assert await passwords.matches(stored, PASSWORD)
    assert not await passwords.matches(stored, PASSWORD + " ")
    assert not await passwords.matches(stored, PASSWORD.upper())
    assert not passwords.outdated(stored)


async def test_it_is_the_same_however_the_keyboard_composes_it() -> None:
    passwords = Passwords(PEPPER)
    stored = await passwords.hash("café corsé en août")
    assert await passwords.matches(stored, "cafe\u0301 corse\u0301 en aou\u0302t")


async def test_nothing_is_cut_off_at_the_end() -> None:
    passwords = Passwords(PEPPER)
    stored = await passwords.hash("é" * 127 + "a")
    assert not await passwords.matches(stored, "é" * 127 + "b")


async def test_it_is_stored_salted_with_its_parameters_which_are_no_less_than_owasps() -> None:
    passwords = Passwords(PEPPER)
    one, other = await passwords.hash(PASSWORD), await passwords.hash(PASSWORD)
    assert one[8:] != other[8:]
    parameters = extract_parameters(one[8:])
    assert parameters.type.name == "ID"
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (MEMORY_KIB, PASSES, LANES)
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2
    assert parameters.salt_len >= 16


async def test_without_the_pepper_the_database_alone_is_of_no_use() -> None:
    stored = await Passwords(PEPPER).hash(PASSWORD)
    assert not await Passwords(os.urandom(32)).matches(stored, PASSWORD)
    assert PEPPER.hex()[:8] not in stored


async def test_a_former_pepper_still_opens_and_is_to_be_replaced() -> None:
    stored = await Passwords(PEPPER).hash(PASSWORD)
    rotated = Passwords(os.urandom(32), PEPPER)
    assert await rotated.matches(stored, PASSWORD)
    assert not await rotated.matches(stored, "wrong")
    assert rotated.outdated(stored)
    assert not rotated.outdated(await rotated.hash(PASSWORD))


async def test_former_parameters_still_open_and_are_to_be_replaced() -> None:
    passwords = Passwords(PEPPER)
    former = PasswordHasher(1, 8192, 1).hash(module._keyed(PEPPER, PASSWORD))
    stored = (await passwords.hash(PASSWORD))[:8] + former
    assert await passwords.matches(stored, PASSWORD)
    assert passwords.outdated(stored)


@pytest.mark.parametrize("stored", ["", "x", "00000000$argon2id$", "00000000" + "$argon2id$v=19$m=8,t=1,p=1$AA$AA"])
async def test_what_is_no_hash_matches_nothing(stored: str) -> None:
    assert not await Passwords(PEPPER).matches(stored, PASSWORD)


async def test_nobodys_password_takes_as_long_as_somebodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time too: nothing has to be prepared for it."""
    passwords = Passwords(PEPPER, threads=1)
    stored, verify = await passwords.hash(PASSWORD), passwords._verify
    taken: dict[bool, list[float]] = {True: [], False: []}
    parameters = extract_parameters(stored[8:])

    def measured(hashed: str, password: str) -> bool:
        started = time.thread_time()  # not what other processes do meanwhile
        try:
            return verify(hashed, password)
        finally:
            taken[hashed == stored].append(time.thread_time() - started)
            assert extract_parameters(hashed[8:]) == parameters

    monkeypatch.setattr(passwords, "_verify", measured)
    for whose in [None, stored] * 3:
        assert not await passwords.matches(whose, "wrong")
    assert len(taken[True]) == len(taken[False]) == 3
    assert min(taken[False]) == pytest.approx(min(taken[True]), rel=0.5)


async def test_no_more_are_computed_at_once_than_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords(PEPPER, threads=2)
    running, most = 0, 0
    lock, verify = threading.Lock(), passwords._verify

    def noticing(stored: str, password: str) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return verify(stored, password)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(passwords, "_verify", noticing)
    await asyncio.gather(*(passwords.matches(None, "wrong") for _ in range(8)))
    assert most == 2


async def test_whoever_would_wait_too_long_is_told_so_at_once_and_the_others_are_served() -> None:
    passwords = Passwords(PEPPER, threads=1, waiting=2)
    stored = await passwords.hash(PASSWORD)
    wanted = [asyncio.create_task(passwords.matches(stored, PASSWORD)) for _ in range(3)]
    await asyncio.sleep(0)
    started = time.thread_time()
    with pytest.raises(Busy):
        await passwords.matches(None, PASSWORD)
    with pytest.raises(Busy):
        await passwords.hash(PASSWORD)
    assert time.thread_time() - started < 0.02
    assert await asyncio.gather(*wanted) == [True, True, True]
    assert await passwords.matches(stored, PASSWORD)  # there is room again


async def test_whoever_goes_away_leaves_their_place() -> None:
    passwords = Passwords(PEPPER, threads=1, waiting=2)
    wanted = [asyncio.create_task(passwords.matches(None, "x")) for _ in range(3)]
    await asyncio.sleep(0)
    wanted[1].cancel()
    wanted[2].cancel()
    await asyncio.wait(wanted)
    assert not any(await asyncio.gather(*(passwords.matches(None, "x") for _ in range(3))))


async def test_hashing_gives_way_to_those_who_are_signed_in() -> None:
    passwords = Passwords(PEPPER, threads=1)
    before = os.getpriority(os.PRIO_PROCESS, 0)

    def priority(*_: str) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await passwords._run(priority) == 19
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before  # this thread's stays


def test_the_setting_holds_todays_pepper_and_former_ones() -> None:
    keys = [os.urandom(32), os.urandom(32)]
    assert peppers(", ".join(base64.b64encode(key).decode() for key in keys)) == keys


@pytest.mark.parametrize(
    "setting", ["", "not base64!", base64.b64encode(bytes(32)).decode(), base64.b64encode(b"short").decode(), ","]
)
def test_a_pepper_that_is_none_stops_the_start(setting: str) -> None:
    with pytest.raises(BadKeys) as refused:
        peppers(setting)
    assert "PASSWORD_PEPPER" in str(refused.value)
