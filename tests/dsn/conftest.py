from __future__ import annotations

import pytest

from tests.dsn.importing import Desk
from tests.world import World


@pytest.fixture(scope="module")
async def desk(world: World) -> Desk:
    return Desk(world)
