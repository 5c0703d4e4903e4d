"""Which Origin is ours."""

from __future__ import annotations

import pytest

from hub.api.origin import origin_of, ours

HOST = "10.0.0.7:8800"


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "https://10.0.0.7:8800", "http://10.0.0.7", "http://10.0.0.7:8801", "null", "",
        "http://10.0.0.7:8800.evil.example", "http://10.0.0.7:8800@evil.example", "http://10.0.0.7:8800/",
        "http://user@10.0.0.7:8800", "http://evil.example#10.0.0.7:8800", "http://evil.example?http://10.0.0.7:8800",
        "ftp://10.0.0.7:8800", "10.0.0.7:8800", "http://10.0.0.7:8800, http://10.0.0.7:8800", "file://", "http://",
        "http://10.0.0.7:8800\\@evil.example", "http://[::1", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_an_origin_that_only_looks_like_ours_is_not(origin: str) -> None:
    assert not ours([origin], [HOST], "http", "", [])


def test_the_address_that_was_asked_is_ours() -> None:
    assert ours(["http://10.0.0.7:8800"], [HOST], "http", "", [])
    assert ours(["http://10.0.0.7:8800"], [HOST], "ws", "", [])
    assert ours(["https://10.0.0.7:8800"], [HOST], "wss", "", [])
    assert ours(["http://hub.plant"], ["Hub.Plant:80"], "http", "", [])


@pytest.mark.parametrize(
    "origins", [[], ["http://10.0.0.7:8800"] * 2, ["http://10.0.0.7:8800", "http://evil"]]
)
def test_no_origin_and_two_origins_are_refused(origins: list[str]) -> None:
    assert not ours(origins, [HOST], "http", "", [])


def test_two_hosts_are_refused() -> None:
    assert not ours(["http://10.0.0.7:8800"], [HOST, "evil.example"], "http", "", [])


def test_the_public_address_and_the_list_are_ours_too() -> None:
    public, listed = "https://andon.plant.example/phone", ["https://portal.example/"]
    assert ours(["https://andon.plant.example"], [HOST], "http", public, listed)
    assert ours(["https://portal.example"], [HOST], "http", public, listed)
    assert not ours(["http://portal.example"], [HOST], "http", public, listed)


def test_http_is_not_https_behind_a_proxy_that_ends_tls() -> None:
    public = "https://andon.plant.example"
    assert not ours(["http://andon.plant.example"], ["andon.plant.example"], "http", public, [])
    assert ours(["https://andon.plant.example"], ["andon.plant.example"], "http", public, [])


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://Hub.Example:443/phone?x", "https://hub.example"),
        ("http://hub:80", "http://hub"),
        ("http://[::1]:8800/", "http://[::1]:8800"),
        ("", ""),
        ("hub.example", ""),
        ("ftp://hub", ""),
    ],
)
def test_an_address_has_one_origin(url: str, origin: str) -> None:
    assert origin_of(url) == origin
