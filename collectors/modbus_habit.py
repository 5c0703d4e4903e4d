"""Devices that hang up by themselves: after each answer, or when nothing was asked for a while. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_TIMES = 3  # connections in a row that ended alike
_AT_ONCE = 0.04  # seconds: it hangs up as soon as it has answered
_PATIENT, _ROUGHLY = 2.0, 0.25  # seconds at least until it does so for boredom, and how far they may vary


@dataclass(slots=True)
class Habit:
    """What is known of how a device ends its connections; outlives them all.

    A line that breaks now and then is to be tried at most every two seconds. A device that always ends it
    after as many answers, right after the last one or bored, is called again with the next question.
    `assumed`: any end after an answer is taken for one (a look lasts for one connection only).
    """

    assumed: bool = False
    _answers: int = 0
    _after: float = 0.0
    _times: int = 0

    def ended(self, answers: int, after: float) -> bool:
        """It ended a connection after so many answers, `after` seconds since the last: as it uses to?"""
        if not answers:
            self._times = 0
            return False
        least, most = sorted((after, self._after))
        alike = most <= _AT_ONCE or (least >= _PATIENT and most - least <= least * _ROUGHLY)
        known = alike and (answers == self._answers or self._times >= _TIMES)
        self._times = self._times + 1 if known else 1
        self._answers, self._after = answers, after
        return self.assumed or self._times >= _TIMES
