"""Behind a proxy, and from portals that the configuration lists."""

from __future__ import annotations

import pytest

from hub.api.app import build
from hub.api.auth import Door
from hub.api.tokens import csrf_of
from hub.model.people import Role
from tests.api_house import House, house

pytestmark = pytest.mark.anyio

PUBLIC, PORTAL = "https://andon.example", "https://portal.example"


async def logout(it: House, origin: str, host: str) -> int:
    client = it.as_role(Role.VIEWER, Origin=origin, Host=host)
    client.headers["X-Andon-CSRF"] = csrf_of(it.token("viewer-1"))
    async with client:
        return (await client.post("/api/logout")).status_code


@pytest.mark.parametrize("own_door", [True, False])
async def test_public_address_and_listed_portals_may_post_whoever_made_the_door(own_door: bool) -> None:
    it = house(public_url=PUBLIC, allowed_origins=(PORTAL,))
    if own_door:
        it.app = build(it.deps, Door(it.deps.plant.people, it.people, it.clock))
    assert await logout(it, PUBLIC, "andon.example") == 204
    assert await logout(it, PORTAL, "andon.example") == 204
    assert await logout(it, "http://andon.example", "andon.example") == 403
    assert await logout(it, "https://other.example", "andon.example") == 403
