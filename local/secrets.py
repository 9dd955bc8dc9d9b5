"""The secrets of the embedded default: made once, kept in one file that only its owner reads."""

from __future__ import annotations

import base64
import json
import os
import secrets as random
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local.errors import LocalError

FILE_NAME = "secrets.json"


@dataclass(frozen=True)
class Secrets:
    """Passwords of the PostgreSQL logins and the four keys of the application, in the form settings.py expects."""

    postgres_password: str = field(repr=False)
    owner_password: str = field(repr=False)
    app_password: str = field(repr=False)
    field_keys: str = field(repr=False)
    blind_index_key: str = field(repr=False)
    link_key: str = field(repr=False)
    password_pepper: str = field(repr=False)


def load_or_create(directory: Path, *, may_create: bool = True) -> Secrets:
    """Read `directory`/secrets.json, writing it (mode 0600) the first time.

    `may_create` is False when encrypted data already exist: new keys could not read them. Raises LocalError.
    """
    path = directory / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not may_create:
            raise LocalError(
                f"{path} is missing although there are data: without its keys they cannot be read. "
                "Put the file back, or start anew with `make reset`."
            ) from None
        made = _new()
        _write(path, made)
        return made
    except PermissionError:
        raise LocalError(f"{path} belongs to another user. Run as that user, or set LOCAL_DIR.") from None
    try:
        kept = json.loads(text)
        read = Secrets(**{"password_pepper": _key(), **kept})
        if not all(isinstance(value, str) and value for value in asdict(read).values()):
            raise ValueError("empty secret")
    except (ValueError, TypeError):
        raise LocalError(f"{path} cannot be read. Put it back from a copy, or start anew with `make reset`.") from None
    if "password_pepper" not in kept:  # of a file older than the portal's users
        _write(path, read)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return read


def _key() -> str:
    return base64.b64encode(random.token_bytes(32)).decode("ascii")


def _new() -> Secrets:
    def password() -> str:
        # Hexadecimal: needs no quoting in SQL nor in a URL.
        return random.token_hex(24)

    return Secrets(
        postgres_password=password(),
        owner_password=password(),
        app_password=password(),
        field_keys=f"1:{_key()}",
        blind_index_key=_key(),
        link_key=_key(),
        password_pepper=_key(),
    )


def _write(path: Path, content: Secrets) -> None:
    """All or nothing: a half-written file after a power cut would lose the keys of everything encrypted since."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(content), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
