"""« Mes documents pratiques »: what employers download, made by the portal or given by staff, with every version.

What staff give is opened and rewritten like any received file, then everybody's: it is of no company.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Final
from uuid import UUID

import asyncpg
from pydantic import AfterValidator, BaseModel, Field

from db import audit, library
from db.pool import Connection, Pool, system
from domain.identifiers import InvalidValue
from domain.names import search_form
from domain.working_time import paris_date
from messages.library import MADE, guide_words
from messages.typography import french
from services.callers import Caller, Scope
from services.documents import Intake
from services.fields import Form
from services.problems import DocumentRefused, NotFound, NotYetScanned, RefusedByRules

SLUG: Final = "^[a-z0-9-]{1,80}$"
_MOST_WORDS: Final = 20_000  # of a document, that it is found by
_HIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class LibraryCategory(StrEnum):
    """`employees`: « Documents utiles salariés »; `guides`: « Guides pratiques »."""

    employees = "employees"
    guides = "guides"


class LibraryDocument(BaseModel):
    """`version`: counts from 1. `size`: of the PDF, in bytes. `downloads`: of every version."""

    slug: str
    category: LibraryCategory
    title: str
    summary: str
    version: int
    published_on: date
    size: int
    downloads: int


class LibraryDocuments(BaseModel):
    items: list[LibraryDocument]


@dataclass(frozen=True)
class LibraryFile:
    name: str
    content: bytes


@dataclass(frozen=True)
class KeptDocument:
    """As staff see it. `makeable`: the portal can make it; `made`: it makes the version that is shown."""

    document: LibraryDocument
    makeable: bool
    made: bool
    retired_at: datetime | None


@dataclass(frozen=True)
class KeptVersion:
    """`added_by`: None with the portal's own, or somebody who is no more."""

    number: int
    made: bool
    size: int
    downloads: int
    added_at: datetime
    added_by: str | None


def _words(text: str) -> str:
    if _HIDDEN.search(text):
        raise InvalidValue("text.characters", "Ce texte contient un caractère invisible.", "Guide des garanties")
    return text


_Title = Annotated[str, Field(min_length=3, max_length=100, examples=["Guide des garanties"]), AfterValidator(_words)]
_Summary = Annotated[
    str, Field(min_length=3, max_length=300, examples=["Ce que chaque formule rembourse."]), AfterValidator(_words)
]


class NewDocument(Form):
    """What staff say of a document; its PDF comes beside it."""

    category: LibraryCategory
    title: _Title
    summary: _Summary


class LibraryService:
    def __init__(self, system_pool: Pool, intake: Intake) -> None:
        self._system = system_pool
        self._intake = intake

    # --- for employers

    async def found(self, caller: Caller, search: str = "") -> LibraryDocuments:
        """Those to download, in their order; `search`: words that all stand in one, accents or not."""
        async with system(self._system) as connection:
            rows = await connection.fetch(library.LIST, False)
        wanted = search_form(search[:100]).split()
        found = [row for row in rows if all(word in _searched(row) for word in wanted)]
        return LibraryDocuments(items=[await _document(row) for row in found])

    async def file(self, caller: Caller, slug: str) -> LibraryFile:
        """The latest version, counted. Raises NotFound."""
        async with system(self._system) as connection:
            row = await connection.fetchrow(library.CONTENT, slug, None)
            if row is None:
                raise NotFound()
            if not caller.look_as:
                await connection.execute(library.DOWNLOADED, slug, row["number"])
        return await _file(slug, row)

    # --- for staff

    async def kept(self, caller: Caller) -> list[KeptDocument]:
        """All of them, retired or not. Raises NotAllowed."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            rows = await connection.fetch(library.LIST, True)
        return [await _kept(row) for row in rows]

    async def one(self, caller: Caller, slug: str) -> tuple[KeptDocument, list[KeptVersion]]:
        """With its versions, the newest first. Raises NotAllowed, NotFound."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            row = await connection.fetchrow(library.ONE, slug)
            if row is None:
                raise NotFound()
            versions = await connection.fetch(library.VERSIONS, slug)
        return await _kept(row), [KeptVersion(**{**one, "size": await _size(slug, one)}) for one in versions]

    async def version(self, caller: Caller, slug: str, number: int) -> LibraryFile:
        """Of whatever date; counted as nobody's download. Raises NotAllowed, NotFound."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            row = await connection.fetchrow(library.CONTENT, slug, number)
        if row is None:
            raise NotFound()
        return await _file(slug, row)

    async def add(self, caller: Caller, about: NewDocument, content: bytes, name: str) -> str:
        """Its slug. Raises NotAllowed, DocumentRefused, NotYetScanned, StorageAway, RefusedByRules."""
        caller.need(Scope.staff_write)
        user_id = caller.person().user_id
        pdf, text = await self._harmless(content, name)
        slug = re.sub(r"[^a-z0-9]+", "-", search_form(about.title)).strip("-")[:80].strip("-")
        async with system(self._system) as connection:
            added = slug and await connection.fetchval(
                library.ADD, slug, about.category.value, about.title, about.summary
            )
            if not added:
                words = french("Un document porte déjà ce titre. Ouvrez-le pour en ajouter une version.")
                raise RefusedByRules("document_exists", words)
            await self._add_version(connection, caller, slug, pdf, text, user_id)
        return slug

    async def replace(self, caller: Caller, slug: str, content: bytes, name: str) -> int:
        """Its next version, by number. Raises NotAllowed, NotFound, DocumentRefused, NotYetScanned, StorageAway."""
        caller.need(Scope.staff_write)
        user_id = caller.person().user_id
        pdf, text = await self._harmless(content, name)
        async with system(self._system) as connection:
            if await connection.fetchrow(library.LOCK, slug) is None:
                raise NotFound()
            return await self._add_version(connection, caller, slug, pdf, text, user_id)

    async def make_again(self, caller: Caller, slug: str) -> int:
        """The portal's own version follows that of staff. Raises NotAllowed, NotFound."""
        caller.need(Scope.staff_write)
        user_id = caller.person().user_id
        async with system(self._system) as connection:
            row = await connection.fetchrow(library.LOCK, slug)
            if row is None or not row["made"]:
                raise NotFound()
            return await self._add_version(connection, caller, slug, None, "", user_id)

    async def retire(self, caller: Caller, slug: str, retired: bool) -> None:
        """Nobody finds it any more, or everybody does again. Raises NotAllowed, NotFound."""
        caller.need(Scope.staff_write)
        event = "library.retired" if retired else "library.published"
        async with system(self._system) as connection:
            if await connection.fetchval(library.RETIRE, slug, retired) is None:
                raise NotFound()
            await audit.add(connection, event, caller.actor, object_type="library_document", object_id=slug)

    async def _add_version(
        self, connection: Connection, caller: Caller, slug: str, pdf: bytes | None, text: str, user_id: UUID
    ) -> int:
        size = len(pdf) if pdf else 0
        words = search_form(text)[:_MOST_WORDS]
        number: int = await connection.fetchval(library.ADD_VERSION, slug, pdf, size, words, user_id)
        details = {"version": number}
        await audit.add(
            connection,
            "library.replaced",
            caller.actor,
            object_type="library_document",
            object_id=slug,
            details=details,
        )
        return number

    async def _harmless(self, content: bytes, name: str) -> tuple[bytes, str]:
        """The PDF rewritten, and its text. An unscanned file is not kept to wait: staff send it again."""
        inspected, scan = await self._intake.harmless(content, name)
        if inspected.media_type != "application/pdf":
            raise DocumentRefused("type_not_allowed")
        if scan == "pending":
            raise NotYetScanned()
        return inspected.content, inspected.text


@cache
def _render(slug: str) -> bytes:
    return MADE[slug]()


async def _made(slug: str) -> bytes:
    return await asyncio.to_thread(_render, slug)


def _searched(row: asyncpg.Record) -> str:
    own = guide_words(row["slug"]) if row["made"] else row["words"]
    return search_form(f"{row['title']} {row['summary']} {own}")


async def _size(slug: str, row: asyncpg.Record) -> int:
    return len(await _made(slug)) if row["made"] else int(row["size"])


async def _document(row: asyncpg.Record) -> LibraryDocument:
    return LibraryDocument(
        slug=row["slug"],
        category=LibraryCategory(row["category"]),
        title=row["title"],
        summary=french(row["summary"]),
        version=row["number"],
        published_on=paris_date(row["added_at"]),
        size=await _size(row["slug"], row),
        downloads=row["downloads"],
    )


async def _kept(row: asyncpg.Record) -> KeptDocument:
    return KeptDocument(await _document(row), row["makeable"], row["made"], row["retired_at"])


async def _file(slug: str, row: asyncpg.Record) -> LibraryFile:
    content = await _made(slug) if row["content"] is None else row["content"]
    name = f"formulaire-{slug}" if slug in _FORMS else slug
    return LibraryFile(f"{name}.pdf", content)


_FORMS: Final = frozenset(["affiliation", "pre-affiliation"])
