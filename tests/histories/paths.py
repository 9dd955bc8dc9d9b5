"""The paths that an affiliation can take, each as a life on the real server: the corpus is recorded from them.

A path ends where its workflow does, or stands still where a person would be waited for. Recordings without a path here
are of lives that today's code would not live so: `paper_with_missing_pieces`, which did not wait for the pieces.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from domain.affiliation import Attention, PauseReason, Status, Verdict
from domain.media import Medium, MessageKind
from domain.policy import Policy, Reminder
from gateways.delivery import DeliveryKind
from services.declarations import Pause, Skip, WithdrawalReason
from services.problems import RefusedByRules
from tests.histories import gateways
from tests.histories.scene import Scene
from tests.recovering import Recovery, begun, orphaned, started
from tests.world import Life

Path = Callable[[Scene], Awaitable[Life]]
WAIVED_UNTIL = datetime.now(UTC).date() + timedelta(days=365)


async def whole_life_by_email(scene: Scene) -> Life:
    life = await scene.declare()
    await life.advance_days(2)
    await scene.save_draft(life)
    await life.advance_days(1)
    await scene.submit(life)
    await life.handle.result()
    return life


async def three_reminders_then_finalised(scene: Scene) -> Life:
    life = await scene.declare()
    await life.to_next_step()
    await life.to_next_step()
    await life.advance_days(1)
    await scene.save_draft(life)
    await life.to_next_step()
    await life.until_messages(4)
    await life.advance_days(1)
    await scene.submit(life)
    await life.handle.result()
    return life


async def unanswered_to_abandoned(scene: Scene) -> Life:
    life = await scene.declare()
    await life.to_the_end()
    return life


async def post_from_the_start(scene: Scene) -> Life:
    life = await scene.declare(email=None)
    await life.to_next_step()
    await scene.save_draft(life, Medium.post)
    await scene.submit(life)
    await life.handle.result()
    return life


async def bounce_then_by_post(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.provider_says(life, DeliveryKind.bounced)
    await life.until_messages(2)
    await life.to_the_end()
    return life


async def returned_letter_then_corrected(scene: Scene) -> Life:
    life = await scene.declare(email=None)
    await scene.provider_says(life, DeliveryKind.returned, "NPAI")
    await scene.correct(life, email="retrouvee@exemple.fr")
    await life.until_messages(2)
    await scene.submit(life)
    await life.handle.result()
    return life


async def bad_address_at_sending(scene: Scene) -> Life:
    life = await scene.declare(email=gateways.NOBODY)
    assert await life.sent() == [("postal_fallback", "post")]
    return life


async def provider_refuses_us(scene: Scene) -> Life:
    life = await scene.world.declare(await scene.world.employer(), email=gateways.SUSPENDED)
    await scene.until_attention(life, Attention.refused)
    await scene.resolve_doubt(life, Verdict.left)
    await life.until(Status.sent)
    return life


async def provider_fails_once(scene: Scene) -> Life:
    return await scene.declare(email=gateways.HICCUP)


async def answer_lost_and_looked_up(scene: Scene) -> Life:
    return await scene.declare(email=gateways.LOST_ANSWER)


async def employers_reminder(scene: Scene) -> Life:
    life = await scene.declare()
    await life.advance_days(1)
    await scene.world.affiliations.remind(life.employer.caller, life.id)
    await life.until_messages(2)
    await life.to_next_step()
    return life


async def contact_correction(scene: Scene) -> Life:
    life = await scene.declare()
    await life.advance_days(1)
    await scene.correct(life, email="nouvelle@exemple.fr")
    await life.until_messages(2)
    await life.to_next_step()
    return life


async def phone_correction_sends_nothing(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.correct(life, phone="")
    return life


async def correction_during_a_retry(scene: Scene) -> Life:
    life = await scene.world.declare(await scene.world.employer(), email=gateways.AWAY)
    await scene.until_attempted(life)
    await scene.correct(life, email="joignable@exemple.fr")
    await life.until_messages(1)
    return life


async def not_me(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.decline(life, "not_me")
    await life.until_messages(2)
    return life


async def left_company(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.decline(life, "left_company")
    await life.handle.result()
    return life


async def withdrawal(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.withdraw(life, WithdrawalReason.not_hired)
    await life.handle.result()
    return life


async def pause_and_resume(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.world.affiliations.pause(life.employer.caller, life.id, Pause(reason=PauseReason.on_leave))
    await life.advance_days(25)
    await scene.world.affiliations.resume(life.employer.caller, life.id)
    await life.to_next_step()
    return life


async def reminder_and_letter_skipped(scene: Scene) -> Life:
    """The second reminder leaves all the same."""
    life = await scene.declare()
    for kind in (MessageKind.reminder, MessageKind.postal_fallback):
        await scene.world.affiliations.skip(life.employer.caller, life.id, Skip(kind=kind, number=1))
    await life.to_next_step()
    await life.until_messages(2)
    return life


async def pieces_until_complete(scene: Scene) -> Life:
    """Asked for with the form, reminded, received, one refused and asked for again, accepted."""
    life = await scene.declare()
    await scene.submit(life, "rib", "school_certificate:k1")
    await life.until_messages(2)
    await life.to_next_step()
    await scene.send_pieces(life, "rib")
    await scene.send_pieces(life)
    await scene.ask_for(life, "rib")
    await life.until_messages(4)
    await scene.send_pieces(life)
    await scene.accept_pieces(life)
    await life.handle.result()
    return life


async def pieces_overdue(scene: Scene) -> Life:
    life = await scene.declare(email=None)
    await scene.return_paper(life, "rib")
    await life.until_messages(2)
    await life.advance_days(35)
    assert (await life.progress()).attention is Attention.pieces_overdue
    await scene.accept_pieces(life)
    await life.handle.result()
    return life


async def documents_only_checked(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.submit(life, checking=True)
    await life.until_messages(2)
    await scene.accept_pieces(life)
    await life.handle.result()
    return life


async def request_for_pieces_bounced(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.submit(life, "rib")
    await life.until_messages(2)
    await scene.provider_says(life, DeliveryKind.bounced)
    await life.until_messages(3)
    await scene.provider_says(life, DeliveryKind.returned, "NPAI")
    await scene.until_attention(life, Attention.unreachable_for_pieces)
    await scene.find(life, "retrouvee@exemple.fr")
    await life.until_messages(4)
    return life


async def uncertain_request_for_pieces(scene: Scene) -> Life:
    """By letter, the e-mail having bounced."""
    address = {"line1": gateways.UNCLEAR_STREET, "postcode": "75011", "city": "Paris"}
    life = await scene.declare(address=address)
    await scene.submit(life, "rib")
    await life.until_messages(2)
    await scene.provider_says(life, DeliveryKind.bounced)
    await scene.until_attention(life, Attention.uncertain)
    await scene.resolve_doubt(life, Verdict.did_not_leave)
    await life.until_messages(3)
    return life


async def pieces_nobody_waits_for(scene: Scene) -> Life:
    """A request while its provider is away, and the pieces come by themselves."""
    life = await scene.world.declare(await scene.world.employer(), email=gateways.AWAY)
    await scene.until_attempted(life)
    await scene.submit(life, "rib")
    await scene.send_pieces(life)
    await life.until_quiet()
    return life


async def waived(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.waive(life, WAIVED_UNTIL)
    await life.handle.result()
    return life


async def waiver_to_its_end(scene: Scene) -> Life:
    waiver = scene.waiver_of(await waived(scene))
    await waiver.advance_days(400)
    await waiver.handle.result()
    return waiver


async def waiver_ended_early(scene: Scene) -> Life:
    life = await waived(scene)
    waiver = scene.waiver_of(life)
    await waiver.advance_days(10)
    await scene.end_waiver(life, WAIVED_UNTIL - timedelta(days=200))
    await waiver.handle.result()
    return waiver


async def submission_before_abandonment(scene: Scene) -> Life:
    life = await scene.declare(email=None)
    await life.to_next_step()
    await scene.submit(life, told=False)
    await life.to_the_end()
    assert await life.status() is Status.finalised
    return life


async def submission_before_withdrawal(scene: Scene) -> Life:
    life = await scene.declare()
    await scene.submit(life, told=False)
    with contextlib.suppress(RefusedByRules):
        await scene.withdraw(life, WithdrawalReason.left)
    await life.handle.result()
    return life


async def uncertain_letter_that_left(scene: Scene) -> Life:
    life = await _with_an_uncertain_letter(scene)
    await scene.resolve_doubt(life, Verdict.left)
    await life.to_next_step()
    return life


async def uncertain_letter_that_did_not_leave(scene: Scene) -> Life:
    life = await _with_an_uncertain_letter(scene)
    await scene.resolve_doubt(life, Verdict.did_not_leave)
    await life.until_messages(1)
    return life


async def reminded_by_sms(scene: Scene) -> Life:
    policy = Policy(sent_by_email=(Reminder(3, by=Medium.sms), Reminder(6)))
    life = await scene.world.declare(await scene.world.employer(), policy)
    await life.until_messages(1)
    await life.to_next_step()
    await life.to_next_step()
    assert await life.sent() == [("invitation", "email"), ("reminder", "sms"), ("reminder", "email")]
    return life


async def restart(scene: Scene) -> Life:
    former = await left_company(scene)
    again = await scene.world.affiliations.restart(former.employer.caller, former.id)
    life = Life(scene.world, former.employer, again.id)
    await life.until_messages(1)
    return life


async def refused_requests_leave_nothing(scene: Scene) -> Life:
    life = await scene.declare()
    with contextlib.suppress(RefusedByRules):
        await scene.world.affiliations.resume(life.employer.caller, life.id)
    return life


async def company_recovery_granted(scene: Scene) -> Life:
    recovery = await _company_recovery(scene)
    await recovery.advance_days(12)
    await recovery.enter_code()
    await recovery.advance_days(8)
    await recovery.handle.result()
    return recovery


async def company_recovery_stopped(scene: Scene) -> Life:
    """Somebody objects after the code."""
    recovery = await _company_recovery(scene)
    await recovery.enter_code()
    await recovery.stop()
    await recovery.handle.result()
    return recovery


async def company_recovery_expired(scene: Scene) -> Life:
    recovery = await _company_recovery(scene)
    await recovery.advance_days(32)
    await recovery.handle.result()
    return recovery


async def company_recovery_undeliverable(scene: Scene) -> Life:
    employer, _ = await orphaned(scene.world)
    await scene.world.run("UPDATE company SET office_city = NULL WHERE id = $1", employer.company_id)
    recovery = await started(scene.world, employer)
    await recovery.handle.result()
    return recovery


async def _company_recovery(scene: Scene) -> Recovery:
    employer, _ = await orphaned(scene.world)
    return await begun(scene.world, employer)


async def _with_an_uncertain_letter(scene: Scene) -> Life:
    address = {"line1": gateways.UNCLEAR_STREET, "postcode": "75011", "city": "Paris"}
    life = await scene.world.declare(await scene.world.employer(), email=None, address=address)
    await scene.until_attention(life, Attention.uncertain)
    return life


PATHS: Mapping[str, Path] = {
    path.__name__: path
    for path in (
        whole_life_by_email,
        three_reminders_then_finalised,
        unanswered_to_abandoned,
        post_from_the_start,
        bounce_then_by_post,
        returned_letter_then_corrected,
        bad_address_at_sending,
        provider_refuses_us,
        provider_fails_once,
        answer_lost_and_looked_up,
        employers_reminder,
        contact_correction,
        phone_correction_sends_nothing,
        correction_during_a_retry,
        not_me,
        left_company,
        withdrawal,
        pause_and_resume,
        reminder_and_letter_skipped,
        pieces_until_complete,
        pieces_overdue,
        documents_only_checked,
        request_for_pieces_bounced,
        uncertain_request_for_pieces,
        pieces_nobody_waits_for,
        waived,
        waiver_to_its_end,
        waiver_ended_early,
        submission_before_abandonment,
        submission_before_withdrawal,
        uncertain_letter_that_left,
        uncertain_letter_that_did_not_leave,
        reminded_by_sms,
        restart,
        refused_requests_leave_nothing,
        company_recovery_granted,
        company_recovery_stopped,
        company_recovery_expired,
        company_recovery_undeliverable,
    )
}
