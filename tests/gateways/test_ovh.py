from __future__ import annotations

import pytest

from gateways.outcomes import Accepted, Ambiguous, CannotTell, ProviderError, RefusalReason, Refused, Unavailable
from gateways.ovh import OvhSms, tag_of
from gateways.sms import Sms
from settings import Settings
from tests.standins.ovh import OvhStandin

SMS = Sms("0b9c8f6e-0000-4000-8000-000000000003", "+33612345678", "Votre mutuelle : pensez à votre affiliation")
TAG = tag_of(SMS.dispatch_id)


async def test_sends_exactly_this(sms: OvhSms, ovh: OvhStandin) -> None:
    accepted = await sms.send(SMS)
    assert ovh.taken == [
        {
            "receivers": ["+33612345678"],
            "message": "Votre mutuelle : pensez à votre affiliation",
            "sender": "HCRBIENETRE",
            "noStopClause": True,
            "priority": "high",
            "charset": "UTF-8",
            "coding": "7bit",
            "tag": TAG,
            "id": int(accepted.provider_ref),
        }
    ]
    assert len(TAG) == 20


async def test_other_scripts_are_coded_on_16_bits(sms: OvhSms, ovh: OvhStandin) -> None:
    await sms.send(Sms("d", "+33612345678", "مرحبا"))
    assert ovh.taken[0]["coding"] == "8bit"


async def test_finds_by_our_key(sms: OvhSms, ovh: OvhStandin) -> None:
    assert await sms.find(SMS.dispatch_id) is None
    accepted = await sms.send(SMS)
    assert await sms.find(SMS.dispatch_id) == accepted
    assert await sms.find("another") is None


async def test_the_clock_is_asked_once(sms: OvhSms, ovh: OvhStandin) -> None:
    ovh.clock_ahead = 3600
    await sms.send(SMS)
    await sms.find(SMS.dispatch_id)
    assert len(ovh.calls_of("GET /auth/time")) == 1


async def test_the_clock_is_asked_again_when_it_has_moved(sms: OvhSms, ovh: OvhStandin) -> None:
    await sms.send(SMS)
    ovh.clock_ahead = 3600
    with pytest.raises(Unavailable):
        await sms.send(SMS)
    await sms.send(SMS)
    assert len(ovh.taken) == 2


async def test_a_refused_number(sms: OvhSms, ovh: OvhStandin) -> None:
    ovh.bad_numbers.add(SMS.to)
    with pytest.raises(Refused) as refused:
        await sms.send(SMS)
    assert refused.value.reason is RefusalReason.bad_address


@pytest.mark.parametrize("setting", ["ovh_application_secret", "ovh_consumer_key", "ovh_sms_service"])
async def test_bad_credentials(ovh: OvhStandin, setting: str) -> None:
    with pytest.raises(Refused) as refused:
        await OvhSms(Settings(**{**ovh.settings, setting: "other"})).send(SMS)
    assert refused.value.reason is RefusalReason.not_authorised
    assert not ovh.taken


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (400, "Invalid message", RefusalReason.bad_content),
        (400, "[receivers] +33612345678 is invalid", RefusalReason.bad_address),
        (402, "Not enough credits", RefusalReason.not_authorised),
        (403, "This call has not been granted", RefusalReason.not_authorised),
        (302, "", RefusalReason.not_authorised),
    ],
)
async def test_refusals(sms: OvhSms, ovh: OvhStandin, status: int, message: str, reason: RefusalReason) -> None:
    ovh.fail_next(status, body={"message": message}, on="POST /jobs", headers={"Location": f"{ovh.url}/elsewhere"})
    with pytest.raises(Refused) as refused:
        await sms.send(SMS)
    assert refused.value.reason is reason
    assert "+33" not in str(refused.value)
    assert not ovh.calls_of("GET /elsewhere")


@pytest.mark.parametrize("on", ["GET /auth/time", "POST /jobs"])
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_unavailable(sms: OvhSms, ovh: OvhStandin, status: int, on: str) -> None:
    ovh.fail_next(status, headers={"Retry-After": "12"}, on=on)
    with pytest.raises(Unavailable) as unavailable:
        await sms.send(SMS)
    assert unavailable.value.retry_after == 12
    await sms.send(SMS)
    assert len(ovh.taken) == 1


async def test_refused_connections_took_nothing(sms: OvhSms, ovh: OvhStandin) -> None:
    await sms.send(SMS)
    ovh.down()
    with pytest.raises(Unavailable):
        await sms.send(SMS)
    with pytest.raises(Unavailable):
        await sms.find(SMS.dispatch_id)
    ovh.up()
    await sms.send(SMS)
    assert len(ovh.taken) == 2


async def test_an_unreadable_clock_is_unavailable(sms: OvhSms, ovh: OvhStandin) -> None:
    ovh.fail_next(200, body="midi", on="GET /auth/time")
    with pytest.raises(Unavailable):
        await sms.send(SMS)


async def test_accepted_then_silent_is_found_again(sms: OvhSms, ovh: OvhStandin) -> None:
    ovh.accept_then_time_out(on="POST /jobs")
    with pytest.raises(Ambiguous):
        await sms.send(SMS)
    assert isinstance(await sms.find(SMS.dispatch_id), Accepted)
    assert len(ovh.taken_for(TAG)) == 1


@pytest.mark.parametrize("done", [True, False])
async def test_a_cut_is_ambiguous(sms: OvhSms, ovh: OvhStandin, done: bool) -> None:
    ovh.cut_next(done=done, on="POST /jobs")
    with pytest.raises(Ambiguous) as raised:
        await sms.send(SMS)
    assert raised.value.__suppress_context__
    assert (await sms.find(SMS.dispatch_id) is not None) is done


@pytest.mark.parametrize("body", ["text", {}, {"ids": []}, {"ids": "12"}])
async def test_an_unreadable_report_is_ambiguous(sms: OvhSms, ovh: OvhStandin, body: object) -> None:
    ovh.fail_next(200, body=body, on="POST /jobs")
    with pytest.raises(Ambiguous):
        await sms.send(SMS)


@pytest.mark.parametrize(
    ("status", "outcome"), [(403, CannotTell), (200, CannotTell), (429, Unavailable), (504, Unavailable)]
)
async def test_a_failed_search(sms: OvhSms, ovh: OvhStandin, status: int, outcome: type[ProviderError]) -> None:
    ovh.fail_next(status, body={}, on="GET /outgoing")
    with pytest.raises(outcome):
        await sms.find(SMS.dispatch_id)


@pytest.mark.parametrize(
    ("to", "text"),
    [
        ("0612345678", "a"),
        ("+0612345678", "a"),
        ("+33 612345678", "a"),
        ("+33612345678", ""),
        ("+33612345678", "a" * 161),
    ],
)
def test_a_message_has_a_form(to: str, text: str) -> None:
    with pytest.raises(ValueError, match="text message") as raised:
        Sms("d", to, text)
    assert to not in str(raised.value)
