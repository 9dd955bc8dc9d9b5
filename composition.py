"""Puts the pieces together as the settings say: shared by the worker and the API."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client
from temporalio.runtime import Runtime

from activities.carrying import Providers
from db.pool import Pool
from gateways.encryption import FieldCipher
from gateways.files.antivirus import Scanner, scanner_at
from gateways.files.storage import FileVault, open_store
from gateways.files.streams import StreamVault
from gateways.local_boxes import LocalBoxes, LocalMail, LocalPost, LocalSms
from gateways.passwords import peppers
from gateways.providers import mail_gateway, post_gateway, sms_gateway
from gateways.pwned import PwnedPasswords
from gateways.webhooks import WebhookGateway
from services.hashing import Hashing
from settings import Environment, MailProvider, Settings, SmsProvider
from workflows.converter import DATA_CONVERTER


def providers(pool: Pool, config: Settings) -> Providers:
    """The gateways that the settings choose."""
    boxes = LocalBoxes(pool)
    # Our own table answers at once and for good; a provider's search lags behind.
    all_local = config.mail_provider is MailProvider.local and config.sms_provider is SmsProvider.local
    settling = 0.0 if all_local else config.mail_settling_seconds
    return Providers(
        mail=mail_gateway(config, LocalMail(boxes)),
        post=post_gateway(config, LocalPost(boxes)),
        sms=sms_gateway(config, LocalSms(boxes)),
        settling=timedelta(seconds=settling),
    )


def cipher(config: Settings) -> FieldCipher:
    return FieldCipher(
        config.field_keys.get_secret_value(),
        config.blind_index_key.get_secret_value(),
        config.link_key.get_secret_value(),
    )


def passwords(config: Settings) -> Hashing:
    """How passwords are kept; one per process, as it bounds how many are computed at once. Raises BadKeys."""
    return Hashing(*peppers(config.password_pepper.get_secret_value()))


def pwned_passwords(config: Settings) -> PwnedPasswords:
    """The list of stolen passwords; none where no address is set."""
    return PwnedPasswords(config.pwned_passwords_url, config.provider_timeout_seconds)


def webhook_gateway(config: Settings) -> WebhookGateway:
    """Calls to customers' addresses; this machine's own are among them in the embedded default and in tests only."""
    return WebhookGateway(config.provider_timeout_seconds, loopback=config.environment is Environment.local)


def vault(config: Settings) -> FileVault:
    """The encrypted store of documents."""
    return FileVault(open_store(_files_url(config)), cipher(config))


def dsn_vault(config: Settings) -> StreamVault:
    """The same store, for DSN files."""
    return StreamVault(open_store(_files_url(config)), cipher(config), "dsn_import")


def _files_url(config: Settings) -> str:
    return config.documents_url or (config.local_dir / "documents").resolve().as_uri()


def scanner(config: Settings) -> Scanner:
    """The antivirus; none where no address is set, which production refuses."""
    return scanner_at(config.clamd_address)


async def connect(config: Settings, runtime: Runtime | None = None, *, lazy: bool = False) -> Client:
    """A client of the settings' Temporal; `lazy` connects at the first call."""
    return await Client.connect(
        config.temporal_address,
        namespace=config.temporal_namespace,
        data_converter=DATA_CONVERTER,
        runtime=runtime,
        lazy=lazy,
    )
