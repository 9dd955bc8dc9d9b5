from __future__ import annotations

import asyncio
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.letter_codes import (
    ALPHABET,
    format_code,
    hash_secret,
    new_selector,
    parse_code,
    verify_secret,
)

CODE_CHARACTERS = 17
selectors = st.text(ALPHABET, min_size=6, max_size=6)
secrets = st.text(ALPHABET, min_size=10, max_size=10)


@given(selectors, secrets)
def test_what_is_printed_is_read(selector: str, secret: str) -> None:
    code = format_code(selector, secret)
    assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}", code)
    assert parse_code(code) == (selector, secret)


@given(selectors, secrets, st.data())
def test_typing_is_forgiven(selector: str, secret: str, data: st.DataObject) -> None:
    looks_like = {"0": "0Oo", "1": "1IiLl"}
    typed = ""
    for mark in format_code(selector, secret).replace("-", ""):
        typed += data.draw(st.sampled_from(looks_like.get(mark, mark + mark.lower())))
        typed += data.draw(st.sampled_from(["", "", "", "-", " ", "–", "‑", "\u00a0", "\u202f", "\t"]))
    assert parse_code(f" {typed} ") == (selector, secret)


@given(selectors, secrets, st.integers(0, CODE_CHARACTERS - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_seen(selector: str, secret: str, place: int, wrong: str) -> None:
    code = format_code(selector, secret).replace("-", "")
    changed = code[:place] + wrong + code[place + 1 :]
    assert (parse_code(changed) is not None) == (changed == code)


@given(selectors, secrets, st.integers(0, CODE_CHARACTERS - 1), st.integers(0, CODE_CHARACTERS - 1))
def test_two_exchanged_characters_are_seen(selector: str, secret: str, one: int, other: int) -> None:
    code = format_code(selector, secret).replace("-", "")
    marks = list(code)
    marks[one], marks[other] = marks[other], marks[one]
    changed = "".join(marks)
    assert (parse_code(changed) is not None) == (changed == code)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    parsed = parse_code(text)
    assert parsed is None or parse_code(format_code(*parsed)) == parsed


@pytest.mark.parametrize("text", ["", "-", "A7K3", "U" * 17, "é" * 17, "A" * 10_000, "ı" * 17])
def test_what_cannot_be_a_code(text: str) -> None:
    assert parse_code(text) is None


@pytest.mark.parametrize(("selector", "secret"), [("A" * 5, "A" * 10), ("A" * 6, "A" * 11), ("A" * 6, "U" * 10)])
def test_only_codes_are_printed(selector: str, secret: str) -> None:
    with pytest.raises(ValueError, match="letter code"):
        format_code(selector, secret)


def test_selectors_are_drawn() -> None:
    drawn = {new_selector() for _ in range(200)}
    assert len(drawn) == 200
    assert all(re.fullmatch(f"[{ALPHABET}]{{6}}", selector) for selector in drawn)


async def test_only_the_secret_matches_its_hash() -> None:
    stored = await hash_secret("0123456789")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await verify_secret(stored, "0123456789")
    assert not await verify_secret(stored, "0123456780")
    assert not await verify_secret("not a hash", "0123456789")
    assert not await verify_secret(None, "0123456789")


async def test_hashing_leaves_the_loop_free() -> None:
    hashing = asyncio.gather(*(hash_secret("0123456789") for _ in range(4)))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0.001)
    assert turns > 5
    assert len(set(await hashing)) == 4


async def test_an_unknown_selector_is_not_told_by_the_time() -> None:
    started = time.perf_counter()
    await verify_secret(None, "0123456789")
    assert time.perf_counter() - started > 0.005
