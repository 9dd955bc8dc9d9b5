"""The papers that the people of the demonstration send: drawn here, marked « SPÉCIMEN », of invented people.

Issuers, names and numbers belong to nobody (`domain.synthetic`). The same paper is the same bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pypdfium2  # type: ignore[import-untyped]
import typst
from PIL import Image, ImageFilter

from domain.working_time import french_date

PHOTO_SIZE = (900, 1200)  # pixels: small, since every start of the embedded default may have some inspected

_TABLE = (96, 74, 58)
_INVENTED = "Document inventé pour une démonstration. Personne, organisme et numéros n’existent pas."
_TEMPLATE = b"""
#let data = json(bytes(sys.inputs.data))
#set document(title: data.title, date: none)
#set page(
  paper: "a4",
  margin: 25mm,
  background: rotate(-35deg, text(size: 82pt, fill: rgb("e9d8d8"), weight: "bold")[SP\xc3\x89CIMEN]),
  footer: align(center, text(size: 9pt, data.invented)),
)
#set text(size: 12pt, lang: "fr")
#text(size: 10pt, data.issuer)
#v(12mm)
= #data.title
#v(6mm)
#for line in data.lines [#line #parbreak()]
"""


@dataclass(frozen=True)
class Paper:
    """A file as a person would send it."""

    name: str
    content: bytes


def rib(iban: str, holder: str) -> Paper:
    """A bank's RIB."""
    grouped = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))
    lines = [f"Titulaire du compte : {holder}", "Domiciliation : AGENCE DE DÉMONSTRATION", f"IBAN : {grouped}"]
    return Paper("rib.pdf", _typeset("Relevé d’identité bancaire", "Banque de démonstration", lines))


def certificate(nir: str, holder: str, others: Sequence[str] = (), *, on: date) -> Paper:
    """A certificate of rights to health insurance, made on a day; `others`: who is on it besides."""
    lines = [
        f"Assuré : {holder}",
        f"N° de sécurité sociale : {nir[:13]} {nir[13:]}",
        *(f"Ayant droit : {other}" for other in others),
        f"Valable du {on:%d/%m/%Y} au {on + timedelta(days=364):%d/%m/%Y}.",
    ]
    issuer = "Caisse primaire d’assurance maladie de démonstration"
    return Paper("attestation.pdf", _typeset("Attestation de droits à l’assurance maladie", issuer, lines))


def partnership_proof(one: str, other: str, *, since: date) -> Paper:
    """A certificate of marriage."""
    lines = [f"{one} et {other}", f"mariés le {french_date(since)}."]
    return Paper("mariage.pdf", _typeset("Extrait d’acte de mariage", "Mairie de démonstration", lines))


def school_certificate(pupil: str, *, on: date) -> Paper:
    """Of the school year of a day."""
    begins = on.year if on.month >= 8 else on.year - 1
    lines = [f"Élève : {pupil}", f"est inscrit pour l’année scolaire {begins}-{begins + 1}."]
    return Paper("scolarite.pdf", _typeset("Certificat de scolarité", "École de démonstration", lines))


def photographed(paper: Paper, size: tuple[int, int] = PHOTO_SIZE, *, blurred: bool = False) -> Paper:
    """The paper as a phone takes it, on a table and a little askew; `blurred`: so that nobody can read it."""
    photo = picture(paper, size)
    if blurred:
        photo = photo.filter(ImageFilter.GaussianBlur(max(size) / 150))
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=80)
    return Paper(paper.name.replace(".pdf", ".jpg"), out.getvalue())


def picture(paper: Paper, size: tuple[int, int]) -> Image.Image:
    """What the phone sees of it."""
    document = pypdfium2.PdfDocument(paper.content)
    try:
        page = document[0]
        sheet = page.render(scale=size[0] * 0.85 / page.get_width()).to_pil().convert("RGB")
    finally:
        document.close()
    askew = sheet.convert("RGBA").rotate(2.5, Image.Resampling.BICUBIC, expand=True)
    seen = Image.new("RGB", size, _TABLE)
    seen.paste(askew, ((size[0] - askew.width) // 2, (size[1] - askew.height) // 2), askew)
    return seen


def _typeset(title: str, issuer: str, lines: Sequence[str]) -> bytes:
    data = json.dumps({"title": title, "issuer": issuer, "lines": list(lines), "invented": _INVENTED})
    pdf = typst.compile(_TEMPLATE, format="pdf", sys_inputs={"data": data})
    assert isinstance(pdf, bytes)
    return pdf
