"""What a whole affiliation costs on Temporal, beside the least that a timer, an activity and an update can cost."""

from __future__ import annotations

import asyncio
import re
from datetime import date, timedelta

import asyncpg
import httpx2
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench import load
from bench.costs import Cost, cost, name
from bench.people import declarations
from bench.report import Figure
from bench.stack import Stack, running
from bench.waiting import until
from domain.identifiers import Civility
from domain.synthetic import synthetic_iban, synthetic_nir

WAIT_SECONDS = 30
QUEUE = "bench-least"
INVITATION = """
SELECT m.text FROM local_message m
JOIN dispatch d ON d.id = m.dispatch_id
JOIN affiliation a ON a.id = d.affiliation_id
WHERE a.id = $1::uuid AND a.status = 'sent'
"""


@activity.defn
async def act() -> None:
    """Nothing."""


@workflow.defn(sandboxed=False)
class Least:
    """One activity, one timer, one update."""

    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(act, start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: self.told, timeout=timedelta(days=1))

    @workflow.update
    async def tell(self) -> None:
        self.told = True


async def measure(stack: Stack) -> list[Figure]:
    """Invited, drafted, finalised, confirmed: two activities, one timer, two updates."""
    client = await stack.temporal_client()
    least = await _least(client)
    whole = await _whole(stack, client)
    return [
        *_figures("least workflow (1 activity, 1 timer, 1 update)", least),
        *_figures("whole affiliation", whole, events=44, actions=12),
        Figure("whole affiliation: events to the least", whole.events / least.events, "×"),
    ]


def _figures(what: str, spent: Cost, events: float | None = None, actions: float | None = None) -> list[Figure]:
    return [
        Figure(f"{what}: events", spent.events, "", events),
        Figure(f"{what}: bytes", spent.bytes, "bytes"),
        Figure(f"{what}: billable actions", spent.billable, "", actions),
    ]


async def _least(client: Client) -> Cost:
    worker = Worker(
        client, task_queue=QUEUE, workflows=[Least], activities=[act], workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with worker:
        handle = await client.start_workflow(Least.run, id="least", task_queue=QUEUE)

        async def armed() -> bool:
            return any(name(event) == "TIMER_STARTED" for event in (await handle.fetch_history()).events)

        await until(armed, WAIT_SECONDS)
        await handle.execute_update(Least.tell)
        await handle.result()
    return cost(await handle.fetch_history())


async def _whole(stack: Stack, client: Client) -> Cost:
    connection = await stack.database()
    async with running(stack.worker()), running(stack.api()):
        posted = await load.generate(stack.api_port, stack.key, [next(declarations(stack.siret))], 1)
        await _live(stack, connection, posted.ids[0])
        handle = client.get_workflow_handle(f"affiliation-{posted.ids[0]}")
        await asyncio.wait_for(handle.result(), WAIT_SECONDS)
        spent = cost(await handle.fetch_history())
    await connection.close()
    return spent


async def _live(stack: Stack, connection: asyncpg.Connection, affiliation_id: str) -> None:
    """The employee's part: open the link, save a draft, send the form."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{stack.api_port}/api/v1/enrolments") as employee:
        token = await _token(connection, affiliation_id)
        (await employee.post("/access", json={"token": token})).raise_for_status()
        draft = {"version": 0, "content": {"level": "BASE"}}
        (await employee.put("/current", json=draft)).raise_for_status()
        form = {
            "nir": synthetic_nir(Civility.madame, date(1990, 5, 12)),
            "level": "BASE",
            "iban": synthetic_iban(7),
            "account_holder": "Camille Mesure",
            "consent": True,
            "signature": "Camille Mesure",
        }
        (await employee.post("/current/submission", json=form)).raise_for_status()


async def _token(connection: asyncpg.Connection, affiliation_id: str) -> str:
    """The link's token, once the invitation is in the mailbox and recorded."""
    text = await until(lambda: connection.fetchval(INVITATION, affiliation_id), WAIT_SECONDS)
    found = re.search(r"/e/([\w-]{43})", text)
    assert found, "an invitation has a link"
    return found.group(1)
