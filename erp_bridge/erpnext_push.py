"""ERPNext's Webhook documents: signed by HMAC-SHA256 of the body, in base64 (pure).

The body is what the key user has put into it; we want `doctype`, `name` and `modified`. It only says where
to look.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub.errors import NotAllowed, Refused
from hub.model.erp import ErpNews, ErpPush, ErpSubject

SIGNATURE = "x-frappe-webhook-signature"
FRESH = timedelta(minutes=5)
SUBJECTS = {
    "Work Order": ErpSubject.ORDERS,
    "Job Card": ErpSubject.ORDERS,
    "Sales Order": ErpSubject.SALES_ORDERS,
    "Asset Repair": ErpSubject.TICKETS,
    "Issue": ErpSubject.TICKETS,
    "Item": ErpSubject.ITEMS,
    "Asset": ErpSubject.EQUIPMENT,
    "Workstation": ErpSubject.EQUIPMENT,
}


def news(push: ErpPush, secret: str, zone: ZoneInfo, now: datetime) -> ErpNews:
    if not secret:
        raise NotAllowed("no-webhooks", "ERPNext is not set up to push: webhook_secret is empty")
    digest = hmac.new(secret.encode(), push.body, hashlib.sha256).digest()
    given = push.headers.get(SIGNATURE, "").strip()
    if not hmac.compare_digest(base64.b64encode(digest), given.encode()):
        raise NotAllowed("signature", "the signature of this push is wrong; check webhook_secret")
    body = _read(push.body)
    doctype = str(body.get("doctype") or "")
    if doctype not in SUBJECTS:
        raise Refused(
            "unknown-doctype", f"a push about {doctype!r}; give the Webhook's data doctype and name"
        )
    _fresh(body, zone, now)
    return ErpNews(digest.hex(), SUBJECTS[doctype], _documents(doctype, body))


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        read = None
    if not isinstance(read, Mapping):
        raise Refused(
            "not-json", "a push that is no JSON object; set the Webhook's Request Structure to JSON"
        )
    return read


def _fresh(body: Mapping[str, Any], zone: ZoneInfo, now: datetime) -> None:
    try:
        at = datetime.fromisoformat(str(body.get("modified")))
    except ValueError:
        raise Refused("no-time", "a push without its time; add modified to the Webhook's data") from None
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    if abs(now - at) > FRESH:
        raise NotAllowed("stale", "this push is more than five minutes old; check the clocks")


def _documents(doctype: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    if doctype == "Job Card":
        return (str(body["work_order"]),) if body.get("work_order") else ()
    name = str(body.get("name") or "")
    if not name:
        return ()
    return (f"{doctype}/{name}",) if SUBJECTS[doctype] is ErpSubject.TICKETS else (name,)
