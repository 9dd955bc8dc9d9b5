"""What the services of access work with, built once per process."""

from __future__ import annotations

from dataclasses import dataclass

from db.pool import Pool
from gateways.encryption import FieldCipher
from gateways.passwords import Passwords
from gateways.pwned import PwnedPasswords
from gateways.sms import SmsGateway
from services.limits import Limiter
from services.notices import Outbox
from services.sign_in_places import SignInPlaces
from settings import Settings


@dataclass(frozen=True)
class Tools:
    config: Settings
    web: Pool  # hcr_web: sees what a tenant's context names
    system: Pool  # hcr_system: finds out who is calling, and writes what concerns users
    cipher: FieldCipher
    passwords: Passwords
    pwned: PwnedPasswords
    limiter: Limiter
    outbox: Outbox
    sms: SmsGateway
    sign_in_places: SignInPlaces
