"""Every kind of MES tells the same events: the record is the same, whatever happens on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BeforeValidator

from collectors import mes_events
from collectors.mes_events import ReportIn
from collectors.mes_http import MesHttpSource
from collectors.mes_push import MesDesk
from collectors.runner import MesRunner
from hub import failpoint
from hub.errors import Transient
from hub.model.intake import RejectState
from hub.registry import Kinds
from hub.store.rejects import PgRejects
from tests.contract.mes.worlds import BROKEN, EVENTS, OF, WORLDS, Record, World, record
from tests.integration.test_collector_mes_http import Mes

pytestmark = pytest.mark.anyio

KILLS = [(kind, place) for kind, world in WORLDS.items() for place in world.kills]
KINDS_OF_POSTING = {"labour": "hours", "quality": "quality", "material": "issue", "stock": "receipt"}


@pytest.fixture
async def house(dsn: str) -> AsyncIterator[Record]:
    async with record(dsn) as made:
        yield made


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, house: Record, tmp_path: Path, empty_dsn: str
) -> AsyncIterator[World]:
    kind = request.param if isinstance(request.param, str) else request.param[0]
    url = request.getfixturevalue("redis_url") if kind == "mes-redis" else ""
    made: World = WORLDS[kind](house, tmp_path, empty_dsn, url)
    yield made
    await made.close()


every_kind = pytest.mark.parametrize("world", WORLDS, indirect=True)


def test_every_kind_of_typed_events_is_held_to_this() -> None:
    assert {kind for kind, cls in Kinds("mes").items() if hasattr(cls, "feed")} == set(WORLDS)


@every_kind
async def test_the_same_events_are_the_same_record_and_again_they_change_nothing(world: World) -> None:
    await world.tell(EVENTS)
    await world.read()
    first = await world.record.everything()
    (order,) = first["orders"]
    assert (order["number"], order["product_zh"], order["quantity"], order["priority"]) == (
        "MO-1", "油泵", 100, 1,
    )  # fmt: skip
    assert [(j["operation"], j["work_center"]) for j in first["jobs"]] == [
        ("10", "p1/a/l1"),
        ("20", "p1/a/l2"),
    ]
    assert [(r["id"], r["good"], r["scrap"], r["state"]) for r in first["reports"]] == [
        ("R-1", 3, 1, "running"), ("R-2", 4, 0, "done"),
    ]  # fmt: skip
    assert [(p["kind"], p["id"], p["item"], p["quantity"], p["lot"]) for p in first["postings"]] == [
        ("hours", "H-1", "", 0.0, ""), ("issue", "M-1", "S1", 2.5, "L-7"), ("quality", "Q-1", "", 0.0, ""),
        ("receipt", "S-1", "A100", 7.0, "B-1"), ("scrap", "P-1", "", 1.0, ""),
    ]  # fmt: skip
    assert len(first["intents"]) == 7
    assert await world.record.rejects() == []
    await world.tell(EVENTS)
    await world.read()
    assert await world.record.everything() == first
    assert await world.record.rejects() == []


async def test_all_kinds_agree_with_the_mes_over_http(house: Record, tmp_path: Path, dsn: str) -> None:
    world = WORLDS["mes-files"](house, tmp_path)
    await world.tell(EVENTS)
    await world.read()
    told = await house.everything()
    async with house.pool.connection() as connection:
        await connection.execute("truncate work_orders, job_orders, job_responses, postings, outbox cascade")
    async with Mes() as mes:
        mes.orders = [e for e in EVENTS if e["type"] == "order"]
        mes.reports = [e for e in EVENTS if e["type"] == "report"]
        mes.postings = [
            {"kind": KINDS_OF_POSTING.get(e["type"], e.get("kind")), **e} for e in EVENTS
            if e["type"] not in ("order", "report")
        ]  # fmt: skip
        config = MesHttpSource.Config.model_validate({"base_url": f"http://127.0.0.1:{mes.port}"})
        done: list[str] = []

        class Enough(Exception):
            """All of it is on record."""

        class Counting(MesRunner):
            async def take_posting(self, posting: Any) -> None:
                await super().take_posting(posting)
                self.count(posting.id)

            async def take_report(self, report: Any) -> None:
                await super().take_report(report)
                self.count(report.id)

            def count(self, number: str) -> None:
                done.append(number)
                if len(done) == len(EVENTS) - 1:
                    raise Enough

        runner = Counting(
            "mes", lambda: MesHttpSource(config, world.clock, "mes"), house.ledger, world.clock, house.shout
        )
        with pytest.raises(Enough):
            await runner.run()
    assert await house.everything() == told


@pytest.mark.parametrize(("world", "place"), KILLS, indirect=["world"])
async def test_a_death_between_taking_and_marking_neither_loses_nor_doubles(
    world: World, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell(EVENTS)
    failpoint._passages.clear()
    monkeypatch.setattr(failpoint, "_PLAN", {place: ("raise", 1)})
    with pytest.raises(Transient, match=place):
        await world.read()
    monkeypatch.setattr(failpoint, "_PLAN", {})
    await world.read()
    whole = await world.record.everything()
    assert (len(whole["orders"]), len(whole["jobs"])) == (1, 2)
    assert (len(whole["reports"]), len(whole["postings"]), len(whole["intents"])) == (2, 5, 7)
    assert await world.record.rejects() == []


@every_kind
async def test_what_is_broken_is_kept_with_its_reason_and_the_others_are_taken(world: World) -> None:
    await world.tell([*EVENTS[:2], BROKEN, *EVENTS[2:]])
    await world.read()
    assert len((await world.record.everything())["reports"]) == 2
    (kept,) = await world.record.rejects()
    assert (kept["source"], kept["kind"], kept["event"], kept["state"]) == ("mes", "report", "R-9", "waiting")
    assert (kept["reason_en"], kept["reason_zh"]) == ("good must be a whole number", "good 须为整数")


@every_kind
async def test_other_words_under_a_known_id_are_no_repeat(world: World) -> None:
    await world.tell(EVENTS)
    await world.read()
    before = await world.record.everything()
    await world.tell([{**EVENTS[1], "good": 30}])
    await world.read()
    assert await world.record.everything() == before
    (kept,) = await world.record.rejects()
    assert kept["event"] == "R-1" and "a correction" in kept["reason_en"]


@every_kind
async def test_a_reject_is_replayed_once_what_was_wrong_is_mended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell([BROKEN])
    await world.read()
    book = PgRejects(world.record.pool)
    (kept,) = await book.those()
    source = world.source()
    desk = MesDesk(source, world.intake(source), world.clock)
    assert (await desk.replay(kept)).fate == "rejected"
    assert [(r.times, r.state) for r in await book.those()] == [(2, RejectState.WAITING)]

    class Lenient(ReportIn):  # a later release reads it
        good: Annotated[int, BeforeValidator(lambda text: 12 if text == "many" else text)] = 0

    monkeypatch.setattr(mes_events, "MODELS", {"report": Lenient})
    assert (await desk.replay(kept)).fate == "taken"
    assert (await desk.replay(kept)).fate == "repeat"
    (row,) = (await world.record.everything())["reports"]
    assert (row["id"], row["good"]) == ("R-9", 12)
    assert await book.decide(kept.id, RejectState.REPLAYED, "li", world.clock.now())
    assert not await book.decide(kept.id, RejectState.ASIDE, "li", world.clock.now())
    assert (await book.those(), await book.waiting()) == ([], {})


@every_kind
async def test_hostile_texts_are_data(world: World) -> None:
    """S19: quotes and comments through every field; what the record cannot hold is a reject, not an error."""
    evil = "x'; drop table work_orders; --"
    told = {"type": "quality", "id": evil, **OF, "at": "2026-01-05T09:00:00Z", "check": evil, "passed": True}
    await world.tell([{**told, "value": '"', "unit": "/*"}])
    await world.read()
    (row,) = (await world.record.everything())["postings"]
    assert (row["id"], row["name"], row["unit"]) == (evil, evil, "/*")
