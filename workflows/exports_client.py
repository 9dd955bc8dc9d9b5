"""Starts the workflows that write exports."""

from __future__ import annotations

from uuid import UUID

from activities.contracts.exports import StartExport, export_workflow_id
from workflows.engine import Engine
from workflows.export import ExportWorkflow


class Exports(Engine):
    """One workflow for each export, `export/<id>`."""

    async def start(self, job_id: UUID) -> None:
        """Started before, running or ended: nothing happens. Raises EngineAway."""
        await self._start_once(
            ExportWorkflow.run,
            StartExport(str(job_id)),
            export_workflow_id(str(job_id)),
            "An export, written and deleted after a day",
        )
