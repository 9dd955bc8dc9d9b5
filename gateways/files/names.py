"""Names of files, as people gave them and as they may be shown, sent in a header and put in an archive (U-05, U-06)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from gateways.files.findings import MediaType

MAX_CHARACTERS = 100
_UNNAMED = "fichier"
_EXTENSIONS: dict[MediaType, str] = {"application/pdf": "pdf", "image/jpeg": "jpg"}
# What a path, a header, a shell or Windows reads as something else than a name.
_FORBIDDEN = frozenset('"`<>|:*?\\/')
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,5})\Z")


def safe_name(name: str) -> str:
    """The name without its path and without anything that is not text; 1 to 100 characters, NFC, its extension kept.

    Removed: control and format characters (NUL, CR, LF, bidirectional overrides, zero-width marks), lone surrogates,
    quotes, `<>|:*?`; the ASCII apostrophe becomes ’. Giving the result again changes nothing.
    """
    last_part = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    kept = "".join(map(_kept, last_part))
    text = unicodedata.normalize("NFC", " ".join(kept.split())).rstrip(". ")
    extension = extension_of(text)
    suffix = f".{extension}" if extension else ""
    stem = text.removesuffix(suffix).strip(". ")
    return (stem[: MAX_CHARACTERS - len(suffix)].rstrip(". ") or _UNNAMED) + suffix


def stored_name(name: str, media_type: MediaType) -> str:
    """`safe_name` with the extension of what was stored: a photo sent as .heic is kept, and downloaded, as .jpg."""
    safe = safe_name(name)
    extension = extension_of(safe)
    stem = safe.removesuffix(f".{extension}") if extension else safe
    right = _EXTENSIONS[media_type]
    if extension.lower() == right or (right == "jpg" and extension.lower() == "jpeg"):
        return safe
    return safe_name(f"{stem[: MAX_CHARACTERS - 1 - len(right)]}.{right}")


def extension_of(name: str) -> str:
    """What follows the last dot, without it, when that looks like an extension (1 to 5 letters or digits), else ""."""
    found = _EXTENSION.search(name)
    return found[1] if found else ""


def content_disposition(name: str) -> str:
    """The header's value that makes a browser save the file under this name (RFC 6266, RFC 8187); ASCII, one line."""
    return f"attachment; filename*=UTF-8''{quote(safe_name(name), safe='')}"


def _kept(character: str) -> str:
    if character == "'":
        return "’"
    category = unicodedata.category(character)
    if category.startswith("Z"):
        return " "
    return "" if category.startswith("C") or character in _FORBIDDEN else character
