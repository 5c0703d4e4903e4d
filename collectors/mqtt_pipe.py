"""Between paho and the loop's transport: a pipe that it takes for a socket, and our way with packets."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from datetime import datetime
from typing import Any, Protocol, cast

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes

from collectors.mqtt_protection import seen_until

_UNHEARD = 1 << 20  # bytes of ours that wait for a broker which does not listen
_PING = b"\xc0\x00"
_HEAD = 2 + 65_535 + 2  # bytes: a topic as long as they may be, with its length before and a number behind it
_THROWN_AWAY = 64 << 20  # bytes of one message at most; who announces more is not waited for


class Reader(Protocol):
    def readable(self) -> None: ...

    def lost(self, why: str | Exception) -> None: ...


class TooLarge(Exception):
    pass


class Pipe(asyncio.Protocol):
    """What paho takes for a socket."""

    def __init__(self, line: Reader, largest: int) -> None:
        self._line, self._largest = line, largest
        self._held = bytearray()
        self._ended = False
        self._head = 0  # bytes that are read of a message that is left out
        self._left_out = 0  # and behind them those that are thrown away
        self._transport: asyncio.Transport | None = None

    # ---- as asyncio sees it
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._held += data
        self._line.readable()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._line.lost("the broker closed the line")

    # ---- as paho sees it
    def recv(self, size: int) -> bytes:
        if self._head:
            size = min(size, self._head)
        elif self._left_out:
            thrown = min(self._left_out, len(self._held))
            del self._held[:thrown]
            self._left_out -= thrown
        elif size > self._largest:
            raise TooLarge
        if not self._held:
            if self._ended:
                return b""
            raise BlockingIOError
        some = bytes(self._held[:size])
        del self._held[:size]
        self._head = max(0, self._head - len(some))
        return some

    def send(self, data: bytes | bytearray) -> int:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(bytes(data))
        if self._transport.get_write_buffer_size() > _UNHEARD:
            self._transport.abort()
            raise ConnectionResetError
        return len(data)

    def setblocking(self, flag: bool) -> None:
        """There is nothing to block."""

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # ---- as the packets see it
    def leave_out(self, head: int, count: int) -> None:
        """Of what comes `head` bytes are read, however many they are, and `count` behind them are not."""
        self._head, self._left_out = head, count

    # ---- as the line sees it
    def peer_until(self) -> datetime | None:
        secure = self._transport.get_extra_info("ssl_object") if self._transport else None
        return seen_until(secure.getpeercert() or {}) if secure is not None else None

    @property
    def waiting(self) -> int:
        return len(self._held)

    def pause(self, *, paused: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if paused and transport.is_reading():
            transport.pause_reading()
        elif not paused and not transport.is_reading():
            transport.resume_reading()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Packets(Client):
    """Paho, given its socket instead of making one.

    A message of QoS 2 is ours as soon as it is here (MQTT 3.1.1, 4.3.3, method B) and is acknowledged, like
    one of QoS 1, when the house has it: held until the broker ends it, it would be lost with the connection.
    """

    pipe: Pipe
    left_out = 0  # bytes of the message that is handled, where it was too large to be kept
    confirmed = 0  # up to this `said` the broker has heard our acknowledgements

    def begin(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self._unended: set[int] = set()  # numbers (QoS 2) that we have, and that the broker has not ended
        self._said = 0
        self._asked: deque[int] = deque()  # of each ping that is not answered: what was said before it

    def acknowledge(self, number: int, qos: int) -> None:
        if qos == 2:
            self._unended.add(number)
            super()._send_pubrec(number)
        else:
            self._send_puback(number)

    def said(self) -> int:
        """Counts what was acknowledged. A ping behind it, one at a time, tells when the broker has it."""
        self._said += 1
        if not self._asked:
            self._ask()
        return self._said

    def _ask(self) -> None:
        self._asked.append(self._said)
        self._send_simple_command(PacketTypes.PINGREQ << 4)

    def ping_past_paho(self) -> None:
        """While nothing is read its answer is not either, and paho would give up."""
        self._asked.append(self._said)
        self.pipe.send(_PING)

    # ---- what paho would do otherwise
    def _create_socket(self) -> Any:
        return self.pipe

    def _packet_read(self) -> MQTTErrorCode:
        try:
            return super()._packet_read()
        except TooLarge:
            self._leave_out()
            return super()._packet_read()

    def _leave_out(self) -> None:
        """Paho gets the topic and the number of a message that is too large, and its last byte: what it is
        told of has come as a whole, and may be acknowledged. Else the broker would send it for ever."""
        size = self._in_packet["to_process"]
        if self._in_packet["command"] & 0xF0 != PacketTypes.PUBLISH << 4 or size > _THROWN_AWAY:
            raise TooLarge
        head = min(_HEAD, size - 1)
        self.left_out, self._in_packet["to_process"] = size, head + 1
        self.pipe.leave_out(head, size - head - 1)

    def _send_pubrec(self, mid: int) -> MQTTErrorCode:
        return MQTTErrorCode.MQTT_ERR_SUCCESS  # not before the house has it

    def _handle_publish(self) -> MQTTErrorCode:
        code = super()._handle_publish()
        while self._in_messages:
            number, message = self._in_messages.popitem()
            if number in self._unended:
                super()._send_pubrec(number)
            else:
                self._handle_on_message(message)
        self.left_out = 0
        return code

    def _handle_pubrel(self) -> MQTTErrorCode:
        (number,) = struct.unpack_from("!H", self._in_packet["packet"])
        self._unended.discard(number)
        return self._send_pubcomp(number)

    def _send_pingreq(self) -> MQTTErrorCode:
        self._asked.append(self._said)
        return super()._send_pingreq()

    def _handle_pingresp(self) -> MQTTErrorCode:
        if self._asked:
            self.confirmed = self._asked.popleft()
        if self.confirmed < self._said and not self._asked:
            self._ask()
        return super()._handle_pingresp()
