"""The questions that have an answer: loaded with a release, kept by staff, who see a page of it before they publish."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from db import assistant, audit
from db.pool import Pool, system
from domain.contact import REASONS
from domain.identifiers import InvalidValue
from domain.names import search_form
from domain.policy import DEFAULT_POLICY, Reminder
from gateways.encryption import FieldCipher
from messages import house
from messages.typography import french
from services.callers import Caller, Scope
from services.fields import Form
from services.problems import NotFound, RefusedByRules

MOST_VARIANTS: Final = 20
MOST_UNANSWERED: Final = 50
_FILE: Final = Path(__file__).parents[1] / "domain" / "data" / "faq.toml"
_OWN_PAGE: Final = re.compile(r"/[a-z][a-z0-9/_.\-]*")
_HIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class FaqState(StrEnum):
    """`published`: the assistant answers from it."""

    draft = "draft"
    published = "published"


def _text(text: str) -> str:
    if _HIDDEN.search(text):
        raise InvalidValue(
            "text.characters", "Ce texte contient un caractère invisible.", "Où trouver mon identifiant ?"
        )
    return text


def _page(text: str) -> str:
    if text and not _OWN_PAGE.fullmatch(text):
        raise InvalidValue(
            "faq.page", "Indiquez une page de l’espace, qui commence par une barre oblique.", "/contrats"
        )
    return text


def _reason(code: str) -> str:
    if code and code not in REASONS:
        raise InvalidValue("faq.reason", "Choisissez un motif de la liste.", "Affiliation d’un salarié")
    return code


_Line = Annotated[str, AfterValidator(_text)]
_Way = Annotated[_Line, Field(min_length=2, max_length=200)]


class FaqText(Form):
    """An entry as staff write it. `variants`: other ways to ask; `answer`: paragraphs, an empty line between them;
    `page`: of ours, with the words of its link; `reason`: of « Nous contacter »."""

    question: Annotated[_Line, Field(min_length=5, max_length=200, examples=["Où trouver mon identifiant ?"])]
    variants: Annotated[list[_Way], Field(max_length=MOST_VARIANTS)] = Field(default_factory=list)
    answer: Annotated[_Line, Field(min_length=10, max_length=2000, examples=["Sur les courriers de votre assureur."])]
    page: Annotated[str, Field(max_length=200, examples=["/contrats"]), AfterValidator(_page)] = ""
    page_label: Annotated[_Line, Field(max_length=80, examples=["Mes contrats"])] = ""
    reason: Annotated[str, Field(max_length=40), AfterValidator(_reason)] = ""
    state: FaqState = FaqState.draft


class FaqEntry(FaqText):
    id: UUID
    slug: str
    version: int


class ListedEntry(BaseModel):
    """`asked`, `unhelpful`: how often it answered, and did not help, these thirty days."""

    id: UUID
    question: str
    state: FaqState
    updated_at: datetime
    updated_by: str | None
    edited: bool
    asked: int
    unhelpful: int


@dataclass(frozen=True)
class Unanswered:
    """`answered_with`: the entry that did not help; None: there was none."""

    text: str
    at: datetime
    answered_with: str | None


class FaqService:
    """« Questions fréquentes » of the desk."""

    def __init__(self, system_pool: Pool, cipher: FieldCipher) -> None:
        self._system = system_pool
        self._cipher = cipher

    async def entries(self, caller: Caller) -> list[ListedEntry]:
        """By question, the published ones first. Raises NotAllowed."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            rows = await connection.fetch(assistant.LIST, assistant.KEPT_DAYS)
        return [ListedEntry(**{name: row[name] for name in ListedEntry.model_fields}) for row in rows]

    async def unanswered(self, caller: Caller) -> list[Unanswered]:
        """What nobody had an answer for, or did not help, these thirty days; the newest first. Raises NotAllowed."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            rows = await connection.fetch(assistant.UNANSWERED, MOST_UNANSWERED)
        return [
            Unanswered(
                self._cipher.decrypt(row["text_sealed"], "assistant_question", "text", str(row["id"])),
                row["asked_at"],
                row["question"],
            )
            for row in rows
        ]

    async def one(self, caller: Caller, entry_id: UUID) -> FaqEntry:
        """Raises NotAllowed, NotFound."""
        caller.need(Scope.staff)
        async with system(self._system) as connection:
            row = await connection.fetchrow(assistant.ONE, entry_id)
        if row is None:
            raise NotFound()
        return FaqEntry.model_construct(**dict(row))

    async def add(self, caller: Caller, text: FaqText) -> UUID:
        """Raises NotAllowed."""
        caller.need(Scope.staff_write)
        person = caller.person()
        async with system(self._system) as connection:
            entry_id: UUID = await connection.fetchval(assistant.NEW_ID)
            slug = _slug(text.question)
            if await connection.fetchval(assistant.SLUG_TAKEN, slug):
                slug = f"{slug}-{entry_id.hex[-8:]}"
            await connection.execute(assistant.ADD, entry_id, slug, *_values(text), text.state.value, person.user_id)
            await audit.add(connection, "faq.added", caller.actor, object_type="faq_entry", object_id=entry_id)
        return entry_id

    async def change(self, caller: Caller, entry_id: UUID, version: int, text: FaqText) -> None:
        """`version`: the one that was looked at. Raises NotAllowed, NotFound, RefusedByRules (somebody else has changed
        it since)."""
        caller.need(Scope.staff_write)
        person = caller.person()
        async with system(self._system) as connection:
            changed = await connection.fetchval(
                assistant.CHANGE, entry_id, *_values(text), text.state.value, person.user_id, version
            )
            if changed is None:
                if await connection.fetchrow(assistant.ONE, entry_id) is None:
                    raise NotFound()
                words = "Quelqu’un d’autre a modifié cette question entre-temps. Rouvrez-la pour voir son texte."
                raise RefusedByRules("stale_entry", words)
            details = {"state": text.state.value}
            await audit.add(
                connection, "faq.changed", caller.actor, object_type="faq_entry", object_id=entry_id, details=details
            )


async def load(pool: Pool) -> int:
    """Bring the entries of this release into the database, those apart that staff have edited; returns how many have
    changed. Whoever runs at the same time writes the same."""
    async with system(pool) as connection:
        changed = 0
        for slug, text in shipped().items():
            changed += await connection.fetchval(assistant.LOAD, slug, *_values(text)) or 0
    return changed


@cache
def shipped() -> Mapping[str, FaqText]:
    """The entries that come with this release, by slug, their figures filled in."""
    entries = tomllib.loads(_FILE.read_text(encoding="utf-8"))["entry"]
    return {one.pop("slug"): FaqText(**_written(one)) for one in entries}


def _written(entry: dict[str, Any]) -> dict[str, Any]:
    paragraphs = entry["answer"].strip().split("\n\n")
    answer = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).format_map(_figures())
    words = {name: french(entry.get(name, "")) for name in ("question", "page_label")}
    return {**entry, **words, "answer": french(answer)}


@cache
def _figures() -> Mapping[str, str]:
    rules = DEFAULT_POLICY

    def days(reminders: tuple[Reminder, ...]) -> str:
        return " et ".join(str(one.after_days) for one in reminders)

    return {
        "opens": str(rules.opens.hour),
        "closes": str(rules.closes.hour),
        "email_days": days(rules.sent_by_email),
        "letter_days": days(rules.sent_by_post),
        "draft_days": days(rules.started),
        "piece_days": days(rules.pieces),
        "pieces_deadline": str(rules.pieces_days),
        "fallback": str(rules.postal_fallback_days),
        "reminder_hours": str(rules.employer_reminder_hours),
        "abandon_email": str(rules.abandonment_days_email),
        "abandon_post": str(rules.abandonment_days_post),
        "helpline": house.HELPLINE,
        "hours": house.HELPLINE_HOURS,
    }


def _values(text: FaqText) -> tuple[object, ...]:
    return text.question, text.variants, text.answer, text.page, text.page_label, text.reason


def _slug(question: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", search_form(question))[:60].strip("-") or "question"
