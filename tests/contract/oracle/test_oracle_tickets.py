"""Frameworks, log-ons, tickets and orders: what only Oracle has."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from erp_bridge.oracle import OracleConnector
from erp_bridge.oracle_tickets import LONGEST, reference
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.production import WorkOrderState
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.oracle import OracleBooks
from tests.contract.oracle.deeds import (
    KEY,
    TICKETS,
    Clerk,
    Connect,
    closing,
    opened,
    reported,
    step,
)
from tests.simulators.oracle import seed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("framework", [1, 2, 9])
async def test_all_is_done_in_every_framework(books: OracleBooks, connect: Connect, framework: int) -> None:
    connector = connect(framework=framework)
    erp_id, number = await connector.open_ticket(KEY, opened())
    assert await connector.find_ticket(KEY) == (erp_id, number)
    await connector.update_ticket(erp_id, step("accepted"))
    await connector.close_ticket(erp_id, closing())
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    booked = await connector.report_operation("R-1", reported())
    assert await connect(framework=framework).find_report("R-1") == booked
    assert len(await connector.orders(None)) == seed.ON_FLOOR
    assert len(await connector.reported([seed.ORDER, "M1-1209"])) == 6
    assert {s.item for s in await connector.stock([seed.ITEM, seed.COMPONENT])} == {seed.ITEM, seed.COMPONENT}
    assert await connector.probe()


async def test_an_error_in_any_form_is_told_in_its_own_words(connect: Connect) -> None:
    for framework in (1, 3, 4):
        with pytest.raises(ErpRefused, match="NO-SUCH-ASSET does not exist"):
            await connect(framework=framework).open_ticket(KEY, opened(equipment="NO-SUCH-ASSET"))


# ------------------------------------------------------------------ tickets
async def test_a_key_that_is_no_number_is_told_by_its_digest() -> None:
    assert reference(KEY) == KEY
    assert reference("it's * ;nothing").startswith("AH-")
    assert reference("a;b") != reference("a;c")


async def test_an_expired_log_on_that_answers_200_with_a_page_is_noticed(
    books: OracleBooks, connect: Connect
) -> None:
    connector = connect()
    await books.fail("login_page", "ticket")
    with pytest.raises(ErpUnavailable, match="log-on page") as told:
        await connector.open_ticket(KEY, opened())
    assert told.value.in_doubt
    await connector.open_ticket(KEY, opened())
    assert len(await books.tickets()) == 1


async def test_one_token_is_asked_for_however_many_wait(books: OracleBooks, connect: Connect) -> None:
    connector = connect()
    await asyncio.gather(*(connector.find_ticket(f"AH-{n}") for n in range(6)))
    bearers = {r.headers["Authorization"] for r in books.erp.system.seen}
    assert len(bearers) == 1


async def test_user_and_password_do_where_there_is_no_oauth(books: OracleBooks, connect: Connect) -> None:
    account = books.erp.account
    connector = connect(oauth=None, user=account.user, password=account.password)
    await connector.open_ticket(KEY, opened())
    assert account.password not in repr(connector) + repr(connector._config)


async def test_flexfields_come_with_the_ticket_or_after_it(books: OracleBooks, connect: Connect) -> None:
    maps = {"ticket": {"write": {"WorkOrderDFF.andonFaultCode": "fault_code"}},
            "step": {"write": {"WorkOrderDFF.andonTechnician": "person_name"}}}  # fmt: skip
    for at, inline in enumerate((True, False)):
        books.erp.system.inline_children = inline
        connector = connect(documents=maps)
        erp_id, _ = await connector.open_ticket(f"AH-{at}", opened())
        for _ in range(2):
            await connector.update_ticket(erp_id, step("accepted"))
        found = (await books.tickets())[at].fields
        assert (found["andonFaultCode"], found["andonTechnician"]) == ("17", "值班技师甲")
        assert found["__FLEX_Context"] == "ANDON"


async def test_operations_are_reported_where_a_ticket_is_not_completed_otherwise(
    books: OracleBooks, connect: Connect
) -> None:
    books.erp.system.complete_needs_operations = True
    connector = connect()
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.close_ticket(erp_id, closing())
    (found,) = await books.tickets()
    assert found.closed
    assert found.fields["WorkOrderOperation"][0]["CompletedQuantity"] == 1
    other, _ = await connector.open_ticket("AH-2", opened())
    with pytest.raises(ErpRefused, match="aren't complete"):
        await connect(report_ticket_operations=False).close_ticket(other, closing())


async def test_what_is_closed_for_good_is_not_opened_again(connect: Connect, clerk: Clerk) -> None:
    connector = connect()
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.close_ticket(erp_id, closing())
    assert clerk.patch(f"{TICKETS}/{erp_id}", {"WorkOrderStatusCode": "ORA_CLOSED"}).status_code == 200
    with pytest.raises(ErpRefused, match="for good"):
        await connector.update_ticket(erp_id, step("reopened"))


async def test_a_change_in_between_is_read_and_kept(
    books: OracleBooks, connect: Connect, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    erp_id, _ = await connector.open_ticket(KEY, opened())
    write = connector._client.write

    async def interrupted(*args: Any, **how: Any) -> Any:
        monkeypatch.setattr(connector._client, "write", write)
        changed = {"WorkOrderDescription": "clerk's own words"}
        assert clerk.patch(f"{TICKETS}/{erp_id}", changed).status_code == 200
        return await write(*args, **how)

    monkeypatch.setattr(connector._client, "write", interrupted)
    await connector.update_ticket(erp_id, step("accepted"))
    (found,) = await books.tickets()
    assert found.title.startswith("clerk's own words | ")
    assert "已接单" in found.title


async def test_many_steps_keep_the_title_and_the_newest(books: OracleBooks, connect: Connect) -> None:
    connector = connect()
    erp_id, _ = await connector.open_ticket(KEY, opened(title="油温过高 " * 60))
    for n in range(12):
        await connector.update_ticket(erp_id, step("repairing", note=f"note number {n}"))
    (found,) = await books.tickets()
    assert len(found.title) <= LONGEST
    assert found.title.startswith("油温过高")
    assert found.title.endswith("note number 11")


# ------------------------------------------------------------------ orders
async def test_a_sites_own_status_is_read_by_what_it_comes_down_to(
    books: OracleBooks, connect: Connect
) -> None:
    orders = {o.number: o.state for o in await connect().orders(None)}
    assert orders["M1-1211"] is WorkOrderState.RELEASED
    assert orders["M1-1213"] is WorkOrderState.HELD
    assert not {"M1-1100", "M1-1300"} & set(orders)


async def test_a_pod_without_system_statuses_is_asked_by_their_codes(
    books: OracleBooks, connect: Connect
) -> None:
    del books.erp.system.resources["workOrders"].attributes["WorkOrderSystemStatusCode"]
    assert len(await connect().orders(None)) == seed.ON_FLOOR - 1


async def test_more_operations_than_come_along_are_fetched(books: OracleBooks, connect: Connect) -> None:
    books.erp.system.child_limit = 2
    (order,) = [o for o in await connect().orders(None) if o.number == seed.ORDER]
    assert [job.operation for job in order.jobs] == ["10", "20", "30"]


async def test_a_collection_that_moves_while_it_is_read_is_read_again(
    books: OracleBooks, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    get, asked = connector._client.get, 0

    async def moving(path: str, query: Any = None) -> Any:
        nonlocal asked
        found = await get(path, query)
        asked += 1
        if asked == 1:  # the first order leaves the floor: everything behind it moves up by one
            await books.cancel_order(seed.ORDER)
        return found

    monkeypatch.setattr(connector._client, "get", moving)
    numbers = [o.number for o in await connector.orders(None)]
    assert sorted(numbers) == sorted(f"M1-{1208 + n}" for n in range(1, seed.ON_FLOOR))


async def test_a_collection_that_never_stands_still_is_read_to_its_end(
    books: OracleBooks, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect()
    get = connector._client.get

    async def turning(path: str, query: Any = None) -> Any:
        found = await get(path, query)
        if found is not None and query and "offset" in query:
            found.body["items"].reverse()
        return found

    monkeypatch.setattr(connector._client, "get", turning)
    assert len(await connector.orders(None)) == seed.ON_FLOOR


async def test_a_filter_of_the_site_stays_among_itself(connect: Connect) -> None:
    filters = {"order": "WorkOrderNumber='M1-1208' or WorkOrderNumber='M1-1100'"}
    assert [o.number for o in await connect(filters=filters).orders(None)] == ["M1-1208"]


async def test_an_earlier_end_takes_the_beginning_along(books: OracleBooks, connect: Connect) -> None:
    end = books.work_order(seed.ORDER)["PlannedStartDate"] - timedelta(days=1)
    await connect().change_order(seed.ORDER, {"priority": 1, "rush": True, "due_at": end, "reason": ""})
    row = books.work_order(seed.ORDER)
    assert (row["PlannedStartDate"], row["PlannedCompletionDate"], row["WorkOrderPriority"]) == (end, end, 1)


# ------------------------------------------------------------------ the page for key users
def test_the_block_in_the_manual_is_a_configuration() -> None:
    text = (Path(__file__).parents[3] / "docs/erp/oracle.md").read_text(encoding="utf-8")
    block = yaml.safe_load(text.split("```yaml")[1].split("```")[0])["erp"]
    with_ = block["with"] | {"password": "x"}
    config = OracleConnector.Config.model_validate(with_)
    OracleConnector(config, HandClock())
    assert block["kind"] == "oracle-fusion"
