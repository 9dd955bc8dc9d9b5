"""Every setting of the system, typed, in one place.

Values come from environment variables of the same name (`DATABASE_URL`, `TEMPORAL_ADDRESS`…).
The embedded default (`make run`) fills the ones it owns: addresses, secrets kept under `.local/`.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent


class Environment(StrEnum):
    """Where the system runs; `production` refuses local providers and missing secrets."""

    local = "local"
    production = "production"


class MailProvider(StrEnum):
    local = "local"
    sendgrid = "sendgrid"


class PostProvider(StrEnum):
    local = "local"
    maileva = "maileva"


class SmsProvider(StrEnum):
    local = "local"
    ovh = "ovh"


class ActivationProof(StrEnum):
    """What opens a company's space besides the administrator's proved address (security.md A-01)."""

    email = "email"  # nothing more
    register_contact = "register_contact"  # the contact of the register agrees; without one: by letter
    letter = "letter"  # a code posted to the registered office


class Settings(BaseSettings):
    """The settings; read once per process by `settings()`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    environment: Environment = Environment.local
    log_level: str = "INFO"

    # --- database: a login that is a member of hcr_web and hcr_system and owns nothing
    database_url: str = Field(default="", description="empty: the embedded PostgreSQL")
    database_owner_url: str = Field(default="", description="who migrates; empty: database_url")
    database_pool_size: int = 10

    # --- Temporal
    temporal_address: str = Field(default="", description="empty: the embedded dev server")
    temporal_namespace: str = "default"
    temporal_task_queue: str = "affiliations"
    temporal_ui_url: str = "http://127.0.0.1:8233"
    temporal_rpc_timeout_seconds: float = 2.0

    # --- worker
    worker_max_cached_workflows: int = 500
    worker_max_concurrent_activities: int = 20
    worker_max_concurrent_workflow_tasks: int = 20
    worker_graceful_shutdown_seconds: float = 30.0
    worker_metrics_host: str = "127.0.0.1"
    worker_metrics_port: int = Field(default=9464, description="ours; 0: no metrics")
    worker_sdk_metrics_port: int = Field(default=9465, description="the Temporal SDK's; 0: none")
    worker_deployment_name: str = Field(default="", description="empty: no worker versioning")
    worker_build_id: str = ""

    # --- API and pages
    api_host: str = "127.0.0.1"
    api_port: int = 8000
    public_base_url: str = "http://127.0.0.1:8000"
    trusted_proxies: int = Field(
        default=0, ge=0, description="how many proxies of ours append to X-Forwarded-For; 0: it is ignored"
    )

    # --- embedded default
    local_dir: Path = ROOT / ".local"
    local_temporal_port: int = 7233
    local_temporal_ui_port: int = 8233

    # --- secrets: base64 of 32 bytes each; key ring newest first, "version:key" separated by commas
    field_keys: SecretStr = SecretStr("")
    blind_index_key: SecretStr = SecretStr("")
    link_key: SecretStr = SecretStr("")
    password_pepper: SecretStr = Field(
        default=SecretStr(""), description="two during a rotation, today's first, separated by a comma"
    )

    # --- access
    activation_proof: ActivationProof = ActivationProof.email
    pwned_passwords_url: str = Field(
        default="", description="https://api.pwnedpasswords.com or a copy; empty: passwords are checked here only"
    )

    # --- e-mail
    mail_provider: MailProvider = MailProvider.local
    mail_from_address: str = "affiliation@hcrbienetre.example"
    mail_from_name: str = "HCR Bien-Être"
    mail_settling_seconds: float = Field(
        default=600.0, description="how long an e-mail of unknown outcome may still surface at the provider"
    )
    sendgrid_api_key: SecretStr = SecretStr("")
    sendgrid_base_url: str = "https://api.sendgrid.com"
    sendgrid_webhook_public_keys: str = Field(default="", description="one or two (rotation), separated by commas")
    sendgrid_activity_search: bool = Field(default=False, description="the account has the Email Activity add-on")

    # --- post
    post_provider: PostProvider = PostProvider.local
    maileva_base_url: str = "https://api.maileva.com"
    maileva_token_url: str = "https://connexion.maileva.com/auth/realms/services/protocol/openid-connect/token"  # noqa: S105
    maileva_client_id: str = ""
    maileva_client_secret: SecretStr = SecretStr("")
    maileva_username: str = ""
    maileva_password: SecretStr = SecretStr("")
    maileva_callback_username: str = ""
    maileva_callback_password: SecretStr = SecretStr("")

    # --- SMS
    sms_provider: SmsProvider = SmsProvider.local
    ovh_base_url: str = "https://eu.api.ovh.com"
    ovh_application_key: str = ""
    ovh_application_secret: SecretStr = SecretStr("")
    ovh_consumer_key: SecretStr = SecretStr("")
    ovh_sms_service: str = ""
    ovh_sms_sender: str = "HCRBIENETRE"

    provider_timeout_seconds: float = 10.0

    # --- DSN files
    dsn_directory: str = Field(default="", description="watched for DSN files, local to the worker; empty: none is")
    dsn_most_megabytes: int = Field(default=300, ge=1, le=2000, description="of one DSN file")
    dsn_references: str = Field(
        default="", description="of contracts that are ours beside each company's own, separated by commas"
    )

    # --- documents: file:///…, s3://bucket/prefix (AWS variables), memory://
    documents_url: str = Field(default="", description="empty: `documents` under local_dir")
    clamd_address: str = Field(default="", description="unix:/path or tcp:host:port; empty: no antivirus, said plainly")

    @model_validator(mode="after")
    def _production_is_complete(self) -> Settings:
        if self.environment is not Environment.production:
            return self
        required = [
            "database_url",
            "temporal_address",
            "field_keys",
            "blind_index_key",
            "link_key",
            "password_pepper",
            "documents_url",
            "clamd_address",
        ]
        if self.mail_provider is MailProvider.sendgrid:
            required += ["sendgrid_api_key", "sendgrid_webhook_public_keys"]
        if self.post_provider is PostProvider.maileva:
            required += [
                "maileva_client_id",
                "maileva_client_secret",
                "maileva_username",
                "maileva_password",
                "maileva_callback_username",
                "maileva_callback_password",
            ]
        if self.sms_provider is SmsProvider.ovh:
            required += ["ovh_application_key", "ovh_application_secret", "ovh_consumer_key", "ovh_sms_service"]
        missing = [name.upper() for name in required if not _text(getattr(self, name))]
        if missing:
            raise ValueError(f"in production these settings are required: {', '.join(missing)}")
        if self.mail_provider is MailProvider.local or self.post_provider is PostProvider.local:
            raise ValueError("in production MAIL_PROVIDER and POST_PROVIDER must name a real provider")
        if not self.public_base_url.startswith("https://"):
            raise ValueError("in production PUBLIC_BASE_URL must start with https://")
        return self


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


@cache
def settings() -> Settings:
    """The process's settings. Raises pydantic.ValidationError when they are incomplete."""
    return Settings()
