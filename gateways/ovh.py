"""Short messages through OVHcloud (API 1.0, signed requests)."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from gateways.http_calls import exchange, http_client, json_object
from gateways.outcomes import Accepted, Ambiguous, CannotTell, RefusalReason, Refused, Unavailable
from gateways.sms import Sms
from settings import Settings

_TAG_CHARACTERS = 20
# GSM 03.38. One character outside of it and the message is coded on 16 bits: 70 characters each.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà^{}\\[~]|€"
)


class OvhSms:
    """`SmsGateway` over OVHcloud."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.ovh_base_url.rstrip("/") + "/1.0"
        self._service = f"/sms/{quote(settings.ovh_sms_service, safe='')}"
        self._sender = settings.ovh_sms_sender
        self._application_key = settings.ovh_application_key
        self._application_secret = settings.ovh_application_secret.get_secret_value()
        self._consumer_key = settings.ovh_consumer_key.get_secret_value()
        self._client = http_client(settings.provider_timeout_seconds)
        self._clock_ahead: float | None = None  # OVHcloud's clock minus ours, seconds; None: not asked yet

    async def send(self, sms: Sms) -> Accepted:
        """See `SmsGateway.send`. `provider_ref` is OVHcloud's message id."""
        body = {
            "receivers": [sms.to],
            "message": sms.text,
            "sender": self._sender,
            "noStopClause": True,  # not advertising; without it « STOP » is added and nothing leaves at night
            "priority": "high",
            "charset": "UTF-8",
            "coding": "7bit" if _GSM.issuperset(sms.text) else "8bit",
            "tag": tag_of(sms.dispatch_id),
        }
        response = await self._call("POST", f"{self._service}/jobs", body, irrevocable=True)
        report = json_object(response, Ambiguous("ambiguous: an unreadable report"))
        if report.get("invalidReceivers"):
            raise Refused(RefusalReason.bad_address, response.status_code)
        ids = report.get("ids")
        if not isinstance(ids, list) or not ids:
            raise Ambiguous("ambiguous: a report without a message id")
        return Accepted(str(ids[0]))

    async def find(self, dispatch_id: str) -> Accepted | None:
        """See `SmsGateway.find`."""
        query = urlencode({"tag": tag_of(dispatch_id)})
        try:
            response = await self._call("GET", f"{self._service}/outgoing?{query}", None, irrevocable=False)
        except Refused as error:
            raise CannotTell(f"cannot tell: the search answered {error.status}") from None
        try:
            ids = response.json()
        except ValueError:
            ids = None
        if not isinstance(ids, list):
            raise CannotTell("cannot tell: the search answered something else")
        return Accepted(str(ids[0])) if ids else None

    async def _call(self, method: str, path: str, body: dict[str, Any] | None, *, irrevocable: bool) -> httpx2.Response:
        """One signed call. Raises Refused on any other answer than 2xx."""
        url = self._base + path
        text = "" if body is None else json.dumps(body)
        timestamp = str(int(time.time() + await self._clock()))
        signed = "+".join((self._application_secret, self._consumer_key, method, url, text, timestamp))
        headers = {
            "Content-Type": "application/json",
            "X-Ovh-Application": self._application_key,
            "X-Ovh-Consumer": self._consumer_key,
            "X-Ovh-Timestamp": timestamp,
            # The provider's scheme; the secret inside makes it a keyed hash.
            "X-Ovh-Signature": "$1$" + hashlib.sha1(signed.encode()).hexdigest(),  # noqa: S324
        }
        request = self._client.build_request(method, url, headers=headers, content=text.encode() or None)
        response = await exchange(self._client, request, irrevocable=irrevocable)
        if response.is_success:
            return response
        if _error_code(response) == "QUERY_TIME_OUT":
            self._clock_ahead = None  # our clock was set meanwhile: ask again next time
            raise Unavailable("the clocks differ")
        raise Refused(_refusal_reason(response), response.status_code)

    async def _clock(self) -> float:
        if self._clock_ahead is None:
            request = self._client.build_request("GET", f"{self._base}/auth/time")
            response = await exchange(self._client, request, irrevocable=False)
            try:
                self._clock_ahead = int(response.text) - time.time()
            except ValueError:
                raise Unavailable("an unreadable clock") from None
        return self._clock_ahead


def tag_of(dispatch_id: str) -> str:
    """What marks a message at OVHcloud: a tag has 20 characters at most, so a digest (100 bits) of our key."""
    digest = base64.b32encode(hashlib.sha256(dispatch_id.encode()).digest()).decode().lower()
    return digest[:_TAG_CHARACTERS]


def _refusal_reason(response: httpx2.Response) -> RefusalReason:
    if response.status_code not in (400, 413) or _error_code(response) == "INVALID_SIGNATURE":
        return RefusalReason.not_authorised  # 401, 402 (no credit left), 403, 404 (the service's name)
    return RefusalReason.bad_address if "receiver" in response.text.lower() else RefusalReason.bad_content


def _error_code(response: httpx2.Response) -> str:
    try:
        return str(response.json()["errorCode"])
    except (ValueError, TypeError, LookupError):
        return ""
