"""The one exception of the embedded default."""

from __future__ import annotations


class LocalError(Exception):
    """Something expected went wrong; its text tells a person what happened and what to do. Shown without traceback."""
