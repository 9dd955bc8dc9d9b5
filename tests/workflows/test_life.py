"""An affiliation's life on the real Temporal server, its clock moved."""

from __future__ import annotations

from datetime import timedelta

from domain.affiliation import Status
from tests.world import World


async def test_an_unanswered_affiliation_is_reminded_goes_by_post_and_ends_abandoned(world: World) -> None:
    life = await world.declare(await world.employer())
    await life.until(Status.sent)
    assert await life.sent() == [("invitation", "email")]

    await life.to_the_end()

    assert await life.sent() == [
        ("invitation", "email"),
        ("reminder", "email"),
        ("reminder", "email"),
        ("postal_fallback", "post"),
        ("reminder", "post"),
    ]
    assert await life.status() is Status.abandoned
    assert (await life.row())["closure"] == "no_response"
    moments = await life.sent_at()
    assert timedelta(days=20) <= moments[3] - moments[0] <= timedelta(days=26)
    await life.history()
