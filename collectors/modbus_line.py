"""One Modbus TCP connection that reads: a question, its answer as the bytes that came, the next question.

MODBUS Messaging on TCP/IP 1.0b, section 3.1.3, has the header; MODBUS Application Protocol 1.1b3, sections
6.1 to 6.4, the four functions. An answer to an earlier question (a gateway may still hold one) is dropped,
anything else that was not asked for ends the line: what comes after it cannot be trusted.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Coroutine
from typing import Any, cast
from weakref import WeakValueDictionary

_HEADER = struct.Struct(">HHHB")  # transaction, protocol (0), bytes that follow, unit
_QUESTION = struct.Struct(">HHHBBHH")  # the same, then function, first address, how many
_LONGEST = 254  # bytes that may follow: unit and PDU
_FAILED = 0x80  # set in the function of an answer that says why there is none


class Broken(Exception):
    """The line is of no use any more; the text says why, for a person who knows the address."""


class Silent(Broken):
    """No answer in time; the line goes on where it was made to."""


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

    `patient`: a question without an answer does not end the line. Behind a gateway the next unit may well
    answer; what still comes for the last question bears its number and is dropped.
    """

    def __init__(self, unit: int, timeout: float, turn: _Turn, *, patient: bool = False) -> None:
        self._unit, self._timeout, self._turn, self._patient = unit, timeout, turn, patient
        self._loop = asyncio.get_running_loop()
        self._transaction = random.randrange(1, 60_000)  # not from 1 again: see above
        self._function, self._asked = 0, unit
        self._heard = b""
        self._waiting: asyncio.Future[bytes] | None = None
        self._ended = ""

    def ask(
        self, function: int, start: int, count: int, unit: int | None = None
    ) -> Coroutine[Any, Any, bytes]:
        """The data bytes of the answer, as many as the device says they are; of the line's unit when none is
        named.

        Raises Denied with the device's reason, Silent where the line goes on without an answer, or Broken.
        """
        asking = self._ask(function, start, count, unit)
        return asking if self._turn.lines < 2 else self._in_turn(asking)

    async def _in_turn(self, asking: Coroutine[Any, Any, bytes]) -> bytes:
        try:
            async with self._turn.lock:
                return await asking
        finally:
            asking.close()  # where its turn never came

    async def _ask(self, function: int, start: int, count: int, unit: int | None) -> bytes:
        if self._ended or self._transport.is_closing():
            raise Broken(self._ended or "the connection is closed")
        self._transaction = self._transaction % 0xFFFF + 1
        self._function, self._asked = function, self._unit if unit is None else unit
        self._waiting = self._loop.create_future()
        late = self._loop.call_later(self._timeout, self._late)
        self._transport.write(_QUESTION.pack(self._transaction, 0, 6, self._asked, function, start, count))
        try:
            return await self._waiting
        finally:
            late.cancel()
            self._waiting = None

    def close(self) -> None:
        self._ended = self._ended or "the connection was closed"
        self._transport.close()

    # ---------------------------------------------------------------- called by the loop
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._turn.lines += 1

    def connection_lost(self, cause: Exception | None) -> None:
        self._turn.lines -= 1
        self._end("the device closed the connection")

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= _HEADER.size and not self._ended:
            transaction, protocol, size, unit = _HEADER.unpack_from(self._heard)
            if protocol or not 2 < size <= _LONGEST:
                self._end("what it says is not Modbus")
                return
            if len(self._heard) < 6 + size:
                return
            pdu, self._heard = self._heard[_HEADER.size : 6 + size], self._heard[6 + size :]
            if transaction == self._transaction:
                self._answered(unit, pdu)

    def _answered(self, unit: int, pdu: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            return
        if unit != self._asked:
            self._end(f"unit {self._asked} was asked and {unit} answers; correct unit:")
        elif pdu[0] & ~_FAILED != self._function:
            self._end("answered a question we did not ask")
        elif pdu[0] & _FAILED:
            self._waiting.set_exception(Denied(pdu[1]))
        elif pdu[1] != len(pdu) - 2:
            self._end(f"announced {pdu[1]} bytes and sent {len(pdu) - 2}")
        else:
            self._waiting.set_result(pdu[2:])

    def _late(self) -> None:
        why = f"No response within {self._timeout:g} s"
        if not self._patient:
            self._end(why)
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Silent(why))

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._transport.abort()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken(self._ended))


async def connected(host: str, port: int, unit: int, timeout: float, *, patient: bool = False) -> ModbusLine:
    """Raises Broken when nobody answers there within `timeout` seconds."""
    loop = asyncio.get_running_loop()
    turn = _turns.setdefault((host, port), _Turn())
    try:
        async with asyncio.timeout(timeout):
            _, line = await loop.create_connection(
                lambda: ModbusLine(unit, timeout, turn, patient=patient), host, port
            )
    except (OSError, TimeoutError) as cause:
        raise Broken("no answer") from cause
    return line
