"""Which readings with a time of their own the house has: a broker that is not sure sends again. Pure."""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from hashlib import blake2b

KEPT = 20_000  # readings; a broker has far fewer messages under way that nobody has acknowledged
STANDING_EVERY = 4_096, 1_024  # readings and batches; well within what a spool keeps of them

_PLACE = struct.Struct("<qdI")
_ENTRY = struct.Struct("<4s8s")  # whose reading, which reading
_ALL_LOST = b"lost", bytes(8)
_NO_VALUE = math.nan  # always the same bits


class Repeats:
    """Known are the last 20,000 readings, and the last one of each row however old it is: that is what a
    broker keeps (retained) and tells to every new connection.

    Outlives connections, and the process: what a batch adds (`new`, now and then `standing`) is kept where
    its samples are, and comes back at the next start (`recall`). What was read counts as taken once `taken`
    is called: until then the house may have refused it, and it has to be taken when it comes again.
    """

    def __init__(self, names: Sequence[str], kept: int = KEPT) -> None:
        """`names`: of the rows, the same in every life."""
        self._names = [name.encode() for name in names]
        self._owners = [blake2b(name, digest_size=4).digest() for name in self._names]
        self._kept = kept
        self._known: set[bytes] = set()
        self._order: deque[bytes] = deque()
        self._last: dict[int, bytes] = {}
        self._waiting: dict[bytes, int] = {}
        self._silent: set[int] = set()  # lost with a connection, and not heard since
        self._since = self._batches = 0

    # ---------------------------------------------------------------- one life after the other
    def recall(self, standing: bytes, readings: bytes) -> None:
        """What the life before has taken, oldest first."""
        rows = {owner: row for row, owner in enumerate(self._owners)}
        for owner, key in (*_entries(standing), *_entries(readings)):
            if (owner, key) == _ALL_LOST:
                self.lost()
            elif (row := rows.get(owner)) is not None:
                self._remember(row, key)
                self._silent.discard(row)

    def resumed(self) -> Repeats:
        """A new connection. What was read and not taken is unknown."""
        self._waiting.clear()
        return self

    def lost(self) -> bytes:
        """All rows are, until they are heard again; what is to be kept with the word of it."""
        self._silent = set(range(len(self._names)))
        return _ENTRY.pack(*_ALL_LOST)

    # ---------------------------------------------------------------- readings
    def seen(self, row: int, at: int, value: float, status: int) -> bool:
        """Whether this came before."""
        key = self._key(row, at, value, status)
        if key in self._waiting or key in self._known or self._last.get(row) == key:
            return True
        self._waiting[key] = row
        return False

    def stands(self, row: int, at: int, value: float, status: int) -> bool:
        """Whether one that came before is the first word of its row since that was lost."""
        if row not in self._silent:
            return False
        self._waiting[self._key(row, at, value, status)] = row
        return True

    def _key(self, row: int, at: int, value: float, status: int) -> bytes:
        value = _NO_VALUE if math.isnan(value) else value + 0.0  # there is one zero
        return blake2b(self._names[row] + _PLACE.pack(at, value, status), digest_size=8).digest()

    def heard(self, row: int) -> None:
        self._silent.discard(row)

    # ---------------------------------------------------------------- and the house
    @property
    def new(self) -> bytes:
        """Of what was read and is not taken yet."""
        return b"".join(_ENTRY.pack(self._owners[row], key) for key, row in self._waiting.items())

    @property
    def standing(self) -> bytes:
        """The last reading of each row, when it is time to keep that again; b"" otherwise."""
        if not self._is_time():
            return b""
        silent = [self._entry(row) for row in self._last if row in self._silent]
        others = [self._entry(row) for row in self._last if row not in self._silent]
        return b"".join([*silent, *([_ENTRY.pack(*_ALL_LOST)] if self._silent else []), *others])

    def _entry(self, row: int) -> bytes:
        return _ENTRY.pack(self._owners[row], self._last[row])

    def _is_time(self) -> bool:
        readings, batches = STANDING_EVERY
        return self._since + len(self._waiting) > readings or self._batches >= batches

    def taken(self) -> None:
        """The house has all that was read."""
        if self._is_time():
            self._since = self._batches = 0
        self._since += len(self._waiting)
        self._batches += bool(self._waiting)
        for key, row in self._waiting.items():
            self._remember(row, key)
        self._waiting.clear()

    def _remember(self, row: int, key: bytes) -> None:
        self._last[row] = key
        if key not in self._known:
            self._known.add(key)
            self._order.append(key)
        while len(self._order) > self._kept:
            self._known.discard(self._order.popleft())


def _entries(kept: bytes) -> Iterator[tuple[bytes, bytes]]:
    for at in range(0, len(kept) - len(kept) % _ENTRY.size, _ENTRY.size):
        yield _ENTRY.unpack_from(kept, at)
