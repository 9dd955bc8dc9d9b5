"""What an inspection finds, as types that its parent process and its child process share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

MAX_BYTES = 10 * 1024 * 1024  # of a received file (U-01)
MAX_PIXELS = 50_000_000  # of an image, or of an image within a PDF (U-02)
MAX_PAGES = 30  # of a PDF (U-02)

MediaType = Literal["application/pdf", "image/jpeg"]


class RefusalCode(StrEnum):
    """Why a file is not taken; the French words are in `messages/`."""

    too_big = "too_big"
    empty = "empty"
    type_not_allowed = "type_not_allowed"
    damaged = "damaged"  # cannot be read whole, or is made so as to exhaust who reads it
    too_many_pixels = "too_many_pixels"
    encrypted = "encrypted"
    active_content = "active_content"
    attachments = "attachments"
    too_many_pages = "too_many_pages"
    too_slow = "too_slow"


class QualityCode(StrEnum):
    """Why a person may not be able to read a file. Advice to who sends it, never a refusal."""

    blurred = "blurred"
    too_dark = "too_dark"
    too_small = "too_small"
    blank = "blank"


@dataclass(frozen=True)
class Refusal:
    code: RefusalCode


@dataclass(frozen=True)
class Inspected:
    """A file made harmless. `content` was written by us from what was read: nothing of the sent bytes goes along.

    `pages`: 1 for an image. `text`: the text layer of a PDF's first 5 pages, at most 20,000 characters; empty for an
    image or a scan.
    """

    media_type: MediaType
    content: bytes
    pages: int
    text: str
    quality: tuple[QualityCode, ...]


class FileRefused(Exception):
    """The file will never be taken. Its text holds the code only."""

    def __init__(self, code: RefusalCode) -> None:
        super().__init__(f"file refused: {code}")
        self.code = code
