"""Identifiers that people type: SIREN, SIRET, NIR, IBAN, telephone, e-mail, postcode.

Each `parse_…` takes what was typed or pasted (spaces of every kind, dots, hyphens, lower case, full-width digits) and
returns the one normalised value that we store, or raises `InvalidValue` with a sentence for the person who typed it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from schwifty import IBAN
from schwifty.exceptions import InvalidBBANChecksum, InvalidChecksumDigits, InvalidCountryCode, SchwiftyException
from schwifty.registry import get_iban_spec
from stdnum import luhn
from stdnum.fr import nir as stdnum_nir
from stdnum.fr import siret as stdnum_siret


class InvalidValue(ValueError):
    """A typed value that cannot be accepted.

    `code` is stable (`siret.length`); `message` is a French sentence that never repeats the value, which is personal
    data and would end up in logs; `example` is a valid synthetic value; `suggestion`, when there is one, is the
    corrected value to offer to the person who typed it, and to nobody else.
    """

    def __init__(self, code: str, message: str, example: str, suggestion: str | None = None) -> None:
        super().__init__(code, message, example)  # the suggestion stays out of repr(), so out of logs
        self.code = code
        self.message = message
        self.example = example
        self.suggestion = suggestion

    def __str__(self) -> str:
        return self.message


class Civility(StrEnum):
    """« Civilité » of a person."""

    monsieur = "M"
    madame = "MME"


SIREN_EXAMPLE: Final = "999000003"
SIRET_EXAMPLE: Final = "99900000300015"
NIR_EXAMPLE: Final = "275067599000197"
IBAN_EXAMPLE: Final = "FR7699999000010000000000115"
PHONE_EXAMPLE: Final = "06 39 98 00 01"
EMAIL_EXAMPLE: Final = "camille.martin@exemple.fr"
POSTCODE_EXAMPLE: Final = "75011"


# --- companies and establishments


def parse_siren(text: str) -> str:
    """The 9 digits of a SIREN. Raises InvalidValue `siren.missing|characters|length|checksum`.

    Its last digit makes the Luhn sum a multiple of ten (décret 73-314; INSEE, « numéro SIREN »).
    """
    number = _digits(text, "siren", "numéro SIREN", 9, SIREN_EXAMPLE)
    if number == "0" * 9 or not luhn.is_valid(number):
        raise _mistyped("siren", "numéro SIREN", SIREN_EXAMPLE)
    return number


def parse_siret(text: str) -> str:
    """The 14 digits of a SIRET. Raises InvalidValue `siret.missing|characters|length|checksum`.

    Luhn over the 14 digits and over the SIREN they begin with; the establishments of La Poste (SIREN 356 000 000), too
    many for it, have a sum of digits that is a multiple of five instead (INSEE, « numéro SIRET »).
    """
    if len(_compact(text)) == 9 and luhn.is_valid(_compact(text)):
        raise InvalidValue(
            "siret.length",
            "Ce numéro de 9\u00a0chiffres est un SIREN\u00a0: le SIRET de l’établissement en comporte 14.",
            SIRET_EXAMPLE,
        )
    number = _digits(text, "siret", "numéro SIRET", 14, SIRET_EXAMPLE)
    if number.startswith("0" * 9) or not stdnum_siret.is_valid(number):
        raise _mistyped("siret", "numéro SIRET", SIRET_EXAMPLE)
    return number


def siren_of(siret: str) -> str:
    """The SIREN (9 digits) of the company that a normalised SIRET belongs to."""
    return siret[:9]


# --- people

_NIR_SHAPE = re.compile(r"(?P<sex>\d)(?P<year>\d\d)(?P<month>\d\d)(?P<place>(?:\d\d|2[AB])\d{3})(?P<order>\d{3})\d\d")
_NIR_MONTHS = frozenset([*range(1, 13), *range(20, 43), *range(50, 100)])
_MALE = frozenset("137")

NIR_WARNINGS: Final[Mapping[str, str]] = {
    "nir.birth_year": "L’année de naissance ne correspond pas au numéro de sécurité sociale.",
    "nir.birth_month": "Le mois de naissance ne correspond pas au numéro de sécurité sociale.",
    "nir.civility": "La civilité ne correspond pas au numéro de sécurité sociale.",
}


def parse_nir(text: str) -> str:
    """The 15 characters of a NIR with its key, 2A and 2B in capitals.

    Sex 1 or 2, temporary 3, 4, 7 or 8; month 01–12, or 20–42 and 50–99 when the civil record is incomplete; place of
    birth 01–95, 2A, 2B, 96 (former protectorates), 970–989 (overseas, three digits) or 99 (abroad) then the commune or
    country; order number from 001; key 97 − (n mod 97), 2A counting as 19 and 2B as 18 (INSEE, « structure du NIR »;
    security.md L-08). Raises InvalidValue `nir.missing|characters|key_missing|length|sex|month|department|commune|
    order|key`.
    """
    number = _compact(text)
    label = "numéro de sécurité sociale"
    if not number:
        raise InvalidValue("nir.missing", f"Indiquez le {label}.", NIR_EXAMPLE)
    if re.search(r"[^0-9AB]", number):
        message = f"Le {label} ne comporte que des chiffres, sauf 2A ou 2B pour une naissance en Corse."
        raise InvalidValue("nir.characters", message, NIR_EXAMPLE)
    if len(number) == 13:
        message = f"Il manque la clé\u00a0: les 2\u00a0derniers chiffres du {label}, qui en comporte 15."
        raise InvalidValue("nir.key_missing", message, NIR_EXAMPLE)
    if len(number) != 15:
        message = f"Le {label} comporte 15\u00a0caractères, clé comprise\u00a0: {_off_by(len(number), 15)}."
        raise InvalidValue("nir.length", message, NIR_EXAMPLE)
    shape = _NIR_SHAPE.fullmatch(number)
    if shape is None:
        message = f"Dans le {label}, une lettre ne se trouve que dans 2A ou 2B, en 6e et 7e\u00a0position."
        raise InvalidValue("nir.characters", message, NIR_EXAMPLE)
    _check_nir_parts(shape)
    if stdnum_nir.calc_check_digits(number[:13]) != number[13:]:
        message = f"Ce {label} n’est pas valide\u00a0: vérifiez chaque chiffre, clé comprise."
        raise InvalidValue("nir.key", message, NIR_EXAMPLE)
    return number


def _check_nir_parts(shape: re.Match[str]) -> None:
    def refuse(part: str, message: str) -> InvalidValue:
        return InvalidValue(f"nir.{part}", message, NIR_EXAMPLE)

    if shape["sex"] not in "123478":
        raise refuse("sex", "Le numéro de sécurité sociale commence par 1 ou 2 (3, 4, 7 ou 8 s’il est provisoire).")
    if int(shape["month"]) not in _NIR_MONTHS:
        raise refuse("month", "Le mois de naissance, en 4e et 5e\u00a0position, n’existe pas.")
    department, commune, last_commune = shape["place"][:2], shape["place"][2:], 990
    if department in ("97", "98"):  # overseas: three digits of department leave two for the commune
        commune, last_commune = shape["place"][3:], 90
    if department == "00":
        raise refuse("department", "Le département de naissance, en 6e et 7e\u00a0position, n’existe pas.")
    if not 1 <= int(commune) <= last_commune:
        raise refuse("commune", "La commune ou le pays de naissance, de la 8e à la 10e\u00a0position, n’existe pas.")
    if shape["order"] == "000":
        raise refuse("order", "Le numéro d’ordre, de la 11e à la 13e\u00a0position, ne peut pas être 000.")


def masked_nir(nir: str) -> str:
    """What a page shows of a normalised NIR: sex, year and month of birth only, `2 75 06 ••• ••• ••`."""
    return f"{nir[0]} {nir[1:3]} {nir[3:5]} ••• ••• ••"


def nir_warnings(nir: str, birth_date: date | None, civility: Civility | None) -> tuple[str, ...]:
    """What a normalised NIR says otherwise than the person's file: keys of `NIR_WARNINGS`, in a fixed order.

    Never a reason to refuse (security.md L-08): civil status is corrected after a NIR was given, and a month beyond 12
    or a missing argument says nothing.
    """
    warnings = []
    if birth_date is not None:
        if int(nir[1:3]) != birth_date.year % 100:
            warnings.append("nir.birth_year")
        if int(nir[3:5]) <= 12 and int(nir[3:5]) != birth_date.month:
            warnings.append("nir.birth_month")
    if civility is not None and (nir[0] in _MALE) != (civility is Civility.monsieur):
        warnings.append("nir.civility")
    return tuple(warnings)


# --- bank details

# Joined SEPA in 2024 and 2025 (EPC409-09, list of SEPA scheme countries), not yet known as such to the library.
_LATELY_IN_SEPA = frozenset(["AL", "MD", "ME", "MK", "RS"])
_RIB_KEY_COUNTRIES = frozenset(["FR", "MC"])  # Monaco's banks use the French RIB and its key


def parse_iban(text: str) -> str:
    """An IBAN of a SEPA country, without spaces, in capitals.

    Length and structure of its country, key modulo 97 (ISO 13616), and for France and Monaco the RIB key, which a
    correct IBAN key does not prove. Raises InvalidValue `iban.missing|characters|country|length|structure|checksum|
    rib_key`.
    """
    number = _compact(text).removeprefix("IBAN").lstrip(":")
    if not number:
        raise InvalidValue("iban.missing", "Indiquez l’IBAN.", IBAN_EXAMPLE)
    if re.search(r"[^0-9A-Z]", number):
        raise InvalidValue("iban.characters", "L’IBAN ne comporte que des lettres et des chiffres.", IBAN_EXAMPLE)
    country = number[:2]
    if not country.isalpha():
        message = "L’IBAN commence par les deux lettres du pays, FR pour la France."
        raise InvalidValue("iban.country", message, IBAN_EXAMPLE)
    length = _sepa_iban_length(country)
    if length is None:
        message = "Le compte doit être tenu dans un pays de la zone SEPA (les deux premières lettres de l’IBAN)."
        raise InvalidValue("iban.country", message, IBAN_EXAMPLE)
    if len(number) != length:
        message = f"Un IBAN {country} comporte {length}\u00a0caractères\u00a0: {_off_by(len(number), length)}."
        raise InvalidValue("iban.length", message, IBAN_EXAMPLE)
    try:
        # Elsewhere the national key adds nothing to the IBAN's own, and the library does not know them all.
        IBAN(number, validate_bban=country in _RIB_KEY_COUNTRIES)
    except InvalidBBANChecksum:
        message = (
            "La clé RIB, les deux derniers chiffres de l’IBAN, ne correspond pas au compte\u00a0: vérifiez l’IBAN."
        )
        raise InvalidValue("iban.rib_key", message, IBAN_EXAMPLE) from None
    except InvalidChecksumDigits:
        message = "Cet IBAN n’est pas valide\u00a0: vérifiez chaque lettre et chaque chiffre."
        raise InvalidValue("iban.checksum", message, IBAN_EXAMPLE) from None
    except SchwiftyException:
        message = "Cet IBAN n’est pas écrit comme ceux de son pays\u00a0: vérifiez les lettres et les chiffres."
        raise InvalidValue("iban.structure", message, IBAN_EXAMPLE) from None
    return number


def _sepa_iban_length(country: str) -> int | None:
    """The number of characters of a country's IBAN; None when the country is unknown or outside SEPA."""
    try:
        spec = get_iban_spec(country)
    except InvalidCountryCode:
        return None
    return spec.iban_length if spec.in_sepa_zone or country in _LATELY_IN_SEPA else None


def masked_iban(iban: str) -> str:
    """What a page shows of a normalised IBAN: `FR76 •••• 0115`."""
    return f"{iban[:4]} •••• {iban[-4:]}"


# --- how a person is reached

# A French number is tried first, then the overseas departments, whose 06 and 05 numbers are invalid when read as FR.
_PHONE_REGIONS = ("FR", "RE", "GP", "MQ", "GF", "YT", "PM")
_PHONE_KINDS_REFUSED = frozenset([phonenumbers.PhoneNumberType.PREMIUM_RATE, phonenumbers.PhoneNumberType.SHARED_COST])
_MOBILE_KINDS = frozenset([phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE])
# Set aside for fiction by ARCEP (décision 2018-0881): unknown to the library, and ours for demonstrations.
_FICTION_MOBILE = re.compile(r"\+3363998\d{4}")


def parse_phone(text: str) -> str:
    """A telephone number in E.164 (`+33639980001`), French, overseas or international.

    Refused when no numbering plan knows it, or when it bills its caller. Raises InvalidValue
    `phone.missing|characters|invalid|kind`.
    """
    typed = _ascii_digits(text).strip()
    if not typed:
        raise InvalidValue("phone.missing", "Indiquez le numéro de téléphone.", PHONE_EXAMPLE)
    number = re.sub(r"[\s().\-/]", "", _plain_hyphens(typed).replace("(0)", ""))
    if not re.fullmatch(r"\+?\d+", number):
        message = "Le numéro de téléphone ne comporte que des chiffres, avec + devant l’indicatif d’un autre pays."
        raise InvalidValue("phone.characters", message, PHONE_EXAMPLE)
    number = re.sub(r"^00", "+", number)
    # Saint-Pierre-et-Miquelon is dialled 0508 and six digits; its E.164 has these six only.
    number = re.sub(r"^0508(?=\d{6}$)", "+508", number)
    parsed = _known_phone(number)
    if parsed is None:
        message = "Ce numéro de téléphone n’existe pas\u00a0: vérifiez chaque chiffre (10\u00a0chiffres en France)."
        raise InvalidValue("phone.invalid", message, PHONE_EXAMPLE)
    if phonenumbers.number_type(parsed) in _PHONE_KINDS_REFUSED:
        message = "Indiquez un numéro personnel\u00a0: les numéros surtaxés ne sont pas acceptés."
        raise InvalidValue("phone.kind", message, PHONE_EXAMPLE)
    return _e164(parsed)


def is_mobile(e164: str) -> bool:
    """Whether a normalised number can receive an SMS: a mobile, of France, overseas or another country."""
    if _FICTION_MOBILE.fullmatch(e164):
        return True
    return phonenumbers.number_type(phonenumbers.parse(e164)) in _MOBILE_KINDS


def _known_phone(number: str) -> phonenumbers.PhoneNumber | None:
    for region in _PHONE_REGIONS:
        # Six-digit local numbers of an archipelago would make a truncated mainland number look right.
        if region != "FR" and not (number.startswith("+") or len(number) == 10):
            continue
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(parsed) or _FICTION_MOBILE.fullmatch(_e164(parsed)):
            return parsed
    return None


def _e164(parsed: phonenumbers.PhoneNumber) -> str:
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


# Frequent slips: domains where no employee has a mailbox, and the one that was meant.
_DOMAIN_SLIPS: Mapping[str, str] = {
    "gamil.com": "gmail.com",
    "gmai.com": "gmail.com",
    "gmal.com": "gmail.com",
    "gmail.co": "gmail.com",
    "gmail.fr": "gmail.com",
    "gmial.com": "gmail.com",
    "gnail.com": "gmail.com",
    "homail.com": "hotmail.com",
    "hotmai.com": "hotmail.com",
    "hotmai.fr": "hotmail.fr",
    "hotmal.com": "hotmail.com",
    "hotmal.fr": "hotmail.fr",
    "hotmial.com": "hotmail.com",
    "hotmial.fr": "hotmail.fr",
    "icloud.fr": "icloud.com",
    "iclou.com": "icloud.com",
    "lapost.net": "laposte.net",
    "orage.fr": "orange.fr",
    "ornage.fr": "orange.fr",
    "outloock.com": "outlook.com",
    "outlok.com": "outlook.com",
    "wanado.fr": "wanadoo.fr",
    "yaho.fr": "yahoo.fr",
    "yahou.fr": "yahoo.fr",
}
# Endings that are no top-level domain, and the one that was meant.
_ENDING_SLIPS: Mapping[str, str] = {
    "cmo": "com",
    "comm": "com",
    "con": "com",
    "fe": "fr",
    "frr": "fr",
    "ft": "fr",
    "ocm": "com",
    "rf": "fr",
    "vom": "com",
    "xom": "com",
}


def parse_email(text: str) -> str:
    """An e-mail address in lower case, its domain in ASCII (IDNA).

    The part before the @ goes to lower case too: no provider tells capitals apart, and one mailbox must count once
    (product.md, rule 4). It must be ASCII, as the mail provider delivers to no other. Syntax and frequent slips only,
    no look-up. Raises InvalidValue `email.missing|at|space|accent|typo|format`; `email.typo` carries the corrected
    address in `suggestion`.
    """
    address = unicodedata.normalize("NFKC", _without_invisible(text)).strip().lower()
    if not address:
        raise InvalidValue("email.missing", "Indiquez l’adresse e-mail.", EMAIL_EXAMPLE)
    local, at, domain = address.partition("@")
    if not (local and at and domain) or "@" in domain:
        message = "L’adresse e-mail comporte un seul @, avec un nom avant et un domaine après."
        raise InvalidValue("email.at", message, EMAIL_EXAMPLE)
    if re.search(r"\s", address):
        raise InvalidValue("email.space", "L’adresse e-mail ne comporte pas d’espace.", EMAIL_EXAMPLE)
    if not local.isascii():
        message = "L’adresse e-mail ne comporte ni accent ni caractère spécial avant le @."
        raise InvalidValue("email.accent", message, EMAIL_EXAMPLE)
    _refuse_slip(local, domain)
    try:
        valid = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        message = "Cette adresse e-mail n’est pas valide\u00a0: vérifiez-la, surtout après le @."
        raise InvalidValue("email.format", message, EMAIL_EXAMPLE) from None
    return valid.ascii_email or valid.normalized


def _refuse_slip(local: str, domain: str) -> None:
    name, _, ending = domain.rpartition(".")
    if name and ending in _ENDING_SLIPS:
        ending_meant = _ENDING_SLIPS[ending]
        meant, shown, wanted = f"{name}.{ending_meant}", f".{ending}", f".{ending_meant}"
    elif domain in _DOMAIN_SLIPS:
        meant, shown, wanted = _DOMAIN_SLIPS[domain], domain, _DOMAIN_SLIPS[domain]
    else:
        return
    message = (
        f"L’adresse e-mail se termine par «\u00a0{shown}\u00a0»\u00a0: vouliez-vous dire «\u00a0{wanted}\u00a0»\u202f?"
    )
    meant = _DOMAIN_SLIPS.get(meant, meant)
    raise InvalidValue("email.typo", message, EMAIL_EXAMPLE, suggestion=f"{local}@{meant}")


def parse_postcode(text: str) -> str:
    """The 5 digits of a French postcode, overseas and CEDEX included.

    They begin with the department, 01–95, or with 97 or 98 overseas (La Poste). Raises InvalidValue
    `postcode.missing|characters|length|department`.
    """
    number = _digits(text, "postcode", "code postal", 5, POSTCODE_EXAMPLE)
    if number[:2] in ("00", "96", "99"):
        message = "Ce code postal n’existe pas\u00a0: vérifiez les deux premiers chiffres."
        raise InvalidValue("postcode.department", message, POSTCODE_EXAMPLE)
    return number


# --- shared


def _digits(text: str, code: str, label: str, length: int, example: str) -> str:
    number = _compact(text)
    if not number:
        raise InvalidValue(f"{code}.missing", f"Indiquez le {label}.", example)
    if not re.fullmatch(r"[0-9]+", number):
        raise InvalidValue(f"{code}.characters", f"Le {label} ne comporte que des chiffres.", example)
    if len(number) != length:
        message = f"Le {label} comporte {length}\u00a0chiffres\u00a0: {_off_by(len(number), length)}."
        raise InvalidValue(f"{code}.length", message, example)
    return number


def _mistyped(code: str, label: str, example: str) -> InvalidValue:
    message = f"Ce {label} n’est pas valide\u00a0: vérifiez chaque chiffre."
    return InvalidValue(f"{code}.checksum", message, example)


def _off_by(given: int, wanted: int) -> str:
    return f"il en manque {wanted - given}" if given < wanted else f"il y en a {given - wanted} de trop"


def _compact(text: str) -> str:
    """Capitals, ASCII digits, no space, dot or hyphen of any kind."""
    return re.sub(r"[\s.\-]", "", _plain_hyphens(_ascii_digits(text))).upper()


def _ascii_digits(text: str) -> str:
    """NFKC (full-width digits, no-break spaces), then the digits of every script as 0–9."""
    folded = unicodedata.normalize("NFKC", _without_invisible(text))
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in folded)


def _plain_hyphens(text: str) -> str:
    return re.sub(r"[\u2010-\u2015\u2212]", "-", text)


def _without_invisible(text: str) -> str:
    """Without format characters (zero-width spaces, text direction marks) that a copy from a page or chat brings."""
    return "".join(char for char in text if unicodedata.category(char) != "Cf")
