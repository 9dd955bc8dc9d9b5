"""The encrypted object store: a directory or an S3 bucket that never sees a clear file nor a name (U-04, D-02).

An object is `version (1 byte) ‖ nonce (12) ‖ ciphertext and tag`, AES-256-GCM under a key of its own. That key, sealed,
is in the file's database row; object key and row id are bound into the object, so that it opens for no other row.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from gateways.encryption import CannotDecrypt, FieldCipher

if TYPE_CHECKING:
    from obstore.store import ObjectStore

TIMEOUT_SECONDS = 10.0
_VERSION = b"\x01"
_NONCE_BYTES = 12
_NO_SPACE = ("os error 28", "os error 122")  # ENOSPC, EDQUOT: obstore tells them by their text only


@dataclass(frozen=True)
class Stored:
    """What the database row keeps of a file, the only way back to it. `sha256`, `size` (bytes): of the clear one."""

    object_key: str
    data_key_sealed: bytes
    sha256: bytes
    size: int


@dataclass(frozen=True)
class StoredObject:
    """An object as the store lists it. `size`: bytes of the encrypted object."""

    object_key: str
    size: int
    modified_at: datetime


class StorageUnavailable(Exception):
    """Nothing can be said of the file: unreachable, refused, or longer than the time limit. Try again later."""


class StorageFull(StorageUnavailable):
    """No room is left: staff must act."""


class FileMissing(Exception):
    """The store has no such object."""


class FileDamaged(Exception):
    """The object was changed, cut, or made for another row. Nothing of it is given out."""


def open_store(url: str) -> ObjectStore:
    """The store at `file:///absolute/directory` (created, mode 0700), `s3://bucket/prefix` or `memory://` (tests).

    S3 takes credentials, region and endpoint from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_REGION, AWS_ENDPOINT_URL; AWS_ALLOW_HTTP=true for one without TLS). Raises ValueError for another
    address, OSError when the directory cannot be made.
    """
    address = urlsplit(url)
    if address.scheme == "memory":
        return MemoryStore()
    if address.scheme == "file" and not address.netloc and len(address.path) > 1:
        directory = Path(unquote(address.path))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return LocalStore(directory)
    if address.scheme == "s3" and address.netloc:
        limit = timedelta(seconds=TIMEOUT_SECONDS)
        # Given any option of the client, obstore no longer reads this one from the environment.
        http_too = os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true"
        return S3Store.from_url(
            url,
            client_options={"timeout": limit, "allow_http": http_too},
            retry_config={"max_retries": 2, "retry_timeout": limit},
        )
    raise ValueError("the file store's address is file:///directory, s3://bucket/prefix or memory://")


class FileVault:
    """Files in, files out. Make one per process."""

    def __init__(self, store: ObjectStore, keys: FieldCipher, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """`timeout_seconds`: of each call, and of each step of `list`."""
        self.store = store
        self.keys = keys
        self._timeout_seconds = timeout_seconds

    async def put(self, content: bytes, file_id: str, table: str = "document") -> Stored:
        """Encrypts, writes, reads back and compares; when it returns, the file is there and survives a crash.

        `file_id`: the id of the database row, in `table`; both must be given again to open it. Raises
        StorageUnavailable; an object that was nevertheless written belongs to no row, and the nightly reconciliation
        removes it.
        """
        object_key = new_object_key()
        data_key = AESGCM.generate_key(256)
        sealed = await asyncio.to_thread(_seal, content, data_key, object_key, file_id)
        try:
            with typed_errors():
                async with asyncio.timeout(self._timeout_seconds):
                    await obstore.put_async(self.store, object_key, sealed, mode="create")
                    await flush(self.store, object_key)
                    written = await self._read(object_key)
        except FileMissing:
            raise StorageUnavailable("what was written is not there") from None
        if written != sealed:
            raise StorageUnavailable("the store gave back something else than was written")
        return Stored(
            object_key=object_key,
            data_key_sealed=self.keys.encrypt(base64.b64encode(data_key).decode(), *place(table, file_id)),
            sha256=await asyncio.to_thread(_sha256, content),
            size=len(content),
        )

    async def get(
        self, object_key: str, data_key_sealed: bytes, sha256: bytes, file_id: str, table: str = "document"
    ) -> bytes:
        """The clear content. Raises FileMissing, FileDamaged, StorageUnavailable."""
        try:
            data_key = base64.b64decode(self.keys.decrypt(data_key_sealed, *place(table, file_id)))
        except CannotDecrypt:
            raise FileDamaged("its data key was not made for this row") from None
        with typed_errors():
            async with asyncio.timeout(self._timeout_seconds):
                sealed = await self._read(object_key)
        content = await asyncio.to_thread(_unseal, sealed, data_key, object_key, file_id)
        if await asyncio.to_thread(_sha256, content) != sha256:
            raise FileDamaged("its checksum is another")
        return content

    async def delete(self, object_key: str) -> None:
        """Afterwards the object is not there; it need not have been. Raises StorageUnavailable."""
        try:
            with typed_errors():
                async with asyncio.timeout(self._timeout_seconds):
                    await obstore.delete_async(self.store, object_key)
        except FileMissing:
            pass

    async def list(self) -> AsyncIterator[StoredObject]:
        """Every object, in no order, in constant memory: for the nightly reconciliation. Raises StorageUnavailable."""
        batches = obstore.list(self.store)
        while True:
            with typed_errors():
                async with asyncio.timeout(self._timeout_seconds):
                    batch = await anext(batches, None)
            if batch is None:
                return
            for found in batch:
                yield StoredObject(found["path"], found["size"], found["last_modified"])

    async def _read(self, object_key: str) -> bytes:
        result = await obstore.get_async(self.store, object_key)
        return bytes(await result.bytes_async())


def new_object_key() -> str:
    """Of one object, never used again."""
    name = uuid.uuid4().hex
    return f"{name[:2]}/{name}"


def place(table: str, file_id: str) -> tuple[str, str, str]:
    return table, "data_key", file_id


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _seal(content: bytes, data_key: bytes, object_key: str, file_id: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(data_key).encrypt(nonce, content, bound_to(object_key, file_id))


def _unseal(sealed: bytes, data_key: bytes, object_key: str, file_id: str) -> bytes:
    head = len(_VERSION) + _NONCE_BYTES
    if not sealed.startswith(_VERSION) or len(sealed) < head:
        raise FileDamaged("not an object of ours")
    try:
        return AESGCM(data_key).decrypt(sealed[len(_VERSION) : head], sealed[head:], bound_to(object_key, file_id))
    except (InvalidTag, ValueError):
        raise FileDamaged("changed, or made for another row") from None


def bound_to(object_key: str, file_id: str) -> bytes:
    """What an object is sealed together with."""
    return f"{len(object_key)}:{object_key}{file_id}".encode()


async def flush(store: ObjectStore, object_key: str) -> None:
    """LocalStore renames into place but never asks the disk to keep it."""
    if isinstance(store, LocalStore) and store.prefix is not None:
        await asyncio.to_thread(_fsync, Path(store.prefix), object_key)


def _fsync(root: Path, object_key: str) -> None:
    file = root / object_key
    for path in (file, file.parent, root):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def typed_errors() -> Iterator[None]:
    """The store's errors as FileMissing, StorageFull and StorageUnavailable."""
    try:
        yield
    except FileNotFoundError:
        raise FileMissing("no such object") from None
    except TimeoutError:
        raise StorageUnavailable("no answer within the time limit") from None
    except (BaseError, OSError, ValueError) as error:
        # Their texts hold paths and addresses: only the kind goes on.
        kind = type(error).__name__
        if any(sign in str(error) for sign in _NO_SPACE):
            raise StorageFull(f"no room left ({kind})") from None
        raise StorageUnavailable(kind) from None
