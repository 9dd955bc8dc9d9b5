from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import identifiers
from domain.identifiers import (
    Civility,
    InvalidValue,
    is_mobile,
    masked_iban,
    masked_nir,
    nir_warnings,
    parse_email,
    parse_iban,
    parse_nir,
    parse_phone,
    parse_postcode,
    parse_siren,
    parse_siret,
    siren_of,
)
from domain.synthetic import synthetic_iban, synthetic_mobile, synthetic_nir, synthetic_siren, synthetic_siret

Parse = Callable[[str], str]

NBSP, NARROW, ZERO_WIDTH = "\u00a0", "\u202f", "\u200b"
DEPARTMENTS = ["01", "13", "20", "75", "95", "96", "99", "2A", "2B", "971", "976", "988"]

sirens = st.builds(synthetic_siren, st.integers(0, 99_999))
sirets = st.builds(synthetic_siret, sirens, st.integers(1, 9_999))
nirs = st.builds(
    synthetic_nir,
    st.sampled_from(Civility),
    st.dates(date(1940, 1, 1), date(2010, 12, 31)),
    st.sampled_from(DEPARTMENTS),
    st.integers(1, 999),
)
ibans = st.builds(synthetic_iban, st.integers(0, 99_999_999_999))
mobiles = st.builds(synthetic_mobile, st.integers(0, 9_999))

numbers: st.SearchStrategy[tuple[Parse, str]] = st.one_of(
    st.tuples(st.just(parse_siren), sirens),
    st.tuples(st.just(parse_siret), sirets),
    st.tuples(st.just(parse_nir), nirs),
    st.tuples(st.just(parse_iban), ibans),
)


def refusal(parse: Parse, text: str) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        parse(text)
    return caught.value


# --- every number


@given(numbers)
def test_a_valid_number_is_its_own_normal_form(case: tuple[Parse, str]) -> None:
    parse, number = case
    assert parse(number) == number


@given(numbers, st.data())
def test_any_single_digit_changed_is_refused(case: tuple[Parse, str], data: st.DataObject) -> None:
    parse, number = case
    position = data.draw(st.sampled_from([i for i, char in enumerate(number) if char.isdigit()]))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[position]]))
    changed = number[:position] + other + number[position + 1 :]
    assert changed not in refusal(parse, changed).message


@given(st.one_of(st.tuples(st.just(parse_nir), nirs), st.tuples(st.just(parse_iban), ibans)), st.data())
def test_two_neighbours_swapped_are_refused(case: tuple[Parse, str], data: st.DataObject) -> None:
    parse, number = case
    pairs = [i for i in range(len(number) - 1) if number[i] != number[i + 1]]
    i = data.draw(st.sampled_from(pairs))
    refusal(parse, number[:i] + number[i + 1] + number[i] + number[i + 2 :])


@given(numbers, st.data())
def test_input_is_tolerant(case: tuple[Parse, str], data: st.DataObject) -> None:
    parse, number = case
    separators = st.sampled_from(["", "", " ", NBSP, NARROW, ".", "-", "\u2011", ZERO_WIDTH, "\t"])
    written = "".join(data.draw(separators) + char for char in number) + data.draw(separators)
    if data.draw(st.booleans()):
        written = written.lower()
    if data.draw(st.booleans()):
        written = re.sub(r"[0-9]", lambda digit: chr(ord(digit[0]) + 0xFEE0), written)  # full-width
    assert parse(written) == number


@given(numbers, st.integers(1, 5), st.booleans())
def test_a_wrong_length_is_refused(case: tuple[Parse, str], by: int, longer: bool) -> None:
    parse, number = case
    wrong = number + "1" * by if longer else number[:-by]
    assert refusal(parse, wrong).code.split(".")[1] in {"length", "key_missing"}


@given(st.sampled_from([parse_siren, parse_siret, parse_nir, parse_iban, parse_phone, parse_email]), st.text())
def test_no_text_makes_a_parser_fail_otherwise(parse: Parse, text: str) -> None:
    try:
        once = parse(text)
    except InvalidValue:
        return
    assert parse(once) == once


REFUSED: list[tuple[Parse, str, str]] = [
    (parse_siren, " ", "siren.missing"),
    (parse_siren, "99900000A", "siren.characters"),
    (parse_siren, "9990000", "siren.length"),
    (parse_siren, "999000004", "siren.checksum"),
    (parse_siren, "000000000", "siren.checksum"),
    (parse_siret, "", "siret.missing"),
    (parse_siret, "999000003000IS", "siret.characters"),
    (parse_siret, "999000003", "siret.length"),
    (parse_siret, "35600000049838", "siret.checksum"),
    (parse_siret, "00000000000000", "siret.checksum"),
    (parse_nir, "", "nir.missing"),
    (parse_nir, "2750675990001É7", "nir.characters"),
    (parse_nir, "27506759900A197", "nir.characters"),
    (parse_nir, "275062C99000157", "nir.characters"),
    (parse_nir, "2750675990001", "nir.key_missing"),
    (parse_nir, "27506759900019", "nir.length"),
    (parse_nir, "575067599000197", "nir.sex"),
    (parse_nir, "275137599000197", "nir.month"),
    (parse_nir, "275007599000197", "nir.month"),
    (parse_nir, "275197599000197", "nir.month"),
    (parse_nir, "275437599000197", "nir.month"),
    (parse_nir, "275060099000197", "nir.department"),
    (parse_nir, "275067500000197", "nir.commune"),
    (parse_nir, "275067599100197", "nir.commune"),
    (parse_nir, "275069749100197", "nir.commune"),
    (parse_nir, "275067599000097", "nir.order"),
    (parse_nir, "275067599000196", "nir.key"),
    (parse_iban, "", "iban.missing"),
    (parse_iban, "FR14 2004 1010 0505 0001 3M02 60é", "iban.characters"),
    (parse_iban, "20041010050500013M02606", "iban.country"),
    (parse_iban, "ZZ1420041010050500013M02606", "iban.country"),
    (parse_iban, "BR1800360305000010009795493C1", "iban.country"),  # right, but Brazil is not in SEPA
    (parse_iban, "FR1420041010050500013M0260", "iban.length"),
    (parse_iban, "FR14A0041010050500013M02606", "iban.structure"),
    (parse_iban, "FR1520041010050500013M02606", "iban.checksum"),
    (parse_iban, "FR84 2004 1010 0505 0001 3M02 607", "iban.rib_key"),
    (parse_phone, " ", "phone.missing"),
    (parse_phone, "06 39 98 00 0x", "phone.characters"),
    (parse_phone, "+", "phone.characters"),
    (parse_phone, "06 39 98 00 0", "phone.invalid"),
    (parse_phone, "0551234", "phone.invalid"),  # valid inside Saint-Pierre-et-Miquelon, truncated elsewhere
    (parse_phone, "112", "phone.invalid"),
    (parse_phone, "0892 12 34 56", "phone.kind"),
    (parse_email, NBSP, "email.missing"),
    (parse_email, "camille.exemple.fr", "email.at"),
    (parse_email, "camille@", "email.at"),
    (parse_email, "a@b@exemple.fr", "email.at"),
    (parse_email, "camille martin@exemple.fr", "email.space"),
    (parse_email, "hélène@exemple.fr", "email.accent"),
    (parse_email, "camille@exemple", "email.format"),
    (parse_email, "camille.@exemple.fr", "email.format"),
    (parse_email, "camille@exemple.test", "email.format"),
    (parse_email, "camille@gmail.con", "email.typo"),
    (parse_postcode, "", "postcode.missing"),
    (parse_postcode, "2A004", "postcode.characters"),
    (parse_postcode, "1000", "postcode.length"),
    (parse_postcode, "00100", "postcode.department"),
    (parse_postcode, "99100", "postcode.department"),
]


@pytest.mark.parametrize(("parse", "text", "code"), REFUSED)
def test_refusals_say_why_in_french_without_the_value(parse: Parse, text: str, code: str) -> None:
    refused = refusal(parse, text)
    assert refused.code == code
    assert str(refused) == refused.message
    assert refused.message.endswith((".", "?"))
    assert len(text) < 2 or text not in refused.message
    assert not re.search(r"[^\u00a0]:|[^\u202f][;?!]|[^\u00a0]»|«[^\u00a0]|'", refused.message), refused.message
    assert parse(refused.example)


def test_a_refusal_tells_how_many_characters_are_wrong() -> None:
    assert "il en manque 2." in refusal(parse_siren, "9990000").message
    assert "il y en a 1 de trop." in refusal(parse_siren, "9990000031").message
    assert "est un SIREN" in refusal(parse_siret, "999 000 003").message


@pytest.mark.parametrize("name", [name for name in vars(identifiers) if name.endswith("_EXAMPLE")])
def test_the_examples_are_valid(name: str) -> None:
    parse: Parse = getattr(identifiers, f"parse_{name.removesuffix('_EXAMPLE').lower()}")
    assert parse(getattr(identifiers, name))


# --- companies


@pytest.mark.parametrize("siret", ["35600000000048", "35600000049837", "73282932000074"])
def test_known_sirets(siret: str) -> None:
    assert parse_siret(siret) == siret
    assert parse_siren(siren_of(siret)) == siret[:9]


# --- NIR


@pytest.mark.parametrize("nir", ["255081416802538", "295109912611193"])
def test_published_examples_of_nir(nir: str) -> None:
    assert parse_nir(nir) == nir


def with_key(body: str) -> str:
    """The key as INSEE writes it, apart from the library."""
    return f"{body}{97 - int(body.replace('2A', '19').replace('2B', '18')) % 97:02}"


@pytest.mark.parametrize("sex", "123478")
@pytest.mark.parametrize("month", ["01", "12", "20", "42", "50", "99"])
@pytest.mark.parametrize("place", ["01001", "20990", "2A004", "2B033", "97411", "98890", "96001", "99100"])
def test_nirs_that_exist(sex: str, month: str, place: str) -> None:
    nir = with_key(f"{sex}75{month}{place}001")
    assert parse_nir(nir) == nir


def test_a_nir_is_masked() -> None:
    assert masked_nir(synthetic_nir(Civility.madame, date(1975, 6, 1))) == "2 75 06 ••• ••• ••"


@given(st.sampled_from(Civility), st.dates(date(1940, 1, 1), date(2010, 12, 31)), st.sampled_from(DEPARTMENTS))
def test_a_nir_that_agrees_gives_no_warning(civility: Civility, born: date, department: str) -> None:
    nir = synthetic_nir(civility, born, department)
    assert nir_warnings(nir, born, civility) == ()
    assert nir_warnings(nir, None, None) == ()


def test_what_disagrees_is_a_warning() -> None:
    nir = synthetic_nir(Civility.madame, date(1975, 6, 1))
    codes = nir_warnings(nir, date(1976, 7, 1), Civility.monsieur)
    assert codes == ("nir.birth_year", "nir.birth_month", "nir.civility")
    assert set(codes) == set(identifiers.NIR_WARNINGS)
    assert nir_warnings(with_key("7752075990001"), date(1975, 7, 1), Civility.monsieur) == ()
    assert nir_warnings(with_key("8755075990001"), date(1975, 7, 1), Civility.madame) == ()


# --- IBAN


@pytest.mark.parametrize(
    "iban",
    [
        "FR1420041010050500013M02606",
        "MC5811222000010123456789030",
        "DE89370400440532013000",
        "ES9121000418450200051332",
        "PT50000201231234567890154",
        "SE4550000000058398257466",
        "GB29NWBK60161331926819",
        "SM86U0322509800000000270100",
        "GI75NWBK000000007099453",
        "RS35260005601001611379",
        "MK07250120000058984",
    ],
)
def test_published_examples_of_iban(iban: str) -> None:
    assert parse_iban(iban) == iban
    assert parse_iban(f"IBAN : {iban.lower()}") == iban


def test_an_iban_is_masked() -> None:
    assert masked_iban(identifiers.IBAN_EXAMPLE) == "FR76 •••• 0115"


# --- telephone


@pytest.mark.parametrize(
    ("typed", "e164", "mobile"),
    [
        ("06 12 34 56 78", "+33612345678", True),
        ("+33 (0)6.12.34.56.78", "+33612345678", True),
        ("0033 6 12 34 56 78", "+33612345678", True),
        ("٠٦١٢٣٤٥٦٧٨", "+33612345678", True),
        ("06\u201112\u201134\u201156\u201178", "+33612345678", True),
        ("01 99 00 12 34", "+33199001234", False),
        ("0692 12 34 56", "+262692123456", True),  # Réunion
        ("0690 12 34 56", "+590690123456", True),  # Guadeloupe
        ("0696 20 12 34", "+596696201234", True),  # Martinique
        ("0694 20 12 34", "+594694201234", True),  # Guyane
        ("0639 01 23 45", "+262639012345", True),  # Mayotte
        ("0590 20 12 34", "+590590201234", False),
        ("0508 55 12 34", "+508551234", True),  # Saint-Pierre-et-Miquelon
        ("+351 912 345 678", "+351912345678", True),
        ("06 39 98 00 01", "+33639980001", True),
    ],
)
def test_telephones(typed: str, e164: str, mobile: bool) -> None:
    assert parse_phone(typed) == e164
    assert is_mobile(e164) is mobile


@given(mobiles)
def test_a_telephone_reads_the_same_in_both_forms(e164: str) -> None:
    national = "0" + e164.removeprefix("+33")
    assert parse_phone(national) == parse_phone(e164) == e164


# --- e-mail


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        (" Camille.Martin@Exemple.FR ", "camille.martin@exemple.fr"),
        ("camille@exemple.fr", "camille@exemple.fr"),
        ("c\u200bamille@exemple.fr", "camille@exemple.fr"),
        ("camille+hcr@café.fr", "camille+hcr@xn--caf-dma.fr"),
        ("camille@gmail.com", "camille@gmail.com"),
        ("camille@hcr.example", "camille@hcr.example"),
    ],
)
def test_emails(typed: str, address: str) -> None:
    assert parse_email(typed) == address


@pytest.mark.parametrize(
    ("domain", "meant"),
    [
        ("gmail.con", "gmail.com"),
        ("gmial.com", "gmail.com"),
        ("gmial.con", "gmail.com"),
        ("hotmial.fr", "hotmail.fr"),
        ("orange.ft", "orange.fr"),
    ],
)
def test_frequent_slips_are_offered_corrected(domain: str, meant: str) -> None:
    refused = refusal(parse_email, f"camille@{domain}")
    assert refused.suggestion == f"camille@{meant}"
    assert "vouliez-vous dire" in refused.message
    assert "camille" not in refused.message
    assert parse_email(refused.suggestion) == refused.suggestion
    assert "camille" not in repr(refused).replace(refused.example, "")


def test_no_domain_is_corrected_into_another_slip() -> None:
    slips = identifiers._DOMAIN_SLIPS
    assert not set(slips) & set(slips.values())


# --- postcode


@pytest.mark.parametrize("postcode", ["01000", "20000", "75011", "95880", "97400", "98800"])
def test_postcodes(postcode: str) -> None:
    assert parse_postcode(f" {postcode[:2]} {postcode[2:]}") == postcode


# --- synthetic values


def test_synthetic_values_stay_in_their_ranges() -> None:
    assert synthetic_siren(0).startswith("999")
    with pytest.raises(ValueError, match="not within"):
        synthetic_siren(100_000)
    with pytest.raises(ValueError, match="not within"):
        synthetic_siret(synthetic_siren(0), 0)
