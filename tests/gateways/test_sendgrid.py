from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

import pytest

from gateways.mail import Attachment, Email
from gateways.outcomes import Accepted, Ambiguous, CannotTell, RefusalReason, Refused, Unavailable
from gateways.sendgrid import SendGridMail
from settings import Settings
from tests.standins.sendgrid import API_KEY, SendGridStandin

EMAIL = Email(
    dispatch_id="0b9c8f6e-0000-4000-8000-000000000001",
    to="camille.exemple@exemple.fr",
    subject="Votre mutuelle : un lien pour commencer",
    html="<p>Bonjour, secret-body</p>",
    text="Bonjour, secret-body",
    kind="invitation",
    language="fr",
)


def changed(**fields: Any) -> Email:
    return replace(EMAIL, **fields)


async def test_sends_exactly_this(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    accepted = await mail.send(EMAIL)

    assert len(accepted.provider_ref) == 22
    assert sendgrid.taken == [
        {
            "personalizations": [{"to": [{"email": "camille.exemple@exemple.fr"}]}],
            "from": {"email": "affiliation@hcrbienetre.example", "name": "HCR Bien-Être"},
            "subject": "Votre mutuelle : un lien pour commencer",
            "content": [
                {"type": "text/plain", "value": "Bonjour, secret-body"},
                {"type": "text/html", "value": "<p>Bonjour, secret-body</p>"},
            ],
            "headers": {"Content-Language": "fr"},
            "categories": ["invitation"],
            "custom_args": {"dispatch_id": EMAIL.dispatch_id},
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
                "subscription_tracking": {"enable": False},
                "ganalytics": {"enable": False},
            },
        }
    ]


async def test_a_document_goes_with_an_e_mail(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    await mail.send(changed(attachment=Attachment("attestation.pdf", b"%PDF-1.7")))
    [message] = sendgrid.taken
    assert message["attachments"] == [
        {
            "content": "JVBERi0xLjc=",
            "type": "application/pdf",
            "filename": "attestation.pdf",
            "disposition": "attachment",
        }
    ]


async def test_a_bad_address_is_told(mail: SendGridMail) -> None:
    with pytest.raises(Refused) as refused:
        await mail.send(changed(to="camille.exemple"))
    assert refused.value.reason is RefusalReason.bad_address


async def test_other_refused_content_is_told(mail: SendGridMail) -> None:
    with pytest.raises(Refused) as refused:
        await mail.send(changed(subject=""))
    assert refused.value.reason is RefusalReason.bad_content


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, RefusalReason.not_authorised),
        (403, RefusalReason.not_authorised),
        (404, RefusalReason.not_authorised),
        (413, RefusalReason.bad_content),
    ],
)
async def test_refusals(mail: SendGridMail, sendgrid: SendGridStandin, status: int, reason: RefusalReason) -> None:
    sendgrid.fail_next(status)
    with pytest.raises(Refused) as refused:
        await mail.send(EMAIL)
    assert (refused.value.reason, refused.value.status) == (reason, status)


async def test_a_bad_key_is_not_authorised(sendgrid: SendGridStandin) -> None:
    with pytest.raises(Refused) as refused:
        await SendGridMail(Settings(**{**sendgrid.settings, "sendgrid_api_key": "SG.other"})).send(EMAIL)
    assert refused.value.reason is RefusalReason.not_authorised


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_unavailable(mail: SendGridMail, sendgrid: SendGridStandin, status: int) -> None:
    sendgrid.fail_next(status)
    with pytest.raises(Unavailable) as unavailable:
        await mail.send(EMAIL)
    assert unavailable.value.retry_after is None
    assert (await mail.send(EMAIL)).provider_ref


async def test_a_rate_limit_says_when_to_come_back(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    sendgrid.fail_next(429, headers={"X-RateLimit-Reset": str(int(time.time()) + 30)})
    with pytest.raises(Unavailable) as unavailable:
        await mail.send(EMAIL)
    assert unavailable.value.retry_after == pytest.approx(30, abs=2)


async def test_refused_connections_took_nothing(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    sendgrid.down()
    with pytest.raises(Unavailable):
        await mail.send(EMAIL)
    sendgrid.up()
    await mail.send(EMAIL)
    assert len(sendgrid.taken) == 1


async def test_a_504_may_have_been_taken(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    sendgrid.fail_next(504)
    with pytest.raises(Ambiguous):
        await mail.send(EMAIL)


async def test_accepted_then_silent_is_found_again(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    sendgrid.activity_search = True
    sendgrid.accept_then_time_out()
    with pytest.raises(Ambiguous):
        await mail.send(EMAIL)
    assert isinstance(await mail.find(EMAIL.dispatch_id), Accepted)
    assert len(sendgrid.taken_for(EMAIL.dispatch_id)) == 1


@pytest.mark.parametrize("done", [True, False])
async def test_a_cut_after_the_request_is_ambiguous(mail: SendGridMail, sendgrid: SendGridStandin, done: bool) -> None:
    sendgrid.cut_next(done=done)
    with pytest.raises(Ambiguous):
        await mail.send(EMAIL)
    assert (await mail.find(EMAIL.dispatch_id) is not None) is done


async def test_the_search_may_lag(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    sendgrid.listing_delay = 60
    await mail.send(EMAIL)
    assert await mail.find(EMAIL.dispatch_id) is None


async def test_without_the_add_on_nobody_can_tell(sendgrid: SendGridStandin) -> None:
    sendgrid.activity_search = False
    with pytest.raises(CannotTell):
        await SendGridMail(Settings(**sendgrid.settings)).find(EMAIL.dispatch_id)
    assert not sendgrid.calls


@pytest.mark.parametrize(("status", "outcome"), [(403, CannotTell), (429, Unavailable), (504, Unavailable)])
async def test_a_failed_search(
    mail: SendGridMail, sendgrid: SendGridStandin, status: int, outcome: type[Exception]
) -> None:
    sendgrid.fail_next(status)
    with pytest.raises(outcome):
        await mail.find(EMAIL.dispatch_id)


async def test_a_cut_search_is_unavailable(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    sendgrid.cut_next(done=False)
    with pytest.raises(Unavailable):
        await mail.find(EMAIL.dispatch_id)


async def test_an_unreadable_search_cannot_tell(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    sendgrid.fail_next(200, body=["no messages here"])
    with pytest.raises(CannotTell):
        await mail.find(EMAIL.dispatch_id)


async def test_redirects_are_not_followed(mail: SendGridMail, sendgrid: SendGridStandin) -> None:
    sendgrid.fail_next(302, headers={"Location": f"{sendgrid.url}/elsewhere"})
    with pytest.raises(Refused):
        await mail.send(EMAIL)
    assert [call.path for call in sendgrid.calls] == ["/v3/mail/send"]


async def test_nothing_personal_in_errors_and_logs(
    mail: SendGridMail, sendgrid: SendGridStandin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sendgrid.fail_next(400, body={"errors": [{"field": "content", "message": "camille.exemple@exemple.fr is bad"}]})
    with pytest.raises(Refused) as refused:
        await mail.send(EMAIL)
    error: BaseException | None = refused.value
    assert error is not None
    assert error.__cause__ is None
    assert error.__suppress_context__
    for secret in ("camille", "secret-body", API_KEY):
        assert secret not in str(error) + caplog.text + repr(EMAIL)


def test_line_breaks_cannot_add_headers() -> None:
    with pytest.raises(ValueError, match="single lines"):
        changed(subject="Bonjour\r\nBcc: tous@exemple.fr")
