"""A draft: each answer with the version it last changed in, so that two devices never overwrite each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class DraftAnswer:
    """`other`: what another device wrote at the same time, kept beside until the person chooses. "": withdrawn."""

    value: str
    version: int
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """`version` counts the saves; 0: nothing was saved yet."""

    version: int = 0
    answers: Mapping[str, DraftAnswer] = field(default_factory=dict)

    def saved(self, seen: int, changes: Mapping[str, str | None]) -> Draft:
        """This draft with some answers changed by somebody who had `seen` a version of it; None withdraws an answer.

        An answer that changed since then, to something else, stays as it is: what comes now is kept beside it
        (security.md L-05). Whoever has seen both decides by writing again.
        """
        version = self.version + 1
        answers = dict(self.answers)
        for path, given in changes.items():
            value = given or ""
            current = answers.get(path)
            if current is not None and current.version > seen and current.value != value:
                answers[path] = replace(current, other=value)
            elif current is None or current.value != value or current.other is not None:
                answers[path] = DraftAnswer(value, version)
        return Draft(version, answers)

    @property
    def values(self) -> dict[str, str]:
        """The answers that stand."""
        return {path: answer.value for path, answer in self.answers.items() if answer.value}

    @property
    def conflicts(self) -> dict[str, str]:
        """What was written beside an answer, by path."""
        return {path: answer.other for path, answer in self.answers.items() if answer.other is not None}
