"""A WeCom group robot: `POST /cgi-bin/webhook/send?key=`, every refusal with HTTP 200.

Vendor pages path/91770 (messages, limits) and path/90313 (codes). Lengths are counted in bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from hub.ports import Clock
from tests.simulators.robots.allowance import Allowance
from tests.simulators.robots.inbox import Inbox

TEXT_BYTES, MARKDOWN_BYTES, IMAGE_BYTES, ARTICLES = 2048, 4096, 2 * 1024 * 1024, 8
HINT = "hint: [1795305600123456789012345], from ip: 127.0.0.1"
MENTION = re.compile(r"<@([\w.@-]+)>")


class No(Exception):
    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(text)


class WeComRobot:
    name = "wecom"

    def __init__(self, key: str, clock: Clock, inbox: Inbox) -> None:
        self._key = key
        self._clock = clock
        self._inbox = inbox
        self.allowance = Allowance()
        self.too_long_code = 40058
        self.removed = False

    def answer(
        self, method: str, query: Mapping[str, str], content_type: str, content: bytes
    ) -> dict[str, Any]:
        try:
            self._take(method, query, content)
        except No as no:
            self._inbox.refuse(self.name, self._clock.now(), no.code, no.text)
            return {"errcode": no.code, "errmsg": f"{no.text}, {HINT}"}
        return {"errcode": 0, "errmsg": "ok"}

    def settle(self, wishes: Mapping[str, Any]) -> None:
        """`window` sliding or fixed, `too_long_code` 40058 or 45002, `removed`, `reset`."""
        self.allowance.window = wishes.get("window", self.allowance.window)
        self.too_long_code = wishes.get("too_long_code", self.too_long_code)
        self.removed = wishes.get("removed", self.removed)
        if wishes.get("reset"):
            self.allowance.reset()

    def _take(self, method: str, query: Mapping[str, str], content: bytes) -> None:
        if method != "POST":
            raise No(43002, "require POST method")
        if self.removed or query.get("key") != self._key:
            raise No(93000, "invalid webhook url")
        body = _object(content)
        kind = body.get("msgtype")
        readers = {
            "text": self._text, "markdown": self._markdown, "markdown_v2": self._markdown,
            "image": _image, "news": _news, "file": _media, "voice": _media, "template_card": _card,
        }  # fmt: skip
        if kind not in readers:
            raise No(40008, "invalid message type")
        part = body.get(kind)
        if not isinstance(part, dict):
            raise No(44004, "empty content")
        text, mentions = readers[kind](part, kind)
        if not self.allowance.take(self._clock.monotonic()):
            raise No(45009, "api freq out of limit")
        self._inbox.show(self.name, self._clock.now(), msgtype=kind, text=text, mentions=mentions, body=body)

    def _text(self, part: dict[str, Any], kind: str) -> tuple[str, list[str]]:
        text = self._content(part, kind, TEXT_BYTES)
        people = part.get("mentioned_list", []) or []
        phones = part.get("mentioned_mobile_list", []) or []
        return text, [*map(str, people), *map(str, phones)]

    def _markdown(self, part: dict[str, Any], kind: str) -> tuple[str, list[str]]:
        text = self._content(part, kind, MARKDOWN_BYTES)
        return text, MENTION.findall(text) if kind == "markdown" else []

    def _content(self, part: dict[str, Any], kind: str, limit: int) -> str:
        text = part.get("content")
        if not isinstance(text, str) or not text:
            raise No(44004, "empty content")
        if len(text.encode()) > limit:
            said = f"{kind}.content exceed max length {limit}. invalid Request Parameter"
            raise No(self.too_long_code, said if self.too_long_code == 40058 else "content size out of limit")
        return text


def _object(content: bytes) -> dict[str, Any]:
    if not content:
        raise No(44002, "empty post data")
    try:
        body = json.loads(content.decode("utf-8"))
    except ValueError:
        raise No(47001, "data format error") from None
    if not isinstance(body, dict):
        raise No(47001, "data format error")
    return body


def _image(part: dict[str, Any], kind: str) -> tuple[str, list[str]]:
    try:
        raw = base64.b64decode(part.get("base64", ""), validate=True)
    except (binascii.Error, TypeError):
        raise No(40009, "invalid image size") from None
    if not 0 < len(raw) <= IMAGE_BYTES:
        raise No(40009, "invalid image size")
    if hashlib.md5(raw).hexdigest() != part.get("md5"):
        raise No(301019, "file md5 not match")
    return f"[image, {len(raw)} bytes]", []


def _news(part: dict[str, Any], kind: str) -> tuple[str, list[str]]:
    articles = part.get("articles") or []
    if not articles or not all(a.get("title") and a.get("url") for a in articles):
        raise No(44004, "empty content")
    if len(articles) > ARTICLES:
        raise No(45008, "article count out of limit")
    return "\n".join(_bytes(a["title"], 128) for a in articles), []


def _media(part: dict[str, Any], kind: str) -> tuple[str, list[str]]:
    if not part.get("media_id"):
        raise No(40007, "invalid media_id")
    return f"[{kind}]", []


def _card(part: dict[str, Any], kind: str) -> tuple[str, list[str]]:
    """Only the two notices: the robot has no card with buttons that call back."""
    if part.get("card_type") not in ("text_notice", "news_notice"):
        raise No(42031, "invalid template_card card_type")
    action = part.get("card_action") or {}
    if action.get("type") not in (1, 2) or (action["type"] == 1 and not action.get("url")):
        raise No(42045, "invalid template_card card_action")
    for name, most, code in (("horizontal_content_list", 6, 42035), ("vertical_content_list", 4, 42036),
                             ("jump_list", 3, 42042)):  # fmt: skip
        if len(part.get(name) or []) > most:
            raise No(code, f"invalid template_card {name}")
    if any(not h.get("keyname") for h in part.get("horizontal_content_list") or []):
        raise No(42035, "invalid template_card horizontal_content_list")
    title = (part.get("main_title") or {}).get("title", "")
    if not title and not part.get("sub_title_text"):
        raise No(44004, "empty content")
    return "\n".join(filter(None, [title, part.get("sub_title_text", "")])), []


def _bytes(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")
