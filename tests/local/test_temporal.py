from pathlib import Path

from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from local.ports import free_port
from local.temporal import TemporalServer


async def test_a_started_workflow_survives_kill_9_of_the_server(tmp_path: Path) -> None:
    server = TemporalServer(port=free_port(), log=tmp_path / "temporal.log", database=tmp_path / "temporal.db")
    siret = SearchAttributePair(SearchAttributeKey.for_keyword("Siret"), "12345678200010")
    async with server:
        client = await Client.connect(server.address)
        await client.start_workflow(
            "Affiliation", id="affiliation-1", task_queue="nobody", search_attributes=TypedSearchAttributes([siret])
        )
        server.kill()
        await server.wait()
        await server.start()

        description = await (await Client.connect(server.address)).get_workflow_handle("affiliation-1").describe()

        assert siret in list(description.typed_search_attributes)
        server.kill()
