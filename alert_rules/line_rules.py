"""A source's line that anybody may listen to, or whose certificate ends soon, is an alarm. Pure.

Nobody writes these rules: each source whose collector knows its line has one of each kind. They end when the
line is mended. A certificate's alarm that was acknowledged sounds again seven days before the end and on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alert_rules.device_rules import refuse_unknown
from alert_rules.lifecycle import Cleared, Event, Raised, Reannunciated
from alert_rules.rule import Rule, Told
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.device import Device
from hub.model.line import Line
from hub.model.words import Words

LINE_OPEN, OWN_ENDS, PEER_ENDS = "line-open", "own-certificate-ends", "server-certificate-ends"
AHEAD = timedelta(days=30)
AGAIN = (timedelta(days=7), timedelta(0))  # before the end: who acknowledged it longer ago hears of it again


@dataclass(frozen=True, slots=True)
class LineTold:
    """How urgent each of them is, and which notifiers tell of it."""

    open: Priority = Priority.LOW
    certificates: Priority = Priority.HIGH
    tell: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sort:
    kind: str
    title: Words
    advice: Words


_SORTS = (
    _Sort(
        LINE_OPEN,
        Words("数据源线路未受保护", "Line is open"),
        Words(
            "该网络中的任何人都能旁听、冒充这台设备。OPC UA：在设备上启用 Basic256Sha256 签名加密，"
            "并在配置 security: 中给出证书；MQTT：改用代理的 mqtts:// 端口；"
            "确实只能如此的，将此报警停用并写明原因",
            "Anybody in that network may listen and speak for this machine. OPC UA: switch Basic256Sha256"
            " with SignAndEncrypt on there and give certificates in security:. MQTT: use the broker's"
            " mqtts:// port."
            " Where it cannot be helped, take this alarm out of service and say why",
        ),
    ),
    _Sort(
        OWN_ENDS,
        Words("本机证书即将到期", "Our certificate ends soon"),
        Words(
            "OPC UA：用 andon certificate 生成新证书并在设备上信任它；MQTT：由代理信任的机构签发新证书；"
            "再替换配置 security: 中的文件。到期后对方会拒绝连接",
            "OPC UA: make another one with andon certificate and let the server trust it. MQTT: have one"
            " issued by an authority that the broker trusts. Then replace the file that security: names; once"
            " it has ended we are refused",
        ),
    ),
    _Sort(
        PEER_ENDS,
        Words("对方服务器证书即将到期", "The server's certificate ends soon"),
        Words(
            "在设备或代理上更新证书；OPC UA：核对指纹后把新证书放进 trust_folder；到期后本系统会拒绝连接",
            "Renew it on the server or broker; of OPC UA compare its thumbprint and put the new one into"
            " trust_folder. Once it has ended we refuse the line",
        ),
    ),
)


def with_lines(
    rules: Sequence[Rule], sources: Iterable[Device], told: LineTold, notifiers: Sequence[str]
) -> list[Rule]:
    """The rules, and those of the lines to these sources. Raises ConfigError for an unknown notifier."""
    refuse_unknown("hub.line_alarms.tell", told.tell, notifiers)
    version = hashlib.sha256(repr(told).encode()).hexdigest()[:12]
    return [
        *rules,
        *(
            Rule(
                sort.kind, source.name, source.equipment, Told(sort.kind),
                told.open if sort.kind == LINE_OPEN else told.certificates,
                Words(f"{sort.title.zh}：{source.name}", f"{sort.title.en}: {source.name}"),
                tell=told.tell, instruction=sort.advice, version=version,
            )
            for source in sources
            for sort in _SORTS
        ),
    ]  # fmt: skip


def event(rule: Rule, line: Line, known: Alarm | None, now: datetime) -> Event | None:
    """What the line as it is means for this alarm; None when it stands as it should, or nobody can know."""
    stands = known is not None and known.condition
    if rule.name == LINE_OPEN:
        return _turned(stands, bool(line.opened), now)
    until = line.own_until if rule.name == OWN_ENDS else line.peer_until
    if until is None:  # not seen yet; or there is no such thing any more
        return _turned(stands, False, now) if line.opened else None
    ends_soon = until - now <= AHEAD
    if stands and ends_soon and known is not None and _forgotten(known, until, now):
        return Reannunciated(now)
    return _turned(stands, ends_soon, now, round((until - now) / timedelta(days=1), 1))


def _turned(stands: bool, holds: bool, now: datetime, days: float | None = None) -> Event | None:
    if holds == stands:
        return None
    return Raised(now, days) if holds else Cleared(now, days)


def _forgotten(alarm: Alarm, until: datetime, now: datetime) -> bool:
    """Acknowledged before one of the moments at which it has to be said again."""
    if alarm.state is not AlarmState.ACKED or alarm.acked_at is None:
        return False
    return any(alarm.acked_at < until - before <= now for before in AGAIN)
