"""The message to a former number."""

from __future__ import annotations

import re

from messages.phone_sms import PHONE_CHANGED_SMS
from messages.sms import MAX_CHARACTERS, septets


def test_it_is_one_segment_without_code_or_link() -> None:
    assert septets(PHONE_CHANGED_SMS) <= MAX_CHARACTERS
    assert not re.search(r"\d|http|www|@|#", PHONE_CHANGED_SMS)
