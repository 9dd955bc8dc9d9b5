"""The night's work, run by a Temporal schedule: what is over is deleted, files and rows are held against each other,
rights that nobody confirmed lapse.

Each part asks what is due and does it, so that repeating a night, or missing one, changes nothing in the end.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.nightly import (
        LAPSE_RIGHTS,
        NIGHTLY_HEARTBEAT,
        NIGHTLY_RETRY,
        NIGHTLY_TIMEOUT,
        PURGE,
        RECONCILE_FILES,
        Lapse,
        Lapsed,
        Night,
        Purge,
        Purged,
        Reconciled,
    )


@workflow.defn(name="Nightly")
class NightlyWorkflow:
    @workflow.run
    async def run(self) -> Night:
        """Raises what a part failed with, once all have been tried."""
        purged, why = await self._part(PURGE, Purged, "retention: delete what is over", Purge(workflow.now()))
        self._show(purged, None)
        reconciled, other = await self._part(RECONCILE_FILES, Reconciled, "files without a row, rows without a file")
        self._show(purged, reconciled)
        lapsed, third = None, None
        if workflow.patched("lapses-rights"):
            lapsed, third = await self._part(LAPSE_RIGHTS, Lapsed, "reviews of rights, mandates", Lapse(workflow.now()))
            self._show(purged, reconciled, lapsed)
        if failure := why or other or third:
            raise failure
        return Night(purged, reconciled, lapsed)

    async def _part(self, name: str, result: Any, summary: str, *order: Any) -> tuple[Any, ActivityError | None]:
        try:
            done = await workflow.execute_activity(
                name,
                args=order,
                result_type=result,
                start_to_close_timeout=NIGHTLY_TIMEOUT,
                heartbeat_timeout=NIGHTLY_HEARTBEAT,
                retry_policy=NIGHTLY_RETRY,
                summary=summary,
            )
        except ActivityError as failed:
            return None, failed
        return done, None

    def _show(self, purged: Purged | None, reconciled: Reconciled | None, lapsed: Lapsed | None = None) -> None:
        lines = ["**purge**", *(f"- {rule}: {count}" for rule, count in _counts(purged).items())]
        if reconciled is not None:
            lines += [
                "",
                "**files**",
                f"- {reconciled.objects} objects, {reconciled.object_bytes} bytes, {reconciled.rows} rows",
                f"- {reconciled.orphans_deleted} orphans deleted, {reconciled.missing} files missing",
            ]
        if lapsed is not None:
            lines += [
                "",
                "**rights**",
                f"- {lapsed.asked} to be confirmed, {lapsed.suspended} suspended, {lapsed.kept} kept",
                f"- {lapsed.mandates_ended} mandates ended, {lapsed.mandates_ending} near their end",
            ]
        workflow.set_current_details("\n".join(lines))


def _counts(purged: Purged | None) -> dict[str, int | str]:
    if purged is None:
        return {"failed": "see the activity"}
    counts: dict[str, int | str] = {rule: count for rule, count in sorted(purged.by_rule.items()) if count}
    return {**counts, "could not be erased": purged.failed}
