"""What the tests of Oracle do, and whom they ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from erp_bridge.oracle import OracleConnector
from hub.model.erp import PostingKind
from tests.contract.erp.worlds.oracle import OracleBooks
from tests.simulators.oracle import seed
from tests.simulators.oracle.books import Row
from tests.simulators.oracle.server import OracleSimulator

AT = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)
KEY = "AH-20260105-0007"
REST = "/fscmRestApi/resources/11.13.18.05"
TICKETS = "/maintenanceWorkOrders"
Connect = Callable[..., OracleConnector]
Act = Callable[[OracleConnector], Awaitable[Any]]


class Clerk:
    """Plain HTTP, as anybody's client would speak it."""

    def __init__(self, erp: OracleSimulator, framework: int = 4) -> None:
        account = erp.account
        self.http = httpx.Client(
            base_url=erp.url + REST, auth=(account.user, account.password), trust_env=False,
            headers={"REST-Framework-Version": str(framework)},
        )  # fmt: skip

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.http.get(path, params=query)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def patch(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.http.patch(path, json=body, headers=headers)


def opened(**more: Any) -> dict[str, Any]:
    return {
        "equipment": seed.ASSET, "equipment_path": "p1/l2/cnc-03", "equipment_name": "加工中心03",
        "title": "主轴温度超限", "priority": 4, "fault_code": "17", "order": "", "state": "sent",
        "opened_at": AT, "stopped_at": AT,
    } | more  # fmt: skip


def step(state: str, **more: Any) -> dict[str, Any]:
    return {
        "state": state, "person": "tech-a", "person_name": "值班技师甲", "at": AT, "note": ""
    } | more  # fmt: skip


def closing() -> dict[str, Any]:
    return step("closed", cause_class="mechanical", cause="更换冷却泵", downtime=timedelta(minutes=95))


def reported(**more: Any) -> dict[str, Any]:
    return {
        "order": seed.ORDER, "operation": "20", "good": 3, "scrap": 1, "at": AT, "equipment": "",
        "person": "op-a",
    } | more  # fmt: skip


def posted(kind: PostingKind, **more: Any) -> dict[str, Any]:
    fields = {
        "order": seed.ORDER, "operation": "20", "item": seed.ITEM, "quantity": 2.0, "unit": "", "lot": "",
        "warehouse": "FG", "reason": "", "check": "", "passed": None, "value": "", "sample_size": 0,
        "labour_seconds": 0.0, "machine_seconds": 0.0, "at": AT, "equipment": "", "person": "op-a",
    }  # fmt: skip
    own: dict[PostingKind, dict[str, Any]] = {
        PostingKind.RECEIPT: {"lot": "FG-LOT-01"},
        PostingKind.ISSUE: {"item": seed.COMPONENT, "lot": seed.LOT, "warehouse": "RAW"},
        PostingKind.HOURS: {"labour_seconds": 5400.0, "machine_seconds": 3601.0},
        PostingKind.SCRAP: {"reason": "毛刺"},
        PostingKind.QUALITY: {"check": "外径", "passed": False, "value": "20.013", "sample_size": 5},
    }
    return fields | own[kind] | more


def refused(reply: httpx.Response, status: int = 400) -> str:
    assert reply.status_code == status, reply.text
    return str(reply.json()["o:errorDetails"][0]["detail"])


def operation(books: OracleBooks, sequence: int = 20) -> Row:
    steps = books.work_order(seed.ORDER)["WorkOrderOperation"]
    return next(s for s in steps if s["OperationSequenceNumber"] == sequence)


def by_hand(books: OracleBooks, quantity: int = 5) -> None:
    """Somebody else reports pieces of operation 20."""
    row = {
        "SourceSystemCode": "FUSION_MOBILE", "OrganizationCode": "M1", "WorkOrderNumber": seed.ORDER,
        "WoOperationSequenceNumber": 20, "TransactionQuantity": quantity,
        "TransactionUnitOfMeasure": "Ea", "FromDispatchState": "READY", "ToDispatchState": "COMPLETE",
    }  # fmt: skip
    with books.erp.system.books.lock:
        books.erp.system.transactions.take("operationTransactions", {"OperationTransactionDetail": [row]})
