"""What workflow code runs in: the whole sandbox for tests and replays, one shared copy of it in a worker.

Thousands of affiliations wait in a worker's cache; `make bench` says what each takes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from google.protobuf.message import Message
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

_WATCHFUL = SandboxRestrictions.default.with_import_notification_policy(
    SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
)
_Proto = TypeVar("_Proto", bound=Message)


def watchful_runner() -> SandboxedWorkflowRunner:
    """The whole sandbox: refuses what a workflow module drags in without meaning to, and every look at the world."""
    return SandboxedWorkflowRunner(restrictions=_WATCHFUL)


class SharingRunner(UnsandboxedWorkflowRunner):
    """Refuses unintended imports when the worker is built, then runs the one copy of our workflow code.

    A copy for each affiliation in the cache takes twice the memory; what the sandbox would refuse at run time, the
    tests and the replays of recorded histories refuse before.
    """

    def prepare_workflow(self, defn: Any) -> None:
        watchful_runner().prepare_workflow(defn)
        super().prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        # A part of a protocol message keeps all of it in memory: here the one that started the workflow.
        own = replace(
            det, last_completion_result=_copy(det.last_completion_result), last_failure=_copy(det.last_failure)
        )
        return super().create_instance(own)


class LettingGo(Interceptor):
    """Has each workflow let go of the message that started it, of which its headers (none here) are a part."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _LettingGo


class _LettingGo(WorkflowInboundInterceptor):
    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        input.headers = {name: _copy(payload) for name, payload in input.headers.items()}
        return await super().execute_workflow(input)


def _copy(part: _Proto | None) -> Any:
    if part is None:
        return None
    own = type(part)()
    own.CopyFrom(part)
    return own
