"""PDF files: refused when they could do anything but be read, otherwise written anew. Runs within `inspection`."""

from __future__ import annotations

import encodings.utf_16_le  # noqa: F401 - PDFium's text is in it, and later no module can be loaded any more
import io
from collections.abc import Iterator
from typing import Any

import pikepdf
import pikepdf.settings
import pypdfium2  # type: ignore[import-untyped]

from gateways.files.findings import MAX_PAGES, MAX_PIXELS, Inspected, QualityCode, Refusal, RefusalCode
from gateways.files.quality import quality_of

TEXT_PAGES = 5
TEXT_CHARACTERS = 20_000
_RENDERED_SIDE = 1200  # pixels of a page without text, to look at its quality
_STREAM_BYTES = 64 * 1024 * 1024  # of one stream that is not an image, decompressed; honest ones have some 5 MB
_ALL_STREAMS_BYTES = 256 * 1024 * 1024
_NESTING = 100
_WARNINGS = 500  # of qpdf, each about something that is not as it should be

# ISO 32000-2, 12.6.4 and 12.5.6: what runs, sends, reads or opens something else.
_ACTIONS = frozenset(
    pikepdf.Name(name)
    for name in (
        *("/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToR", "/GoToE"),
        *("/Rendition", "/Movie", "/Sound", "/RichMediaExecute"),
    )
)
_ANNOTATIONS = frozenset(pikepdf.Name(name) for name in ("/RichMedia", "/3D", "/Movie", "/Sound", "/Screen"))
# Who wrote it, when and with what; what happens at opening; the addresses that any other action would open.
_DROPPED = ("/Metadata", "/PieceInfo", "/LastModified", "/OpenAction", "/URI")


def harmless_pdf(content: bytes) -> Inspected | Refusal:
    """The document as pikepdf writes it, without /Info, XMP or links; its text; how readable a scan is.

    Raises whatever pikepdf and PDFium raise on a damaged file, MemoryError included.
    """
    pikepdf.settings.set_qpdf_limits(
        flate_max_memory=_STREAM_BYTES,
        run_length_max_memory=_STREAM_BYTES,
        png_max_memory=_STREAM_BYTES,
        tiff_max_memory=_STREAM_BYTES,
        parser_max_nesting=_NESTING,
        doc_max_warnings=_WARNINGS,
    )
    try:
        pdf = pikepdf.open(io.BytesIO(content))
    except pikepdf.PasswordError:
        return Refusal(RefusalCode.encrypted)
    if pdf.is_encrypted:
        return Refusal(RefusalCode.encrypted)
    refusal = _refused_for_its_pages(pdf, content) or _refused_for_its_objects(pdf)
    if refusal:
        return Refusal(refusal)
    rewritten = _rewritten(pdf)
    pages, text, quality = _looked_at(rewritten)
    return Inspected("application/pdf", rewritten, pages, text, quality)


def open_randomness() -> None:
    """qpdf opens the random device with the first encrypted document, and keeps it: later nothing may be opened."""
    pikepdf.new().save(io.BytesIO(), encryption=pikepdf.Encryption(owner="", user=""))


def _refused_for_its_pages(pdf: pikepdf.Pdf, content: bytes) -> RefusalCode | None:
    if b"%%EOF" not in content:  # cut: pikepdf would make do with what is left of it
        return RefusalCode.damaged
    pages = len(pdf.pages)
    if pages > MAX_PAGES:
        return RefusalCode.too_many_pages
    return None if pages else RefusalCode.damaged


def _refused_for_its_objects(pdf: pikepdf.Pdf) -> RefusalCode | None:
    """Looks at every dictionary wherever it hangs, since a list of the places where scripts hide is never whole."""
    decompressed = 0
    for found in _dictionaries(pdf):
        refusal = _active_or_attached(found)
        if refusal:
            return refusal
        if not isinstance(found, pikepdf.Stream):
            continue
        if found.get("/Subtype") == "/Image":
            if int(found.get("/Width", 0)) * int(found.get("/Height", 0)) > MAX_PIXELS:
                return RefusalCode.too_many_pixels
            continue
        decompressed += _decompressed_bytes(found)
        if decompressed > _ALL_STREAMS_BYTES:
            return RefusalCode.damaged
    return None


def _active_or_attached(found: Any) -> RefusalCode | None:
    subtype = found.get("/Subtype")
    if _is_one_of(_ACTIONS, found.get("/S")) or _is_one_of(_ANNOTATIONS, subtype) or "/JavaScript" in found:
        return RefusalCode.active_content
    if isinstance(found.get("/JS"), (pikepdf.String, pikepdf.Stream)):
        return RefusalCode.active_content
    if "/XFA" in found and not isinstance(found["/XFA"], pikepdf.Dictionary):  # a font may be called XFA
        return RefusalCode.active_content
    if isinstance(found, pikepdf.Stream) and "/F" in found:  # its data are in another file
        return RefusalCode.active_content
    if _opens_an_address_by_itself(found):
        return RefusalCode.active_content
    if subtype == "/FileAttachment" or found.get("/Type") == "/EmbeddedFile" or _holds_files(found.get("/EF")):
        return RefusalCode.attachments
    return None


def _opens_an_address_by_itself(found: Any) -> bool:
    events = found.get("/AA")
    actions = [found.get("/OpenAction"), *(events.as_dict().values() if _is_dictionary(events) else ())]
    return any(_is_dictionary(action) and action.get("/S") == "/URI" for action in actions)


def _holds_files(embedded: Any) -> bool:
    return _is_dictionary(embedded) and any(key in embedded for key in ("/F", "/UF", "/DOS", "/Mac", "/Unix"))


def _decompressed_bytes(stream: pikepdf.Object) -> int:
    """0 for a stream that qpdf cannot decompress: such a font or profile keeps no honest page from being read.

    Raises DataDecodingError beyond the limit.
    """
    try:
        return len(stream.read_bytes())
    except pikepdf.PdfError as error:
        if "limit exceeded" in str(error):
            raise
        return 0


def _rewritten(pdf: pikepdf.Pdf) -> bytes:
    if "/Info" in pdf.trailer:
        del pdf.trailer["/Info"]
    for found in _dictionaries(pdf):
        for key in _DROPPED:
            if key in found:
                del found[key]
        if isinstance(found, pikepdf.Stream) and found.get("/Filter") == "/DCTDecode":
            found.write(_without_exif(found.read_raw_bytes()), filter=pikepdf.Name.DCTDecode)
    out = io.BytesIO()
    pdf.save(
        out,
        stream_decode_level=pikepdf.StreamDecodeLevel.none,
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
        deterministic_id=True,
    )
    return out.getvalue()


def _without_exif(jpeg: bytes) -> bytes:
    """The JPEG without its APP1 to APP13, APP15 and COM segments (ITU-T T.81, B.1.1): a scanner app leaves GPS there.

    APP0 and APP14 say how the colours are coded. As it is when it does not read as a JPEG.
    """
    kept = [jpeg[:2]]
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 4 <= len(jpeg):
        marker = jpeg[at + 1]
        if marker == 0xDA:
            return b"".join(kept) + jpeg[at:]
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if not (0xE1 <= marker <= 0xED or marker in (0xEF, 0xFE)):
            kept.append(jpeg[at:end])
        at = end
    return jpeg


def _looked_at(rewritten: bytes) -> tuple[int, str, tuple[QualityCode, ...]]:
    """Pages, text and quality of what will be stored; every page must open in another library than wrote it."""
    document = pypdfium2.PdfDocument(rewritten)
    pages = [document[index] for index in range(len(document))]
    text = "\n".join(page.get_textpage().get_text_range() for page in pages[:TEXT_PAGES])
    text = text.replace("\r\n", "\n").replace("\0", "").strip()[:TEXT_CHARACTERS]
    return len(pages), text, () if text else _quality_of_scan(pages[0])


def _quality_of_scan(page: pypdfium2.PdfPage) -> tuple[QualityCode, ...]:
    scale = _RENDERED_SIDE / max(page.get_size())
    return quality_of(page.render(scale=scale, grayscale=True).to_pil())


def _dictionaries(pdf: pikepdf.Pdf) -> Iterator[Any]:
    """Every dictionary and stream of the file, those within others included; keys may be deleted meanwhile."""
    waiting: list[Any] = [pdf.trailer]
    for indirect in pdf.objects:
        waiting.append(indirect)
        while waiting:
            found = waiting.pop()
            if isinstance(found, (pikepdf.Dictionary, pikepdf.Stream)):
                yield found
                inner = [value for _, value in found.items()]
            elif isinstance(found, pikepdf.Array):
                inner = list(found)
            else:
                continue
            waiting.extend(child for child in inner if _is_container(child) and not child.is_indirect)


def _is_container(thing: Any) -> bool:
    return isinstance(thing, (pikepdf.Dictionary, pikepdf.Array))


def _is_dictionary(thing: Any) -> bool:
    return isinstance(thing, pikepdf.Dictionary)


def _is_one_of(names: frozenset[pikepdf.Name], thing: Any) -> bool:
    return isinstance(thing, pikepdf.Name) and thing in names  # as names: as text, some cannot be decoded
