"""Honest files as people send them, made by code: a RIB, a certificate of rights, photos. Synthetic data only."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import typst
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Format = Literal["jpeg", "png", "heic"]

LETTER = """Caisse primaire d'assurance maladie
Attestation de droits à l'assurance maladie

Madame MARTIN Camille
12 rue des Lilas, 75011 PARIS

Nous certifions que la personne désignée ci-dessous
bénéficie de la prise en charge de ses frais de santé
par le régime général, sauf erreur de notre part.

Cette attestation est valable du 1er janvier 2026
au 31 décembre 2026, sous réserve de tout changement
de situation. Conservez-la avec votre carte Vitale.

Le directeur de la caisse"""


def rib_pdf(iban: str, holder: str) -> bytes:
    """A bank's RIB of one page with a text layer, the IBAN in groups of four. Same input, same bytes."""
    grouped = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))
    lines = [f"Titulaire du compte : {holder}", "Domiciliation : BANQUE DE DEMONSTRATION", f"IBAN : {grouped}"]
    return _typeset("Relevé d'identité bancaire", [*lines, "BIC : DEMOFRPPXXX"])


def certificate_pdf(nir: str, names: str, children: Sequence[str] = ()) -> bytes:
    """A certificate of rights of one page with a text layer, the NIR as 13 digits and key. Same input, same bytes."""
    lines = [f"Assuré : {names}", f"N° de sécurité sociale : {nir[:13]} {nir[13:]}", "Régime général"]
    return _typeset("Attestation de droits à l'assurance maladie", [*lines, *(f"Ayant droit : {c}" for c in children)])


@cache
def photo(text: str = LETTER, fmt: Format = "jpeg", size: tuple[int, int] = (3000, 4000)) -> bytes:
    """A phone's photo of a printed page on a table: tilted, unevenly lit, a little noise. Same input, same bytes."""
    return encoded(photographed(text, size), fmt)


@cache
def blurred_photo(size: tuple[int, int] = (3000, 4000)) -> bytes:
    """`photo()` as JPEG, so badly out of focus that nothing can be read."""
    return encoded(photographed(LETTER, size).filter(ImageFilter.GaussianBlur(max(size) / 250)), "jpeg")


@cache
def photographed(text: str, size: tuple[int, int]) -> Image.Image:
    """What `photo` encodes. Do not change it in place."""
    table = Image.new("RGB", size, (96, 74, 58))
    page = printed(text, (size[0] * 17 // 20, size[1] * 17 // 20)).rotate(
        2.5, Image.Resampling.BICUBIC, expand=True, fillcolor=None
    )
    mask = Image.new("L", (size[0] * 17 // 20, size[1] * 17 // 20), 255).rotate(2.5, expand=True)
    table.paste(page, ((size[0] - page.width) // 2, (size[1] - page.height) // 2), mask)
    light = Image.linear_gradient("L").resize(size).point(lambda level: 150 + level * 90 // 255)
    lit = ImageChops.multiply(table, Image.merge("RGB", (light, light, light)))
    grain = _grain(size)
    return Image.blend(lit, ImageChops.overlay(lit, Image.merge("RGB", (grain, grain, grain))), 0.5)


def printed(text: str, size: tuple[int, int]) -> Image.Image:
    """A white page with black text, as a scanner gives it."""
    page = Image.new("RGB", size, (250, 249, 245))
    font = ImageFont.truetype(_FONT, size[0] / 32)
    draw = ImageDraw.Draw(page)
    draw.multiline_text((size[0] // 12, size[1] // 12), text, (25, 25, 30), font, spacing=size[0] / 60)
    return page


def encoded(image: Image.Image, fmt: Format, **options: Any) -> bytes:
    """The image's file; `options` are Pillow's."""
    out = io.BytesIO()
    if fmt == "heic":
        import pillow_heif

        pillow_heif.from_pillow(image).save(out, quality=options.pop("quality", 60), **options)
    else:
        image.save(out, fmt, **({"quality": 90, **options} if fmt == "jpeg" else options))
    return out.getvalue()


def _grain(size: tuple[int, int]) -> Image.Image:
    """The same each time, unlike Image.effect_noise: a small picture of pseudo-random levels, repeated."""
    side = 256
    levels = bytes((112 + (at * 2654435761 >> 13) % 32) for at in range(side * side))
    tile = Image.frombytes("L", (side, side), levels)
    grain = Image.new("L", size)
    for left in range(0, size[0], side):
        for top in range(0, size[1], side):
            grain.paste(tile, (left, top))
    return grain


def _font() -> Path:
    package = find_spec("font_source_sans_pro")
    assert package is not None
    assert package.submodule_search_locations is not None
    return next(Path(package.submodule_search_locations[0]).rglob("SourceSansPro-Regular.ttf"))


_FONT = _font()
_TEMPLATE = b"""
#let data = json(bytes(sys.inputs.data))
#set page(paper: "a4")
#set text(size: 11pt, lang: "fr")
#set document(title: data.title, date: none)
= #data.title
#for line in data.lines [#line #parbreak()]
"""


def _typeset(title: str, lines: list[str]) -> bytes:
    data = json.dumps({"title": title, "lines": lines})
    pdf = typst.compile(_TEMPLATE, format="pdf", sys_inputs={"data": data})
    assert isinstance(pdf, bytes)
    return pdf
