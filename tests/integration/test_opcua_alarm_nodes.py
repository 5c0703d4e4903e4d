"""Alarms of conditions that the server does not have, or has elsewhere since it was started anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from asyncua import ua
from pydantic import ValidationError

from collectors.opcua import BAD_NODE_UNKNOWN, OpcUaCollector
from hub.clock import SystemClock
from hub.model.sample import GOOD, StatusCode, Tag
from hub.model.words import Words
from tests.simulators.devices import Heard
from tests.simulators.opcua_alarms import AlarmPlant

pytestmark = pytest.mark.anyio
OURS = f"nsu={AlarmPlant.NAMESPACE}"
ELSEWHERE, SHOWN, BY_PATH, HOT, A_VARIABLE = (
    "nsu=urn:not:there;s=press.hot", f"{OURS};s=press.door", f"{OURS};path=door", f"{OURS};s=press.hot",
    "i=2258",
)  # fmt: skip
CONDITIONS = [ELSEWHERE, SHOWN, BY_PATH, HOT, A_VARIABLE]
TAGS = {f"m/t{n}": Tag(n, f"m/t{n}", Words("", f"t{n}")) for n in range(1, len(CONDITIONS) + 1)}


@pytest.fixture(scope="module")
async def plant() -> AsyncIterator[AlarmPlant]:
    async with AlarmPlant() as plant:
        index = await plant._server.get_namespace_index(AlarmPlant.NAMESPACE)
        await plant._server.nodes.objects.add_object(ua.NodeId("press.door", index), f"{index}:door")
        yield plant


def collector(plant: AlarmPlant, conditions: Sequence[str]) -> OpcUaCollector:
    given = {
        "endpoint": plant.endpoint, "security": "none", "interval": "50ms", "timeout": "3s",
        "keep_alive": "200ms",
        "alarms": [{"tag": f"m/t{n}", "condition": node} for n, node in enumerate(conditions, 1)],
    }  # fmt: skip
    return OpcUaCollector(OpcUaCollector.Config.model_validate(given), SystemClock(), TAGS, "cnc")


async def test_a_condition_that_the_server_does_not_have_is_bad_and_not_no_alarm(
    plant: AlarmPlant, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Heard()
    task = asyncio.create_task(collector(plant, CONDITIONS).run(sink))
    try:
        await sink.said(2, 0)
        await sink.said(3, 0)
        await plant.stand("door", 300)
        await sink.said(3, 300)
        for tag in (1, 4, 5):
            assert {s.status for s in sink.of(tag)} == {StatusCode(BAD_NODE_UNKNOWN)}
        await plant.stand("hot", 700)  # it shows no node of it, and tells of it
        await sink.said(4, 700)
        await plant.clear("hot")
        await sink.said(4, 0)
        assert sink.last(4).status == StatusCode(GOOD)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await plant.clear("door")
    assert f"{ELSEWHERE} (m/t1): the server has no such node; correct condition:" in caplog.text
    assert (
        f"{HOT} (m/t4): the server shows no such condition; correct condition: or give name:" in caplog.text
    )


async def test_the_doctor_looks_at_them(plant: AlarmPlant) -> None:
    found = await collector(plant, CONDITIONS).probe()
    assert {tag for tag, said in found.items() if said.startswith("✗")} == {"m/t1", "m/t4", "m/t5"}


@pytest.mark.parametrize("what", ["condition", "source"])
def test_what_is_no_node_id_is_refused_when_the_configuration_is_read(what: str) -> None:
    given = {"endpoint": "opc.tcp://127.0.0.1:1", "security": "none"}
    with pytest.raises(ValidationError, match="is no node id"):
        OpcUaCollector.Config.model_validate({**given, "alarms": [{"tag": "m/t1", what: "Press.Door"}]})
