"""What only SAP has: tokens bound to sessions, versions, FunctionMessage, confirmation levels, releases."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from erp_bridge.sap_answers import SapRefusal
from erp_bridge.sap_client import SapClient
from erp_bridge.sap_s4 import SapConnector
from erp_bridge.sap_service import ODataService
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.sap import SapBooks
from tests.simulators.sap import seed
from tests.simulators.sap.confirmations import MOVEMENTS
from tests.simulators.sap.notifications import SET as NOTIFICATIONS
from tests.simulators.sap.reading import LINKS
from tests.simulators.sap.schema import Field, Kind, Service
from tests.simulators.sap.server import SapSimulator
from tests.simulators.sap.system import ROOT

pytestmark = pytest.mark.anyio

AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
KEY = "AH-20260105-0007"
NOTIFICATION = f"{ROOT}API_MAINTNOTIFICATION"
ORDER = f"{ROOT}API_PRODUCTION_ORDER_2_SRV"
CONFIRMATION = f"{ROOT}API_PROD_ORDER_CONFIRMATION_2_SRV"
AS_JSON = {"Accept": "application/json"}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def erp(clock: HandClock) -> Iterator[SapSimulator]:
    with SapSimulator(now=clock.now) as simulator:
        yield simulator


@pytest.fixture
async def connector(erp: SapSimulator, clock: HandClock) -> AsyncIterator[SapConnector]:
    made = SapBooks(erp).connector(clock)
    yield made
    await made.close()


@pytest.fixture
async def service(erp: SapSimulator, clock: HandClock) -> AsyncIterator[ODataService]:
    """Our client's side of the production order service."""
    config = configured(erp)
    client = SapClient(config, clock)
    yield ODataService("production_order", config, client)
    await client.close()


def configured(erp: SapSimulator, **more: Any) -> Any:
    block = {"url": erp.url, "user": erp.account.user, "password": erp.account.password}
    return SapConnector.Config.model_validate(block | more)


class Clerk:
    """Plain HTTP, as anybody's client would speak it."""

    def __init__(self, erp: SapSimulator) -> None:
        account = erp.account
        self.http = httpx.Client(base_url=erp.url, auth=(account.user, account.password), trust_env=False)

    def token(self, root: str = NOTIFICATION) -> dict[str, str]:
        reply = self.http.get(f"{root}/", headers={"X-CSRF-Token": "Fetch"})
        return {"X-CSRF-Token": reply.headers["X-CSRF-Token"]}

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers=AS_JSON | self.token() | headers)

    def patch(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.http.patch(path, json=body, headers=AS_JSON | self.token() | headers)

    def get(self, path: str, **query: str) -> Any:
        reply = self.http.get(
            path, params={n.replace("_", "$"): v for n, v in query.items()}, headers=AS_JSON
        )
        assert reply.status_code == 200, reply.text
        return reply.json()["d"]


@pytest.fixture
def clerk(erp: SapSimulator) -> Iterator[Clerk]:
    clerk = Clerk(erp)
    yield clerk
    clerk.http.close()


def opened(**more: Any) -> dict[str, Any]:
    return {
        "equipment": seed.EQUIPMENT, "equipment_path": "p1/l2/cnc-03", "equipment_name": "加工中心03",
        "title": "主轴温度超限", "priority": 4, "fault_code": "17", "order": "", "state": "sent",
        "opened_at": AT, "stopped_at": AT,
    } | more  # fmt: skip


def reported(**more: Any) -> dict[str, Any]:
    return {
        "order": seed.ORDER, "operation": "10", "good": 3, "scrap": 1, "at": AT, "equipment": "",
        "person": "",
    } | more  # fmt: skip


def refused(reply: httpx.Response, status: int) -> str:
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"]["message"]["value"])


# ------------------------------------------------------------------ the simulated system is as strict as SAP
NEW = {"NotificationType": "M2", "NotificationText": "spindle"}


def test_nobody_is_let_in_without_a_name(erp: SapSimulator) -> None:
    reply = httpx.get(f"{erp.url}{ORDER}/A_ProductionOrder_2", trust_env=False)
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_a_write_needs_a_token_and_the_cookie_it_came_with(erp: SapSimulator, clerk: Clerk) -> None:
    path = f"{NOTIFICATION}/{NOTIFICATIONS}"
    bare = clerk.http.post(path, json=NEW, headers=AS_JSON)
    assert (bare.status_code, bare.headers["X-CSRF-Token"]) == (403, "Required")
    assert "CSRF" in bare.text
    assert not bare.text.startswith("{")
    token = clerk.token()
    clerk.http.cookies.clear()
    assert clerk.http.post(path, json=NEW, headers=AS_JSON | token).status_code == 403
    assert clerk.post(path, NEW).status_code == 201


def test_atom_is_what_one_gets_who_does_not_ask_for_json(clerk: Clerk) -> None:
    path = f"{ORDER}/A_ProductionOrder_2('{seed.ORDER}')"
    assert clerk.http.get(path).text.startswith("<?xml")
    assert clerk.http.get(path, params={"$format": "json"}).json()["d"]["ManufacturingOrder"] == seed.ORDER
    assert clerk.http.get(f"{ORDER}/A_ProductionOrder_2('77')").text.startswith("<?xml")


def test_values_have_sap_s_forms(clerk: Clerk) -> None:
    order = clerk.get(f"{ORDER}/A_ProductionOrder_2('00{seed.ORDER}')")
    assert order["ManufacturingOrder"] == seed.ORDER
    assert (order["TotalQuantity"], order["OrderIsReleased"], order["OrderIsClosed"]) == ("400", "X", "")
    assert order["MfgOrderPlannedEndDate"].startswith("/Date(")
    assert order["MfgOrderPlannedEndTime"] == "PT17H00M00S"
    assert order["to_ProductionOrderOperation"]["__deferred"]["uri"].endswith("/to_ProductionOrderOperation")
    assert order["__metadata"]["type"] == "API_PRODUCTION_ORDER_2_SRV.A_ProductionOrder_2Type"


@pytest.mark.parametrize(
    ("body", "about"),
    [
        (NEW | {"NoSuchThing": "1"}, "NoSuchThing"),
        (NEW | {"NotificationText": "x" * 41}, "NotificationText"),
        (NEW | {"NotifProcessingPhase": "4"}, "NotifProcessingPhase"),
        (NEW | {"MaintenanceObjectIsDown": "yes"}, "MaintenanceObjectIsDown"),
        (NEW | {"MaintObjectDowntimeDuration": 5.5}, "MaintObjectDowntimeDuration"),
        (NEW | {"TechnicalObject": "999", "TechObjIsEquipOrFuncnlLoc": "EAMS_EQUI"}, "999"),
        ({"NotificationType": "M2"}, "NotificationText"),
        ({"NotificationText": "spindle"}, "NotificationType"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(clerk: Clerk, body: Any, about: str) -> None:
    assert about in refused(clerk.post(f"{NOTIFICATION}/{NOTIFICATIONS}", body), 400)


def test_upper_case_fields_are_raised_and_references_may_be_doubled(clerk: Clerk) -> None:
    body = NEW | {"MaintNotifExtReferenceNumber": "ah-1"}
    for _ in range(2):
        made = clerk.post(f"{NOTIFICATION}/{NOTIFICATIONS}", body).json()["d"]
        assert made["MaintNotifExtReferenceNumber"] == "AH-1"
    where = "MaintNotifExtReferenceNumber eq 'ah-1'"
    assert len(clerk.get(f"{NOTIFICATION}/{NOTIFICATIONS}", _filter=where)["results"]) == 2


def test_lists_are_cut_counted_chosen_and_ordered(clerk: Clerk) -> None:
    path = f"{ORDER}/A_ProductionOrder_2"
    page = clerk.get(path, _inlinecount="allpages", _orderby="ManufacturingOrder desc", _select="Material")
    assert (page["__count"], len(page["results"])) == ("10", 3)
    assert [name for name in page["results"][0] if name != "__metadata"] == ["Material"]
    more = clerk.http.get(page["__next"], headers=AS_JSON).json()["d"]["results"]
    assert more[0]["__metadata"]["id"] != page["results"][0]["__metadata"]["id"]
    assert clerk.http.get(f"{path}/$count").text == "10"
    top = clerk.get(path, _skip="9", _top="5", _expand="to_ProductionOrderOperation")["results"]
    assert len(top) == 1
    assert len(top[0]["to_ProductionOrderOperation"]["results"]) == 2


@pytest.mark.parametrize(
    "where",
    ["Material eq", "Material = 'A'", "NoSuch eq 'A'", "TotalQuantity eq '", "(Material eq 'A'", "Material"],
)
def test_a_filter_that_cannot_be_read_is_refused(clerk: Clerk, where: str) -> None:
    reply = clerk.http.get(f"{ORDER}/A_ProductionOrder_2", params={"$filter": where}, headers=AS_JSON)
    refused(reply, 400)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("substringof('SG',Material) and not (ManufacturingOrder eq '1000020')", 9),
        ("startswith(ManufacturingOrder,'10000') eq true and TotalQuantity ge 400M", 10),
        ("MfgOrderPlannedEndDate lt datetime'2026-01-09T00:00:00'", 1),
        ("OrderIsReleased ne 'X' or ProductionPlant eq '1720'", 2),
    ],
)
def test_filters_find_what_they_say(clerk: Clerk, where: str, count: int) -> None:
    page = clerk.get(f"{ORDER}/A_ProductionOrder_2", _filter=where, _inlinecount="allpages")
    assert page["__count"] == str(count)


def test_what_cannot_be_filtered_says_so(clerk: Clerk) -> None:
    where = {"$filter": "ConcatenatedActiveSystStsName eq 'OSNO'"}
    reply = clerk.http.get(f"{NOTIFICATION}/{NOTIFICATIONS}", params=where, headers=AS_JSON)
    assert "not filterable" in refused(reply, 400)


def test_a_version_is_wanted_and_must_be_the_last(clerk: Clerk) -> None:
    path = f"{ORDER}/A_ProductionOrder_2('{seed.ORDER}')"
    before = clerk.http.get(path, headers=AS_JSON).headers["ETag"]
    change = {"ManufacturingOrderImportance": "1"}
    assert clerk.patch(path, change).status_code == 428
    assert clerk.patch(path, change, **{"If-Match": before}).status_code == 204
    assert clerk.patch(path, change, **{"If-Match": before}).status_code == 412
    assert clerk.patch(path, change, **{"If-Match": "*"}).status_code == 204


def test_what_is_not_offered_is_not_allowed(clerk: Clerk) -> None:
    operation = {"ManufacturingOrder": seed.ORDER}
    assert clerk.post(f"{ORDER}/A_ProductionOrderOperation_2", operation).status_code == 405
    item = f"{ORDER}/A_ProductionOrderItem_2(ManufacturingOrder='1',ManufacturingOrderItem='1')"
    assert clerk.patch(item, {}).status_code == 405
    headers = AS_JSON | clerk.token() | {"Content-Type": "text/plain"}
    assert (
        clerk.http.post(f"{NOTIFICATION}/{NOTIFICATIONS}", content="{}", headers=headers).status_code == 415
    )


def test_a_notification_goes_its_way_and_no_other(clerk: Clerk) -> None:
    number = clerk.post(f"{NOTIFICATION}/{NOTIFICATIONS}", NEW).json()["d"][NOTIFICATIONS]
    on = f"?{NOTIFICATIONS}='{number}'"
    assert (
        clerk.post(f"{NOTIFICATION}/SetMaintNotifToInProcess{on}").json()["d"]["NotifProcessingPhase"] == "3"
    )
    assert clerk.post(f"{NOTIFICATION}/SetMaintNotifToInProcess{on}").status_code == 400
    assert clerk.post(f"{NOTIFICATION}/CompleteMaintNotification{on}").status_code == 200
    assert clerk.post(f"{NOTIFICATION}/CompleteMaintNotification{on}").status_code == 400
    path = f"{NOTIFICATION}/{NOTIFICATIONS}('{number}')"
    assert clerk.patch(path, {"NotificationText": "late"}).status_code == 400
    assert clerk.get(path)["NotificationText"] == "spindle"


def test_orders_in_the_wrong_state_take_no_confirmation(clerk: Clerk) -> None:
    path = f"{CONFIRMATION}/ProdnOrdConf2"
    for number, word in (("1000040", "not released"), ("1000041", "Status"), ("5", "does not exist")):
        body = {"OrderID": number, "OrderOperation": "0010", "ConfirmationYieldQuantity": "1"}
        assert word in refused(clerk.post(path, body), 400)


def test_an_order_is_confirmed_by_operation_or_as_a_whole(clerk: Clerk) -> None:
    path = f"{CONFIRMATION}/ProdnOrdConf2"
    whole = {"OrderID": seed.ORDER, "ConfirmationYieldQuantity": "1"}
    by_step = whole | {"OrderOperation": "0020"}
    reply = clerk.post(path, by_step)
    assert reply.status_code == 201
    assert "Sequence" in json.loads(reply.headers["sap-message"])["message"]  # a warning, no refusal
    assert "another level" in refused(clerk.post(path, whole), 400)


def test_a_confirmation_is_cancelled_once(erp: SapSimulator, clerk: Clerk) -> None:
    body = {"OrderID": seed.ORDER, "OrderOperation": "0010", "ConfirmationYieldQuantity": "5"}
    made = clerk.post(f"{CONFIRMATION}/ProdnOrdConf2", body).json()["d"]
    keys = "&".join(f"{n}='{made[n]}'" for n in ("ConfirmationGroup", "ConfirmationCount"))
    assert clerk.post(f"{CONFIRMATION}/CancelProdnOrdConf?{keys}").status_code == 200
    assert "already cancelled" in refused(clerk.post(f"{CONFIRMATION}/CancelProdnOrdConf?{keys}"), 400)
    (step, _) = erp.system.books.where("A_ProductionOrderOperation_2", ManufacturingOrder=seed.ORDER)
    assert step["OpTotalConfirmedYieldQty"] == Decimal(0)


def test_a_release_answers_with_a_message(clerk: Clerk) -> None:
    path = f"{ORDER}/ReleaseOrder?ManufacturingOrder='1000040'"
    assert clerk.post(path).status_code == 428
    said = [clerk.post(path, **{"If-Match": "*"}).json()["d"]["ReleaseOrder"] for _ in range(2)]
    assert [m["SystemMessageType"] for m in said] == ["S", "E"]


# ------------------------------------------------------------------ our side of it
async def test_a_message_of_type_e_is_a_refusal_whatever_the_status_says(service: ODataService) -> None:
    with pytest.raises(SapRefusal, match="order 1000020 is not created"):
        await service.call("ReleaseOrder", {"ManufacturingOrder": seed.ORDER}, version="*")


async def test_a_version_is_sent_only_where_sap_gave_one(erp: SapSimulator, connector: SapConnector) -> None:
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.update_ticket(erp_id, {"state": "accepted", "person_name": "甲", "at": AT, "note": ""})
    change = {"priority": 1, "rush": True, "due_at": None, "reason": ""}
    await connector.change_order(seed.ORDER, change)
    sent = {r.path: r.headers.get("If-Match") for r in erp.system.seen if r.method == "PATCH"}
    assert sent.pop(f"{NOTIFICATION}/{NOTIFICATIONS}('{erp_id}')") is None
    (version,) = sent.values()
    assert str(version).startswith('W/"')


async def test_somebody_faster_is_a_reason_to_look_again(service: ODataService, erp: SapSimulator) -> None:
    keys = {"ManufacturingOrder": seed.ORDER}
    order = await service.one("A_ProductionOrder_2", keys)
    assert order is not None
    erp.system.orders.put(dict(erp.system.orders.get(seed.ORDER) or {}))
    with pytest.raises(ErpUnavailable, match="faster") as trouble:
        await service.change("A_ProductionOrder_2", keys, {}, order.version)
    assert not trouble.value.in_doubt


async def test_no_version_is_invented_unless_the_site_says_so(erp: SapSimulator, clock: HandClock) -> None:
    keys = {"ManufacturingOrder": seed.ORDER}
    for any_version in (False, True):
        config = configured(erp, any_version=any_version)
        client = SapClient(config, clock)
        service = ODataService("production_order", config, client)
        change = service.change("A_ProductionOrder_2", keys, {"ManufacturingOrderImportance": "1"})
        if any_version:
            await change
        else:
            with pytest.raises(ErpRefused, match="any_version"):
                await change
        await client.close()
    assert (erp.system.orders.get(seed.ORDER) or {})["ManufacturingOrderImportance"] == "1"


async def test_a_dead_session_costs_one_more_token_and_nothing_else(
    erp: SapSimulator, connector: SapConnector
) -> None:
    await connector.open_ticket("AH-1", opened())
    erp.system.sessions.clear()
    await connector.open_ticket("AH-2", opened())
    posts = [r for r in erp.system.seen if r.method == "POST"]
    assert len(posts) == 3
    assert len(erp.system.books.where(NOTIFICATIONS)) == 2


async def test_a_session_that_is_gone_is_not_shown_again(
    erp: SapSimulator, connector: SapConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some systems give no token to whoever comes with the cookie of a session they have ended."""
    await connector.open_ticket("AH-1", opened())
    erp.system.sessions.clear()
    real = erp.system.sessions.fetched
    monkeypatch.setattr(erp.system.sessions, "fetched", lambda h: [] if h.get("Cookie") else real(h))
    await connector.open_ticket("AH-2", opened())
    assert len(erp.system.books.where(NOTIFICATIONS)) == 2


async def test_a_session_that_dies_again_at_once_is_tried_later_and_not_given_up(
    erp: SapSimulator, connector: SapConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connector.find_ticket(KEY)
    monkeypatch.setattr(erp.system.sessions, "fetched", lambda headers: [("X-CSRF-Token", "stale")])
    with pytest.raises(ErpUnavailable, match="does not keep our session") as trouble:
        await connector.open_ticket(KEY, opened())
    assert not trouble.value.in_doubt, "nothing was done"


async def test_two_with_our_reference_are_one_to_us(
    erp: SapSimulator, connector: SapConnector, clerk: Clerk, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        clerk.post(f"{NOTIFICATION}/{NOTIFICATIONS}", NEW | {"MaintNotifExtReferenceNumber": KEY})
    numbers = [row[NOTIFICATIONS] for row in erp.system.books.where(NOTIFICATIONS)]
    assert await connector.open_ticket(KEY, opened()) == (numbers[0], numbers[0])
    assert "2 notifications" in caplog.text


async def test_a_key_that_does_not_fit_is_kept_by_its_digest(
    erp: SapSimulator, connector: SapConnector
) -> None:
    key = "ticket of the north hall, number 7"
    made = await connector.open_ticket(key, opened())
    assert await connector.find_ticket(key) == made
    assert await connector.find_ticket(key.upper()) is None
    (row,) = erp.system.books.where(NOTIFICATIONS)
    assert len(row["MaintNotifExtReferenceNumber"]) == 20


async def test_what_the_office_cancelled_is_not_booked_again(
    erp: SapSimulator, connector: SapConnector, clerk: Clerk
) -> None:
    number = await connector.report_operation("R-1", reported())
    group, count = number.split("/")
    clerk.post(f"{CONFIRMATION}/CancelProdnOrdConf?ConfirmationGroup='{group}'&ConfirmationCount='{count}'")
    assert await connector.report_operation("R-1", reported()) == number
    (claim, _) = await connector.reported([seed.ORDER])
    assert (claim.operation, claim.good, claim.scrap) == ("10", 0, 0)


async def test_an_order_confirmed_as_a_whole_stays_so(erp: SapSimulator, clock: HandClock) -> None:
    connector = SapBooks(erp).connector(clock, level="order")
    await connector.report_operation("R-1", reported())
    await connector.post(PostingKind.SCRAP, "S-1", reported(quantity=2.0, reason="毛刺"))
    assert [row.get("OrderOperation") for row in erp.system.books.rows("ProdnOrdConf2")] == [None, None]
    claims = await connector.reported([seed.ORDER])
    assert [c.scrap for c in claims] == [0, 3]
    await connector.close()


async def test_movements_that_come_later_are_not_posted_twice(
    erp: SapSimulator, connector: SapConnector, clock: HandClock
) -> None:
    erp.system.confirmations.material_delay = timedelta(seconds=4)
    receipt = reported(item="", quantity=2.0, unit="", lot="FG-1", warehouse="171A")
    first = await connector.post(PostingKind.RECEIPT, "P-1", receipt)
    assert await connector.post(PostingKind.RECEIPT, "P-1", receipt) == first
    clock.turn(5)
    assert len(list(erp.system.books.rows(MOVEMENTS, reading=True))) == 1


async def test_an_error_500_said_twice_is_a_refusal(erp: SapSimulator, connector: SapConnector) -> None:
    erp.faults.add("business_500", times=2)
    with pytest.raises(ErpUnavailable) as trouble:
        await connector.open_ticket(KEY, opened())
    assert trouble.value.in_doubt
    with pytest.raises(ErpRefused, match="not maintained"):
        await connector.open_ticket(KEY, opened())


async def test_a_lock_is_waited_for_by_status_or_by_words(erp: SapSimulator, connector: SapConnector) -> None:
    for fault in ("locked", "locked_423"):
        erp.faults.add(fault)
        with pytest.raises(ErpUnavailable) as trouble:
            await connector.open_ticket(KEY, opened())
        assert not trouble.value.in_doubt


async def test_an_order_of_leading_zeros_is_the_same_order(connector: SapConnector) -> None:
    await connector.report_operation("R-1", reported(order=f"0000{seed.ORDER}", operation="0010"))
    (claim, _) = await connector.reported([f"0000{seed.ORDER}"])
    assert (claim.order, claim.good) == (f"0000{seed.ORDER}", 3)


async def test_a_completed_notification_is_not_opened_again(connector: SapConnector) -> None:
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.close_ticket(erp_id, {"state": "closed", "at": AT, "cause": "泵", "downtime": None})
    with pytest.raises(ErpRefused, match="IW22"):
        await connector.update_ticket(erp_id, {"state": "reopened", "at": AT})


async def test_steps_are_added_to_the_text_once_and_never_lost(
    erp: SapSimulator, connector: SapConnector
) -> None:
    erp_id, _ = await connector.open_ticket(KEY, opened())
    for note in ("等备件", "等备件", "x" * 1000, "y" * 600):
        step = {"state": "repairing", "person_name": "甲", "at": AT, "note": note}
        await connector.update_ticket(erp_id, step)
        if note == "等备件":
            (row,) = erp.system.books.where(NOTIFICATIONS)
            assert row["MaintNotifLongTextForEdit"].count(note) == 1
    (row,) = erp.system.books.where(NOTIFICATIONS)
    text = row["MaintNotifLongTextForEdit"]
    assert text.startswith(KEY)
    assert text.endswith("y" * 600)
    assert len(text) <= 1333
    assert row["NotifProcessingPhase"] == "3"


async def test_where_texts_are_appended_only_the_new_line_goes_out(
    erp: SapSimulator, clock: HandClock
) -> None:
    erp.system.notifications.appends = True
    connector = SapBooks(erp).connector(clock, long_text="appended")
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.update_ticket(erp_id, {"state": "repairing", "at": AT, "note": "等备件"})
    (row,) = erp.system.books.where(NOTIFICATIONS)
    assert row["MaintNotifLongTextForEdit"].count(KEY) == 1
    assert "等备件" in row["MaintNotifLongTextForEdit"]
    await connector.close()


# ------------------------------------------------------------------ releases
async def test_an_older_release_gets_what_it_knows(erp: SapSimulator, connector: SapConnector) -> None:
    old = erp.system.services["API_MAINTNOTIFICATION"]
    del old.calls["CompleteMaintNotification"].parameters["MaintNotifReferenceDateTime"]
    for name in ("MaintObjectDowntimeDuration", "MaintObjDowntimeDurationUnit"):
        old.drop_field("MaintenanceNotificationType", name)
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.close_ticket(
        erp_id, {"state": "closed", "at": AT, "cause": "泵", "downtime": timedelta(minutes=5)}
    )
    (row,) = erp.system.books.where(NOTIFICATIONS)
    assert row["CompletionTime"].isoformat() == "12:00:00"
    said = await connector.probe()
    assert "without MaintObjectDowntimeDuration" in said["closing"]
    assert not said["closing"].startswith("✗")


async def test_a_release_without_the_reference_is_refused_before_anything_is_made(
    erp: SapSimulator, connector: SapConnector
) -> None:
    old = erp.system.services["API_MAINTNOTIFICATION"]
    old.drop_field("MaintenanceNotificationType", "MaintNotifExtReferenceNumber")
    with pytest.raises(ErpRefused, match="MaintNotifExtReferenceNumber"):
        await connector.open_ticket(KEY, opened())
    assert erp.system.books.where(NOTIFICATIONS) == []


async def test_a_site_s_own_property_that_is_not_there_is_missed_loudly(
    erp: SapSimulator, clock: HandClock
) -> None:
    changes = {"documents": {"ticket": {"write": {"ZZ1_NotPublished": "title"}}}}
    connector = SapBooks(erp).connector(clock, **changes)
    with pytest.raises(ErpRefused, match=r"ZZ1_NotPublished.*documents\.ticket\.write"):
        await connector.open_ticket(KEY, opened())
    assert erp.system.books.where(NOTIFICATIONS) == []
    await connector.close()


async def test_a_text_that_a_site_s_own_map_makes_too_long_is_told_with_the_remedy(
    erp: SapSimulator, clock: HandClock
) -> None:
    changes = {"documents": {"ticket": {"write": {"MainWorkCenter": "title"}}}}
    connector = SapBooks(erp).connector(clock, **changes)
    with pytest.raises(ErpRefused, match=r"documents.ticket.write.MainWorkCenter.*cut\(.., `8`\)"):
        await connector.open_ticket(KEY, opened(title="a title that is too long"))
    await connector.close()


# ------------------------------------------------------------------ who we are
async def test_a_bearer_token_is_asked_for_once_and_renewed_once(erp: SapSimulator, clock: HandClock) -> None:
    oauth = {"token_url": f"{erp.url}/oauth/token", "client_id": erp.account.client_id,
             "client_secret": erp.account.client_secret}  # fmt: skip
    block = {"url": erp.url, "oauth": oauth}
    connector = SapConnector(SapConnector.Config.model_validate(block), clock)
    await connector.open_ticket("AH-1", opened())
    bearers = {r.headers.get("Authorization") for r in erp.system.seen}
    assert len(bearers) == 1
    erp.system.sessions.revoke()
    await connector.open_ticket("AH-2", opened())
    assert len(erp.system.books.where(NOTIFICATIONS)) == 2
    assert erp.account.client_secret not in repr(connector._client) + repr(oauth["token_url"])
    await connector.close()


async def test_a_link_to_another_host_is_not_followed_there(
    erp: SapSimulator, connector: SapConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Next links are absolute and come from behind proxies: only their question is used."""
    real = erp.system._service
    monkeypatch.setattr(erp.system, "_service", lambda request, _: real(request, "http://192.0.2.1:9"))
    assert len(await connector.orders(None)) == seed.ON_FLOOR


def test_a_configuration_without_anybody_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="write user and password, or oauth"):
        SapConnector.Config.model_validate({"url": "https://s4.example"})
    with pytest.raises(ValueError, match="write the host alone"):
        SapConnector.Config.model_validate({"url": "https://s4.example/sap/", "user": "u", "password": "p"})


# ------------------------------------------------------------------ OData 4
def fourth(name: str) -> dict[str, Any]:
    return {"path": f"/sap/opu/odata4/sap/{name.lower()}/srvd_a2x/sap/{name}/0001", "version": 4}


async def test_successors_by_odata_4_are_spoken_to_in_their_form(erp: SapSimulator, clock: HandClock) -> None:
    services = {
        "notification": fourth("API_MAINTNOTIFICATION"),
        "production_order": fourth("API_PRODUCTION_ORDER_2_SRV"),
        "confirmation": fourth("API_PROD_ORDER_CONFIRMATION_2_SRV"),
        "sales_order": fourth("API_SALES_ORDER_SRV"),
        "equipment": fourth("API_EQUIPMENT"),
    }
    connector = SapBooks(erp).connector(clock, services=services)
    erp_id, _ = await connector.open_ticket(KEY, opened())
    await connector.update_ticket(erp_id, {"state": "accepted", "at": AT, "note": ""})
    close = {"state": "closed", "at": AT, "cause": "泵", "downtime": timedelta(minutes=95)}
    await connector.close_ticket(erp_id, close)
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    (row,) = erp.system.books.where(NOTIFICATIONS)
    assert (row["MaintObjectDowntimeDuration"], row["CompletionTime"].hour) == (95, 4)
    number = await connector.report_operation("R-1", reported())
    assert await connector.report_operation("R-1", reported()) == number
    orders = await connector.orders(clock.now() - timedelta(days=1))
    assert len(orders) == seed.ON_FLOOR + 2
    change = {"priority": 1, "rush": True, "due_at": AT + timedelta(days=2), "reason": ""}
    await connector.change_order(seed.ORDER, change)
    assert (erp.system.orders.get(seed.ORDER) or {})["ManufacturingOrderImportance"] == "1"
    assert {s.number for s in await connector.sales_orders(AT)} == {"3001", "3002"}
    assert {e.number for e in await connector.equipment()} >= {seed.EQUIPMENT}
    assert {r.path.split("/")[3] for r in erp.system.seen} == {"odata4"}
    await connector.close()


# ------------------------------------------------------------------ what a site may have or ask for
async def test_items_come_from_the_product_service_where_there_is_one(
    erp: SapSimulator, connector: SapConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {n: Field(n, "Edm.String", 40) for n in ("Product", "BaseUnit", "ProductGroup")}
    texts = {n: Field(n, "Edm.String", 40) for n in ("Product", "Language", "ProductDescription")}
    products = Service("API_PRODUCT_SRV", "API_PRODUCT_SRV")
    products.types = {
        "A_ProductType": Kind("A_ProductType", ("Product",), names, {"to_Description": "A_TextType*"}),
        "A_TextType": Kind("A_TextType", ("Product", "Language"), texts),
    }
    products.sets = {"A_Product": ("A_ProductType", ""), "A_ProductDescription": ("A_TextType", "")}
    monkeypatch.setitem(LINKS, "to_Description", ("Product",))
    named = {i.number: i for i in await connector.items(None)}
    assert (named[seed.ITEM].name.zh, named[seed.ITEM].unit) == ("轴承 SG124", "PC")
    erp.system.services["API_PRODUCT_SRV"] = products
    books = erp.system.books
    books.put("A_Product", ("PT10M",), {"Product": "PT10M", "BaseUnit": "PC", "ProductGroup": "bearing"})
    for language, text in (("EN", "bearing"), ("ZH", "轴承")):
        row = {"Product": "PT10M", "Language": language, "ProductDescription": text}
        books.put("A_ProductDescription", ("PT10M", language), row)
    (item,) = await connector.items(None)
    assert (item.number, item.name.zh, item.family) == ("PT10M", "轴承", "bearing")


async def test_a_rush_raises_the_sales_item_where_the_site_wants_it(
    erp: SapSimulator, clock: HandClock
) -> None:
    connector = SapBooks(erp).connector(clock, rush_sales_items=True)
    change = {"priority": 1, "rush": True, "due_at": None, "reason": "客户催货"}
    for _ in range(2):
        await connector.change_order(seed.ORDER, change)
    raised = [
        row["SalesOrderItem"] for row in erp.system.books.where("A_SalesOrderItem", DeliveryPriority="1")
    ]
    assert raised == ["10"]
    assert sum(r.method == "PATCH" for r in erp.system.seen) == 2  # the order and its item, each once
    await connector.close()


async def test_an_order_never_starts_after_it_is_due(erp: SapSimulator, connector: SapConnector) -> None:
    change = {"priority": None, "rush": None, "due_at": AT, "reason": ""}
    await connector.change_order(seed.ORDER, change)
    row = erp.system.orders.get(seed.ORDER) or {}
    assert row["MfgOrderPlannedStartDate"] == row["MfgOrderPlannedEndDate"] == datetime(2026, 1, 5)  # noqa: DTZ001
    assert row["MfgOrderPlannedEndTime"].hour == 12  # in the plant's zone


async def test_pages_are_read_to_the_end_whoever_cuts_them(erp: SapSimulator, clock: HandClock) -> None:
    for page_size, page_rows in ((2, 3), (3, 2), (100, 4), (4, 4), (1, 1)):
        erp.system.page_size = page_size
        connector = SapBooks(erp).connector(clock, page_rows=page_rows)
        assert len(await connector.orders(None)) == seed.ON_FLOOR
        await connector.close()


async def test_only_what_is_valid_today_is_a_machine(connector: SapConnector) -> None:
    found = {e.number: e.name.zh for e in await connector.equipment()}
    assert found[seed.EQUIPMENT] == "加工中心 CNC-03"


def test_the_block_in_the_manual_is_one_that_starts() -> None:
    text = (Path(__file__).parents[2] / "docs/erp/sap.md").read_text(encoding="utf-8")
    block = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])["erp"]
    config = SapConnector.Config.model_validate(block["with"] | {"password": "p"})
    SapConnector(config, HandClock())
    assert config.documents["ticket"].write["ZZ1_FaultCode_NTF"]
