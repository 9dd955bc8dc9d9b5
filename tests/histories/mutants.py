"""The affiliation's workflow with one mistake each, to prove that a replay of the corpus notices."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.affiliation import Ended, Event, Progress, StartAffiliation
    from domain.affiliation import Refusal
    from workflows.affiliation import AffiliationWorkflow


@workflow.defn(name="Affiliation", failure_exception_types=[Refusal])
class ShowsBeforeItRecords(AffiliationWorkflow):
    """Two commands exchanged: the search attributes before the record."""

    @workflow.init
    def __init__(self, start: StartAffiliation) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: StartAffiliation) -> Ended:
        return await super().run(start)

    async def _close(self, state: Any, kind: Any, actor: Any, details: dict[str, str]) -> Progress:
        self.state = state
        self._show()
        await self._record(state, Event(kind, workflow.now(), actor, details))
        return self.progress()


@workflow.defn(name="Affiliation", failure_exception_types=[Refusal])
class WaitsInEveryLife(AffiliationWorkflow):
    """The lives of a former version, which ended without their pieces, are taken for today's."""

    @workflow.init
    def __init__(self, start: StartAffiliation) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: StartAffiliation) -> Ended:
        return await super().run(start)

    def _follows_pieces(self) -> bool:
        return True


@workflow.defn(name="Affiliation", failure_exception_types=[Refusal])
class WaitsFirst(AffiliationWorkflow):
    """One command more: a timer before the invitation."""

    @workflow.init
    def __init__(self, start: StartAffiliation) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: StartAffiliation) -> Ended:
        await workflow.sleep(1)
        return await super().run(start)
