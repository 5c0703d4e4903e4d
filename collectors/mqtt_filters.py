"""Topics that overlap: of a message that fits several a broker may send a copy for each. Pure.

One that lies within another is not asked for. Of those that overlap in part MQTT 5 says which copy is whose
(subscription identifiers); MQTT 3.1.1 does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import combinations

from collectors.mqtt_message import Message
from collectors.templates import covers, topic_pattern

_NUMBERS = 268_435_455  # MQTT 5, 3.8.2.1.2

Filter = tuple[str, int]  # what is listened to, and with which quality of service


def widest(filters: Sequence[Filter]) -> list[Filter]:
    """Without those that lie within another one, whose quality of service is then the higher of both."""
    wide = [f for f, _ in filters if not any(covers(o, f) and o != f for o, _ in filters)]
    return [(f, max(qos for n, qos in filters if covers(f, n))) for f in wide]


def meet(one: str, other: str) -> str | None:
    """The filter of what fits both; None where nothing does."""
    if (one[:1] == "$" and other[:1] in "+#") or (other[:1] == "$" and one[:1] in "+#"):
        return None
    a, b = one.split("/"), other.split("/")
    out: list[str] = []
    for level in range(max(len(a), len(b))):
        x, y = "".join(a[level : level + 1]), "".join(b[level : level + 1])
        if x == "#" or y == "#":
            return "/".join(out + (b if x == "#" else a)[level:])
        if level >= min(len(a), len(b)) or (x != y and "+" not in (x, y)):
            return None
        out.append(y if x == "+" else x)
    return "/".join(out)


def partly(filters: Iterable[str]) -> list[tuple[str, str, str]]:
    """Those that overlap with neither within the other, and what fits both."""
    wild = [f for f in filters if "+" in f or "#" in f]
    return [
        (one, other, both) for one, other in combinations(wild, 2)
        if (both := meet(one, other)) is not None and not covers(one, other) and not covers(other, one)
    ]  # fmt: skip


def level(filters: Sequence[Filter]) -> list[Filter]:
    """Copies of one message come with one quality of service: a broker that sends it once may take any."""
    qos = dict(filters)
    for one, other, _ in partly(qos):
        qos[one] = qos[other] = max(qos[one], qos[other])
    return list(qos.items())


class Copies:
    """Of a message that fits several of these filters the copy of one of them counts: of the one that was
    asked for first and not refused. Whoever sends a copy for a later one sends one for that, too; so it was
    in the connection before, of which something may come until the broker has answered.

    A number means a filter among these: a session that lasts may hold messages for filters that we had
    before. Those have other numbers, and each of them counts.
    """

    def __init__(self, filters: Iterable[str] = ()) -> None:
        ours = list(dict.fromkeys(f for one, other, _ in partly(filters) for f in (one, other)))
        self.numbers: dict[str, int] = {}
        for one in ours:
            mark = blake2b("\n".join([one, *sorted(ours)]).encode(), digest_size=8).digest()
            self.numbers[one] = int.from_bytes(mark, "big") % _NUMBERS + 1
        self._all = frozenset(self.numbers.values())
        self._asked: dict[str, tuple[int, re.Pattern[str]]] = {}

    def asked_for(self, one: str) -> None:
        """All of them, in the order in which they will be, each when the one before has been answered."""
        if one in self.numbers:
            self._asked[one] = self.numbers[one], topic_pattern(one)

    def refused(self, one: str) -> None:
        self._asked.pop(one, None)

    def counts(self, message: Message) -> bool:
        if not message.filters or not self._all.issuperset(message.filters):
            return True
        fits = (number for number, pattern in self._asked.values() if pattern.fullmatch(message.topic))
        return next(fits, message.filters[0]) in message.filters
