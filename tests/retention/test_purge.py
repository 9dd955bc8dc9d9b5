"""The retention table carried out: before its day nothing, on its day everything that it says (security.md R-05)."""

from __future__ import annotations

import asyncio
import uuid
from datetime import date, timedelta

import asyncpg
import httpx2
import pytest
from temporalio.testing import ActivityEnvironment

from activities.contracts.nightly import Night, Purge, Purged
from activities.nightly import BATCH, Nightly
from db import erasure
from db.pool import system
from domain.retention import Action, beginning_of, due_on, rule, rules
from domain.working_time import paris_date
from tests.api.conftest import BASE
from tests.enrolling import family, waived
from tests.retention.accounts import unused_account
from tests.retention.conftest import Kept
from tests.world import Life
from workflows.nightly import NightlyWorkflow

AT = timedelta(hours=4, minutes=30)


# A file whose hire is of somebody known, with a proposal, and whose end is of somebody who is not.
_ASKED_FOR_HELP = """
WITH asked AS (
    INSERT INTO contact_request
        (company_id, user_id, key, request_hash, reason, subject_sealed, due_at, state, closed_at)
    VALUES ($1, $2, 'k', '', 'other', '', now(), 'closed', now()) RETURNING id
), said AS (
    INSERT INTO contact_message (request_id, company_id, number, author_kind, key, request_hash, body_sealed)
    SELECT id, $1, 1, 'user', 'k', '', '' FROM asked RETURNING request_id
)
INSERT INTO contact_file
    (request_id, company_id, message_number, name_sealed, media_type, size, sha256, object_key, scan)
SELECT request_id, $1, 1, '', 'application/pdf', 1, '', 'retention', 'clean' FROM said
"""

_DECLARED_BY_PAYROLL = """
WITH came AS (
    INSERT INTO dsn_import (origin, sha256, size, object_key, data_key_sealed, state, finished_at)
    VALUES ('api', '\\x01', 1, 'of a file', '\\x01', 'applied', now()) RETURNING id
), declared AS (
    INSERT INTO dsn_declaration (import_id, number, first_line, company_id, state)
    SELECT id, 1, 1, $1, 'recorded' FROM came RETURNING id
), changes AS (
    INSERT INTO dsn_change (id, declaration_id, company_id, kind, key, subject, person_index, on_day, decision, state,
                            match, line, employee_id, person_sealed)
    SELECT uuidv7(), id, $1, kind, kind, kind, '\\x01', '2026-04-01', 'automatic', 'applied', match, 1, employee,
           '\\x01'
    FROM declared, (VALUES ('hire', 'nir', $2::uuid), ('end', 'none', NULL)) AS said (kind, match, employee)
    RETURNING id, kind
)
INSERT INTO hire_proposal (id, company_id, establishment_id, change_id, began_on, person_sealed)
SELECT uuidv7(), $1, s.id, c.id, '2026-04-01', '\\x01'
FROM changes c, establishment s WHERE c.kind = 'hire' AND s.company_id = $1
"""


async def night(kept: Kept, day: date) -> Purged:
    return await ActivityEnvironment().run(kept.nightly.purge, Purge(beginning_of(day) + AT))


async def judge(staff: httpx2.AsyncClient, life: Life, piece: str, verdict: str, body: dict[str, str]) -> None:
    answer = await staff.post(f"{BASE}/staff/affiliations/{life.id}/pieces/{piece}/{verdict}", json=body)
    assert answer.status_code == 200, answer.text


async def today(kept: Kept) -> date:
    return paris_date((await kept.world.run("SELECT now() AS now"))[0]["now"])


async def test_six_years_rule_by_rule(kept: Kept, staff: httpx2.AsyncClient) -> None:
    abandoned, insured, gone, excused = [await kept.declare() for _ in range(4)]
    await kept.draft(abandoned)
    await kept.withdraw(abandoned)
    await kept.complete(insured, family())
    await judge(staff, insured, "rib", "acceptance", {})
    await judge(staff, insured, "social_security_certificate", "request", {"reason": "unreadable"})
    await kept.complete(gone)
    await kept.end_coverage(gone)
    await kept.complete(excused, waived())
    await kept.world.run(
        "UPDATE waiver SET ended_on = (now() AT TIME ZONE 'Europe/Paris')::date WHERE affiliation_id = $1", excused.id
    )
    day = await today(kept)
    people = {life: await kept.employee(life) for life in (abandoned, insured, gone, excused)}
    await kept.world.run("UPDATE employee_session SET expires_at = now()")
    await kept.world.run(
        "UPDATE affiliation SET state = state || '{\"awaited\": false}' WHERE id = $1 AND status = 'finalised'", gone.id
    )
    async with system(kept.world.system) as connection:
        await connection.execute(
            "INSERT INTO birth_date_tries (affiliation_id, company_id, failures) VALUES ($1, $2, 1)",
            abandoned.id,
            abandoned.employer.company_id,
        )
        await connection.execute(
            "INSERT INTO delivery_event (provider, provider_event_id, kind, occurred_at)"
            " VALUES ('sendgrid', 'retention', 'delivered', now())"
        )
        await connection.execute(
            "INSERT INTO api_key (name, secret_hash, scopes, company_ids, revoked_at)"
            " VALUES ('revoked', 'revoked', '{}', '{}', now())"
        )
        await connection.execute(
            "INSERT INTO erasure (employee_id, affiliation_ids, reason, finished_at)"
            " VALUES (uuidv7(), '{}', 'former', now())"
        )
        user = await unused_account(connection, insured.employer.company_id)
        await connection.execute(
            "INSERT INTO company_contact (company_id, email) VALUES ($1, 'contact@exemple.fr')",
            gone.employer.company_id,
        )
        await connection.execute(
            "UPDATE company SET closed_on = (now() AT TIME ZONE 'Europe/Paris')::date WHERE id = $1",
            gone.employer.company_id,
        )
        await connection.execute("INSERT INTO rate_limit (key, tat) VALUES ('\\x01', now())")
        await connection.execute("INSERT INTO audit_origin (audit_id, network) VALUES (-1, '192.0.2.1')")
        await connection.execute("INSERT INTO assistant_question (user_id, kind) VALUES ($1, 'none')", user)
        await connection.execute(
            "INSERT INTO export_job (user_id, company_ids, kind, form, state, expires_at)"
            " VALUES ($1, ARRAY[$2::uuid], 'insured', 'xlsx', 'done', now())",
            user,
            insured.employer.company_id,
        )
        await connection.execute(
            "INSERT INTO affiliation_import (user_id, company_ids, filename_sealed, columns_sealed, sha256, rows_total)"
            " VALUES ($1, ARRAY[$2::uuid], '', '', '', 1)",
            user,
            insured.employer.company_id,
        )
        await connection.execute(
            "WITH made AS (INSERT INTO webhook_endpoint (company_id, name, url_sealed, secret_sealed, state)"
            " VALUES ($1, 'paie', '', '', 'stopped') RETURNING id, company_id)"
            " INSERT INTO webhook_delivery (endpoint_id, company_id, kind, happened_at, state)"
            " SELECT id, company_id, 'test', now(), 'failed' FROM made",
            insured.employer.company_id,
        )
        await connection.execute(_ASKED_FOR_HELP, insured.employer.company_id, user)
        await connection.execute(_DECLARED_BY_PAYROLL, insured.employer.company_id, people[insured])
    of = {life: f"affiliation_id = '{life.id}'" for life in (abandoned, insured, gone, excused)}
    watched = {
        "sessions": f"employee_session WHERE {of[insured]}",
        "birth_date_tries": f"birth_date_tries WHERE {of[abandoned]}",
        "idempotency_keys": f"idempotency WHERE {of[insured]}",
        "drafts": f"enrolment WHERE {of[abandoned]}",
        "tokens": f"access_token WHERE {of[gone]}",
        "documents_refused": f"document WHERE {of[insured]} AND verdict = 'refused'",
        "documents_accepted": f"document WHERE {of[insured]} AND verdict = 'accepted'",
        "messages_local": "local_message",
        "delivery_events": "delivery_event WHERE provider_event_id = 'retention'",
        "api_keys": "api_key WHERE name = 'revoked'",
        "erasures": "erasure WHERE reason = 'former'",
        "never_affiliated": f"affiliation WHERE id = '{abandoned.id}'",
        "coverages": f"coverage WHERE {of[gone]}",
        "waivers": f"waiver WHERE {of[excused]}",
        "codes": f"challenge WHERE user_id = '{user}'",
        "portal_sessions": f"portal_session WHERE user_id = '{user}'",
        "devices": " UNION ALL ".join(
            f"SELECT FROM {table} WHERE user_id = '{user}'" for table in ("trusted_device", "known_address")
        ),
        "access_links": " UNION ALL ".join(
            f"SELECT FROM {table} WHERE {whose}"
            for table, whose in {
                **dict.fromkeys(("invitation", "password_reset", "email_change", "phone_loss"), f"user_id = '{user}'"),
                **dict.fromkeys(("activation", "company_recovery"), f"company_id = '{insured.employer.company_id}'"),
            }.items()
        ),
        "notices": f"notice WHERE user_id = '{user}' AND medium = 'post'",
        "users": f"portal_user WHERE id = '{user}'",
        "rate_limits": "rate_limit WHERE key = '\\x01'",
        "audit_origins": "audit_origin WHERE audit_id = -1",
        "company_contacts": f"company_contact WHERE company_id = '{gone.employer.company_id}'",
        "exports": "export_job",
        "affiliation_imports": "affiliation_import",
        "assistant_questions": "assistant_question",
        "contact_requests": "SELECT FROM contact_request UNION ALL SELECT FROM contact_message"
        " UNION ALL SELECT FROM contact_file",
        "webhook_deliveries": "webhook_delivery",
        "webhook_endpoints": "webhook_endpoint",
        "dsn_files": "dsn_import WHERE object_key IS NOT NULL",
        "dsn_people": "dsn_change WHERE employee_id IS NULL OR person_sealed IS NOT NULL",
        "hire_proposals": "hire_proposal",
    }
    watched = {name: f"({query}) AS rows" if "UNION" in query else query for name, query in watched.items()}
    timed = {name for name, one in rules().items() if one.action is not Action.keep}
    assert set(watched) == timed - {"security_log"}, "a rule without its test; the log has its own"
    files = {life: await kept.object_keys(life) for life in of}
    abandoned_files = files[abandoned]
    assert len(abandoned_files) == 2

    for due in sorted({due_on(rule(name), day) for name in watched}):
        names = [name for name in watched if due_on(rule(name), day) == due]
        if "users" in names:
            await told_of_the_end(kept, due - timedelta(days=30))
        await night(kept, due - timedelta(days=1))
        for name in names:
            assert await kept.count(watched[name]) > 0, f"{name}: gone before its day"
        purged = await night(kept, due)
        assert purged.failed == 0
        for name in names:
            assert await kept.count(watched[name]) == 0, f"{name}: still there on its day"
            assert purged.by_rule[name] > 0, name
        if "drafts" in names:
            assert not abandoned_files & kept.files(), "the files of a draft go with it"
            assert await kept.count(f"affiliation WHERE id = '{abandoned.id}'") == 1
    await night(kept, due_on(rule("coverages"), day) + timedelta(days=366))

    assert await kept.count("dsn_change WHERE company_id = $1", insured.employer.company_id) == 1, (
        "what it changed stays as long as the person, unnamed"
    )
    for life in (abandoned, gone, excused):
        assert await kept.count("affiliation WHERE id = $1", life.id) == 0
        assert await kept.count("employee WHERE id = $1", people[life]) == 0
        assert not files[life] & kept.files()
    # a running coverage is untouched
    for table, rows in {"coverage": 1, "dependant": 3, "signature": 1, "enrolment": 1, "contact": 1}.items():
        assert await kept.count(f"{table} WHERE affiliation_id = $1", insured.id) == rows, table
    assert await kept.count("employee WHERE id = $1", people[insured]) == 1
    assert not files[insured] & kept.files(), "its documents were judged long ago"
    gone_events = [row["event"] for row in await _audit(kept, insured)]
    assert gone_events.count("file.purged") == 2
    # what names nobody is kept
    assert "form.submitted" in [row["event"] for row in await _audit(kept, gone)]


async def told_of_the_end(kept: Kept, day: date) -> None:
    """The night that tells people that their account ends, and the e-mails left."""
    await night(kept, day)
    told = await kept.world.run(
        "UPDATE notice SET state = 'handed_over', created_at = $1 WHERE kind = 'account_ending' RETURNING details",
        beginning_of(day) + AT,
    )
    assert {row["details"]["on"] for row in told} == {(day + timedelta(days=30)).isoformat()}


async def _audit(kept: Kept, life: Life) -> list[asyncpg.Record]:
    return await kept.world.run("SELECT event FROM audit_log WHERE affiliation_id = $1", life.id)


async def test_links_of_a_finalised_affiliation_work_while_pieces_are_awaited(kept: Kept) -> None:
    life = await kept.declare()
    await kept.complete(life)
    assert (await life.row())["state"]["awaited"] is True
    await night(kept, await today(kept) + timedelta(days=400))
    assert await kept.count("access_token WHERE affiliation_id = $1", life.id) > 0


async def test_more_than_one_batch_goes_in_one_night_and_a_pause_is_not_cut_short(kept: Kept) -> None:
    async with system(kept.world.system) as connection:
        await connection.execute(
            "INSERT INTO idempotency (caller, key, request_hash, created_at)"
            " SELECT 'many', n::text, 'x', now() - interval '8 days' FROM generate_series(1, $1) n",
            2 * BATCH + 1,
        )
        paused = await kept.declare()
        await connection.execute(
            "INSERT INTO birth_date_tries (affiliation_id, company_id, failures, began_at, paused_until)"
            " VALUES ($1, $2, 5, now() - interval '9 days', now() + interval '3 hours')",
            paused.id,
            paused.employer.company_id,
        )
    purged = await night(kept, await today(kept))
    assert purged.by_rule["idempotency_keys"] >= 2 * BATCH + 1
    assert await kept.count("birth_date_tries WHERE affiliation_id = $1", paused.id) == 1


async def test_one_that_cannot_be_erased_keeps_no_other_and_is_counted(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn, other = await kept.declare(), await kept.declare()
    for life in (stubborn, other):
        await kept.withdraw(life)
        await kept.world.run("UPDATE affiliation SET status_at = now() - interval '1100 days' WHERE id = $1", life.id)
    original = erasure.erase

    async def refuses(connection: object, employee_id: object, ids: list[object], *more: object) -> object:
        if stubborn.id in ids:
            raise asyncpg.ForeignKeyViolationError("a table nobody thought of")
        return await original(connection, employee_id, ids, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(erasure, "erase", refuses)
    purged = await night(kept, await today(kept))
    assert purged.failed == 1
    assert await kept.count("affiliation WHERE id = $1", other.id) == 0
    monkeypatch.undo()
    assert (await night(kept, await today(kept))).failed == 0
    assert await kept.count("affiliation WHERE id = $1", stubborn.id) == 0


async def test_a_purge_killed_between_two_batches_goes_on_where_it_was(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with system(kept.world.system) as connection:
        await connection.execute(
            "INSERT INTO idempotency (caller, key, request_hash, created_at)"
            " SELECT 'killed', n::text, 'x', now() - interval '8 days' FROM generate_series(1, $1) n",
            3 * BATCH,
        )
    original = Nightly._rows
    seen = 0

    async def dies(self: Nightly, statement: str, *more: object) -> int:
        nonlocal seen
        if statement is erasure.IDEMPOTENCY_KEYS and (seen := seen + 1) == 2:
            raise asyncio.CancelledError
        return await original(self, statement, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Nightly, "_rows", dies)
    with pytest.raises(asyncio.CancelledError):
        await night(kept, await today(kept))
    assert await kept.count("idempotency WHERE caller = 'killed'") == 2 * BATCH
    monkeypatch.undo()
    await night(kept, await today(kept))
    assert await kept.count("idempotency WHERE caller = 'killed'") == 0


async def test_the_nights_workflow_says_what_it_did_in_counts(kept: Kept) -> None:
    async with system(kept.world.system) as connection:
        await connection.execute(
            "INSERT INTO idempotency (caller, key, request_hash, created_at)"
            " VALUES ('night', 'x', 'x', now() - interval '8 days')"
        )
    handle = await kept.world.client.start_workflow(
        NightlyWorkflow.run, id=f"nightly-{uuid.uuid4()}", task_queue=kept.world.config.temporal_task_queue
    )
    done: Night = await asyncio.wait_for(handle.result(), 60)
    assert done.purged is not None
    assert done.purged.by_rule["idempotency_keys"] >= 1
    assert done.reconciled is not None
    assert done.lapsed is not None
    assert done.lapsed.failed == 0
    metadata = await handle.query("__temporal_workflow_metadata")
    assert "idempotency_keys: " in str(metadata)
