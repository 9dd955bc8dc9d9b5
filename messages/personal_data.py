"""Everything that is kept about a person, as a tagged PDF for them to read, in French."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from messages import typeset
from messages.typography import short_date_in_words

_MOST = 4000  # characters of one value: a whole message, not a file
_WIDEST = 40  # characters: what is longer goes on several lines


@dataclass(frozen=True)
class DataSection:
    """A heading, a sentence, and either `rows` of (label, value) or a table of `columns` with its `lines`."""

    heading: str
    intro: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    lines: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class PersonalDataContent:
    """What is handed over. `person`: their name; `made_on`: the day it was put together; `intro`: paragraphs."""

    person: str
    made_on: date
    sections: tuple[DataSection, ...]
    title: str = "Toutes les données que nous avons sur vous"
    intro: tuple[str, ...] = ()


def render_personal_data(content: PersonalDataContent) -> bytes:
    """The PDF. Raises ValueError when a line of a table has not as many values as the table has columns."""
    data = {
        "title": typeset.printable(content.title),
        "person": typeset.printable(content.person),
        "made_on": short_date_in_words(content.made_on),
        "intro": [_value(paragraph) for paragraph in content.intro],
        "sections": [_section(section) for section in content.sections],
    }
    return typeset.render("personal_data.typ", content.made_on, data, {})


def _section(section: DataSection) -> dict[str, object]:
    return {
        "heading": typeset.printable(section.heading),
        "intro": _value(section.intro),
        "rows": [[_value(label), _value(value)] for label, value in section.rows],
        "columns": [_value(column) for column in section.columns],
        "widths": [_width(column) for column in zip(section.columns, *section.lines, strict=True)],
        "lines": [[_value(value) for value in line] for line in section.lines],
    }


def _width(values: tuple[str, ...]) -> int:
    """A column's share of the page, by its longest value within reason."""
    return min(max(map(len, values)), _WIDEST)


def _value(text: str) -> str:
    return typeset.breakable(typeset.printable(text, _MOST))
