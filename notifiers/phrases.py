"""The words and figures that messages are made of, zh and en: pure, and the same as on the wall."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hub.model.words import Language

FIELD_CHARACTERS = 300  # a name of ten thousand characters is shown, not obeyed

SAYS: dict[Language, dict[str, str]] = {
    "zh": {
        "4": "紧急", "3": "高", "2": "中", "1": "低",
        "cleared": "恢复", "test": "测试", "notice": "通知",
        "repeat": "重发", "blind": "数据中断", "digest": "汇总",
        "again": "仍未解除",
        "just now": "刚刚", "for": "已 {}", "since": "自 {} 起", "lasted": "已恢复，持续 {}",
        "back": "已恢复", "s": "{} 秒", "min": "{} 分钟", "h": "{} 小时", "d": "{} 天",
        "instruction": "处置", "began": "开始", "ended": "恢复", "duty": "值班", "nobody": "无人值班",
        "ticket": "工单", "data": "数据", "blind text": "信号已中断，以上为最后所知", "open": "打开处理",
        "open board": "查看全部", "count": "{} 条报警", "recovered": "{} 条恢复", "notices": "{} 条通知",
        "worst": "最急 {}", "more": "其余 {} 条见看板", "elsewhere": "其他",
        "line count": "{} {}", "and": "、", "colon": "：",
        "test text": "这是一条测试消息，无需处理", "note": "说明",
        "flapping": "反复报警，恢复正常前不再通知",
    },
    "en": {
        "4": "CRITICAL", "3": "HIGH", "2": "MEDIUM", "1": "LOW",
        "cleared": "RECOVERED", "test": "TEST", "notice": "NOTICE",
        "repeat": "REPEAT", "blind": "NO DATA", "digest": "DIGEST",
        "again": "STILL ACTIVE",
        "just now": "just now", "for": "for {}", "since": "since {}", "lasted": "back to normal after {}",
        "back": "back to normal",
        "s": "{} s", "min": "{} min", "h": "{} h", "d": "{} d",
        "instruction": "Do", "began": "Since", "ended": "Until", "duty": "On duty", "nobody": "nobody",
        "ticket": "Ticket", "data": "Data", "blind text": "signal lost; this is the last that is known",
        "open": "Open", "open board": "See all", "count": "{} alarms", "recovered": "{} recovered",
        "notices": "{} notices",
        "worst": "Worst {}", "more": "{} more on the board", "elsewhere": "elsewhere",
        "line count": "{} ({})",
        "and": ", ", "colon": ": ", "test text": "this is a test; nothing has to be done", "note": "Note",
        "flapping": "comes and goes; no more messages until it is normal",
    },
}  # fmt: skip


def plain(text: str, longest: int = FIELD_CHARACTERS) -> str:
    """One line of visible text: no line breaks, no control, direction or zero-width characters."""
    text = text[: longest * 4]
    kept = "".join(" " if unicodedata.category(c) in _BREAKS else c for c in text if c not in _UNSEEN)
    kept = re.sub(r"\s+", " ", kept.encode("utf-8", "replace").decode()).strip()
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


_BREAKS = frozenset({"Cc", "Zl", "Zp"})
_UNSEEN = frozenset("\u00ad\u061c\u180e\ufeff") | {
    chr(c) for span in ((0x200B, 0x2010), (0x202A, 0x202F), (0x2060, 0x2070)) for c in range(*span)
}


def spoken(span: timedelta, language: Language) -> str:
    """`12 秒`, `2 分钟`, `3 小时 5 分钟`, `2 天 3 小时`: at most two parts."""
    says = SAYS[language]
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return says["s"].format(seconds)
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    if days:
        parts = [("d", days), ("h", hours)]
    elif hours:
        parts = [("h", hours), ("min", minutes)]
    else:
        parts = [("min", minutes)]
    return " ".join(says[unit].format(n) for unit, n in parts if n)


def number(value: float, decimals: int, *, trimmed: bool = False) -> str:
    """`92.4`; `trimmed` leaves out noughts that say nothing: a limit of 80.0 is written 80."""
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if trimmed and "." in text else text


def local(at: datetime, time_zone: str, now: datetime | None = None) -> str:
    """`2026-01-05 20:00:00 (UTC+8)`: the plant's wall clock with its offset. Today needs no date."""
    zone = ZoneInfo(time_zone)
    there = at.astimezone(zone)
    today = now is not None and there.date() == now.astimezone(zone).date()
    offset = there.utcoffset() or timedelta()
    hours, minutes = divmod(abs(int(offset.total_seconds())) // 60, 60)
    sign = "-" if offset < timedelta() else "+"
    wall = f"{there:%H:%M:%S}" if today else f"{there:%Y-%m-%d %H:%M:%S}"
    return f"{wall} (UTC{sign}{hours}{f':{minutes:02d}' if minutes else ''})"
