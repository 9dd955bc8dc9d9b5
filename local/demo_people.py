"""The companies and the people of the demo register: invented, and data only, so that importing it costs nothing.

Numbers stand for synthetic values (`domain.synthetic`): SIREN, NIR, telephone, IBAN. Mailboxes are at example.fr.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True)
class Place:
    """An establishment; its SIRET comes from its rank in the company."""

    name: str
    postcode: str
    city: str


@dataclass(frozen=True)
class Company:
    """`number`: of its synthetic SIREN."""

    number: int
    name: str
    insurer: str
    insurer_reference: str
    places: tuple[Place, ...]
    emits_dsn: bool = True


HOTEL = Company(
    41,
    "HÔTELS DE LA BRUYÈRE",
    "klesia",
    "K0410017",
    (
        Place("HÔTEL DE LA BRUYÈRE", "75009", "PARIS"),
        Place("HÔTEL DE LA BRUYÈRE STRASBOURG", "67000", "STRASBOURG"),
        Place("RÉSIDENCE DE L’ANSE AUX VENTS", "97190", "LE GOSIER"),
    ),
)
BRASSERIE = Company(
    42,
    "BRASSERIE DU VIADUC",
    "malakoff_humanis",
    "M2290846",
    (
        Place("BRASSERIE DU VIADUC", "69002", "LYON"),
        Place("BRASSERIE DU VIADUC MULHOUSE", "68100", "MULHOUSE"),
    ),
)
CAFE = Company(
    43,
    "CAFÉ DE L’HORLOGE BLEUE",
    "malakoff_humanis",
    "M7105523",
    (Place("CAFÉ DE L’HORLOGE BLEUE", "97400", "SAINT-DENIS"),),
    emits_dsn=False,
)
COMPANIES = (HOTEL, BRASSERIE, CAFE)


class Story(StrEnum):
    """How far a person's way is taken, always through the real services and the workflow; the longest ways first."""

    abandoned = "abandoned"  # nobody ever answered: all reminders, the letter, the end
    overdue = "overdue"  # the form online, its documents never: all reminders, then staff take over
    fallback = "fallback"  # three weeks of silence: the letter has left
    unreachable = "unreachable"  # the e-mail bounced, then the letter came back: the employer must correct
    asked_again = "asked_again"  # staff could not read a document: asked for again, and reminded of
    accepted = "accepted"  # the form online with its documents, all of them accepted by staff
    checking = "checking"  # the form online with its documents, which wait for staff
    some_later = "some_later"  # the form online, some documents with it, the others asked for
    draft_reminded = "draft_reminded"  # a draft, then the reminder of it
    reminded = "reminded"  # one automatic reminder
    waived = "waived"  # covered elsewhere until a date: a dispense
    paper = "paper"  # the form came back on paper, pieces are missing
    started = "started"  # a draft
    relaunched = "relaunched"  # the employer asked for a reminder
    paused = "paused"
    withdrawn = "withdrawn"
    sent = "sent"  # by the medium that the person has
    refused = "refused"  # the provider refuses our account: nothing has left, staff must look


@dataclass(frozen=True)
class Relative:
    """A dependant: `partner` or `child`. `attached_to`: whose certificate names them (`domain.dependants`)."""

    kind: str
    first_names: str
    birth_date: date
    attached_to: str = "employee"
    student: bool = False


@dataclass(frozen=True)
class Person:
    """`slug` names them for ever: it is what tells the next run that they are loaded. `hired_days_ago`: at the load.

    `language` is what the employer declared, `chooses` what the person chose on the form instead. `missing`: what staff
    ask for beside what is empty on paper; `waived_days`: how long they are covered elsewhere, from the load.
    """

    slug: str
    story: Story
    company: Company
    place: int  # rank in the company's places
    civility: str
    first_names: str
    last_name: str
    birth_date: date
    department: str  # of birth; 99: abroad
    address: tuple[str, str, str]
    hired_days_ago: int
    contract_kind: str = "cdi"
    professional_status: str = "NC"
    scheme: str = "RG"
    language: str = "fr"
    birth_name: str = ""  # when it is another
    by_email: bool = True
    asks_for_post: bool = False
    level: str = "BASE"
    family: tuple[Relative, ...] = ()
    missing: tuple[str, ...] = ()
    chooses: str = ""
    waived_days: int = 0

    @property
    def name(self) -> str:
        return f"{self.first_names} {self.last_name}"

    @property
    def email(self) -> str | None:
        domain = "compte-refuse.example.fr" if self.story is Story.refused else "example.fr"
        return f"{self.slug}@{domain}" if self.by_email else None


# Their place here numbers them for ever (NIR, IBAN, telephone): new people go to the end.
PEOPLE = (
    Person(
        "ryan.delcambre",
        Story.abandoned,
        BRASSERIE,
        0,
        "M",
        "Ryan",
        "Delcambre",
        date(2003, 8, 19),
        "59",
        ("4 montée des Tilleuls", "69001", "Lyon"),
        hired_days_ago=18,
        contract_kind="seasonal",
    ),
    Person(
        "lan.nguyen-vasseur",
        Story.fallback,
        BRASSERIE,
        0,
        "MME",
        "Thi Lan",
        "Nguyen-Vasseur",
        date(1984, 2, 27),
        "99",
        ("117 cours de la Soierie", "69003", "Lyon"),
        hired_days_ago=12,
        contract_kind="cdd",
        birth_name="Nguyen",
    ),
    Person(
        "youssef.elfahmi",
        Story.unreachable,
        HOTEL,
        0,
        "M",
        "Youssef",
        "El Fahmi",
        date(1991, 11, 3),
        "99",
        ("8 passage des Lanternes", "93200", "Saint-Denis"),
        hired_days_ago=9,
        language="ar",
    ),
    Person(
        "ines.torrealba",
        Story.draft_reminded,
        HOTEL,
        0,
        "MME",
        "Inés",
        "Torrealba Ruiz",
        date(1997, 6, 14),
        "99",
        ("21 rue du Moulin-Vert-d’Eau", "75018", "Paris"),
        hired_days_ago=15,
        language="es",
        contract_kind="cdd",
    ),
    Person(
        "lea.schmitterlin",
        Story.reminded,
        HOTEL,
        1,
        "MME",
        "Léa",
        "Schmitterlin",
        date(2000, 3, 8),
        "67",
        ("6 quai des Cigognes", "67000", "Strasbourg"),
        hired_days_ago=7,
        scheme="RL",
        contract_kind="seasonal",
    ),
    Person(
        "amina.carlier",
        Story.accepted,
        HOTEL,
        0,
        "MME",
        "Amina",
        "Carlier",
        date(1986, 12, 1),
        "75",
        ("33 avenue des Platanes", "92110", "Clichy"),
        hired_days_ago=22,
        professional_status="C",
        birth_name="Benyoucef",
        level="OPTION 1",
        family=(
            Relative("partner", "Étienne", date(1984, 4, 30)),
            Relative("child", "Naïm", date(2014, 9, 2)),
            Relative("child", "Salomé", date(2019, 1, 25)),
        ),
    ),
    Person(
        "mathis.oberlinger",
        Story.checking,
        BRASSERIE,
        1,
        "M",
        "Mathis",
        "Oberlinger",
        date(2007, 5, 16),
        "68",
        ("2 rue de la Filature-Haute", "68100", "Mulhouse"),
        hired_days_ago=30,
        scheme="RL",
        contract_kind="apprenticeship",
    ),
    Person(
        "expedit.hoarau-rivel",
        Story.asked_again,
        CAFE,
        0,
        "M",
        "Expédit",
        "Hoarau-Rivel",
        date(1978, 7, 21),
        "974",
        ("15 chemin des Vacoas", "97400", "Saint-Denis"),
        hired_days_ago=45,
        family=(Relative("child", "Lilian", date(2011, 10, 10)),),
    ),
    Person(
        "jean-remi.montlouis",
        Story.paper,
        HOTEL,
        2,
        "M",
        "Jean-Rémi",
        "Montlouis",
        date(1969, 1, 30),
        "971",
        ("Impasse des Gommiers", "97190", "Le Gosier"),
        hired_days_ago=20,
        by_email=False,
        missing=("social_security_certificate",),
    ),
    Person(
        "maria-joao.teixeira",
        Story.started,
        HOTEL,
        0,
        "MME",
        "Maria João",
        "Teixeira Pinto",
        date(1989, 9, 9),
        "99",
        ("54 rue des Abeilles", "94200", "Ivry-sur-Seine"),
        hired_days_ago=4,
        language="pt",
    ),
    Person(
        "noemie.payet-grondin",
        Story.relaunched,
        CAFE,
        0,
        "MME",
        "Noémie",
        "Payet-Grondin",
        date(1995, 4, 4),
        "974",
        ("3 rue des Filaos", "97490", "Sainte-Clotilde"),
        hired_days_ago=6,
        contract_kind="extra",
    ),
    Person(
        "fatoumata.keita-brun",
        Story.paused,
        BRASSERIE,
        0,
        "MME",
        "Fatoumata",
        "Keïta-Brun",
        date(1993, 10, 12),
        "93",
        ("9 rue des Canuts-Neufs", "69004", "Lyon"),
        hired_days_ago=3,
    ),
    Person(
        "oksana.hrytsko",
        Story.withdrawn,
        HOTEL,
        1,
        "MME",
        "Oksana",
        "Hrytsko",
        date(1998, 12, 24),
        "99",
        ("40 route du Polygone-Nord", "67100", "Strasbourg"),
        hired_days_ago=1,
        scheme="RL",
        language="en",
        contract_kind="cdd",
    ),
    Person(
        "germaine.lacombe-tisne",
        Story.sent,
        BRASSERIE,
        0,
        "MME",
        "Germaine",
        "Lacombe-Tisné",
        date(1966, 5, 5),
        "64",
        ("71 rue du Vieux-Pressoir", "69007", "Lyon"),
        hired_days_ago=2,
        by_email=False,
    ),
    Person(
        "kwame.boateng-asare",
        Story.sent,
        HOTEL,
        2,
        "M",
        "Kwame",
        "Boateng-Asare",
        date(1990, 8, 8),
        "99",
        ("12 allée des Flamboyants", "97190", "Le Gosier"),
        hired_days_ago=1,
        language="en",
        contract_kind="extra",
        asks_for_post=True,
    ),
    Person(
        "joao.marques-leal",
        Story.sent,
        HOTEL,
        0,
        "M",
        "João",
        "Marques Leal",
        date(1982, 3, 17),
        "99",
        ("5 rue des Trois-Pignons", "75019", "Paris"),
        hired_days_ago=0,
        language="pt",
    ),
    Person(
        "nadia.belkacem-roux",
        Story.refused,
        BRASSERIE,
        0,
        "MME",
        "Nadia",
        "Belkacem-Roux",
        date(1996, 10, 4),
        "69",
        ("8 quai des Bateliers", "69005", "Lyon"),
        hired_days_ago=0,
        contract_kind="seasonal",
    ),
    Person(
        "rosalie.vasquet-thebaud",
        Story.overdue,
        BRASSERIE,
        0,
        "MME",
        "Rosalie",
        "Vasquet-Thébaud",
        date(1972, 9, 18),
        "42",
        ("15 traboule du Métier-à-Tisser", "69001", "Lyon"),
        hired_days_ago=26,
        language="falc",
    ),
    Person(
        "carlos.figueira-lobato",
        Story.some_later,
        HOTEL,
        0,
        "M",
        "Carlos",
        "Figueira Lobato",
        date(1979, 2, 11),
        "99",
        ("88 rue du Bac-d’Argent", "94400", "Vitry-sur-Seine"),
        hired_days_ago=11,
        language="pt",
        level="OPTION 1",
        family=(
            Relative("partner", "Graça", date(1981, 6, 3), attached_to="own"),
            Relative("child", "Tomás", date(2006, 9, 21), student=True),
            Relative("child", "Inês", date(2015, 3, 10)),
        ),
    ),
    Person(
        "solene.quemeras-abguen",
        Story.waived,
        HOTEL,
        0,
        "MME",
        "Solène",
        "Quéméras-Abguen",
        date(1999, 11, 29),
        "29",
        ("3 venelle du Phare-Éteint", "75020", "Paris"),
        hired_days_ago=5,
        contract_kind="cdd",
        waived_days=200,
    ),
    Person(
        "khadija.ouarzane",
        Story.started,
        HOTEL,
        1,
        "MME",
        "Khadija",
        "Ouarzane",
        date(1994, 1, 17),
        "99",
        ("14 rue de la Passerelle-Verte", "67200", "Strasbourg"),
        hired_days_ago=3,
        scheme="RL",
        chooses="ar",
    ),
)
