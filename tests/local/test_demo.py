"""`make demo`, from outside, on a stack that it starts itself."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from local.demo import main
from local.demo_page import Page
from tests.local.stack_under_test import StackUnderTest

MILESTONES = """
Camille Rousselin, réceptionniste en CDI
KLESIA
Jour 0 ·
L’hôtel déclare Camille
« Nouvel emploi : il vous reste une démarche à faire »
Envoyé à l’employé (Email)
relance automatique par e-mail,
première relance
« Rappel : il vous reste une démarche à faire »
deuxième relance
✗ Rejeté
✉ Lettre
Envoyé à l’employé (Courrier postal)
Camille ouvre sa lettre dans le métro
✓ Brouillon
7 réponses gardées
Démarré par le salarié (Courrier postal)
relance après un brouillon par courrier,
Son formulaire l’attend
Camille termine chez elle et envoie
••• ••• ••
✓ RIB
L’IBAN est bien celui que vous avez saisi.
! Attestation
La photo semble floue.
OPTION 1 CCN HCR NC FAMILLE RG, avec 2 ayants droit
120,00 € par mois
à camille.et.lou@example.fr
Finalisé par le salarié (Email)
2 documents à vérifier
Un gestionnaire vérifie les documents
✗ Attestation
Nous n’arrivons pas à lire ce document.
à envoyer jusqu’au
demande de pièces par e-mail,
rien à faire
le rappel part
Camille envoie le PDF de son attestation
Le numéro de sécurité sociale est bien celui
1 document à vérifier
Le gestionnaire accepte : tout est là
aucune : tout est fait
9, chacun parti une seule fois
4 étapes sur 4
événements pour toute cette vie
/dev/affiliations/
/namespaces/default/workflows/affiliation-
""".strip().splitlines()


@pytest.fixture
async def stack(quick_path: Path) -> AsyncIterator[StackUnderTest]:
    stack = StackUnderTest(quick_path / "local")
    yield stack
    await stack.assert_no_child_left()


async def test_the_demo_starts_the_system_tells_a_whole_life_and_stops_it(stack: StackUnderTest) -> None:
    code, said = await stack.run_command("demo")

    assert code == 0, said
    plain = re.sub(r"[\u00a0\u202f]", " ", said)
    position = 0
    for milestone in MILESTONES:
        assert milestone in plain[position:], f"{milestone!r} is missing, or not in its place:\n{said}"
        position = plain.index(milestone, position) + len(milestone)
    assert "\x1b" not in said
    assert [line for line in said.splitlines() if len(line) > 80 and "/workflows/" not in line] == []


class Stranger(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_stranger_on_the_port_is_a_message_and_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.lock").touch()
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("LOCAL_DIR", str(tmp_path))
        monkeypatch.setenv("API_PORT", str(server.server_port))

        assert main([]) == 1

        server.shutdown()
    said = " ".join(capsys.readouterr().out.split())
    assert "L’histoire s’arrête ici." in said
    assert "n’est pas celui de" in said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("no_color", "term", "painted"), [("", "xterm", True), ("1", "xterm", False), ("", "dumb", False)]
)
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, no_color: str, term: str, painted: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    terminal = Terminal()

    Page(terminal).day("Jour 0", "lundi", "L’hôtel déclare Camille")
    Page(piped := io.StringIO()).day("Jour 0", "lundi", "L’hôtel déclare Camille")

    assert ("\x1b[" in terminal.getvalue()) is painted
    assert "\x1b" not in piped.getvalue()
    assert "Jour 0" in terminal.getvalue()


@pytest.mark.parametrize("columns", ["50", "80", "200"])
def test_lines_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    page = Page(terminal := Terminal())

    page.tell("Son logiciel de paie envoie la déclaration. Le réseau coupe, il l’envoie une deuxième fois." * 2)
    page.sign("refused", "Rejeté", "L’adresse e-mail n’existe pas ou ne reçoit plus de messages.")

    assert max(map(len, terminal.getvalue().splitlines())) <= min(int(columns), 80)
