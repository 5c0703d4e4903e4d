"""The simulated pod is as strict as Oracle."""

from __future__ import annotations

import httpx

from tests.contract.erp.worlds.oracle import OracleBooks
from tests.contract.oracle.deeds import (
    REST,
    TICKETS,
    Clerk,
    refused,
)
from tests.simulators.oracle import seed
from tests.simulators.oracle.books import FIRST_ID, Row
from tests.simulators.oracle.system import ITEM

NEW = {
    "OrganizationCode": "M1", "WorkOrderNumber": "AH-1", "AssetNumber": seed.ASSET, "WorkOrderTypeCode":
    "CORRECTIVE", "WorkOrderDescription": "spindle",
}  # fmt: skip


def test_nobody_is_let_in_without_a_name_and_the_answer_is_a_page(books: OracleBooks) -> None:
    reply = httpx.get(f"{books.erp.url}{REST}/workOrders", trust_env=False)
    assert (reply.status_code, reply.text[:6]) == (401, "<html>")


def test_what_there_is_not_is_named(clerk: Clerk) -> None:
    assert clerk.get("/workOrdersV9").status_code == 404
    assert "Colour" in refused(clerk.post(TICKETS, NEW | {"Colour": "red"}))
    assert "Colour" in refused(clerk.get("/workOrders", q="Colour='red'"))
    assert "Colour" in refused(clerk.get("/workOrders", fields="WorkOrderId,Colour"))
    assert "WorkOrderTypeCode" in refused(clerk.post(TICKETS, {"AssetNumber": seed.ASSET}))
    assert "240" in refused(clerk.post(TICKETS, NEW | {"WorkOrderDescription": "x" * 241}))
    assert "InventoryItemId" in refused(clerk.post(TICKETS, {**NEW, "AssetNumber": None}))
    assert "NO-SUCH" in refused(clerk.post(TICKETS, NEW | {"AssetNumber": "NO-SUCH"}))


def test_each_framework_has_its_own_query_language(books: OracleBooks, clerk: Clerk) -> None:
    first = Clerk(books.erp, framework=1)
    example = f"OrganizationCode=M1;WorkOrderNumber={seed.ORDER}"
    expression = f"OrganizationCode='M1' and WorkOrderNumber='{seed.ORDER}'"
    assert first.get("/workOrders", q=example).json()["count"] == 1
    assert clerk.get("/workOrders", q=expression).json()["count"] == 1
    assert first.get("/workOrders", q=expression).status_code == 400
    assert clerk.get("/workOrders", q=example).status_code == 400
    assert first.get("/workOrders", q="WorkOrderNumber=M1-12*").json()["count"] == seed.ON_FLOOR
    assert clerk.get("/workOrders", q="WorkOrderNumber like 'M1-12%'").json()["count"] == seed.ON_FLOOR
    assert clerk.get("/workOrders", q="WorkOrderPriority in (1,5) or WorkOrderId > 1").status_code == 200
    shown = first.get("/workOrders", q=example, expand="WorkOrderOperation").json()["items"][0]
    assert isinstance(shown["WorkOrderOperation"], list)
    assert first.get("/workOrdersV9").headers["Content-Type"].startswith("text/plain")
    first.http.close()


def test_a_collection_comes_in_pages(clerk: Clerk) -> None:
    page = clerk.get("/workOrders", limit="2", offset="1", totalResults="true", onlyData="true").json()
    assert (page["count"], page["hasMore"], page["limit"], page["offset"]) == (2, True, 2, 1)
    assert page["totalResults"] == seed.ON_FLOOR + 2
    assert "links" not in page["items"][0]
    assert clerk.get("/workOrders", limit="900").json()["limit"] == 500
    assert clerk.get("/workOrders", fields="WorkOrderId", expand="WorkOrderOperation").status_code == 400
    newest = clerk.get("/workOrders", orderBy="WorkOrderNumber:desc", limit="1").json()["items"][0]
    assert newest["WorkOrderNumber"] == "M1-1300"
    nothing = clerk.get("/workOrders", fields="", limit="1").json()["items"][0]
    assert set(nothing) == {"links"}


def test_ids_are_larger_than_a_double_and_versions_are_kept(clerk: Clerk) -> None:
    made = clerk.post(TICKETS, NEW).json()
    assert made["WorkOrderId"] > FIRST_ID > 2**53
    path = f"{TICKETS}/{made['WorkOrderId']}"
    version = clerk.get(path).headers["ETag"]
    assert clerk.get(path).json()["links"][0]["properties"]["changeIndicator"] == version
    assert clerk.patch(path, {"WorkOrderPriority": 2}, **{"If-Match": version}).status_code == 200
    assert clerk.patch(path, {"WorkOrderPriority": 3}, **{"If-Match": version}).status_code == 412
    assert clerk.patch(path, {"WorkOrderPriority": 3}).status_code == 200
    assert "already exists" in refused(clerk.post(TICKETS, NEW))


def test_statuses_follow_their_order(clerk: Clerk) -> None:
    path = f"{TICKETS}/{clerk.post(TICKETS, NEW).json()['WorkOrderId']}"
    assert "ORA_UNRELEASED" in refused(clerk.patch(path, {"WorkOrderStatusCode": "ORA_COMPLETED"}))
    assert "reason" in refused(clerk.patch(path, {"WorkOrderStatusCode": "ORA_CANCELED"}))
    assert "not a valid" in refused(clerk.patch(path, {"WorkOrderStatusCode": "DONE"}))
    cancel = {"WorkOrderStatusCode": "ORA_CANCELED", "CanceledReason": "double"}
    assert clerk.patch(path, cancel).status_code == 200
    assert "ORA_CANCELED" in refused(clerk.patch(path, {"WorkOrderPriority": 1}))


def test_transactions_answer_201_whatever_becomes_of_them(clerk: Clerk) -> None:
    row: Row = {"OrganizationCode": "M1", "WorkOrderNumber": seed.ORDER, "WoOperationSequenceNumber": 20,
           "TransactionQuantity": 1, "TransactionUnitOfMeasure": "Ea", "FromDispatchState": "READY",
           "ToDispatchState": "COMPLETE"}  # fmt: skip
    wrong: list[Row] = [
        {"TransactionQuantity": 9999},
        {"WorkOrderNumber": "M1-1300"},
        {"SourceSystemCode": "X"},
    ]
    shapes = set()
    for change in wrong:
        body = {"SourceSystemCode": "ANDON_HUB", "OperationTransactionDetail": [row | change, row]}
        reply = clerk.post("/operationTransactions", body)
        detail = reply.json()["OperationTransactionDetail"]
        shapes.add(type(detail))
        rows = detail["items"] if isinstance(detail, dict) else detail
        assert (reply.status_code, reply.json()["ErrorsExistFlag"]) == (201, "true")
        assert [bool(r["ErrorMessages"]) for r in rows] == [True, False]
    assert shapes == {list, dict}
    assert "not supported" in refused(clerk.get("/operationTransactions"), 405)


def test_a_media_type_nobody_knows_is_refused(clerk: Clerk) -> None:
    reply = clerk.http.post(TICKETS, content=b"{}", headers={"Content-Type": "text/plain"})
    assert reply.status_code == 415
    reply = clerk.http.post(TICKETS, json=NEW, headers={"Content-Type": ITEM})
    assert reply.status_code == 201
