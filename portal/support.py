"""« Mes démarches », help, messages, notifications, site map, accessibility: where to turn to."""

from __future__ import annotations

from fastapi import APIRouter

from portal.space import SpaceRoute
from web.csrf import OwnSite

router = APIRouter(route_class=SpaceRoute, dependencies=[OwnSite], include_in_schema=False)
