"""The rendered messages are kept under tests/output/messages, to be looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

OUTPUT = Path(__file__).parents[1] / "output" / "messages"


@pytest.fixture(scope="session")
def output() -> Path:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    return OUTPUT
