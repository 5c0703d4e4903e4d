"""Webhook documents: signed, fresh, readable."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from erp_bridge.erpnext import ErpNextConnector
from erp_bridge.mapping import Capability
from hub.errors import AndonError, NotAllowed, Refused
from hub.model.erp import ErpPush, ErpSubject
from tests.contract.erpnext.said import FACTS, Connect
from tests.simulators.erpnext.server import ErpNextSimulator

pytestmark = pytest.mark.anyio


def push(body: Any, secret: str = "hook", **headers: str) -> ErpPush:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()
    return ErpPush({"x-frappe-webhook-signature": signature} | headers, {}, raw)


NEWS = {"doctype": "Work Order", "name": FACTS.order, "modified": "2026-01-05 20:00:00.000123"}


@pytest.fixture
def hooked(connect: Connect, erp: ErpNextSimulator) -> ErpNextConnector:
    return connect(erp, webhook_secret="hook")


async def test_a_push_says_where_to_look(hooked: ErpNextConnector, connector: ErpNextConnector) -> None:
    told = hooked.pushed(push(NEWS))
    assert (told.subject, told.documents) == (ErpSubject.ORDERS, (FACTS.order,))
    assert told.id == hooked.pushed(push(NEWS)).id != hooked.pushed(push(NEWS | {"name": "X"})).id
    repair = {"doctype": "Asset Repair", "name": "ACC-ASR-2026-00001"}
    assert hooked.pushed(push(NEWS | repair)).documents == ("Asset Repair/ACC-ASR-2026-00001",)
    assert Capability.WEBHOOKS in hooked.capabilities
    assert Capability.WEBHOOKS not in connector.capabilities


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (push(NEWS, secret="other"), NotAllowed),
        (push(NEWS, **{"x-frappe-webhook-signature": "é"}), NotAllowed),
        (push(NEWS | {"modified": "2026-01-05 19:54:00"}), NotAllowed),
        (push(NEWS | {"modified": "2026-01-05 20:06:00"}), NotAllowed),
        (push(NEWS | {"modified": ""}), Refused),
        (push(NEWS | {"doctype": "User"}), Refused),
        (push(b"work_order=1"), Refused),
    ],
)
async def test_a_push_that_is_false_stale_or_unreadable_is_refused(
    hooked: ErpNextConnector, sent: ErpPush, kind: type[AndonError]
) -> None:
    with pytest.raises(kind):
        hooked.pushed(sent)


async def test_without_a_secret_nothing_is_taken_in(connector: ErpNextConnector) -> None:
    with pytest.raises(NotAllowed, match="webhook_secret is empty"):
        connector.pushed(push(NEWS, secret=""))
