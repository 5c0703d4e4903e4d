"""Who the hub is to an OPC UA server, and servers that show themselves to nobody they do not know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.uaprocessor import UaProcessor
from asyncua.server.user_managers import UserManager
from asyncua.ua.ua_binary import uatcp_to_binary
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import ValidationError

from collectors.opcua import OpcUaCollector
from collectors.opcua_security import read_certificate, thumbprint
from hub.clock import SystemClock
from hub.errors import SourceRefused
from hub.model.sample import Tag
from hub.model.words import Words
from tests.certificates import Owner
from tests.simulators.devices import Heard, OpcUaPlant

pytestmark = pytest.mark.anyio

TAGS = {"m/load": Tag(1, "m/load", Words("", "load"))}
URI = "urn:test:server"


class Certified(UserManager):  # type: ignore[misc]
    """Knows one user certificate, and no names."""

    def __init__(self, known: bytes) -> None:
        self._known = known

    def get_user(
        self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None
    ) -> User | None:
        return User(UserRole.User, "hub") if certificate == self._known and username is None else None


@pytest.fixture(scope="module")
def owners(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Owner]:
    folder = tmp_path_factory.mktemp("owners")
    uris = {"hub": "urn:andon-hub:plant-1", "server": URI, "user": "urn:user:hub", "stranger": "urn:user:no"}
    return {name: Owner.make(folder, name, uri) for name, uri in uris.items()}


@pytest.fixture(scope="module")
async def plant(owners: dict[str, Owner]) -> AsyncIterator[OpcUaPlant]:
    known = read_certificate(owners["user"].certificate).public_bytes(Encoding.DER)
    policies = [ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    load = {"load": ua.Variant(0.5, ua.VariantType.Float)}
    made = OpcUaPlant(load, policies=policies, users=Certified(known))
    await made.identify(owners["server"].certificate, owners["server"].key, URI)
    async with made:
        yield made


@pytest.fixture
def settings(plant: OpcUaPlant, owners: dict[str, Owner], tmp_path: Path) -> dict[str, Any]:
    owners["server"].put_into(tmp_path)
    own = {"certificate": str(owners["hub"].certificate), "key": str(owners["hub"].key)}
    return {
        "endpoint": plant.endpoint, "security": {**own, "trust_folder": str(tmp_path)}, "interval": "50ms",
        "nodes": [{"tag": "m/load", "node": plant.node("load")}], **as_user(owners["user"]),
    }  # fmt: skip


def as_user(owner: Owner) -> dict[str, str]:
    return {"user_certificate": str(owner.certificate), "user_key": str(owner.key)}


def collector(settings: dict[str, Any]) -> OpcUaCollector:
    return OpcUaCollector(OpcUaCollector.Config.model_validate(settings), SystemClock(), TAGS, "cnc")


async def heard(settings: dict[str, Any]) -> float | None:
    sink = Heard()
    task = asyncio.create_task(collector(settings).run(sink))
    waiting = asyncio.create_task(sink.until(lambda: bool(sink.of(1))))
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    waiting.cancel()
    [ended, _] = await asyncio.gather(task, waiting, return_exceptions=True)
    if isinstance(ended, SourceRefused):
        raise ended
    return sink.last(1).value


async def test_a_certificate_logs_a_user_in(settings: dict[str, Any]) -> None:
    assert await heard(settings) == 0.5


async def test_a_user_certificate_that_ends_first_is_the_one_that_is_told_of(
    settings: dict[str, Any],
    owners: dict[str, Owner],
    caplog: pytest.LogCaptureFixture,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    ending = Owner.make(tmp_path_factory.mktemp("user"), "ending", "urn:user:ending", (-1, 20))
    one = collector({**settings, **as_user(ending)})
    with pytest.raises(SourceRefused):
        await one.run(Heard())
    assert "cnc: our user certificate ends in 19 days; renew it, let the server trust" in caplog.text
    assert "our OPC UA certificate ends" not in caplog.text
    until = read_certificate(ending.certificate).not_valid_after_utc
    assert one.line.own_until == until < read_certificate(owners["hub"].certificate).not_valid_after_utc
    one._look_at_ours()
    assert one.line.own_until == until


async def test_a_user_the_server_does_not_know_is_refused_with_the_remedy(
    settings: dict[str, Any], owners: dict[str, Owner]
) -> None:
    shown = thumbprint(read_certificate(owners["stranger"].certificate))
    with pytest.raises(SourceRefused, match=f"user certificate {shown} in its list of trusted users"):
        await heard({**settings, **as_user(owners["stranger"])})
    nobody = {**settings, "user_certificate": None, "user_key": None}
    with pytest.raises(SourceRefused, match="user: and password: or user_certificate: and user_key:"):
        await heard(nobody)
    with pytest.raises(SourceRefused, match="correct user: and password:") as caught:
        await heard({**nobody, "user": "li", "password": "secret-0815"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user_key": None}, "go together"),
        ({"user": "li", "password": "p"}, "keep one"),
        ({"security": "none"}, "protected line"),
    ],
)
async def test_a_log_in_that_cannot_be_meant_is_explained(
    settings: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        collector({**settings, **change})


@pytest.mark.parametrize("whose", ["user", "hub"])
async def test_a_key_that_is_of_no_use_is_named(
    settings: dict[str, Any], owners: dict[str, Owner], tmp_path: Path, whose: str
) -> None:
    (keys := tmp_path / "keys").mkdir()
    broken = keys / "broken.pem"
    broken.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for key, said in (
        (broken, "broken.pem is no private key"),
        (keys / "none.pem", "none.pem cannot be read"),
        (owners["stranger"].key, "is not the RSA key of the certificate beside it"),
    ):
        change = {"user_key": str(key)} if whose == "user" else {}
        security = {**settings["security"], **({"key": str(key)} if whose == "hub" else {})}
        with pytest.raises(SourceRefused, match=said):
            await heard({**settings, **change, "security": security})


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """As open62541 can be set: without protection it does not even tell which endpoints it has."""
    opened = UaProcessor.open_secure_channel

    def open_secure_channel(self: Any, algohdr: Any, seqhdr: Any, body: Any) -> None:
        if algohdr.SecurityPolicyURI.endswith("#None"):
            said = ua.ErrorMessage(ua.StatusCode(ua.UInt32(0x80550000)), "")  # BadSecurityPolicyRejected
            self._transport.write(uatcp_to_binary(ua.MessageType.Error, said))
        else:
            opened(self, algohdr, seqhdr, body)

    monkeypatch.setattr(UaProcessor, "open_secure_channel", open_secure_channel)


@pytest.mark.usefixtures("hidden")
async def test_a_server_that_shows_strangers_nothing_is_known_by_the_certificate_we_trust(
    settings: dict[str, Any], owners: dict[str, Owner], tmp_path: Path
) -> None:
    assert await heard(settings) == 0.5
    owners["stranger"].put_into(tmp_path)
    with pytest.raises(SourceRefused, match="name its certificate in security: server_certificate:"):
        await heard(settings)
    named = {**settings["security"], "server_certificate": str(owners["server"].certificate)}
    assert await heard({**settings, "security": named}) == 0.5


@pytest.mark.usefixtures("hidden")
async def test_an_open_line_to_a_server_that_wants_none_is_refused_with_the_remedy(
    settings: dict[str, Any],
) -> None:
    nobody = {"user_certificate": None, "user_key": None}
    with pytest.raises(SourceRefused, match="wants a protected line: write security: with policy"):
        await heard({**settings, **nobody, "security": "none"})
