"""One HTTP call to a provider, its failures told as `gateways.outcomes`.

Shared by the providers called with httpx2. No exception text or cause holds a URL's query, a body or a header:
causes are cut (`from None`), since a library's error carries its request.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any

import httpx2

from gateways.outcomes import Ambiguous, ProviderError, Unavailable

_NOTHING_TAKEN = {408, 429, 500, 502, 503}
_LONGEST_RETRY_AFTER = 3600.0


def http_client(timeout_seconds: float) -> httpx2.AsyncClient:
    """A client for one provider: `timeout_seconds` for each of connecting, writing, reading; no redirects.

    Connections are not kept alive: one that the provider closed while idle would look like a request cut
    after it was sent, an ambiguity for nothing. So there is nothing to close either.
    """
    return httpx2.AsyncClient(
        verify=_certificates(),
        timeout=httpx2.Timeout(timeout_seconds),
        limits=httpx2.Limits(max_keepalive_connections=0),
        follow_redirects=False,
    )


async def exchange(client: httpx2.AsyncClient, request: httpx2.Request, *, irrevocable: bool) -> httpx2.Response:
    """Send `request`; the answer when it is a 2xx, 3xx or 4xx that the caller has to read.

    `irrevocable`: repeating the call blindly could send something twice. Then a time-out, a cut or a 504 is
    Ambiguous; otherwise all of them are Unavailable, for the call may simply be made again.
    """
    try:
        response = await client.send(request)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
        raise Unavailable("no connection") from None
    except httpx2.HTTPError as error:
        raise _unknown(irrevocable, f"no answer ({type(error).__name__})") from None
    if response.status_code in _NOTHING_TAKEN:
        raise Unavailable(f"status {response.status_code}", retry_after(response))
    if response.status_code >= 500:
        raise _unknown(irrevocable, f"status {response.status_code}")
    return response


def retry_after(response: httpx2.Response) -> float | None:
    """Seconds to wait, when the provider says so as a number; at most an hour."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_RETRY_AFTER) if text.isascii() and text.isdigit() else None


def json_object(response: httpx2.Response, unreadable: ProviderError) -> dict[str, Any]:
    """The answer's JSON object. Raises `unreadable` when it is none."""
    try:
        body = response.json()
    except ValueError:
        raise unreadable from None
    if not isinstance(body, dict):
        raise unreadable
    return body


@cache
def _certificates() -> ssl.SSLContext:
    """Reading the authorities' certificates takes 20 ms: once is enough for all providers."""
    return httpx2.create_ssl_context()


def _unknown(irrevocable: bool, why: str) -> ProviderError:
    return Ambiguous(f"ambiguous: {why}") if irrevocable else Unavailable(why)
