"""The legal texts of the employee's form: `legal/<version>.toml`, in French, and their translations.

Only the French text binds, and a published version is never edited: what somebody signed can be shown again, and is
known by its name, version and SHA-256. A translation (`legal.<version>.<name>` in the catalogues) stands beside it,
under the words of `legal.translation_notice`.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup

from domain.media import Language
from messages.catalogue import catalogue, marked

_FOLDER = Path(__file__).with_name("legal")


@dataclass(frozen=True)
class LegalText:
    """`french`: paragraphs parted by an empty line, with **important** words as in the catalogues. `sha256`: of it."""

    name: str
    version: str
    french: str
    sha256: str


def legal_text(name: str, version: str) -> LegalText:
    """Raises KeyError for an unknown name or version."""
    return _texts(version)[name]


def current_version() -> str:
    """The latest one."""
    return max(_versions())


def translation(name: str, language: Language, version: str | None = None) -> str | None:
    """What the text says in another language, of the same shape as the French; None in French.

    `version`: the current one unless given. Raises KeyError for an unknown name or version.
    """
    text = legal_text(name, version or current_version())
    if language is Language.fr:
        return None
    return catalogue(language).source(f"legal.{text.version}.{text.name}")


def paragraphs(text: str) -> list[Markup]:
    """A legal text or its translation, for a page."""
    return [marked(paragraph) for paragraph in text.strip().split("\n\n")]


@cache
def _texts(version: str) -> Mapping[str, LegalText]:
    if version not in _versions():
        raise KeyError(version)
    texts = tomllib.loads((_FOLDER / f"{version}.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: _legal_text(name, version, french) for name, french in texts.items()})


def _legal_text(name: str, version: str, french: str) -> LegalText:
    return LegalText(name, version, french, hashlib.sha256(french.encode()).hexdigest())


@cache
def _versions() -> frozenset[str]:
    return frozenset(path.stem for path in _FOLDER.glob("*.toml"))
