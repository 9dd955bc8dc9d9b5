"""What is recognised as a question about one's own people, and what is taken out of every question."""

from __future__ import annotations

import pytest

from domain.assistant import Intent, wanted
from domain.masking import masked


@pytest.mark.parametrize(
    ("asked", "intent", "name"),
    [
        ("Où en est l’affiliation de Dupont ?", Intent.person, ("Dupont",)),
        ("ou en est dupont", Intent.person, ("dupont",)),
        ("OU EN EST DUPONT", Intent.person, ("DUPONT",)),
        ("Est-ce que Julie Petit-Clerc a répondu ?", Intent.person, ("Julie", "Petit-Clerc")),
        ("Bonjour, le dossier de M. Lefèvre est-il complet ?", Intent.person, ("Lefèvre",)),
        ("D’Angelo est-il affilié ?", Intent.person, ("Angelo",)),
        ("combien de relances pour Camille Martin", Intent.reminders, ("Camille", "Martin")),
        ("Combien d’affiliations sont en cours ?", Intent.counts, ()),
        ("qui n’a pas encore répondu", Intent.counts, ()),
        ("combien de relances ai-je envoyées ?", Intent.counts, ()),
    ],
)
def test_a_question_about_ones_own_people_is_recognised(asked: str, intent: Intent, name: tuple[str, ...]) -> None:
    found = wanted(asked)
    assert found is not None
    assert (found.intent, found.name) == (intent, name)


@pytest.mark.parametrize(
    "asked",
    [
        "comment relancer un salarié",
        "mon salarié n’a pas reçu le mail",
        "combien de relances sont envoyées",
        "où en est ma demande de mandat",
        "à partir de quelle date est-il couvert",
        "c’est combien la mutuelle",
        "",
    ],
)
def test_a_general_question_is_none(asked: str) -> None:
    assert wanted(asked) is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("son numéro est 2 75 06 75 999 001 97, merci", "son numéro est [numéro de sécurité sociale], merci"),
        ("275067599900197", "[numéro de sécurité sociale]"),
        ("né en Corse : 1 90 05 2A 004 018 12", "né en Corse : [numéro de sécurité sociale]"),
        ("FR76 3000 6000 0112 3456 7890 189 est son IBAN", "[IBAN] est son IBAN"),
        ("appelez le 06 39 98 00 01 ou +33 6 39 98 00 01", "appelez le [téléphone] ou [téléphone]"),
        ("son mail : camille.martin@exemple.fr ?", "son mail : [e-mail] ?"),
        ("SIRET 99900000300015, embauche le 12/05/2026", "SIRET 99900000300015, embauche le 12/05/2026"),
    ],
)
def test_numbers_and_addresses_are_taken_out(typed: str, kept: str) -> None:
    assert masked(typed) == kept
