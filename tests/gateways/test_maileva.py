from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from gateways.delivery import DeliveryKind
from gateways.maileva import MailevaPost
from gateways.outcomes import Ambiguous, CannotTell, ProviderError, RefusalReason, Refused, Unavailable
from gateways.post import Letter
from settings import Settings
from tests.standins.maileva import MailevaStandin, Sending
from tests.standins.server import Call

PDF = b"%PDF-1.7 synthetic letter"
LETTER = Letter(
    dispatch_id="0b9c8f6e-0000-4000-8000-000000000002",
    pdf=PDF,
    address_lines=("Mme Camille Exemple", "12 rue des Essais", "75002 PARIS"),
)
STEPS = [
    "POST /token",
    "GET /sendings",
    "POST /sendings",
    "POST /documents",
    "POST /recipients",
    "POST /submit",
]


class Crash(Exception):
    """The process dies here."""


@dataclass
class Caller:
    """What the activity does: keeps the reference, and calls again after a failure."""

    post: MailevaPost
    ref: str | None = None
    crash_before_keeping: int = 0
    crash_after_keeping: int = 0
    failures: list[type[BaseException]] = field(default_factory=list)

    async def remember(self, ref: str) -> None:
        if self.crash_before_keeping:
            self.crash_before_keeping -= 1
            raise Crash
        self.ref = ref
        if self.crash_after_keeping:
            self.crash_after_keeping -= 1
            raise Crash

    async def until_posted(self, letter: Letter = LETTER, attempts: int = 5) -> str:
        for _ in range(attempts):
            try:
                return (await self.post.hand_over(letter, self.ref, self.remember)).provider_ref
            except (Crash, Unavailable, Ambiguous) as error:
                self.failures.append(type(error))
        raise AssertionError("never posted")


def the_only_letter(maileva: MailevaStandin) -> Sending:
    (sending,) = maileva.submitted()
    assert sending.custom_id == LETTER.dispatch_id
    assert list(sending.documents.values()) == [PDF]
    assert len(sending.recipients) == 1
    return sending


async def test_posts_exactly_this(post: MailevaPost, maileva: MailevaStandin) -> None:
    caller = Caller(post)
    ref = await caller.until_posted()

    sending = the_only_letter(maileva)
    assert ref == caller.ref == sending.id
    assert sending.options == {
        "name": LETTER.dispatch_id,
        "custom_id": LETTER.dispatch_id,
        "color_printing": False,
        "duplex_printing": True,
        "optional_address_sheet": False,
        "postage_type": "ECONOMIC",
        "envelope_windows_type": "SIMPLE",
        "print_sender_address": False,
        "treat_undelivered_mail": False,
        "archiving_duration": 0,
    }
    assert list(sending.recipients.values()) == [
        {
            "address_line_1": "Mme Camille Exemple",
            "address_line_2": "12 rue des Essais",
            "address_line_6": "75002 PARIS",
            "country_code": "FR",
            "custom_id": LETTER.dispatch_id,
        }
    ]
    assert [f"{call.method} /{call.path.rsplit('/', 1)[1]}" for call in maileva.calls] == STEPS


async def test_one_token_for_many_calls(post: MailevaPost, maileva: MailevaStandin) -> None:
    await Caller(post).until_posted()
    await post.status(maileva.submitted()[0].id)
    assert len(maileva.calls_of("POST /token")) == 1


async def test_a_token_about_to_expire_is_renewed(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.token_seconds = 30
    await Caller(post).until_posted()
    assert len(maileva.calls_of("POST /token")) == len(STEPS) - 1


async def test_a_refused_token_is_renewed_once(post: MailevaPost, maileva: MailevaStandin) -> None:
    await Caller(post).until_posted()
    maileva.revoke_tokens()
    assert await post.status(maileva.submitted()[0].id) is None
    assert len(maileva.calls_of("POST /token")) == 2

    maileva.fail_next(401, times=2, on="GET ")
    with pytest.raises(Refused) as refused:
        await post.status(maileva.submitted()[0].id)
    assert refused.value.reason is RefusalReason.not_authorised


@pytest.mark.parametrize("setting", ["maileva_client_secret", "maileva_password"])
async def test_bad_credentials(maileva: MailevaStandin, setting: str) -> None:
    post = MailevaPost(Settings(**{**maileva.settings, setting: "other"}))
    with pytest.raises(Refused) as refused:
        await Caller(post).until_posted()
    assert refused.value.reason is RefusalReason.not_authorised


# --- one letter whatever breaks


@pytest.mark.parametrize("filters", ["applied", "ignored", "refused"])
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("step", STEPS)
async def test_cut_at_each_step(
    post: MailevaPost, maileva: MailevaStandin, step: str, done: bool, filters: str
) -> None:
    maileva.filters = filters
    maileva.cut_next(done=done, on=step)
    caller = Caller(post)
    ref = await caller.until_posted()
    assert the_only_letter(maileva).id == ref
    assert len(maileva.sendings) == 1
    assert caller.failures == [Ambiguous if step == "POST /submit" else Unavailable]


@pytest.mark.parametrize("step", STEPS)
async def test_accepted_then_silent_at_each_step(post: MailevaPost, maileva: MailevaStandin, step: str) -> None:
    maileva.accept_then_time_out(on=step)
    caller = Caller(post)
    ref = await caller.until_posted()
    assert the_only_letter(maileva).id == ref
    assert caller.failures == [Ambiguous if step == "POST /submit" else Unavailable]


@pytest.mark.parametrize("times", [1, 2])
async def test_crash_before_the_reference_is_kept(post: MailevaPost, maileva: MailevaStandin, times: int) -> None:
    await Caller(post, crash_before_keeping=times).until_posted()
    the_only_letter(maileva)
    assert len(maileva.sendings) == 1


async def test_crash_after_the_reference_is_kept(post: MailevaPost, maileva: MailevaStandin) -> None:
    caller = Caller(post, crash_after_keeping=1)
    assert await caller.until_posted() == the_only_letter(maileva).id
    assert len(maileva.calls_of("POST /sendings")) == 1


async def test_crash_after_the_submit(post: MailevaPost, maileva: MailevaStandin) -> None:
    caller = Caller(post)
    first = await caller.until_posted()
    assert await caller.until_posted() == first  # the result was lost: called again with what was kept
    the_only_letter(maileva)
    assert len(maileva.calls_of("POST /submit")) == 1


async def test_even_a_caller_that_lost_everything_posts_once(post: MailevaPost, maileva: MailevaStandin) -> None:
    first = await Caller(post).until_posted()
    assert await Caller(post).until_posted() == first
    the_only_letter(maileva)


async def test_a_list_that_lags_leaves_a_draft_but_posts_once(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.listing_delay = 60
    maileva.cut_next(done=True, on="POST /sendings")
    caller = Caller(post)
    assert await caller.until_posted() == the_only_letter(maileva).id
    assert len(maileva.sendings) == 2


async def test_a_forgotten_draft_is_found_among_many(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.filters = "ignored"
    for number in range(250):
        maileva.sendings[str(number)] = Sending(str(number), {"custom_id": str(number)}, "PROCESSED")
    maileva.cut_next(done=True, on="POST /sendings")
    await Caller(post).until_posted()
    assert len(maileva.submitted(LETTER.dispatch_id)) == 1
    assert len(maileva.sendings) == 251


async def test_every_step_failing_several_times(post: MailevaPost, maileva: MailevaStandin) -> None:
    for step in STEPS:
        maileva.fail_next(503, on=step)
        maileva.cut_next(done=True, on=step)
        maileva.cut_next(done=False, on=step)
    await Caller(post).until_posted(attempts=30)
    the_only_letter(maileva)
    assert len(maileva.sendings) == 1


async def test_a_submit_that_arrives_late(post: MailevaPost, maileva: MailevaStandin) -> None:
    """The first submit is given up, seen as not done, and is carried out while the second attempt refills."""
    caller = Caller(post)
    maileva.cut_next(done=False, on="POST /submit")
    with pytest.raises(Ambiguous):
        await post.hand_over(LETTER, None, caller.remember)
    assert caller.ref
    sending = maileva.sendings[caller.ref]

    def arrive(call: Call) -> None:
        if call.method == "POST" and call.path.endswith("/documents"):
            sending.status = "PENDING"

    maileva.on_call = arrive
    assert await caller.until_posted() == sending.id
    assert len(maileva.submitted()) == len(maileva.sendings) == 1


async def test_a_recipient_added_late_does_not_make_two_letters(post: MailevaPost, maileva: MailevaStandin) -> None:
    caller = Caller(post, crash_after_keeping=1)
    with pytest.raises(Crash):
        await post.hand_over(LETTER, None, caller.remember)

    def arrive(call: Call) -> None:
        if call.method == "POST" and call.path.endswith("/recipients") and caller.ref:
            maileva.on_call = None
            maileva.sendings[caller.ref].recipients["late"] = {"address_line_1": "Mme Camille Exemple"}

    maileva.on_call = arrive
    await caller.until_posted()
    the_only_letter(maileva)
    assert caller.failures == [Unavailable]


# --- what goes to a person, what is final, what is tried again


async def test_an_unknown_reference_goes_to_a_person(post: MailevaPost, maileva: MailevaStandin) -> None:
    with pytest.raises(CannotTell):
        await Caller(post, ref="0b9c8f6e-0000-4000-8000-00000000dead").until_posted()
    assert not maileva.sendings


async def test_the_reference_of_another_letter_goes_to_a_person(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.sendings["other"] = Sending("other", {"custom_id": "another-dispatch"})
    with pytest.raises(CannotTell):
        await Caller(post, ref="other").until_posted()


async def test_two_submitted_sendings_go_to_a_person(post: MailevaPost, maileva: MailevaStandin) -> None:
    for name in ("a", "b"):
        maileva.sendings[name] = Sending(name, {"custom_id": LETTER.dispatch_id}, "PENDING")
    with pytest.raises(CannotTell):
        await Caller(post).until_posted()


async def test_an_unknown_state_goes_to_a_person(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.sendings["a"] = Sending("a", {"custom_id": LETTER.dispatch_id}, "TELEPORTED")
    with pytest.raises(CannotTell):
        await Caller(post, ref="a").until_posted()


async def test_a_rejected_sending_is_final(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.sendings["a"] = Sending("a", {"custom_id": LETTER.dispatch_id}, "REJECTED")
    with pytest.raises(Refused) as refused:
        await Caller(post, ref="a").until_posted()
    assert refused.value.reason is RefusalReason.bad_content


async def test_an_address_that_maileva_refuses(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.fail_next(400, body={"errors": [{"code": "ADDRESS_LINE_6_WRONG_FORMAT"}]}, on="POST /recipients")
    with pytest.raises(Refused) as refused:
        await Caller(post).until_posted()
    assert refused.value.reason is RefusalReason.bad_address
    assert not maileva.submitted()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_unavailable(post: MailevaPost, maileva: MailevaStandin, step: str, status: int) -> None:
    maileva.fail_next(status, headers={"Retry-After": "7"}, on=step)
    with pytest.raises(Unavailable) as unavailable:
        await post.hand_over(LETTER, None, Caller(post).remember)
    assert unavailable.value.retry_after == 7
    assert not maileva.submitted()


async def test_refused_connections(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.down()
    with pytest.raises(Unavailable):
        await post.hand_over(LETTER, None, Caller(post).remember)
    maileva.up()
    await Caller(post).until_posted()
    the_only_letter(maileva)


@pytest.mark.parametrize("step", ["POST /documents", "POST /submit"])
async def test_refusals_of_content_and_account(post: MailevaPost, maileva: MailevaStandin, step: str) -> None:
    for status, reason in [
        (400, RefusalReason.bad_content),
        (413, RefusalReason.bad_content),
        (302, RefusalReason.not_authorised),
        (403, RefusalReason.not_authorised),
    ]:
        maileva.fail_next(status, on=step, headers={"Location": f"{maileva.url}/elsewhere"})
        with pytest.raises(Refused) as refused:
            await post.hand_over(LETTER, None, Caller(post).remember)
        assert refused.value.reason is reason
    assert not maileva.calls_of("GET /elsewhere")


async def test_errors_hold_nothing_personal(post: MailevaPost, maileva: MailevaStandin) -> None:
    maileva.cut_next(done=True, on="POST /recipients")
    with pytest.raises(ProviderError) as raised:
        await post.hand_over(LETTER, None, Caller(post).remember)
    assert raised.value.__suppress_context__
    assert "Camille" not in str(raised.value) + repr(LETTER)


# --- status


@pytest.mark.parametrize(
    ("status", "undeliverable", "kind"),
    [
        ("DRAFT", False, None),
        ("PENDING", False, None),
        ("ACCEPTED", False, DeliveryKind.accepted),
        ("REJECTED", False, DeliveryKind.rejected),
        ("PROCESSED", False, DeliveryKind.delivered),
        ("PROCESSED", True, DeliveryKind.returned),
        ("PROCESSED_WITH_ERRORS", False, DeliveryKind.rejected),
        ("TELEPORTED", False, DeliveryKind.other),
    ],
)
async def test_status(
    post: MailevaPost, maileva: MailevaStandin, status: str, undeliverable: bool, kind: DeliveryKind | None
) -> None:
    ref = await Caller(post).until_posted()
    maileva.sendings[ref].status = status
    maileva.sendings[ref].undeliverable = undeliverable
    assert await post.status(ref) is kind


async def test_status_of_an_unknown_sending(post: MailevaPost) -> None:
    with pytest.raises(CannotTell):
        await post.status("nowhere")


# --- the letter itself


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("75002 PARIS",),
        ("Mme Camille Exemple", "12 rue des Essais"),
        ("Mme Camille Exemple", "2500 PARIS"),
        ("Mme Camille Exemple", "75002"),
        ("x" * 39, "75002 PARIS"),
        (" ", "75002 PARIS"),
        ("a", "b", "c", "d", "e", "f", "75002 PARIS"),
    ],
)
def test_an_address_has_a_form(lines: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="address"):
        Letter("d", PDF, lines)


def test_a_letter_is_a_pdf_with_a_short_id() -> None:
    with pytest.raises(ValueError, match="PDF"):
        Letter("d", b"<html>", LETTER.address_lines)
    with pytest.raises(ValueError, match="dispatch id"):
        Letter("d" * 37, PDF, LETTER.address_lines)
