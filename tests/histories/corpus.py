"""The recorded histories as files: written by `record`, replayed by `tests/workflows/test_replay.py`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

from bench.costs import name

RECORDED = Path(__file__).with_name("recorded")
COMMANDS = Path(__file__).with_name("commands.txt")

# Of the machine that recorded, or of one run: replay needs none of it.
_DROPPED = (
    "identity",
    "stackTrace",  # says where the machine keeps its files
    "taskId",
    "requestId",
    "historySizeBytes",
    "historySizeSuggestsContinueAsNew",
    "workerVersion",
)


def names() -> list[str]:
    return sorted(path.stem for path in RECORDED.glob("*.json"))


def load(path_name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json(f"recorded-{path_name}", text(path_name))


def text(path_name: str) -> str:
    return (RECORDED / f"{path_name}.json").read_text(encoding="utf-8")


def save(path_name: str, history: WorkflowHistory) -> None:
    """One line an event, so that a difference can be read."""
    events = [_without_traces(event) for event in json.loads(history.to_json())["events"]]
    lines = ",\n".join(json.dumps(event, separators=(",", ":"), sort_keys=True) for event in events)
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{path_name}.json").write_text(f'{{"events":[\n{lines}\n]}}\n', encoding="utf-8")


def words(path_name: str) -> list[str]:
    """Every text in a history, payloads decoded."""
    return list(readable(json.loads(text(path_name))))


def readable(value: Any) -> Iterator[str]:
    """Every text of a JSON value, payloads decoded."""
    match value:
        case {"data": str() as data, "metadata": dict()}:
            yield base64.b64decode(data).decode("utf-8", "replace")
        case dict():
            for key, inner in value.items():
                yield key
                yield from readable(inner)
        case list():
            for inner in value:
                yield from readable(inner)
        case str():
            yield value


def fingerprint() -> str:
    """What each history did, in order, one line a history: a changed sequence shows in a diff."""
    return "".join(f"{path_name}: {' '.join(commands(load(path_name)))}\n" for path_name in names())


def commands(history: WorkflowHistory) -> list[str]:
    """The commands of a history, and what answered them, in short words."""
    found = []
    for event in history.events:
        match name(event):
            case "ACTIVITY_TASK_SCHEDULED":
                found.append(event.activity_task_scheduled_event_attributes.activity_type.name)
            case "MARKER_RECORDED":
                found.append(event.marker_recorded_event_attributes.marker_name.removeprefix("core_"))
            case "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
                update = event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name
                found.append(f"accept:{update}")
            case kind if kind in _SHORT:
                found.append(_SHORT[kind])
    return found


_SHORT = {
    "WORKFLOW_EXECUTION_SIGNALED": "signal",
    "ACTIVITY_TASK_CANCEL_REQUESTED": "cancel-activity",
    "TIMER_STARTED": "timer",
    "TIMER_CANCELED": "cancel-timer",
    "START_CHILD_WORKFLOW_EXECUTION_INITIATED": "child",
    "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES": "attributes",
    "WORKFLOW_EXECUTION_UPDATE_COMPLETED": "answer",
    "WORKFLOW_EXECUTION_COMPLETED": "end",
}


def _without_traces(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
            value = {**value, "name": "sticky"}  # named after the machine
        return {key: _without_traces(inner) for key, inner in value.items() if key not in _DROPPED}
    if isinstance(value, list):
        return [_without_traces(inner) for inner in value]
    return value
