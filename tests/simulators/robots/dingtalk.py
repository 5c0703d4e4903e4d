"""A DingTalk custom robot: `POST /robot/send?access_token=&timestamp=&sign=`, every refusal with HTTP 200."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from hub.ports import Clock
from tests.simulators.robots.allowance import Allowance
from tests.simulators.robots.inbox import Inbox

BODY_BYTES, MAX_AT, KEYWORDS = 20_000, 50, 10
OFF_BY = 3_600_000  # milliseconds
BLOCK = 600.0
NEEDS = {
    "text": {"content"}, "markdown": {"title", "text"}, "link": {"title", "text", "messageUrl"},
    "actionCard": {"title", "text"}, "feedCard": {"links"},
}  # fmt: skip


class No(Exception):
    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


class DingTalkRobot:
    name = "dingtalk"

    def __init__(self, token: str, secret: str, clock: Clock, inbox: Inbox) -> None:
        self._token, self._secret = token, secret
        self._clock = clock
        self._inbox = inbox
        self.allowance = Allowance(block=BLOCK)
        self.keywords: list[str] = []
        self.ips: list[str] = []
        self.lenient = False  # whether a sign that was encoded twice is taken: the live service is unknown
        self.stopped = False
        self._seen = {n.uuid for n in inbox.of(self.name) if n.uuid}

    def answer(
        self, method: str, query: Mapping[str, str], content_type: str, content: bytes
    ) -> dict[str, Any]:
        try:
            self._take(method, query, content_type, content)
        except No as no:
            self._inbox.refuse(self.name, self._clock.now(), no.code, no.text)
            more = {"status": 1111, "wait": 5, "punish": "deny"} if no.code == 130101 else {}
            return {"errcode": no.code, "errmsg": no.text} | more
        return {"errcode": 0, "errmsg": "ok"}

    def settle(self, wishes: Mapping[str, Any]) -> None:
        """`window`, `keywords`, `ips`, `lenient`, `secret`, `stopped`, `reset`."""
        self.allowance.window = wishes.get("window", self.allowance.window)
        self.keywords = wishes.get("keywords", self.keywords)[:KEYWORDS]
        self.ips = wishes.get("ips", self.ips)
        self.lenient = wishes.get("lenient", self.lenient)
        self._secret = wishes.get("secret", self._secret)
        self.stopped = wishes.get("stopped", self.stopped)
        if wishes.get("reset"):
            self.allowance.reset()

    def _take(self, method: str, query: Mapping[str, str], content_type: str, content: bytes) -> None:
        if method != "POST":
            raise No(43002, "require POST method")
        if not query.get("access_token"):
            raise No(88, "access_token is blank")
        if query["access_token"] != self._token:
            raise No(300005, "token is not exist")
        if self.stopped:
            raise No(400102, "robot is stopped")
        if "json" not in content_type:
            raise No(43004, "invalid content type")
        if len(content) > BODY_BYTES:
            raise No(460101, "message too long")
        self._secure(query)
        body = _object(content)
        kind, part = _part(body)
        text, title = _texts(kind, part)
        if self.keywords and not any(k in title + text for k in self.keywords):
            raise No(310000, "keywords not in content, more: [https://ding-doc.dingtalk.com/doc]")
        uuid = str(body.get("msgUuid", ""))
        if uuid and uuid in self._seen:
            return
        if not self.allowance.take(self._clock.monotonic()):
            raise No(130101, "send too fast, exceed 20 times per minute")
        if uuid:
            self._seen.add(uuid)
        shown, ignored = _mentions(body.get("at") or {}, kind, text)
        self._inbox.show(
            self.name, self._clock.now(), msgtype=kind, text=text, title=title, mentions=shown,
            ignored=ignored, uuid=uuid, body=body,
        )  # fmt: skip

    def _secure(self, query: Mapping[str, str]) -> None:
        if self.ips and "127.0.0.1" not in self.ips:
            raise No(310000, "ip 127.0.0.1 not in whitelist")
        if not self._secret:
            return
        sent, sign = query.get("timestamp", ""), query.get("sign", "")
        now = int(self._clock.now().timestamp() * 1000)
        if not sent.isdigit() or abs(now - int(sent)) > OFF_BY:
            raise No(310000, "invalid timestamp, more: [https://ding-doc.dingtalk.com/doc]")
        mac = hmac.new(self._secret.encode(), f"{sent}\n{self._secret}".encode(), hashlib.sha256).digest()
        right = base64.b64encode(mac).decode()
        if not (hmac.compare_digest(sign, right) or (self.lenient and unquote(sign) == right)):
            raise No(310000, "sign not match, more: [https://ding-doc.dingtalk.com/doc]")


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content.decode("utf-8"))
    except ValueError:
        raise No(40035, "invalid parameter: body is not json") from None
    if not isinstance(body, dict):
        raise No(40035, "invalid parameter: body is not an object")
    return body


def _part(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    kind = body.get("msgtype")
    if kind not in NEEDS:
        raise No(400105, "unsupported msgtype")
    part = body.get(kind)
    missing = [n for n in NEEDS[kind] if not isinstance(part, dict) or not part.get(n)]
    if missing or not isinstance(part, dict):
        raise No(40035, f"missing parameter {', '.join(sorted(missing))}")
    return kind, part


def _texts(kind: str, part: dict[str, Any]) -> tuple[str, str]:
    if kind == "feedCard":
        return "\n".join(str(link.get("title", "")) for link in part["links"]), ""
    return str(part.get("text" if kind != "text" else "content", "")), str(part.get("title", ""))


def _mentions(at: dict[str, Any], kind: str, text: str) -> tuple[list[str], list[str]]:
    """A mention rings only when it also stands in the text; a plain text mentions without that."""
    asked = [*map(str, at.get("atUserIds") or []), *map(str, at.get("atMobiles") or [])][:MAX_AT]
    if at.get("isAtAll") is True:
        asked.append("all")
    if kind == "link":
        return [], asked
    shown = [a for a in asked if kind == "text" or a == "all" or f"@{a}" in text]
    return shown, [a for a in asked if a not in shown]
