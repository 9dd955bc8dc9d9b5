from __future__ import annotations

from typing import cast

from gateways.mail import MailGateway
from gateways.maileva import MailevaPost
from gateways.ovh import OvhSms
from gateways.post import PostGateway
from gateways.providers import mail_gateway, post_gateway, sms_gateway
from gateways.sendgrid import SendGridMail
from gateways.sms import SmsGateway
from settings import MailProvider, PostProvider, Settings, SmsProvider

LOCAL_MAIL, LOCAL_POST, LOCAL_SMS = cast(MailGateway, "mail"), cast(PostGateway, "post"), cast(SmsGateway, "sms")


def test_local_unless_told_otherwise() -> None:
    settings = Settings()
    assert mail_gateway(settings, LOCAL_MAIL) is LOCAL_MAIL
    assert post_gateway(settings, LOCAL_POST) is LOCAL_POST
    assert sms_gateway(settings, LOCAL_SMS) is LOCAL_SMS


def test_the_named_providers() -> None:
    settings = Settings(
        mail_provider=MailProvider.sendgrid, post_provider=PostProvider.maileva, sms_provider=SmsProvider.ovh
    )
    assert isinstance(mail_gateway(settings, LOCAL_MAIL), SendGridMail)
    assert isinstance(post_gateway(settings, LOCAL_POST), MailevaPost)
    assert isinstance(sms_gateway(settings, LOCAL_SMS), OvhSms)
