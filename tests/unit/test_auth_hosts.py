"""Under which names the hub answers: a stranger's name that points at us is not one of them."""

from __future__ import annotations

import socket

import pytest

from hub.api.hosts import hosts_of
from hub.model.people import Role
from tests.api_house import House, house

OWN = hosts_of("127.0.0.1", "https://Andon.Example/", ("https://portal.example:8443",))
EVERYWHERE = hosts_of("0.0.0.0", "", ())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8800", "localhost", "LOCALHOST:8800", "[::1]:8800", "andon.example", "Andon.Example.:443",
        "portal.example", "127.8.0.1",
    ],
)  # fmt: skip
def test_our_names_and_this_machine_itself_are_answered(host: str) -> None:
    assert OWN.know([host])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8800", "andon.example.evil.example", "127.0.0.1.evil.example",
        "localhost.evil.example", "10.0.0.5:8800", "andon.example@evil.example", "andon.example/x", "",
        "127.0.0.1:8800, evil.example", "[::1", "2130706433", "0x7f.1",
    ],
)  # fmt: skip
def test_a_name_that_only_points_at_us_is_not_ours(host: str) -> None:
    assert not OWN.know([host])


def test_no_name_and_two_names_are_none() -> None:
    assert not OWN.know([])
    assert not OWN.know(["localhost", "localhost"])


def test_listening_everywhere_any_address_in_digits_is_ours_but_no_strange_name() -> None:
    assert EVERYWHERE.know(["10.0.0.5:8800"])
    assert EVERYWHERE.know(["[fd00::5]:8800"])
    assert EVERYWHERE.know([f"{socket.gethostname()}:8800"])
    assert not EVERYWHERE.know(["evil.example:8800"])
    assert not EVERYWHERE.know(["10.0.0.5.evil.example"])


def test_a_name_we_listen_on_is_ours() -> None:
    assert hosts_of("andon.plant.lan", "", ()).know(["andon.plant.lan:8800"])


PATHS = ("/metrics", "/health", "/api/me", "/api/login", "/nothing")


@pytest.fixture
def it() -> House:
    return house()


@pytest.mark.anyio
@pytest.mark.parametrize("path", PATHS)
async def test_no_route_answers_a_strange_name_not_even_on_this_machine(it: House, path: str) -> None:
    async with it.as_role(Role.ADMIN, address="127.0.0.1", Host="evil.example:8800") as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "foreign-host")
    async with it.as_role(Role.ADMIN, address="127.0.0.1", Host="localhost:8800") as client:
        assert (await client.get(path)).status_code != 421
