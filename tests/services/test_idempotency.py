"""The text that stands for a request under an `Idempotency-Key`."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from uuid import UUID

import pytest

from gateways.encryption import FieldCipher
from services.declarations import CorrectedContact, Pause, Withdrawal
from services.idempotency import once, spelled_out

ONE = UUID("01930000-0000-7000-8000-000000000001")
KEY = "a-key-of-a-caller"
PROGRAM = """
from uuid import UUID
from services.declarations import CorrectedContact
from services.idempotency import spelled_out
request = CorrectedContact.model_validate({"phone": "0639980001", "email": "camille@exemple.fr"})
print(repr(spelled_out("correct_contact", UUID(int=7), request)))
"""


@pytest.fixture
def cipher() -> FieldCipher:
    keys = [base64.b64encode(os.urandom(32)).decode() for _ in range(3)]
    return FieldCipher(f"1:{keys[0]}", keys[1], keys[2])


def asked(action: str, request: CorrectedContact | Withdrawal | Pause | None, affiliation_id: UUID = ONE) -> str:
    return spelled_out(action, affiliation_id, request)


def test_without_a_key_nothing_is_remembered(cipher: FieldCipher) -> None:
    assert once(cipher, None, "remind", ONE) is None


def test_only_a_keyed_hash_is_kept(cipher: FieldCipher) -> None:
    kept = once(cipher, KEY, "remind", ONE)
    assert kept
    assert kept.request_hash != hashlib.sha256(asked("remind", None).encode()).digest()
    assert kept == once(cipher, KEY, "remind", ONE)
    assert kept != once(cipher, KEY, "resume", ONE)


def test_two_equal_requests_are_the_same_whatever_the_order_and_the_spelling() -> None:
    first = CorrectedContact.model_validate({"email": "camille@exemple.fr", "phone": "06 39 98 00 01"})
    second = CorrectedContact.model_validate({"phone": "+33639980001", "email": " Camille@Exemple.fr "})
    assert asked("correct_contact", first) == asked("correct_contact", second)


def test_what_is_left_out_differs_from_what_is_removed() -> None:
    left_out = CorrectedContact.model_validate({"phone": "0639980001"})
    removed = CorrectedContact.model_validate({"phone": "0639980001", "email": None})
    assert asked("correct_contact", left_out) != asked("correct_contact", removed)


def test_another_action_another_affiliation_and_another_reason_differ() -> None:
    other = UUID(int=ONE.int + 1)
    texts = [
        asked("remind", None),
        asked("resume", None),
        asked("remind", None, other),
        asked("pause", Pause.model_validate({"reason": "other"})),
        asked("withdraw", Withdrawal.model_validate({"reason": "other"})),
        asked("withdraw", Withdrawal.model_validate({"reason": "left"})),
    ]
    assert len(set(texts)) == len(texts)


def test_it_is_the_same_in_every_process() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
