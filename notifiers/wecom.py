"""WeCom 企业微信 group robot: markdown to one group. Vendor page path/91770, codes path/90313.

HTTP 200 means that the robot heard us; only errcode 0 means that it spoke. It knows no idempotency key, so a
message that may have arrived already is marked as a repeat in its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, Field, HttpUrl, SecretStr, field_validator

from hub.config import Block, Duration
from hub.errors import DeliveryDeferred, DeliveryRefused
from hub.model.alarm import Priority
from hub.model.message import Message, Receipt
from hub.model.words import Language
from hub.ports import Clock
from notifiers.exchange import Exchange, masked
from notifiers.markup import Pairs, cut, fitted, literal, safe_link
from notifiers.throttle import Limits
from notifiers.wording import PersonKey

BUSY, TOO_OFTEN, TOO_PARALLEL = -1, 45009, 45033
TOO_LONG = (40058, 45002)  # 40058 means it only together with the words below
CRASHES_CLIENTS = 82004
REFUSALS = {
    40001: "the key is wrong", 40008: "message type not allowed", 40013: "the key is wrong",
    40033: "illegal characters", 40035: "illegal parameters", 40056: "illegal agent", 40058: "bad parameter",
    40063: "empty parameter", 41004: "no key was sent", 44001: "empty file", 44004: "empty content",
    45001: "too large", 45002: "content too long", 45008: "too many articles", 48002: "no permission",
    50003: "the robot is stopped", 60020: "our IP address is not trusted", 81013: "nobody may be reached",
    82001: "no recipient", 82004: "content is blocked", 93000: "the key is wrong or the robot was removed",
    93004: "the robot is stopped", 93008: "the robot is not in the group",
}  # fmt: skip

_LONGEST = re.compile(r"exceed max length (\d+)")
_TAGS = re.compile(r"^(?:【[^】]*】|\[[^\]]*\])+")


class WeComConfig(Block):
    """The `with:` block of a `kind: wecom` notifier."""

    key: SecretStr = Field(description="the part of the robot's address after key=")
    language: Language = "zh"
    mention_by_phone: bool = Field(
        False,
        description="a second message that mentions people without a WeCom id by phone; costs two of 20",
    )
    base_url: HttpUrl = HttpUrl("https://qyapi.weixin.qq.com")
    proxy: SecretStr | None = Field(None, description="http://user:password@host:port; none is used unasked")
    timeout: Duration = timedelta(seconds=10)
    per_minute: int = Field(18, ge=1, le=20, description="messages in 60 s; WeCom takes 20")
    critical_extra: int = Field(2, ge=0, le=19, description="on top for critical alarms; together at most 20")
    hold: Duration = Field(timedelta(seconds=60), description="pause after WeCom said: too often")
    markdown_bytes: int = Field(4096, ge=256, le=4096)
    text_bytes: int = Field(2048, ge=256, le=2048)

    @field_validator("key")
    @classmethod
    def _given(cls, key: SecretStr) -> SecretStr:
        if not key.get_secret_value().strip() or "/" in key.get_secret_value():
            raise ValueError("write only what follows key= in the robot's address")
        return key

    @field_validator("critical_extra")
    @classmethod
    def _within(cls, extra: int, info: Any) -> int:
        if extra + info.data.get("per_minute", 0) > 20:
            raise ValueError("per_minute and critical_extra together exceed the robot's 20 a minute")
        return extra


@dataclass(frozen=True, slots=True)
class Verdict:
    code: int
    text: str

    @property
    def longest(self) -> int | None:
        """Bytes the robot would have taken, when that was its complaint."""
        found = _LONGEST.search(self.text)
        if self.code not in TOO_LONG or (self.code == 40058 and found is None):
            return None
        return int(found[1]) if found else 2048


class WeComNotifier:
    """Says it once. Retrying is the outbox's business, not ours."""

    Config: type[BaseModel] = WeComConfig
    person_key: PersonKey = "wecom_id"

    def __init__(self, config: WeComConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._key = config.key.get_secret_value()
        proxy = config.proxy.get_secret_value() if config.proxy else None
        self._exchange = Exchange("WeCom", config.timeout, proxy)

    @property
    def language(self) -> Language:
        return self._config.language

    @property
    def limits(self) -> Limits:
        cost = 2 if self._config.mention_by_phone else 1
        return Limits(self._config.per_minute, self._config.critical_extra, cost)

    async def send(self, message: Message) -> Receipt:
        """Raises DeliveryDeferred (`limited` for 45009) or DeliveryRefused; errors hold no key."""
        verdict = await self._say(as_markdown(message, self._config.markdown_bytes))
        messages = 1
        if verdict.longest is not None:
            verdict = await self._say(as_markdown(message, min(verdict.longest, self._config.markdown_bytes)))
        elif verdict.code == CRASHES_CLIENTS:
            verdict = await self._say(as_text(message, self._config.text_bytes))
        self._judge(verdict)
        detail = {"errcode": "0"}
        if self._config.mention_by_phone and message.mention_phones:
            messages += 1
            detail["mention"] = await self._ring(message)
        return Receipt(detail=detail | {"messages": str(messages)})

    async def close(self) -> None:
        await self._exchange.close()

    async def _ring(self, message: Message) -> str:
        """The message itself has arrived: what goes wrong from here on is noted and not tried again."""
        try:
            verdict = await self._say(as_text(message, self._config.text_bytes))
        except DeliveryDeferred as cause:
            return str(cause)
        return "ok" if verdict.code == 0 else f"WeCom answered {verdict.code}"

    async def _say(self, body: dict[str, Any]) -> Verdict:
        url = f"{str(self._config.base_url).rstrip('/')}/cgi-bin/webhook/send"
        answer = await self._exchange.post(url, {"key": self._key}, body)
        match answer.body:
            case {"errcode": int(code), **rest}:
                return Verdict(code, masked(rest.get("errmsg", ""), self._key))
            case None:
                raise DeliveryDeferred(
                    "WeCom's answer is not JSON: is there a proxy or a portal in between?", in_doubt=True
                )
            case _:
                raise DeliveryDeferred("WeCom answered in words we do not know", in_doubt=True)

    def _judge(self, verdict: Verdict) -> None:
        if verdict.code == 0:
            return
        if verdict.code == TOO_OFTEN:
            raise DeliveryDeferred("WeCom: 45009, too often", self._config.hold, limited=True)
        if verdict.code in REFUSALS:
            raise DeliveryRefused(f"WeCom refused: {REFUSALS[verdict.code]} ({verdict.code} {verdict.text})")
        word = {BUSY: "busy", TOO_PARALLEL: "too many calls at once"}.get(verdict.code, "unknown answer")
        raise DeliveryDeferred(f"WeCom: {word} ({verdict.code} {verdict.text})")


# ------------------------------------------------------------------ the message in WeCom's own form
def as_markdown(message: Message, limit: int = 4096) -> dict[str, Any]:
    """`markdown` body: colours info, comment and warning; mentions by userid. At most `limit` bytes."""
    tail = []
    if link := safe_link(message.link):
        tail.append(f"[{literal(message.link_text or message.link)}]({link})")
    if people := _people(message):
        tail.append(" ".join(f"<@{person}>" for person in people))

    def render(headline: str, lines: Pairs) -> str:
        shown = [f"> {_coloured('comment', literal(label))} {literal(text)}" for label, text in lines]
        return "\n".join([f"### {_headline(message, headline)}", *shown, *tail])

    content = fitted(render, message.headline, message.lines, limit)
    return {"msgtype": "markdown", "markdown": {"content": content}}


def as_text(message: Message, limit: int = 2048) -> dict[str, Any]:
    """`text` body: no layout, but it can mention by phone number."""
    text: dict[str, Any] = {"content": cut(message.headline, limit)}
    if message.mention_phones:
        text["mentioned_mobile_list"] = list(message.mention_phones)
    if people := _people(message):
        text["mentioned_list"] = people
    return {"msgtype": "text", "text": text}


def _people(message: Message) -> list[str]:
    """Userids and nothing else: the word for everybody is not a person."""
    return [m for m in message.mentions if re.fullmatch(r"\w[\w.@-]{0,63}", m) and m != "all"]


def _headline(message: Message, headline: str) -> str:
    """The words in brackets carry the colour; a name that contains a bracket carries none."""
    colour = "info" if message.recovered else "comment" if message.priority is Priority.LOW else "warning"
    text = literal(headline)
    tags = _TAGS.match(text)
    return f"{_coloured(colour, tags[0])}{text[tags.end() :]}" if tags else text


def _coloured(colour: str, text: str) -> str:
    return f'<font color="{colour}">{text}</font>'
