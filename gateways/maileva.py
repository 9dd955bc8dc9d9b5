"""Letters through Maileva (mail API v2).

A sending is created as a draft, filled, then submitted: only that is irrevocable, and Maileva has no idempotency
key. What keeps one letter from being posted twice is the order of things: the caller keeps the draft's id
(`remember`) before it is ever submitted, and every later attempt works on that one sending, which Maileva submits
once. Our `custom_id` only finds again a draft whose id was lost before that.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from gateways.delivery import DeliveryKind
from gateways.http_calls import exchange, http_client, json_object
from gateways.outcomes import Accepted, CannotTell, RefusalReason, Refused, Unavailable
from gateways.post import MAX_LINES, Letter
from settings import Settings

_DRAFT = "DRAFT"
_REJECTED = "REJECTED"
_SUBMITTED = {"PENDING", "ACCEPTED", "PROCESSED", "PROCESSED_WITH_ERRORS", "ARCHIVED"}
_UNDELIVERABLE = "N10"  # « pli non distribuable »
_ADDRESS_ERRORS = ("ADDRESS_LINE_", "EMPTY_ADDRESS", "COUNTRY_CODE", "INVALID_COUNTRY_CODE")
_TOKEN_MARGIN_SECONDS = 60.0
_PAGE = 100
_MOST_PAGES = 10


class MailevaPost:
    """`PostGateway` over Maileva."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.maileva_base_url.rstrip("/") + "/mail/v2"
        self._client = http_client(settings.provider_timeout_seconds)
        self._tokens = _Tokens(settings, self._client)

    async def hand_over(
        self, letter: Letter, known_ref: str | None, remember: Callable[[str], Awaitable[None]]
    ) -> Accepted:
        """See `PostGateway.hand_over`. `provider_ref` is the sending's id.

        `remember` should refuse (raise) when it already holds another id for this letter: that stops a second
        attempt running at the same time.
        """
        sending = await self._known(known_ref, letter) if known_ref else await self._forgotten(letter.dispatch_id)
        resumed = sending is not None
        if sending is None:
            sending = await self._create(letter.dispatch_id)
        ref, status = _text(sending, "id"), _text(sending, "status")
        if ref != known_ref:
            await remember(ref)
        if status == _DRAFT:
            try:
                await self._fill(ref, letter, resumed)
                await self._submit(ref)
            except Refused:
                # A submit of ours that had been given up may have arrived meanwhile: then drafts' calls are refused.
                status = _text(await self._sending(ref), "status")
                if status == _DRAFT:
                    raise
            else:
                return Accepted(ref)
        if status == _REJECTED:
            raise Refused(RefusalReason.bad_content, 200)
        if status not in _SUBMITTED:
            raise CannotTell("cannot tell: a sending in an unknown state")
        return Accepted(ref)

    async def status(self, ref: str) -> DeliveryKind | None:
        """See `PostGateway.status`."""
        status = _text(await self._sending(ref), "status")
        if status in (_DRAFT, "PENDING"):
            return None
        if status == "ACCEPTED":
            return DeliveryKind.accepted
        if status == _REJECTED:
            return DeliveryKind.rejected
        if status not in _SUBMITTED:
            return DeliveryKind.other
        for recipient in await self._list(f"/sendings/{ref}/recipients", "recipients"):
            if recipient.get("status") == _REJECTED:
                return DeliveryKind.rejected
            told = await self._list(
                f"/sendings/{ref}/recipients/{_text(recipient, 'id')}/delivery_statuses", "delivery_statuses"
            )
            if any(_UNDELIVERABLE in (entry.get("status"), entry.get("code")) for entry in told):
                return DeliveryKind.returned
        return DeliveryKind.delivered

    async def _known(self, ref: str, letter: Letter) -> dict[str, Any]:
        sending = await self._sending(ref)
        if sending.get("custom_id") != letter.dispatch_id:
            raise CannotTell("cannot tell: the sending we kept is another letter's")
        return sending

    async def _forgotten(self, dispatch_id: str) -> dict[str, Any] | None:
        """The sending of a former attempt that died before its id was kept: a draft, in all likelihood.

        The documented list has no filter: ours may be ignored (or refused), so filter again.
        """
        try:
            listed = await self._list("/sendings", "sendings", custom_id=dispatch_id)
        except Refused as error:
            if error.status != 400:
                raise
            listed = await self._list("/sendings", "sendings")
        ours = [sending for sending in listed if sending.get("custom_id") == dispatch_id]
        submitted = [sending for sending in ours if sending.get("status") != _DRAFT]
        if len(submitted) > 1:
            raise CannotTell("cannot tell: several submitted sendings for one letter")
        return next(iter(submitted or ours), None)

    async def _create(self, dispatch_id: str) -> dict[str, Any]:
        body = {
            "name": dispatch_id,
            "custom_id": dispatch_id,
            "color_printing": False,
            "duplex_printing": True,
            "optional_address_sheet": False,
            "postage_type": "ECONOMIC",
            "envelope_windows_type": "SIMPLE",
            "print_sender_address": False,
            "treat_undelivered_mail": False,
            "archiving_duration": 0,
        }
        response = await self._call("POST", "/sendings", json=body)
        return json_object(response, Unavailable("a sending was created without saying which"))

    async def _fill(self, ref: str, letter: Letter, resumed: bool) -> None:
        """Bring the draft to exactly this document and this recipient, whatever an earlier attempt left in it."""
        documents, recipients = f"/sendings/{ref}/documents", f"/sendings/{ref}/recipients"
        if resumed:
            for path, name in ((documents, "documents"), (recipients, "recipients")):
                for left in await self._list(path, name):
                    await self._call("DELETE", f"{path}/{_text(left, 'id')}")
        metadata = json.dumps({"priority": 1, "name": "lettre.pdf", "shrink": False})
        await self._call(
            "POST",
            documents,
            files={
                "document": ("lettre.pdf", letter.pdf, "application/pdf"),
                "metadata": ("metadata", metadata, "application/json"),
            },
        )
        await self._call("POST", recipients, json=_recipient(letter))
        if resumed:
            # A call of the earlier attempt may have been carried out only now.
            for path, name in ((documents, "documents"), (recipients, "recipients")):
                if len(await self._list(path, name)) != 1:
                    raise Unavailable("the draft is not settled yet")

    async def _submit(self, ref: str) -> None:
        await self._call("POST", f"/sendings/{ref}/submit", irrevocable=True)

    async def _sending(self, ref: str) -> dict[str, Any]:
        try:
            response = await self._call("GET", f"/sendings/{ref}")
        except Refused as error:
            if error.status == 404:
                raise CannotTell("cannot tell: the provider does not know the sending it gave us") from None
            raise
        return json_object(response, Unavailable("an unreadable sending"))

    async def _list(self, path: str, name: str, **filters: str) -> list[dict[str, Any]]:
        """All elements of a paged list, up to a bound that only a filter ignored by the provider can reach."""
        found: list[dict[str, Any]] = []
        for page in range(_MOST_PAGES):
            params = {**filters, "start_index": str(1 + page * _PAGE), "count": str(_PAGE)}
            response = await self._call("GET", path, params=params)
            elements = json_object(response, Unavailable("an unreadable list")).get(name) or []
            found += [element for element in elements if isinstance(element, dict)]
            if len(elements) < _PAGE:
                break
        return found

    async def _call(self, method: str, path: str, *, irrevocable: bool = False, **content: Any) -> httpx2.Response:
        """One call with a token, renewed once when refused. Raises Refused on any other answer than 2xx."""
        for last in (False, True):
            token = await self._tokens.get()
            request = self._client.build_request(
                method, self._base + path, headers={"Authorization": f"Bearer {token}"}, **content
            )
            response = await exchange(self._client, request, irrevocable=irrevocable)
            if response.status_code != 401 or last:
                break
            self._tokens.forget(token)
        if not response.is_success:
            raise Refused(_refusal_reason(response), response.status_code)
        return response


class _Tokens:
    """The OAuth2 token of the account, kept until shortly before it expires."""

    def __init__(self, settings: Settings, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._url = settings.maileva_token_url
        self._form = {
            "grant_type": "password",
            "client_id": settings.maileva_client_id,
            "client_secret": settings.maileva_client_secret.get_secret_value(),
            "username": settings.maileva_username,
            "password": settings.maileva_password.get_secret_value(),
        }
        self._token = ""
        self._expires_at = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> str:
        """A token that should be good. Raises Unavailable, Refused(not_authorised)."""
        async with self._lock:
            if time.monotonic() >= self._expires_at:
                await self._renew()
            return self._token

    def forget(self, token: str) -> None:
        """The API refused `token`; another call may have renewed it already."""
        if token == self._token:
            self._expires_at = 0.0

    async def _renew(self) -> None:
        request = self._client.build_request("POST", self._url, data=self._form)
        response = await exchange(self._client, request, irrevocable=False)
        if not response.is_success:
            raise Refused(RefusalReason.not_authorised, response.status_code)
        unreadable = Unavailable("an unreadable token")
        body = json_object(response, unreadable)
        token, seconds = body.get("access_token"), body.get("expires_in")
        if not isinstance(token, str) or not isinstance(seconds, int):
            raise unreadable
        self._token = token
        self._expires_at = time.monotonic() + max(seconds - _TOKEN_MARGIN_SECONDS, 0.0)


def _recipient(letter: Letter) -> dict[str, str]:
    """The address: the last line is always line 6, the others follow each other from line 1."""
    *first_lines, last_line = letter.address_lines
    lines = {f"address_line_{number}": line for number, line in enumerate(first_lines, start=1)}
    return {
        **lines,
        f"address_line_{MAX_LINES}": last_line,
        "country_code": letter.country,
        "custom_id": letter.dispatch_id,
    }


def _refusal_reason(response: httpx2.Response) -> RefusalReason:
    if response.status_code < 400 or response.status_code in (401, 403, 404, 405):
        return RefusalReason.not_authorised  # our account, or our address of the API
    try:
        codes = [str(error["code"]) for error in response.json()["errors"]]
    except (ValueError, TypeError, LookupError):
        codes = []
    if any(code.startswith(_ADDRESS_ERRORS) for code in codes):
        return RefusalReason.bad_address
    return RefusalReason.bad_content


def _text(element: dict[str, Any], name: str) -> str:
    value = element.get(name)
    if not isinstance(value, str) or not value:
        raise Unavailable(f"an answer without {name}")
    return value
