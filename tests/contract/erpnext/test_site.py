"""The simulated site speaks as Frappe does, to clients of other people's too."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.contract.erpnext.said import FACTS
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.server import ErpNextSimulator

pytestmark = pytest.mark.anyio


async def test_the_site_speaks_as_frappes_own_client_expects(erp: ErpNextSimulator) -> None:
    """Forms with `cmd`, documents as a `data` field, a session by cookie, whole lists by limit 0."""
    async with httpx.AsyncClient(trust_env=False, base_url=erp.url) as client:
        form = {"cmd": "login", "usr": seed.CLERK.email, "pwd": seed.CLERK.password}
        assert (await client.post("/", data=form)).json()["message"] == "Logged In"
        doc = {"data": json.dumps({"doctype": "Issue", "subject": "x"})}
        refused = await client.post("/api/resource/Issue", data=doc)
        assert (refused.status_code, refused.json()["exc_type"]) == (400, "CSRFTokenError")
        client.headers["X-Frappe-CSRF-Token"] = client.cookies["csrf_token"]
        made = (await client.post("/api/resource/Issue", data=doc)).json()["data"]
        assert made["name"] == "ISS-2026-00001"
        listed = {"fields": '["name"]', "filters": '{"status": "Open"}', "limit_page_length": "0"}
        assert (await client.get("/api/resource/Issue", params=listed)).json()["data"] == [
            {"name": made["name"]}
        ]
        cancel = {"cmd": "frappe.client.cancel", "doctype": "Issue", "name": made["name"]}
        assert (await client.post("/", data=cancel)).status_code == 417


async def test_the_site_gives_twenty_names_and_no_more_unless_asked(erp: ErpNextSimulator) -> None:
    clerk = {"Authorization": f"token {seed.CLERK.api_key}:{seed.CLERK.api_secret}"}
    async with httpx.AsyncClient(trust_env=False, base_url=erp.url, headers=clerk) as client:
        with erp.site.lock:
            for at in range(25):
                erp.site.insert("Issue", {"subject": str(at)}, seed.CLERK)
        rows = (await client.get("/api/resource/Issue")).json()["data"]
        assert len(rows) == 20 and set(rows[0]) == {"name"}
        second = (await client.get("/api/v2/document/Issue", params={"start": 20})).json()
        assert (len(second["data"]), second["has_next_page"]) == (5, False)
        gone = (await client.get("/api/v2/document/Issue/NONE")).json()
        assert gone["errors"][0]["type"] == "DoesNotExistError"
        wrong = await client.get("/api/resource/Issue", params={"filters": '[["nope","=","1"]]'})
        assert (wrong.status_code, wrong.json()["exc_type"]) == (417, "DataError")


async def test_the_site_passes_over_what_it_works_out_itself(erp: ErpNextSimulator) -> None:
    with erp.site.lock:
        order = erp.site.save(
            "Work Order", FACTS.order, {"status": "Completed", "produced_qty": 9}, seed.CLERK
        )
    assert (order["status"], order["produced_qty"]) == ("In Process", 0)
