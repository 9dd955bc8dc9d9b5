"""« Messages »: the e-mails that we wrote to a user of the portal, for themselves."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import asyncpg
from pydantic import AwareDatetime, BaseModel, TypeAdapter

from db import notices
from db.pool import single
from messages.notices import NoticeContent, NoticeKind, notice_subject, notice_words
from services.callers import Caller
from services.problems import NotFound
from services.tools import Tools

_CURSOR = TypeAdapter(tuple[AwareDatetime, UUID])


class NoticeState(StrEnum):
    handed_over = "handed_over"
    rejected = "rejected"
    unknown = "unknown"


_STATES: Final = {
    "handed_over": NoticeState.handed_over,
    "refused": NoticeState.rejected,
    "unknown": NoticeState.unknown,
}


class OwnNotice(BaseModel):
    """One line of « Messages »; `company`: which one it is about, if any."""

    id: UUID
    subject: str
    company: str | None
    state: NoticeState
    at: datetime
    unread: bool


class OwnNotices(BaseModel):
    items: list[OwnNotice]
    next_cursor: str | None


class NoticeText(BaseModel):
    """What it says, never its links: they were for the mailbox. `says` is empty where what it told of is gone."""

    subject: str
    title: str
    says: list[str]
    facts: list[tuple[str, str]]
    state: NoticeState
    at: datetime


class OwnNoticeService:
    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def page(self, caller: Caller, limit: int, cursor: str | None = None) -> OwnNotices:
        """Newest first; what never left is not among them. Raises NotAllowed (an API key), NotFound (a cursor)."""
        person = caller.person()
        async with single(self._tools.system) as connection:
            rows = await connection.fetch(notices.OWN, person.user_id, *_decoded(cursor), limit + 1)
        last = rows[limit - 1] if len(rows) > limit else None
        return OwnNotices(items=[_line(row) for row in rows[:limit]], next_cursor=_encoded(last) if last else None)

    async def one(self, caller: Caller, notice_id: UUID) -> NoticeText:
        """Raises NotAllowed (an API key), NotFound."""
        person = caller.person()
        async with single(self._tools.system) as connection:
            row = await connection.fetchrow(notices.OWN_ONE, person.user_id, notice_id)
        if row is None:
            raise NotFound()
        kind = NoticeKind(row["kind"])
        content = NoticeContent(
            base_url="",
            first_name=row["first_name"],
            company=row["company"],
            companies=row["details"].get("companies") or row["offered"],
            at=row["created_at"],
            until=row["expires_at"],
            effective_at=row["effective_at"],
            details=row["details"],
            staff=bool(row["staff"]),
            names=row["names"] or {},
        )
        state, at = _STATES[row["state"]], row["created_at"]
        try:
            words = notice_words(kind, content)
        except KeyError:  # what it told of has been deleted
            subject = notice_subject(kind, row["details"])
            return NoticeText(subject=subject, title=subject, says=[], facts=[], state=state, at=at)
        return NoticeText(
            subject=words.subject, title=words.title, says=words.says, facts=words.facts, state=state, at=at
        )


def _line(row: asyncpg.Record) -> OwnNotice:
    return OwnNotice(
        id=row["id"],
        subject=notice_subject(NoticeKind(row["kind"]), row["details"]),
        company=row["company"],
        state=_STATES[row["state"]],
        at=row["created_at"],
        unread=row["unread"],
    )


def _encoded(row: asyncpg.Record) -> str:
    return base64.urlsafe_b64encode(json.dumps([row["created_at"].isoformat(), str(row["id"])]).encode()).decode()


def _decoded(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    if not cursor:
        return None, None
    try:
        at, notice_id = _CURSOR.validate_json(base64.urlsafe_b64decode(cursor.encode()))
        return at.astimezone(UTC), notice_id
    except (ValueError, OverflowError):
        raise NotFound() from None
