from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, GenericError
from obstore.store import LocalStore, MemoryStore, S3Store

from gateways.encryption import FieldCipher
from gateways.files.storage import (
    FileDamaged,
    FileMissing,
    FileVault,
    StorageFull,
    StorageUnavailable,
    StoredObject,
    open_store,
)

CONTENT = b"%PDF-1.7 the account of Camille Martin " * 1000


def key(seed: str) -> str:
    return base64.b64encode(hashlib.sha256(seed.encode()).digest()).decode()


KEYS = FieldCipher(f"1:{key('one')}", key("index"), key("link"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture(params=["file", "memory"])
def vault(request: pytest.FixtureRequest, directory: Path) -> FileVault:
    return FileVault(open_store(f"file://{directory}" if request.param == "file" else "memory://"), KEYS)


def contents_of(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.rglob("*") if path.is_file()]


async def listed(vault: FileVault) -> list[StoredObject]:
    return [found async for found in vault.list()]


@pytest.mark.parametrize("content", [b"", b"x", CONTENT, bytes(10_000_000)])
async def test_what_was_put_comes_back(vault: FileVault, content: bytes) -> None:
    stored = await vault.put(content, "row-1")
    assert stored.size == len(content)
    assert stored.sha256 == hashlib.sha256(content).digest()
    assert await vault.get(stored.object_key, stored.data_key_sealed, stored.sha256, "row-1") == content


async def test_the_key_says_nothing_and_each_file_has_its_own(vault: FileVault) -> None:
    first, second = await vault.put(CONTENT, "row-1"), await vault.put(CONTENT, "row-1")
    assert first.object_key != second.object_key
    assert first.data_key_sealed != second.data_key_sealed
    shard, name = first.object_key.split("/")
    assert len(name) == 32
    assert name.startswith(shard)


async def test_nothing_clear_is_in_the_directory(directory: Path) -> None:
    vault = FileVault(open_store(f"file://{directory}"), KEYS)
    stored = await vault.put(CONTENT, "row-1")
    data_key = base64.b64decode(KEYS.decrypt(stored.data_key_sealed, "document", "data_key", "row-1"))
    files = contents_of(directory)
    assert len(files) == 1
    raw = files[0]
    for secret in (CONTENT[:20], b"row-1", data_key, stored.sha256):
        assert secret not in raw
    assert len(raw) == 1 + 12 + len(CONTENT) + 16


async def test_it_opens_for_no_other_row(vault: FileVault) -> None:
    mine, yours = await vault.put(CONTENT, "row-1"), await vault.put(b"yours", "row-2")
    with pytest.raises(FileDamaged):
        await vault.get(mine.object_key, mine.data_key_sealed, mine.sha256, "row-2")
    resealed = KEYS.encrypt(
        KEYS.decrypt(mine.data_key_sealed, "document", "data_key", "row-1"), "document", "data_key", "row-2"
    )
    with pytest.raises(FileDamaged):
        await vault.get(mine.object_key, resealed, mine.sha256, "row-2")
    with pytest.raises(FileDamaged):
        await vault.get(yours.object_key, mine.data_key_sealed, mine.sha256, "row-1")
    with pytest.raises(FileDamaged):
        await vault.get(mine.object_key, mine.data_key_sealed, yours.sha256, "row-1")


async def test_a_moved_object_is_refused(directory: Path) -> None:
    vault = FileVault(open_store(f"file://{directory}"), KEYS)
    stored = await vault.put(CONTENT, "row-1")
    (directory / "elsewhere").write_bytes((directory / stored.object_key).read_bytes())
    with pytest.raises(FileDamaged):
        await vault.get("elsewhere", stored.data_key_sealed, stored.sha256, "row-1")


@pytest.mark.parametrize("at", [0, 1, 12, 13, 5000, -1])
async def test_a_changed_byte_is_noticed(directory: Path, at: int) -> None:
    vault = FileVault(open_store(f"file://{directory}"), KEYS)
    stored = await vault.put(CONTENT, "row-1")
    raw = bytearray((directory / stored.object_key).read_bytes())
    raw[at] ^= 1
    (directory / stored.object_key).write_bytes(raw)
    with pytest.raises(FileDamaged) as damaged:
        await vault.get(stored.object_key, stored.data_key_sealed, stored.sha256, "row-1")
    assert "Camille" not in str(damaged.value)


@pytest.mark.parametrize("length", [0, 1, 12, 13, 28, 1000])
async def test_a_cut_object_is_noticed(directory: Path, length: int) -> None:
    vault = FileVault(open_store(f"file://{directory}"), KEYS)
    stored = await vault.put(CONTENT, "row-1")
    os.truncate(directory / stored.object_key, length)
    with pytest.raises(FileDamaged):
        await vault.get(stored.object_key, stored.data_key_sealed, stored.sha256, "row-1")


async def test_deleted_is_missing_and_deleting_again_is_nothing(vault: FileVault) -> None:
    stored = await vault.put(CONTENT, "row-1")
    await vault.delete(stored.object_key)
    await vault.delete(stored.object_key)
    with pytest.raises(FileMissing):
        await vault.get(stored.object_key, stored.data_key_sealed, stored.sha256, "row-1")
    assert await listed(vault) == []


async def test_everything_is_listed(vault: FileVault) -> None:
    stored = [await vault.put(CONTENT, f"row-{number}") for number in range(60)]
    found = await listed(vault)
    assert {one.object_key for one in found} == {one.object_key for one in stored}
    assert {one.size for one in found} == {len(CONTENT) + 29}
    assert all(one.modified_at.tzinfo for one in found)


async def test_the_directory_is_ours_alone_and_flushed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = FileVault(open_store(f"file://{directory}"), KEYS)
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    flushed: set[str] = set()

    def fsync(descriptor: int) -> None:
        flushed.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", fsync)
    file = directory / (await vault.put(CONTENT, "row-1")).object_key
    assert flushed == {str(file), str(file.parent), str(directory)}


async def test_never_overwrites(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = FileVault(MemoryStore(), KEYS)
    monkeypatch.setattr("gateways.files.storage.new_object_key", lambda: "aa/same")
    stored = await vault.put(CONTENT, "row-1")
    with pytest.raises(StorageUnavailable, match=AlreadyExistsError.__name__):
        await vault.put(b"other", "row-2")
    assert await vault.get("aa/same", stored.data_key_sealed, stored.sha256, "row-1") == CONTENT


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (GenericError("Unable to copy data to file: No space left on device (os error 28)"), StorageFull),
        (GenericError("Disk quota exceeded (os error 122) at /srv/files"), StorageFull),
        (GenericError("error sending request for url (https://s3.example.org/bucket)"), StorageUnavailable),
        (PermissionError("/srv/files"), StorageUnavailable),
        (TimeoutError(), StorageUnavailable),
    ],
)
async def test_what_the_store_says_is_typed(
    monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception]
) -> None:
    async def fails(*arguments: Any, **options: Any) -> Any:
        raise error

    vault = FileVault(MemoryStore(), KEYS)
    stored = await vault.put(CONTENT, "row-1")
    monkeypatch.setattr(obstore, "put_async", fails)
    monkeypatch.setattr(obstore, "get_async", fails)
    monkeypatch.setattr(obstore, "delete_async", fails)
    for call in (
        vault.put(CONTENT, "row-2"),
        vault.get(stored.object_key, stored.data_key_sealed, stored.sha256, "row-1"),
        vault.delete(stored.object_key),
    ):
        with pytest.raises(raised) as unavailable:
            await call
        assert "/srv" not in str(unavailable.value)
        assert "https" not in str(unavailable.value)


async def test_every_call_ends_with_its_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging:
        async def __anext__(self) -> Any:
            await asyncio.sleep(30)

    async def hangs(*arguments: Any, **options: Any) -> Any:
        await asyncio.sleep(30)

    vault = FileVault(MemoryStore(), KEYS, timeout_seconds=0.05)
    sealed = KEYS.encrypt(key("x"), "document", "data_key", "row-1")
    monkeypatch.setattr(obstore, "put_async", hangs)
    monkeypatch.setattr(obstore, "get_async", hangs)
    monkeypatch.setattr(obstore, "delete_async", hangs)
    monkeypatch.setattr(obstore, "list", lambda store: Hanging())
    for call in (
        vault.put(CONTENT, "row-1"),
        vault.get("aa/b", sealed, b"", "row-1"),
        vault.delete("a"),
        listed(vault),
    ):
        with pytest.raises(StorageUnavailable, match="time limit"):
            await call


async def test_what_cannot_be_read_back_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = FileVault(MemoryStore(), KEYS)
    put = obstore.put_async

    async def damages(store: Any, path: str, content: bytes, **options: Any) -> Any:
        return await put(store, path, content[:-1] + b"\0", **options)

    async def forgets(*arguments: Any, **options: Any) -> Any:
        return None

    for disk in (damages, forgets):
        monkeypatch.setattr(obstore, "put_async", disk)
        with pytest.raises(StorageUnavailable):
            await vault.put(b"x" * 100, "row-1")


async def test_the_directory_cannot_be_written_to(directory: Path) -> None:
    vault = FileVault(open_store(f"file://{directory}"), KEYS)
    os.rmdir(directory)
    os.symlink(os.devnull, directory)
    with pytest.raises(StorageUnavailable):
        await vault.put(CONTENT, "row-1")


def test_addresses(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert isinstance(open_store("s3://bucket/prefix"), S3Store)
    assert isinstance(open_store(f"file://{directory}/a%20b"), LocalStore)
    assert (directory / "a b").is_dir()
    for url in ("", "files", "file:///", "file://host/files", "s3://", "https://example.org", "ftp://example.org/x"):
        with pytest.raises(ValueError, match="address"):
            open_store(url)
