"""Field maps as versions: saved, activated while the bridge runs, taken back, or refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from erp_bridge.erp_in_use import ErpInUse, Fit
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from erp_bridge.mapping_desk import ErpMappingDesk
from hub.api.app import build
from hub.api.limits import Meter
from hub.errors import Conflict, NotFound, Transient
from hub.model.mapping import MappingState
from hub.model.people import Role
from hub.ports import ErpConnector
from hub.store.mappings import PgMappings
from hub.store.pool import Pool, open_pool
from hub.testing.clock import NOON, HandClock
from tests.api_house import House, house, person
from tests.integration.bridge_house import BridgeHouse, QuickClock, bridge_house
from tests.simulators.kingdee.server import KingdeeSimulator
from tests.simulators.kingdee.sessions import Account

pytestmark = pytest.mark.anyio

KIND = "kingdee-galaxy"
URL = "/api/erp/mappings"
CUSTOM = {
    "ticket": {"write": {"F_PLANT_Code": "table('plant', fault_code)"}, "tables": {"plant": {"17": "P-17"}}}
}
KEEPERS = [
    replace(person(role, "p1"), id=f"{role.value}-all") for role in (Role.PLANNER, Role.ADMIN)
]  # fmt: skip
WRONG = {"ticket": {"write": {"F_PLANT_Code": "tabel(fault_code"}}}


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    made = await open_pool(dsn)
    yield made
    await made.close()


@pytest.fixture
def record(pool: Pool) -> PgMappings:
    return PgMappings(pool)


# ------------------------------------------------------------------ the record
async def test_versions_are_numbered_by_kind_and_one_of_them_is_active(record: PgMappings) -> None:
    first = await record.save(KIND, CUSTOM, 0, "admin-1", "shift", NOON)
    await record.save(KIND, {}, 1, "admin-1", "", NOON)
    assert (await record.save("sap-s4", {}, 0, "admin-1", "", NOON)).number == 1
    assert (first.number, first.documents, first.state) == (1, CUSTOM, MappingState.SAVED)
    assert await record.active(KIND) == 0
    await record.activate(KIND, 1, 0, "admin-1", NOON)
    await record.activate(KIND, 2, 1, "admin-1", NOON)
    states = {v.number: v.state for v in await record.versions(KIND)}
    assert states == {2: MappingState.ACTIVE, 1: MappingState.RETIRED}
    await record.activate(KIND, 0, 2, "admin-1", NOON)
    assert (await record.active(KIND), await record.active("sap-s4")) == (0, 0)


async def test_of_two_who_save_at_once_one_is_told_to_look_first(record: PgMappings) -> None:
    saved = await asyncio.gather(
        *(record.save(KIND, CUSTOM, 0, who, "", NOON) for who in ("a", "b")), return_exceptions=True
    )
    assert sorted(isinstance(s, Conflict) for s in saved) == [False, True]
    with pytest.raises(Conflict):
        await record.save(KIND, CUSTOM, 5, "c", "", NOON)
    assert [v.number for v in await record.versions(KIND)] == [1]


async def test_whoever_activates_must_know_what_is_active(record: PgMappings) -> None:
    await record.save(KIND, CUSTOM, 0, "a", "", NOON)
    await record.activate(KIND, 1, 0, "a", NOON)
    with pytest.raises(Conflict):
        await record.activate(KIND, 0, 0, "b", NOON)
    with pytest.raises(NotFound):
        await record.activate(KIND, 7, 1, "a", NOON)
    assert await record.active(KIND) == 1


# ------------------------------------------------------------------ the desk, with a live ERP
class Shop:
    """The API, a bridge that runs, and the simulated Kingdee behind both."""

    def __init__(self, it: House, bridge: BridgeHouse, in_use: ErpInUse, clock: HandClock) -> None:
        self.it, self.bridge, self._in_use, self._clock = it, bridge, in_use, clock
        self.fits: list[Fit] = []
        self.broken = 0

    async def _work(self, connector: ErpConnector) -> None:
        self.bridge.connector = connector
        self.bridge.bridge = self.bridge._hire()
        await asyncio.Event().wait()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._in_use.carry(self._work, self.fits.append))
        try:
            await self.until(lambda: len(self.fits) == 1)
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                self._clock.turn(2)
                await asyncio.sleep(0.005)

    async def post(self, path: str, body: Mapping[str, Any], role: Role = Role.ADMIN) -> httpx.Response:
        async with self.it.as_person(f"{role.value}-all") as client:
            sent = json.dumps(body)  # in ASCII: not every text of Python can be sent plainly
            return await client.post(URL + path, content=sent, headers={"Content-Type": "application/json"})

    async def get(self, path: str = "") -> Any:
        async with self.it.as_person("planner-all") as client:
            answer = await client.get(URL + path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ticket(self) -> str:
        self.broken += 1
        number = await self.bridge.break_down(self.broken)
        await self.bridge.drain()
        return number


@pytest.fixture
def erp() -> Iterator[KingdeeSimulator]:
    clock = QuickClock()
    with KingdeeSimulator(now=clock.now, order_start=NOON) as simulator:
        yield simulator


def raw(erp: KingdeeSimulator, **more: Any) -> dict[str, Any]:
    account = Account()
    names = ("acct_id", "user", "app_id", "app_secret")
    return {"server_url": erp.url, **{n: getattr(account, n) for n in names}, **more}


@pytest.fixture
async def shop(dsn: str, pool: Pool, erp: KingdeeSimulator) -> AsyncIterator[Shop]:
    clock = HandClock()
    in_use = ErpInUse(KingdeeGalaxyConnector, raw(erp), KIND, clock, PgMappings(pool))
    async with bridge_house(dsn, erp.url, QuickClock()) as bridge:
        desk, it = ErpMappingDesk(in_use, bridge.book), house(*KEEPERS)
        it.app = build(replace(it.deps, mappings=desk), meter=Meter(burst=1e9))
        yield Shop(it, bridge, in_use, clock)
        await desk.close()


def code_of(erp: KingdeeSimulator, ticket: str) -> Any:
    found = [r for r in erp.books.all("AH_EquipRepair") if r.values.get("f_ah_extkey") == ticket]
    assert len(found) == 1
    return found[0].values.get("f_plant_code")


async def test_a_custom_field_mapped_in_the_console_is_in_the_next_ticket_and_gone_after_a_rollback(
    shop: Shop, erp: KingdeeSimulator
) -> None:
    async with shop.running():
        assert code_of(erp, await shop.ticket()) in (None, "")

        page = await shop.get("/documents/ticket")
        assert {"F_PLANT_Code", "F_AH_Level"} <= {f["name"] for f in page["fields"]}
        tried = await shop.post("/documents/ticket/preview", {"block": CUSTOM["ticket"]}, Role.PLANNER)
        assert tried.json()["rows"]["write.F_PLANT_Code"]["value"] == "P-17"
        saved = await shop.post("", {"documents": CUSTOM, "latest": 0, "note": "fault code"})
        assert (saved.status_code, saved.json()["number"], saved.json()["active"]) == (200, 1, 0)
        assert (await shop.post("/versions/1/activate", {"active": 0})).status_code == 200
        await shop.until(lambda: len(shop.fits) == 2)
        assert code_of(erp, await shop.ticket()) == "P-17"

        assert (await shop.post("/versions/0/activate", {"active": 1})).status_code == 200
        await shop.until(lambda: len(shop.fits) == 3)
        assert code_of(erp, await shop.ticket()) in (None, "")
    assert shop.it.audited()["mapping.save"] == 1 and shop.it.audited()["mapping.activate"] == 2


async def test_what_the_connector_refuses_is_neither_saved_nor_activated(shop: Shop) -> None:
    said = await shop.post("", {"documents": WRONG, "latest": 0, "note": ""})
    assert (said.status_code, said.json()["error"]["code"]) == (400, "mapping-refused")
    assert "F_PLANT_Code" in said.json()["error"]["text"]["zh"]
    told = (await shop.post("/test", {"documents": WRONG})).json()
    assert not told["sound"] and "F_PLANT_Code" in told["complaints"][0]
    await shop._in_use.mappings.save(KIND, WRONG, 0, "an older release", "", NOON)
    assert (await shop.post("/versions/1/activate", {"active": 0})).status_code == 400
    assert (await shop.get())["active"] == 0


async def test_a_function_nobody_knows_is_refused_before_a_ticket_meets_it(shop: Shop) -> None:
    typo = {"ticket": {"write": {"F_PLANT_Code": "tabel('plant', fault_code)"}}}
    said = await shop.post("", {"documents": typo, "latest": 0, "note": ""})
    assert said.status_code == 400 and "'table'" in said.json()["error"]["text"]["en"]


ODD: tuple[Any, ...] = (
    *({"write": {"F": text}} for text in (
        "'a\x00b'", "'\ud800'", 7, "(" * 900 + "a" + ")" * 900, "!" * 900 + "a", "@", "*",
        "number('1e999999999')", "local(order, '%Q')",
        "map(&a, order)", "sort_by(@, &order)", 'max(`[1, "a"]`)',
    )),
    {"write": {"F\x00": "order"}}, {"write": {"": ""}}, {"write": {"a": "order", "a.b": "order"}},
    {"write": {"a": "order", "a[].b": "order"}},
    {"read": {"x": "[0]"}}, {"form": "x" * 5000}, {"tables": {"t": []}}, {"nosuch": 1},
    {"tables": {"t": {"a": [1], "b": {"c": 1}}}, "write": {"F": "back('t', order)"}},
    {"variants": [{"when": "x("}, {"when": ""}]}, {"variants": [{}]}, {"variants": "x"},
)  # fmt: skip


async def test_no_odd_draft_is_more_than_refused(shop: Shop) -> None:
    """By the real desk; texts that Python likes and a database or JSON does not are among them."""
    saved = 0
    for odd in ODD:
        for path, body in (
            ("/documents/ticket/preview", {"block": odd}),
            ("", {"documents": {"ticket": odd}, "latest": saved}),
        ):
            answer = await shop.post(path, body)
            assert answer.status_code in (200, 400), (odd, path, answer.text)
            saved = answer.json().get("number", saved)
    kept = [v.documents for v in await shop._in_use.mappings.versions(KIND)]
    assert {"ticket": {"write": {"F": "@"}}} in kept and {"ticket": {"nosuch": 1}} not in kept


async def test_a_version_that_can_no_longer_be_used_is_told_and_the_one_before_it_is_used(shop: Shop) -> None:
    record = shop._in_use.mappings
    await record.save(KIND, CUSTOM, 0, "a", "", NOON)
    await record.activate(KIND, 1, 0, "a", NOON)
    await record.save(KIND, WRONG, 1, "a", "", NOON)
    await record.activate(KIND, 2, 1, "a", NOON)
    seen = await shop.get()
    assert (seen["active"], seen["used"]) == (2, 1) and "F_PLANT_Code" in seen["trouble"]
    async with shop.running():
        assert shop.fits[0].told()["mapping"] == 1 and "version 2" in shop.fits[0].told()["mapping_trouble"]


FAILS = {"ticket": {"write": {"F_PLANT_Code": "number(headline)"}}}


async def test_a_map_that_no_record_comes_through_is_neither_sound_nor_activated(shop: Shop) -> None:
    """Nobody may say `anyway` to it: there are records, and none of them works."""
    await shop.ticket()
    told = (await shop.post("/test", {"documents": FAILS})).json()
    assert not told["sound"] and told["complaints"] == []
    opening = next(t for t in told["tried"] if t["fails"])
    assert (opening["document"], opening["side"], opening["field"]) == ("ticket", "write", "F_PLANT_Code")
    assert (opening["records"], opening["sound"]) == (1, 0)
    assert opening["record"]["zh"].startswith("新报修 AH-")
    assert (await shop.post("", {"documents": FAILS, "latest": 0})).status_code == 200, "a draft may be kept"
    for body in ({"active": 0}, {"active": 0, "anyway": True}):
        refused = await shop.post("/versions/1/activate", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "mapping-fails")
        text = refused.json()["error"]["text"]["zh"]
        assert "ticket.write.F_PLANT_Code" in text and "新报修 AH-" in text and "is not a number" in text
    assert (await shop.get())["active"] == 0


async def test_a_map_that_reads_other_columns_is_tried_on_live_records(shop: Shop) -> None:
    for text, sound in (("FBillNo", True), ("number(FBillNo)", False)):
        told = (await shop.post("/test", {"documents": {"order": {"read": {"customer": text}}}})).json()
        (tried,) = told["tried"]
        assert (told["sound"], tried["side"]) == (sound, "read")
        assert tried["records"] > 1 and tried["sound"] == (tried["records"] if sound else 0)


async def test_what_there_is_no_record_to_try_on_is_activated_only_when_somebody_says_so(shop: Shop) -> None:
    """No ticket is in the ERP yet, so that nobody knows whether one could be read."""
    draft = {"ticket": {"read": {"state": "upper_case"}}}
    await shop.post("", {"documents": draft, "latest": 0})
    refused = await shop.post("/versions/1/activate", {"active": 0})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "mapping-untried")
    assert "ticket.read" in refused.json()["error"]["text"]["zh"]
    assert (await shop.post("/versions/1/activate", {"active": 0, "anyway": True})).status_code == 200
    (line,) = [d for _, what, _, d in shop.it.people.trail if what == "mapping.activate"]
    assert (line["before"], line["anyway"]) == (0, True)
    assert (await shop.post("/versions/0/activate", {"active": 1})).status_code == 200
    assert (await shop.post("/versions/1/activate", {"active": 0})).status_code == 200, "it has run before"


async def test_a_table_that_is_not_there_is_refused_with_its_field_when_it_is_saved(shop: Shop) -> None:
    typo = {"ticket": {"write": {"F_PLANT_Code": "if(order, table('plnat', fault_code), '')"},
                       "tables": {"plant": {"17": "P-17"}}}}  # fmt: skip
    said = await shop.post("", {"documents": typo, "latest": 0})
    assert (said.status_code, said.json()["error"]["code"]) == (400, "mapping-refused")
    text = said.json()["error"]["text"]["en"]
    assert "write.F_PLANT_Code" in text and "'plnat'" in text and "'plant'" in text


async def test_a_field_that_the_erp_does_not_list_is_warned_of(shop: Shop) -> None:
    draft = {
        "write": {"F_PLANT_Nowhere": "order", "F_PLANT_Code": "order"},
        "read": {"order": "F_PLANT_Gone"},
    }
    told = (await shop.post("/test", {"documents": {"ticket": draft}})).json()
    fields = ("F_PLANT_Gone", "F_PLANT_Nowhere")
    assert told["warnings"] == [{"document": "ticket", "field": field} for field in fields]


async def test_a_test_asks_the_erp_whether_the_fields_are_there_and_changes_nothing(
    shop: Shop, erp: KingdeeSimulator
) -> None:
    draft = {"ticket": {"write": {"F_PLANT_Nowhere": "order"}}}
    told = (await shop.post("/test", {"documents": draft})).json()
    assert told["sound"] and "F_PLANT_Nowhere" in told["probe"]["ticket"]
    assert "✗" not in (await shop.post("/test", {"documents": CUSTOM})).json()["probe"]["ticket"]
    assert not list(erp.books.all("AH_EquipRepair"))


async def test_live_records_show_a_field_as_soon_as_a_draft_asks_for_it(shop: Shop) -> None:
    page = await shop.get("/documents/order")
    assert 1 <= len(page["theirs"]) <= 3 and "FBillNo" in page["theirs"][0]
    draft = {"read": {"priority": "F_AH_Priority", "typo": "FBilNo"}}
    rows = (await shop.post("/documents/order/preview", {"block": draft})).json()["rows"]
    assert rows["read.priority"]["error"] is None and rows["read.priority"]["remark"] is None
    assert rows["read.typo"]["near"] == "FBillNo"
    secret = Account().app_secret
    assert secret not in str(page) + str(await shop.get())


async def test_an_erp_that_is_away_leaves_the_editor_with_records_of_ours(
    shop: Shop, erp: KingdeeSimulator
) -> None:
    erp.stop()
    page = await shop.get("/documents/ticket")
    assert page["fields_trouble"] and page["theirs_trouble"] and page["ours"]
    rows = (await shop.post("/documents/ticket/preview", {"block": CUSTOM["ticket"]})).json()["rows"]
    assert rows["write.F_PLANT_Code"] == {
        "value": "P-17",
        "error": None,
        "at": None,
        "remark": None,
        "near": "",
    }


async def test_a_record_that_is_away_for_a_moment_does_not_end_the_bridge(shop: Shop) -> None:
    record, failures = shop._in_use.mappings, 0

    class Away:
        async def active(self, kind: str) -> int:
            nonlocal failures
            failures += 1
            raise Transient("away")

    async with shop.running():
        shop._in_use.mappings = Away()  # type: ignore[assignment]
        await shop.until(lambda: failures > 1)
        assert len(shop.fits) == 1
        shop._in_use.mappings = record
