from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.encryption import BadKeys, CannotDecrypt, FieldCipher, token_hash
from gateways.letter_codes import ALPHABET


def key(seed: str) -> str:
    return base64.b64encode(hashlib.sha256(seed.encode()).digest()).decode()


CIPHER = FieldCipher(f"1:{key('one')}", key("index"), key("link"))
PLACE = ("employee", "nir", "0b9c8f6e-0000-4000-8000-000000000004")


@given(st.text())
def test_what_was_encrypted_comes_back(value: str) -> None:
    assert CIPHER.decrypt(CIPHER.encrypt(value, *PLACE), *PLACE) == value


def test_format() -> None:
    sealed = CIPHER.encrypt("2690975056001", *PLACE)
    assert sealed[0] == 1
    assert len(sealed) == 1 + 12 + 13 + 16
    assert CIPHER.encrypt("2690975056001", *PLACE) != sealed


@pytest.mark.parametrize(
    "place",
    [
        ("employee", "nir", "another-row"),
        ("employee", "iban", PLACE[2]),
        ("beneficiary", "nir", PLACE[2]),
        ("employeen", "ir", PLACE[2]),
        ("employee", "nir0", PLACE[2][1:]),
    ],
)
def test_a_moved_ciphertext_is_refused(place: tuple[str, str, str]) -> None:
    sealed = CIPHER.encrypt("2690975056001", *PLACE)
    with pytest.raises(CannotDecrypt) as refused:
        CIPHER.decrypt(sealed, *place)
    assert "2690975056001" not in str(refused.value)


@given(st.integers(min_value=0, max_value=8 * 42 - 1))
def test_a_changed_bit_is_refused(bit: int) -> None:
    sealed = bytearray(CIPHER.encrypt("2690975056001", *PLACE))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CannotDecrypt):
        CIPHER.decrypt(bytes(sealed), *PLACE)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" * 28])
def test_a_short_field_is_refused(sealed: bytes) -> None:
    with pytest.raises(CannotDecrypt):
        CIPHER.decrypt(sealed, *PLACE)


def test_a_new_key_reads_the_old_and_writes_the_new() -> None:
    both = FieldCipher(f"2:{key('two')}, 1:{key('one')}", key("index"), key("link"))
    old = CIPHER.encrypt("x", *PLACE)
    new = both.encrypt("x", *PLACE)
    assert both.decrypt(old, *PLACE) == both.decrypt(new, *PLACE) == "x"
    assert (both.is_current(old), both.is_current(new)) == (False, True)
    with pytest.raises(CannotDecrypt, match="version 2"):
        CIPHER.decrypt(new, *PLACE)


def test_another_key_of_the_same_version_is_refused() -> None:
    other = FieldCipher(f"1:{key('other')}", key("index"), key("link"))
    with pytest.raises(CannotDecrypt):
        other.decrypt(CIPHER.encrypt("x", *PLACE), *PLACE)


def test_the_blind_index_is_stable_and_separate() -> None:
    index = CIPHER.blind_index("269097505600123", "nir")
    assert len(index) == 32
    assert index == FieldCipher(f"9:{key('nine')}", key("index"), key("link")).blind_index("269097505600123", "nir")
    assert index != CIPHER.blind_index("269097505600123", "phone")
    assert index != CIPHER.blind_index("269097505600124", "nir")
    assert index != FieldCipher(f"1:{key('one')}", key("index2"), key("link")).blind_index("269097505600123", "nir")
    assert CIPHER.blind_index("b", "a") != CIPHER.blind_index("", "ab")


def test_the_same_dispatch_always_has_the_same_link_and_letter_secret() -> None:
    again = FieldCipher(f"7:{key('seven')}", key("index7"), key("link"))
    token = CIPHER.link_token("d1")
    assert token == again.link_token("d1") != CIPHER.link_token("d2")
    assert len(base64.urlsafe_b64decode(token + "=")) == 32
    secret = CIPHER.letter_secret("d1")
    assert secret == again.letter_secret("d1") != CIPHER.letter_secret("d2")
    assert len(secret) == 10
    assert set(secret) <= set(ALPHABET)
    assert token_hash(token) == hashlib.sha256(token.encode()).digest()


def test_letter_secrets_use_the_whole_alphabet() -> None:
    assert {mark for number in range(200) for mark in CIPHER.letter_secret(str(number))} == set(ALPHABET)


@pytest.mark.parametrize(
    ("field_keys", "index_key", "link_key", "says"),
    [
        ("", key("i"), key("l"), "FIELD_KEYS is missing"),
        (",", key("i"), key("l"), "FIELD_KEYS is missing"),
        (key("one"), key("i"), key("l"), "each entry"),
        (f"0:{key('one')}", key("i"), key("l"), "each entry"),
        (f"256:{key('one')}", key("i"), key("l"), "each entry"),
        (f"x:{key('one')}", key("i"), key("l"), "each entry"),
        (f"1:{key('one')},1:{key('two')}", key("i"), key("l"), "twice"),
        ("1:c2hvcnQ=", key("i"), key("l"), "has 5 bytes"),
        ("1:not base64", key("i"), key("l"), "not base64"),
        (f"1:{key('one')}", "", key("l"), "BLIND_INDEX_KEY is missing"),
        (f"1:{key('one')}", "c2hvcnQ=", key("l"), "BLIND_INDEX_KEY has 5 bytes"),
        (f"1:{key('one')}", key("i"), "", "LINK_KEY is missing"),
        (f"1:{key('one')}", key("i"), base64.b64encode(bytes(32)).decode(), "not a random key"),
        (f"1:{key('one')}", key("i"), key("i"), "different"),
        (f"1:{key('one')}", key("one"), key("l"), "different"),
    ],
)
def test_bad_keys_stop_the_start(field_keys: str, index_key: str, link_key: str, says: str) -> None:
    with pytest.raises(BadKeys, match=says) as refused:
        FieldCipher(field_keys, index_key, link_key)
    assert key("one") not in str(refused.value)


def test_what_is_already_stored_and_printed_stays_good() -> None:
    """Values made by the first version: a change that breaks this makes stored fields and posted letters useless."""
    sealed = "01fb0882fe59a4b7ef767c7a221ef3b6edb9e7518bd5b81cdf7172c0e14043283bda95fa43cf4fe2a0dc"
    assert CIPHER.decrypt(bytes.fromhex(sealed), *PLACE) == "2690975056001"
    index = "d41f5e43f7e76b02935d2a0e0ffbaf135458256b83de7dc31a557159b52c8ca8"
    assert CIPHER.blind_index("269097505600123", "nir").hex() == index
    assert CIPHER.link_token("d1") == "CQjVudRvURAodT6-MPi93uZlnq2CKRsaiwfVXq0xb4o"
    assert CIPHER.letter_secret("d1") == "6N82SCAT4T"
