"""Logs as one JSON line each, without personal data: what is logged are ids, codes and counts."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """One line a record; what was given as `extra` is kept as text."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, str] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({key: str(value) for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            # The type and the place, never the message: it may quote what somebody typed.
            kind = record.exc_info[0]
            entry["error"] = kind.__name__ if kind else "unknown"
            entry["trace"] = _places(record)
        return json.dumps(entry, ensure_ascii=False)


def _places(record: logging.LogRecord) -> str:
    trace = record.exc_info[2] if record.exc_info else None
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 2)[-1]}:{trace.tb_lineno}:{code.co_name}")
        trace = trace.tb_next
    return " > ".join(places[-8:])


def set_up_logging(level: str) -> None:
    """Send every logger of the process through the JSON formatter, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx2", "httpcore2", "python_http_client"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
