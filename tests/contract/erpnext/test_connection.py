"""Who we are, where the site is, and what it says when it says no."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from erp_bridge.erpnext import ErpNextConnector
from hub.errors import ConfigError, ErpRefused, ErpUnavailable
from hub.model.erp import PostingKind
from hub.testing.clock import HandClock
from tests.contract.erpnext.said import AT, KEY, Connect, posting, report, ticket
from tests.simulators.erpnext import seed
from tests.simulators.erpnext.server import ErpNextSimulator
from tests.simulators.erpnext.site import User

pytestmark = pytest.mark.anyio


async def test_a_page_instead_of_an_answer_names_the_site(clock: HandClock, connect: Connect) -> None:
    with ErpNextSimulator(now=clock.now, host="erp.factory.example") as erp:
        with pytest.raises(ErpUnavailable, match="check url and site"):
            await connect(erp).find_ticket(KEY)
        assert await connect(erp, site="erp.factory.example").find_ticket(KEY) is None


async def test_key_and_secret_may_go_as_basic_authentication(erp: ErpNextSimulator, connect: Connect) -> None:
    assert (await connect(erp, scheme="basic").probe())["login"] == f"✓ {seed.BRIDGE.email}"


async def test_a_right_that_is_missing_is_told_with_the_user_to_mend(
    erp: ErpNextSimulator, connect: Connect
) -> None:
    erp.site.users.append(User("poor@x", "poor-key", "poor-secret", roles=frozenset({"Stock User"})))
    with pytest.raises(ErpRefused, match="roles of the user of api_key"):
        await connect(erp, api_key="poor-key", api_secret="poor-secret").open_ticket(KEY, ticket())


async def test_words_within_words_within_words_are_read(connector: ErpNextConnector) -> None:
    """A list of JSON texts in a JSON text, in the body."""
    late = posting(lot="", quantity=1.0, item="NO-SUCH-ITEM", at=AT)
    with pytest.raises(ErpRefused, match="417 LinkValidationError: Could not find item_code: NO-SUCH-ITEM"):
        await connector.post(PostingKind.ISSUE, "P-1", late)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"url": "https://erp.example/app"}, "write the host alone"),
        ({"api_secret": ""}, "is empty"),
        ({"time_zone": "China"}, "not an IANA time zone"),
        ({"documents": {"tickets": {}}}, "no such document; there are repair"),
    ],
)
async def test_what_cannot_be_configured_says_what_to_write(changes: dict[str, Any], told: str) -> None:
    block = {"url": "https://erp.example", "api_key": "k", "api_secret": "s"}
    with pytest.raises(ValidationError, match=told):
        ErpNextConnector.Config.model_validate(block | changes)


async def test_an_expression_that_cannot_be_read_is_named(erp: ErpNextSimulator, connect: Connect) -> None:
    with pytest.raises(ConfigError, match=r"documents\.repair\.write\.custom_x"):
        connect(erp, documents={"repair": {"write": {"custom_x": "cut("}}})


LESS = frozenset({"getdoctype", "row-filters", "long-pages", "make_stock_entry"})
PAGES = LESS | {"pages"}  # what is not there is a page for people


@pytest.mark.parametrize("lacks", [LESS, PAGES, *(frozenset({one}) for one in sorted(LESS))], ids=sorted)
async def test_a_release_that_can_less_does_the_same(
    clock: HandClock, connect: Connect, lacks: frozenset[str]
) -> None:
    with ErpNextSimulator(now=clock.now, lacks=lacks) as erp:
        connector = connect(erp, page_rows=500)
        number = await connector.report_operation("R-1", report())
        assert await connect(erp).find_report("R-1") == number
        assert await connect(erp).find_report("R-2") is None
        assert await connector.post(PostingKind.RECEIPT, "P-1", posting())
        assert await connector.open_ticket(KEY, ticket()) == await connector.find_ticket(KEY)
        for at in range(30):
            with erp.site.lock:
                data = {"item_code": f"M-{at}", "item_name": "料", "stock_uom": "Nos"}
                erp.site.insert("Item", data, seed.CLERK)
        assert len(await connector.items(None)) == 37
        assert [s for s in (await connector.probe()).values() if s.startswith("✗")] == []
