"""The simulated site refuses what U9 refuses: the connector is not to be tested against a kinder one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hub.testing.clock import HandClock
from tests.simulators.yonyou import seed
from tests.simulators.yonyou.server import YonyouSimulator

ORG = {"Code": seed.ORG}
GOOD = {
    "clientid": "ah", "clientsecret": "client-secret-that-nobody-may-read", "entCode": "001",
    "userCode": "andon",
    "orgCode": "101",
}  # fmt: skip


class Raw:
    """Calls as a program without a connector makes them."""

    def __init__(self, erp: YonyouSimulator) -> None:
        self._url = f"{erp.url}/webapi/"
        self.http = httpx.Client(trust_env=False, timeout=30)
        self.token = ""

    def log_in(self, **other: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get(f"{self._url}OAuth2/AuthLogin", params=GOOD | other).json()
        self.token = answer["Data"] or self.token
        return answer

    def post(self, path: str, body: Any, **headers: str) -> dict[str, Any]:
        reply = self.http.post(f"{self._url}{path}", json=body, headers=headers or {"token": self.token})
        assert reply.status_code == 200
        return reply.json()  # type: ignore[no-any-return]

    def row(self, path: str, row: dict[str, Any]) -> tuple[bool, str]:
        (said,) = self.post(path, [row])["Data"]
        return said["m_isSucess"], said["m_errorMsg"]


@pytest.fixture
def raw(erp: YonyouSimulator) -> Any:
    made = Raw(erp)
    with made.http:
        yield made


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"clientid": "x"}, 407), ({"clientsecret": "x"}, 503), ({"orgCode": "9"}, 408),
        ({"userCode": "x"}, 406),
        ({"entCode": "x"}, 503),
    ],
)  # fmt: skip
def test_all_five_values_of_a_log_in_must_match(raw: Raw, wrong: dict[str, str], code: int) -> None:
    answer = raw.log_in(**wrong)
    assert (answer["ResCode"], answer["Success"], answer["Data"]) == (code, False, None)


def test_names_of_a_log_in_are_taken_in_any_case(raw: Raw) -> None:
    given = {name.lower(): value for name, value in GOOD.items()}
    assert raw.http.get(f"{raw._url}OAuth2/AuthLogin", params=given).json()["ResCode"] == 0


def test_a_token_goes_in_its_own_header_and_lives_until_the_next(
    erp: YonyouSimulator, raw: Raw, clock: HandClock
) -> None:
    raw.log_in()
    first = raw.token
    assert raw.post("MODoc/Query", [])["ResCode"] == 0
    assert raw.post("MODoc/Query", [], Authorization=f"Bearer {first}")["ResCode"] == 401
    raw.log_in()
    assert raw.post("MODoc/Query", [], token=first)["ResCode"] == 504
    clock.turn(241 * 60)
    assert raw.post("MODoc/Query", [])["ResCode"] == 402
    erp.system.sessions.allowed = False
    assert raw.log_in()["ResCode"] == 601


def test_bodies_and_paths_must_be_right(raw: Raw) -> None:
    raw.log_in()
    assert raw.post("MODoc/Query", {"DocNo": "MO0001"})["ResCode"] == 502
    assert raw.post("MODoc/Modify", [])["ResCode"] == 404
    assert raw.post("CompleteDoc/Approve", [])["ResCode"] == 502
    assert raw.post("CommonEntity/Query", {"EntityFullName": "No.Such", "ReturnFields": []})["ResCode"] == 502
    for statement in ("DELETE FROM MO_MO", "SELECT 1; SELECT 2", "SELECT 1 -- x"):
        assert raw.post("QueryCommon/QueryInfoBySql", {"SqlString": statement})["ResCode"] == 502


def test_rows_fail_one_by_one(raw: Raw) -> None:
    raw.log_in()
    whole = {
        "Org": ORG,
        "ItemMaster": {"Code": seed.ITEM},
        "DocType": {"Code": "01"},
        "Department": {"Code": "D"},
    }
    rows = [whole | {"DocNo": "MO0001"}, whole | {"DocNo": "MO0100"}, {"Org": ORG, "DocNo": "MO0101"}]
    said = raw.post("MODoc/Create", rows)["Data"]
    assert [r["m_isSucess"] for r in said] == [False, True, False]
    assert "已存在" in said[0]["m_errorMsg"]
    assert "ItemMaster" in said[2]["m_errorMsg"]


def test_an_order_goes_through_its_states_and_no_other_way(raw: Raw, erp: YonyouSimulator) -> None:
    raw.log_in()
    key = {"DocNo": "MO0008", "OperateType": True, "OperateQty": 100}
    assert not raw.row("MODoc/StartMo", key)[0]
    for path, state in (("ApproveMo", 1), ("StartMo", 2), ("CompleteMo", 3)):
        assert raw.row(f"MODoc/{path}", key)[0]
        assert (erp.system.books.one("order", DocNo="MO0008") or {})["DocState"] == state
        assert not raw.row("MODoc/DeleteMO", key)[0]
    back = key | {"OperateType": False}
    assert [raw.row(f"MODoc/{p}", back)[0] for p in ("CompleteMo", "StartMo", "ApproveMo")] == [True] * 3
    assert raw.row("MODoc/DeleteMO", key)[0]
    assert raw.post("MODoc/Query", [{"DocNo": "MO0008"}])["Data"] == []


def test_a_query_of_an_order_tells_neither_state_nor_sums(raw: Raw) -> None:
    raw.log_in()
    (order,) = raw.post("MODoc/Query", [{"DocNo": "MO0001"}])["Data"]
    assert order["m_docNo"] == "MO0001"
    assert not {"m_docState", "m_totalCompleteQty", "m_modifiedOn"} & set(order) - {"m_modifiedOn"}


def test_only_a_started_order_completes_and_never_more_than_it_has(raw: Raw) -> None:
    raw.log_in()
    report = {
        "Org": ORG, "CompleteDocType": {"Code": "01"}, "BusinessDate": "2026-01-05", "CompleteQty": 400,
        "CompleteDate": "2026-01-05T16:00:00", "MO": {"Code": "MO0002"}, "DocNo": "C1",
    }  # fmt: skip
    assert "未开工" in raw.row("CompleteDoc/Create", report)[1]
    assert raw.row("CompleteDoc/Create", report | {"MO": {"Code": "MO0001"}})[0]
    again = report | {"MO": {"Code": "MO0001"}, "DocNo": "C2", "CompleteQty": 1}
    assert raw.row("CompleteDoc/Create", again) == (False, "完工数量超过可完工数量")
    approval = {"Keys": [{"DocNo": "C1"}], "OperateType": True}
    assert raw.post("CompleteDoc/Approve", approval)["Data"][0]["m_isSucess"]
    assert not raw.post("CompleteDoc/Approve", approval)["Data"][0]["m_isSucess"]
