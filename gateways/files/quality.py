"""Whether a person will be able to read a picture, from cheap measures. Advice only, never a refusal."""

from __future__ import annotations

from PIL import Image, ImageChops

from gateways.files.findings import QualityCode

# Chosen with generated pages, see tests/gateways/files/test_quality.py.
_MEASURED_SIDE = 1200  # pixels: blur below this size does not keep anybody from reading
_DARK_LEVEL = 80  # of 255: the brightest 2 % of a picture with paper in it are lighter than that
_BLANK_RANGE = 24  # levels between the darkest and the brightest spot
_EDGE_RANGE = 40  # levels: a tile with less shows no edge worth measuring
_SHARP = 0.22  # sharp pages measure 0.5 and more, pages that nobody can read 0.2 and less
_TILE = 40  # pixels


def quality_of(picture: Image.Image) -> tuple[QualityCode, ...]:
    """The codes `blank`, `too_dark` or `blurred` that hold: at most one, since the first hides the others."""
    grey = picture.convert("L")
    grey.thumbnail((_MEASURED_SIDE, _MEASURED_SIDE), Image.Resampling.BILINEAR)
    if _level_reached_by(grey, 0.02) < _DARK_LEVEL:
        return (QualityCode.too_dark,)
    smooth = grey.resize((max(1, grey.width // 4), max(1, grey.height // 4)), Image.Resampling.BOX)
    darkest, brightest = _range(smooth)
    if brightest - darkest < _BLANK_RANGE:
        return (QualityCode.blank,)
    return (QualityCode.blurred,) if sharpness(grey) < _SHARP else ()


def sharpness(grey: Image.Image) -> float:
    """How steep the edges are, 0 to 1: the steepest step between neighbours, as a share of the contrast around it.

    About 0.5 divided by the blur's standard deviation in pixels, whatever the contrast, the light or the amount of
    text. Measured in tiles, of which the sharpest tenth counts, and in the worse of both directions: a camera that
    moved blurs one. 0 when no tile has an edge.
    """
    across = ImageChops.difference(grey, ImageChops.offset(grey, -1, 0))
    down = ImageChops.difference(grey, ImageChops.offset(grey, 0, -1))
    shares: list[tuple[float, float]] = []
    for left in range(0, grey.width - _TILE, _TILE):
        for top in range(0, grey.height - _TILE, _TILE):
            tile = (left, top, left + _TILE, top + _TILE)
            darkest, brightest = _range(grey.crop(tile))
            contrast = brightest - darkest
            if contrast >= _EDGE_RANGE:
                shares.append((_range(across.crop(tile))[1] / contrast, _range(down.crop(tile))[1] / contrast))
    if not shares:
        return 0.0
    tenth = max(1, len(shares) // 10)
    return min(sorted(share[direction] for share in shares)[-tenth] for direction in (0, 1))


def _range(grey: Image.Image) -> tuple[int, int]:
    darkest, brightest = grey.getextrema()
    assert isinstance(darkest, (int, float))
    assert isinstance(brightest, (int, float))
    return int(darkest), int(brightest)


def _level_reached_by(grey: Image.Image, share: float) -> int:
    """The level that this share of the pixels reaches or passes."""
    wanted = grey.width * grey.height * share
    histogram = grey.histogram()
    for level in range(255, -1, -1):
        wanted -= histogram[level]
        if wanted <= 0:
            return level
    return 0
