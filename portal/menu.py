"""Where one can go from every page of the space: the guide's menu for employers, the desk's for staff, and the
breadcrumb that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from services.greetings import Greeting

HOME: Final = "/espace"
DESK: Final = "/gestion"


@dataclass(frozen=True)
class Page:
    label: str
    path: str

    def holds(self, here: str) -> bool:
        """Whether the page at that address is this one, or one below it."""
        return here == self.path or here.startswith(f"{self.path}/")


@dataclass(frozen=True)
class Section:
    """An entry of the menu. `pages`: its second level, where it has one; the first of them is the section's own."""

    label: str
    icon: str
    pages: tuple[Page, ...]

    @property
    def path(self) -> str:
        return self.pages[0].path

    def holds(self, here: str) -> bool:
        return any(page.holds(here) for page in self.pages)

    def page_of(self, here: str) -> Page | None:
        """The page of the second level that holds an address: the one with the longest path."""
        found = [page for page in self.pages if page.holds(here)]
        return max(found, key=lambda page: len(page.path), default=None)


@dataclass(frozen=True)
class Menu:
    """`tools`: the pictograms at the right, with their words."""

    home: Page
    sections: tuple[Section, ...]
    tools: tuple[Section, ...]

    def section_of(self, here: str) -> Section | None:
        return next((one for one in (*self.sections, *self.tools) if one.holds(here)), None)

    def trail(self, here: str) -> list[Page]:
        """The pages above an address, the first one « Accueil »: the page's own name comes after them."""
        trail = [self.home]
        section = self.section_of(here)
        if section is None:
            return trail
        page = section.page_of(here)
        if len(section.pages) > 1 and section.path != here:
            trail.append(Page(section.label, section.path))
        if page is not None and page.path != here and page.path != section.path:
            trail.append(page)
        elif len(section.pages) == 1 and section.path != here:
            trail.append(Page(section.label, section.path))
        return trail


def _one(label: str, icon: str, path: str) -> Section:
    return Section(label, icon, (Page(label, path),))


_CONTRACTS = _one("Mes contrats", "contract", "/contrats")
_EMPLOYEES = Section(
    "Mes salariés",
    "people",
    (
        Page("Suivi des affiliations", "/salaries/suivi"),
        Page("Pré-affiliation", "/salaries/pre-affiliation"),
        Page("Plusieurs salariés à la fois", "/salaries/pre-affiliation/imports"),
        Page("Mes salariés affiliés", "/salaries/affilies"),
        Page("Radiation contexte sans DSN", "/salaries/radiation"),
    ),
)
_LIBRARY = _one("Mes documents pratiques", "library", "/documents")
_LIBRARY_OF_ADMINISTRATORS = Section(
    "Mes documents pratiques",
    "library",
    (
        Page("Mes documents pratiques", "/documents"),
        Page("Dossier de preuves (Urssaf)", "/documents/dossier-de-preuves"),
    ),
)
_RIGHTS = Section(
    "Mes habilitations",
    "key",
    (
        Page("Gestion des habilitations", "/habilitations"),
        Page("Mandats", "/habilitations/mandats"),
        Page("Clés d’accès", "/habilitations/cles"),
        Page("Webhooks", "/habilitations/webhooks"),
        Page("Consultations", "/habilitations/consultations"),
    ),
)
_REQUESTS = Section(
    "Mes démarches",
    "requests",
    (Page("Mes démarches", "/demarches"), Page("Nous contacter", "/contact")),
)
_EMPLOYERS_TOOLS = (
    _one("Aide", "help", "/aide"),
    _one("Messages", "messages", "/messages"),
    _one("Notifications", "bell", "/notifications"),
    Section("Mon profil", "person", (Page("Mon profil", "/profil"), Page("Mes entreprises", "/entreprises"))),
)
_STAFF_SECTIONS = (
    _one("À traiter", "inbox", DESK + "/a-traiter"),
    _one("Demandes", "requests", DESK + "/demandes"),
    Section(
        "DSN",
        "dsn",
        (
            Page("Fichiers DSN", DESK + "/dsn"),
            Page("Changements à confirmer", DESK + "/dsn/a-confirmer"),
        ),
    ),
    Section(
        "Dossiers",
        "files",
        (
            Page("Rechercher un dossier", DESK + "/dossiers"),
            Page("Retours papier", DESK + "/retours-papier"),
            Page("Droits à décider", DESK + "/droits"),
            Page("Envois", DESK + "/envois"),
        ),
    ),
    Section(
        "Entreprises",
        "company",
        (
            Page("Registre des entreprises", DESK + "/entreprises"),
            Page("Utilisateurs des entreprises", DESK + "/utilisateurs"),
            Page("Questions fréquentes", DESK + "/questions"),
            Page("Base documentaire", DESK + "/bibliotheque"),
        ),
    ),
)
_ACCOUNTS = _one("Comptes", "staff", DESK + "/comptes")
_STAFF_TOOLS = (_one("Mon profil", "person", "/profil"),)


def of_staff(path: str) -> bool:
    """Whether a page is of staff's desk."""
    return path == DESK or path.startswith(f"{DESK}/")


def menu_of(who: Greeting) -> Menu:
    if who.staff:
        accounts = (_ACCOUNTS,) if who.looks_after_accounts else ()
        return Menu(Page("Accueil", DESK), (*_STAFF_SECTIONS, *accounts), _STAFF_TOOLS)
    rights = (_RIGHTS,) if who.administers else ()
    library = _LIBRARY_OF_ADMINISTRATORS if who.administers else _LIBRARY
    # whoever looks at a company in its place has no profile there
    tools = _EMPLOYERS_TOOLS[:-1] if who.look_as else _EMPLOYERS_TOOLS
    return Menu(Page("Accueil", HOME), (_CONTRACTS, _EMPLOYEES, library, *rights, _REQUESTS), tools)
