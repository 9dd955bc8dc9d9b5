"""Secrets at rest: encrypted fields, indexes to search them blindly, and the secrets of links and letters.

An encrypted field is `version (1 byte) ‖ nonce (12) ‖ ciphertext and tag`, AES-256-GCM. It only opens in the
table, column and row it was made for: moved elsewhere, it is refused. The version names the master key, so
that a new key can be added first and old values re-encrypted at leisure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateways.letter_codes import ALPHABET, SECRET_CHARACTERS

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16


class CannotDecrypt(Exception):
    """The value was made for another place, with an unknown key, or was changed. Its text holds no value."""


class BadKeys(ValueError):
    """The keys of the settings cannot be used; says which setting and why, never the key."""


class FieldCipher:
    """Everything that needs the application's keys. Make one per process.

    `field_keys`: `"2:<base64>,1:<base64>"`, newest first, versions 1 to 255; the first one encrypts, all decrypt.
    `blind_index_key`, `link_key`: base64. Each key is 32 bytes. Raises BadKeys.
    """

    def __init__(self, field_keys: str, blind_index_key: str, link_key: str) -> None:
        self._master_keys = _key_ring(field_keys)
        self._newest = next(iter(self._master_keys))
        self._blind_index_key = _key("BLIND_INDEX_KEY", blind_index_key)
        self._link_key = _key("LINK_KEY", link_key)
        everything = [*self._master_keys.values(), self._blind_index_key, self._link_key]
        if len(set(everything)) < len(everything):
            raise BadKeys("FIELD_KEYS, BLIND_INDEX_KEY and LINK_KEY must all be different keys")
        self._field_keys: dict[tuple[int, str, str], AESGCM] = {}

    def encrypt(self, value: str, table: str, column: str, row_id: str) -> bytes:
        """The encrypted field for this place; another one each time."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._field_key(self._newest, table, column).encrypt(
            nonce, value.encode(), _unambiguous(table, column, row_id)
        )
        return bytes([self._newest]) + nonce + sealed

    def decrypt(self, sealed: bytes, table: str, column: str, row_id: str) -> str:
        """The value encrypted for this place. Raises CannotDecrypt."""
        if len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
            raise CannotDecrypt("too short to be an encrypted field")
        version = sealed[0]
        if version not in self._master_keys:
            raise CannotDecrypt(f"key version {version} is not among the keys")
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            value = self._field_key(version, table, column).decrypt(
                nonce, ciphertext, _unambiguous(table, column, row_id)
            )
        except InvalidTag:
            raise CannotDecrypt(f"not made for this {table}.{column}, or changed") from None
        return value.decode()

    def is_current(self, sealed: bytes) -> bool:
        """Whether the field was made with the newest key; when not, re-encrypt it on the next write."""
        return sealed[:1] == bytes([self._newest])

    def blind_index(self, value: str, field: str) -> bytes:
        """32 bytes, the same for the same value of the same field: finds a value without decrypting.

        The caller normalises `value` first. `field` separates the indexes, so that equal values of two
        fields do not show as equal.
        """
        return _hmac(self._blind_index_key, field, value)

    def link_token(self, dispatch_id: str) -> str:
        """The secret of a dispatch's link, 256 bits as 43 URL-safe characters.

        Derived and not drawn: repeating a send after a crash gives the same link, and only `token_hash`
        of it is stored.
        """
        digest = _hmac(self._link_key, "link", dispatch_id)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def letter_secret(self, dispatch_id: str) -> str:
        """The secret half of a letter's code: 10 characters (50 bits), the same for the same dispatch."""
        number = int.from_bytes(_hmac(self._link_key, "letter", dispatch_id), "big")
        return "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(SECRET_CHARACTERS))

    def _field_key(self, version: int, table: str, column: str) -> AESGCM:
        name = (version, table, column)
        if name not in self._field_keys:
            derivation = HKDF(SHA256(), KEY_BYTES, salt=None, info=_unambiguous("field", table, column))
            self._field_keys[name] = AESGCM(derivation.derive(self._master_keys[version]))
        return self._field_keys[name]


def token_hash(token: str) -> bytes:
    """What is stored of a link's token: its SHA-256 (the token has 256 bits, so no slow hash is needed)."""
    return hashlib.sha256(token.encode()).digest()


def _key_ring(text: str) -> dict[int, bytes]:
    keys: dict[int, bytes] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        version_text, colon, key_text = entry.partition(":")
        if not colon or not version_text.isascii() or not version_text.isdigit() or not 1 <= int(version_text) <= 255:
            raise BadKeys("FIELD_KEYS: each entry is <version 1 to 255>:<base64 key>")
        version = int(version_text)
        if version in keys:
            raise BadKeys(f"FIELD_KEYS: version {version} is there twice")
        keys[version] = _key(f"FIELD_KEYS version {version}", key_text)
    if not keys:
        raise BadKeys("FIELD_KEYS is missing")
    return keys


def _key(name: str, text: str) -> bytes:
    if not text.strip():
        raise BadKeys(f"{name} is missing")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadKeys(f"{name} is not base64") from None
    if len(key) != KEY_BYTES:
        raise BadKeys(f"{name} has {len(key)} bytes, {KEY_BYTES} are needed")
    if len(set(key)) == 1:
        raise BadKeys(f"{name} is one byte repeated, not a random key")
    return key


def _hmac(key: bytes, domain: str, value: str) -> bytes:
    return hmac.digest(key, _unambiguous(domain, value), "sha256")


def _unambiguous(*parts: str) -> bytes:
    """The parts with their lengths, so that no two different lists give the same bytes."""
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
