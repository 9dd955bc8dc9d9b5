"""What an insured person is entitled to on any day, and what comes next once the work contract has ended.

Pure: the facts are the database's (`CoverageFacts`), what people were told is the workflow's (`Told`). Sources: HCR
agreement of 6 October 2010, art. 7 and 8; Code de la sécurité sociale, art. L911-8; loi n° 89-1009 (« loi Évin »),
art. 4. The computed dates come with the facts: `domain.departures` makes them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from domain.working_time import PARIS, months_after, next_working_moment, paris_date

DEATH: Final = "066"  # S21.G00.62.002: « décès de l’individu »
MAX_STEPS: Final = 60  # more than any life of portability has: a bound, not a rule


class Opening(StrEnum):
    """Whether the end opens portability: presumed open until proved, not open, for staff to decide."""

    open = "open"
    closed = "closed"
    review = "review"


class EarlyEnd(StrEnum):
    """Why portability ended before its computed last day."""

    new_job = "new_job"
    no_proof = "no_proof"
    retirement = "retirement"
    death = "death"
    insurer = "insurer"  # the contract with the insurer ended
    other = "other"


@dataclass(frozen=True, slots=True)
class ProofRules:
    """When a proof of unemployment benefit is asked for; of `domain/data/portability.toml`, frozen with the facts.

    Days count from the first day that no proof covers, or from the day on which the person was told where that is
    later; a negative one is before it.
    """

    every_months: int
    first_reminders: tuple[int, ...]
    again_reminders: tuple[int, ...]
    grace_days: int
    notice_days: int
    evin_notice_days: int
    evin_months: int
    opens: time = time(9)
    closes: time = time(18)


@dataclass(frozen=True, slots=True)
class End:
    """An end of contract that stands. `portability_from`, `portability_until`: as computed, open or not;
    `ended_on`: portability's last day where it ended before; `proof_until`: the last day that a proof covers."""

    contract_ends_on: date
    reason: str
    covered_until: date
    portability: Opening
    portability_from: date
    portability_until: date
    proof_until: date | None = None
    ended_on: date | None = None
    end_reason: EarlyEnd | None = None

    @property
    def last_portable_day(self) -> date | None:
        """The last day of portability as things stand; None: there is none."""
        if self.portability is not Opening.open:
            return None
        last = self.portability_until if self.ended_on is None else self.ended_on
        return last if last >= self.portability_from else None

    @property
    def unproven_from(self) -> date | None:
        """The first day of portability that no proof covers; None: all is proven, over, or there is none."""
        if self.portability is not Opening.open or self.ended_on is not None:
            return None
        first = self.portability_from if self.proof_until is None else self.proof_until + timedelta(days=1)
        return first if first <= self.portability_until else None


@dataclass(frozen=True, slots=True)
class Suspension:
    """A time without pay. `last_day`: None where it is not known yet; `kept`: staff keep the cover, as the person pays;
    None: nobody has decided."""

    first_day: date
    last_day: date | None
    reason: str
    kept: bool | None = None

    def covers(self, day: date) -> bool:
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


class RightsMessage(StrEnum):
    """What the person is told; with its number, the business key of a dispatch."""

    cover_end = "cover_end"
    proof_reminder = "proof_reminder"
    portability_end = "portability_end"
    rights_restored = "rights_restored"


@dataclass(frozen=True, slots=True)
class ToldEnd:
    """The end as a message said it: a change of any of it is told again."""

    contract_ends_on: date
    covered_until: date
    portability: Opening
    portability_until: date


@dataclass(frozen=True, slots=True)
class Told:
    """What the person has been told, and the numbers used. `last_day`: portability's, as the message of its end said;
    `reminders`: how many have left for the proof that is missing from `reminded_for` on."""

    numbers: dict[str, int] = field(default_factory=dict)
    end: ToldEnd | None = None
    end_on: date | None = None  # when it was told
    last_day: date | None = None
    reminded_for: date | None = None
    reminders: int = 0
    last_reminder_on: date | None = None
    version: int = 0

    def next_number(self, kind: RightsMessage) -> int:
        return self.numbers.get(kind.value, 0) + 1


@dataclass(frozen=True, slots=True)
class CoverageFacts:
    """One coverage as the database has it at `version`. `last_day`: of cover as an employee, where one is known.

    `former`: what had been told when this was read: a workflow that starts again goes on from there.
    """

    version: int
    affiliation_id: str
    starts_on: date
    last_day: date | None
    end: End | None
    suspensions: tuple[Suspension, ...]
    rules: ProofRules
    former: Told = Told()


# --- rights on a day


class Right(StrEnum):
    """`suspended`: no cover for now, and it is not over."""

    none = "none"
    active = "active"
    suspended = "suspended"
    portability = "portability"


@dataclass(frozen=True, slots=True)
class DayRights:
    """`proven`: of portability, whether a proof covers the day. `until`: the last day of the last right, as known on
    reading; None: no end is known. `to_review`: staff have to decide something that may change this day."""

    right: Right
    until: date | None
    proven: bool = False
    to_review: bool = False

    @property
    def open(self) -> bool:
        return self.right in (Right.active, Right.portability)


def rights_until(facts: CoverageFacts) -> date | None:
    """The last day of the last right, portability included; None: no end is known."""
    if facts.last_day is None:
        return None
    portable = facts.end.last_portable_day if facts.end else None
    return facts.last_day if portable is None else max(facts.last_day, portable)


def rights_on(facts: CoverageFacts, day: date) -> DayRights:
    """What the person is entitled to on `day`."""
    until, end = rights_until(facts), facts.end
    if day < facts.starts_on:
        return DayRights(Right.none, until)
    if facts.last_day is None or day <= facts.last_day:
        suspended = [one for one in facts.suspensions if one.covers(day) and one.kept is not True]
        undecided = any(one.kept is None for one in suspended)
        return DayRights(Right.suspended if suspended else Right.active, until, to_review=undecided)
    if end is None:
        return DayRights(Right.none, until)
    portable = end.last_portable_day
    if portable is not None and end.portability_from <= day <= portable:
        return DayRights(Right.portability, until, proven=end.proof_until is not None and day <= end.proof_until)
    undecided = end.portability is Opening.review and end.portability_from <= day <= end.portability_until
    return DayRights(Right.none, until, to_review=undecided)


# --- what comes next


class StepKind(StrEnum):
    """`no_proof`: portability ends for want of a proof. `over`: nothing of this coverage is to come any more."""

    cover_end = "cover_end"
    proof_reminder = "proof_reminder"
    portability_end = "portability_end"
    rights_restored = "rights_restored"
    no_proof = "no_proof"
    over = "over"


@dataclass(frozen=True, slots=True)
class RightsStep:
    """One thing to do at a moment (UTC)."""

    at: datetime
    kind: StepKind

    @property
    def message(self) -> RightsMessage | None:
        return None if self.kind in (StepKind.no_proof, StepKind.over) else RightsMessage(self.kind.value)


def next_step(facts: CoverageFacts, told: Told, now: datetime) -> RightsStep | None:
    """The next step, never before `now`; None: nothing is to come.

    Messages leave in working hours, and the end of a contract is told on its last day at the earliest: the employer's
    declaration may be ahead of what the person knows.
    """
    steps = list(_steps(facts, told, now))
    return min(steps, key=lambda step: step.at) if steps else None


def calendar(facts: CoverageFacts, told: Told, now: datetime) -> tuple[RightsStep, ...]:
    """Everything still to come if nobody does anything: what is announced is what is done."""
    steps: list[RightsStep] = []
    while len(steps) < MAX_STEPS and (step := next_step(facts, told, now)) is not None:
        steps.append(step)
        now = step.at
        if step.kind is StepKind.over:
            break
        if step.kind is StepKind.no_proof:
            facts = ended_without_proof(facts)
        elif step.message is not None:
            told = told_after(told, step.message, facts, now)
    return tuple(steps)


def told_after(told: Told, message: RightsMessage, facts: CoverageFacts, at: datetime) -> Told:
    """What the person knows once this message has left, with its number used."""
    used = replace(told, numbers={**told.numbers, message.value: told.next_number(message)})
    day, end = paris_date(at), facts.end
    match message:
        case RightsMessage.cover_end if end is not None:
            return replace(used, end=_as_told(end), end_on=day, last_day=None)
        case RightsMessage.proof_reminder if end is not None and end.unproven_from is not None:
            climbed = _climbed(end.unproven_from, told)
            return replace(used, reminded_for=end.unproven_from, reminders=climbed + 1, last_reminder_on=day)
        case RightsMessage.portability_end if end is not None:
            return replace(used, last_day=_last_day(end))
        case RightsMessage.rights_restored:
            if end is None:
                return replace(used, end=None, end_on=None, last_day=None, reminded_for=None, reminders=0)
            return replace(used, last_day=None, end_on=day)  # the time of grace begins anew
    return used


def undelivered(told: Told, message: RightsMessage, number: int) -> Told:
    """What the person knows when this message did not arrive: it is due again, under the next number. What came before
    the last one of its kind changes nothing."""
    if told.numbers.get(message.value) != number:
        return told
    match message:
        case RightsMessage.cover_end:
            return replace(told, end=None, end_on=None)
        case RightsMessage.proof_reminder:
            return replace(told, reminders=max(told.reminders - 1, 0))
        case RightsMessage.portability_end:
            return replace(told, last_day=None)
        case RightsMessage.rights_restored:
            return told  # what it corrected is known no more: staff see that it came back
    return told


def proof_due(facts: CoverageFacts, told: Told, on: date) -> date | None:
    """The day on which portability ends unless a proof has come, as a message of this day says it; None: none is
    awaited."""
    unproven = facts.end.unproven_from if facts.end else None
    if unproven is None:
        return None
    since = max(unproven, told.end_on or on)
    return max(since + timedelta(days=facts.rules.grace_days), on + timedelta(days=facts.rules.notice_days))


def ended_without_proof(facts: CoverageFacts) -> CoverageFacts:
    """No proof came in time: what had been proven stays, the rest was never due (L911-8, 5°)."""
    end = facts.end
    if end is None or end.unproven_from is None:
        return facts
    ended = replace(end, ended_on=end.unproven_from - timedelta(days=1), end_reason=EarlyEnd.no_proof)
    return replace(facts, end=ended)


def nobody_to_tell(end: End) -> bool:
    """The person has died: what follows for the family is staff's, by hand."""
    return end.reason == DEATH or end.end_reason is EarlyEnd.death


def _steps(facts: CoverageFacts, told: Told, now: datetime) -> Iterator[RightsStep]:
    rules, end = facts.rules, facts.end
    if end is None:
        if told.end is not None:
            yield RightsStep(_working(rules, now), StepKind.rights_restored)
    elif nobody_to_tell(end):
        yield _over(facts, end, now)
    elif told.end != _as_told(end):  # everything else counts from what the person knows
        yield RightsStep(_at(rules, end.contract_ends_on, now), StepKind.cover_end)
    else:
        left = list(_of_portability(end, rules, told, now)) if end.portability is Opening.open else []
        yield from left or [_over(facts, end, now)]


def _over(facts: CoverageFacts, end: End, now: datetime) -> RightsStep:
    """When the person can ask for nothing more: until then a correction finds the workflow running."""
    last = rights_until(facts) or end.covered_until
    return RightsStep(max(_opening(facts.rules, months_after(last, facts.rules.evin_months)), now), StepKind.over)


def _of_portability(end: End, rules: ProofRules, told: Told, now: datetime) -> Iterator[RightsStep]:
    last = _last_day(end)
    if told.last_day is not None and told.last_day < last:
        yield RightsStep(_working(rules, now), StepKind.rights_restored)
    elif end.ended_on is not None:
        if told.last_day != last:
            yield RightsStep(_working(rules, now), StepKind.portability_end)
    elif told.last_day != last:
        notice = last - timedelta(days=rules.evin_notice_days)
        yield RightsStep(_at(rules, max(notice, end.portability_from), now), StepKind.portability_end)
    if end.unproven_from is not None:
        yield from _of_proof(end.unproven_from, end, rules, told, now)


def _of_proof(unproven: date, end: End, rules: ProofRules, told: Told, now: datetime) -> Iterator[RightsStep]:
    first = unproven == end.portability_from
    since = max(unproven, told.end_on or unproven)
    offsets = rules.first_reminders if first else rules.again_reminders
    climbed = _climbed(unproven, told)
    if climbed < len(offsets):
        spaced = [day + timedelta(days=rules.notice_days) for day in (told.end_on, told.last_reminder_on) if day]
        due = max([since + timedelta(days=offsets[climbed]), *spaced])
        yield RightsStep(_at(rules, due, now), StepKind.proof_reminder)
        return  # the end comes after the last of them, whatever an outage held back
    ends = since + timedelta(days=rules.grace_days)
    if told.last_reminder_on is not None and told.reminded_for == unproven:
        ends = max(ends, told.last_reminder_on + timedelta(days=rules.notice_days))
    yield RightsStep(max(_opening(rules, ends), now), StepKind.no_proof)


def _climbed(unproven: date, told: Told) -> int:
    return told.reminders if told.reminded_for == unproven else 0


def _last_day(end: End) -> date:
    """Of portability, or of cover where portability never began."""
    return end.last_portable_day or end.covered_until


def _as_told(end: End) -> ToldEnd:
    return ToldEnd(end.contract_ends_on, end.covered_until, end.portability, end.portability_until)


def _opening(rules: ProofRules, day: date) -> datetime:
    return datetime.combine(day, rules.opens, PARIS)


def _at(rules: ProofRules, day: date, now: datetime) -> datetime:
    return _working(rules, max(_opening(rules, day), now))


def _working(rules: ProofRules, moment: datetime) -> datetime:
    return next_working_moment(moment, rules.opens, rules.closes)
