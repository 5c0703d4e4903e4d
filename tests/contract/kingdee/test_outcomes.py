"""Calls whose end nobody knows: found, not repeated."""

from __future__ import annotations

from datetime import timedelta

import pytest

from erp_bridge.kingdee_answers import KingdeeRefusal
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from hub.errors import ErpUnavailable
from hub.testing.clock import NOON, HandClock
from tests.contract.kingdee.case import AFTER_COMMIT, FIELDS, KEY, NOT_DONE, another
from tests.simulators.kingdee.answers import Refusal
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------ unknown outcomes
@pytest.mark.parametrize("fault", AFTER_COMMIT)
async def test_created_but_never_told_is_found_not_repeated(
    erp: KingdeeSimulator, clock: HandClock, fault: str
) -> None:
    connector = await another(erp, clock, timeout=timedelta(seconds=0.3 if fault == "hold" else 5))
    erp.faults.add(fault, services=["Save"])
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, FIELDS)
    assert trouble.value.in_doubt
    erp.faults.clear()
    (ticket,) = erp.tickets()
    assert await connector.open_ticket(KEY, FIELDS) == (str(ticket["id"]), ticket["number"])
    assert len(erp.tickets()) == 1
    await connector.close()


@pytest.mark.parametrize("fault", NOT_DONE)
async def test_not_created_is_tried_again_and_made_once(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, fault: str
) -> None:
    erp.faults.add(fault, services=["Save"], times=1)
    with pytest.raises(ErpUnavailable):
        await connector.open_ticket(KEY, FIELDS)
    assert erp.tickets() == []
    await connector.open_ticket(KEY, FIELDS)
    assert len(erp.tickets()) == 1


async def test_only_a_call_that_may_have_been_done_is_in_doubt(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    for fault, service, in_doubt in (
        ("busy", "Save", False), ("quota", "Save", False), ("bad_gateway", "Save", True),
        ("drop_before", "ExecuteBillQuery", False), ("bad_gateway", "ExecuteBillQuery", False),
    ):  # fmt: skip
        erp.faults.add(fault, services=[service])
        with pytest.raises(ErpUnavailable) as trouble:
            await connector.open_ticket(KEY, FIELDS)
        assert trouble.value.in_doubt is in_doubt, fault
    assert erp.tickets() == []


@pytest.mark.parametrize("code", [4, 6])
async def test_an_exception_about_one_document_ends_as_a_refusal_in_their_words(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def broken(*_: object) -> None:
        raise Refusal(code, "值不能为 null")

    with monkeypatch.context() as patched:
        patched.setattr("tests.simulators.kingdee.service.Service._save", broken)
        for _ in range(4):
            with pytest.raises(ErpUnavailable):
                await connector.open_ticket(KEY, FIELDS)
        with pytest.raises(KingdeeRefusal, match="值不能为 null") as refusal:
            await connector.open_ticket(KEY, FIELDS)
        assert refusal.value.code == code
        with pytest.raises(ErpUnavailable):  # sent again by hand: counted anew
            await connector.open_ticket(KEY, FIELDS)
    await connector.open_ticket(KEY, FIELDS)


async def test_a_used_up_quota_says_when_to_come_back(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp.faults.add("quota")
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.find_ticket(KEY)
    assert trouble.value.retry_after == timedelta(hours=1)


async def test_a_server_that_does_not_show_its_newest_writes_still_gets_one_ticket(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, clock: HandClock
) -> None:
    erp.faults.add("lag", seconds=5)
    erp.faults.add("drop_after_commit", services=["Save"])
    for _ in range(2):
        with pytest.raises(ErpUnavailable) as trouble:
            await connector.open_ticket(KEY, FIELDS)
        assert trouble.value.in_doubt
    clock.turn(6)
    await connector.open_ticket(KEY, FIELDS)
    assert len(erp.tickets()) == 1


async def test_a_closing_that_broke_off_is_finished(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    for service in ("Save", "Submit", "Audit"):
        erp.faults.add("drop_after_commit", services=[service])
        with pytest.raises(ErpUnavailable):
            await connector.close_ticket(erp_id, {"state": "closed", "at": NOON, "cause": "更换"})
    await connector.close_ticket(erp_id, {"state": "closed", "at": NOON, "cause": "更换"})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("DONE", "C")


async def test_a_server_that_is_not_there_is_unavailable_and_not_in_doubt(clock: HandClock) -> None:
    gone = KingdeeSimulator()
    connector = await another(gone, clock)
    gone.start()
    gone.stop()
    with pytest.raises(ErpUnavailable, match="cannot be reached") as trouble:
        await connector.open_ticket(KEY, FIELDS)
    assert not trouble.value.in_doubt
    await connector.close()
