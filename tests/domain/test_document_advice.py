from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.dependants import AttachedTo
from domain.document_advice import Advice, AdviceCode, Expected, ExpectedDependant, advise
from domain.identifiers import IBAN_EXAMPLE, NIR_EXAMPLE, Civility
from domain.pieces import Piece, PieceCode
from domain.synthetic import synthetic_iban, synthetic_nir
from tests.domain.strategies import (
    first_names,
    ibans,
    last_names,
    nirs,
    noise,
    written_ibans,
    written_nirs,
    written_persons,
)

TODAY = date(2026, 11, 23)
RIB = Piece(PieceCode.rib)
CERTIFICATE = Piece(PieceCode.social_security_certificate)
PARTNER_CERTIFICATE = Piece(PieceCode.partner_social_security_certificate, "p1")
CHILD_CERTIFICATE = Piece(PieceCode.child_social_security_certificate, "k1")
UNION = Piece(PieceCode.partnership_proof, "p1")
SCHOOL = Piece(PieceCode.school_certificate, "k1")
WAIVER = Piece(PieceCode.waiver_proof)
SIGNATURE = Piece(PieceCode.signature)
ALL_PIECES = (RIB, CERTIFICATE, PARTNER_CERTIFICATE, CHILD_CERTIFICATE, UNION, SCHOOL, WAIVER, SIGNATURE)

PARTNER_NIR = synthetic_nir(Civility.monsieur, date(1974, 2, 3), "2A")
OTHER_NIR = synthetic_nir(Civility.madame, date(1980, 1, 1), "2B")
CAMILLE = Expected(
    today=TODAY,
    iban=IBAN_EXAMPLE,
    account_holder="Camille Martin",
    nir=NIR_EXAMPLE,
    last_name="Martin",
    birth_name="Lefèvre",
    first_names="Camille, Rose",
    dependants={
        "p1": ExpectedDependant("Nguyễn", "Loïc", PARTNER_NIR, AttachedTo.own),
        "k1": ExpectedDependant("Martin-Nguyễn", "Zoé", None, AttachedTo.both),
    },
)
NOTHING = Expected(today=TODAY)

A_RIB = f"""Crédit de l’Océan
Relevé d’identité bancaire (RIB)
Titulaire du compte : MME MARTIN CAMILLE
IBAN {" ".join(IBAN_EXAMPLE[i : i + 4] for i in range(0, 27, 4))}  BIC ABCDFRPPXXX"""
A_CERTIFICATE = """Caisse Primaire d’Assurance Maladie de Paris
Attestation de droits à l’assurance maladie      le 02/11/2026
MARTIN CAMILLE  2 75 06 75 990 001 97   né(e) le 12/06/1975
MARTIN NGUYEN ZOE  née le 10/03/2015
Droits ouverts du 01/11/2026 au 31/10/2027"""
A_PAYSLIP = """Bulletin de paie — octobre 2026 — Hôtel de l’Océan, Paris
MARTIN CAMILLE, N° de Sécurité sociale 2 75 06 75 990 001 97
Salaire brut 2 000,00  Net à payer avant impôt 1 600,00  net imposable 1 650,00"""
AN_IDENTITY_CARD = (
    "RÉPUBLIQUE FRANÇAISE\nCARTE NATIONALE D’IDENTITÉ\nNom MARTIN Prénoms CAMILLE ROSE\nnée le 12.06.1975"
)
A_SCHOOL_CERTIFICATE = """Lycée de l’Océan. Certificat de scolarité. Le proviseur certifie que
Zoé MARTIN-NGUYỄN, née le 10/03/2015, est inscrite pour l’année scolaire 2026-2027."""
A_MARRIAGE = (
    "Copie intégrale d’acte de mariage. Le 3 mai 2003, Loïc NGUYEN et Camille LEFÈVRE se sont unis devant nous."
)
A_COVER = "Mutuelle de l’Océan. Nous certifions que Camille MARTIN est couverte, garanties frais de santé."

RIGHT_DOCUMENTS = {
    RIB: A_RIB,
    CERTIFICATE: A_CERTIFICATE,
    CHILD_CERTIFICATE: A_CERTIFICATE,
    SCHOOL: A_SCHOOL_CERTIFICATE,
    UNION: A_MARRIAGE,
    WAIVER: A_COVER,
}


def codes(piece: Piece, text: str, expected: Expected = CAMILLE, quality: tuple[str, ...] = ()) -> list[str]:
    return [advice.code.value for advice in advise(piece, text, quality, expected)]


# --- whole documents


@pytest.mark.parametrize(
    ("piece", "found"),
    [
        (RIB, ["iban_matches"]),
        (CERTIFICATE, ["nir_matches"]),
        (CHILD_CERTIFICATE, []),
        (SCHOOL, []),
        (UNION, []),
        (WAIVER, []),
    ],
)
def test_the_right_document_is_well_received(piece: Piece, found: list[str]) -> None:
    assert codes(piece, RIGHT_DOCUMENTS[piece]) == found
    assert codes(piece, RIGHT_DOCUMENTS[piece], NOTHING) == []


@pytest.mark.parametrize("piece", ALL_PIECES)
@pytest.mark.parametrize("text", ["", " \n\u00a0\f"])
def test_a_photo_is_not_compared(piece: Piece, text: str) -> None:
    assert codes(piece, text) == []


@pytest.mark.parametrize("piece", ALL_PIECES)
def test_the_mark_of_a_scanning_programme_is_no_text(piece: Piece) -> None:
    assert codes(piece, "Scanned with CamScanner\n" * 3) == []


@pytest.mark.parametrize(
    ("piece", "text"),
    [
        (RIB, A_CERTIFICATE),
        (RIB, AN_IDENTITY_CARD),
        (RIB, A_PAYSLIP),
        (RIB, A_SCHOOL_CERTIFICATE),
        (CERTIFICATE, A_RIB),
        (CERTIFICATE, AN_IDENTITY_CARD),
        (CERTIFICATE, A_PAYSLIP),
        (PARTNER_CERTIFICATE, A_RIB),
        (CHILD_CERTIFICATE, A_SCHOOL_CERTIFICATE),
        (SCHOOL, A_CERTIFICATE),
        (SCHOOL, AN_IDENTITY_CARD),
        (UNION, AN_IDENTITY_CARD),
        (UNION, A_CERTIFICATE),
        (WAIVER, A_RIB),
        (WAIVER, AN_IDENTITY_CARD),
    ],
)
def test_another_document_is_told_and_not_compared(piece: Piece, text: str) -> None:
    assert codes(piece, text) == ["not_this_document"]
    assert codes(piece, text.upper().replace(" ", "\u00a0")) == ["not_this_document"]


@pytest.mark.parametrize("text", [A_PAYSLIP, A_CERTIFICATE])
def test_a_waiver_may_be_proved_by_a_payslip_or_a_certificate(text: str) -> None:
    assert codes(WAIVER, text) == []


def test_a_document_may_speak_of_another() -> None:
    notice = "Présentez-vous avec votre carte d’identité et votre bulletin de salaire."
    assert codes(RIB, f"{A_RIB} {notice}") == ["iban_matches"]
    assert codes(CERTIFICATE, f"{A_CERTIFICATE} {notice}") == ["nir_matches"]


def test_a_title_is_read_through_ligatures_and_cuts() -> None:
    assert codes(RIB, "Certi\ufb01cat de sco\u00ad-\nlarité, année sco laire") == ["not_this_document"]


def test_defects_are_told_in_one_order_and_unknown_ones_passed_over() -> None:
    found = advise(RIB, "", ("too_small", "crooked", "blurred", "blank", "too_dark", "iban_matches"), CAMILLE)
    assert found == tuple(Advice(AdviceCode(c), "look") for c in ("blank", "blurred", "too_dark", "too_small"))
    assert codes(RIB, A_RIB, quality=("blurred",)) == ["blurred", "iban_matches"]


def test_only_matches_are_good() -> None:
    other = replace(CAMILLE, iban=synthetic_iban(7), nir=OTHER_NIR)
    assert advise(RIB, A_RIB, (), CAMILLE) == (Advice(AdviceCode.iban_matches, "good"),)
    assert advise(RIB, A_RIB, (), other) == (Advice(AdviceCode.iban_differs, "look"),)
    assert advise(CERTIFICATE, A_CERTIFICATE, (), CAMILLE) == (Advice(AdviceCode.nir_matches, "good"),)
    assert advise(CERTIFICATE, A_CERTIFICATE, (), other) == (Advice(AdviceCode.nir_differs, "look"),)


# --- bank details


@given(ibans, noise, noise, st.data())
def test_an_iban_is_found_however_it_is_written(iban: str, before: str, after: str, data: st.DataObject) -> None:
    text = f"{before} {data.draw(written_ibans(iban))} {after}"
    typed = data.draw(st.sampled_from((iban, f" {iban[:4]} {iban[4:]} ", iban.lower())))
    assert codes(RIB, text, Expected(today=TODAY, iban=typed)) == ["iban_matches"]


@given(ibans, ibans, noise, noise, st.data())
def test_another_iban_is_told(iban: str, other: str, before: str, after: str, data: st.DataObject) -> None:
    assume(iban != other)
    text = f"{before} {data.draw(written_ibans(other))} {after}"
    assert codes(RIB, text, Expected(today=TODAY, iban=iban)) == ["iban_differs"]


@given(ibans, ibans, st.data())
def test_one_of_two_ibans_is_enough(iban: str, other: str, data: st.DataObject) -> None:
    text = f"{data.draw(written_ibans(other))} ; {data.draw(written_ibans(iban))}"
    assert codes(RIB, text, Expected(today=TODAY, iban=iban)) == ["iban_matches"]


@pytest.mark.parametrize("iban", ["DE89370400440532013000", "MT84MALT011000012345MTLCAST001S"])
def test_an_iban_of_another_country_is_compared_too(iban: str) -> None:
    text = f"Kontoinhaberin Camille Martin IBAN {iban[:4]} {iban[4:9]}\n{iban[9:]}"
    assert codes(RIB, text, replace(CAMILLE, iban=iban)) == ["iban_matches"]
    assert codes(RIB, text) == ["iban_differs"]


def test_a_rib_without_any_iban_is_told() -> None:
    text = "Relevé d’identité bancaire de Mme Camille Martin, agence du Port"
    assert codes(RIB, text) == ["iban_absent"]
    assert codes(RIB, text, NOTHING) == ["iban_absent"]


@pytest.mark.parametrize("cells", ["99999 00001 00000000001 16", "99999 00001 0000000001 15", "00001 00000000001 15"])
def test_figures_that_are_no_account_are_no_iban(cells: str) -> None:
    text = f"Relevé d’identité bancaire de Mme Camille Martin, agence du Port {cells}"
    assert codes(RIB, text) == ["iban_absent"]


@pytest.mark.parametrize("typed", [None, "", "FR76", "n’importe quoi"])
def test_an_iban_not_typed_yet_is_not_compared(typed: str | None) -> None:
    assert codes(RIB, A_RIB, replace(CAMILLE, iban=typed)) == []


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Camille Martin", "MLLE MARTIN C"),
        ("Camille Martin", "M. Jean MARTIN ou Mme Camille MARTIN"),
        ("M. et Mme Martin", "M OU MME MARTIN"),
        ("Jean Pierre Lefèvre", "M JEAN LEFEVRE"),
        ("Zoé de la Tour", "DE LA TOUR ZOE"),
        ("Ba", "M BA"),
        (None, "M DUPONT PAUL"),
        ("", "M DUPONT PAUL"),
    ],
)
def test_the_holder_may_be_shortened(typed: str | None, written: str) -> None:
    text = f"Relevé d’identité bancaire IBAN {IBAN_EXAMPLE} {written}"
    assert codes(RIB, text, replace(CAMILLE, account_holder=typed)) == ["iban_matches"]


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Camille Martin", "M DUPONT PAUL"),
        ("Camille Martin", "M MARTIN PAUL"),
        ("Maria de la Cruz", "M DE LA ROCHE"),
        ("Ba", "M LY"),
    ],
)
def test_another_holder_is_told(typed: str, written: str) -> None:
    text = f"Relevé d’identité bancaire IBAN {IBAN_EXAMPLE} {written}"
    assert codes(RIB, text, replace(CAMILLE, account_holder=typed)) == ["iban_matches", "holder_differs"]


# --- social-security numbers


@given(nirs, noise, noise, st.data())
def test_a_nir_is_found_however_it_is_written(nir: str, before: str, after: str, data: st.DataObject) -> None:
    text = f"{before} {data.draw(written_nirs(nir))} {after}"
    typed = data.draw(st.sampled_from((nir, nir.lower(), f"{nir[:1]} {nir[1:13]} {nir[13:]}")))
    assert codes(CERTIFICATE, text, Expected(today=TODAY, nir=typed)) == ["nir_matches"]


@given(nirs, nirs, noise, noise, st.data())
def test_another_nir_is_told(nir: str, other: str, before: str, after: str, data: st.DataObject) -> None:
    assume(nir != other)
    text = f"{before} {data.draw(written_nirs(other))} {after}"
    assert codes(CERTIFICATE, text, Expected(today=TODAY, nir=nir)) == ["nir_differs"]


@pytest.mark.parametrize(
    "figures",
    ["2750675990001", "2 75 06 75 990 001 98", "3401234567890", "01 23 45 67 89", "999 000 003 00015", IBAN_EXAMPLE],
)
def test_other_figures_are_no_nir(figures: str) -> None:
    assert "nir_differs" not in codes(CERTIFICATE, f"Réf. {figures}.", Expected(today=TODAY, nir=OTHER_NIR))


@pytest.mark.parametrize("typed", [None, "", "275", "2750675990001"])
def test_a_nir_not_typed_yet_is_not_compared(typed: str | None) -> None:
    assert codes(CERTIFICATE, A_CERTIFICATE, replace(CAMILLE, nir=typed)) == []


def test_the_partner_s_number_is_compared_on_their_certificate() -> None:
    text = f"Attestation de droits à l’assurance maladie, NGUYEN LOIC {PARTNER_NIR}"
    assert codes(PARTNER_CERTIFICATE, text) == ["nir_matches"]
    assert codes(PARTNER_CERTIFICATE, text.replace(PARTNER_NIR, OTHER_NIR)) == ["nir_differs"]


@pytest.mark.parametrize(
    ("attached_to", "found"), [(AttachedTo.own, ["nir_differs"]), (AttachedTo.both, []), (AttachedTo.partner, [])]
)
def test_a_child_s_certificate_may_carry_a_parent_s_number(attached_to: AttachedTo, found: list[str]) -> None:
    child = ExpectedDependant("Martin-Nguyễn", "Zoé", OTHER_NIR, attached_to)
    expected = replace(CAMILLE, dependants={"k1": child})
    assert codes(CHILD_CERTIFICATE, A_CERTIFICATE, expected) == found
    assert codes(CHILD_CERTIFICATE, f"{A_CERTIFICATE} {OTHER_NIR}", expected) == ["nir_matches"]


# --- names


@given(last_names, first_names, st.data())
def test_a_name_is_found_however_it_is_written(last: str, first: str, data: st.DataObject) -> None:
    text = f"Mutuelle. Nous certifions que {data.draw(written_persons(last, first))} est bien couvert par le contrat"
    expected = Expected(today=TODAY, last_name=last, birth_name="Autrement", first_names=first)
    assert codes(WAIVER, text, expected) == []
    assert codes(WAIVER, text, replace(expected, last_name="Autrement", birth_name=last)) == []
    assert codes(WAIVER, text, replace(expected, last_name="Durandal")) == ["name_absent"]
    assert codes(WAIVER, text, replace(expected, first_names="Gwendoline")) == ["name_absent"]


def test_a_name_cut_by_a_line_is_found() -> None:
    text = "Mutuelle. Nous certifions que Camille Le-\nfèvre est bien couverte par le contrat"
    assert codes(WAIVER, text) == []


def test_a_short_name_is_no_part_of_a_word() -> None:
    expected = Expected(today=TODAY, last_name="Ly", first_names="Camille")
    text = "Mutuelle du lycée. Nous certifions que Camille est bien couverte"
    assert codes(WAIVER, text, expected) == ["name_absent"]


def test_an_absent_person_is_told() -> None:
    camille_alone = A_CERTIFICATE.replace("ZOE", "PAUL")
    assert codes(CERTIFICATE, camille_alone) == ["nir_matches", "dependant_absent"]
    assert codes(CHILD_CERTIFICATE, camille_alone) == ["dependant_absent"]
    assert codes(SCHOOL, A_SCHOOL_CERTIFICATE.replace("Zoé", "Paul")) == ["dependant_absent"]
    assert codes(UNION, A_MARRIAGE.replace("Loïc", "Paul")) == ["dependant_absent"]
    assert codes(UNION, A_MARRIAGE.replace("Camille", "Paule")) == ["name_absent"]
    assert codes(CERTIFICATE, A_CERTIFICATE.replace("CAMILLE", "PAUL")) == ["nir_matches", "name_absent"]


def test_dependants_on_another_certificate_are_not_missed_on_the_employee_s() -> None:
    theirs = {"p1": ExpectedDependant("Nguyễn", "Loïc", None, AttachedTo.partner), "k1": ExpectedDependant("Autre")}
    assert codes(CERTIFICATE, A_CERTIFICATE, replace(CAMILLE, dependants=theirs)) == ["nir_matches"]


def test_an_unknown_dependant_is_not_compared() -> None:
    assert codes(SCHOOL, A_SCHOOL_CERTIFICATE, NOTHING) == []


# --- dates


@pytest.mark.parametrize(
    "when",
    [
        "Fait à Paris, le 12/03/2024.",
        "Paris, le 12 mars 2024, née le 12/06/1975",
        "le 1er août 2025",
        "Date d’édition : 2025-10-31",
        "édité le 02/11/2026, valable jusqu’au 31.10.2026",
        "VALABLE JUSQU’AU 1ER AOÛT 2026",
        "Période du 01/11/2025 au 31/10/2026",
        "Fin de droits : 22/11/2026",
    ],
)
@pytest.mark.parametrize("piece", [CERTIFICATE, WAIVER])
def test_an_old_certificate_is_told(piece: Piece, when: str) -> None:
    assert codes(piece, f"Attestation de droits à l’assurance maladie. {when}", NOTHING) == ["out_of_date"]


@pytest.mark.parametrize(
    "when",
    [
        "Fait à Paris, le 23/11/2025.",
        "le 12/03/2024, mis à jour le 12/03/2026",
        "née le 12/06/1975",
        "né(e) le 12 juin 1975",
        "date de naissance : 12/06/1975",
        "depuis le 01/01/2015",
        "le 12/03/2024, valable jusqu’au 23/11/2026",
        "droits du 01/11/2025 au 31/10/2026, puis du 01/11/2026 au 31/10/2027",
        "le 31/02/2024",
        "le 12/03/24",
        "le 99 99 9999",
        f"le 12 03 {'9' * 5_000}",
    ],
)
@pytest.mark.parametrize("piece", [CERTIFICATE, WAIVER])
def test_a_certificate_in_force_is_not_told(piece: Piece, when: str) -> None:
    assert codes(piece, f"Attestation de droits à l’assurance maladie. {when}", NOTHING) == []


@pytest.mark.parametrize("piece", [RIB, UNION])
def test_an_account_and_a_marriage_do_not_age(piece: Piece) -> None:
    text = f"{RIGHT_DOCUMENTS[piece]} le 12/03/2004, valable jusqu’au 12/03/2005"
    assert "out_of_date" not in codes(piece, text)


@pytest.mark.parametrize(
    ("year", "today", "found"),
    [
        ("2026-2027", TODAY, []),
        ("2025/2026", TODAY, ["out_of_date"]),
        ("2025 – 2026", date(2026, 10, 31), []),
        ("2025/2026 puis 2026/2027", TODAY, []),
    ],
)
def test_a_school_certificate_holds_for_its_year(year: str, today: date, found: list[str]) -> None:
    text = f"Certificat de scolarité, année universitaire {year}, fait le 12/09/2024"
    assert codes(SCHOOL, text, replace(NOTHING, today=today)) == found


def test_a_school_certificate_without_a_year_holds_from_its_day() -> None:
    assert codes(SCHOOL, "Certificat de scolarité, fait le 12/09/2024", NOTHING) == ["out_of_date"]
    assert codes(SCHOOL, "Certificat de scolarité, fait le 12/09/2026", NOTHING) == []


# --- hostile texts, and what never leaves


@given(st.text(), st.sampled_from(ALL_PIECES), st.text(), st.text())
def test_any_text_is_borne(text: str, piece: Piece, typed: str, name: str) -> None:
    person = ExpectedDependant(name, name, typed, AttachedTo.both)
    expected = Expected(
        today=TODAY,
        iban=typed,
        account_holder=name,
        nir=typed,
        last_name=name,
        birth_name=typed,
        first_names=name,
        dependants={"p1": person, "k1": person},
    )
    found = advise(piece, text, (text,), expected)
    assert len({advice.code for advice in found}) == len(found)
    assert all(advice.level == ("good" if advice.code.value.endswith("matches") else "look") for advice in found)


_PIECES_OF_HOSTILITY = (
    *("FR76", "F R 7 6 ", "1 ", "2 75 06 75 990 001 ", "1" * 13 + " ", "2", "99999 00001 00000000001 16 ", "99999 "),
    *("a", "a ", "é", "le 12/03/", "2025 2026 ", "12 mars ", "au ", "-", " ", "\n", "\u0301", "\u00ad", "ﬁ", "ﷺ"),
)


@pytest.mark.parametrize("bit", _PIECES_OF_HOSTILITY)
@pytest.mark.parametrize("piece", [RIB, CERTIFICATE, SCHOOL])
def test_a_hostile_text_is_read_in_one_pass(piece: Piece, bit: str) -> None:
    """Nothing beyond 20 000 characters is read, and these take 70 ms at worst: a second is a generous bound."""
    expected = replace(CAMILLE, iban=synthetic_iban(7), nir=OTHER_NIR)
    begun = time.process_time()
    within = advise(piece, (bit * 20_000)[:20_000], (), expected)
    assert time.process_time() - begun < 1
    assert advise(piece, (bit * 20_000)[:20_000] + f" {synthetic_iban(7)} {OTHER_NIR}", (), expected) == within


def test_nothing_typed_shows_in_a_repr() -> None:
    shown = repr(CAMILLE) + repr(CAMILLE.dependants["p1"]) + repr(advise(RIB, A_RIB, (), CAMILLE))
    for secret in (IBAN_EXAMPLE, NIR_EXAMPLE, PARTNER_NIR, "Martin", "Lefèvre", "Camille", "Nguyễn", "Loïc"):
        assert secret not in shown
