"""Every event that some code writes to the audit log has its French words."""

from __future__ import annotations

import re
from pathlib import Path

from activities.contracts.affiliation import ActorKind
from messages.audit_words import AUDIT_EVENTS, ROLES

ROOT = Path(__file__).parents[2]
# security.md J-01, and what is beside it: the first part of an event's name
_FAMILIES = (
    *("auth", "user", "company", "terms", "link", "form", "file", "data", "webhook", "letter", "authz", "input"),
    *("ops", "config", "affiliation", "waiver", "mandate", "log", "rights", "key", "notice", "review", "dsn"),
)
_EVENT = re.compile(rf"""["']((?:{"|".join(_FAMILIES)})(?:\.[a-z_]+){{1,2}})["']""")
_NOT_EVENTS = {"data.new", "terms.version", "waiver.proof", "data.revealed"}  # the last one: nothing reveals yet


def written() -> set[str]:
    return {
        event
        for folder in ("activities", "db", "services", "web")
        for file in (ROOT / folder).rglob("*.py")
        for event in _EVENT.findall(file.read_text(encoding="utf-8"))
    } - _NOT_EVENTS


def test_every_event_that_is_written_has_words() -> None:
    assert len(written()) > 20
    assert written() - AUDIT_EVENTS.keys() == set()


def test_every_kind_of_actor_has_a_role() -> None:
    assert ROLES.keys() == {kind.value for kind in ActorKind}
