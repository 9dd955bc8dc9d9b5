"""The form's questions as a page shows them: labels, choices, what is filled in, what is wrong, what follows from what.

Made of the form's definition and the texts' keys alone; nothing here knows a single question but by its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from markupsafe import Markup

from domain.enrolment import Form, FormField, FormGroup, FormStep, Kind, keys_of
from messages import legal
from messages.catalogue import Catalogue
from messages.errors import error_text
from services.enrolments import EnrolmentView
from services.problems import FieldError

_MANDATE: Final = "mandate_note"  # the legal text on what an IBAN does not allow
LONGEST: Final = 200  # of an answer (services.enrolment_form)
_HIDDEN: Final = "•"  # in what is shown again of a NIR or an IBAN

# Of the person's own data only (WCAG 1.3.5); a dependant's is nobody's in the browser.
_AUTOCOMPLETE: Final[Mapping[str, str]] = {
    "last_name": "family-name",
    "first_names": "given-name",
    "birth_date": "bday",
    "line1": "address-line1",
    "line2": "address-line2",
    "postcode": "postal-code",
    "city": "address-level2",
    "email": "email",
    "phone": "tel",
    "account_holder": "name",
    "signature": "name",
}
_INPUT_MODE: Final[Mapping[Kind, str]] = {Kind.email: "email", Kind.phone: "tel", Kind.postcode: "numeric"}
_AS_WRITTEN_IN_FRANCE: Final = frozenset(
    [Kind.day, Kind.birth_date, Kind.nir, Kind.iban, Kind.postcode, Kind.email, Kind.phone]
)


@dataclass(frozen=True)
class Option:
    value: str
    label: str
    hint: str
    checked: bool
    price: str = ""


@dataclass(frozen=True)
class Legal:
    """A text that is signed: the French one counts, a translation helps."""

    french: list[Markup]
    translation: list[Markup]  # none in French


@dataclass(frozen=True)
class Asked:
    """One question."""

    path: str
    kind: Literal["text", "choice", "consent"]
    label: str
    hint: str
    required: bool
    value: str
    error: str
    options: tuple[Option, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()  # what a yes or a no is about
    rivals: tuple[str, ...] = ()  # two devices answered differently
    masked: bool = False
    notes: tuple[Markup, ...] = ()
    doubt: str = ""
    legal: Legal | None = None
    autocomplete: str = "off"
    inputmode: str = "text"
    direction: Literal["ltr", "auto"] = "auto"
    capitals: bool = False

    @property
    def id(self) -> str:
        return anchor(self.path)

    @property
    def described_by(self) -> str:
        """The ids of what is said about the field."""
        said = {"error": self.error, "rivals": self.rivals, "doubt": self.doubt, "hint": self.hint, "mask": self.masked}
        return " ".join(f"{self.id}-{what}" for what, there in said.items() if there)


@dataclass(frozen=True)
class Under:
    """Questions that come with some choices of the question before them; `places`: which, from 1."""

    places: tuple[int, ...]
    answers: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Branch:
    """A question, and what depends on it."""

    head: Asked
    nodes: tuple[Node, ...]


Node = Asked | Under | Branch


@dataclass(frozen=True)
class Wrong:
    """A line of the summary of errors; `address`: "" on the page itself."""

    path: str
    label: str
    text: str
    address: str = ""

    @property
    def href(self) -> str:
        return f"{self.address}#{anchor(self.path)}"


@dataclass(frozen=True)
class Sheet:
    """The questions of a page. `seen`: what they held when it was shown, so that only what changes is saved."""

    nodes: tuple[Node, ...]
    asked: tuple[Asked, ...]
    seen: str
    has_optional: bool

    @cached_property
    def paths(self) -> frozenset[str]:
        return frozenset(question.path for question in self.asked)


def anchor(path: str) -> str:
    return f"q-{path}"


def direction_of(field: FormField | None) -> Literal["ltr", "auto"]:
    """A number keeps its order between words of any language."""
    return "ltr" if field is not None and field.kind in _AS_WRITTEN_IN_FRANCE else "auto"


class Questions:
    """The questions of one enrolment, in one language."""

    def __init__(self, form: Form, view: EnrolmentView, t: Catalogue, errors: Iterable[FieldError] = ()) -> None:
        self.form = form
        self.view = view
        self.t = t
        self.errors: dict[str, FieldError] = {}
        for error in errors:
            self.errors.setdefault(error.field, error)
        self._asked = frozenset(view.questions)
        self._steps = {step.name: step for step in form.steps}

    # --- the form's parts

    def step(self, name: str) -> FormStep | None:
        """A step that is asked in this case."""
        return self._steps.get(name) if name in self.view.steps else None

    @property
    def steps(self) -> list[FormStep]:
        return [self._steps[name] for name in self.view.steps]

    @property
    def last(self) -> FormStep:
        """The one that is signed, on the page where everything is read again."""
        return self.form.steps[-1]

    def group(self, step: FormStep, name: str) -> FormGroup | None:
        return next((group for group in self.groups(step) if group.name == name), None)

    def groups(self, step: FormStep) -> list[FormGroup]:
        """Those whose people are asked about in this case."""
        return [group for group in step.groups if _answered(group.when, self.view.answers)]

    def people(self, group: FormGroup) -> list[str]:
        return list(keys_of(self.view.answers, group.name))

    def person_name(self, group: FormGroup, key: str) -> str:
        """Their first name, else « Ayant droit 2 »."""
        name = self.view.answers.get(f"{group.name}.{key}.first_names", "").strip()
        people = self.people(group)
        number = people.index(key) + 1 if key in people else len(people) + 1
        return name or self.t.text(f"form.{group.name}.title", number=number)

    def paths_of(self, step: FormStep) -> list[str]:
        """Everything asked in a step in this case."""
        names = {field.name for field in step.fields}
        groups = {group.name for group in step.groups}
        return [path for path in self.view.questions if path in names or path.split(".")[0] in groups]

    def step_of(self, path: str) -> FormStep | None:
        name = path.split(".")[0]
        for step in self.form.steps:
            if name in {field.name for field in step.fields} | {group.name for group in step.groups}:
                return step
            if name == "documents" and step.documents:
                return step
        return None

    # --- words

    def key(self, path: str) -> str:
        parts = path.split(".")
        return f"form.{parts[0]}.{parts[2]}" if len(parts) == 3 else f"form.{path}"

    def label(self, path: str) -> str:
        return self.t.text(f"{self.key(path)}.label")

    def shown(self, path: str, value: str) -> str:
        """An answer in words."""
        field = self.form.knows(path)
        if field is None or not value:
            return value
        if field.kind in (Kind.yes_no, Kind.choice):
            return self._choice(path, field, value)
        return value

    def wrong(self, path: str) -> str:
        error = self.errors.get(path)
        return error_text(self.t, error.code, error.example) if error else ""

    def doubt(self, path: str) -> str:
        """What makes one look at an answer again; it stops nothing."""
        return " ".join(error_text(self.t, one.code) for one in self.view.warnings if one.field == path)

    def _choice(self, path: str, field: FormField, value: str) -> str:
        if field.kind is Kind.yes_no:
            key = f"form.{value}"
        elif field.choices == "waivers":
            key = f"waiver.{value}.label"
        else:
            key = f"{self.key(path)}.choice.{value.replace(' ', '_')}"
        return self.t.text(key) if key in self.t.keys else value  # something else that was typed

    # --- what a page asks

    def sheet(
        self,
        fields: Sequence[FormField],
        prefix: str = "",
        show: frozenset[str] | None = None,
        typed: Mapping[str, str] | None = None,
    ) -> Sheet:
        """The questions of a page, those included that an answer on it may bring.

        `show`: the paths whose errors are shown, None: all. `typed`: what a form held that could not be saved.
        """
        begun = any(self.view.answers.get(prefix + field.name) for field in fields)
        self._begun, self._show, self._typed = begun, show, typed or {}
        here = {prefix + field.name: field for field in fields}
        heads: dict[str, str] = {}  # question → the one on this page that brings it
        listed: list[str] = []
        for path, field in here.items():
            local = [name for name in field.when or {} if prefix + name in here]
            elsewhere = {name: values for name, values in (field.when or {}).items() if name not in local}
            if len(local) == 1 and _answered(elsewhere, self.view.answers, prefix):
                heads[path] = prefix + local[0]
                listed.append(path)
            elif path in self._asked or not field.when:
                listed.append(path)
        asked = {path: self._question(path, here[path], here, prefix) for path in listed}
        nodes = self._nodes(listed, heads, asked, prefix, here, "")
        seen = {path: self._seen(path) for path in listed}
        optional = any(not here[path].required for path in listed)
        return Sheet(nodes, tuple(asked.values()), json.dumps(seen, ensure_ascii=False), optional)

    def _nodes(
        self,
        paths: list[str],
        heads: Mapping[str, str],
        asked: Mapping[str, Asked],
        prefix: str,
        here: Mapping[str, FormField],
        within: str,
    ) -> tuple[Node, ...]:
        nodes: list[Node] = []
        at = 0
        while at < len(paths):
            path, last = paths[at], _reach(paths, heads, at)
            node: Node = asked[path]
            if last > at:
                inner = self._nodes(paths[at + 1 : last + 1], heads, asked, prefix, here, path)
                node = Branch(asked[path], inner)
            if within and heads.get(path) == within:
                node = self._under(node, path, within, asked, prefix, here)
                before = nodes[-1] if nodes else None
                if isinstance(before, Under) and isinstance(node, Under) and before.places == node.places:
                    nodes[-1] = Under(before.places, before.answers, (*before.nodes, *node.nodes))
                    at = last + 1
                    continue
            nodes.append(node)
            at = last + 1
        return tuple(nodes)

    def _under(
        self,
        node: Node,
        path: str,
        head: str,
        asked: Mapping[str, Asked],
        prefix: str,
        here: Mapping[str, FormField],
    ) -> Node:
        values = (here[path].when or {})[head.removeprefix(prefix)]
        options = asked[head].options
        places = tuple(place for place, option in enumerate(options, 1) if option.value in values)
        answers = " / ".join(option.label for option in options if option.value in values)
        return Under(places, answers, (node,))

    def _question(self, path: str, field: FormField, here: Mapping[str, FormField], prefix: str) -> Asked:
        key = self.key(path)
        value = self._typed.get(path, self._value(path, field))
        rivals = self._rivals(path)
        masked = _HIDDEN in value and field.kind in (Kind.nir, Kind.iban)
        if rivals:
            value = ""
        kind: Literal["text", "choice", "consent"] = "text"
        options: tuple[Option, ...] = ()
        if field.kind is Kind.consent:
            kind = "consent"
        elif field.kind in (Kind.choice, Kind.yes_no):
            kind = "choice"
            options = self._options(path, field, value)
        elif rivals and not any(_HIDDEN in rival for rival in rivals):
            kind = "choice"
            stored = (self.view.answers.get(path, ""), self.view.conflicts[path])
            options = tuple(Option(one, one or self.t.text("page.conflict.empty"), "", False) for one in stored)
        return Asked(
            path=path,
            kind=kind,
            label=self.t.text(f"{key}.label"),
            hint=self.t.text(f"{key}.hint") if f"{key}.hint" in self.t.keys else "",
            required=field.required,
            value=value,
            error=self.wrong(path) if self._show is None or path in self._show else "",
            options=options,
            facts=self._facts(path, field, here, prefix),
            rivals=rivals,
            masked=masked and not rivals,
            notes=self._notes(field),
            doubt=self.doubt(path),
            legal=self._legal(field),
            autocomplete="off" if prefix else _AUTOCOMPLETE.get(field.name, "off"),
            inputmode=_INPUT_MODE.get(field.kind, "text"),
            direction=direction_of(field),
            capitals=field.kind in (Kind.iban, Kind.nir),
        )

    def _value(self, path: str, field: FormField) -> str:
        """What was answered; until this page was saved once, what the employer declared."""
        if path in self.view.answers or self._begun or not field.suggested:
            return self.view.answers.get(path, "")
        return self.view.suggested.get(path, "")

    def _seen(self, path: str) -> str | None:
        """None: two answers stand, and one is to be chosen."""
        rivals = self._rivals(path)
        if rivals:
            return "" if any(_HIDDEN in rival for rival in rivals) else None
        return self.view.answers.get(path, "")

    def _rivals(self, path: str) -> tuple[str, ...]:
        if path not in self.view.conflicts:
            return ()
        both = (self.view.answers.get(path, ""), self.view.conflicts[path])
        return tuple(self.shown(path, one) or self.t.text("page.conflict.empty") for one in both)

    def _options(self, path: str, field: FormField, value: str) -> tuple[Option, ...]:
        values: Sequence[str] = ("yes", "no")
        if field.kind is Kind.choice:
            values = self.view.choices.get(path) or [str(choice) for choice in field.choices]
        prices = {offer.level: offer.monthly_price_cents for offer in self.view.offers}
        options = []
        for one in values:
            hint_key = f"waiver.{one}.hint"
            if field.choices != "waivers":
                hint_key = f"{self.key(path)}.choice.{one.replace(' ', '_')}.hint"
            hint = self.t.text(hint_key) if hint_key in self.t.keys else ""
            price = ""
            if field.choices == "levels" and one in prices:
                price = self.t.text("page.price", price=self.t.money(prices[one]))
            options.append(Option(one, self._choice(path, field, one), hint, one == value, price))
        return tuple(options)

    def _facts(
        self, path: str, field: FormField, here: Mapping[str, FormField], prefix: str
    ) -> tuple[tuple[str, str], ...]:
        if field.kind is not Kind.yes_no:
            return ()
        about = [p for p, f in here.items() if f.suggested and f.when and prefix + next(iter(f.when)) == path]
        return tuple((self.label(p), self.shown(p, self.view.suggested[p])) for p in about if p in self.view.suggested)

    def _notes(self, field: FormField) -> tuple[Markup, ...]:
        """What an account number is for."""
        if field.kind is not Kind.iban:
            return ()
        words = legal_words(_MANDATE, self.form.legal, self.t)
        return tuple(words.translation or words.french)

    def _legal(self, field: FormField) -> Legal | None:
        if field.legal is None:
            return None
        return legal_words(field.legal, self.form.legal, self.t)


def legal_words(name: str, version: str, t: Catalogue) -> Legal:
    """A legal text, with its translation for whoever reads another language."""
    translation = legal.translation(name, t.language, version)
    return Legal(
        legal.paragraphs(legal.legal_text(name, version).french),
        legal.paragraphs(translation) if translation else [],
    )


def _reach(paths: Sequence[str], heads: Mapping[str, str], at: int) -> int:
    """The last place that depends on the question there, or on one in between."""
    last = at
    while True:
        inside = paths[at : last + 1]
        further = max((place for place in range(at, len(paths)) if heads.get(paths[place]) in inside), default=at)
        if further <= last:
            return last
        last = further


def _answered(condition: Mapping[str, tuple[str, ...]] | None, answers: Mapping[str, str], prefix: str = "") -> bool:
    if not condition:
        return True
    return all(answers.get(prefix + name, answers.get(name, "")) in values for name, values in condition.items())


# --- what a page sent


def sent_answers(form: Form, fields: Mapping[str, str]) -> dict[str, str]:
    """What changed on a page, as typed; a box that is no longer ticked is withdrawn."""
    changed = {}
    for path, was in seen_in(fields).items():
        field = form.knows(path)
        if field is None:
            continue
        if path not in fields and field.kind is not Kind.consent:
            continue  # nothing was chosen
        given = fields.get(path, "")
        if given != was:
            changed[path] = given
    return changed


def seen_in(fields: Mapping[str, str]) -> dict[str, str | None]:
    """What the questions of a page held when it was shown."""
    try:
        seen = json.loads(fields.get("_seen", "{}"))
    except ValueError:
        return {}
    if not isinstance(seen, dict):
        return {}
    return {path: was if isinstance(was, str) else None for path, was in seen.items()}
