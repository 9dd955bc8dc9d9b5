"""The cookie that names a browser to the users who gave a code in it: `<device>.<secret>` of each, joined by `~`
(security.md A-13)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from fastapi import Request, Response

from services.devices import MOST_OF_A_BROWSER, DeviceToken
from settings import Settings
from web.cookies import Cookie, cookie_of, set_device

_ONE = re.compile(r"([0-9a-f]{32})\.([\w-]{43})", re.ASCII)


def devices_of(request: Request, config: Settings) -> tuple[DeviceToken, ...]:
    """What the browser shows; whatever is not written as we write it is left out."""
    parts = (cookie_of(request, Cookie.device, config) or "").split("~", MOST_OF_A_BROWSER)[:MOST_OF_A_BROWSER]
    found = filter(None, map(_ONE.fullmatch, parts))
    return tuple(DeviceToken(UUID(one[1]), one[2]) for one in found)


def remember_devices(answer: Response, devices: Sequence[DeviceToken] | None, config: Settings) -> None:
    """`devices`: the whole cookie; None: it stays as it is."""
    if devices is not None:
        set_device(answer, "~".join(f"{one.id.hex}.{one.secret}" for one in devices), config)
