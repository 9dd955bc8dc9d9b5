"""Starts the workflows of bulk imports, and tells them that they are cancelled."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from temporalio.client import WorkflowHandle

from activities.contracts.affiliation_imports import ImportProgress, ImportTask, StartImport, import_workflow_id
from workflows.affiliation_import import AffiliationImportWorkflow
from workflows.engine import Engine


class AffiliationImportRuns(Engine):
    """One workflow for each round of an import: `import/<id>`, `import-check/<id>`."""

    async def start(self, import_id: UUID, task: ImportTask, round: int) -> None:
        """Started before, running or ended: nothing happens. Raises EngineAway."""
        await self._start_once(
            AffiliationImportWorkflow.run,
            StartImport(str(import_id), task, round),
            import_workflow_id(str(import_id), task, round),
            "A bulk import: its rows looked at" if task is ImportTask.check else "A bulk import, batch by batch",
        )

    async def cancel(self, import_id: UUID, round: int) -> None:
        """It need not wait any more. Raises NotRunning, EngineAway."""
        handle = self._handle(import_id, round)
        async with self._in_time():
            await handle.signal(AffiliationImportWorkflow.cancel, rpc_timeout=self._timeout)

    async def progress(self, import_id: UUID, round: int) -> ImportProgress:
        """Raises NotRunning (not started, or its history is gone), EngineAway."""
        progress: ImportProgress = await self._ask(self._handle(import_id, round), AffiliationImportWorkflow.progress)
        return progress

    def _handle(self, import_id: UUID, round: int) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle_for(
            AffiliationImportWorkflow.run, import_workflow_id(str(import_id), ImportTask.start, round)
        )
