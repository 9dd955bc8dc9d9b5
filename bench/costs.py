"""What a recorded history costs: its events, its bytes and its billable actions (shared/temporal.md, §3.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

_PREFIX = "EVENT_TYPE_"
_LOCAL_ACTIVITY = "core_local_activity"

# Moving a test's clock leaves these; a production history has none.
_CLOCK = ("WORKFLOW_EXECUTION_OPTIONS_UPDATED", "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED")

_ACTIONS = {
    "WORKFLOW_EXECUTION_STARTED": "start",
    "TIMER_STARTED": "timer",
    "WORKFLOW_EXECUTION_UPDATE_ACCEPTED": "update",
    "WORKFLOW_EXECUTION_SIGNALED": "signal",
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "search attributes",
}


@dataclass(frozen=True)
class Cost:
    """`actions` by kind. `bytes` as the server stores the events."""

    events: int
    bytes: int
    actions: Mapping[str, int]

    @property
    def billable(self) -> int:
        return sum(self.actions.values())

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.actions.items())
        return f"{self.events} events, {self.bytes} bytes, {self.billable} actions ({kinds})"


def cost(history: WorkflowHistory) -> Cost:
    """The cost of a whole history, without what moving its clock added."""
    events = [event for event in history.events if name(event) not in _CLOCK]
    return Cost(len(events), sum(event.ByteSize() for event in events), _actions(events))


def name(event: HistoryEvent) -> str:
    """The event's type, without its prefix."""
    return EventType.Name(event.event_type).removeprefix(_PREFIX)


def listing(history: WorkflowHistory) -> str:
    """One line an event, to see where they go."""
    return "\n".join(f"{event.event_id:>4} {name(event)} {event.ByteSize()} bytes" for event in history.events)


def _actions(events: list[HistoryEvent]) -> dict[str, int]:
    actions = Counter(_ACTIONS[name(event)] for event in events if name(event) in _ACTIONS)
    attempts = {
        e.activity_task_started_event_attributes.scheduled_event_id: e.activity_task_started_event_attributes.attempt
        for e in events
        if e.HasField("activity_task_started_event_attributes")
    }
    scheduled = [e.event_id for e in events if e.HasField("activity_task_scheduled_event_attributes")]
    actions["activity"] = sum(attempts.get(event_id, 1) for event_id in scheduled)
    # however many one workflow task runs, they are one action
    actions["local activity"] = len(
        {
            e.marker_recorded_event_attributes.workflow_task_completed_event_id
            for e in events
            if e.marker_recorded_event_attributes.marker_name == _LOCAL_ACTIVITY
        }
    )
    return {kind: count for kind, count in actions.items() if count}
