"""What the numbers in a spool's batches mean: tags by name, and what the record calls them.

A collector that starts while the database is away gives new tags numbers of its own. Batches keep the numbers
they were taken with; a file beside them says since which batch which tag had which number, and on the way to
the bus each batch gets the record's. So a tag is never taken for another one, whatever became of the
configuration, of the database or of this process in between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub.errors import ConfigError
from hub.model.batch import SampleBatch

NAME = "numbers.json"
BEFORE = "tags.json"  # an earlier release's: one numbering, the record's


@dataclass(frozen=True, slots=True)
class Epoch:
    """Batches behind number `after` mean these tags; until the next epoch begins."""

    after: int
    numbers: Mapping[str, int]  # path -> number

    def with_these(self, numbers: Mapping[str, int]) -> Epoch | None:
        """The same numbering knows these, too; None where one of the two would have to give way."""
        both = {**self.numbers, **numbers}
        if not self.numbers:
            return None
        same = all(self.numbers.get(path, number) == number for path, number in numbers.items())
        return replace(self, numbers=both) if same and len(set(both.values())) == len(both) else None


def read_epochs(folder: Path) -> list[Epoch]:
    """Empty where nothing was ever taken. Raises ConfigError where nobody can say."""
    for name in (NAME, BEFORE):
        try:
            found = json.loads((folder / name).read_text(encoding="utf-8"))
            epochs = found if name == NAME else [{"after": 0, "numbers": found}]
            return [Epoch(int(e["after"]), {str(p): int(n) for p, n in e["numbers"].items()}) for e in epochs]
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as cause:
            raise ConfigError(
                f"hub.spool: {folder / name} cannot be read ({type(cause).__name__}), and without it nobody "
                f"knows which tags wait there; move {folder} aside and start again"
            ) from None
    return []


def for_now(folder: Path, paths: Sequence[str]) -> dict[str, int]:
    """Numbers to take samples with while the record cannot be asked: those of before, and new ones behind."""
    epochs = read_epochs(folder)
    known = epochs[-1].numbers if epochs else {}
    new = [path for path in paths if path not in known]
    following = range(1 + max(known.values(), default=0), 1 + max(known.values(), default=0) + len(new))
    return {path: known[path] for path in paths if path in known} | dict(zip(new, following, strict=True))


class Numbering:
    """Of one spool, in one life of its process."""

    def __init__(self, epochs: Sequence[Epoch]) -> None:
        self._epochs = list(epochs)
        self._record: list[_Table] | None = None
        self.record = ""  # whose numbers these are, where it has a name
        now = dict(self._epochs[-1].numbers)
        following = 1 + max(now.values(), default=0)
        for path in sorted({p for e in self._epochs for p in e.numbers} - set(now)):
            now[path], following = following, following + 1
        self.names = {number: path for path, number in now.items()}
        self._now = [_table(epoch, now) for epoch in self._epochs]

    @classmethod
    def begun(cls, folder: Path, first: int, last: int, numbers: Mapping[str, int]) -> Numbering:
        """For batches behind `last`, on the disk before there is one. `first`: the oldest that waits."""
        epochs = [e for e in read_epochs(folder) if e.after < last] if first <= last else []
        while len(epochs) > 1 and epochs[1].after < first:
            del epochs[0]
        if not epochs and first <= last:  # of a release that had no such file: the record's own numbers
            epochs.append(Epoch(0, {}))
        if epochs and (same := epochs[-1].with_these(numbers)):
            epochs[-1] = same
        else:
            epochs.append(Epoch(last if epochs else 0, numbers))
        _write(folder, epochs)
        return cls(epochs)

    @property
    def paths(self) -> list[str]:
        """Whatever the record has to be asked for."""
        return sorted({path for epoch in self._epochs for path in epoch.numbers})

    @property
    def is_known(self) -> bool:
        """Whether the record was asked."""
        return self._record is not None

    def know(self, numbers: Mapping[str, int], record: str = "") -> None:
        """What the record of this name calls each of `paths`."""
        self._record, self.record = [_table(epoch, numbers) for epoch in self._epochs], record

    def on_record(self, body: bytes, number: int | None = None) -> bytes:
        """The batch of this number (without one: of now) as the record means it, once that is known."""
        assert self._record is not None
        table = self._record[self._place(number)]
        return body if table is None else _meant(SampleBatch.from_bytes(body), table).to_bytes()

    def of_now(self, number: int, batch: SampleBatch) -> SampleBatch:
        """The batch in today's numbers (`names`)."""
        table = self._now[self._place(number)]
        return batch if table is None else _meant(batch, table)

    def _place(self, number: int | None) -> int:
        if number is None:
            return len(self._epochs) - 1
        return max((i for i, epoch in enumerate(self._epochs) if epoch.after < number), default=0)


_Table = NDArray[np.int32] | None  # None: each number stays what it is


def _table(epoch: Epoch, others: Mapping[str, int]) -> _Table:
    if all(others[path] == number for path, number in epoch.numbers.items()):
        return None
    table = np.arange(1 + max(epoch.numbers.values()), dtype=np.int32)
    for path, number in epoch.numbers.items():
        table[number] = others[path]
    return table


def _meant(batch: SampleBatch, table: NDArray[np.int32]) -> SampleBatch:
    within = (batch.tags >= 0) & (batch.tags < len(table))
    tags = np.where(within, table[np.where(within, batch.tags, 0)], batch.tags).astype(np.int32)
    return replace(batch, tags=tags)


def _write(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Whole or not at all, and on the disk. `folder` exists."""
    told = [{"after": e.after, "numbers": dict(e.numbers)} for e in epochs]
    new, known = folder / f"{NAME}.new", folder / NAME
    text = json.dumps(told, ensure_ascii=False)
    if known.exists() and known.read_text(encoding="utf-8") == text:
        return  # a full disk need not take it again
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(known)
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)
