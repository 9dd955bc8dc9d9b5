"""Starts the workflows that read DSN files, and asks them how far they are."""

from __future__ import annotations

from uuid import UUID

from activities.contracts.dsn import DsnProgress, StartDsnImport, dsn_workflow_id
from workflows.dsn_import import DsnImportWorkflow
from workflows.engine import Engine


class DsnImports(Engine):
    """One workflow for each file, `dsn/<id>`."""

    async def start(self, import_id: UUID) -> None:
        """Started before, running or ended: nothing happens. Raises EngineAway."""
        await self._start_once(
            DsnImportWorkflow.run,
            StartDsnImport(str(import_id)),
            dsn_workflow_id(str(import_id)),
            "A DSN file, declaration by declaration",
        )

    async def progress(self, import_id: UUID) -> DsnProgress:
        """Raises NotRunning (not started, or its history is gone), EngineAway."""
        handle = self._client.get_workflow_handle_for(DsnImportWorkflow.run, dsn_workflow_id(str(import_id)))
        progress: DsnProgress = await self._ask(handle, DsnImportWorkflow.progress)
        return progress
