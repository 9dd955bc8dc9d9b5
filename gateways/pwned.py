"""Passwords known from leaks, asked of « Have I Been Pwned » without telling which (security.md A-05).

Of the password's SHA-1 only the first five digits leave, and the answer holds some hundred others that begin so
(https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange). It holds rows of count 0 too, so that not even its
length tells.
"""

from __future__ import annotations

import hashlib

from domain.password_rules import normalised
from gateways.http_calls import exchange, http_client
from gateways.outcomes import ProviderError

_PREFIX_DIGITS = 5


class PwnedPasswords:
    """`base_url`: `https://api.pwnedpasswords.com` or a copy of it; empty: nobody is asked."""

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        self._base = base_url.rstrip("/")
        self._client = http_client(timeout_seconds) if base_url else None

    async def seen(self, password: str) -> bool | None:
        """Whether it was in a leak. None: nobody could say, and what we know ourselves has to do."""
        if self._client is None:
            return None
        # not a signature: it is how the list is written
        digest = hashlib.sha1(normalised(password).encode(errors="surrogatepass")).hexdigest().upper()  # noqa: S324
        prefix, rest = digest[:_PREFIX_DIGITS], digest[_PREFIX_DIGITS:]
        headers = {"Add-Padding": "true", "User-Agent": "espace-entreprise-sante"}
        request = self._client.build_request("GET", f"{self._base}/range/{prefix}", headers=headers)
        try:
            response = await exchange(self._client, request, irrevocable=False)
        except ProviderError:
            return None
        if response.status_code != 200:
            return None
        return _counts(response.text).get(rest, 0) > 0


def _counts(text: str) -> dict[str, int]:
    """How often each was seen, by the rest of its digits; lines of another shape are none."""
    lines = (line.strip().partition(":") for line in text.splitlines())
    return {rest.upper(): int(count) for rest, _, count in lines if count.isascii() and count.isdecimal()}
