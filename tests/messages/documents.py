"""What the tests of PDF documents look at: their texts, their structure, their codes."""

from __future__ import annotations

import io
import re
from typing import Any

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import segno

from messages import typeset

MILLIMETRE = 72 / 25.4
BAD_SPACE = re.compile(r"\S [:;?!»]|« ")


def pages_of(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    return [document[index].get_textpage().get_text_range().replace("\r\n", "\n") for index in range(len(document))]


def flat(text: str) -> str:
    """On one line; without the marks for the direction and the breaks of names."""
    return re.sub(r"[ \n]+", " ", re.sub(r"[\u2068\u2069\u200b]", "", text))


def structure(pdf: pikepdf.Pdf) -> list[tuple[str, str | None]]:
    """(type, alternative text) of every structure element, in reading order."""
    found: list[tuple[str, str | None]] = []

    def walk(node: Any) -> None:
        if isinstance(node, pikepdf.Array):
            for child in node:
                walk(child)
        elif isinstance(node, pikepdf.Dictionary):
            if "/S" in node:
                found.append((str(node["/S"]), str(node["/Alt"]) if "/Alt" in node else None))
            if "/K" in node:
                walk(node["/K"])

    walk(pdf.Root.StructTreeRoot.K)
    return found


def assert_accessible(content: bytes, title: str, lang: str = "fr-FR") -> list[tuple[str, str | None]]:
    """Tagged, named, in this language; returns its structure."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert pdf.Root.MarkInfo.Marked
        assert pdf.Root.Lang == lang
        assert pdf.Root.ViewerPreferences.DisplayDocTitle
        with pdf.open_metadata() as metadata:
            assert title in metadata["dc:title"]
            assert metadata["pdfuaid:part"] == "1"
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("2", "A")
        elements = structure(pdf)
    assert all(alternative for kind, alternative in elements if kind == "/Figure")
    return elements


def stretches(pdf: pikepdf.Pdf) -> list[tuple[str, dict[str, str]]]:
    """(tag, properties) of every marked stretch of content: its language, what it says where the letters do not."""
    found = []
    for page in pdf.pages:
        for instruction in pikepdf.parse_content_stream(page):
            if str(instruction.operator) in ("BMC", "BDC"):
                tag, *rest = instruction.operands
                given = rest[0].items() if rest and isinstance(rest[0], pikepdf.Dictionary) else ()
                found.append((str(tag), {str(name): str(value) for name, value in given}))
    return found


def languages_of(content: bytes) -> set[str]:
    """The languages that parts of the document say they are in."""
    with pikepdf.open(io.BytesIO(content)) as pdf:
        elements = [thing for thing in pdf.objects if isinstance(thing, pikepdf.Dictionary) and "/S" in thing]
        said = {properties["/Lang"] for _, properties in stretches(pdf) if "/Lang" in properties}
        return said | {str(element["/Lang"]) for element in elements if "/Lang" in element}


def shows_code(pdf: bytes, page: int, content: str, right: float, bottom: float, side: float) -> bool:
    """Whether the QR code of `content`, this big, has its lower right corner there: millimetres from the page's own."""
    scale = 8
    image = pypdfium2.PdfDocument(pdf)[page].render(scale=scale).to_pil().convert("L")
    expected = segno.make_qr(content, error="m", mask=typeset.QR_MASK)
    matrix = [[bool(module) for module in row] for row in expected.matrix]
    pixel = MILLIMETRE * scale
    module = side * pixel / len(matrix)
    left, top = image.width - (right + side) * pixel, image.height - (bottom + side) * pixel
    seen = [
        [image.getpixel((int(left + (x + 0.5) * module), int(top + (y + 0.5) * module))) < 128 for x in range(len(row))]
        for y, row in enumerate(matrix)
    ]
    return seen == matrix
