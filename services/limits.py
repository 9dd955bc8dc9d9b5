"""Abuse limits: how often the same thing may be tried, by whom (security.md A-02, A-08, A-16, A-22, L-02)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from db import limits
from db.pool import Pool, single
from gateways.encryption import FieldCipher
from services.problems import TooManyRequests


@dataclass(frozen=True, eq=False)  # two limits of the same rate are two members of the enumeration
class Rate:
    """`count` at once, then evenly: `count` in each `seconds`."""

    count: int
    seconds: float


MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Limit(Enum):
    """Every limit of the system; whom it counts is said where it is asked for."""

    login_address = Rate(10, 5 * MINUTE)
    login_global = Rate(1000, 5 * MINUTE)
    login_account_seen = Rate(1, 10 * MINUTE)  # an account that failed from a neighbourhood: counted once
    login_neighbourhood = Rate(21, 10 * MINUTE)  # such accounts of a /24 or /64: one more than twenty
    stuffing_told = Rate(1, 10 * MINUTE)
    activation_siret = Rate(5, HOUR)
    activation_address = Rate(10, HOUR)
    activation_global = Rate(100, HOUR)  # nobody is refused for it: it raises the alarm (security.md A-02)
    activation_alarm = Rate(1, HOUR)
    activation_password = Rate(60, HOUR)  # of an address: passwords that are looked at
    code_number = Rate(5, HOUR)
    code_number_day = Rate(10, DAY)
    code_account = Rate(10, HOUR)
    code_address = Rate(20, HOUR)
    code_global = Rate(5000, DAY)
    reset_account = Rate(5, DAY)
    reset_address = Rate(25, 5 * MINUTE)
    invitation = Rate(5, DAY)  # links of one invitation; invitations of one person by one user
    invitation_pause = Rate(1, MINUTE)  # between two links of one invitation
    letter_code_address = Rate(10, HOUR)
    office_code = Rate(5, HOUR)  # tries of one code of a letter to a registered office
    link_recovery_address = Rate(10, HOUR)
    upload_session = Rate(30, HOUR)
    recovery_siret = Rate(3, DAY)
    recovery_address = Rate(10, HOUR)
    perimeter_user = Rate(5, HOUR)
    mandate_user = Rate(20, DAY)
    own_password = Rate(10, HOUR)  # asked again in a session
    email_change_user = Rate(5, DAY)
    export_user = Rate(10, HOUR)  # security.md X-06
    import_user = Rate(60, HOUR)  # tables that are read
    contact_user = Rate(5, HOUR)  # security.md B-01: requests; replies apart
    contact_network = Rate(5, HOUR)
    contact_reply_user = Rate(20, HOUR)
    contact_files_network = Rate(10, HOUR)  # security.md U-07
    assistant_session = Rate(20, MINUTE)  # security.md B-02
    webhook_address = Rate(20, HOUR)  # addresses that one user or key has looked up
    webhook_test = Rate(10, 10 * MINUTE)  # of one endpoint


class Limiter:
    def __init__(self, pool: Pool, cipher: FieldCipher) -> None:
        self._pool = pool
        self._cipher = cipher

    async def take(self, limit: Limit, whom: str) -> None:
        """Count one. Raises TooManyRequests, which counts nothing."""
        rate = limit.value
        interval = rate.seconds / rate.count
        key = self._key(limit, whom)
        async with single(self._pool) as connection:
            if await connection.fetchval(limits.TAKE, key, interval, rate.count):
                return
            wait = await connection.fetchval(limits.WAIT, key, interval, rate.count)
        raise TooManyRequests(wait or 1)

    async def check(self, *asked: tuple[Limit, str]) -> None:
        """Raises TooManyRequests where one more of these would not be taken now; counts nothing."""
        async with single(self._pool) as connection:
            wait = await connection.fetchval(
                limits.LONGEST_WAIT,
                [self._key(limit, whom) for limit, whom in asked],
                [limit.value.seconds / limit.value.count for limit, _ in asked],
                [float(limit.value.count) for limit, _ in asked],
            )
        if wait is not None and wait > 0:
            raise TooManyRequests(wait)

    async def allows(self, limit: Limit, whom: str) -> bool:
        """Whether one more would be taken now; counts nothing."""
        return await self._wait(limit, whom) <= 0

    async def forget(self, limit: Limit, whom: str) -> None:
        async with single(self._pool) as connection:
            await connection.execute(limits.FORGET, self._key(limit, whom))

    async def _wait(self, limit: Limit, whom: str) -> float:
        rate = limit.value
        async with single(self._pool) as connection:
            wait: float | None = await connection.fetchval(
                limits.WAIT, self._key(limit, whom), rate.seconds / rate.count, rate.count
            )
        return wait or 0.0

    def _key(self, limit: Limit, whom: str) -> bytes:
        return self._cipher.blind_index(whom, f"limit.{limit.name}")
