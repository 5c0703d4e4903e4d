"""What a server offers, written as a configuration that can be checked and run as it is."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.opcua_companion import Machine, Signal, alarms, machines, readable
from collectors.opcua_nodes import written
from collectors.opcua_tree import Thing

_OUTSIDE = re.compile(r"[^A-Za-z0-9_-]+")
_LETTER = re.compile("[a-z]")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MARGIN = 0.02  # of the range: how far a value has to come back before its alarm clears


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a server. Patterns are those of shells, on `Machine/Folder/Variable` by browse names."""

    only: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    line: str = "p1/a1/l1"  # site, area and line of the plant that the machines stand in
    limits: bool = False  # rules on the ranges, too
    paths: bool = False  # nodes by their names, for servers that number them anew

    def concerns(self, machine: str) -> bool:
        """Whether a pattern is about this machine; its state, mode and counters come with it then."""
        return not self.only or any(fnmatch.fnmatchcase(machine, p.partition("/")[0]) for p in self.only)

    def takes(self, path: str) -> bool:
        return (not self.only or _matches(path, self.only)) and not _matches(path, self.leave_out)


def document(top: Thing, wanted: Wanted, line: Mapping[str, Any]) -> dict[str, Any]:
    """The whole file as a mapping; `line` is the collector's `with:` block but its nodes."""
    found = machines(top)
    known = {id(m.thing) for m in found}
    blocks: list[dict[str, Any]] = []
    nodes: list[dict[str, Any]] = []
    alarms: list[dict[str, Any]] = []
    rules: list[dict[str, Any]] = []
    ids = Ids()
    for machine in [*found, *_others(top, known)]:
        if not wanted.concerns(machine.thing.name[1]):
            continue
        drawn = _Drawn(machine, f"{wanted.line}/{ids.new(machine.thing.name[1], word='machine')}", wanted)
        if drawn.tags:
            blocks.append(drawn.block())
            nodes += drawn.nodes
            alarms += drawn.alarms
            rules += drawn.rules
    site, area, row = wanted.line.split("/")
    place = {"id": row, "name": row, "machines": blocks}
    told = {**line, "nodes": nodes, **({"alarms": alarms} if alarms else {})}
    return {
        "plant": {"id": site, "name": site, "areas": [{"id": area, "name": area, "lines": [place]}]},
        "collectors": [{"name": "opcua", "kind": "opcua", "with": told}],
        **({"rules": rules} if rules else {}),
    }


def _others(top: Thing, known: set[int]) -> Iterator[Machine]:
    """What speaks no model: each object under Objects as one machine; loose variables as one more."""
    loose = Thing(top.node, ("", "server"), "server", is_variable=False)
    for kid in top.kids:
        if kid.is_variable:
            loose.kids.append(kid)
        elif not any(id(t) in known for t in kid.below()):
            yield Machine(kid, ())
    if loose.kids:
        yield Machine(loose, ())


class _Drawn:
    """One machine as blocks of the configuration."""

    def __init__(self, machine: Machine, path: str, wanted: Wanted) -> None:
        self._machine, self._path, self._wanted = machine, path, wanted
        self.tags: dict[str, dict[str, Any]] = {}
        self.nodes: list[dict[str, Any]] = []
        self.alarms: list[dict[str, Any]] = []
        self.rules: list[dict[str, Any]] = []
        ids = Ids(machine.signals)
        taken = {id(s.thing) for s in machine.signals.values()}
        for tag, signal in machine.signals.items():
            self._add(tag, tag.replace("_", " "), signal, shown=False)
        for names, thing in _with_path(machine.thing):
            where = "/".join((machine.thing.name[1], *names))
            if id(thing) not in taken and wanted.takes(where):
                self._add(ids.new(*names), thing.label, Signal(thing), shown=len(self.tags) < 12)
        for condition in alarms(machine.thing):
            if wanted.takes(f"{machine.thing.name[1]}/{condition.name[1]}"):
                self._alarm(ids.new("alarm", condition.name[1]), condition)

    def _add(self, tag: str, label: str, signal: Signal, *, shown: bool) -> None:
        thing = signal.thing
        self.tags[tag] = {
            "name": label,
            **({"unit": thing.unit} if thing.unit else {}),
            **({"range": list(thing.range)} if thing.range else {}),
            **({} if shown else {"shown": False}),
        }
        self.nodes.append(
            {
                "tag": f"{self._path}/{tag}",
                "node": self._place(thing),
                **({"codes": dict(signal.codes)} if signal.codes else {}),
                **({"item": signal.item} if signal.item else {}),
            }
        )
        if self._wanted.limits and thing.range:
            self._limit(tag, label, thing.range)

    def _place(self, thing: Thing) -> str:
        return written(thing.way) if self._wanted.paths and thing.way else thing.node

    def _limit(self, tag: str, label: str, ends: tuple[float, float]) -> None:
        low, high = ends
        for kind, limit in (("low-limit", low), ("high-limit", high)):
            self.rules.append(
                {
                    "name": f"{kind.partition('-')[0]}-{self._path.rpartition('/')[2]}-{tag}", "kind": kind,
                    "tag": f"{self._path}/{tag}", "limit": limit, "deadband": (high - low) * _MARGIN,
                    "on_delay": "5s", "priority": "low",
                }
            )  # fmt: skip

    def _alarm(self, tag: str, condition: Thing) -> None:
        self.tags[tag] = {"name": condition.label, "shown": False}
        self.alarms.append({"tag": f"{self._path}/{tag}", "condition": self._place(condition)})
        self.rules.append(
            {
                "name": f"{self._path.rpartition('/')[2]}-{tag}", "kind": "high-limit",
                "tag": f"{self._path}/{tag}", "limit": 0, "title": condition.label,
            }
        )  # fmt: skip

    def block(self) -> dict[str, Any]:
        machine, thing = self._machine, self._machine.thing
        made: dict[str, Any] = {"id": self._path.rpartition("/")[2], "name": thing.label}
        if machine.models:
            made["class"] = "-".join(machine.models)
        if machine.state:
            tag, numbering, states = machine.state
            made["state"] = {"tag": tag, "numbering": numbering, "map": dict(states)}
        counters = {"good": machine.good, "scrap": machine.scrap}
        if any(counters.values()):
            made["counters"] = {k: v for k, v in counters.items() if v}
        return made | {"tags": self.tags}


def _with_path(thing: Thing) -> Iterator[tuple[tuple[str, ...], Thing]]:
    """Every readable variable and the browse names that lead to it."""
    wanted = {id(t) for t in readable(thing)}

    def walk(here: Thing, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Thing]]:
        for kid in here.kids:
            path = (*names, kid.name[1])
            if id(kid) in wanted:
                yield path, kid
            yield from walk(kid, path)

    return walk(thing, ())


class Ids:
    """Ids that no other one of their kind has."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def new(self, *names: str, word: str = "value") -> str:
        """`word` for names that have no letter an id may have: machine_1 for 注塑机1号."""
        parts = [_OUTSIDE.sub("_", _HUMP.sub("_", n)).strip("_-").lower() for n in names]
        if names and not _LETTER.search(parts[-1]):
            parts.insert(-1, word)
        plain = "_".join(p for p in parts if p)
        found, number = plain, 1
        while found in self._taken:
            number += 1
            found = f"{plain}_{number}"
        self._taken.add(found)
        return found


def _matches(path: str, patterns: Sequence[str]) -> bool:
    """A name stands for all that is below it."""
    return any(fnmatch.fnmatchcase(path, p) or fnmatch.fnmatchcase(path, f"{p}/*") for p in patterns)
