from __future__ import annotations

import string
import time
import unicodedata
from collections.abc import Collection

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.identifiers import InvalidValue
from domain.password_rules import (
    MAX_CHARACTERS,
    MIN_CHARACTERS,
    PASSWORD_EXAMPLE,
    check_password,
    normalised,
)

ABOUT = (
    "Marie",
    "Dupont-Étienne",
    "marie.dupont@exemple.fr",
    "BRASSERIE DES LILAS FLEURIS DU GRAND BOULEVARD",
    "99900000300015",
    "999000003",
)


def refusal_of(password: str, about: Collection[str] = ABOUT) -> InvalidValue | None:
    try:
        check_password(password, about)
    except InvalidValue as refused:
        return refused
    return None


def code_of(password: str, about: Collection[str] = ABOUT) -> str | None:
    """Why it is refused; None: it is not."""
    refused = refusal_of(password, about)
    return refused.code.removeprefix("password.") if refused else None


@pytest.mark.parametrize(
    "password",
    [
        "girafe tournevis mauve lagune",
        "girafetournevismauvelagune",  # without spaces, capitals or digits
        "  girafe tournevis mauve  ",
        "Xk7$vQ9!mWz2",  # a manager's, as short as may be
        "aoûtien ébréché çà œuf",
        "жираф отвёртка лагуна",
        "زرافة مفك براغي بحيرة",
        "🦒🔧🟣🏖️🐙🎻🧭🪁🥝🛶🎲🧶",
    ],
)
def test_what_is_long_and_hard_to_guess_is_taken_whatever_its_characters(password: str) -> None:
    assert check_password(password, ABOUT) == normalised(password)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("aaaaaaaaaaaaaaaa", "repeated"),
        ("passwordpassword", "repeated"),
        ("abcdefghijklmnop", "sequence"),
        ("azertyuiopqsdfghjklm", "weak"),
        ("motdepasse2024!", "weak"),
        ("Septembre2024!!", "weak"),
        ("1qaz2wsx3edc4rfv", "common"),
        ("Marie-Dupont-1975", "personal"),
        ("ETIENNE dupont marie", "personal"),
        ("M4rie Dupont 1975", "personal"),
        ("Brasserie des Lilas 2024", "personal"),
        ("brasserie des lilas fleuris du grand boulevard", "personal"),
        ("lesLilasFleurisDuBoulevard", "personal"),
        ("99900000300015", "personal"),
        ("HCR bien-être mutuelle", "personal"),
        ("Klésia Malakoff Humanis 1", "personal"),
        (PASSWORD_EXAMPLE, "common"),
        (PASSWORD_EXAMPLE.upper().replace(" ", "-"), "common"),
        ("court", "too_short"),
        ("", "too_short"),
        ("girafe\x00tournevis mauve", "characters"),
        ("girafe\ntournevis mauve", "characters"),
        ("girafe\u2028tournevis mauve", "characters"),
        ("girafe\ud800tournevis mauve", "characters"),
        ("girafe tournevis " * 8, "too_long"),
    ],
)
def test_the_reason_is_told(password: str, code: str) -> None:
    assert code_of(password) == code


def test_a_name_does_not_forbid_the_words_that_hold_it() -> None:
    assert code_of("quatre roses sauvages dans l’ombre tiède", ("Rose", "Lin")) is None


@pytest.mark.parametrize("characters", [MIN_CHARACTERS - 1, MIN_CHARACTERS, MAX_CHARACTERS, MAX_CHARACTERS + 1])
def test_the_length_is_counted_in_code_points(characters: int) -> None:
    password = "".join(chr(0x4E00 + 97 * place) for place in range(characters))  # not one is ASCII

    refused = code_of(password)

    assert refused == {MIN_CHARACTERS - 1: "too_short", MAX_CHARACTERS + 1: "too_long"}.get(characters)


def test_the_same_characters_typed_otherwise_are_the_same_password() -> None:
    composed = "aoûtien ébréché çà œuf"
    assert check_password(unicodedata.normalize("NFD", composed), ABOUT) == check_password(composed, ABOUT)
    assert normalised("ｇｉｒａｆｅ\u00a0mauve") == "girafe mauve"


def test_what_grows_when_normalised_is_measured_afterwards_and_costs_nothing_before() -> None:
    assert code_of("\ufdfa" * 20) == "too_long"  # 18 characters each
    started = time.thread_time()
    assert code_of("\ufdfa" * 300_000) == "too_long"
    assert time.thread_time() - started < 0.05


@pytest.mark.parametrize("alphabet", ["@({[<l1!|/$5+7%2", "4@8({[<3691!|70$5+7%2abcegilostxz", "1/2-3.4", "a"])
def test_the_worst_passwords_are_looked_at_in_a_bounded_time(alphabet: str) -> None:
    check_password("girafe tournevis mauve lagune", ABOUT)  # the lists are read at the first call
    password = "".join(alphabet[place * place % 31 % len(alphabet)] for place in range(MAX_CHARACTERS))
    started = time.thread_time()
    code_of(password)
    assert time.thread_time() - started < 0.25  # 25 ms; a hundred characters of the first would take a second


@settings(max_examples=300)
@given(st.text(max_size=160))
@example("\u0345" * 40)
def test_whatever_is_typed_is_taken_normalised_or_refused_with_a_reason(password: str) -> None:
    refused = refusal_of(password)
    if refused is None:
        taken = check_password(password, ABOUT)
        assert taken == normalised(password) == normalised(taken)
        assert MIN_CHARACTERS <= len(taken) <= MAX_CHARACTERS
    else:
        assert refused.code.startswith("password.")
        assert refused.message.endswith(".")
        assert refused.example == PASSWORD_EXAMPLE


@settings(max_examples=200)
@given(st.text(string.ascii_letters + string.digits + "-_ éàç", min_size=3, max_size=60), st.integers(0, 99))
def test_nothing_but_what_is_known_of_somebody_is_never_enough(known: str, number: int) -> None:
    assert code_of(f"{known}{number}", (known,)) is not None
    assert code_of(f"{known.upper()} {known.lower()}", (known,)) is not None


@settings(max_examples=200)
@given(st.text(string.ascii_letters, min_size=4, max_size=4), st.integers(3, 60))
def test_a_refusal_never_repeats_the_password(syllable: str, times: int) -> None:
    password = syllable * times
    refused = refusal_of(password)
    assert refused is not None
    assert password not in f"{refused!r} {refused}"
