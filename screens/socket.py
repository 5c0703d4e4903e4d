"""uvicorn's WebSocket with habits of ours: short buffers, no lingering with a peer that reads nothing, and no
word about each socket in the log. Who was refused and why says the guard, in one line.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.transports import BaseTransport, Transport
from typing import cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, ProtocolError

KERNEL_BUFFER = 128 * 1024  # bytes: what lies in here is already old when a slow reader gets to it
OWN_BUFFER = 64 * 1024
LINGER = 5.0  # seconds to get the last bytes out before the line is cut


class ScreenSocket(WebSocketsSansIOProtocol):
    """Give it to uvicorn as `ws=ScreenSocket`, with `ws_max_size=65536` and pings (hub.api.server): a peer
    that is gone is noticed within ten seconds, one that only reads nothing any more within 30."""

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # refused with an answer: uvicorn would call that a bug

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        cast(Transport, transport).set_write_buffer_limits(high=OWN_BUFFER)

    def data_received(self, data: bytes) -> None:
        """What comes behind a close, or breaks the protocol once more, only ends the line."""
        try:
            super().data_received(data)
        except (InvalidState, ProtocolError):
            self.transport.abort()

    def send_receive_event_to_app(self) -> None:
        """A text that is none ends the line without a word in the log, which a stranger could fill so."""
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)):
            self.frames = []
            self.transport.abort()
            return
        super().send_receive_event_to_app()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """`close` waits for a peer to read what is left; a frozen one never does."""
        super().on_task_complete(task)
        self.loop.call_later(LINGER, self.transport.abort)


def _is_text(frame: bytes) -> bool:
    try:
        frame.decode()
    except UnicodeDecodeError:
        return False
    return True
