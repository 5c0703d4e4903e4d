"""How much a server may send at once: chunks, messages, and what becomes of a message that is larger.

One that is too large is thrown away piece by piece while it comes, and its request fails with
BadResponseTooLarge: we ask again for less, and the line stands. asyncua would hang up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.client.ua_client import UASocketProtocol, UASocketState
from asyncua.common.connection import SecureConnection, TransportLimits
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, uatcp_to_binary
from asyncua.ua.uaerrors import BadTcpMessageTooLarge, UaError, UaStatusCodeError

CHUNK = 65_535  # bytes
MESSAGE = 1 << 20  # bytes, unless the plant says otherwise
TOO_LARGE = 0x80B90000  # BadResponseTooLarge
_SMALL_CHUNK = 8192  # bytes; no server may send smaller ones but at the end
_GAVE_UP = 0x80050000  # BadCommunicationError
_FAR_TOO_LARGE = 16  # times what we take: such a message is not waited for any more


class Limits(TransportLimits):
    """What a server may send; its own offer can lower this, never raise it or take it off."""

    def __init__(self, message: int) -> None:
        super().__init__(CHUNK, CHUNK, message // _SMALL_CHUNK, message)
        self._message = message

    def update_client_limits(self, msg: Any) -> None:
        super().update_client_limits(msg)
        self.max_recv_buffer = min(self.max_recv_buffer or CHUNK, CHUNK)
        self.max_message_size = self._message
        self.max_chunk_count = self._message // _SMALL_CHUNK


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The server began an answer and gave it up, or it was more than we take."""

    request: int
    status: int


class Channel(SecureConnection):
    """`refused` counts the bytes of a message that is thrown away while it comes."""

    _thrown_away = 0
    _of_request = 0

    def _receive(self, msg: Any) -> Any:
        if msg.MessageHeader.packet_size > CHUNK:
            self._drop_incoming_parts()
            raise BadTcpMessageTooLarge
        kind, request = msg.MessageHeader.ChunkType, int(msg.SequenceHeader.RequestId)
        limits, size = self._limits, self._incoming_size + len(msg.Body)
        if self._thrown_away or size > limits.max_message_size or self._is_full():
            self._check_incoming_chunk(msg)
            if self._thrown_away and request != self._of_request:
                raise UaError("two messages at once")
            self._drop_incoming_parts()
            return self._throw_away(request, max(size, 1), kind)
        if kind != ua.ChunkType.Abort:
            return super()._receive(msg)
        self._check_incoming_chunk(msg)
        self._drop_incoming_parts()
        told = struct_from_binary(ua.ErrorMessage, Buffer(msg.Body))
        return Unanswered(request, int(told.Error.value) if told.Error else _GAVE_UP)

    def _is_full(self) -> bool:
        return len(self._incoming_parts) >= self._limits.max_chunk_count

    def _throw_away(self, request: int, size: int, kind: Any) -> Unanswered | None:
        self._of_request, self._thrown_away = request, self._thrown_away + size
        if self._thrown_away > _FAR_TOO_LARGE * self._limits.max_message_size:
            raise BadTcpMessageTooLarge
        if kind == ua.ChunkType.Intermediate:
            return None
        self._thrown_away = 0
        return Unanswered(request, TOO_LARGE)


class Protocol(UASocketProtocol):
    """Hangs up on a server that announces more than a chunk and keeps sending; tells why it refuses us."""

    def __init__(self, timeout: float, security_policy: Any, message: int) -> None:
        super().__init__(timeout, security_policy, Limits(message))
        self._message = message
        self._connection = Channel(security_policy, Limits(message))

    @property
    def is_open(self) -> bool:
        return (
            self.state == UASocketState.OPEN
            and self.transport is not None
            and not self.transport.is_closing()
        )

    async def send_hello(self, url: str, max_messagesize: int = 0, max_chunkcount: int = 0) -> ua.Acknowledge:
        """What we take is what we say that we take; asyncua would say two gigabytes at once."""
        hello = ua.Hello(ua.UInt32(0), ua.UInt32(CHUNK), ua.UInt32(CHUNK), ua.UInt32(self._message))
        hello.MaxChunkCount, hello.EndpointUrl = ua.UInt32(self._message // _SMALL_CHUNK), ua.String(url)
        answer: asyncio.Future[ua.Acknowledge] = asyncio.get_running_loop().create_future()
        self._callbackmap[0] = answer
        if self.transport is not None:
            self.transport.write(uatcp_to_binary(ua.MessageType.Hello, hello))  # type: ignore[arg-type]
        async with asyncio.timeout(self.timeout):
            return await answer

    def data_received(self, data: bytes) -> None:
        if self.receive_buffer and len(self.receive_buffer) > CHUNK:
            self._fail_all_pending(BadTcpMessageTooLarge())  # type: ignore[no-untyped-call]
            self.disconnect_socket()
            return
        super().data_received(data)

    def _process_received_message(self, msg: Any) -> None:
        """A server may refuse a channel by a fault (node-opcua does); asyncua would forget why."""
        if isinstance(msg, Unanswered):
            asked = self._callbackmap.pop(msg.request, None)
            if asked is not None and not asked.done():
                asked.set_exception(UaStatusCodeError(msg.status))  # type: ignore[no-untyped-call]
            return
        opening = isinstance(self._open_secure_channel_exchange, ua.OpenSecureChannelParameters)
        if opening and isinstance(msg, ua.Message):
            self.check_answer(msg.body(), " in response to OpenSecureChannel")  # type: ignore[no-untyped-call]
        super()._process_received_message(msg)
