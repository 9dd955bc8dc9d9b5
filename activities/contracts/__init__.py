"""What workflows and activities say to each other: names, frozen inputs and outcomes, time limits; a module each.

Ids, dates and codes only: whatever is here ends up in Temporal's histories, where nothing personal may go.

Histories outlive versions: a field added later has a default.

These modules and those of `domain/` that they name do without `from __future__ import annotations`: inside the workflow
sandbox pydantic could not resolve annotations that are text.
"""
