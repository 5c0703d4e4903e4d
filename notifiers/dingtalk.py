"""DingTalk 钉钉 custom robot: markdown to one group, signed, repeatable by msgUuid.

One message too many closes the robot for ten minutes, so nothing is kept on top of the budget here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, HttpUrl, SecretStr, field_validator

from hub.config import Block, Duration
from hub.errors import DeliveryDeferred, DeliveryRefused
from hub.model.message import Message, Receipt
from hub.model.words import Language
from hub.ports import Clock
from notifiers.exchange import Answer, Exchange, masked
from notifiers.markup import Pairs, cut, fitted, literal, safe_link, size
from notifiers.throttle import Limits
from notifiers.wording import PersonKey

BUSY, SECURITY, DAILY_CAP, BLOCKED = -1, 310000, 90030, 1111
TOO_OFTEN = (130101, 410100, 460101)
UNSAFE = range(430101, 430105)  # content safety: link, text, picture ...
BLOCK_PAUSE = timedelta(seconds=300)  # the whole address is shut out
MAX_AT = 50
MAX_TITLE = 200  # bytes; it is what the chat list and the push show
REFUSALS = {
    88: "the token is blank", 40035: "a parameter is missing", 43002: "wrong method",
    43004: "wrong content type", 300001: "the robot does not exist", 300005: "the token does not exist",
    400013: "the group was dissolved", 400101: "the token does not exist", 400102: "the robot is stopped",
    400105: "message type not allowed", 400106: "the robot does not exist",
}  # fmt: skip

_CHINA = ZoneInfo("Asia/Shanghai")  # the vendor's midnight


class DingTalkConfig(Block):
    """The `with:` block of a `kind: dingtalk` notifier."""

    token: SecretStr = Field(description="the part of the robot's address after access_token=")
    secret: SecretStr | None = Field(None, description="SEC...; set when the robot's security is 加签")
    keyword: str = Field("", description="set when the robot's security is a keyword")
    language: Language = "zh"
    mention_by_phone: bool = Field(True, description="mention people without a DingTalk id by phone number")
    base_url: HttpUrl = HttpUrl("https://oapi.dingtalk.com")
    proxy: SecretStr | None = Field(None, description="http://user:password@host:port; none is used unasked")
    timeout: Duration = timedelta(seconds=10)
    per_minute: int = Field(18, ge=1, le=20, description="messages in 60 s; the 21st costs ten minutes")
    critical_extra: int = Field(0, ge=0, le=2)
    hold: Duration = Field(timedelta(seconds=600), description="pause after DingTalk said: too often")
    body_bytes: int = Field(20_000, ge=1_000, le=20_000)

    @field_validator("token")
    @classmethod
    def _given(cls, token: SecretStr) -> SecretStr:
        if not token.get_secret_value().strip() or "/" in token.get_secret_value():
            raise ValueError("write only what follows access_token= in the robot's address")
        return token

    @field_validator("secret")
    @classmethod
    def _is_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value().startswith("SEC"):
            raise ValueError("a signing secret begins with SEC; copy it from 安全设置, 加签")
        return secret


@dataclass(frozen=True, slots=True)
class Verdict:
    code: int
    text: str
    at: datetime | None

    def complains_of(self, words: str) -> bool:
        return self.code == SECURITY and words in self.text.lower()


class DingTalkNotifier:
    """Says it once; said again with the same key it is shown once."""

    Config: type[BaseModel] = DingTalkConfig
    person_key: PersonKey = "dingtalk_id"

    def __init__(self, config: DingTalkConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._token = config.token.get_secret_value()
        self._secret = config.secret.get_secret_value() if config.secret else ""
        self._skew = timedelta()  # the vendor's clock against ours, once it has complained
        proxy = config.proxy.get_secret_value() if config.proxy else None
        self._exchange = Exchange("DingTalk", config.timeout, proxy)

    @property
    def language(self) -> Language:
        return self._config.language

    @property
    def limits(self) -> Limits:
        return Limits(self._config.per_minute, self._config.critical_extra)

    async def send(self, message: Message) -> Receipt:
        """Raises DeliveryDeferred (`limited` when shut out) or DeliveryRefused; errors hold no secret."""
        phones = message.mention_phones if self._config.mention_by_phone else ()
        body = as_markdown(message, phones, self._config.body_bytes, self._config.keyword)
        verdict = await self._say(body)
        if verdict.complains_of("timestamp") and verdict.at is not None:
            self._skew = verdict.at - self._clock.now()
            verdict = await self._say(body)
        elif verdict.code in UNSAFE:
            verdict = await self._say(as_text(message, self._config.keyword))
        self._judge(verdict)
        return Receipt(detail={"errcode": "0", "messages": "1", "msgUuid": body["msgUuid"]})

    async def close(self) -> None:
        await self._exchange.close()

    async def _say(self, body: dict[str, Any]) -> Verdict:
        params = {"access_token": self._token}
        if self._secret:
            milliseconds = str(int((self._clock.now() + self._skew).timestamp() * 1000))
            params |= {"timestamp": milliseconds, "sign": signature(self._secret, milliseconds)}
        url = f"{str(self._config.base_url).rstrip('/')}/robot/send"
        return self._verdict(await self._exchange.post(url, params, body))

    def _verdict(self, answer: Answer) -> Verdict:
        match answer.body:
            case {"errcode": int() | str() as code, **rest} if re.fullmatch(r"-?\d+", str(code)):
                text = masked(rest.get("errmsg", ""), self._token, self._secret)
                return Verdict(int(code), text, answer.at)  # an official sample shows the text "0"
            case None | {"status": 1111}:
                raise DeliveryDeferred("DingTalk has shut this address out", BLOCK_PAUSE, limited=True)
            case _:
                raise DeliveryDeferred("DingTalk answered in words we do not know", in_doubt=True)

    def _judge(self, verdict: Verdict) -> None:
        if verdict.code == 0:
            return
        said = f"({verdict.code} {verdict.text})"
        if verdict.code in TOO_OFTEN:
            raise DeliveryDeferred(f"DingTalk: too often {said}", self._config.hold, limited=True)
        if verdict.code == DAILY_CAP:
            raise DeliveryDeferred(f"DingTalk: today's cap {said}", self._until_midnight(), limited=True)
        if verdict.code == SECURITY:
            raise DeliveryRefused(f"DingTalk refused: {_remedy(verdict.text)} {said}")
        if verdict.code in REFUSALS or verdict.code in UNSAFE:
            reason = REFUSALS.get(verdict.code, "the content was held to be unsafe")
            raise DeliveryRefused(f"DingTalk refused: {reason} {said}")
        raise DeliveryDeferred(f"DingTalk: {'busy' if verdict.code == BUSY else 'unknown answer'} {said}")

    def _until_midnight(self) -> timedelta:
        there = self._clock.now().astimezone(_CHINA)
        midnight = datetime.combine(there.date() + timedelta(days=1), time(), _CHINA)
        return midnight - there


def _remedy(text: str) -> str:
    """Which of the robot's four securities it was, and what to set."""
    text = text.lower()
    if "keyword" in text:
        return "its keyword is missing; write it under keyword:"
    if "timestamp" in text:
        return "the clock of this machine is off by more than an hour"
    if "sign" in text:
        return "the signing secret is wrong; copy it again to secret:"
    if "whitelist" in text:
        return "our address is not on its IP list"
    return "its security settings"


def signature(secret: str, milliseconds: str) -> str:
    """base64(HMAC-SHA256(secret, timestamp LF secret)); encoded once, by whoever writes the query."""
    mac = hmac.new(secret.encode(), f"{milliseconds}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


# ------------------------------------------------------------------ the message in DingTalk's own form
def message_id(key: str) -> str:
    """The vendor's idempotency key: ours, or its hash where ours is long or holds odd characters."""
    fits = re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", key)
    return key if fits else hashlib.sha256(key.encode()).hexdigest()[:40]


def as_markdown(
    message: Message, phones: tuple[str, ...] = (), limit: int = 20_000, keyword: str = ""
) -> dict[str, Any]:
    """`markdown` body of at most `limit` bytes. A mention shows only when it stands in the text as well."""
    users = tuple(m for m in message.mentions if re.fullmatch(r"[\w.-]{1,64}", m) and m != "all")[:MAX_AT]
    phones = tuple(p for p in phones if re.fullmatch(r"\+?[\d-]{5,20}", p))[: MAX_AT - len(users)]
    title = cut(literal(message.headline), MAX_TITLE)
    tail = []
    if link := safe_link(message.link):
        tail.append(f"[{literal(message.link_text or message.link)}]({link})")
    if users or phones:
        tail.append(" ".join(f"@{who}" for who in (*users, *phones)))

    def render(headline: str, lines: Pairs) -> str:
        shown = "  \n".join(f"> **{literal(label)}** {literal(text)}" for label, text in lines)
        return "\n\n".join(filter(None, [f"### {literal(headline)}", shown, *tail, _said(keyword, headline)]))

    body = {
        "msgtype": "markdown",
        "msgUuid": message_id(message.key),
        "markdown": {"title": title, "text": ""},
        "at": {"atUserIds": list(users), "atMobiles": list(phones), "isAtAll": False},
    }
    room = limit - _json_size(body)
    text = fitted(render, message.headline, message.lines, room, _json_size)
    return body | {"markdown": {"title": title, "text": text}}


def as_text(message: Message, keyword: str = "") -> dict[str, Any]:
    """Plain words without links or mentions, for when the content was held to be unsafe."""
    content = " ".join(filter(None, [cut(message.headline, 2_000), _said(keyword, message.headline)]))
    return {"msgtype": "text", "msgUuid": message_id(message.key + ":text"), "text": {"content": content}}


def _json_size(value: object) -> int:
    return size(json.dumps(value, ensure_ascii=False))


def _said(keyword: str, headline: str) -> str:
    return keyword if keyword and keyword not in headline else ""
