"""The clock of one affiliation's workflow on the Temporal server, for development and demonstrations.

The server skips the time of a single workflow (time skipping, `frontend.WorkflowTimeSkippingEnabled`): its timers fire
on the way in their order, each with the effects it has in real life.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import FastForwardConfig, TimeSkippingConfig, WorkflowExecution
from temporalio.api.enums.v1 import FastForwardPollingResult as Polled
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    PollWorkflowExecutionTimeSkippingRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

# Activities under way hold a skip back: beyond the asked-for moment by so much, what was due exactly then has happened.
MARGIN = timedelta(minutes=1)
PATIENCE = timedelta(seconds=20)
_CALL = timedelta(seconds=5)
_MOST_SKIPS = 1000


class ClockRefused(Exception):
    """The server does not skip time, or does not answer. `args[0]`: the server's own words."""


class ClockSlow(Exception):
    """The clock was told to move and has not arrived in time: a step under way holds it back."""


async def advance(client: Client, workflow_id: str, by: timedelta) -> bool:
    """Move the workflow's clock by `by` (and a minute, so that what is due then has happened).

    True: the moment was reached. False: the workflow ended on the way, or had ended, or never was.
    Waits 20 seconds at most. Raises ClockRefused, ClockSlow.
    """
    skip = FastForwardConfig(id=str(uuid.uuid4()))
    skip.duration.FromTimedelta(max(by, timedelta(0)) + MARGIN)
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await _start_skip(client, workflow_id, skip)
            return await _arrival(client, workflow_id, skip.id)
    except TimeoutError:
        raise ClockSlow(workflow_id) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise ClockRefused(error.message) from None


async def current_time(client: Client, workflow_id: str) -> datetime:
    """What time it is for the workflow (UTC): the world's, until its clock was moved. Raises ClockRefused."""
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
    )
    try:
        async with asyncio.timeout(_CALL.total_seconds()):
            described = await client.workflow_service.describe_workflow_execution(request, timeout=_CALL)
    except TimeoutError:
        raise ClockRefused("no answer in time") from None
    except RPCError as error:
        raise ClockRefused(error.message) from None
    if not described.workflow_extended_info.HasField("time_skipping_info"):
        return datetime.now(UTC)
    return described.workflow_extended_info.time_skipping_info.current_time.ToDatetime(tzinfo=UTC)


async def _start_skip(client: Client, workflow_id: str, skip: FastForwardConfig) -> None:
    config = TimeSkippingConfig(enabled=True, fast_forward_config=skip, max_session_skip_count=_MOST_SKIPS)
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        workflow_execution_options=WorkflowExecutionOptions(time_skipping_config=config),
        update_mask=FieldMask(paths=["time_skipping_config"]),
        identity=client.identity,
    )
    await client.workflow_service.update_workflow_execution_options(request, timeout=_CALL)


async def _arrival(client: Client, workflow_id: str, skip_id: str) -> bool:
    request = PollWorkflowExecutionTimeSkippingRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        fast_forward_id=skip_id,
    )
    while True:  # the server's long poll ends before a slow step does: ask again
        polled = await client.workflow_service.poll_workflow_execution_time_skipping(request)
        if polled.fast_forward_polling_result == Polled.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED:
            return True
        if polled.fast_forward_polling_result == Polled.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED:
            return False
