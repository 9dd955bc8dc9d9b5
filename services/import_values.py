"""One row of a bulk pre-affiliation as people write it, to the values that a declaration takes; each change explained.

What cannot be read stays as it was typed: the declaration's own check names the fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Final

from stdnum import luhn

from domain.employment import ContractKind
from domain.identifiers import Civility, InvalidValue, parse_nir
from domain.names import search_form
from domain.nir_repair import NirState, repair_nir
from messages import words
from messages.typography import french
from services.fields import today
from services.import_columns import NIR_KEY


@dataclass(frozen=True)
class Repair:
    """A value that was changed in reading. `became` is empty when it could not be restored; `why`: in French.

    `sure`: nothing is left to be compared with a paper.
    """

    field: str
    was: str
    became: str
    why: str
    sure: bool = True


@dataclass(frozen=True)
class RowValues:
    """`number`: of the row in the file, as its spreadsheet shows it, from 1."""

    number: int
    values: dict[str, str]
    repairs: list[Repair] = field(default_factory=list)


def read_values(number: int, given: Mapping[str, str]) -> RowValues:
    """The row of these texts, by field; `nir_key` goes into the NIR. Every field given has a value, empty or not."""
    values: dict[str, str] = {}
    repairs: list[Repair] = []
    for name, text in given.items():
        if name == NIR_KEY:
            continue
        text = " ".join(text.split())
        values[name] = text
        if not text:
            continue
        change = _nir(text, given.get(NIR_KEY, "")) if name == "nir" else _READERS.get(name, _as_it_is)(text)
        if change is None:
            continue
        values[name] = change.became or text
        if change.why:
            repairs.append(Repair(name, text, change.became, french(change.why), change.sure))
    repairs += _fill_in(values)
    return RowValues(number, values, repairs)


# --- one value


@dataclass(frozen=True)
class _Change:
    became: str
    why: str = ""  # nothing to explain: the same, written our way
    sure: bool = True


_Reader = Callable[[str], _Change | None]


def _as_it_is(_text: str) -> _Change | None:
    return None


def _nir(text: str, key: str) -> _Change | None:
    repaired = repair_nir(text, key)
    if repaired.state is NirState.lost:
        return _Change("", repaired.why, sure=False)
    return _Change(repaired.nir, repaired.why, sure=repaired.state is not NirState.proposed)


_SCIENTIFIC: Final = re.compile(r"\d[.,]\d+E\+?\d+", re.IGNORECASE)


def _siret(text: str) -> _Change | None:
    """The number alone: our template's list shows the name after it."""
    if _SCIENTIFIC.fullmatch(text):
        why = "Le tableur a remplacé les derniers chiffres du SIRET : recopiez-le dans une cellule au format « Texte »."
        return _Change("", why, sure=False)
    number = re.sub(r"[\s.\-]", "", re.split(r"\s[—–-]\s", text, maxsplit=1)[0].strip("'"))
    if re.fullmatch(r"\d{10,13}", number) and luhn.is_valid(number.zfill(14)):
        return _Change(number.zfill(14), "Le zéro du début du SIRET, retiré par le tableur, a été rétabli.")
    return _Change(number)


def _postcode(text: str) -> _Change | None:
    number = text.strip("'").replace(" ", "")
    if re.fullmatch(r"\d{4}", number):
        return _Change(f"0{number}", "Le zéro du début du code postal, retiré par le tableur, a été rétabli.")
    return _Change(number)


def _phone(text: str) -> _Change | None:
    number = re.sub(r"[\s.\-]", "", text.strip("'"))
    if re.fullmatch(r"[1-9]\d{8}", number):
        return _Change(f"0{number}", "Le zéro du début du téléphone, retiré par le tableur, a été rétabli.")
    if re.fullmatch(r"33[1-9]\d{8}", number):
        return _Change(f"+{number}", "Le + de l’indicatif, retiré par le tableur, a été rétabli.")
    return None


# --- dates

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("janvier janv jan", "fevrier fevr fev", "mars", "avril avr", "mai", "juin", "juillet juil", "aout",
         "septembre sept sep", "octobre oct", "novembre nov", "decembre dec"),
        1,
    )
    for name in names.split()
}  # fmt: skip
_EXCEL_FIRST: Final = date(1899, 12, 30)  # day 0 of Excel's count, for every day since March 1900
_PARTED: Final = re.compile(r"(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4}|\d{2})")
_ISO: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_SPELT: Final = re.compile(r"(?:[a-z]+\s+)?(\d{1,2})(?:er)?\s+([a-z]+)\.?\s+(\d{4})")


def _day(text: str, *, born: bool) -> _Change | None:
    written = re.sub(r"[T ]00:00(?::00(?:[.,]0+)?)?$", "", text.strip("'"))
    if match := _ISO.fullmatch(written):
        return _made(int(match[1]), int(match[2]), int(match[3]))
    if match := _PARTED.fullmatch(written):
        return _parted(int(match[1]), int(match[2]), match[3], born=born)
    if match := _SPELT.fullmatch(search_form(written)):
        return _made(int(match[3]), _MONTHS.get(match[2], 0), int(match[1]))
    if re.fullmatch(r"\d{7,8}", written):
        return _run_together(written)
    if re.fullmatch(r"\d{4,5}([.,]0)?", written):
        day = _EXCEL_FIRST + timedelta(days=int(re.split("[.,]", written)[0]))
        return _Change(day.isoformat(), f"Le nombre de jours du tableur a été lu comme le {day:%d/%m/%Y}.")
    return None


def _parted(first: int, second: int, year_text: str, *, born: bool) -> _Change | None:
    year, why = int(year_text), ""
    if len(year_text) == 2:
        year += _century(year, born=born)
        why = f"L’année sur deux chiffres a été lue comme {year}."
    if second > 12 >= first:
        made = _made(year, first, second)
        return made and _Change(made.became, "La date était écrite mois puis jour : elle a été lue ainsi.", sure=False)
    made = _made(year, second, first)
    return made and _Change(made.became, why, sure=not why)


def _century(year: int, *, born: bool) -> int:
    """People at work were born at least fourteen years ago; they are hired in this century."""
    return 1900 if born and 2000 + year > today().year - 14 else 2000


def _run_together(digits: str) -> _Change | None:
    """JJMMAAAA, its first zero lost or not, or AAAAMMJJ."""
    whole = digits.zfill(8)
    made = _made(int(whole[4:]), int(whole[2:4]), int(whole[:2])) or (
        _made(int(digits[:4]), int(digits[4:6]), int(digits[6:])) if len(digits) == 8 else None
    )
    if made is None:
        return None
    day = date.fromisoformat(made.became)
    return _Change(made.became, f"La date sans séparateurs a été lue comme le {day:%d/%m/%Y}.")


def _made(year: int, month: int, day: int) -> _Change | None:
    try:
        made = date(year, month, day)
    except ValueError:
        return None
    return _Change(made.isoformat()) if 1900 <= made.year <= 2100 else None


# --- lists


def _form(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", search_form(text)).strip()


@cache
def _choices(name: str) -> Mapping[str, str]:
    """Every way to write a choice, to its code: our words, the codes, and what people write."""
    labels, more = _WORDS[name]
    known = {_form(label): str(code) for code, label in labels.items()} | {_form(str(c)): str(c) for c in labels}
    return known | {_form(way): code for code, ways in more.items() for way in ways.split(", ")}


_WORDS: Final[Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]]] = {
    "civility": (words.CIVILITIES, {
        "M": "m, mr, monsieur, h, homme, masculin, 1",
        "MME": "mme, mlle, melle, mademoiselle, ms, mrs, f, femme, feminin, 2",
    }),
    "professional_status": (words.PROFESSIONAL_STATUSES, {
        "NC": "non cadre, non, employe, employee, ouvrier, ouvriere, agent de maitrise, am, etam, noncadre",
        "C": "cadre, oui, cadre superieur, cadre dirigeant, cadres",
    }),
    "scheme": (words.SCHEMES, {
        "RG": "general, regime general, regime general de la securite sociale, g",
        "RL": "local, regime local, alsace moselle, regime alsace moselle, l, regime local d alsace moselle",
    }),
    "contract_kind": (words.CONTRACT_KINDS, {
        "cdi": "cdi, contrat a duree indeterminee, duree indeterminee, indetermine, cdi temps plein, cdi temps partiel",
        "cdd": "cdd, contrat a duree determinee, duree determinee, determine, cdd de remplacement, cdd remplacement",
        "seasonal": "saisonnier, saison, contrat saisonnier, saisonniere, cdd saison",
        "extra": "extra, cddu, cdd usage, cdd d usage, extras, vacation, usage",
        "apprenticeship": "apprenti, apprentie, apprentissage, contrat d apprentissage, contrat apprentissage",
    }),
    "language": (words.LANGUAGES, {
        "fr": "fr, francais, french", "falc": "falc, facile, facile a lire", "en": "en, anglais, english",
        "pt": "pt, portugais, portugues", "es": "es, espagnol, espanol", "ar": "ar, arabe",
    }),
    "medium": ({"email": "E-mail", "post": "Courrier"}, {
        "email": "mail, email, e mail, courriel, electronique, par e mail, par mail",
        "post": "courrier, poste, postal, papier, lettre, par courrier, voie postale",
    }),
}  # fmt: skip


def choice_label(name: str, code: str) -> str:
    """The word that our files show for a code of a list; what is no code stays."""
    return _WORDS[name][0].get(code, code) if name in _WORDS else code


def choice_labels(name: str) -> list[str]:
    """The words of a list, in its order; empty when the field has no list."""
    return list(_WORDS[name][0].values()) if name in _WORDS else []


def _choice(name: str) -> _Reader:
    def read(text: str) -> _Change | None:
        form = _form(text)
        code = _choices(name).get(form)
        if code is not None:
            return _Change(code)
        return _contract(form, text) if name == "contract_kind" else None

    return read


def _contract(form: str, text: str) -> _Change | None:
    """« CDI saisonnier », « CDD 6 mois », « Contrat extra »: the word that decides."""
    found = set(form.split())
    for kind, signs in (
        (ContractKind.cdi, {"cdi", "indeterminee"}),
        (ContractKind.seasonal, {"saisonnier", "saisonniere", "saison"}),
        (ContractKind.extra, {"extra", "cddu", "usage"}),
        (ContractKind.apprenticeship, {"apprentissage", "apprenti", "apprentie"}),
        (ContractKind.cdd, {"cdd", "determinee"}),
    ):
        if found & signs:
            label = choice_label("contract_kind", kind)
            return _Change(kind.value, f"« {text[:40]} » a été lu comme « {label} ».", sure=False)
    return None


_READERS: Final[Mapping[str, _Reader]] = {
    "siret": _siret,
    "postcode": _postcode,
    "phone": _phone,
    "birth_date": lambda text: _day(text, born=True),
    "hired_on": lambda text: _day(text, born=False),
    **{name: _choice(name) for name in _WORDS},
}


# --- what one value says of another

_WHOLE_ADDRESS: Final = re.compile(r"(?P<line1>.+?)[\s,–-]+(?P<postcode>\d{5})\s+(?P<city>[^\d]{2,})")


def _fill_in(values: dict[str, str]) -> list[Repair]:
    repairs = []

    def fill(name: str, value: str, why: str, *, sure: bool = True) -> None:
        repairs.append(Repair(name, values.get(name, ""), value, french(why), sure))
        values[name] = value

    address = _WHOLE_ADDRESS.fullmatch(values.get("line1", ""))
    if address and not values.get("postcode") and not values.get("city"):
        why = "Le code postal et la ville étaient dans l’adresse : ils en ont été séparés."
        for name in ("line1", "postcode", "city"):
            fill(name, address[name].strip(" ,"), why)
    if values.get("last_name") and not values.get("birth_name"):
        why = "Le nom de naissance manquait : le nom a été repris."
        fill("birth_name", values["last_name"], why, sure=values.get("civility") == Civility.monsieur)
    if not values.get("civility") and (sex := _sex(values.get("nir", ""))):
        fill("civility", sex, "La civilité manquait : elle vient du numéro de sécurité sociale.", sure=False)
    return repairs


def _sex(nir: str) -> str:
    try:
        number = parse_nir(nir)
    except InvalidValue:
        return ""
    return {"1": Civility.monsieur.value, "2": Civility.madame.value}.get(number[0], "")
