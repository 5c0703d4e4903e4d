"""One Modbus TCP connection that reads: a question, its answer as the bytes that came, the next question.

MODBUS Messaging on TCP/IP 1.0b, section 3.1.3, has the header; MODBUS Application Protocol 1.1b3, sections
6.1 to 6.4, the four functions. An answer to an earlier question (a gateway may still hold one) is dropped,
and so is one of another unit or function: the right one may follow. What is no frame of Modbus, or does not
keep to its own lengths, ends the line: what comes after it cannot be trusted.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Awaitable, Callable
from typing import cast
from weakref import WeakValueDictionary

from collectors.modbus_habit import Habit

_HEADER = struct.Struct(">HHHB")  # transaction, protocol (0), bytes that follow, unit
_QUESTION = struct.Struct(">HHHBBHH")  # the same, then function, first address, how many
_LONGEST = 254  # bytes that may follow: unit and PDU
_LITTLE_LONGER = 0.25  # seconds at most for the right answer behind somebody else's
_WE_STOOD_STILL = 0.1  # seconds that a timer is late by
_ONE_LOOK = 0.002  # seconds: the loop reads before it comes to a timer that is set now
_FAILED = 0x80  # set in the function of an answer that says why there is none


class Broken(Exception):
    """The line is of no use any more; the text says why, for a person who knows the address."""


class Silent(Broken):
    """No answer in time; the line goes on where it was made to."""


class HungUp(Broken):
    """The device ended the connection as it uses to; `reopen`, and ask again."""


class _Turn:
    """Of the lines of this process to one address: a gateway passes on one question at a time."""

    def __init__(self) -> None:
        self.lines = 0
        self.lock = asyncio.Lock()


_turns: WeakValueDictionary[tuple[str, int], _Turn] = WeakValueDictionary()


class Denied(Exception):
    """The device says why it gives no answer: its exception code."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class ModbusLine(asyncio.Protocol):
    """Made by `connected`. One question at a time; `close` when done.

    A question without an answer does not end the line. Behind a gateway the next unit may well answer, and so
    may the same device at another address; what still comes for the last question bears its number and is
    dropped.
    """

    def __init__(
        self,
        place: tuple[str, int],
        unit: int,
        timeout: float,
        turn: _Turn,
        habit: Habit,
        now: Callable[[], float],
    ) -> None:
        self._place, self._unit, self._timeout, self._turn = place, unit, timeout, turn
        self._habit, self._now = habit, now
        self._loop = asyncio.get_running_loop()
        self._transaction = random.randrange(1, 60_000)  # not from 1 again: see above
        self._function, self._asked = 0, unit
        self._heard = b""
        self._waiting: asyncio.Future[bytes] | None = None
        self._lateness: asyncio.TimerHandle | None = None  # of the last question
        self._ended, self._strange = "", ""
        self._hung_up = False  # as it uses to
        self._answers, self._answered_at = 0, 0.0  # on this connection
        self.gone: asyncio.Future[None]  # when the connection has ended

    def ask(self, function: int, start: int, count: int, unit: int | None = None) -> Awaitable[bytes]:
        """The data bytes of the answer, as many as the device says they are; of the line's unit when none is
        named.

        Raises Denied with the device's reason, Silent where the line goes on without an answer, or Broken.
        """
        if self._turn.lines > 1:
            return self._in_turn(function, start, count, unit)
        return self._ask(function, start, count, unit)

    async def _in_turn(self, function: int, start: int, count: int, unit: int | None) -> bytes:
        async with self._turn.lock:
            return await self._ask(function, start, count, unit)

    def _ask(self, function: int, start: int, count: int, unit: int | None) -> asyncio.Future[bytes]:
        if self._ended or self._transport.is_closing():
            raise self._why()
        self._transaction = self._transaction % 0xFFFF + 1
        self._function, self._asked = function, self._unit if unit is None else unit
        self._waiting, self._strange = self._loop.create_future(), ""
        answer = self._waiting
        self._in_time()
        self._lateness = self._loop.call_later(self._timeout, self._late)
        self._transport.write(_QUESTION.pack(self._transaction, 0, 6, self._asked, function, start, count))
        return answer

    async def reopen(self) -> None:
        """The same line over a new connection. Raises Broken when nobody answers there any more."""
        await self.gone
        self._ended, self._heard, self._hung_up, self._answers = "", b"", False, 0
        await _connect(self, *self._place, self._timeout)

    @property
    def hung_up(self) -> bool:
        """The device has ended the connection as it uses to."""
        return self._hung_up

    def close(self) -> None:
        self._ended = self._ended or "the connection was closed"
        self._transport.close()

    # ---------------------------------------------------------------- called by the loop
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.gone = self._loop.create_future()
        self._turn.lines += 1

    def connection_lost(self, cause: Exception | None) -> None:
        self._turn.lines -= 1
        self.eof_received()
        self.gone.set_result(None)

    def eof_received(self) -> None:
        self._in_time()
        if not self._ended and not self._heard:
            self._hung_up = self._habit.ended(self._answers, self._now() - self._answered_at)
        self._end("the device closed the connection")

    def data_received(self, data: bytes) -> None:
        heard, at = self._heard + data, 0
        while len(heard) - at >= _HEADER.size and not self._ended:
            transaction, protocol, size, unit = _HEADER.unpack_from(heard, at)
            if protocol or not 2 < size <= _LONGEST:
                self._end("what it says is not Modbus")
                break
            if len(heard) - at < 6 + size:
                break
            pdu, at = heard[at + _HEADER.size : at + 6 + size], at + 6 + size
            if transaction == self._transaction:
                self._answered(unit, pdu)
        self._heard = heard[at:]

    def _answered(self, unit: int, pdu: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            return
        if unit != self._asked or pdu[0] & ~_FAILED != self._function:
            self._not_ours(unit)
            return
        self._in_time()
        self._answers, self._answered_at = self._answers + 1, self._now()
        if pdu[0] & _FAILED:
            self._waiting.set_exception(Denied(pdu[1]))
        elif pdu[1] != len(pdu) - 2:
            self._end(f"announced {pdu[1]} bytes and sent {len(pdu) - 2}")
        else:
            self._waiting.set_result(pdu[2:])

    def _not_ours(self, unit: int) -> None:
        """It bears our question's number all the same: if nothing better follows, there is no answer."""
        self._strange = "answered a question we did not ask"
        if unit != self._asked:
            self._strange = f"unit {self._asked} was asked and {unit} answers; correct unit:"
        if self._lateness is not None:
            latest = min(self._lateness.when(), self._loop.time() + _LITTLE_LONGER)
            self._lateness.cancel()
            self._lateness = self._loop.call_at(latest, self._late)

    def _in_time(self) -> None:
        if self._lateness is not None:
            self._lateness.cancel()

    def _late(self) -> None:
        if self._lateness is not None and self._loop.time() - self._lateness.when() > _WE_STOOD_STILL:
            # the machine was halted, or the loop held up: what came meanwhile lies in the socket
            self._lateness = self._loop.call_later(_ONE_LOOK, self._late)
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Silent(self._strange or f"No response within {self._timeout:g} s"))

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._transport.abort()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(self._why())

    def _why(self) -> Broken:
        return (HungUp if self._hung_up else Broken)(self._ended or "the connection is closed")


async def connected(
    host: str, port: int, unit: int, timeout: float, habit: Habit, now: Callable[[], float]
) -> ModbusLine:
    """Raises Broken when nobody answers there within `timeout` seconds. `now` is told in seconds."""
    turn = _turns.setdefault((host, port), _Turn())
    line = ModbusLine((host, port), unit, timeout, turn, habit, now)
    await _connect(line, host, port, timeout)
    return line


async def _connect(line: ModbusLine, host: str, port: int, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().create_connection(lambda: line, host, port)
    except (OSError, TimeoutError) as cause:
        raise Broken("no answer") from cause
