"""The code of a letter to a company's registered office: it proves that somebody there reads its post."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field

from db import notices
from db.pool import single
from gateways.letter_codes import format_code, parse_code, verify_secret
from messages.notices import NoticeKind
from services.fields import Form
from services.limits import Limit
from services.problems import OfficeCodeRefused, TooManyRequests
from services.tools import Tools
from services.visitors import Visitor


class OfficeCode(Form):
    code: Annotated[str, Field(max_length=200, repr=False, examples=[format_code("0" * 6, "0" * 10)])]


@dataclass(frozen=True)
class RightCode:
    """A code that is right and not used yet; whoever takes it uses it (`db.notices.USE_OFFICE_CODE`)."""

    notice_id: UUID
    kind: NoticeKind
    subject_id: UUID


async def right_code(tools: Tools, request: OfficeCode, visitor: Visitor) -> RightCode:
    """What a code is for. Raises OfficeCodeRefused: unknown, wrong and dead are one answer; TooManyRequests."""
    await tools.limiter.take(Limit.letter_code_address, visitor.network)
    parsed = parse_code(request.code)
    if parsed is None:
        raise OfficeCodeRefused()
    selector, secret = parsed
    async with single(tools.system) as connection:
        row = await connection.fetchrow(
            notices.OFFICE_CODE_BY_SELECTOR, selector, notices.MAX_OFFICE_FAILURES, notices.OFFICE_CODE_DAYS
        )
    alive = row is not None and not row["dead"] and await _may_try(tools, selector)
    # an unknown code takes as long as a wrong one
    if await verify_secret(row["secret_hash"] if row is not None and alive else None, secret):
        assert row is not None, "somebody's secret"
        return RightCode(row["notice_id"], NoticeKind(row["kind"]), row["subject_id"])
    async with single(tools.system) as connection:
        await connection.execute(notices.COUNT_OFFICE_FAILURE, selector, notices.MAX_OFFICE_FAILURES)
    raise OfficeCodeRefused()


async def _may_try(tools: Tools, selector: str) -> bool:
    try:
        await tools.limiter.take(Limit.office_code, selector)
    except TooManyRequests:
        return False
    return True
