"""What tenants differ in: forms, fields, life of a bill."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from erp_bridge.kingdee_answers import KingdeeRefusal
from erp_bridge.kingdee_galaxy import KingdeeGalaxyConnector
from erp_bridge.mapping import Capability
from hub.errors import ConfigError, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import NOON, HandClock
from tests.contract.kingdee.case import COMMON, FIELDS, KEY, another, bills
from tests.simulators.kingdee.forms import FORMS
from tests.simulators.kingdee.server import KingdeeSimulator

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------ what tenants differ in
async def test_a_ticket_under_approval_whose_fields_may_not_change_is_taken_back(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    documents = {"ticket": {"write": {"F_AH_FaultCode": "'R'"}}}  # a field that is fixed after submit
    connector = await another(erp, clock, documents=documents, ticket={"submit_on_create": True})
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    await connector.update_ticket(erp_id, {"state": "accepted", "at": NOON})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("ACK", "B")
    await connector.close_ticket(erp_id, {"state": "closed", "at": NOON})
    assert (erp.tickets()[0]["state"], erp.tickets()[0]["status"]) == ("DONE", "C")
    await connector.close()


@pytest.mark.parametrize("spelling", ["excuteoperation", "executeoperation"])
async def test_a_ticket_may_end_by_an_operation_of_its_form(
    erp: KingdeeSimulator, clock: HandClock, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.setattr(erp.service, "operation_services", (spelling,))
    life = {"close_operation": "BillClose", "reopen_operation": "Unclose"}
    closed = {"ticket": {"read": {"closed": "FCloseStatus == 'B'"}}}
    connector = await another(erp, clock, ticket=life, documents=closed)
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    for _ in range(2):
        await connector.close_ticket(erp_id, {"state": "closed", "at": NOON})
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    await connector.update_ticket(erp_id, {"state": "reopened", "at": NOON})
    assert await connector.ticket_states([erp_id]) == {erp_id: "open"}
    await connector.close()


async def test_what_a_tenant_does_not_have_is_neither_asked_for_nor_probed(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    documents = {"quality": {"form": "NO_SUCH_FORM"}, "sales_order": {"form": "NO_SUCH_FORM"}}
    without = ["quality", "sales-orders", "change-orders"]
    connector = await another(erp, clock, documents=documents, without=without)
    assert not set(without) & connector.capabilities
    assert [said for said in (await connector.probe()).values() if said.startswith("✗")] == []
    assert len(await connector.orders(None)) == 10
    await connector.close()


async def test_a_probe_tells_a_missing_form_from_a_missing_field(
    erp: KingdeeSimulator, clock: HandClock
) -> None:
    documents = {"quality": {"form": "NO_SUCH_FORM"}, "equipment": {"read": {"place": "FNowhere"}}}
    connector = await another(erp, clock, documents=documents)
    found = await connector.probe()
    assert found["quality"].startswith("✗ NO_SUCH_FORM")
    assert found["equipment"] == "✗ ENG_Equipment has no FNowhere"
    assert found["receipt.source"].startswith("PRD_MO: ")
    wrong = await another(erp, clock, app_secret=SecretStr("wrong"))
    with pytest.raises(ErpUnavailable, match="check acct_id"):
        await wrong.probe()
    await wrong.close()
    await connector.close()


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ({"ticket": {"write": {"F_X": "cut(title"}}}, "erp.with.documents.ticket.write.F_X"),
        ({"ticket": {"write": {"F_AH_ExtKey": ""}}}, "no field carries `key`"),
        ({"receipt": {"write": {"F_AH_ExtKey": "order"}}}, "documents.receipt.write: no field carries"),
    ],
)
def test_a_map_that_cannot_work_is_refused_at_the_start(
    clock: HandClock, documents: dict[str, Any], said: str
) -> None:
    block = {"server_url": "http://erp/k3cloud", "acct_id": "a", "user": "u", "app_id": "i",
             "app_secret": "s", "documents": documents}  # fmt: skip
    with pytest.raises(ConfigError, match=re.escape(said)):
        KingdeeGalaxyConnector(KingdeeGalaxyConnector.Config.model_validate(block), clock)


def test_the_block_of_the_handbook_is_one_that_works(clock: HandClock) -> None:
    """docs/erp/kingdee.md shows it: whoever copies it must not stumble."""
    text = (Path(__file__).parents[3] / "docs/erp/kingdee.md").read_text(encoding="utf-8")
    block = yaml.safe_load(text.split("```yaml")[1].split("```")[0])["erp"]["with"] | {"app_secret": "s"}
    connector = KingdeeGalaxyConnector(KingdeeGalaxyConnector.Config.model_validate(block), clock)
    assert Capability.QUALITY not in connector.capabilities
    assert Capability.RECEIPTS in connector.capabilities


async def test_our_number_may_be_the_bill_number_itself(erp: KingdeeSimulator, clock: HandClock) -> None:
    documents = {"ticket": {"write": {"F_AH_ExtKey": "", "FBillNo": "key"}}}
    connector = await another(erp, clock, documents=documents)
    first = await connector.open_ticket(KEY, FIELDS)
    assert first[1] == KEY
    assert await connector.open_ticket(KEY, FIELDS) == first
    await connector.close()


async def test_a_form_without_a_date_of_change_is_read_whole(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.simulators.kingdee.columns._simple", without("FModifyDate", "BD_MATERIAL"))
    assert "R-STEEL" in {i.number for i in await connector.items(NOON + timedelta(days=1))}


def without(key: str, form_id: str) -> Any:
    from tests.simulators.kingdee.columns import _simple

    def lacking(form: Any, asked: str) -> Any:
        return None if (form.id, asked) == (form_id, key) else _simple(form, asked)

    return lacking


def reduced(monkeypatch: pytest.MonkeyPatch, form_id: str, *gone: str) -> None:
    """A tenant whose form lacks these fields."""
    form = FORMS[form_id.lower()]
    entities = tuple(
        replace(e, fields=tuple(f for f in e.fields if f.key not in gone)) for e in form.entities
    )
    fields = tuple(f for f in form.fields if f.key not in gone)
    monkeypatch.setitem(FORMS, form_id.lower(), replace(form, fields=fields, entities=entities))


async def test_a_repair_bill_without_our_extra_fields_takes_the_rest(
    erp: KingdeeSimulator,
    connector: KingdeeGalaxyConnector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = (
        "F_AH_StopTime",
        "F_AH_ArriveTime",
        "F_AH_WorkerName",
        "F_AH_CauseClass",
        "F_AH_DownMin",
        "F_AH_Photo",
    )
    reduced(monkeypatch, "AH_EquipRepair", *gone)
    erp_id, _ = await connector.open_ticket(KEY, FIELDS)
    at = {"at": NOON, "person_name": "值班技师甲"}
    await connector.update_ticket(erp_id, {"state": "on-site"} | at)
    await connector.close_ticket(
        erp_id, {"state": "closed", "cause": "更换", "cause_class": "mechanical"} | at
    )
    (ticket,) = erp.tickets()
    assert (ticket["key"], ticket["state"], ticket["result"], ticket["status"]) == (KEY, "DONE", "更换", "C")
    assert await connector.ticket_states([erp_id]) == {erp_id: "closed"}
    assert "no F_AH_StopTime on AH_EquipRepair" in caplog.text
    assert not [said for said in (await connector.probe()).values() if said.startswith("✗")]


async def test_a_quantity_is_never_left_out(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector, monkeypatch: pytest.MonkeyPatch
) -> None:
    reduced(monkeypatch, "PRD_INSTOCK", "FRealQty")
    with pytest.raises(KingdeeRefusal, match="frealqty"):
        await connector.post(PostingKind.RECEIPT, "P-1", COMMON | {"lot": "FG-01"})
    assert [status for status, _ in bills(erp, "PRD_INSTOCK")] == ["A"]
    assert (await connector.probe())["receipt"] == "✗ PRD_INSTOCK has no FRealQty"


async def test_a_machine_that_is_not_there_is_not_taken_for_a_field_that_is_not_there(
    erp: KingdeeSimulator, connector: KingdeeGalaxyConnector
) -> None:
    with pytest.raises(KingdeeRefusal, match="EQ-NOWHERE 不存在"):
        await connector.open_ticket(KEY, FIELDS | {"equipment": "EQ-NOWHERE"})
    await connector.open_ticket(KEY, FIELDS)
    assert erp.tickets()[0]["fault_code"] == "17"
