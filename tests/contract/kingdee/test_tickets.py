"""Repair tickets: taken, refused, silent about secrets."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from erp_bridge.kingdee_answers import KingdeeRefusal, context_lost
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from erp_bridge.mapping import Capability
from hub.errors import ErpRefused, ErpUnavailable
from hub.testing.clock import NOON, HandClock
from tests.contract.kingdee.case import AFTER_COMMIT, FIELDS, KEY, NOT_DONE, SECRET, another, config
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------ taken
async def test_a_ticket_arrives_with_everything_a_clerk_needs(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, number = await connector.open_ticket(KEY, FIELDS)
    (ticket,) = erp.tickets()
    assert (ticket["id"], ticket["number"]) == (int(erp_id), number)
    assert (ticket["key"], ticket["equipment"], ticket["level"]) == (KEY, "EQ-CNC-03", "4")
    assert (ticket["title"], ticket["order"], ticket["fault_code"]) == ("主轴温度超限 82℃", "MO0001", "17")
    assert (ticket["state"], ticket["status"]) == ("OPEN", "A")
    assert ticket["reported_at"] == "2026-01-05T08:30:00"  # the server's local time
    assert await connector.find_ticket(KEY) == (erp_id, number)


async def test_nothing_is_found_where_nothing_is(connector: KingdeeGalaxyConnector) -> None:
    assert await connector.find_ticket("AH-20260105-0099") is None
    assert await connector.find_ticket("it's nothing") is None
    assert await connector.find_report("nothing") is None


async def test_opening_twice_makes_one(erp: KingdeeSimulator, connector: KingdeeGalaxyConnector) -> None:
    first = await connector.open_ticket(KEY, FIELDS)
    assert await connector.open_ticket(KEY, FIELDS) == first
    assert len(erp.tickets()) == 1


async def test_a_ticket_goes_through_its_life_and_ends_approved(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    at = datetime(2026, 1, 5, 1, tzinfo=UTC)
    for state, code in (
        ("accepted", "ACK"),
        ("on-site", "ON_SITE"),
        ("repairing", "DOING"),
        ("verifying", "VERIFYING"),
    ):
        step = {"state": state, "person": "tech-a", "person_name": "值班技师甲", "at": at, "note": ""}
        await connector.update_ticket(erp_id, step)
        assert erp.tickets()[0]["state"] == code
    assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
    end = {
        "state": "closed", "person": "tech-a", "person_name": "值班技师甲", "at": at,
        "cause_class": "mechanical", "cause": "更换冷却泵", "downtime": timedelta(minutes=95), "photo": "p1",
        "photo_data": b"\xff\xd8jpeg",
        "photo_name": "p1.jpg",
    }  # fmt: skip
    await connector.close_ticket(erp_id, end)
    await connector.close_ticket(erp_id, end)
    (ticket,) = erp.tickets()
    assert (ticket["state"], ticket["status"]) == ("DONE", "C")
    assert (ticket["accepted_at"], ticket["closed_at"]) == ("2026-01-05T09:00:00",) * 2
    assert (ticket["result"], ticket["downtime_minutes"]) == ("更换冷却泵", 95.0)
    assert (ticket["worker_name"], ticket["attachments"]) == ("值班技师甲", ["p1.jpg"])
    assert await connector.ticket_states([erp_id, "999"]) == {erp_id: "closed"}


async def test_a_ticket_that_the_office_has_closed_is_left_alone(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    erp.close_ticket_by_hand(int(erp_id))
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    await connector.update_ticket(erp_id, {"state": "accepted"})
    assert erp.tickets()[0]["state"] == "DONE"
    await connector.update_ticket(erp_id, {"state": "reopened"})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("REOPENED", "D")


async def test_a_tenant_that_submits_at_once_still_takes_updates(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, ticket={"submit_on_create": True})
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    assert erp.tickets()[0]["status"] == "B"
    await connector.update_ticket(erp_id, {"state": "accepted", "at": NOON})
    await connector.close_ticket(erp_id, {"state": "closed", "at": NOON})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("DONE", "C")
    await connector.close()


async def test_a_machine_unknown_to_the_erp_is_named_in_the_text(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.open_ticket(KEY, FIELDS | {"equipment": ""})
    assert erp.tickets()[0]["title"] == "主轴温度超限 82℃ (2号线 加工中心03)"


async def test_a_technician_with_an_employee_number_is_referred_to(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, employees={"tech-a": "E001"})
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    await connector.update_ticket(erp_id, {"state": "accepted", "person": "tech-a"})
    record = erp.books.get("AH_EquipRepair", int(erp_id))
    worker = erp.books.numbered("BD_Empinfo", "E001")
    assert record is not None
    assert worker is not None
    assert record.values["f_ah_worker"] == worker.id
    await connector.close()


# ------------------------------------------------------------------ refused
async def test_a_refusal_carries_the_servers_words(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    with pytest.raises(KingdeeRefusal, match="EQ-NOWHERE 不存在") as refusal:
        await connector.open_ticket(KEY, FIELDS | {"equipment": "EQ-NOWHERE"})
    assert refusal.value.code == 9
    with pytest.raises(ErpRefused, match="not in Kingdee any more"):
        await connector.update_ticket("999999", {"state": "accepted"})
    with pytest.raises(ErpRefused, match="is not the id"):
        await connector.close_ticket("1 or 1=1", {"state": "closed"})
    assert erp.tickets() == []


@pytest.mark.parametrize("machine", ["EQ-10001", "会话", "未登录"])
async def test_a_machine_whose_name_reads_like_a_lost_session_is_refused_at_once(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, machine: str
) -> None:
    with pytest.raises(KingdeeRefusal, match=machine):
        await connector.open_ticket(KEY, FIELDS | {"equipment": machine})
    assert [service for service, _ in erp.calls].count("Save") == 1


@pytest.mark.parametrize(
    ("status", "lost"),
    [
        ({"MsgCode": 1}, True),
        ({"MsgCode": "-10001"}, True),
        ({"ErrorCode": -10001, "MsgCode": 0}, True),
        ({"ErrorCode": 500, "Errors": [{"Message": "会话信息已丢失，请重新登录"}]}, True),
        ({"ErrorCode": 500, "Errors": [{"Message": "设备 EQ-10001 不存在"}]}, False),
        ({"MsgCode": 11, "Errors": [{"Message": "会话室 02 未登录"}]}, False),
    ],
)
def test_a_session_is_lost_by_its_code(status: dict[str, object], lost: bool) -> None:
    assert context_lost({"Result": {"ResponseStatus": {"IsSuccess": False, **status}}}) is lost


async def test_wrong_credentials_lose_nothing_and_name_the_remedy(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, app_secret=SecretStr("wrong"))
    with pytest.raises(ErpUnavailable, match="check acct_id, user, app_id and app_secret") as trouble:
        await connector.open_ticket(KEY, FIELDS)
    assert trouble.value.retry_after
    await connector.close()


async def test_a_dead_session_is_replaced_within_the_call(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    await connector.find_ticket(KEY)
    erp.faults.add("session_death", services=["Save"])
    await connector.open_ticket(KEY, FIELDS)
    assert len(erp.tickets()) == 1
    assert len(erp.service.sessions.open) == 1


@pytest.mark.parametrize("fault", ["context_lost", "unauthorized"])
async def test_a_server_that_has_lost_our_context_is_asked_once_more(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, fault: str
) -> None:
    erp.faults.add(fault, services=["Save"])
    await connector.open_ticket(KEY, FIELDS)
    assert len(erp.tickets()) == 1
    erp.faults.add(fault, services=["ExecuteBillQuery"], times=2)
    with pytest.raises(ErpUnavailable, match="check acct_id"):
        await connector.find_ticket(KEY)


async def test_an_answer_that_is_not_kingdees_own_gives_nothing_up_and_names_the_setting(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    connector = await another(erp, clock, server_url=erp.origin + "/elsewhere/")
    with pytest.raises(ErpUnavailable, match="HTTP 404; check server_url") as trouble:
        await connector.find_ticket(KEY)
    assert trouble.value.retry_after is not None, "a maintenance page stays for a while"
    await connector.close()


# ------------------------------------------------------------------ cancelled, and silent about secrets
async def test_a_cancelled_call_leaves_nothing_behind(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp.faults.add("hold", services=["ExecuteBillQuery"])
    call = asyncio.create_task(connector.find_ticket(KEY))
    while not erp.calls:
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    erp.faults.clear()
    assert await connector.find_ticket(KEY) is None


async def test_no_secret_is_told_in_any_log_line_or_error(
    erp: KingdeeSimulator, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.WARNING)  # as hub.log does
    connector = await another(erp, clock)
    told = [repr(connector), repr(connector.Config), repr(config(erp))]
    for fault in [*NOT_DONE, *AFTER_COMMIT[:-1], "session_death"]:
        erp.faults.add(fault, services=["Save"], times=1)
        try:
            await connector.open_ticket(KEY + fault, FIELDS)
        except ErpUnavailable as trouble:
            told += [str(trouble), repr(trouble), repr(trouble.__cause__)]
    wrong = await another(erp, clock, app_secret=SecretStr("another-secret"))
    await connector.close()
    with pytest.raises(ErpUnavailable) as refused:
        await wrong.find_ticket(KEY)
    await wrong.close()
    text = "\n".join([*told, str(refused.value), caplog.text])
    sessions = list(erp.service.sessions.open)
    assert sessions
    for secret in (SECRET, "another-secret", "MDE3N2I2PzBrPzg4OD45N3IhK3B1InIk", *sessions):
        assert secret not in text


def test_it_says_what_it_can_do() -> None:
    assert KingdeeGalaxyConnector.capabilities == set(Capability) - {Capability.WEBHOOKS}


def test_a_configuration_without_a_secret_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"write \{env: NAME\}"):
        KingdeeGalaxyConnector.Config.model_validate(
            {"server_url": "http://erp/k3cloud", "acct_id": "a", "user": "u", "app_id": "i", "app_secret": ""}
        )
