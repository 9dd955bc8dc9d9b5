"""Codes of six digits, whatever they are for: made of a challenge's own secret, compared, sent by SMS."""

from __future__ import annotations

import asyncio
import secrets
from urllib.parse import urlsplit

import pyotp

from domain.sign_in import typed_digits
from gateways.sms import Sms
from messages.code_sms import render_code_sms
from services.tools import Tools

MESSAGE_SECONDS = 10  # for a provider to take a message: a code that comes late is of no use (security.md A-18)


def new_secret() -> str:
    """Of one challenge, from which its code is made (security.md A-14)."""
    return pyotp.random_base32(32)


def code_of(secret: str) -> str:
    """The six digits of a challenge."""
    return pyotp.HOTP(secret).at(0)


def same_code(typed: str, code: str) -> bool:
    return secrets.compare_digest((typed_digits(typed) or "").encode(), code.encode())


async def send_code_sms(tools: Tools, message_id: str, number: str, code: str) -> None:
    """Now or never. Raises ProviderError, TimeoutError."""
    host = urlsplit(tools.config.public_base_url).hostname or ""
    async with asyncio.timeout(MESSAGE_SECONDS):
        await tools.sms.send(Sms(message_id, number, render_code_sms(code, host)))
