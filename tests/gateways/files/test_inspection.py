from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest
from pikepdf import Array, Dictionary, Name, Pdf
from PIL import Image

from gateways.children import MEMORY_BYTES
from gateways.files import inspector
from gateways.files.findings import FileRefused, Inspected, QualityCode, RefusalCode
from gateways.files.inspection import CPU_SECONDS
from gateways.files.inspector import InspectorUnavailable, inspect_file
from tests.gateways.files import corpus
from tests.gateways.files.corpus import BAD_FILES, annotation, pdf_with
from tests.gateways.files.samples import (
    LETTER,
    Format,
    blurred_photo,
    certificate_pdf,
    encoded,
    photo,
    photographed,
    printed,
    rib_pdf,
)
from tests.shortened import one_in_three

ROOT = Path(__file__).parents[3]
IBAN = "FR7600000000000000000000000"
SIZE = (900, 1200)

# Runs one inspection and tells its peak memory in KB: the test's own process is too big to see its child behind it.
MEASURE = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "gateways.files.inspection"], stdin=sys.stdin, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def opened(found: Inspected) -> Image.Image:
    assert found.media_type == "image/jpeg"
    image = Image.open(io.BytesIO(found.content))
    image.load()
    assert image.format == "JPEG"
    assert (image.mode, found.pages, found.text) == ("RGB", 1, "")
    return image


def request(content: bytes, name: str) -> bytes:
    return json.dumps({"name": name}).encode() + b"\n" + content


# --- what is refused


@pytest.mark.parametrize("what", one_in_three(BAD_FILES))
async def test_bad_files_are_refused_in_bounded_time(what: str) -> None:
    bad = BAD_FILES[what]
    content = bad.make()
    started = time.monotonic()
    with pytest.raises(FileRefused) as refused:
        await inspect_file(content, bad.name)
    assert refused.value.code in bad.codes
    assert time.monotonic() - started < inspector.WALL_SECONDS + 2


@pytest.mark.parametrize(
    "what",
    one_in_three(
        [
            "png of 400 megapixels",
            "jpeg of 4 gigapixels",
            "heic of 900 megapixels",
            "png text bomb",
            "png profile bomb",
            "zip bomb",
            "flate bomb",
            "flate bomb, twice",
            "many big streams",
            "huge image in a pdf",
            "a million pages",
        ]
    ),
)
def test_bombs_are_refused_in_bounded_memory(what: str) -> None:
    assert peak_megabytes(BAD_FILES[what].make(), BAD_FILES[what].name) < 300


def test_the_biggest_honest_picture_fits() -> None:
    biggest = encoded(Image.new("RGBA", (7000, 7100), (10, 200, 30, 128)), "png")
    assert peak_megabytes(biggest, "a.png") < MEMORY_BYTES / 1_000_000


def peak_megabytes(content: bytes, name: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], input=request(content, name), cwd=ROOT, capture_output=True, check=True
    )
    return int(done.stdout) / 1000


def test_a_refusal_tells_nothing_of_the_file_and_writes_nothing(tmp_path: Path) -> None:
    for content in (photo(size=SIZE)[:-5000], pdf_with(lambda pdf: None)[:9000], BAD_FILES["page tree loop"].make()):
        done = subprocess.run(
            [sys.executable, "-m", "gateways.files.inspection"],
            input=request(content, "Camille.pdf"),
            env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout) == {"refusal": "damaged"}
        assert done.stderr == b""
        assert list(tmp_path.iterdir()) == []


def test_the_child_can_neither_write_nor_connect_nor_take_more() -> None:
    program = f"""
import resource, socket, tempfile
from gateways import children
from gateways.files import inspection
file = tempfile.TemporaryFile(buffering=0)
children.limit_this_process(inspection.CPU_SECONDS)
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
assert resource.getrlimit(resource.RLIMIT_CPU)[0] == {CPU_SECONDS}
def refused(call, *errors):
    try:
        call()
    except errors:
        return
    raise SystemExit("was possible")
refused(lambda: file.write(b"x"), OSError)
refused(lambda: bytearray({MEMORY_BYTES}), MemoryError)
inspection._open_nothing_more()
refused(socket.socket, OSError)
refused(lambda: open("/etc/hostname"), OSError)
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


# --- images


@pytest.mark.parametrize(("fmt", "name"), [("jpeg", "a.JPG"), ("png", "a.png"), ("heic", "a.heic"), ("png", "a.jpg")])
async def test_each_kind_of_photo_goes_through(fmt: Format, name: str) -> None:
    sent = photographed(LETTER, SIZE)
    found = await inspect_file(photo(LETTER, fmt, SIZE), name)
    image = opened(found)
    assert image.size == SIZE
    assert found.quality == ()
    for place in ((450, 300), (20, 20), (450, 1000)):
        assert near(image, place, pixel(sent, place))


async def test_a_big_photo_becomes_smaller() -> None:
    assert opened(await inspect_file(photo(), "a.jpg")).size == (1800, 2400)
    wide = encoded(Image.new("RGB", (7000, 50), "white"), "png")
    assert opened(await inspect_file(wide, "a.png")).size == (2400, 17)


async def test_everything_but_the_picture_goes() -> None:
    for fmt, name in (("jpeg", "a.jpg"), ("png", "a.png")):
        content = corpus.photo_with_gps(fmt=fmt)
        assert b"Telephone 12" in content
        found = await inspect_file(content, name)
        image = opened(found)
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        for left in (b"Exif", b"Telephone", b"GPS", b"ICC", b"http"):
            assert left not in found.content


@pytest.mark.parametrize("orientation", one_in_three(range(0, 10)))
async def test_the_picture_is_turned_upright(orientation: int) -> None:
    """Against Pillow's own reading of the EXIF tag; values outside 1 to 8 mean nothing."""
    from PIL import ImageOps

    content = corpus.photo_with_gps(orientation)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    image = opened(await inspect_file(content, "a.jpg"))
    assert image.size == expected.size
    for place in ((30, 30), (250, 200), (850, 850), (200, 850), (850, 200)):
        assert near(image, place, pixel(expected, place))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
async def test_broken_exif_does_not_matter(exif: bytes) -> None:
    assert opened(await inspect_file(encoded(photographed(LETTER, SIZE), "jpeg", exif=exif), "a.jpg")).size == SIZE


async def test_unusual_pixels_keep_their_colours() -> None:
    half = Image.new("RGB", SIZE, (250, 250, 250))
    half.paste((180, 30, 30), (0, 0, 450, 1200))
    grey = half.convert("L")
    kinds = {
        "cmyk.jpg": encoded(half.convert("CMYK"), "jpeg"),
        "grey.jpg": encoded(grey, "jpeg"),
        "progressive.jpg": encoded(half, "jpeg", progressive=True),
        "palette.png": encoded(half.quantize(8), "png"),
        "grey.png": encoded(grey, "png"),
        "bits.png": encoded(grey.convert("1", dither=Image.Dither.NONE), "png"),
        "16 bits.png": encoded(sixteen_bits(grey), "png"),
        "big 16 bits.png": encoded(sixteen_bits(grey.resize((2700, 3600))), "png"),
        "big palette.png": encoded(half.resize((2700, 3600)).quantize(8), "png"),
    }
    for name, content in kinds.items():
        image = opened(await inspect_file(content, name))
        scale = image.width / SIZE[0]
        left, right = (int(200 * scale), 600), (int(700 * scale), 600)
        assert near(image, right, (250, 250, 250)), name
        if name == "bits.png":
            assert near(image, left, (0, 0, 0)), name
        elif "grey" in name or "16" in name:
            assert near(image, left, (pixel(grey.convert("RGB"), (200, 600)))), name
        else:
            assert near(image, left, (180, 30, 30)), name


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
async def test_transparency_becomes_white(mode: str) -> None:
    for size in (SIZE, (2700, 3600)):
        picture = Image.new("RGBA", size, (0, 0, 0, 0))
        picture.paste((20, 20, 20, 255), (0, 0, size[0] // 2, size[1]))
        image = opened(await inspect_file(encoded(picture.convert(mode), "png"), "a.png"))
        assert near(image, (image.width - 50, 600), (255, 255, 255))
        assert near(image, (50, 600), (20, 20, 20))


async def test_only_the_first_picture_of_an_animation() -> None:
    content = corpus.animated_png()
    assert b"acTL" in content
    assert near(opened(await inspect_file(content, "a.png")), (450, 450), (255, 0, 0))


async def test_only_the_first_picture_of_a_phone_s_several() -> None:
    first, second = (Image.new("RGB", SIZE, colour) for colour in ("red", "blue"))
    out = io.BytesIO()
    first.save(out, "mpo", save_all=True, append_images=[second])
    assert near(opened(await inspect_file(out.getvalue(), "a.jpg")), (450, 450), (255, 0, 0))


async def test_only_the_primary_picture_of_a_heic() -> None:
    import pillow_heif

    heic = pillow_heif.from_pillow(Image.new("RGB", SIZE, (200, 0, 0)))
    heic.add_from_pillow(Image.new("RGB", SIZE, (0, 0, 200)))
    out = io.BytesIO()
    heic.save(out)
    assert near(opened(await inspect_file(out.getvalue(), "a.heif")), (450, 450), (200, 0, 0))


async def test_a_heic_of_10_bits() -> None:
    import pillow_heif

    heic = pillow_heif.from_bytes("RGB;16", SIZE, b"\x00\xc8" * (3 * SIZE[0] * SIZE[1]))
    out = io.BytesIO()
    heic.save(out)
    assert out.getvalue()[4:12] == b"ftypheix"
    assert near(opened(await inspect_file(out.getvalue(), "a.heic")), (450, 450), (200, 200, 200))


@pytest.mark.parametrize(
    "tail", [b"<html><script>alert(1)</script>", corpus.zip_file(), corpus.pdf_of_pages(1), bytes(9)]
)
async def test_what_is_hidden_behind_a_picture_goes(tail: bytes) -> None:
    found = await inspect_file(photo(size=SIZE) + tail, "a.jpg")
    assert opened(found).size == SIZE
    assert tail not in found.content
    assert found.content.endswith(b"\xff\xd9")


# --- PDF


async def test_a_text_pdf_goes_through() -> None:
    found = await inspect_file(certificate_pdf("269097505600123", "Camille Martin", ["Zoé Martin"]), "a.pdf")
    assert (found.media_type, found.pages, found.quality) == ("application/pdf", 1, ())
    assert "Attestation de droits à l'assurance maladie" in found.text
    assert "2690975056001 23" in found.text
    assert "Ayant droit : Zoé Martin" in found.text
    assert pypdfium2.PdfDocument(found.content)[0].get_textpage().get_text_range().startswith("Attestation")


async def test_a_pdf_is_written_anew_without_its_history() -> None:
    def change(pdf: Pdf) -> None:
        pdf.docinfo["/Author"] = "Telephone 12"
        pdf.Root.Metadata = pdf.make_stream(b"<x:xmpmeta>Telephone 12</x:xmpmeta>")
        pdf.pages[0].obj.PieceInfo = Dictionary(App=Dictionary(Private="Telephone 12"))
        pdf.Root.OpenAction = Array([pdf.pages[0].obj, Name.Fit])
        link = annotation("/Link", A=Dictionary(S=Name.URI, URI="https://example.org/Telephone"))
        pdf.pages[0].obj.Annots = Array([link])

    found = await inspect_file(pdf_with(change) + corpus.zip_file() + b"<script>", "a.pdf")
    assert found.content.startswith(b"%PDF-")
    assert found.content.rstrip().endswith(b"%%EOF")
    assert b"PK\3\4" not in found.content
    with pikepdf.open(io.BytesIO(found.content)) as pdf:
        assert "/Info" not in pdf.trailer
        assert not {"/Metadata", "/OpenAction"} & set(pdf.Root.keys())
        assert not any("Telephone" in repr(thing) for thing in pdf.objects)
    assert "Titulaire du compte" in found.text


async def test_a_scan_is_looked_at_as_a_picture() -> None:
    page = printed(LETTER, (1240, 1754))
    good = await inspect_file(scanned(page), "a.pdf")
    assert (good.pages, good.text, good.quality) == (1, "", ())
    blurred = await inspect_file(scanned(Image.open(io.BytesIO(blurred_photo()))), "a.pdf")
    assert blurred.quality == (QualityCode.blurred,)
    assert (await inspect_file(corpus.pdf_of_pages(1), "a.pdf")).quality == (QualityCode.blank,)


async def test_a_photo_in_a_pdf_loses_where_it_was_taken() -> None:
    pdf = Pdf.new()
    pdf.add_blank_page(page_size=(900, 1200))
    image = pdf.make_stream(corpus.photo_with_gps())
    image.update(Dictionary(Type=Name.XObject, Subtype=Name.Image, Width=900, Height=1200, BitsPerComponent=8))
    image.update(Dictionary(ColorSpace=Name.DeviceRGB, Filter=Name.DCTDecode))
    pdf.pages[0].obj.Resources = Dictionary(XObject=Dictionary(I=image))
    pdf.pages[0].obj.Contents = pdf.make_stream(b"q 900 0 0 1200 0 0 cm /I Do Q")
    out = io.BytesIO()
    pdf.save(out)
    assert b"Telephone 12" in out.getvalue()
    found = await inspect_file(out.getvalue(), "a.pdf")
    assert b"Telephone" not in found.content
    assert b"Exif" not in found.content
    shown = pypdfium2.PdfDocument(found.content)[0].render().to_pil()
    assert near(shown.convert("RGB"), (450, 600), pixel(photographed("Turned", SIZE), (450, 600)))


async def test_thirty_pages_and_the_text_of_five() -> None:
    pdf = pikepdf.open(io.BytesIO(rib_pdf(IBAN, "Camille Martin")))
    for _ in range(29):
        pdf.pages.append(pdf.pages[0])
    out = io.BytesIO()
    pdf.save(out)
    found = await inspect_file(out.getvalue(), "a.pdf")
    assert found.pages == 30
    assert found.text.count("Titulaire") == 5


async def test_a_long_text_is_cut() -> None:
    text = b"BT /F 1 Tf 0 0 Td (%s) Tj ET " % (b"bonjour " * 5000)
    content = corpus.raw_pdf(
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Count 1 /Kids [3 0 R]>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 90000 99] /Contents 4 0 R /Resources <</Font <</F 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(text), text),
        b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
    )
    found = await inspect_file(content, "a.pdf")
    assert len(found.text) == 20_000
    assert found.text.startswith("bonjour bonjour")


@pytest.mark.parametrize(
    "more", [b"", b"/OpenAction <</S /Named /N /Print>>", b"/Names <</EmbeddedFiles <</Names []>>>>"]
)
async def test_honest_oddities_are_taken(more: bytes) -> None:
    """Names in Latin-1, which cannot be read as text; a font called EF, JS or XFA; an empty list of attachments."""
    content = corpus.raw_pdf(
        b"<</Type /Catalog /Pages 2 0 R /#e9t#e9 /x#e9 /S /#e9 " + more + b">>",
        b"<</Type /Pages /Count 1 /Kids [3 0 R]>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Subtype /#e9 /Resources <</Font 4 0 R>>>>",
        b"<</EF 5 0 R /JS 5 0 R /XFA 5 0 R>>",
        b"<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
    )
    assert (await inspect_file(content, "a.pdf")).pages == 1


async def test_what_is_nested_too_deep_goes() -> None:
    content = corpus.deep_nesting()
    found = await inspect_file(content, "a.pdf")
    assert found.pages == 1
    assert len(found.content) < 2000


# --- the process


async def test_small_pictures_are_told() -> None:
    assert (await inspect_file(photo(size=(450, 600)), "a.jpg")).quality == (QualityCode.too_small,)
    assert (await inspect_file(blurred_photo(), "a.jpg")).quality == (QualityCode.blurred,)


async def test_too_slow_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.monotonic()
    with pytest.raises(FileRefused) as refused:
        await inspect_file(corpus.jpeg_header_bomb(), "a.jpg", wall_seconds=0.001)
    assert refused.value.code is RefusalCode.too_slow
    assert time.monotonic() - started < 2
    assert children() == []


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", RefusalCode.too_slow),
        ("import os; os.abort()", RefusalCode.damaged),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", RefusalCode.damaged),
        ("print('nonsense')", RefusalCode.damaged),
        ("print('[]')", RefusalCode.damaged),
        ("""print('{"media_type": "text/html", "pages": 1, "text": "", "quality": []}')""", RefusalCode.damaged),
        ("import os\nwhile True: os.write(1, b'x' * 2**20)", RefusalCode.damaged),
    ],
)
async def test_how_a_child_dies(monkeypatch: pytest.MonkeyPatch, program: str, code: RefusalCode) -> None:
    instead_of_the_child(monkeypatch, program)
    with pytest.raises(FileRefused) as refused:
        await inspect_file(photo(), "a.jpg", wall_seconds=60)
    assert refused.value.code is code
    assert children() == []


async def test_an_inspection_that_does_not_work_blames_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_the_child(monkeypatch, "import nothing_of_the_kind")
    with pytest.raises(InspectorUnavailable):
        await inspect_file(photo(), "a.jpg")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(InspectorUnavailable):
        await inspect_file(photo(), "a.jpg")


async def test_at_most_two_children_and_none_after_a_cancellation() -> None:
    before = asyncio.all_tasks()
    tasks = [asyncio.create_task(inspect_file(photo(), "a.jpg")) for _ in range(6)]
    most = 0
    while not all(task.done() for task in tasks[:3]):
        most = max(most, len(children()))
        await asyncio.sleep(0.01)
    assert most == 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert children() == []
    left = asyncio.all_tasks() - before
    assert not [task for task in left if "inspect" in repr(task.get_coro())], "others' tasks come and go meanwhile"
    assert (await inspect_file(photo(size=SIZE), "a.jpg")).pages == 1


async def test_the_child_gets_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIELD_KEYS", "secret")
    instead_of_the_child(monkeypatch, "import os, signal\nif 'FIELD_KEYS' not in os.environ: os.abort()")
    with pytest.raises(FileRefused):
        await inspect_file(photo(), "a.jpg")


# --- helpers


def instead_of_the_child(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    start = asyncio.create_subprocess_exec

    async def starts(executable: str, *arguments: str, **options: object) -> asyncio.subprocess.Process:
        return await start(executable, "-c", program, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", starts)


def children() -> list[int]:
    """Our living inspections."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"gateways.files.inspection" in command:
            found.append(int(process.name))
    return found


def scanned(page: Image.Image) -> bytes:
    out = io.BytesIO()
    page.save(out, "pdf", resolution=150)
    return out.getvalue()


def sixteen_bits(grey: Image.Image) -> Image.Image:
    return grey.convert("I").point(lambda level: level * 257).convert("I;16")


def pixel(image: Image.Image, place: tuple[int, int]) -> tuple[int, ...]:
    level = image.getpixel(place)
    assert isinstance(level, tuple)
    return level


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 14 for a, b in zip(pixel(image, place), colour, strict=True))
