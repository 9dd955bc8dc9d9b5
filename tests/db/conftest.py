"""The application of the tests of its doors, to make the rows that these tests look at."""

from __future__ import annotations

from tests.api.conftest import app

__all__ = ["app"]
