"""What a received file is, and the harmless copy of it. The input is hostile: run it with `inspector.inspect_file`.

As a program (`python -m gateways.files.inspection`) it answers one request and ends. Standard input: a line of JSON
`{"name"}`, then the bytes. Standard output: a line of JSON, `{"refusal"}` or `{"media_type", "pages", "text",
"quality"}`, then the bytes to keep. It may use little memory and processor time, may write no file, and once it has
loaded what it needs may open nothing any more: no file, no socket.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import sys
from collections.abc import Callable
from functools import partial

from gateways.children import limit_this_process
from gateways.files.findings import MAX_BYTES, Inspected, Refusal, RefusalCode
from gateways.files.names import extension_of, safe_name

CPU_SECONDS = 10
_IMAGES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/apng": "PNG", "image/heic": "HEIF"}  # as Pillow says
_EXTENSIONS = frozenset({"pdf", "jpg", "jpeg", "png", "heic", "heif"})


def inspect(
    content: bytes, declared_name: str, *, before_parsing: Callable[[], None] = lambda: None
) -> Inspected | Refusal:
    """Extension in the list, then magic, then a full parse, then written anew (U-01, U-02, U-06).

    The content decides: a PNG called .jpg is a PNG. Whatever a parser raises on hostile bytes is `damaged`; limits
    of memory and time are the process's, see the module. `before_parsing` is called once what parses is loaded.
    """
    if not content:
        return Refusal(RefusalCode.empty)
    if len(content) > MAX_BYTES:
        return Refusal(RefusalCode.too_big)
    if extension_of(safe_name(declared_name)).lower() not in _EXTENSIONS:
        return Refusal(RefusalCode.type_not_allowed)
    made_harmless = _parser(content)
    if made_harmless is None:
        return Refusal(RefusalCode.type_not_allowed)
    before_parsing()
    try:
        return made_harmless(content)
    except Exception:  # three C libraries on hostile bytes: no list of what they raise would be whole
        return Refusal(RefusalCode.damaged)


def main() -> None:
    """One request, within limits."""
    limit_this_process(CPU_SECONDS)
    request = json.loads(sys.stdin.buffer.readline())
    found = inspect(sys.stdin.buffer.read(), request["name"], before_parsing=_open_nothing_more)
    if isinstance(found, Refusal):
        answer, content = {"refusal": found.code}, b""
    else:
        answer, content = dataclasses.asdict(found), found.content
        del answer["content"]
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + content)
    sys.stdout.buffer.flush()
    os._exit(0)  # the libraries' clean-up is not worth its time, nor a crash in it


def _parser(content: bytes) -> Callable[[bytes], Inspected | Refusal] | None:
    """What reads this kind of file; only that is imported, since each library costs some 50 ms."""
    import filetype  # type: ignore[import-untyped]

    kind = filetype.guess_mime(content)
    if kind == "application/pdf" and content.startswith(b"%PDF-"):
        from gateways.files.pdfs import harmless_pdf, open_randomness

        open_randomness()
        return harmless_pdf
    if content[4:12] == b"ftypheix":  # 10 bits, which filetype does not know
        kind = "image/heic"
    if kind in _IMAGES:
        from gateways.files.images import harmless_image, load_heif

        if kind == "image/heic":
            load_heif()
        return partial(harmless_image, kind=_IMAGES[kind])
    return None


def _open_nothing_more() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))  # the three standard streams


if __name__ == "__main__":
    main()
