"""What happens in a company, as its timeline has it, for tests of notifications."""

from __future__ import annotations

from tests.world import Life, World

DETAILS = {
    "finalised": {"channel": "online"},
    "declined": {"reason": "left_company"},
    "abandoned": {"reason": "no_response"},
    "delivery_failed": {"medium": "post", "reason": "returned"},
}
HAPPENS = """
INSERT INTO affiliation_event (affiliation_id, number, company_id, kind, at, actor_kind, details)
SELECT id, 1000 + (SELECT count(*) FROM affiliation_event v WHERE v.affiliation_id = a.id), company_id, $2, now(),
       'system', $3 FROM affiliation a WHERE id = $1
"""
UNREACHABLE = "UPDATE affiliation SET attention = 'unreachable', attention_since = now() WHERE id = $1"
ENDS_SOON = """
UPDATE affiliation SET next_step_kind = 'abandonment', next_step_at = now() + interval '7 days'
WHERE id = $1
"""


async def happens(world: World, life: Life, kind: str) -> None:
    await world.run(HAPPENS, life.id, kind, DETAILS.get(kind, {"reason": "other"}))


async def to_correct(world: World, life: Life) -> None:
    """Its last message did not arrive, and no other medium is left."""
    await world.run(UNREACHABLE, life.id)
    await happens(world, life, "delivery_failed")


async def ends_soon(world: World, life: Life) -> None:
    await world.run(ENDS_SOON, life.id)
