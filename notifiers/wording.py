"""Facts into words, zh and en. The first line stands alone in a lock-screen preview.

What is written here is carrier-neutral text; each carrier escapes it for its own markup.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from zoneinfo import ZoneInfo

from hub.config import WordsBlock
from hub.model.alarm import Priority
from hub.model.message import Message
from hub.model.words import Language
from notifiers.facts import Facts, Owner
from notifiers.phrases import SAYS, local, number, plain, spoken

PersonKey = Literal["", "wecom_id", "dingtalk_id"]  # which of a person's ids a carrier understands

FRESH = timedelta(seconds=5)
HOUR = timedelta(hours=1)


def message(
    facts: Facts,
    *,
    key: str,
    now: datetime,
    language: Language = "zh",
    person_key: PersonKey = "",
    repeat: bool = False,
    blind: bool = False,
) -> Message:
    """One alarm event as a person is told it at `now`. `repeat`: it may have been delivered before."""
    blind = blind or facts.blind
    mentions, phones = _mentions([facts], person_key)
    return Message(
        key=key,
        headline=headline(facts, now, language, repeat=repeat, blind=blind),
        lines=_lines(facts, now, language, blind),
        priority=facts.priority,
        recovered=facts.event == "cleared",
        repeat=repeat,
        link=facts.link,
        link_text=SAYS[language]["open"] if facts.link else "",
        mentions=mentions,
        mention_phones=phones,
        language=language,
    )


def headline(
    facts: Facts, now: datetime, language: Language, *, repeat: bool = False, blind: bool = False
) -> str:
    """`【紧急】3号线 冲压机07 油温 92.4℃ > 80℃ 已 2 分钟`"""
    says = SAYS[language]
    tags = [says["repeat"]] if repeat else []
    tags.append(says[str(int(facts.priority))] if facts.event == "raised" else says[facts.event])
    tags += [says["again"]] if facts.again and facts.event == "raised" else []
    tags += [says["blind"]] if blind and facts.event == "raised" else []
    parts = [_in(facts.where, language), _in(facts.title, language)]
    if facts.event == "raised":
        parts += [_measure(facts), _age(facts, now, language)]
    elif facts.event == "cleared":
        parts.append(_outcome(facts, language))
    return _tagged(tags, " ".join(filter(None, parts)), language)


def digest(
    many: Sequence[Facts],
    *,
    keys: Sequence[str],
    now: datetime,
    language: Language = "zh",
    person_key: PersonKey = "",
    repeat: bool = False,
    link: str = "",
) -> Message:
    """Many events as one message: counts by line, the worst three, one link."""
    says = SAYS[language]
    ordered = sorted(many, key=lambda f: (f.event == "cleared", -f.priority, f.raised_at or now))
    raised = [f for f in ordered if f.event != "cleared"]
    notices = sum(f.event == "notice" for f in ordered)
    numbers = {"count": len(raised) - notices, "recovered": len(many) - len(raised), "notices": notices}
    counts = [says[word].format(n) for word, n in numbers.items() if n]
    tags = [says["repeat"], says["digest"]] if repeat else [says["digest"]]
    lines = [
        (says["worst"].format(n), headline(f, now, language, blind=f.blind))
        for n, f in enumerate(ordered[:3], 1)
    ]
    if len(many) > 3:
        lines.append((says["note"], says["more"].format(len(many) - 3)))
    mentions, phones = _mentions([f for f in raised if f.priority is Priority.CRITICAL], person_key)
    return Message(
        key="digest-" + sha256("\n".join(sorted(keys)).encode()).hexdigest()[:32],
        headline=_tagged(tags, says["and"].join(counts) + says["colon"] + _by_line(many, language), language),
        lines=tuple(lines),
        priority=max((f.priority for f in many), default=Priority.LOW),
        recovered=not raised,
        repeat=repeat,
        link=link or ordered[0].link,
        link_text=says["open board"] if link or ordered[0].link else "",
        mentions=mentions,
        mention_phones=phones,
        language=language,
    )


def _in(words: WordsBlock, language: Language) -> str:
    return plain(words.words().in_(language))


def _tagged(tags: Sequence[str], text: str, language: Language) -> str:
    if language == "zh":
        return "".join(f"【{t}】" for t in tags) + text
    return "".join(f"[{t}]" for t in tags) + " " + text


def _measure(facts: Facts) -> str:
    """`92.4℃ > 80℃`, or nothing where there is no number to show."""
    if facts.value is None or not math.isfinite(facts.value):
        return ""
    value = _with_unit(number(facts.value, facts.decimals), facts.unit)
    if facts.limit is None or not facts.comparison or not math.isfinite(facts.limit):
        return value
    limit = _with_unit(number(facts.limit, facts.decimals, trimmed=True), facts.unit)
    return f"{value} {plain(facts.comparison, 2)} {limit}"


def _with_unit(text: str, unit: str) -> str:
    """Signs such as ℃ and % stand close, units of letters behind a space: 92.4℃, 9.8 mm/s."""
    unit = plain(unit, 20)
    return f"{text} {unit}" if unit[:1].isascii() and unit[:1].isalpha() else text + unit


def _age(facts: Facts, now: datetime, language: Language) -> str:
    """A span while it is fresh, the time of day after an hour; before a clock that is ahead: just now."""
    says = SAYS[language]
    since = facts.raised_at or facts.opened_at
    if since is None:
        return ""
    age = now - since
    if age < FRESH:
        return says["just now"]
    if age < HOUR:
        return says["for"].format(spoken(age, language))
    zone = ZoneInfo(facts.time_zone)
    there = since.astimezone(zone)
    same_day = there.date() == now.astimezone(zone).date()
    return says["since"].format(f"{there:%H:%M}" if same_day else f"{there:%m-%d %H:%M}")


def _outcome(facts: Facts, language: Language) -> str:
    began = facts.raised_at or facts.opened_at
    if began is None or facts.cleared_at is None:
        return SAYS[language]["back"]
    return SAYS[language]["lasted"].format(spoken(facts.cleared_at - began, language))


def _lines(facts: Facts, now: datetime, language: Language, blind: bool) -> tuple[tuple[str, str], ...]:
    says = SAYS[language]
    began = facts.raised_at or facts.opened_at
    lines = [(_in(line.label, language), _in(line.text, language)) for line in facts.lines]
    if facts.event == "test":
        lines.append((says["note"], says["test text"]))
    if facts.instruction is not None and facts.event == "raised":
        lines.append((says["instruction"], _in(facts.instruction, language)))
    if began is not None:
        lines.append((says["began"], local(began, facts.time_zone, now)))
    if facts.cleared_at is not None and facts.event == "cleared":
        lines.append((says["ended"], local(facts.cleared_at, facts.time_zone, now)))
    if facts.event not in ("test", "notice"):
        lines.append((says["duty"], _in(facts.owner.name, language) if facts.owner else says["nobody"]))
    if facts.ticket:
        lines.append((says["ticket"], plain(facts.ticket, 40)))
    if facts.flapping and facts.event == "raised":
        lines.append((says["note"], says["flapping"]))
    if blind:
        lines.append((says["data"], says["blind text"]))
    return tuple((label, text) for label, text in lines if text)


def _mentions(many: Sequence[Facts], person_key: PersonKey) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whose phone shall ring: who is responsible for what has just been raised and is not merely low.

    The carrier's own id where we know it, else the phone number. Nothing in a name or text can add to this.
    """
    ids: list[str] = []
    phones: list[str] = []
    for owner in (owner for facts in many for owner in _called(facts)):
        person = _person_id(owner, person_key)
        if person:
            ids.append(person)
        elif owner.phone:
            phones.append(owner.phone)
    return tuple(dict.fromkeys(ids)), tuple(dict.fromkeys(phones))


def _called(facts: Facts) -> tuple[Owner, ...]:
    if facts.priority is Priority.LOW:
        return ()
    if facts.event == "notice":
        return facts.people
    return (facts.owner,) if facts.owner is not None and facts.event == "raised" else ()


def _person_id(owner: Owner, person_key: PersonKey) -> str:
    match person_key:
        case "wecom_id":
            return owner.wecom_id
        case "dingtalk_id":
            return owner.dingtalk_id
        case _:
            return ""


def _by_line(many: Sequence[Facts], language: Language) -> str:
    """`1号线 12、2号线 8`; lines beyond the sixth are counted together."""
    says = SAYS[language]
    counts = Counter(_in(f.line, language) if f.line else says["elsewhere"] for f in many)
    first = counts.most_common(6)
    if len(counts) > 6:
        first.append((says["elsewhere"], len(many) - sum(n for _, n in first)))
    return says["and"].join(says["line count"].format(name, n) for name, n in first)
