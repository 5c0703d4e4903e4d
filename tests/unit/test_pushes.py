"""Pushes signed after Standard Webhooks: what its own library signs is believed, nothing else is."""

from __future__ import annotations

import base64
import gzip
from datetime import datetime, timedelta

import pytest
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook

from hub.errors import NotAllowed, Refused
from hub.model.erp import ErpPush
from hub.testing.clock import NOON
from hub.webhooks import body_of, signature, too_weak, verified

PLAIN = base64.b64encode(bytes(range(24))).decode()
SECRET = SecretStr(f"whsec_{PLAIN}")
OLD = SecretStr("whsec_" + base64.b64encode(b"the secret of last year 24").decode())
BODY = b'{"type": "order.updated", "no": "WO-1"}'


def push(said: str, *, about: str = "msg_1", at: datetime = NOON, body: bytes = BODY) -> ErpPush:
    headers = {
        "webhook-id": about, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": said,
    }  # fmt: skip
    return ErpPush(headers, {}, body)


def signed(secret: SecretStr = SECRET, about: str = "msg_1", at: datetime = NOON, body: bytes = BODY) -> str:
    """By the specification's own library."""
    return Webhook(secret.get_secret_value()).sign(about, at, body.decode())


@pytest.mark.parametrize("secret", [SECRET, SecretStr(PLAIN)])
def test_what_the_official_library_signs_is_believed(secret: SecretStr) -> None:
    assert verified(push(signed(secret)), [secret], NOON) == "msg_1"


def test_what_we_sign_the_official_library_believes() -> None:
    said = signature("msg_1", NOON, BODY, SECRET)
    assert said == signed()


def test_a_sender_that_takes_the_text_itself_for_the_key_is_believed_too() -> None:
    secret = SecretStr("a sentence that a clerk made up")
    assert verified(push(signature("msg_1", NOON, BODY, secret)), [secret], NOON) == "msg_1"


def test_while_a_secret_is_changed_both_are_good() -> None:
    for said in (signed(), signed(OLD), f"{signed(OLD)} {signed()}", f"v2,abc v1a,def {signed()}"):
        assert verified(push(said), [SECRET, OLD], NOON) == "msg_1"
    with pytest.raises(NotAllowed):
        verified(push(signed(OLD)), [SECRET], NOON)


@pytest.mark.parametrize(
    "forged",
    [
        push(signed(), about="msg_2"),
        push(signed(), at=NOON + timedelta(seconds=1)),
        push(signed(), body=BODY + b" "),
        push(signed(body=b"{}")),
        push(signed(OLD)),
        push(signed().replace("v1,", "v1a,")),
        push(signed().replace("v1,", "")),
        push("v1,"),
        push("v1,not-base64-at-all!"),
        push(signed()[:-4]),
        push(""),
        push("v1,\u4e3b"),
        ErpPush({}, {}, BODY),
        ErpPush({"webhook-id": "msg_1", "webhook-signature": signed()}, {}, BODY),
    ],
)
def test_a_forged_push_is_not_believed(forged: ErpPush) -> None:
    with pytest.raises(NotAllowed) as told:
        verified(forged, [SECRET], NOON)
    assert PLAIN not in str(told.value)


@pytest.mark.parametrize(("off", "good"), [(-299, True), (299, True), (-301, False), (301, False)])
def test_five_minutes_are_the_limit_either_way(off: int, good: bool) -> None:
    late = push(signed())
    if good:
        assert verified(late, [SECRET], NOON + timedelta(seconds=off))
        return
    with pytest.raises(NotAllowed, match="five minutes"):
        verified(late, [SECRET], NOON + timedelta(seconds=off))


@pytest.mark.parametrize("stamp", ["noon", "1e9999", "9" * 40, "-9" + "9" * 30])
def test_a_time_that_is_none_is_refused_not_a_crash(stamp: str) -> None:
    said = ErpPush({"webhook-id": "m", "webhook-timestamp": stamp, "webhook-signature": "v1,AAAA"}, {}, b"")
    with pytest.raises(NotAllowed):
        verified(said, [SECRET], NOON)


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(NotAllowed) as told:
        verified(push(signed()), [], NOON)
    assert told.value.code == "no-webhooks"


def test_a_weak_secret_is_told_with_a_remedy() -> None:
    assert "openssl" in too_weak(SecretStr("short"))
    assert "openssl" in too_weak(SecretStr(""))
    assert "base64" in too_weak(SecretStr("whsec_this is no base64 at all"))
    assert not too_weak(SECRET)


def test_a_body_that_is_no_json_is_told() -> None:
    with pytest.raises(Refused, match="JSON"):
        body_of(ErpPush({}, {}, b"<xml/>"))


def test_a_packed_body_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match="is packed with gzip; send it as it is"):
        body_of(push("", body=gzip.compress(BODY)))
