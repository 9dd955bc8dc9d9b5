"""The conditions générales of the portal: `terms/<version>.toml`, in French. A published version is never edited."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("terms")


@dataclass(frozen=True)
class Terms:
    """`sections`: (title, paragraphs) in order. `sha256`: of the file as published."""

    version: str
    title: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]
    sha256: str


@cache
def current_terms() -> Terms:
    """The newest version: whoever accepted an older one is asked again (security.md A-04)."""
    return terms(max(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def terms(version: str) -> Terms:
    """Raises KeyError for an unknown version."""
    path = _FOLDER / f"{version}.toml"
    if path not in set(_FOLDER.glob("*.toml")):
        raise KeyError(version)
    content = path.read_bytes()
    read = tomllib.loads(content.decode())
    sections = tuple((one["title"], tuple(one["paragraphs"])) for one in read["section"])
    return Terms(version, read["title"], sections, hashlib.sha256(content).hexdigest())
