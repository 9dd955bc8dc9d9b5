"""Which provider is behind each door, as the settings say.

The local ones (the mailbox, letter box and phone of the embedded default) keep their messages in the database: they
are passed in, so that this module knows nothing of it.
"""

from __future__ import annotations

from gateways.mail import MailGateway
from gateways.maileva import MailevaPost
from gateways.ovh import OvhSms
from gateways.post import PostGateway
from gateways.sendgrid import SendGridMail
from gateways.sms import SmsGateway
from settings import MailProvider, PostProvider, Settings, SmsProvider


def mail_gateway(settings: Settings, local: MailGateway) -> MailGateway:
    return SendGridMail(settings) if settings.mail_provider is MailProvider.sendgrid else local


def post_gateway(settings: Settings, local: PostGateway) -> PostGateway:
    return MailevaPost(settings) if settings.post_provider is PostProvider.maileva else local


def sms_gateway(settings: Settings, local: SmsGateway) -> SmsGateway:
    return OvhSms(settings) if settings.sms_provider is SmsProvider.ovh else local
