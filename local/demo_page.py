"""How the demonstration is printed: lines for a terminal, or for a file."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import textwrap
import time
from typing import ClassVar, TextIO

from messages.typography import NBSP, french

COLUMNS = 80
UNATTENDED_PAUSE_SECONDS = 2.5  # between the days, where nobody can press a key


class Page:
    """Lines for a terminal of 80 columns or less; colours only where a person looks and has not said NO_COLOR."""

    _STYLES: ClassVar = {
        "title": "1",
        "day": "1;36",
        "strong": "1",
        "faint": "2",
        "done": "32",
        "refused": "31",
        "email": "34",
        "post": "33",
        "look": "33",
        "link": "4",
    }
    _SIGNS: ClassVar = {"email": "@", "post": "✉", "done": "✓", "refused": "✗", "look": "!"}
    _RULE = "│ "
    _LABEL = 17  # columns of a row's label

    def __init__(self, out: TextIO, *, slow: bool = False) -> None:
        if hasattr(out, "reconfigure"):
            out.reconfigure(errors="replace")  # a terminal without these signs still shows the words
        self._out = out
        self._slow = slow
        self._attended = out.isatty() and sys.stdin.isatty()
        self._colours = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._width = min(COLUMNS, shutil.get_terminal_size((COLUMNS, 24)).columns) if out.isatty() else COLUMNS
        self.paused_seconds = 0.0

    def paint(self, style: str, text: str) -> str:
        return f"\x1b[{self._STYLES[style]}m{text}\x1b[0m" if self._colours else text

    def line(self, text: str = "", margin: str = "  ") -> None:
        print(f"{margin}{text}".rstrip(), file=self._out, flush=True)

    def title(self, name: str, about: str) -> None:
        self.line()
        self.line(self.paint("title", name) + f" · {about}")
        self.line(self.paint("faint", "─" * (self._width - 4)))
        self.line()

    def heading(self, text: str) -> None:
        self.line(self.paint("faint", "─" * (self._width - 4)))
        self.line(self.paint("title", text))
        self.line()

    def facts(self, facts: dict[str, str]) -> None:
        widest = max(map(len, facts))
        for label, text in facts.items():
            self.line(f"{label:<{widest}}   {french(text)}")
        self.line()

    def aside(self, text: str) -> None:
        for part in self._wrapped(text, 2):
            self.line(self.paint("faint", part))
        self.line()

    def failed(self, why: str) -> None:
        self.line()
        for part in self._wrapped(f"✗ L’histoire s’arrête ici. {why}", 2):
            self.line(self.paint("refused", part))

    def day(self, number: str, when: str, what: str) -> None:
        self.line(f"{self.paint('day', f'● {number}')} · {when}")
        for part in self._wrapped(what, 4):
            self._ruled(self.paint("title", part))

    def tell(self, text: str) -> None:
        for part in self._wrapped(text, 4) or [""]:
            self._ruled(part)

    def sign(self, kind: str, what: str, text: str) -> None:
        """Something that happened: a sign, a word, and the rest."""
        self._ruled()
        label = f"{self._SIGNS[kind]} {what}"
        self._labelled(self.paint(kind, label), label, text)

    def more(self, text: str) -> None:
        """Goes on with a `sign`."""
        self._labelled("", "", text)

    def row(self, label: str, text: str, *, first: bool = False) -> None:
        """What somebody reads; the `first` row of a group stands out."""
        if first:
            self._ruled()
        self._labelled(self.paint("faint", label), label, text, "strong" if first else None)

    def _labelled(self, painted: str, label: str, text: str, style: str | None = None) -> None:
        for number, part in enumerate(self._wrapped(text, 6 + self._LABEL)):
            shown = self.paint(style, part) if style else part
            self._ruled(f"  {painted + ' ' * (self._LABEL - len(label)) if number == 0 else ' ' * self._LABEL}{shown}")

    def how_to_go_on(self) -> None:
        if self._slow and self._attended:
            self.aside("Appuyez sur la touche Entrée pour passer au jour suivant.")

    async def end_of_day(self) -> None:
        self._ruled()
        if not self._slow:
            return
        began = time.monotonic()
        if self._attended:
            await _enter()
        else:
            await asyncio.sleep(UNATTENDED_PAUSE_SECONDS)
        self.paused_seconds += time.monotonic() - began

    def _ruled(self, text: str = "") -> None:
        self.line(self.paint("faint", self._RULE) + text)

    def _wrapped(self, text: str, before: int) -> list[str]:
        return textwrap.wrap(french(text), self._width - before - 2, break_long_words=False, break_on_hyphens=False)


def seconds_in_words(seconds: float) -> str:
    return f"{seconds:.1f}".replace(".", ",") + f"{NBSP}secondes"


def euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02}{NBSP}€"


def apostrophes(text: str) -> str:
    return text.replace("'", "’")


async def _enter() -> None:
    """Until a line comes from the keyboard; a Ctrl-C is heard meanwhile."""
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), pressed.set)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    sys.stdin.readline()
