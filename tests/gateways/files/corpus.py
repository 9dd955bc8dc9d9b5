"""Hostile and broken files, made by code: `BAD_FILES` says how each must be refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image

from gateways.files.findings import MAX_BYTES, RefusalCode
from tests.gateways.files.samples import encoded, photo, photographed, rib_pdf

# EICAR's test text, in two parts: whole, it would make an antivirus remove this very file.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD" + b"-ANTIVIRUS-TEST-FILE!$H+H*"
SCRIPT = "app.alert('script')"


@dataclass(frozen=True)
class BadFile:
    name: str
    code: RefusalCode | set[RefusalCode]
    make: Callable[[], bytes]

    @property
    def codes(self) -> set[RefusalCode]:
        return self.code if isinstance(self.code, set) else {self.code}


# --- images


def png_header_bomb(width: int = 20_000, height: int = 20_000) -> bytes:
    """A PNG of 400 megapixels in some 50 KB: one bit a pixel, all zero."""
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 + width // 8)) for _ in range(height)) + rows.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def png_text_bomb() -> bytes:
    """A small picture with a compressed comment of 500 MB."""
    png = small_png()
    comment = b"Comment\0\0" + zeros(500)
    return png[:33] + _chunk(b"zTXt", comment) + png[33:]


def png_profile_bomb() -> bytes:
    """A small picture with a compressed colour profile of 500 MB."""
    png = small_png()
    return png[:33] + _chunk(b"iCCP", b"sRGB\0\0" + zeros(500)) + png[33:]


def jpeg_header_bomb() -> bytes:
    """A small JPEG whose header says 65 500 by 65 500."""
    jpeg = bytearray(photo(size=(300, 400)))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(jpeg)


def jpeg_of_many_scans() -> bytes:
    """A progressive JPEG of 49 megapixels, its last scan repeated to 9 MB: each repetition costs a pass over it."""
    jpeg = encoded(Image.new("RGB", (7000, 7000), "white"), "jpeg", progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + scan * ((9_000_000 - len(jpeg)) // len(scan)) + b"\xff\xd9"


def heic_header_bomb() -> bytes:
    """A small HEIC whose properties say 30 000 by 30 000."""
    heic = bytearray(photo(fmt="heic", size=(300, 400)))
    at = heic.index(b"ispe")
    heic[at + 8 : at + 16] = struct.pack(">II", 30_000, 30_000)
    return bytes(heic)


def small_png() -> bytes:
    return photo(fmt="png", size=(150, 200))


def photo_with_gps(orientation: int = 1, fmt: str = "jpeg") -> bytes:
    """A photo of 900 by 1200 that says where it was taken, on what, and how it is to be turned."""
    image = photographed("Turned", (900, 1200)).copy()
    exif = Image.Exif()
    exif[0x0110] = "Telephone 12"
    exif[0x0112] = orientation
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 7.0)})
    out = io.BytesIO()
    image.save(out, fmt, exif=exif, comment=b"Telephone comment", icc_profile=b"Telephone profile")
    return out.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# --- archives


def zip_file() -> bytes:
    return _zipped({"a.txt": b"hello"})


def zip_bomb() -> bytes:
    return _zipped({"bomb.bin": bytes(100_000_000)})


def docx() -> bytes:
    return _zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w:document/>"})


def _zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


# --- PDF


def pdf_with(change: Callable[[Pdf], None], **options: Any) -> bytes:
    """A one-page RIB, changed."""
    pdf = pikepdf.open(io.BytesIO(rib_pdf("FR7600000000000000000000000", "Camille Martin")))
    change(pdf)
    out = io.BytesIO()
    pdf.save(out, **options)
    return out.getvalue()


def action(kind: str = "/JavaScript", **entries: Any) -> Dictionary:
    return Dictionary(S=Name(kind), **(entries or {"JS": SCRIPT}))


def annotation(subtype: str, **entries: Any) -> Dictionary:
    return Dictionary(Type=Name.Annot, Subtype=Name(subtype), Rect=[0, 0, 9, 9], **entries)


def _on_page(pdf: Pdf, annotated: Dictionary) -> None:
    pdf.pages[0].obj.Annots = pdf.make_indirect(Array([pdf.make_indirect(annotated)]))


def _in_names(pdf: Pdf) -> None:
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array(["a", pdf.make_indirect(action())])))


def _in_open_action(pdf: Pdf) -> None:
    pdf.Root.OpenAction = action()


def _chained(pdf: Pdf) -> None:
    go = Dictionary(S=Name.GoTo, D=Array([pdf.pages[0].obj, Name.Fit]), Next=Array([action("/Named", N=Name.NextPage)]))
    go.Next[0].Next = action()
    pdf.Root.OpenAction = go


def _in_document_events(pdf: Pdf) -> None:
    pdf.Root.AA = Dictionary(WC=action())


def _in_page_events(pdf: Pdf) -> None:
    pdf.pages[0].obj.AA = Dictionary(O=action())


def _in_link(pdf: Pdf) -> None:
    _on_page(pdf, annotation("/Link", A=action()))


def _in_field(pdf: Pdf) -> None:
    field = annotation("/Widget", FT=Name.Tx, T="name", AA=Dictionary(K=action()))
    _on_page(pdf, field)
    pdf.Root.AcroForm = Dictionary(Fields=Array([pdf.pages[0].obj.Annots[0]]))


def _in_hidden_field(pdf: Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(Fields=Array([Dictionary(FT=Name.Tx, T="sum", AA=Dictionary(C=action()))]))


def _in_outline(pdf: Pdf) -> None:
    item = pdf.make_indirect(Dictionary(Title="x", A=action()))
    pdf.Root.Outlines = Dictionary(First=item, Last=item, Count=1)


def _in_a_stream(pdf: Pdf) -> None:
    pdf.Root.OpenAction = action(JS=Stream(pdf, SCRIPT.encode()))


def _embedded(pdf: Pdf) -> None:
    pdf.attachments["virus.exe"] = b"MZ"


def _attached_annotation(pdf: Pdf) -> None:
    _on_page(pdf, annotation("/FileAttachment", FS=Dictionary(Type=Name.Filespec, F="x.exe")))


def _associated(pdf: Pdf) -> None:
    held = Dictionary(Type=Name.Filespec, F="x.exe", EF=Dictionary(F=Stream(pdf, b"MZ")))
    pdf.pages[0].obj.AF = Array([held])


def _xfa(pdf: Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(Fields=Array([]), XFA=Stream(pdf, b"<xdp:xdp/>"))


def _external_stream(pdf: Pdf) -> None:
    stream = Stream(pdf, b"")
    stream.F = pikepdf.String("file:///etc/passwd")
    pdf.pages[0].obj.Contents = stream


def escaped_script() -> bytes:
    """/JavaScript written as /J#61vaScript, which readers understand all the same."""
    plain = pdf_with(_in_open_action, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    assert b"/JavaScript" in plain
    return plain.replace(b"/S /JavaScript", b"/S /J#61vaScript").replace(b"/JS ", b"/J#53 ")


def encrypted_pdf(user: str) -> bytes:
    return pdf_with(lambda pdf: None, encryption=pikepdf.Encryption(owner="owner", user=user))


def pdf_of_pages(pages: int) -> bytes:
    pdf = Pdf.new()
    for _ in range(pages):
        pdf.add_blank_page()
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()


@cache
def zeros(megabytes: int) -> bytes:
    """That many megabytes of zeros, deflated once: a thousandth of it."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(megabytes)) + packer.flush()


def flate_bomb(layers: int, **entries: Any) -> bytes:
    """A page whose content is 1 GB of zeros, deflated once or twice (1 MB, 3 KB)."""
    data = zeros(1000)
    for _ in range(layers - 1):
        data = zlib.compress(data, 9)

    def change(pdf: Pdf) -> None:
        stream = Stream(pdf, data)
        stream.Filter = Array([Name.FlateDecode] * layers)
        for key, value in entries.items():
            stream[f"/{key}"] = value
        pdf.pages[0].obj.Contents = stream

    return pdf_with(change, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)


def many_big_streams() -> bytes:
    """Each of 50 MB, together 1 GB."""

    def change(pdf: Pdf) -> None:
        contents = [Stream(pdf, zeros(50)) for _ in range(20)]
        for stream in contents:
            stream.Filter = Name.FlateDecode
        pdf.pages[0].obj.Contents = Array(contents)

    return pdf_with(change, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)


def huge_image_in_pdf() -> bytes:
    def change(pdf: Pdf) -> None:
        image = Stream(pdf, zeros(50))
        image.update(Dictionary(Type=Name.XObject, Subtype=Name.Image, Width=20_000, Height=20_000))
        image.update(Dictionary(ColorSpace=Name.DeviceGray, BitsPerComponent=1, Filter=Name.FlateDecode))
        pdf.pages[0].obj.Resources = Dictionary(XObject=Dictionary(I=image))
        pdf.pages[0].obj.Contents = Stream(pdf, b"q 595 0 0 842 0 0 cm /I Do Q")

    return pdf_with(change, stream_decode_level=pikepdf.StreamDecodeLevel.none)


def raw_pdf(*objects: bytes) -> bytes:
    """Objects 1, 2, 3… as written, object 1 the root, with a right cross-reference table."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer <</Root 1 0 R /Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(out)


def page_tree_loop() -> bytes:
    return raw_pdf(
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Count 2 /Kids [3 0 R]>>",
        b"<</Type /Pages /Count 2 /Parent 2 0 R /Kids [2 0 R 3 0 R]>>",
    )


def page_of_itself() -> bytes:
    return raw_pdf(b"<</Type /Catalog /Pages 1 0 R /Kids [1 0 R] /Count 1>>")


def deep_nesting() -> bytes:
    deep = b"[" * 200_000 + b"]" * 200_000
    return raw_pdf(
        b"<</Type /Catalog /Pages 2 0 R /Deep 4 0 R>>",
        b"<</Type /Pages /Count 1 /Kids [3 0 R]>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 5 0 R /Annots 4 0 R>>",
        deep,
        b"<</Length 0>>\nstream\n\nendstream",
    )


def no_pages() -> bytes:
    return raw_pdf(b"<</Type /Catalog /Pages 2 0 R>>", b"<</Type /Pages /Count 0 /Kids []>>")


def pages_by_the_million() -> bytes:
    """One page, named a million times."""
    return raw_pdf(
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Count 1000000 /Kids [" + b"3 0 R " * 1_000_000 + b"]>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 100 100]>>",
    )


def slow_page() -> bytes:
    """A page that draws a form ten times, which draws another ten times, and so on: ten thousand million drawings."""
    form = b"<</Type /XObject /Subtype /Form /BBox [0 0 500 500] /Resources <</XObject <</F %d 0 R>>>> /Length 60>>"
    return raw_pdf(
        b"<</Type /Catalog /Pages 2 0 R>>",
        b"<</Type /Pages /Count 1 /Kids [3 0 R]>>",
        b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 500 500] /Contents 4 0 R /Resources <</XObject <</F 5 0 R>>>>>>",
        b"<</Length 5>>\nstream\n/F Do\nendstream",
        *(form % (number + 1) + b"\nstream\n%s\nendstream" % (b"/F Do " * 10) for number in range(5, 15)),
        b"<</Type /XObject /Subtype /Form /BBox [0 0 500 500] /Length 17>>\nstream\n0 0 500 500 re f \nendstream",
    )


# --- the list

_R = RefusalCode
_SCRIPTS: dict[str, Callable[[Pdf], None]] = {
    "names": _in_names,
    "opening": _in_open_action,
    "chained": _chained,
    "document events": _in_document_events,
    "page events": _in_page_events,
    "link": _in_link,
    "field": _in_field,
    "field without a widget": _in_hidden_field,
    "outline": _in_outline,
    "script in a stream": _in_a_stream,
}
_ACTIVE: dict[str, Callable[[Pdf], None]] = {
    "launch": lambda pdf: _on_page(pdf, annotation("/Link", A=action("/Launch", F="cmd.exe"))),
    "submit": lambda pdf: _on_page(pdf, annotation("/Link", A=action("/SubmitForm", F="https://example.org"))),
    "import": lambda pdf: _on_page(pdf, annotation("/Link", A=action("/ImportData", F="x.fdf"))),
    "another file": lambda pdf: _on_page(pdf, annotation("/Link", A=action("/GoToR", F="x.pdf"))),
    "address at opening": lambda pdf: pdf.Root.__setattr__("OpenAction", action("/URI", URI="https://example.org")),
    "address at page": lambda pdf: pdf.pages[0].obj.__setattr__(
        "AA", Dictionary(O=action("/URI", URI="https://example.org"))
    ),
    "rich media": lambda pdf: _on_page(pdf, annotation("/RichMedia")),
    "xfa": _xfa,
    "external stream": _external_stream,
}

BAD_FILES: dict[str, BadFile] = {
    "empty": BadFile("a.pdf", _R.empty, lambda: b""),
    "too big": BadFile("a.jpg", _R.too_big, lambda: photo() + bytes(MAX_BYTES)),
    "png of 400 megapixels": BadFile("a.png", _R.too_many_pixels, png_header_bomb),
    "jpeg of 4 gigapixels": BadFile("a.jpg", _R.too_many_pixels, jpeg_header_bomb),
    "heic of 900 megapixels": BadFile("a.heic", {_R.too_many_pixels, _R.damaged}, heic_header_bomb),
    "png text bomb": BadFile("a.png", _R.damaged, png_text_bomb),
    "png profile bomb": BadFile("a.png", _R.damaged, png_profile_bomb),
    "jpeg of many scans": BadFile("a.jpg", _R.damaged, jpeg_of_many_scans),
    "truncated jpeg": BadFile("a.jpg", _R.damaged, lambda: photo()[:-100_000]),
    "truncated png": BadFile("a.png", _R.damaged, lambda: small_png()[:-2000]),
    "truncated heic": BadFile("a.heic", _R.damaged, lambda: photo(fmt="heic", size=(300, 400))[:-1000]),
    "jpeg of noise": BadFile("a.jpg", _R.damaged, lambda: b"\xff\xd8\xff\xe0" + bytes(range(256)) * 100),
    "zip as pdf": BadFile("a.pdf", _R.type_not_allowed, zip_file),
    "zip": BadFile("a.zip", _R.type_not_allowed, zip_file),
    "zip bomb": BadFile("a.pdf", _R.type_not_allowed, zip_bomb),
    "docx as pdf": BadFile("a.pdf", _R.type_not_allowed, docx),
    "html as jpg": BadFile("a.jpg", _R.type_not_allowed, lambda: b"<!DOCTYPE html><script>alert(1)</script>"),
    "svg as jpg": BadFile("a.jpg", _R.type_not_allowed, lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "exe as pdf": BadFile("a.pdf", _R.type_not_allowed, lambda: b"MZ\x90\0" + bytes(1000)),
    "eicar": BadFile("a.pdf", _R.type_not_allowed, lambda: EICAR),
    "webp as png": BadFile("a.png", _R.type_not_allowed, lambda: _animated("webp")),
    "gif as png": BadFile("a.png", _R.type_not_allowed, lambda: _animated("gif")),
    "pdf as exe": BadFile("a.pdf.exe", _R.type_not_allowed, lambda: pdf_of_pages(1)),
    "pdf without extension": BadFile("pdf", _R.type_not_allowed, lambda: pdf_of_pages(1)),
    "pdf after a NUL": BadFile("a.html\0.pdf.html", _R.type_not_allowed, lambda: pdf_of_pages(1)),
    "pdf after junk": BadFile("a.pdf", _R.type_not_allowed, lambda: b"<html>\n" + pdf_of_pages(1)),
    "zip before pdf": BadFile("a.pdf", _R.type_not_allowed, lambda: zip_file() + pdf_of_pages(1)),
    "pdf that asks a password": BadFile("a.pdf", _R.encrypted, lambda: encrypted_pdf("user")),
    "pdf with an owner password": BadFile("a.pdf", _R.encrypted, lambda: encrypted_pdf("")),
    **{
        f"script: {where}": BadFile("a.pdf", _R.active_content, lambda change=change: pdf_with(change))  # type: ignore[misc]
        for where, change in _SCRIPTS.items()
    },
    **{
        f"active: {what}": BadFile("a.pdf", _R.active_content, lambda change=change: pdf_with(change))  # type: ignore[misc]
        for what, change in _ACTIVE.items()
    },
    "script: escaped": BadFile("a.pdf", _R.active_content, escaped_script),
    "script: pdf called jpg": BadFile("a.jpg", _R.active_content, lambda: pdf_with(_in_names)),
    "script: after a zip polyglot": BadFile("a.pdf", _R.active_content, lambda: pdf_with(_in_names) + zip_file()),
    "embedded file": BadFile("a.pdf", _R.attachments, lambda: pdf_with(_embedded)),
    "attached file": BadFile("a.pdf", _R.attachments, lambda: pdf_with(_attached_annotation)),
    "associated file": BadFile("a.pdf", _R.attachments, lambda: pdf_with(_associated)),
    "31 pages": BadFile("a.pdf", _R.too_many_pages, lambda: pdf_of_pages(31)),
    "a million pages": BadFile("a.pdf", {_R.too_many_pages, _R.damaged}, pages_by_the_million),
    "no page": BadFile("a.pdf", _R.damaged, no_pages),
    "flate bomb": BadFile("a.pdf", _R.damaged, lambda: flate_bomb(1)),
    "flate bomb, twice": BadFile("a.pdf", _R.damaged, lambda: flate_bomb(2)),
    "flate bomb, said to be an image": BadFile(
        "a.pdf", {_R.damaged, _R.too_slow}, lambda: flate_bomb(2, Subtype=Name.Image, Width=1, Height=1)
    ),
    "many big streams": BadFile("a.pdf", _R.damaged, many_big_streams),
    "huge image in a pdf": BadFile("a.pdf", _R.too_many_pixels, huge_image_in_pdf),
    "page tree loop": BadFile("a.pdf", _R.damaged, page_tree_loop),
    "page of itself": BadFile("a.pdf", _R.damaged, page_of_itself),
    "slow page": BadFile("a.pdf", {_R.too_slow, _R.damaged}, slow_page),
    **{
        f"pdf cut at {share} %": BadFile(
            "a.pdf",
            _R.damaged,
            lambda share=share: (pdf := rib_pdf("FR76", "Camille"))[: len(pdf) * share // 100],  # type: ignore[misc]
        )
        for share in (1, 20, 50, 90, 99)
    },
}


def _animated(fmt: str) -> bytes:
    frames = [Image.new("RGB", (900, 900), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, fmt, save_all=True, append_images=frames[1:])
    return out.getvalue()


def animated_png() -> bytes:
    return _animated("png")
