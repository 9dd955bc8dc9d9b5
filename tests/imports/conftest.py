from __future__ import annotations

from tests.api.conftest import app

__all__ = ["app"]
