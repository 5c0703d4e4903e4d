"""The long tail of carriers through Apprise: mail, ntfy, Gotify, Matrix, generic webhooks.

Best effort: success means that the server answered, because Apprise looks no further. It does the same for
robots that answer HTTP 200 with an error inside, so those are refused here and have a kind of their own.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator

from hub.config import Block, Duration
from hub.errors import DeliveryDeferred, DeliveryRefused
from hub.model.alarm import Priority
from hub.model.message import Message, Receipt
from hub.model.words import Language
from hub.ports import Clock
from notifiers.exchange import AnswerLost
from notifiers.throttle import Limits
from notifiers.wording import PersonKey

ALLOWED = frozenset({
    "mailto", "mailtos", "ntfy", "ntfys", "gotify", "gotifys", "bark", "barks", "json", "jsons", "form",
    "forms", "xml", "xmls", "matrix", "matrixs", "mqtt", "mqtts", "msteams", "workflows", "slack",
    "tgram", "discord", "mmost", "mmosts", "rocket", "rockets", "pover", "signal", "signals",
    "syslog", "rsyslog",
})  # fmt: skip
INSTEAD = {
    "wecombot": "its success means nothing here (HTTP 200 with an error inside); use kind: wecom",
    "dingtalk": "its success means nothing here and it signs twice; use kind: dingtalk",
    "wecom": "this is a relay of another company, not WeCom; use kind: wecom",
    "wechat": "use kind: wecom with a group robot",
    "feishu": "its success means nothing here (HTTP 200 with an error inside); there is no kind for it yet",
    "lark": "its success means nothing here (HTTP 200 with an error inside); there is no kind for it yet",
    "schan": "its success means nothing here, and it is a relay of another company; use kind: wecom",
}
READS_FILES = frozenset({"attach", "template", "pgpkey", "pgp", "keyfile", "subfile", "include", "config"})
SETS_PACE = frozenset({"retry", "wait", "rto", "cto"})


def _silent(record: logging.LogRecord) -> bool:
    """Apprise and the HTTP library below it write whole URLs at DEBUG; what matters is in our errors."""
    return False


class AppriseConfig(Block):
    """The `with:` block of a `kind: apprise` notifier."""

    url: SecretStr = Field(description="an Apprise URL, e.g. ntfys://ntfy.example.com/andon")
    language: Language = "zh"
    timeout: Duration = timedelta(seconds=15)
    per_minute: int = Field(30, ge=1, le=600)
    critical_extra: int = Field(10, ge=0, le=600)

    @field_validator("url")
    @classmethod
    def _may_be_used(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value().strip())
        scheme = parts.scheme.lower()
        if scheme not in ALLOWED:
            remedy = INSTEAD.get(scheme, f"allowed are {', '.join(sorted(ALLOWED))}")
            raise ValueError(f"{scheme or 'no scheme'}:// is not allowed: {remedy}")
        for name, _ in parse_qsl(parts.query, keep_blank_values=True):
            if name.lower() in READS_FILES:
                raise ValueError(f"?{name}= would read a file of this machine; remove it")
            if name.lower() in SETS_PACE:
                raise ValueError(f"?{name}= is the hub's business; remove it")
        return url


class AppriseNotifier:
    """One attempt for each call. Mentions nobody: a URL is an address already."""

    Config: type[BaseModel] = AppriseConfig
    person_key: PersonKey = ""

    def __init__(self, config: AppriseConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._service: Any = None

    @property
    def language(self) -> Language:
        return self._config.language

    @property
    def limits(self) -> Limits:
        return Limits(self._config.per_minute, self._config.critical_extra)

    async def send(self, message: Message) -> Receipt:
        """Raises DeliveryDeferred when the carrier did not take it; Apprise gives no reason."""
        if self._service is None:
            self._service = await asyncio.to_thread(_connect, self._config)
        scheme = urlsplit(self._config.url.get_secret_value()).scheme
        try:
            async with asyncio.timeout(self._config.timeout.total_seconds()):
                taken = await asyncio.to_thread(self._tell, message)
        except TimeoutError:
            pass  # the thread cannot be stopped: it may still deliver
        else:
            if not taken:
                raise DeliveryDeferred(f"{scheme} did not take it", in_doubt=True)
            return Receipt(detail={"messages": "1", "proof": "the server answered"})
        raise AnswerLost(f"{scheme} gave no answer in time")

    async def close(self) -> None:
        self._service = None

    def _tell(self, message: Message) -> bool:
        result = self._service.notify(
            title=message.headline, body=as_body(message), notify_type=_type(message), body_format="text"
        )
        return bool(result)


def _connect(config: AppriseConfig) -> Any:
    """Apprise is imported late: a hub without such a notifier does not pay for it."""
    for name in ("apprise", "urllib3.connectionpool", "requests"):
        logging.getLogger(name).addFilter(_silent)
    import apprise

    asset = apprise.AppriseAsset(
        app_id="Andon Hub", app_desc="Andon Hub", async_mode=False, secure_logging=True,
        allow_templates=False, default_service_retry=0, storage_mode="memory", plugin_paths=[],
    )  # fmt: skip
    service = apprise.Apprise(asset=asset)
    plugin = apprise.Apprise.instantiate(config.url.get_secret_value(), asset=asset)
    if plugin is None:
        raise DeliveryRefused("Apprise cannot read this URL; see the service's page in Apprise's manual")
    plugin.request_rate_per_sec = 0  # the hub's own budget decides
    plugin.socket_connect_timeout = plugin.socket_read_timeout = config.timeout.total_seconds()
    if not service.add(plugin):
        raise DeliveryRefused("Apprise does not take this URL; see the service's page in Apprise's manual")
    return service


def as_body(message: Message) -> str:
    colon = "：" if message.language == "zh" else ": "
    lines = [f"{label}{colon}{text}" for label, text in message.lines]
    return "\n".join([*lines, message.link] if message.link else lines) or message.headline


def _type(message: Message) -> str:
    if message.recovered:
        return "success"
    return "failure" if message.priority >= Priority.HIGH else "warning"
