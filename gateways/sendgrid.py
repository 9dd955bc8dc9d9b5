"""E-mail through SendGrid (API v3, its official client).

The client blocks and is urllib underneath: it runs in a thread, with a time limit. Three habits of it are
corrected here: it follows redirects (with our key), it has no time limit, and it logs whole requests.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import logging
import re
import ssl
import time
import urllib.request
from email.message import Message
from typing import IO, Any
from urllib.error import URLError

import sendgrid
from python_http_client.client import Client
from python_http_client.exceptions import HTTPError

from gateways.mail import Attachment, Email
from gateways.outcomes import Accepted, Ambiguous, CannotTell, ProviderError, RefusalReason, Refused, Unavailable
from settings import Settings

# At DEBUG it would write the key, the address and the body of every e-mail.
logging.getLogger("python_http_client").setLevel(logging.INFO)

_RECIPIENT_FIELD = re.compile(r"personalizations\.\d+\.to\b")
_NOTHING_TAKEN = {408, 429, 500, 502, 503}
_LONGEST_RETRY_AFTER = 3600.0


class SendGridMail:
    """`MailGateway` over SendGrid."""

    def __init__(self, settings: Settings) -> None:
        self._from = {"email": settings.mail_from_address, "name": settings.mail_from_name}
        self._activity_search = settings.sendgrid_activity_search
        self._api = sendgrid.SendGridAPIClient(
            api_key=settings.sendgrid_api_key.get_secret_value(), host=settings.sendgrid_base_url.rstrip("/")
        )
        self._api.client = _Client(
            host=self._api.client.host,
            request_headers=self._api.client.request_headers,
            version=3,
            timeout=settings.provider_timeout_seconds,
        )

    async def send(self, email: Email) -> Accepted:
        """See `MailGateway.send`. `provider_ref` is SendGrid's X-Message-Id."""
        return await asyncio.to_thread(self._send, self._message(email))

    async def find(self, dispatch_id: str) -> Accepted | None:
        """See `MailGateway.find`: asks the Email Activity API, an add-on that the account may not have."""
        if not self._activity_search:
            raise CannotTell("cannot tell: the account has no search of past e-mails")
        return await asyncio.to_thread(self._find, dispatch_id)

    def _message(self, email: Email) -> dict[str, Any]:
        """The v3 message. Tracking stays off whatever the account's settings are: it rewrites links, and so
        would give the secret of the link to the provider's redirector and to its logs."""
        attached = email.attachment
        return {
            "personalizations": [{"to": [{"email": email.to}]}],
            "from": self._from,
            "subject": email.subject,
            "content": [
                {"type": "text/plain", "value": email.text},
                {"type": "text/html", "value": email.html},
            ],
            "headers": {"Content-Language": email.language},
            "categories": [email.kind],
            "custom_args": {"dispatch_id": email.dispatch_id},
            **({"attachments": [_attachment(attached)]} if attached else {}),
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
                "subscription_tracking": {"enable": False},
                "ganalytics": {"enable": False},
            },
        }

    def _send(self, message: dict[str, Any]) -> Accepted:
        try:
            response = self._api.client.mail.send.post(request_body=message)
        except HTTPError as error:
            raise _refusal(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise _broken(error) from None
        return Accepted(response.headers.get("X-Message-Id") or "")

    def _find(self, dispatch_id: str) -> Accepted | None:
        query = {"limit": "1", "query": f'unique_args["dispatch_id"]="{dispatch_id}"'}
        try:
            messages = self._api.client.messages.get(query_params=query).to_dict["messages"]
            return Accepted(str(messages[0]["msg_id"])) if messages else None
        except HTTPError as error:
            if error.status_code in _NOTHING_TAKEN or error.status_code >= 500:
                raise Unavailable(f"status {error.status_code}", _retry_after(error)) from None
            raise CannotTell(f"cannot tell: the search answered {error.status_code}") from None
        except (OSError, http.client.HTTPException):
            raise Unavailable("no answer") from None
        except (ValueError, TypeError, LookupError):
            raise CannotTell("cannot tell: the search answered something else") from None


def _attachment(attached: Attachment) -> dict[str, str]:
    return {
        "content": base64.b64encode(attached.pdf).decode(),
        "type": "application/pdf",
        "filename": attached.name,
        "disposition": "attachment",
    }


def _refusal(error: HTTPError) -> ProviderError:
    status = int(error.status_code)
    if status in _NOTHING_TAKEN:
        return Unavailable(f"status {status}", _retry_after(error))
    if status >= 500:
        return Ambiguous(f"ambiguous: status {status}")
    if status == 400:
        return Refused(RefusalReason.bad_address if _concerns_recipient(error) else RefusalReason.bad_content, status)
    if status == 413:
        return Refused(RefusalReason.bad_content, status)
    return Refused(RefusalReason.not_authorised, status)  # 401, 403; 3xx, 404, 405: our address of the API


def _broken(error: Exception) -> ProviderError:
    if isinstance(error, URLError) and isinstance(error.reason, _NotConnected):
        return Unavailable("no connection")
    cause = error.reason if isinstance(error, URLError) else error
    return Ambiguous(f"ambiguous: no answer ({type(cause).__name__})")


def _concerns_recipient(error: HTTPError) -> bool:
    try:
        errors = json.loads(error.body)["errors"]
        return any(_RECIPIENT_FIELD.match(str(entry.get("field") or "")) for entry in errors)
    except (ValueError, TypeError, LookupError, AttributeError):
        return False


def _retry_after(error: HTTPError) -> float | None:
    """Seconds until X-RateLimit-Reset, a Unix time; between a second and an hour."""
    text = error.headers.get("X-RateLimit-Reset") or ""
    return min(max(int(text) - time.time(), 1.0), _LONGEST_RETRY_AFTER) if text.isdigit() else None


class _NotConnected(OSError):
    """Failed before the first byte of the request: nothing can have been taken."""


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except OSError:
            raise _NotConnected from None


class _SecureConnection(http.client.HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except OSError:
            raise _NotConnected from None


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Secure(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req, context=_TLS)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_TLS = ssl.create_default_context()
_OPENER = urllib.request.build_opener(_Plain, _Secure, _NoRedirect)


class _Client(Client):  # type: ignore[misc]  # the library has no types
    """The library's client, with our opener; it makes a new client for each segment of a path."""

    def _build_client(self, name: str | None = None) -> _Client:
        return _Client(
            host=self.host,
            version=self._version,
            request_headers=self.request_headers,
            url_path=[*self._url_path, name] if name else self._url_path,
            timeout=self.timeout,
        )

    def _make_request(
        self, opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout: float | None = None
    ) -> Any:
        return super()._make_request(_OPENER, request, timeout=timeout)
