"""The repair form: what goes into it, its workflow, its photos, fields of the customer's own."""

from __future__ import annotations

from typing import Any

import pytest

from erp_bridge.jiandaoyun import JiandaoyunConnector
from hub.errors import ErpRefused, ErpUnavailable
from hub.testing.clock import HandClock
from tests.contract.jiandaoyun.case import AT, KEY, closing, step, ticket
from tests.contract.jiandaoyun.conftest import Connect
from tests.simulators.jiandaoyun import seed
from tests.simulators.jiandaoyun.server import JiandaoyunSimulator

pytestmark = pytest.mark.anyio

PHOTO = {"photo": "p1", "photo_data": b"\xff\xd8jpeg\r\n--x", "photo_name": "p1.jpg"}


def the(erp: JiandaoyunSimulator) -> dict[str, Any]:
    (row,) = erp.desk.rows("ah_repair")
    return row


async def test_every_step_stands_in_the_form(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    assert (the(erp)["level"], the(erp)["state"], the(erp)["report_time"]) == ("紧急", "待处理", AT)
    await connector.update_ticket(erp_id, step("accepted"))
    assert (the(erp)["state"], the(erp)["ack_time"]) == ("已接单", AT)
    assert the(erp)["worker"]["username"] == seed.WORKER
    await connector.close_ticket(erp_id, closing())
    row = the(erp)
    assert (row["state"], row["result"], row["downtime_min"]) == ("已完成", "更换冷却泵", 95)
    assert row["ack_time"] == AT


async def test_a_form_without_aliases_is_found_by_its_titles(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    books = erp.platform.books
    form = books.form("ah_repair")
    form.name = "设备报修"
    form.widgets = [books.widget("", w.label, w.type) for w in form.widgets]
    erp_id, number = await connector.open_ticket(KEY, ticket())
    assert number == "BX000001"
    await connector.close_ticket(erp_id, closing())
    assert await connector.find_ticket(KEY) == (erp_id, number)
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    (row,) = erp.desk.rows("设备报修")
    assert [row[w.widget] for w in form.widgets if w.label == "维修结果"] == ["更换冷却泵"]


async def test_a_field_that_is_added_today_is_written_today(
    erp: JiandaoyunSimulator, connect: Connect, clock: HandClock
) -> None:
    connector = connect(documents={"ticket": {"write": {"停机等级": "text(priority)"}}})
    await connector.open_ticket(KEY, ticket())
    books = erp.platform.books
    books.form("ah_repair").widgets.append(books.widget("", "停机等级", "number"))
    clock.turn(11 * 60)
    await connector.open_ticket(KEY + "8", ticket())
    last = erp.desk.rows("ah_repair")[-1]
    assert last[books.form("ah_repair").widgets[-1].name] == 4  # a number, whatever the expression gives


async def test_a_field_of_the_site_that_is_not_there_is_left_out_and_told_once(
    erp: JiandaoyunSimulator, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    connector = connect(documents={"ticket": {"write": {"没有": "fault_code"}}})
    for key in (KEY, KEY + "8"):
        await connector.open_ticket(key, ticket())
    assert len(erp.desk.rows("ah_repair")) == 2
    assert caplog.text.count("没有") == 1


async def test_without_a_field_for_our_number_nothing_is_made(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    form = erp.platform.books.form("ah_repair")
    form.widgets = [w for w in form.widgets if w.alias != "ext_key"]
    with pytest.raises(ErpRefused, match="ext_key"):
        await connector.open_ticket(KEY, ticket())
    assert erp.desk.rows("ah_repair") == []
    assert "ext_key" in (await connector.probe())["ticket"]


async def test_a_form_that_is_not_there_is_named_with_its_remedy(connect: Connect) -> None:
    connector = connect(documents={"ticket": {"form": "报修单"}})
    with pytest.raises(ErpRefused, match=r"报修单.*documents\.ticket\.form"):
        await connector.open_ticket(KEY, ticket())
    assert (await connector.probe())["ticket"].startswith("✗")


async def test_a_form_is_named_by_its_id_also_in_another_app(
    erp: JiandaoyunSimulator, connect: Connect
) -> None:
    form = erp.platform.books.form("ah_repair")
    await connect(documents={"ticket": {"form": form.entry_id}}).open_ticket(KEY, ticket())
    whole = f"{seed.APP}/{form.entry_id}"
    await connect(documents={"ticket": {"form": whole}}).open_ticket(KEY + "7", ticket())
    form.app_id = seed.ANOTHER_APP
    named = f"{seed.ANOTHER_APP}/{form.entry_id}"
    await connect(documents={"ticket": {"form": named}}).open_ticket(KEY + "8", ticket())
    assert len(erp.desk.rows("ah_repair")) == 3


# ------------------------------------------------------------------ photos
async def test_the_photo_is_in_the_closed_ticket(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    await connector.close_ticket(erp_id, closing() | PHOTO)
    (photo,) = the(erp)["photos"]
    assert (photo["name"], photo["size"]) == ("p1.jpg", len(PHOTO["photo_data"]))
    (kept,) = erp.platform.files.kept.values()
    assert kept.data == PHOTO["photo_data"]


async def test_a_closing_that_was_lost_sends_its_photo_once(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    for fault in ("drop_before", "drop_after_commit"):
        erp.faults.add(fault)
        with pytest.raises(ErpUnavailable):
            await connector.close_ticket(erp_id, closing() | PHOTO)
    await connector.close_ticket(erp_id, closing() | PHOTO)
    assert len(the(erp)["photos"]) == 1
    assert the(erp)["state"] == "已完成"


async def test_photos_that_the_office_has_put_there_stay(
    erp: JiandaoyunSimulator, connector: JiandaoyunConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, ticket())
    theirs = [{"name": "theirs.jpg", "size": 1, "mime": "image/jpeg", "url": "https://files.invalid/1"}]
    form = erp.platform.books.form("ah_repair")
    erp.platform.books.put(erp_id, form, {"photos": theirs}, "jdy-clerk", made=False)
    await connector.close_ticket(erp_id, closing() | PHOTO)
    assert the(erp)["photos"] == theirs
    assert the(erp)["state"] == "已完成"


# ------------------------------------------------------------------ a form with a workflow
class TestWorkflow:
    @pytest.fixture
    def flow(self) -> bool:
        return True

    @pytest.fixture
    def connector(self, connect: Connect) -> JiandaoyunConnector:
        return connect(ticket={"workflow": True})

    async def test_it_is_started_and_ended_step_by_step(
        self, erp: JiandaoyunSimulator, connector: JiandaoyunConnector
    ) -> None:
        erp_id, _ = await connector.open_ticket(KEY, ticket())
        assert the(erp)["flowState"] == 0
        await connector.close_ticket(erp_id, closing())
        assert (the(erp)["flowState"], the(erp)["state"]) == (1, "已完成")
        done = erp.platform.workflow.instances[erp_id].tasks
        assert [(t["flow_name"], t["finish_action"]) for t in done] == [
            ("维修", "forward"),
            ("主管确认", "forward"),
        ]

    async def test_a_step_that_was_lost_is_gone_on_from(
        self, erp: JiandaoyunSimulator, connector: JiandaoyunConnector
    ) -> None:
        erp_id, _ = await connector.open_ticket(KEY, ticket())
        for _ in range(3):  # its fields, and two steps
            erp.faults.add("drop_after_commit")
            with pytest.raises(ErpUnavailable) as trouble:
                await connector.close_ticket(erp_id, closing())
            assert trouble.value.in_doubt
        await connector.close_ticket(erp_id, closing())
        assert (the(erp)["flowState"], the(erp)["state"]) == (1, "已完成")
        assert len(erp.platform.workflow.instances[erp_id].tasks) == 2

    async def test_what_the_office_has_approved_is_closed(
        self, erp: JiandaoyunSimulator, connector: JiandaoyunConnector
    ) -> None:
        erp_id, _ = await connector.open_ticket(KEY, ticket())
        for _ in range(2):
            erp.desk.approve(erp_id)
        assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
        await connector.close_ticket(erp_id, closing())
        assert the(erp)["state"] == "待处理"

    async def test_a_relapse_begins_it_again(
        self, erp: JiandaoyunSimulator, connector: JiandaoyunConnector
    ) -> None:
        erp_id, _ = await connector.open_ticket(KEY, ticket())
        await connector.close_ticket(erp_id, closing())
        await connector.update_ticket(erp_id, step("reopened"))
        assert (the(erp)["flowState"], the(erp)["state"]) == (0, "待处理")
        assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
        await connector.close_ticket(erp_id, closing())
        assert the(erp)["flowState"] == 1

    async def test_a_record_without_its_workflow_is_closed_all_the_same(
        self, erp: JiandaoyunSimulator, connector: JiandaoyunConnector
    ) -> None:
        erp_id = seed.add(erp.platform.books, "ah_repair", ext_key=KEY, state="待处理")
        await connector.close_ticket(erp_id, closing())
        assert the(erp)["state"] == "已完成"
