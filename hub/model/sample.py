"""Tags and single samples, in OPC UA's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from hub.model.parameter import ProcessParameter
from hub.model.words import Words

GOOD = 0x00000000
UNCERTAIN = 0x40000000
BAD = 0x80000000
BAD_NO_COMMUNICATION = 0x80310000
BAD_OUT_OF_RANGE = 0x803C0000


class StatusCode(int):
    """OPC UA status code (part 4, clause 7.39): the two top bits are the severity."""

    @property
    def is_good(self) -> bool:
        return not self & 0xC0000000

    @property
    def is_bad(self) -> bool:
        return bool(self & 0x80000000)

    @property
    def severity(self) -> str:
        return "bad" if self.is_bad else "good" if self.is_good else "uncertain"


class Sample(NamedTuple):
    """One reading of one tag. `value` is None where there is none."""

    source_time: datetime
    value: float | None
    status: StatusCode = StatusCode(GOOD)


@dataclass(frozen=True, slots=True)
class Tag:
    """A signal of a work unit. `number` is given out once by the tag table and never reused."""

    number: int
    path: str  # p1/stamping/l1/press-01/oil_temp
    label: Words
    unit: str = ""
    decimals: int = 1
    stale_after: timedelta = timedelta(seconds=5)
    shown: bool = True  # a number on the machine's tile
    range: tuple[float, float] | None = None  # of normal operation (OPC UA's EURange)
    deadband: float = 0.0  # in its unit: a value that differs less from the last one told is not told
    formula: str = ""  # of a derived tag (hub.kpi.formula)
    parameter: ProcessParameter | None = None  # its samples are bound to what its machine runs
    unit_since: datetime | None = None  # samples on record from before are in another unit

    @property
    def equipment(self) -> str:
        return self.path.rpartition("/")[0]
