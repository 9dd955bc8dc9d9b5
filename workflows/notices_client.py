"""Starts the workflows that send notices."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from activities.contracts.notices import StartNotice, notice_workflow_id
from workflows.engine import Engine
from workflows.notice import NoticeWorkflow


class Notices(Engine):
    """One workflow for each notice, `notice-<id>`."""

    async def start(self, notice_id: UUID, not_before: datetime | None) -> None:
        """Started before, running or ended: nothing happens. Raises EngineAway."""
        await self._start_once(
            NoticeWorkflow.run,
            StartNotice(str(notice_id), not_before),
            notice_workflow_id(str(notice_id)),
            "A notice to a user or a company",
        )
