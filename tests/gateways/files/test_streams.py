"""Large files sealed while they arrive: what comes back, what is refused, and what lies in the store."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import obstore
import pytest

from gateways.files.storage import FileDamaged, FileMissing, Stored, open_store
from gateways.files.streams import FRAME_BYTES, StreamVault, TooLong
from tests.gateways.files.test_storage import KEYS

MOST = 64 * 1024 * 1024
LINE = b"S21.G00.30.002,'D'ALMEIDA'\r\n"


async def pieces(content: bytes, size: int = 100_003) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def vault(directory: Path) -> StreamVault:
    return StreamVault(open_store(f"file://{directory}"), KEYS, "dsn_import")


def opened(vault: StreamVault, stored: Stored, file_id: str = "row-1") -> io.BufferedReader:
    source = vault.open(stored.object_key, stored.data_key_sealed, stored.size, file_id)
    assert isinstance(source, io.BufferedReader)
    return source


def files_of(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES + 12_345])
async def test_what_came_in_pieces_is_read_again_from_anywhere(vault: StreamVault, size: int) -> None:
    content = (LINE * (size // len(LINE) + 1))[:size]
    stored = await vault.put(pieces(content), "row-1", MOST)
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(content).digest())
    source = opened(vault, stored)
    assert source.read() == content
    for place in (0, size // 2, max(0, size - 3)):
        source.seek(place)
        assert source.read(10) == content[place : place + 10]


async def test_nothing_of_it_lies_in_clear(vault: StreamVault, directory: Path) -> None:
    await vault.put(pieces(LINE * 1000), "row-1", MOST)
    [file] = files_of(directory)
    assert b"ALMEIDA" not in file.read_bytes()


async def test_more_than_is_taken_leaves_nothing(vault: StreamVault, directory: Path) -> None:
    with pytest.raises(TooLong):
        await vault.put(pieces(bytes(2 * FRAME_BYTES)), "row-1", FRAME_BYTES)
    assert files_of(directory) == []


async def test_a_sender_who_stops_leaves_nothing_and_is_told_apart_from_the_store(
    vault: StreamVault, directory: Path
) -> None:
    async def stops() -> AsyncIterator[bytes]:
        yield bytes(FRAME_BYTES + 1)
        raise OSError("the line was cut")

    with pytest.raises(OSError, match="cut"):
        await vault.put(stops(), "row-1", MOST)
    assert files_of(directory) == []


async def test_a_file_opens_for_its_own_row_only(vault: StreamVault) -> None:
    stored = await vault.put(pieces(LINE), "row-1", MOST)
    with pytest.raises(FileDamaged):
        opened(vault, stored, "row-2")


@pytest.mark.parametrize("harm", ["changed", "cut", "swapped"])
async def test_a_frame_that_was_changed_cut_off_or_moved_is_never_given_out(
    vault: StreamVault, directory: Path, harm: str
) -> None:
    stored = await vault.put(pieces(LINE * 200_000), "row-1", MOST)
    [file] = files_of(directory)
    sealed = file.read_bytes()
    frame = FRAME_BYTES + 16
    harmed = {
        "changed": sealed[:100] + bytes([sealed[100] ^ 1]) + sealed[101:],
        "cut": sealed[: 8 + frame],
        "swapped": sealed[:8] + sealed[8 + frame :] + sealed[8 : 8 + frame],
    }[harm]
    file.write_bytes(harmed)
    size = FRAME_BYTES if harm == "cut" else stored.size
    source = vault.open(stored.object_key, stored.data_key_sealed, size, "row-1")
    with pytest.raises(FileDamaged):
        source.read()


async def test_a_file_that_is_gone_is_said_to_be(vault: StreamVault) -> None:
    stored = await vault.put(pieces(LINE), "row-1", MOST)
    await vault.delete(stored.object_key)
    await vault.delete(stored.object_key)
    with pytest.raises(FileMissing):
        opened(vault, stored).read()


async def test_what_the_store_changed_is_noticed_at_once(vault: StreamVault, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = obstore.put_async

    async def dishonest(store: Any, path: str, content: Any) -> Any:
        async def changed() -> AsyncIterator[bytes]:
            async for part in content:
                yield part[:-1] + bytes([part[-1] ^ 1])

        return await honest(store, path, changed())

    monkeypatch.setattr("gateways.files.streams.obstore.put_async", dishonest)
    with pytest.raises(Exception, match="something else"):
        await vault.put(pieces(LINE), "row-1", MOST)
