"""Two devices write one draft: what stands, what is kept beside it, and that nothing typed is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.draft import Draft, DraftAnswer

PATHS = ("city", "line1", "nir")
CHANGES = st.dictionaries(st.sampled_from(PATHS), st.one_of(st.none(), st.sampled_from("abc")), min_size=1)


def test_each_save_counts_and_changes_what_it_names() -> None:
    draft = Draft().saved(0, {"city": "Paris", "line1": "1 rue"}).saved(1, {"line1": "2 rue"})
    assert (draft.version, draft.values) == (2, {"city": "Paris", "line1": "2 rue"})
    assert draft.answers["city"].version == 1


def test_an_answer_changed_elsewhere_stands_and_the_late_one_is_kept_beside_it() -> None:
    draft = Draft().saved(0, {"city": "Paris"}).saved(0, {"city": "Lyon", "line1": "1 rue"})
    assert draft.values == {"city": "Paris", "line1": "1 rue"}
    assert draft.conflicts == {"city": "Lyon"}


def test_the_same_answer_twice_is_no_conflict() -> None:
    assert not Draft().saved(0, {"city": "Paris"}).saved(0, {"city": "Paris"}).conflicts


def test_whoever_has_seen_both_decides() -> None:
    torn = Draft().saved(0, {"city": "Paris"}).saved(0, {"city": "Lyon"})
    for chosen in ("Paris", "Lyon", "Nice"):
        decided = torn.saved(torn.version, {"city": chosen})
        assert (decided.values, decided.conflicts) == ({"city": chosen}, {})


def test_an_answer_withdrawn_elsewhere_conflicts_with_one_written_late() -> None:
    draft = Draft().saved(0, {"city": "Paris"}).saved(1, {"city": None}).saved(1, {"city": "Lyon"})
    assert (draft.values, draft.conflicts) == ({}, {"city": "Lyon"})


@given(first=st.lists(CHANGES, max_size=5), second=st.lists(CHANGES, max_size=5), order=st.randoms())
def test_the_last_word_of_each_device_stands_or_is_kept_beside(
    first: list[dict[str, str | None]], second: list[dict[str, str | None]], order: st.DrawFn
) -> None:
    """Two devices that never look at each other's answers, their saves in any order."""
    draft, seen = Draft(), [0, 0]
    last: list[dict[str, str]] = [{}, {}]
    queues = [list(first), list(second)]
    while queues[0] or queues[1]:
        device = order.choice([d for d in (0, 1) if queues[d]])  # type: ignore[attr-defined]
        changes = queues[device].pop(0)
        before = draft
        draft = draft.saved(seen[device], changes)
        assert draft.version == before.version + 1
        last[device].update({path: value or "" for path, value in changes.items()})
        for path, value in changes.items():
            answer = draft.answers[path]
            assert (value or "") in (answer.value, answer.other)
    for path in PATHS:
        words = {said[path] for said in last if path in said}
        if len(words) == 1 and path in draft.answers and all(path in said for said in last):
            answer = draft.answers[path]
            assert words & {answer.value, answer.other}


def test_a_draft_is_never_changed_in_place() -> None:
    draft = Draft(1, {"city": DraftAnswer("Paris", 1)})
    draft.saved(1, {"city": "Lyon"})
    assert draft.values == {"city": "Paris"}
