"""A device that is lost is one alarm: debounced both ways, and not repeated by what is behind it. Pure.

It is lost while all of its tags say that nothing is heard of them (the collector marks them so at once), or
when nothing has come for longer than its signals may be silent (the collector itself is gone). One that comes
and goes raises one alarm; each time it is lost anew soon after, it has to stay twice as long to be taken for
back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from alert_rules.lifecycle import Cleared, Event, Raised
from alert_rules.rule import Loss, Rule
from hub.model.batch import SampleBatch, from_micros

CALM = timedelta(minutes=10)  # after so long a device that is lost again is not one that comes and goes
LONGEST_BACK = timedelta(minutes=5)
NOT_HEARD = np.array(
    [
        0x80310000,  # BadNoCommunication
        0x808A0000,  # BadNotConnected
        0x80050000,  # BadCommunicationError
        0x800A0000,  # BadTimeout
        0x800D0000,  # BadServerNotConnected
        0x80AE0000,  # BadConnectionClosed
    ],
    np.uint32,
)
_BAD, _KIND = np.uint32(0x80000000), np.uint32(0xFFFF0000)
_MICROSECOND = timedelta(microseconds=1)

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sight:
    """What is remembered of one device; times of the hub, microseconds."""

    active: bool = False
    since: int | None = None  # it began to be away, and has not been back for long enough since
    back_since: int | None = None
    flaps: int = 0
    changed: int = 0

    def lost(self, now: int, after: int, *, proved: bool = True) -> Sight:
        """`proved`: it is this device that is lost, not what it is behind."""
        since = now if self.since is None else self.since
        if self.active or now - since < after or not proved:
            return replace(self, since=since, back_since=None)
        again = self.changed and now - self.changed < CALM // _MICROSECOND
        at = max(now, self.changed + 1)
        return replace(
            self, active=True, since=since, back_since=None, changed=at, flaps=self.flaps + 1 if again else 0
        )

    def heard(self, now: int, back: int) -> Sight:
        if self.since is None and not self.active:
            return self
        back_since = now if self.back_since is None else self.back_since
        wait = min(back << min(self.flaps, 20), max(LONGEST_BACK // _MICROSECOND, back))
        if now - back_since < (wait if self.active else back):
            return replace(self, back_since=back_since)
        changed = max(now, self.changed + 1) if self.active else self.changed
        return Sight(flaps=self.flaps, changed=changed)


class DeviceWatches:
    """All devices of the evaluator. `heard` (its array) has the hub's time of each tag's last good sample."""

    def __init__(
        self, rules: Sequence[Rule], patience: NDArray[np.int64], heard: NDArray[np.int64], now: int
    ) -> None:
        self._rules = [r for r in rules if isinstance(r.condition, Loss)]
        self._losses: list[Loss] = [r.condition for r in self._rules if isinstance(r.condition, Loss)]
        self._sights = [Sight() for _ in self._rules]
        self._of = {(r.name, r.subject): n for n, r in enumerate(self._rules)}
        by_device = {loss.device: n for n, loss in enumerate(self._losses)}
        self._above = [by_device.get(loss.part_of, -1) for loss in self._losses]
        self._heard, self._patience = heard, patience
        self._gone = np.zeros(len(heard), np.bool_)  # said to be not heard
        self._answered = np.full(len(heard), now)  # when it last said anything else that is bad
        self._some_gone = False
        self._calm_until = 0  # nothing can have happened before, unless something is said
        self._tags = np.array([t for loss in self._losses for t in loss.tags], np.int64)
        self._starts = np.cumsum([0, *(len(loss.tags) for loss in self._losses)])[:-1]

    # ---------------------------------------------------------------- warm start
    def seed(self, key: Key, changed: int, *, active: bool) -> bool:
        """What the record says of its alarm; False when it is not of a device."""
        n = self._of.get(key)
        if n is None:
            return False
        self._calm_until = 0
        known = self._sights[n]
        if active or changed > known.changed:
            since = changed if active else None
            self._sights[n] = Sight(active=active, since=since, changed=max(changed, known.changed))
        return True

    def tags(self) -> list[int]:
        return sorted(set(self._tags.tolist()))

    # ---------------------------------------------------------------- samples
    def take(self, batch: SampleBatch, now: int) -> None:
        """Rows that are newer than their tags' last, those of one tag in order."""
        if not self._rules:
            return
        bad = (batch.statuses & _BAD) != 0
        if bad.any() or self._some_gone:
            self._calm_until = 0
        if bad.any():
            lost = np.isin(batch.statuses & _KIND, NOT_HEARD)
            self._gone[batch.tags] = lost
            self._answered[batch.tags[bad & ~lost]] = now
        elif self._some_gone:
            self._gone[batch.tags] = False
        else:
            return
        self._some_gone = bool(self._gone.any())

    def not_after(self, now: int) -> None:
        """The hub's clock was set back."""
        self._calm_until = 0
        np.minimum(self._answered, now, out=self._answered)
        self._sights = [
            replace(
                s, since=None if s.since is None else min(s.since, now),
                back_since=None if s.back_since is None else min(s.back_since, now),
            )
            for s in self._sights
        ]  # fmt: skip

    def deaf_for(self, span: int, now: int) -> None:
        """Time in which we could not hear: nobody was silent, and delays stood still."""
        self._calm_until = 0
        np.minimum(self._answered + span, now, out=self._answered)
        self._sights = [
            replace(
                s, since=None if s.since is None else s.since + span,
                back_since=None if s.back_since is None else s.back_since + span,
            )
            for s in self._sights
        ]  # fmt: skip

    # ---------------------------------------------------------------- passing time
    def tick(self, now: int, moving: NDArray[np.bool_] | None = None) -> list[tuple[Rule, Event]]:
        """`moving`: tags of which the past is being told; their devices are left alone meanwhile."""
        if not self._rules or (moving is None and now < self._calm_until):
            return []
        gone = np.logical_and.reduceat(self._gone[self._tags], self._starts)
        spoke = np.maximum(self._heard, self._answered)[self._tags]
        newest = np.maximum.reduceat(spoke, self._starts)
        quiet_at = np.maximum.reduceat(spoke + self._patience[self._tags], self._starts)
        busy = np.zeros(len(self._rules), np.bool_)
        if moving is not None:
            busy = np.logical_or.reduceat(moving[self._tags], self._starts)
        out: list[tuple[Rule, Event]] = []
        interesting = self._of_interest(gone, quiet_at, now)
        still = moving is None and not interesting.any()
        self._calm_until = int(quiet_at.min()) if still else 0
        for n in np.flatnonzero(interesting & ~busy).tolist():
            self._look(n, bool(gone[n]), int(quiet_at[n]), newest, now, out)
        return out

    def _of_interest(
        self, gone: NDArray[np.bool_], quiet_at: NDArray[np.int64], now: int
    ) -> NDArray[np.bool_]:
        pending = np.array([s.active or s.since is not None for s in self._sights], np.bool_)
        found: NDArray[np.bool_] = gone | (quiet_at <= now) | pending
        return found

    def _look(
        self, n: int, gone: bool, quiet_at: int, newest: NDArray[np.int64], now: int,
        out: list[tuple[Rule, Event]],
    ) -> None:  # fmt: skip
        rule, loss, before = self._rules[n], self._losses[n], self._sights[n]
        silence = loss.silence // _MICROSECOND if loss.silence is not None else None
        lost = gone or (silence is not None and quiet_at + silence <= now)
        above = self._above[n]
        if lost and self._away_above(n) and not before.active:
            self._sights[n] = replace(
                before, since=None, back_since=None
            )  # the alarm of what it is behind says it
            return
        if lost:
            # while nothing else is heard from behind the same gateway, it may be the gateway that is lost
            sure = above < 0 or (gone and loss.told)
            proved = sure or int(newest[above]) > (now if before.since is None else before.since)
            then = before.lost(now, rule.on_delay // _MICROSECOND, proved=proved)
        else:
            then = before.heard(now, rule.off_delay // _MICROSECOND)
        self._sights[n] = then
        if then.active != before.active:
            at = from_micros(then.changed)
            out.append((rule, Raised(at) if then.active else Cleared(at)))

    def _away_above(self, n: int) -> bool:
        while (n := self._above[n]) >= 0:
            if self._sights[n].since is not None:
                return True
        return False

    # ---------------------------------------------------------------- for others
    def away(self, key: Key) -> bool | None:
        """Whether it is lost or about to be; None when it is no device."""
        n = self._of.get(key)
        return None if n is None else self._sights[n].since is not None
