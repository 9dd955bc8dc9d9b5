"""The rules with numbers of one affiliation, frozen into it when it starts (product.md, « The affiliation »)."""

from dataclasses import dataclass
from datetime import time, timedelta
from functools import lru_cache

from domain.media import Medium


@dataclass(frozen=True, slots=True)
class Reminder:
    """One automatic reminder, `after_days` civil days after the clock's start, by the current medium unless said."""

    after_days: int
    by: Medium | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Values with the defaults of product.md. Days are civil days in Europe/Paris.

    A letter is reminded once, half-way: the rule « by the medium that reaches them » gives figures for e-mail only.
    SMS reminders are off: a policy turns them on with a `Reminder(days, by=Medium.sms)`.
    """

    sent_by_email: tuple[Reminder, ...] = (Reminder(5), Reminder(12))
    sent_by_post: tuple[Reminder, ...] = (Reminder(30),)
    started: tuple[Reminder, ...] = (Reminder(7), Reminder(14))
    postal_fallback_days: int = 20
    abandonment_days_email: int = 60
    abandonment_days_post: int = 75
    # Never closed within this many days of a message: after a long outage nobody is reminded and closed at once.
    abandonment_notice_days: int = 7
    employer_reminder_hours: int = 24
    link_recovery_hours: int = 24  # « Retrouver mon lien »
    # Pieces that are missing after the form: their own reminders, and the day staff take over.
    pieces: tuple[Reminder, ...] = (Reminder(7), Reminder(21))
    pieces_days: int = 30
    waiver_notice_days: int = 30  # before a waiver (« dispense ») ends, the person is asked again
    opens: time = time(9)
    closes: time = time(18)

    @property
    def employer_reminder_cooldown(self) -> timedelta:
        return timedelta(hours=self.employer_reminder_hours)

    @property
    def link_recovery_cooldown(self) -> timedelta:
        return timedelta(hours=self.link_recovery_hours)

    def abandonment_days(self, medium: Medium) -> int:
        return self.abandonment_days_post if medium is Medium.post else self.abandonment_days_email


DEFAULT_POLICY = Policy()


@lru_cache(maxsize=64)
def shared(policy: Policy) -> Policy:
    """The one object for all equal policies: thousands of open affiliations hold the same few."""
    return policy
