"""Which messages (QoS 1, 2) the house has and the broker may not know it: those it sends again. Pure.

A broker says of such a message that it sends it again (DUP), and gives it the number it had (MQTT 5, 4.4). As
long as it has not confirmed our acknowledgement, number, topic and content together are that message;
afterwards its number is free, and the same content under it is another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from collectors.mqtt_message import Message

KEPT = 20_000  # messages
_NUMBER, _MARK = 2, 6  # bytes
_BEFORE = 0  # acknowledged on a connection that has ended


def _mark(message: Message) -> bytes:
    return blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=_MARK).digest()


class UnderWay:
    """Outlives connections, and the process: `kept` goes where the samples of the messages go."""

    def __init__(self) -> None:
        self._taken: dict[int, tuple[bytes, int]] = {}  # number -> its mark, when it was acknowledged
        self._waiting: dict[int, bytes] = {}

    def recall(self, kept: bytes) -> None:
        size = _NUMBER + _MARK
        for at in range(0, len(kept) - len(kept) % size, size):
            number = int.from_bytes(kept[at : at + _NUMBER], "big")
            self._taken[number] = kept[at + _NUMBER : at + size], _BEFORE

    def resumed(self) -> UnderWay:
        """A new connection: what was not taken is unknown, what was taken is still to be confirmed."""
        self._waiting.clear()
        self._taken = {number: (mark, _BEFORE) for number, (mark, _) in self._taken.items()}
        return self

    def has(self, message: Message) -> bool:
        """Whether the house has it: it is to be acknowledged once more, and nothing else. One that is new
        tells that the broker is through with the last one of its number."""
        mark, number = _mark(message), message.number
        if message.again and mark in (self._waiting.get(number), self._known(number)):
            return True
        self._waiting[number] = mark
        return False

    def _known(self, number: int) -> bytes | None:
        known = self._taken.get(number)
        return known[0] if known else None

    @property
    def kept(self) -> bytes:
        """What is to be known when the house has what was read."""
        marks = {number: mark for number, (mark, _) in self._taken.items()} | self._waiting
        return b"".join(number.to_bytes(_NUMBER, "big") + mark for number, mark in marks.items())

    def taken(self, numbers: Sequence[int], acknowledged: int) -> None:
        """The house has all that was read. `acknowledged`: counts the times that we did so on this
        connection; these messages were the last, with the repeats among them."""
        for number in numbers:
            mark = self._waiting.pop(number, None) or self._known(number)
            self._taken.pop(number, None)
            if mark:
                self._taken[number] = mark, acknowledged
        self._waiting.clear()
        while len(self._taken) > KEPT:
            del self._taken[next(iter(self._taken))]

    def confirmed(self, acknowledged: int) -> None:
        """The broker has heard us up to this one, and sends nothing of before again."""
        if any(_BEFORE < at <= acknowledged for _, at in self._taken.values()):
            self._taken = {n: (mark, at) for n, (mark, at) in self._taken.items() if at > acknowledged}
