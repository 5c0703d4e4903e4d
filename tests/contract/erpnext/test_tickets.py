"""Asset Repairs and Issues: made once, amended, closed; the field that keeps our number."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from erp_bridge.erpnext import ErpNextConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.erpnext import ErpNextBooks
from tests.contract.erpnext.said import KEY, Connect, closing, step, ticket
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.server import ErpNextSimulator
from tests.simulators.erpnext.site import ROLES, User

pytestmark = pytest.mark.anyio


async def test_two_of_us_open_one_ticket(
    books: ErpNextBooks, connect: Connect, erp: ErpNextSimulator
) -> None:
    """The unique field decides; whoever comes second finds the first one's."""
    both = [connect(erp), connect(erp)]
    found = await asyncio.gather(*(c.open_ticket(KEY, ticket()) for c in both))
    assert found[0] == found[1]
    assert len(await books.tickets()) == 1


async def test_without_the_field_for_our_number_nothing_is_made(clock: HandClock, connect: Connect) -> None:
    with ErpNextSimulator(now=clock.now, bare=True) as erp:
        connector = connect(erp)
        with pytest.raises(ErpRefused, match="no field custom_andon_ref on Asset Repair"):
            await connector.open_ticket(KEY, ticket())
        assert erp.site.every("Asset Repair") == []
        said = await connector.probe()
        assert said["repair"].startswith("✗ Asset Repair has no custom_andon_ref")


async def test_a_key_user_adds_the_field_and_goes_on(clock: HandClock, connect: Connect) -> None:
    """Nothing is started again: after five minutes at most the new field is believed."""
    with ErpNextSimulator(now=clock.now, bare=True) as erp:
        connector = connect(erp)
        with pytest.raises(ErpRefused):
            await connector.open_ticket(KEY, ticket())
        clerk = {"Authorization": f"token {seed.CLERK.api_key}:{seed.CLERK.api_secret}"}
        made = {"dt": "Asset Repair", "fieldname": "custom_andon_ref", "fieldtype": "Data", "unique": 1}
        async with httpx.AsyncClient(trust_env=False, base_url=erp.url, headers=clerk) as office:
            assert (await office.post("/api/resource/Custom Field", json=made)).status_code == 200
        assert (await connector.open_ticket(KEY, ticket()))[1] == "ACC-ASR-2026-00001"


async def test_our_number_may_begin_a_text_instead(erp: ErpNextSimulator, connect: Connect) -> None:
    connector = connect(erp, keys={"Asset Repair": "description"})
    made = await connector.open_ticket(KEY, ticket())
    assert await connector.open_ticket(KEY, ticket()) == made == await connector.find_ticket(KEY)
    assert await connector.find_ticket("AH-20260105-000_") is None
    assert erp.site.every("Asset Repair")[0]["description"].startswith(f"{KEY} 主轴温度超限")


async def test_a_field_that_is_not_unique_is_told(clock: HandClock, connect: Connect) -> None:
    with ErpNextSimulator(now=clock.now, bare=True) as erp:
        seed.add(erp.site, "Asset Repair", seed.REF)
        assert "is not unique; tick Unique" in (await connect(erp).probe())["repair"]


async def test_a_ticket_of_a_machine_without_asset_is_an_issue_and_lives(
    erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    erp_id, number = await connector.open_ticket(KEY, ticket(equipment="GRIND-01"))
    assert (erp_id, number) == ("Issue/ISS-2026-00001", "ISS-2026-00001")
    await connector.update_ticket(erp_id, step("on-site", note="<等待>"))
    await connector.update_ticket(erp_id, step("on-site", note="<等待>"))
    await connector.close_ticket(erp_id, closing())
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    await connector.update_ticket(erp_id, step("reopened"))
    assert await connector.ticket_states([erp_id, "Issue/NONE", "?"]) == {erp_id: "open"}
    (row,) = erp.site.every("Issue")
    assert row["description"].count("&lt;等待&gt;") == 1
    assert "<82" not in row["description"] and "82℃" in row["description"]
    assert "停机 downtime: 95 min" in row["resolution_details"]


async def test_a_relapse_of_a_relapse_is_amended_again(
    books: ErpNextBooks, erp: ErpNextSimulator, connector: ErpNextConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    for _ in range(2):
        await connector.close_ticket(erp_id, closing())
        await connector.update_ticket(erp_id, step("reopened"))
        await connector.update_ticket(erp_id, step("reopened"))
    assert sorted(r["name"] for r in erp.site.every("Asset Repair")) == [
        "ACC-ASR-2026-00001", "ACC-ASR-2026-00001-1", "ACC-ASR-2026-00001-2"
    ]  # fmt: skip
    assert await connector.find_ticket(KEY) == ("Asset Repair/ACC-ASR-2026-00001-2", "ACC-ASR-2026-00001-2")
    assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
    assert [t.closed for t in await books.tickets()] == [False]


async def test_a_user_who_may_see_no_issues_opens_repairs_and_nothing_else(
    erp: ErpNextSimulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where they could make one: it would not be found again."""
    monkeypatch.setitem(ROLES, "Issue", ("Manufacturing Manager:create",))
    mender = User("m@x", "m-key", "m-secret", roles=frozenset({"Manufacturing Manager"}))
    erp.site.users.append(mender)
    connector = connect(erp, api_key="m-key", api_secret="m-secret")
    assert await connector.open_ticket(KEY, ticket()) == await connector.find_ticket(KEY)
    with pytest.raises(ErpRefused, match="PermissionError"):
        await connector.open_ticket(KEY + "1", ticket(equipment=""))
    assert erp.site.every("Issue") == []


async def test_without_submitting_a_repair_is_opened_again_as_it_is(
    erp: ErpNextSimulator, connect: Connect
) -> None:
    connector = connect(erp, submit_repairs=False)
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    await connector.close_ticket(erp_id, closing())
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    await connector.update_ticket(erp_id, step("reopened"))
    (row,) = erp.site.every("Asset Repair")
    assert (row["docstatus"], row["repair_status"]) == (0, "Pending")


async def test_who_accepts_is_assigned_and_the_photo_hangs_there_once(
    erp: ErpNextSimulator, connect: Connect
) -> None:
    connector = connect(erp, users={"tech-a": "wang@factory.example"})
    erp_id, number = await connector.open_ticket(KEY, ticket())
    for _ in range(2):
        await connector.update_ticket(erp_id, step("accepted"))
    photo = {"photo_data": b"\x89PNG..", "photo_name": "p-1.png"}
    erp.faults.add("drop_after_commit", on=["Asset Repair"])
    with pytest.raises(ErpUnavailable):
        await connector.close_ticket(erp_id, closing(**photo))
    await connector.close_ticket(erp_id, closing(**photo))
    assert [t["allocated_to"] for t in erp.site.every("ToDo")] == ["wang@factory.example"]
    assert [(f["file_name"], f["attached_to_name"]) for f in erp.site.every("File")] == [("p-1.png", number)]
