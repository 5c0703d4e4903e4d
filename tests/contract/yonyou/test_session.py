"""Tokens: one log-in at a time, a lost one unnoticed, a wrong set-up told by the name of what is wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from erp_bridge.yonyou_u9 import YonyouU9Connector
from hub.errors import ErpUnavailable
from hub.testing.clock import HandClock
from tests.contract.erp.worlds.yonyou import YonyouBooks
from tests.simulators.yonyou.server import YonyouSimulator

pytestmark = pytest.mark.anyio

Connect = Callable[..., YonyouU9Connector]
KEY = "AH-20260105-0007"


async def test_many_calls_at_once_log_in_once(erp: YonyouSimulator, connector: YonyouU9Connector) -> None:
    await asyncio.gather(*(connector.find_ticket(f"AH-{n}") for n in range(6)))
    assert erp.system.sessions.log_ins == 1


async def test_a_token_that_others_have_ended_is_renewed_once_for_all(
    erp: YonyouSimulator, connector: YonyouU9Connector
) -> None:
    await connector.find_ticket(KEY)
    erp.system.sessions.clear()
    await asyncio.gather(*(connector.find_ticket(f"AH-{n}") for n in range(6)))
    assert erp.system.sessions.log_ins == 2


async def test_an_old_token_is_renewed(connector: YonyouU9Connector, clock: HandClock) -> None:
    await connector.find_ticket(KEY)
    clock.turn(241 * 60)
    assert await connector.find_ticket(KEY) is None


@pytest.mark.parametrize("fault", ["session_dead", "http_401", "expired_after_commit"])
async def test_a_token_lost_while_something_is_made_makes_it_once(
    erp: YonyouSimulator, books: YonyouBooks, connector: YonyouU9Connector, repair: dict[str, Any], fault: str
) -> None:
    erp.system.documents.own_numbers = True  # or a number that is taken would save us
    erp.faults.add(fault, paths=["AHEquipRepair/Create"])
    await connector.open_ticket(KEY, repair)
    assert [t.key for t in await books.tickets()] == [KEY]


async def test_a_second_program_with_our_name_is_told_of(
    erp: YonyouSimulator, connector: YonyouU9Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in = erp.system.sessions.log_in

    def stolen(query: Any) -> str:
        token = log_in(query)
        erp.system.sessions.clear()
        return token

    monkeypatch.setattr(erp.system.sessions, "log_in", stolen)
    with pytest.raises(ErpUnavailable, match="client_id"):
        await connector.find_ticket(KEY)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"client_id": "nobody"}, "client_id"), ({"client_secret": "a-secret-that-is-wrong"},
        "client_secret"),
        ({"org_code": "999"}, "org_code"), ({"user_code": "nobody"}, "user_code"),
        ({"ent_code": "9"}, "ent_code"),
    ],
)  # fmt: skip
async def test_a_wrong_set_up_is_named_and_nothing_is_given_up(
    connect: Connect, wrong: dict[str, str], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ErpUnavailable, match=named) as told:
        await connect(**wrong).find_ticket(KEY)
    assert told.value.retry_after == timedelta(minutes=5)
    assert not told.value.in_doubt
    assert "a-secret-that-is-wrong" not in str(told.value) + caplog.text


async def test_an_address_that_is_not_allowed_is_told(
    erp: YonyouSimulator, connector: YonyouU9Connector
) -> None:
    erp.system.sessions.allowed = False
    with pytest.raises(ErpUnavailable, match="601"):
        await connector.find_ticket(KEY)


async def test_a_wrong_site_is_no_reason_to_give_a_ticket_up(
    erp: YonyouSimulator, connect: Connect, repair: dict[str, Any]
) -> None:
    with pytest.raises(ErpUnavailable, match="server_url"):
        await connect(server_url=erp.url.replace("U9C", "U9X")).open_ticket(KEY, repair)


async def test_the_secret_is_not_shown(connector: YonyouU9Connector, erp: YonyouSimulator) -> None:
    assert erp.account.client_secret not in repr(vars(connector)) + repr(connector._client)


@pytest.mark.parametrize("url", ["http://u9.example/", "ftp://u9.example/U9C", "http://u9.example/U9C?x=1"])
async def test_an_address_without_a_site_is_refused(connect: Connect, url: str) -> None:
    with pytest.raises(ValueError, match="server_url"):
        connect(server_url=url)


async def test_a_redirect_is_not_followed(
    connector: YonyouU9Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def moved(*_: Any, **__: Any) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://169.254.169.254/"})

    monkeypatch.setattr(connector._client._http, "post", moved)
    with pytest.raises(ErpUnavailable, match="302"):
        await connector.find_ticket(KEY)
