"""Photos and scans sent as images, decoded whole and written again as a plain JPEG. Runs within `inspection`."""

from __future__ import annotations

import io

# Pillow imports the last two by itself, for phones' photos and for EXIF: too late, nothing may be opened any more then.
from PIL import Image, MpoImagePlugin, TiffImagePlugin  # noqa: F401

from gateways.files.findings import MAX_PIXELS, Inspected, QualityCode, Refusal, RefusalCode
from gateways.files.quality import quality_of

LONGEST_SIDE = 2400  # pixels of what is kept: A4 at 200 dpi
SMALL_SIDE = 800  # pixels, the longest side; below, the small print of a document cannot be read
_JPEG_QUALITY = 85
_JPEG_SCAN = b"\xff\xda"  # the marker; within a scan's data it cannot occur
_JPEG_SCANS = 100  # a progressive photo has some ten; each costs a pass over the whole picture
_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.preinit()
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit only warns at first; ours is below


def harmless_image(content: bytes, kind: str) -> Inspected | Refusal:
    """The picture upright, on white, at most 2400 pixels long, as JPEG without EXIF, GPS, comment or colour profile.

    `kind`: "JPEG", "PNG" or "HEIF" (after `load_heif`), tried alone. Of several pictures in one file the first, or
    primary, one counts.
    Raises whatever Pillow and libheif raise on a damaged file.
    """
    image: Image.Image = Image.open(io.BytesIO(content), formats=(kind,))
    if image.width * image.height > MAX_PIXELS:
        return Refusal(RefusalCode.too_many_pixels)
    if kind == "JPEG" and content.count(_JPEG_SCAN) > _JPEG_SCANS:
        return Refusal(RefusalCode.damaged)
    longest = max(image.size)
    image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))  # a big JPEG is decoded whole, at a half, quarter or eighth
    image.load()
    picture = _upright(_on_white(_at_most(image, LONGEST_SIDE)), _orientation(image))
    quality = quality_of(picture)
    if longest < SMALL_SIDE:
        quality = (*quality, QualityCode.too_small)
    return Inspected("image/jpeg", _jpeg(picture), pages=1, text="", quality=quality)


def load_heif() -> None:
    """Teaches Pillow to read HEIC."""
    import pillow_heif

    # A hidden thumbnail may show something else than the picture; threads reserve address space on a big machine.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=2)


def _at_most(image: Image.Image, side: int) -> Image.Image:
    if max(image.size) <= side:
        return image
    width, height = (max(1, round(length * side / max(image.size))) for length in image.size)
    if image.mode in ("1", "P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip to 255
        return image.point(lambda level: level / 256, "L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # EXIF can be broken in many ways and the picture still be good
        return 1


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _jpeg(picture: Image.Image) -> bytes:
    picture.info = {}  # Pillow would write a comment and the like again
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_JPEG_QUALITY)
    return out.getvalue()
