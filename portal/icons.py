"""The drawings beside words, from the Lucide set: they say nothing by themselves."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from lucide import lucide_icon
from markupsafe import Markup

# Our name for what it says, and Lucide's for what it shows; a status's or a message's state is its own name.
ICONS: Final = {
    "preparing": "clock",
    "sent": "send",
    "started": "pencil-line",
    "finalised": "circle-check",
    "abandoned": "ban",
    "prepared": "clock",
    "handed_over": "send",
    "delivered": "circle-check",
    "rejected": "circle-x",
    "unknown": "circle-question-mark",
    "superseded": "replace",
    "email": "mail",
    "post": "mailbox",
    "sms": "message-square-text",
    "warning": "triangle-alert",
    "to_correct": "triangle-alert",
    "look": "triangle-alert",
    "done": "circle-check",
    "good": "circle-check",
    "to_do": "circle",
    "clock": "clock",
    "calendar": "calendar-clock",
    "pause": "pause",
    "play": "play",
    "skip": "skip-forward",
    "file": "file-text",
    "files": "files",
    "download": "download",
    "upload": "upload",
    "camera": "camera",
    "lock": "lock",
    "languages": "languages",
    "home": "house",
    "company": "building-complex",
    "contract": "scroll-text",
    "people": "users",
    "person": "circle-user-round",
    "add_person": "user-plus",
    "insured": "shield-check",
    "library": "book-open-text",
    "key": "key-round",
    "requests": "messages-square",
    "help": "circle-question-mark",
    "messages": "mail",
    "bell": "bell",
    "menu": "menu",
    "search": "search",
    "filter": "sliders-horizontal",
    "switch": "arrow-left-right",
    "edit": "pencil",
    "remind": "bell-ring",
    "withdraw": "trash",
    "restart": "rotate-ccw",
    "phone": "phone",
    "qr": "qr-code",
    "device": "smartphone",
    "refresh": "refresh-cw",
    "next": "arrow-right",
    "previous": "arrow-left",
    "sort_up": "arrow-up",
    "sort_down": "arrow-down",
    "sort": "arrow-up-down",
    "print": "printer",
    "eye": "eye",
    "paper": "file-pen-line",
    "inbox": "inbox",
    "dsn": "file-input",
    "chart": "chart-column",
    "info": "info",
    "external": "external-link",
    "late": "alarm-clock",
    "sign_out": "log-out",
    "staff": "id-card",
    "history": "rotate-ccw-clock",
    "question": "message-circle-question-mark",
}


@cache
def icon(name: str) -> Markup:
    """Inline SVG, as wide as the text beside it and hidden from screen readers. Raises KeyError."""
    drawn = lucide_icon(ICONS[name])
    inside = re.sub(r"\s*\n\s*", "", drawn[drawn.index(">") + 1 :])
    return Markup(  # noqa: S704 - of the package, nobody's text
        '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{inside}'
    )
