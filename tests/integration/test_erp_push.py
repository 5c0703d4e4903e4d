"""An ERP pushes: believed only when signed, lately, and once; then the bridge looks for itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from erp_bridge.connector import Connector
from erp_bridge.own_pushes import OwnPushes
from hub.api.app import build
from hub.api.limits import Meter
from hub.model.intent import IntentKind
from hub.testing.clock import HandClock
from hub.webhooks import signature
from tests.api_house import HOST, House, house

pytestmark = pytest.mark.anyio

SECRET = SecretStr("correct-horse-battery-staple")
BODY = json.dumps({"subject": "orders", "documents": ["MO0003"]}).encode()


class Erp(Connector):
    """One that can push and nothing else."""

    def __init__(self, clock: HandClock, *secrets: SecretStr) -> None:
        self.own_pushes = OwnPushes(secrets, clock)


def listening(*secrets: SecretStr) -> House:
    made = house()
    object.__setattr__(made.deps, "pushed", Erp(made.clock, *secrets).pushed)
    made.app = build(made.deps, meter=Meter(burst=1e9))
    return made


def headers(it: House, about: str = "push-1", body: bytes = BODY, **changes: str) -> dict[str, str]:
    at = it.clock.now()
    signed = {
        "webhook-id": about, "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature(about, at, body, SECRET),
    }  # fmt: skip
    return signed | {"Content-Type": "application/json"} | changes


async def push(it: House, sent: Mapping[str, str], body: bytes = BODY) -> httpx.Response:
    """As a machine sends it: no Origin, no cookie."""
    transport = httpx.ASGITransport(it.app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        return await client.post("/api/erp/push", content=body, headers=sent)


async def test_a_signed_push_makes_the_bridge_look_and_says_no_more_than_where() -> None:
    it = listening(SECRET)
    answer = await push(it, headers(it))
    assert (answer.status_code, answer.json()) == (200, {"taken": True})
    (intent,) = it.ledger.intents.values()
    assert (intent.kind, intent.lane) == (IntentKind.ERP_NEWS, "erp-news:orders")
    assert intent.payload == {"subject": "orders", "documents": ["MO0003"]}


async def test_a_replay_a_second_later_is_the_same_push() -> None:
    it = listening(SECRET)
    sent = headers(it)
    assert (await push(it, sent)).status_code == 200
    it.clock.turn(1)
    assert (await push(it, sent)).status_code == 200, "the sender may not know that it arrived"
    assert len(it.ledger.intents) == 1


async def test_a_replay_after_the_window_is_refused() -> None:
    it = listening(SECRET)
    sent = headers(it)
    it.clock.turn(timedelta(minutes=6).total_seconds())
    assert (await push(it, sent)).status_code == 403
    assert not it.ledger.intents


FORGED: dict[str, Any] = {
    "no signature": {"webhook-signature": ""},
    "no id": {"webhook-id": ""},
    "another id": {"webhook-id": "push-2"},
    "another time": {"webhook-timestamp": "1767614460"},
    "a time that is none": {"webhook-timestamp": "noon"},
    "a time without end": {"webhook-timestamp": "9" * 30},
    "another scheme": {"webhook-signature": "v2,AAAA"},
    "not base64": {"webhook-signature": "v1,!!!"},
    "an empty digest": {"webhook-signature": "v1,"},
    "many guesses": {"webhook-signature": " ".join(["v1,AAAA"] * 500)},
}


@pytest.mark.parametrize("changes", FORGED.values(), ids=FORGED)
async def test_a_forged_push_is_refused_and_leaves_nothing(changes: Mapping[str, str]) -> None:
    it = listening(SECRET)
    answer = await push(it, headers(it, **changes))
    assert answer.status_code == 403
    assert "correct-horse" not in answer.text
    assert not it.ledger.intents


async def test_a_body_that_was_written_anew_is_refused() -> None:
    it = listening(SECRET)
    assert (await push(it, headers(it), json.dumps(json.loads(BODY), indent=1).encode())).status_code == 403


async def test_without_a_secret_nobody_is_believed() -> None:
    """Nor is a stranger told which key of the configuration is empty; whoever keeps the hub is."""
    it = listening()
    answer = await push(it, headers(it))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not-signed")
    assert "secret" not in answer.text and "角色" not in answer.text
    async with it.as_person("manager-1") as client:
        told = (await client.get("/api/status")).json()["refused_pushes"]
    assert told["count"] == {"erp": 1} and "push_secrets" in told["last"]["erp"]


async def test_a_push_that_cannot_be_read_is_told_so() -> None:
    it = listening(SECRET)
    for body in (b"{", b"[]", b'{"subject": "weather"}', b'{"subject": "orders", "documents": 7}', b"<a/>"):
        assert (await push(it, headers(it, body=body), body)).status_code == 400, body
    assert not it.ledger.intents


async def test_the_old_secret_holds_while_it_is_being_changed() -> None:
    it = listening(SecretStr("a-brand-new-secret-of-ours"), SECRET)
    assert (await push(it, headers(it))).status_code == 200
