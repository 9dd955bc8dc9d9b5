"""A table read in a process of its own is the table, and whatever becomes of that process is said in words."""

from __future__ import annotations

import asyncio

import pytest

from services import import_child
from services.import_child import SMALL_BYTES, read_file
from services.import_reading import read_table
from services.problems import InvalidFields
from tests.services.test_import_reading import OTHER_SOFTWARE, bomb, xlsx

LONG = b"Nom;Ville;SIRET\n" + "Martin;Besançon;99900000300015\n".encode() * (SMALL_BYTES // 30)


def instead_of_the_child(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    start = asyncio.create_subprocess_exec

    async def starts(executable: str, *arguments: str, **options: object) -> asyncio.subprocess.Process:
        return await start(executable, "-c", program, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", starts)


async def refusal(content: bytes) -> str:
    with pytest.raises(InvalidFields) as refused:
        await read_file(content, "liste.xlsx")
    [error] = refused.value.errors
    assert error.field == "file"
    return error.code


async def test_a_workbook_and_a_long_csv_are_read_as_they_are_here() -> None:
    assert len(LONG) > SMALL_BYTES
    for content, name in ((xlsx(*OTHER_SOFTWARE), "personnel.xlsx"), (LONG, "personnel.csv")):
        assert await read_file(content, name) == read_table(content, name)


async def test_what_is_refused_there_is_refused_here() -> None:
    assert await refusal(bomb()) == "import.unpacked"
    assert await refusal(b"PK\x03\x04broken") == "import.unreadable"


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import os; os.abort()", "import.unreadable"),
        ("print('{\"rows\": 1}')", "import.unreadable"),
        ("import time; time.sleep(30)", "import.unpacked"),
        ("import os\nwhile True: os.write(1, b' ' * 1_000_000)", "import.unpacked"),
    ],
    ids=["dies", "nonsense", "slow", "endless"],
)
async def test_whatever_becomes_of_the_child_is_said(monkeypatch: pytest.MonkeyPatch, program: str, code: str) -> None:
    monkeypatch.setattr(import_child, "_WALL_SECONDS", 2.0)
    monkeypatch.setattr(import_child, "_MOST_ANSWER", 10_000_000)
    instead_of_the_child(monkeypatch, program)
    assert await refusal(xlsx(*OTHER_SOFTWARE)) == code
