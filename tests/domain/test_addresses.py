from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import addresses
from domain.addresses import MAX_LINE_CHARACTERS, MAX_LINES, PostalAddress, envelope_lines, parse_address
from domain.identifiers import InvalidValue

words = st.text(st.sampled_from("abcdefghijéèçôABCDEF0123456789-'"), min_size=1, max_size=20)
common = st.sampled_from(["12", "bis", "avenue", "RÉSIDENCE", "Bâtiment", "appartement", "rue", "Saint", "général"])
texts = st.lists(words | common, max_size=12).map(" ".join)
streets = st.lists(words | common, min_size=1, max_size=12).map(lambda found: " ".join(["12", *found]))
cities = st.lists(words, max_size=3).map(lambda found: " ".join(["Ville", *found]))


def refused(field: str, **values: str) -> str:
    with pytest.raises(InvalidValue) as caught:
        parse_address(**({"line1": "12 rue des Exemples", "postcode": "75011", "city": "Paris"} | values))
    assert caught.value.code.startswith(field)
    assert not re.search(r"[^\u00a0]:|[^\u202f][;?!]|[^\u00a0]»|«[^\u00a0]|'", caught.value.message)
    return caught.value.code


def test_a_plain_address() -> None:
    address = parse_address(line1=" 12,  rue des\u00a0Exemples", postcode="75 011", city="Évry-sur-Seine")
    assert address == PostalAddress(line1="12, rue des Exemples", postcode="75011", city="Évry-sur-Seine")
    assert envelope_lines("Mme Camille Martin", address) == (
        "Mme Camille Martin",
        "12 rue des Exemples",
        "75011 ÉVRY-SUR-SEINE",
    )


def test_six_lines_in_their_order() -> None:
    address = parse_address(
        line1="12 boulevard du Général-Exemple prolongé Nord",
        line2="Appartement 12, bâtiment B, résidence des Lilas",
        line3="BP 12",
        postcode="97490",
        city="Sainte-Clotilde",
    )
    assert envelope_lines("Monsieur Dominique Martin de l’Exemple Composé", address) == (
        "Monsieur Dominique Martin de l’Exemple",
        "Composé",
        "APP 12 BAT B RES des Lilas",
        "12 BD du GAL-Exemple prolongé Nord",
        "BP 12",
        "97490 SAINTE-CLOTILDE",
    )


def test_a_long_city_is_abbreviated() -> None:
    address = parse_address(line1="Le Bourg", postcode="88000", city="Saint-Exemple-des-Longues-Rivières")
    assert envelope_lines("Camille Martin", address)[-1] == "88000 ST-EXEMPLE-DES-LONGUES-RIVIÈRES"


def test_a_long_name_is_wrapped_whole() -> None:
    address = parse_address(line1="12 rue des Exemples", postcode="75011", city="Paris")
    name = "Madame Marie-Antoinette Dominique Place-Avenue de la Résidence"
    lines = envelope_lines(name, address)
    assert " ".join(lines[:2]) == name


def test_a_compound_word_is_parted_only_when_it_is_longer_than_a_line() -> None:
    whole = parse_address(line1="12 rue Jean-Exemple", postcode="75011", city="Paris")
    name = "Madame Dominique Longuenom-Martin-Exemple-Bis"
    assert envelope_lines(name, whole)[:2] == ("Madame Dominique", "Longuenom-Martin-Exemple-Bis")
    compound = "Longuenom-de-la-Rivière-Martin-de-l’Exemple-Bis"
    assert "".join(envelope_lines(compound, whole)[:2]) == compound


def test_addresses_abroad_keep_their_own_postcode() -> None:
    address = parse_address(line1="12 Musterstraße", postcode="D-79098", city="Freiburg", country="de")
    assert address.country == "DE"
    assert envelope_lines("Camille Martin", address)[-1] == "D-79098 FREIBURG"


def test_what_is_missing_or_wrong_is_named() -> None:
    assert refused("address.line1", line1=" , ") == "address.line1.missing"
    assert refused("address.city", city="\u200b") == "address.city.missing"
    assert refused("address.city", city="75011") == "address.city.characters"
    assert refused("address.country", country="FRA") == "address.country"
    assert refused("postcode", postcode="7501") == "postcode.length"


@pytest.mark.parametrize("field", ["line1", "line2", "line3", "city"])
def test_what_does_not_fit_is_named(field: str) -> None:
    assert refused(f"address.{field}", **{field: "a" * 39}) == f"address.{field}.length"
    assert refused(f"address.{field}", **{field: "exemple " * 25}) == f"address.{field}.length"


def test_a_recipient_that_does_not_fit_is_named() -> None:
    address = parse_address(line1="12 rue A", line2="B", line3="C", postcode="75011", city="Paris")
    for name, code in (("  ", "missing"), ("a" * 39, "length"), ("exemple " * 15, "length")):
        with pytest.raises(InvalidValue) as caught:
            envelope_lines(name, address)
        assert caught.value.code == f"address.recipient.{code}"


def expanded(text: str) -> str:
    """Letters and digits only, every word that has an abbreviation in its short form."""
    return re.sub(r"[\W_]", "", addresses._abbreviated(text)).upper()


@given(texts.filter(bool), streets, texts, texts, cities)
def test_lines_fit_and_nothing_is_lost(recipient: str, line1: str, line2: str, line3: str, city: str) -> None:
    try:
        address = parse_address(line1=line1, line2=line2, line3=line3, postcode="75011", city=city)
        lines = envelope_lines(recipient, address)
    except InvalidValue as refusal:
        if not re.fullmatch(r"address\.(recipient|line1|line2|line3|city)\.length", refusal.code):
            raise
        return
    assert 3 <= len(lines) <= MAX_LINES
    assert all(0 < len(line) <= MAX_LINE_CHARACTERS and line == line.strip() for line in lines)
    assert re.fullmatch(r"75011 \S.*", lines[-1])
    assert lines[-1] == lines[-1].upper()
    assert expanded(" ".join(lines)) == expanded(f"{recipient} {line2} {line1} {line3} 75011 {city}")


@given(streets, texts, texts)
def test_an_accepted_address_fits_under_a_name_of_two_lines(line1: str, line2: str, line3: str) -> None:
    try:
        address = parse_address(line1=line1, line2=line2, line3=line3, postcode="75011", city="Paris")
    except InvalidValue:
        return
    assert envelope_lines("Prénom Composé Exemple de Martin-Martin Exemple", address)
