"""The one door to the inspection of received files: a child process for each (gateways/children.py)."""

from __future__ import annotations

import json
import signal
from typing import Any

from gateways.children import Answer, ask_child
from gateways.files.findings import MAX_BYTES, FileRefused, Inspected, MediaType, QualityCode, RefusalCode

WALL_SECONDS = 15.0
_MAX_ANSWER_BYTES = 2 * MAX_BYTES + 1024 * 1024


class InspectorUnavailable(Exception):
    """The inspection itself does not work (no process, no library): nothing is said of the file, try again later."""


async def inspect_file(content: bytes, name: str, *, wall_seconds: float = WALL_SECONDS) -> Inspected:
    """The harmless copy of the file, see `inspection.inspect`. `name`: as given, its extension counts.

    Waits for its turn without limit, then takes `wall_seconds` at most. Raises FileRefused, InspectorUnavailable.
    """
    if len(content) > MAX_BYTES:
        raise FileRefused(RefusalCode.too_big)
    request = json.dumps({"name": name}).encode() + b"\n" + content
    try:
        answer = await ask_child(
            "gateways.files.inspection", request, wall_seconds=wall_seconds, most_bytes=_MAX_ANSWER_BYTES
        )
    except TimeoutError:
        raise FileRefused(RefusalCode.too_slow) from None
    except OSError as error:
        raise InspectorUnavailable(f"no process: {type(error).__name__}") from None
    return _understood(answer)


def _understood(answer: Answer) -> Inspected:
    if answer.status == -signal.SIGXCPU:
        raise FileRefused(RefusalCode.too_slow)
    if answer.status < 0:
        raise FileRefused(RefusalCode.damaged)
    if answer.status:
        raise InspectorUnavailable(f"the inspection ended with status {answer.status}")
    head, _, content = answer.content.partition(b"\n")
    try:
        found: dict[str, Any] = json.loads(head)
        if "refusal" in found:
            raise FileRefused(RefusalCode(found["refusal"]))
        return Inspected(
            media_type=_MEDIA_TYPES[found["media_type"]],
            content=content,
            pages=int(found["pages"]),
            text=str(found["text"]),
            quality=tuple(QualityCode(code) for code in found["quality"]),
        )
    except (ValueError, LookupError, TypeError):  # a file that took the child over may say anything
        raise FileRefused(RefusalCode.damaged) from None


_MEDIA_TYPES: dict[str, MediaType] = {"application/pdf": "application/pdf", "image/jpeg": "image/jpeg"}
