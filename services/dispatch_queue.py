"""« Envois »: the messages that have not arrived, for staff to see what is late, refused or in doubt."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, TypeAdapter

from db import dispatch_queue
from db.pool import Pool, single
from domain.media import Medium
from services.callers import Caller, Scope
from services.problems import FieldError, InvalidFields

MOST_SHOWN = 50
RECENT_DAYS = 60  # what was handed over or refused longer ago waits for nobody any more
_CURSOR = TypeAdapter(tuple[AwareDatetime, UUID])
_EVER = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)


class QueueState(StrEnum):
    """Of a message that has not arrived. `unknown`: somebody has to find out; `rejected`: refused, or returned."""

    unknown = "unknown"
    rejected = "rejected"
    prepared = "prepared"
    handed_over = "handed_over"


# What waits longest comes first, but of what is over: the newest.
_OLDEST_FIRST: Final = (QueueState.unknown, QueueState.prepared)


class QueuedMessage(BaseModel):
    """`since`: when it came into the state that it is in; `calling`: its provider was asked and has not answered."""

    id: UUID
    affiliation_id: UUID
    person: str
    company: str
    status: str
    kind: str
    number: int
    medium: Medium
    state: QueueState
    reason: str | None
    attempts: int
    calling: bool
    prepared_at: datetime
    since: datetime


class Queue(BaseModel):
    """`counts`: by state and medium; of a state at most so many are counted (`more_than`)."""

    items: list[QueuedMessage]
    counts: dict[QueueState, dict[str, int]]
    more_than: int = dispatch_queue.MOST_COUNTED
    next_cursor: str | None

    def many(self, state: str) -> int:
        return sum(self.counts[QueueState(state)].values())


class DispatchQueueService:
    def __init__(self, system_pool: Pool) -> None:
        self._pool = system_pool

    async def list(
        self, caller: Caller, state: QueueState, medium: Medium | None = None, cursor: str | None = None
    ) -> Queue:
        """Raises NotAllowed, InvalidFields: a cursor of somebody else's making."""
        caller.need(Scope.staff)
        now = datetime.now(UTC)
        ascending = state in _OLDEST_FIRST
        first = (_EVER, _FIRST) if ascending else (now + timedelta(days=1), _LAST)
        at, after = first if cursor is None else _place(cursor)
        statement = dispatch_queue.OLDEST if ascending else dispatch_queue.NEWEST
        since = {one: _since(one, now) for one in QueueState}
        async with single(self._pool) as connection:
            rows = await connection.fetch(statement, state.value, medium, since[state], at, after, MOST_SHOWN + 1)
            counted = await connection.fetch(
                dispatch_queue.COUNTS, [one.value for one in since], list(since.values()), dispatch_queue.MOST_COUNTED
            )
        counts: defaultdict[QueueState, dict[str, int]] = defaultdict(dict)
        for row in counted:
            counts[QueueState(row["state"])][row["medium"]] = row["many"]
        last = rows[MOST_SHOWN - 1] if len(rows) > MOST_SHOWN else None
        return Queue(
            items=[
                QueuedMessage(
                    **{name: row[name] for name in QueuedMessage.model_fields if name not in ("person", "since")},
                    person=f"{row['first_names']} {row['last_name']}",
                    since=row["told_at"] or row["handed_over_at"] or row["prepared_at"],
                )
                for row in rows[:MOST_SHOWN]
            ],
            counts={one: counts[one] for one in QueueState},
            next_cursor=None if last is None else _cursor(last["prepared_at"], last["id"]),
        )


def _since(state: QueueState, now: datetime) -> datetime:
    return _EVER if state in _OLDEST_FIRST else now - timedelta(days=RECENT_DAYS)


def _cursor(at: datetime, row_id: UUID) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), str(row_id)]).encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, UUID]:
    """Raises InvalidFields."""
    try:
        return _CURSOR.validate_json(base64.urlsafe_b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}".encode("ascii")))
    except (ValueError, OverflowError):
        message = "Ce repère de page n’est pas valable. Reprenez la liste depuis le début."
        raise InvalidFields([FieldError("cursor", "cursor", message)]) from None
