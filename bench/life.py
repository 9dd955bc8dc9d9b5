"""What a whole affiliation costs on Temporal, beside the least that a timer, an activity and an update can cost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx2
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.costs import Cost, cost, name
from bench.employee import Employee, invited
from bench.people import declarations
from bench.report import Figure
from bench.stack import Stack, running
from bench.waiting import until
from local import demo_documents

WAIT_SECONDS = 30
QUEUE = "bench-least"
CONFIRMED = """
SELECT EXISTS (SELECT FROM dispatch WHERE affiliation_id = $1::uuid AND kind = 'confirmation'
               AND handed_over_at IS NOT NULL)
"""

Ending = Callable[[Employee, httpx2.AsyncClient], Awaitable[None]]


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
    """Invited by e-mail, drafted, finalised, confirmed: two activities, one timer, two updates. Then the same with
    documents that staff check, and with documents that have to be asked for."""
    client = await stack.temporal_client()
    least = await _least(client)
    async with running(stack.worker()), running(stack.api()):
        whole = await _whole(stack, client, _complete_on_paper)
        checked = await _whole(stack, client, _with_documents)
        asked_for = await _whole(stack, client, _documents_later)
    return [
        *_figures("least workflow (1 activity, 1 timer, 1 update)", least),
        *_figures("whole affiliation, nothing to check", whole, events=44, actions=12),
        Figure("whole affiliation: events to the least", whole.events / least.events, "×"),
        *_figures("with two documents checked by staff", checked),
        *_figures("with two documents asked for, then received", asked_for),
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


async def _whole(stack: Stack, client: Client, ending: Ending) -> Cost:
    """Declared, invited, a draft saved, then `ending`, until the workflow has ended."""
    connection = await stack.database()
    key = {"Authorization": f"Bearer {stack.staff_key}"}
    async with (
        invited(stack, connection, declarations(stack.siret)) as employee,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{stack.api_port}/api/v1/staff", headers=key) as staff,
    ):
        handle = client.get_workflow_handle(f"affiliation-{employee.affiliation_id}")
        await ending(employee, staff)
        await until(lambda: connection.fetchval(CONFIRMED, employee.affiliation_id), WAIT_SECONDS)
        await asyncio.wait_for(handle.result(), WAIT_SECONDS)
        spent = cost(await handle.fetch_history())
    await connection.close()
    return spent


async def _complete_on_paper(employee: Employee, staff: httpx2.AsyncClient) -> None:
    """A draft online; then the form comes back on paper and nothing is missing."""
    await employee.save()
    path = f"/affiliations/{employee.affiliation_id}/paper-return"
    (await staff.post(path, json={"answers": employee.answers})).raise_for_status()


async def _with_documents(employee: Employee, staff: httpx2.AsyncClient) -> None:
    """Online, the documents with the form; staff accept both a moment later."""
    version = await employee.save()
    for piece, paper in _papers(employee).items():
        await employee.upload(piece, paper.name, paper.content)
    await employee.send(version)
    await _accept(employee, staff)


async def _documents_later(employee: Employee, staff: httpx2.AsyncClient) -> None:
    """Online without documents, which are asked for by e-mail; they come one after the other, and are accepted."""
    await employee.send(await employee.save(), later=True)
    for piece, paper in _papers(employee).items():
        await employee.upload(piece, paper.name, paper.content)
    await _accept(employee, staff)


async def _accept(employee: Employee, staff: httpx2.AsyncClient) -> None:
    for piece in _papers(employee):
        path = f"/affiliations/{employee.affiliation_id}/pieces/{piece}/acceptance"
        (await staff.post(path, json={})).raise_for_status()


def _papers(employee: Employee) -> dict[str, demo_documents.Paper]:
    answers, today = employee.answers, datetime.now(UTC).date()
    return {
        "rib": demo_documents.rib(answers["iban"], answers["account_holder"]),
        "social_security_certificate": demo_documents.certificate(answers["nir"], answers["account_holder"], on=today),
    }
