"""State tables for people: tried, saved, activated, taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alert_rules.tables_in_use import TablesInUse
from hub.api.errors import words_of
from hub.errors import Conflict, NotFound, Refused
from hub.model.batch import SampleBatch
from hub.model.equipment import EquipmentState as S
from hub.model.equipment import StateSpan
from hub.testing.clock import NOON, HandClock
from tests.api_states import ListedRaw, ListedStates, MemoryStateTables, states_desk, states_plant

pytestmark = pytest.mark.anyio
PRESS = "p1/a/l/press"
OWN = {"numbering": "own", "map": {"1": "executing", "7": "fault"}}
WIDER = {"numbering": "own", "map": {"1": "executing", "3": "setup", "7": "fault"}}


def table(numbering: str, **codes: str) -> dict[str, Any]:
    return {"numbering": numbering, "map": {code.removeprefix("c"): state for code, state in codes.items()}}


def said(code: float, *ago: float) -> list[SampleBatch]:
    return [SampleBatch.at([1], NOON - timedelta(seconds=s), [code]) for s in ago]


async def test_a_code_without_a_state_is_found_and_what_a_table_would_have_made_of_it() -> None:
    raw = ListedRaw(*said(1, 12, 8), *said(3, 4))
    told = ListedStates(StateSpan(PRESS, S.IDLE, NOON - timedelta(hours=1), NOON))
    seen = await states_desk(HandClock(), PRESS, raw=raw, told=told).preview(PRESS, WIDER, 1)
    assert [(c["code"], c["count"], c["current"], c["proposed"]) for c in seen["codes"]] == [
        (1, 2, "executing", "executing"), (3, 1, None, "setup"),
    ]  # fmt: skip
    assert seen["seconds"]["current"] == {"executing": 8.0, "unknown": 3592.0}
    assert seen["seconds"]["proposed"] == {"executing": 8.0, "setup": 4.0, "unknown": 3588.0}
    assert seen["seconds"]["recorded"] == {"idle": 3600.0}
    assert seen["changed"] == pytest.approx(4 / 3600)
    assert seen["raw_gone"] is None and not seen["cut"]


async def test_a_time_whose_raw_samples_are_gone_is_told_and_not_made_up() -> None:
    gone = NOON - timedelta(minutes=10)
    seen = await states_desk(HandClock(), PRESS, raw=ListedRaw(*said(1, 5), gone=gone)).preview(
        PRESS, OWN, 24
    )
    assert seen["since"] == seen["raw_gone"] == gone
    assert sum(seen["seconds"]["proposed"].values()) == 600


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (table("packml-1", c1="idle"), "packml-30050 or packml-30060"),
        (table("packml-30050", c99="idle"), "packml-30050 has no state 99"),
        (table("own"), "map: is missing"),
        (table(" ", c1="idle"), "numbering: is missing"),
        (table("own", c1="runing"), "map.1: 'runing' is no state; write executing"),
        (table("own", cx="idle"), "'x' is no code"),
        (table("own", c99999999999="idle"), "is no code"),
    ],
)
async def test_what_is_no_table_is_refused_with_its_key_and_the_remedy(
    wrong: dict[str, Any], says: str
) -> None:
    desk = states_desk(HandClock(), PRESS)
    for work in (desk.preview(PRESS, wrong, 1), desk.save(PRESS, wrong, 0, "boss", "")):
        with pytest.raises(Refused, match=says.replace("(", r"\(")) as told:
            await work
        assert told.value.code == "states-refused"
        zh = words_of(told.value).zh
        assert zh.startswith("状态对照表不能用：") and str(told.value) not in zh


async def test_a_refusal_in_chinese_names_the_states_as_the_screens_do() -> None:
    with pytest.raises(Refused) as told:
        await states_desk(HandClock(), PRESS).preview(PRESS, table("own", c1="运行"), 1)
    zh = words_of(told.value).zh
    assert zh.startswith("状态对照表不能用：代码 1 的“运行”不是状态；请写 executing（运行）、"), zh


async def test_a_numbering_may_be_given_by_its_name_alone() -> None:
    seen = await states_desk(HandClock(), PRESS).save(PRESS, table("packml-30060"), 0, "boss", "")
    assert seen["versions"][0]["table"]["map"]["5"] == "executing"


async def test_versions_are_saved_activated_and_taken_back_with_who_and_when() -> None:
    desk = states_desk(HandClock(), PRESS)
    assert (await desk.machine(PRESS))["table"] == OWN
    seen = await desk.save(PRESS, WIDER, 0, "boss", "code 3 is setup")
    assert (seen["number"], seen["active"], seen["table"]) == (1, 0, OWN)
    seen = await desk.activate(PRESS, 1, 0, "boss")
    assert (seen["active"], seen["table"], seen["file"]) == (1, WIDER, OWN)
    assert (seen["versions"][0]["activated_by"], seen["versions"][0]["activated_at"]) == ("boss", NOON)
    with pytest.raises(Conflict):
        await desk.activate(PRESS, 0, 0, "li")
    with pytest.raises(Conflict):
        await desk.save(PRESS, OWN, 0, "li", "")
    with pytest.raises(NotFound):
        await desk.activate(PRESS, 9, 1, "li")
    assert (await desk.activate(PRESS, 0, 1, "li"))["table"] == OWN


async def test_a_table_that_leaves_a_rule_without_a_code_is_refused() -> None:
    desk = states_desk(HandClock(), PRESS)
    with pytest.raises(Refused, match="no code of p1/a/l/press means fault"):
        await desk.save(PRESS, table("own", c1="executing"), 0, "boss", "")


async def test_since_when_a_table_holds_is_marked_when_it_becomes_another_one_and_only_then() -> None:
    tables, plant = MemoryStateTables(), states_plant(PRESS)
    in_use = TablesInUse(plant, tables, lambda plant: [])
    earlier, later = NOON - timedelta(minutes=5), NOON - timedelta(minutes=1)
    await in_use.resume("")
    await in_use.mark_seams(lambda path: earlier, NOON)
    own = tables.marked[PRESS]
    assert own.since == earlier
    await in_use.mark_seams(lambda path: later, NOON)
    assert tables.marked[PRESS] == own, "a restart with the same table"
    await tables.save(f"states:{PRESS}", WIDER, 0, "boss", "", NOON)
    await tables.activate(f"states:{PRESS}", 1, 0, "boss", NOON)
    await in_use.look()
    await in_use.mark_seams(lambda path: None, NOON)
    assert tables.marked[PRESS].since == NOON and tables.marked[PRESS].codes != own.codes


async def test_a_machine_without_a_state_tag_has_no_table() -> None:
    with pytest.raises(NotFound):
        await states_desk(HandClock(), PRESS).machine("p1/a/l/other")
