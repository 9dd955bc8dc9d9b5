"""Files too large for memory, in the same store and sealed as well: written while they arrive, read anywhere.

An object is `version (1 byte) ‖ prefix (7)`, then frames of four mebibytes, each `ciphertext ‖ tag`, AES-256-GCM under
the object's own key with the nonce `prefix ‖ number (4) ‖ whether it is the last (1)`: frames can be neither moved,
left out nor cut off (the STREAM construction). Object key and row id are bound into each.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING, BinaryIO, cast

import obstore
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateways.encryption import CannotDecrypt, FieldCipher
from gateways.files.storage import (
    TIMEOUT_SECONDS,
    FileDamaged,
    FileMissing,
    FileVault,
    StorageUnavailable,
    Stored,
    bound_to,
    flush,
    new_object_key,
    place,
    typed_errors,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

FRAME_BYTES = 4 * 1024 * 1024
_VERSION = b"\x02"
_PREFIX_BYTES = 7
_HEAD_BYTES = len(_VERSION) + _PREFIX_BYTES
_TAG_BYTES = 16


class TooLong(Exception):
    """More bytes came than are taken; nothing is kept of them."""


class StreamVault:
    """Large files in, large files out, in constant memory. Make one per process."""

    def __init__(
        self, store: ObjectStore, keys: FieldCipher, table: str, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """`table`: whose rows the files belong to. `timeout_seconds`: the store's, for each frame; whoever sends sets
        their own."""
        self._store = store
        self._keys = keys
        self._table = table
        self._timeout_seconds = timeout_seconds

    async def put(self, content: AsyncIterable[bytes], file_id: str, most: int) -> Stored:
        """Encrypts and writes what comes, at most `most` bytes; when it returns, the file survives a crash.

        `file_id`: the id of the database row, which must be given again to open it. Raises TooLong, StorageUnavailable,
        and what `content` raises: nothing is written then.
        """
        object_key = new_object_key()
        data_key = AESGCM.generate_key(256)
        sealing = _Sealing(content, data_key, bound_to(object_key, file_id), most)
        try:
            await self._write(object_key, sealing)
        except OverflowError:
            raise TooLong() from None
        return Stored(
            object_key=object_key,
            data_key_sealed=self._keys.encrypt(base64.b64encode(data_key).decode(), *place(self._table, file_id)),
            sha256=sealing.clear.digest(),
            size=sealing.size,
        )

    async def _write(self, object_key: str, sealing: _Sealing) -> None:
        written = hashlib.sha256()
        loop = asyncio.get_running_loop()
        try:
            with typed_errors():
                async with asyncio.timeout(None) as limit:  # runs while the store works, rests while the sender does
                    await obstore.put_async(self._store, object_key, sealing.frames(limit, self._timeout_seconds))
                    limit.reschedule(loop.time() + self._timeout_seconds)
                    await flush(self._store, object_key)
                    answer = await obstore.get_async(self._store, object_key)
                    async for part in answer.stream(FRAME_BYTES):
                        limit.reschedule(loop.time() + self._timeout_seconds)
                        written.update(part)
        except StorageUnavailable:
            if sealing.failed is not None:
                raise sealing.failed from None
            raise
        if written.digest() != sealing.sealed.digest():
            raise StorageUnavailable("the store gave back something else than was written")

    def open(self, object_key: str, data_key_sealed: bytes, size: int, file_id: str) -> BinaryIO:
        """The clear content, seekable, one frame in memory; it blocks, so read it in a thread.

        `size`: of the clear content. Raises FileMissing, FileDamaged, StorageUnavailable, here and while it is read.
        """
        try:
            data_key = base64.b64decode(self._keys.decrypt(data_key_sealed, *place(self._table, file_id)))
        except CannotDecrypt:
            raise FileDamaged("its data key was not made for this row") from None
        frames = _Frames(self._store, object_key, AESGCM(data_key), bound_to(object_key, file_id), size)
        return cast(BinaryIO, io.BufferedReader(frames, 1 << 20))

    async def delete(self, object_key: str) -> None:
        """Afterwards the object is not there; it need not have been. Raises StorageUnavailable."""
        try:
            with typed_errors():
                async with asyncio.timeout(self._timeout_seconds):
                    await obstore.delete_async(self._store, object_key)
        except FileMissing:
            pass


def beside(vault: FileVault, table: str) -> StreamVault:
    """For the large files of a table whose small ones are in that vault: the same store, the same keys."""
    return StreamVault(vault.store, vault.keys, table)


class _Sealing:
    """What is written of a stream, and the checksums of both sides of it."""

    def __init__(self, content: AsyncIterable[bytes], data_key: bytes, bound: bytes, most: int) -> None:
        self._content = content
        self._key = AESGCM(data_key)
        self._bound = bound
        self._most = most
        self._prefix = os.urandom(_PREFIX_BYTES)
        self.clear = hashlib.sha256()
        self.sealed = hashlib.sha256()
        self.size = 0
        self.failed: BaseException | None = None  # of the sender, not of the store

    async def frames(self, limit: asyncio.Timeout, seconds: float) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        number, held = 0, bytearray()
        yield self._sealed(_VERSION + self._prefix)
        try:
            limit.reschedule(None)
            async for part in self._content:
                self._count(part)
                held += part
                while len(held) > FRAME_BYTES:  # the last frame is known to be so: something always remains for it
                    frame = await asyncio.to_thread(self._frame, number, bytes(held[:FRAME_BYTES]), False)
                    del held[:FRAME_BYTES]
                    number += 1
                    limit.reschedule(loop.time() + seconds)
                    yield frame
                    limit.reschedule(None)
        except Exception as error:
            self.failed = error
            raise
        limit.reschedule(loop.time() + seconds)
        yield await asyncio.to_thread(self._frame, number, bytes(held), True)

    def _count(self, part: bytes) -> None:
        """Raises OverflowError."""
        self.size += len(part)
        if self.size > self._most:
            raise OverflowError
        self.clear.update(part)

    def _frame(self, number: int, clear: bytes, last: bool) -> bytes:
        return self._sealed(self._key.encrypt(_nonce(self._prefix, number, last), clear, self._bound))

    def _sealed(self, part: bytes) -> bytes:
        self.sealed.update(part)
        return part


class _Frames(io.RawIOBase):
    """An object of frames as a file. A frame that was changed, moved or cut off is never given out."""

    def __init__(self, store: ObjectStore, object_key: str, key: AESGCM, bound: bytes, size: int) -> None:
        self._store = store
        self._object_key = object_key
        self._key = key
        self._bound = bound
        self._size = size
        self._at = 0
        self._number, self._frame = -1, b""  # the one in memory
        self._prefix = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        room = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self._at >= self._size:
            return 0
        number, inside = divmod(self._at, FRAME_BYTES)
        part = self._clear(number)[inside : inside + len(room)]
        room[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _clear(self, number: int) -> bytes:
        if number != self._number:
            self._prefix = self._prefix or self._head()
            last = number == (self._size - 1) // FRAME_BYTES
            length = (self._size - number * FRAME_BYTES if last else FRAME_BYTES) + _TAG_BYTES
            sealed = self._range(_HEAD_BYTES + number * (FRAME_BYTES + _TAG_BYTES), length)
            try:
                self._frame = self._key.decrypt(_nonce(self._prefix, number, last), sealed, self._bound)
            except InvalidTag:
                raise FileDamaged("changed, or made for another row") from None
            self._number = number
        return self._frame

    def _head(self) -> bytes:
        head = self._range(0, _HEAD_BYTES)
        if not head.startswith(_VERSION) or len(head) != _HEAD_BYTES:
            raise FileDamaged("not an object of ours")
        return head[len(_VERSION) :]

    def _range(self, start: int, length: int) -> bytes:
        with typed_errors():
            return bytes(obstore.get_range(self._store, self._object_key, start=start, length=length))


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])
