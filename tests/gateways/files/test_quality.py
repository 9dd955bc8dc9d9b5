"""The thresholds against generated pages: what a person can read is not flagged, what nobody can read is."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from gateways.files.findings import QualityCode
from gateways.files.quality import quality_of
from tests.gateways.files.samples import LETTER, encoded, photographed, printed
from tests.shortened import one_in_three

SIZES = [(900, 1200), (1800, 2400), (3000, 4000), (2400, 1800)]


def as_received(image: Image.Image) -> Image.Image:
    """With the marks that JPEG leaves."""
    return Image.open(io.BytesIO(encoded(image, "jpeg", quality=75)))


@pytest.mark.parametrize("size", one_in_three(SIZES))
@pytest.mark.parametrize("light", [1.0, 0.7, 0.5])
def test_sharp_pages_are_good(size: tuple[int, int], light: float) -> None:
    for page in (photographed(LETTER, size), printed(LETTER, size)):
        assert quality_of(as_received(ImageEnhance.Brightness(page).enhance(light))) == ()


@pytest.mark.parametrize("size", SIZES)
def test_a_little_blur_is_good(size: tuple[int, int]) -> None:
    page = photographed(LETTER, size).filter(ImageFilter.GaussianBlur(max(size) / 1200))
    assert quality_of(as_received(page)) == ()


@pytest.mark.parametrize("contrast", [1.0, 0.6])
@pytest.mark.parametrize("size", one_in_three(SIZES))
@pytest.mark.parametrize("blur", [250, 150])
def test_pages_that_nobody_can_read_are_blurred(size: tuple[int, int], blur: int, contrast: float) -> None:
    for page in (photographed(LETTER, size), printed(LETTER, size)):
        spoilt = ImageEnhance.Contrast(page.filter(ImageFilter.GaussianBlur(max(size) / blur))).enhance(contrast)
        assert quality_of(as_received(spoilt)) == (QualityCode.blurred,)


@pytest.mark.parametrize("along", ["width", "height"])
def test_a_camera_that_moved(along: str) -> None:
    page = photographed(LETTER, (3000, 4000))
    squeezed = (75, 4000) if along == "width" else (3000, 100)
    moved = page.resize(squeezed, Image.Resampling.BOX).resize(page.size, Image.Resampling.BILINEAR)
    assert quality_of(as_received(moved)) == (QualityCode.blurred,)


def test_a_few_words_are_enough_to_tell() -> None:
    assert quality_of(as_received(photographed("Lu et approuvé", (3000, 4000)))) == ()
    page = Image.new("L", (1650, 2340), 255)
    ImageDraw.Draw(page).text((800, 1100), "x", 0, font_size=40)
    assert quality_of(page) == ()


@pytest.mark.parametrize("light", [0.3, 0.2, 0.05, 0.0])
def test_dark_photos(light: float) -> None:
    page = ImageEnhance.Brightness(photographed(LETTER, (3000, 4000))).enhance(light)
    assert quality_of(as_received(page)) == (QualityCode.too_dark,)


@pytest.mark.parametrize("level", [255, 200, 100])
def test_blank_pages(level: int) -> None:
    page = Image.new("L", (1650, 2340), level)
    assert quality_of(page) == (QualityCode.blank,)
    grain = Image.effect_noise(page.size, 20)
    assert quality_of(as_received(Image.blend(page, grain, 0.1))) in ((QualityCode.blank,), (QualityCode.too_dark,))


@pytest.mark.parametrize("size", [(1, 1), (3, 5000), (5000, 3), (30, 30)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    assert quality_of(Image.new("L", size, 255)) == (QualityCode.blank,)
    assert quality_of(Image.linear_gradient("L").resize(size))
