"""« Mes habilitations › Clés d’accès »: the API keys of one's companies."""

from __future__ import annotations

from fastapi import APIRouter

from portal.space import SpaceRoute
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)
