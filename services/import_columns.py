"""The columns of a bulk pre-affiliation: ours, and how those of any file are recognised by their headers or values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from domain.names import search_form


@dataclass(frozen=True)
class ImportColumn:
    """`field`: as `values` name it. `path`: of the same in a PreAffiliation. `synonyms`: what other files call it."""

    field: str
    path: str
    title: str
    width: int
    required: bool
    synonyms: tuple[str, ...] = ()


COLUMNS: Final = (
    ImportColumn("siret", "siret", "SIRET de l’établissement", 30, True,
                 ("siret", "n siret", "numero siret", "etablissement", "siret etablissement", "code siret")),
    ImportColumn("civility", "employee.civility", "Civilité", 11, True,
                 ("civilite", "civ", "titre", "sexe", "genre", "m mme", "mme m", "qualite")),
    ImportColumn("last_name", "employee.last_name", "Nom", 20, True,
                 ("nom", "nom usuel", "nom d usage", "nom usage", "nom de famille", "nom marital", "nom salarie",
                  "nom du salarie", "last name", "surname", "nom d epouse")),
    ImportColumn("birth_name", "employee.birth_name", "Nom de naissance", 20, False,
                 ("nom de naissance", "nom naissance", "nom de jeune fille", "nom patronymique", "ne e",
                  "nom de naiss", "birth name")),
    ImportColumn("first_names", "employee.first_names", "Prénoms", 20, True,
                 ("prenom", "prenoms", "prenom s", "prenom salarie", "prenom du salarie", "first name",
                  "first names", "prenom usuel")),
    ImportColumn("birth_date", "employee.birth_date", "Date de naissance", 17, True,
                 ("date de naissance", "date naissance", "ne e le", "ne le", "nee le", "date naiss", "naissance",
                  "date de naiss", "ddn", "dt naissance", "birth date", "date of birth")),
    ImportColumn("nir", "employee.nir", "Numéro de sécurité sociale", 26, True,
                 ("numero de securite sociale", "n de securite sociale", "n securite sociale", "no securite sociale",
                  "num securite sociale", "nss", "nir", "nni", "n ss", "no ss", "num ss", "securite sociale",
                  "n secu", "num secu", "numero secu", "numero ss", "numero securite sociale", "matricule ss",
                  "immatriculation ss")),
    ImportColumn("email", "employee.email", "E-mail", 28, False,
                 ("e mail", "email", "mail", "adresse e mail", "adresse mail", "adresse email", "courriel",
                  "adresse electronique", "e mail personnel", "email personnel", "mail personnel", "mel")),
    ImportColumn("phone", "employee.phone", "Téléphone", 17, False,
                 ("telephone", "tel", "tel portable", "portable", "mobile", "n de telephone", "numero de telephone",
                  "telephone portable", "telephone mobile", "tel mobile", "gsm", "phone", "num tel")),
    ImportColumn("line1", "employee.address.line1", "Adresse", 32, True,
                 ("adresse", "adresse 1", "adresse ligne 1", "rue", "voie", "numero et voie", "n et voie",
                  "adresse postale", "adresse personnelle", "adresse1", "address", "adresse complete", "domicile")),
    ImportColumn("line2", "employee.address.line2", "Complément d’adresse", 22, False,
                 ("complement", "complement adresse", "complement d adresse", "adresse 2", "adresse ligne 2",
                  "adresse2", "batiment", "suite adresse")),
    ImportColumn("postcode", "employee.address.postcode", "Code postal", 12, True,
                 ("code postal", "cp", "c p", "code post", "codepostal", "postcode", "zip")),
    ImportColumn("city", "employee.address.city", "Ville", 20, True,
                 ("ville", "commune", "localite", "city", "bureau distributeur")),
    ImportColumn("hired_on", "hired_on", "Date d’embauche", 16, True,
                 ("date d embauche", "date embauche", "embauche le", "embauche", "date d entree", "date entree",
                  "entree le", "date debut contrat", "debut contrat", "date de debut", "debut du contrat", "date debut",
                  "date de debut de contrat", "date d arrivee", "hired on", "date d effet")),
    ImportColumn("professional_status", "professional_status", "Statut professionnel", 19, True,
                 ("statut", "statut professionnel", "statut salarie", "categorie", "cadre non cadre", "college",
                  "categorie professionnelle", "cadre", "csp")),
    ImportColumn("scheme", "scheme", "Régime de sécurité sociale", 26, True,
                 ("regime", "regime de securite sociale", "regime ss", "regime obligatoire", "ro",
                  "regime securite sociale")),
    ImportColumn("contract_kind", "contract_kind", "Nature du contrat", 22, True,
                 ("contrat", "nature du contrat", "nature contrat", "type de contrat", "type contrat",
                  "contrat de travail")),
    ImportColumn("medium", "medium", "Envoi de l’invitation", 19, False,
                 ("media", "envoi", "mode d envoi", "mode envoi", "canal", "envoi par")),
    ImportColumn("language", "employee.language", "Langue", 20, False, ("langue", "langue parlee", "language")),
)  # fmt: skip

BY_FIELD: Final[Mapping[str, ImportColumn]] = {column.field: column for column in COLUMNS}
FIELD_OF_PATH: Final[Mapping[str, str]] = {column.path: column.field for column in COLUMNS}
# The key of the NIR in a column of its own: read with the NIR, never a value by itself.
NIR_KEY: Final = "nir_key"
FIELDS: Final = (*BY_FIELD, NIR_KEY)
MARK_TITLE: Final = "Repère"  # our files' first column: what is not to be read is marked there
EXAMPLE_MARK: Final = "Exemple"
STATE_TITLE: Final = "État"
TO_CORRECT_TITLE: Final = "À corriger"

Mapping_ = Mapping[str, int]  # field → place of its column, from 0


def as_declaration(values: Mapping[str, str]) -> dict[str, Any]:
    """The row as `services.declarations.PreAffiliation` reads it; empty values are left out."""
    declared: dict[str, Any] = {"employee": {"address": {}}}
    for field, value in values.items():
        if not value.strip():
            continue
        *parents, name = BY_FIELD[field].path.split(".")
        place = declared
        for parent in parents:
            place = place[parent]
        place[name] = value
    return declared


def missing(mapping: Mapping_) -> list[ImportColumn]:
    """The columns that every row needs and the file has not."""
    return [column for column in COLUMNS if column.required and column.field not in mapping]


def header_field(header: str) -> str | None:
    """The field that a header names, whatever its accents, capitals, signs or stars."""
    return _HEADERS.get(_header_form(header))


def guess_columns(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """Which column holds which field: by the headers, then by the values of the first rows, each field once."""
    found: dict[str, int] = {}
    for place, header in enumerate(headers):
        field = header_field(header)
        if field is not None:
            found.setdefault(field, place)
    if set(BY_FIELD) <= set(found):
        return found
    width = max([len(headers), *(len(row) for row in rows)], default=0)
    taken = set(found.values()) | {place for place, header in enumerate(headers) if _header_form(header) in _OURS}
    samples = {
        place: [row[place] for row in rows if place < len(row) and row[place].strip()][:_SAMPLE]
        for place in range(width)
        if place not in taken
    }
    for field, shape in _SHAPES.items():
        if field not in found:
            fits = [place for place, sample in samples.items() if sample and _share(sample, shape) >= _MOST_OF]
            if fits:
                found[field] = fits[0]
                del samples[fits[0]]
    _dates(found, samples)
    if not found.keys() & {"last_name", "first_names", "line1", "city"} and len(found) >= 2:
        _texts(found, samples)
    return found


# --- by headers


def _header_form(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", re.sub(r"\(.*?\)", " ", search_form(text))).strip()


def _known_headers() -> dict[str, str]:
    known = {_header_form(name): column.field for column in COLUMNS for name in (column.title, *column.synonyms)}
    return known | {
        name: NIR_KEY for name in ("cle", "cle nir", "cle ss", "cle nss", "cle secu", "cle securite sociale")
    }


_HEADERS: Final = _known_headers()
_OURS: Final = frozenset(_header_form(title) for title in (MARK_TITLE, STATE_TITLE, TO_CORRECT_TITLE))


# --- by values

_SAMPLE: Final = 50
_MOST_OF: Final = 0.8
_DAY: Final = re.compile(r"\s*(?:\d{1,2}[/.\-]\d{1,2}[/.\-](?:\d{2}|\d{4})|\d{4}-\d\d-\d\d)\s*")
_SHAPES: Final[Mapping[str, re.Pattern[str]]] = {
    "siret": re.compile(r"\s*(?:\d[\s.]*){14}(?:\s[—–-].*)?"),
    "nir": re.compile(
        r"\s*'?[1-478][\s.]*\d\d[\s.]*\d\d[\s.]*(?:\d\d|2[AB])(?:[\s.]*\d){6}(?:[\s.\-]*\d\d?)?\s*|\d[.,]\d+E\+14",
        re.IGNORECASE,
    ),
    "email": re.compile(r"\s*[^\s@]+@[^\s@]+\.[^\s@]+\s*"),
    "phone": re.compile(r"\s*(?:(?:\+|00)\d{2}|0)?\s*(?:\(0\))?\s*[1-9](?:[\s.\-]*\d{2}){4}\s*"),
    "postcode": re.compile(r"\s*\d{4,5}\s*"),
    "civility": re.compile(r"\s*(?:m|mr|mme|mlle|melle|h|f|monsieur|madame|mademoiselle)\.?\s*", re.IGNORECASE),
    "contract_kind": re.compile(r".*\b(?:cdi|cdd|cddu|saisonnier|extra|apprenti\w*)\b.*", re.IGNORECASE),
    "professional_status": re.compile(r"\s*(?:nc|c|(?:non[\s-]?)?cadre|employée?|agent de ma[iî]trise)\s*", re.I),
    "scheme": re.compile(r"\s*(?:rg|rl|(?:r[ée]gime )?(?:g[ée]n[ée]ral|local)\b.*)\s*", re.IGNORECASE),
}
_STREET: Final = re.compile(r"\s*\d+\s*(?:bis|ter|quater|[a-d]\b)?,?\s*[^\W\d].*", re.IGNORECASE)
_WORDS: Final = re.compile(r"[^\W\d_][^\d@]*")


def _share(sample: Sequence[str], shape: re.Pattern[str]) -> float:
    return sum(shape.fullmatch(value) is not None for value in sample) / len(sample)


def _dates(found: dict[str, int], samples: dict[int, list[str]]) -> None:
    """Of two columns of dates, people are born in the earlier one."""
    wanted = [field for field in ("birth_date", "hired_on") if field not in found]
    columns = [place for place, sample in samples.items() if sample and _share(sample, _DAY) >= _MOST_OF]
    if len(wanted) == 2 and len(columns) != 2:
        return
    columns.sort(key=lambda place: _typical_year(samples[place]))
    for field, place in zip(wanted, columns, strict=False):
        found[field] = place
        del samples[place]


def _typical_year(sample: Sequence[str]) -> int:
    years = sorted(int(year) for value in sample for year in re.findall(r"\d{4}", value))
    return years[len(years) // 2] if years else 0


def _texts(found: dict[str, int], samples: dict[int, list[str]]) -> None:
    """A table without headers: a street has a number, the city follows its postcode, the name precedes first names."""
    for place, sample in samples.items():
        if "line1" not in found and sample and _share(sample, _STREET) >= _MOST_OF:
            found["line1"] = place
    words = [
        place
        for place, sample in samples.items()
        if place != found.get("line1") and sample and _share(sample, _WORDS) >= _MOST_OF
    ]
    after = found.get("postcode", -2) + 1
    if after in words:
        found["city"] = after
        words.remove(after)
    for field, place in zip(("last_name", "first_names"), words, strict=False):
        found[field] = place
