"""Which rows of a batch could change anything: the vectorised sieve before the per-sample thinking. Pure.

The table holds every rule's memory as columns, so that nothing has to be copied back and forth.
Slot 0 stands for "no rule". A property test holds `suspects` to `limit.observe`: what it leaves out,
`observe` would have left unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alert_rules.rule import Codes, Limits, Rule, Watch
from hub.model.batch import SampleBatch, from_micros, micros

_BAD = np.uint32(0x80000000)
_NEVER = np.int64(np.iinfo(np.int64).min)


class RuleTable:
    """Rules on values (limits and codes), by slot; `layers[k][tag]` is the k-th rule on that tag."""

    def __init__(self, rules: Sequence[Rule], tag_count: int) -> None:
        self.rules: list[Rule | None] = [None, *rules]
        n = len(self.rules)
        self.raise_above = np.full(n, np.inf)
        self.raise_below = np.full(n, -np.inf)
        self.clear_below = np.full(n, -np.inf)
        self.clear_above = np.full(n, np.inf)
        self.discrete = np.zeros(n, bool)
        self.active = np.zeros(n, bool)
        self.blind = np.zeros(n, bool)
        self.leaning = np.full(n, _NEVER)  # microseconds, _NEVER: not leaning
        self.last = np.full(n, np.nan)  # discrete rules: the value last thought about
        self.tags = np.zeros(n, np.int32)
        counts: dict[int, int] = {}
        layers: list[NDArray[np.int32]] = []
        for slot, rule in enumerate(rules, 1):
            assert rule.tag is not None
            self._fill(slot, rule)
            depth = counts.get(rule.tag.number, 0)
            counts[rule.tag.number] = depth + 1
            if depth == len(layers):
                layers.append(np.zeros(tag_count + 1, np.int32))
            layers[depth][rule.tag.number] = slot
            self.tags[slot] = rule.tag.number
        self.layers = layers
        self.tag_count = tag_count

    def _fill(self, slot: int, rule: Rule) -> None:
        match rule.condition:
            case Limits(limit, clear, above=True):
                self.raise_above[slot], self.clear_below[slot] = limit, clear
            case Limits(limit, clear, above=False):
                self.raise_below[slot], self.clear_above[slot] = limit, clear
            case Codes():
                self.discrete[slot] = True

    def watch(self, slot: int) -> Watch:
        since = self.leaning[slot]
        return Watch(
            bool(self.active[slot]),
            None if since == _NEVER else from_micros(int(since)),
            bool(self.blind[slot]),
        )

    def keep(self, slot: int, watch: Watch, value: float | None) -> None:
        self.active[slot] = watch.active
        self.blind[slot] = watch.blind
        self.leaning[slot] = _NEVER if watch.leaning_since is None else micros(watch.leaning_since)
        self.last[slot] = np.nan if value is None or watch.leaning_since is not None else value

    def leaning_slots(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.leaning != _NEVER)

    def not_after(self, us: int) -> None:
        """The clock was set back: no delay may have begun in what is now the future."""
        np.minimum(self.leaning, us, out=self.leaning)


def suspects(table: RuleTable, batch: SampleBatch) -> list[tuple[int, int]]:
    """(row, slot) pairs that contradict their rule, may end a leaning one, or change what is known.

    In the order of the rows, so that two samples of one tag in a batch are thought about in turn.
    """
    found: list[tuple[int, int]] = []
    inside = batch.tags <= table.tag_count
    tags = np.where(inside, batch.tags, 0)
    values = batch.values
    lost = ((batch.statuses & _BAD) != 0) | np.isnan(values)
    for layer in table.layers:
        slot = layer[tags]
        rows = np.flatnonzero(slot)
        if not len(rows):
            continue
        s, v, bad = slot[rows], values[rows], lost[rows]
        active = table.active[s]
        against = np.where(
            active,
            (v <= table.clear_below[s]) | (v >= table.clear_above[s]),
            (v > table.raise_above[s]) | (v < table.raise_below[s]),
        )
        against |= table.discrete[s] & (v != table.last[s])
        wanted = np.where(bad, ~table.blind[s], against | table.blind[s]) | (table.leaning[s] != _NEVER)
        # a second sample of the same tag in this batch meets a memory the first one may have changed
        wanted |= _repeated(s, wanted)
        found.extend(zip(rows[wanted].tolist(), s[wanted].tolist(), strict=True))
    if len(table.layers) > 1:
        found.sort()
    return found


def _repeated(slots: NDArray[np.int32], wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows whose slot is wanted elsewhere in the batch too."""
    if not wanted.any():
        return wanted
    return np.isin(slots, slots[wanted])
