"""One line to an MQTT broker: paho's packets over the loop's own transport.

Paho reads and writes packets (3.1.1 and 5, QoS 0 to 2); sockets, TLS, limits of time and cancelling are
asyncio's. What a broker sends is bounded before it is read: a message that is too large is told without
its payload, which is thrown away as it comes. A message is acknowledged when `done` is called for it: what
the house has not taken is sent again by the broker to a session that lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from collectors.mqtt_broker import BrokerBlock
from collectors.mqtt_message import Message, Will
from collectors.mqtt_pipe import Packets, Pipe, TooLarge
from hub.errors import SourceRefused, SourceUnavailable

__all__ = ["Line", "Message", "Will"]

_VERSIONS = {"3.1.1": MQTTProtocolVersion.MQTTv311, "5": MQTTProtocolVersion.MQTTv5}
_FULL = 10_000  # messages that wait here before nothing more is read
_FULL_BYTES = 8 << 20
_UNREADABLE = (
    struct.error, ArithmeticError, AssertionError, AttributeError, LookupError, MQTTException, TypeError,
    ValueError,
)  # fmt: skip
# The broker says no to us, not to this attempt: a person has to change something.
_REFUSALS = {
    0x84: "it does not speak this version; choose version: 3.1.1 or 5",
    0x85: "it does not accept the client id; give client_id:",
    0x86: "user or password is wrong; correct user: and password:",
    0x87: "this user may not; allow it on the broker",
    0x8A: "it has banned us; look into its log",
    0x8C: "it wants another way of logging in; allow user and password there",
}
_TAKEN_OVER = 0x8E
WRONG_FILTER = 0x80  # and above: a subscription was refused


class Line:
    """From `open` to `close`; raises SourceUnavailable and SourceRefused without the place."""

    def __init__(
        self, block: BrokerBlock, client_id: str, *, lasting: float = 0, will: Will | None = None
    ) -> None:
        """`lasting`: seconds for which the broker shall keep our session when we are away; 0 for none."""
        self._block, self._lasting = block, lasting
        self._pipe = Pipe(self, block.largest)
        self._inbox: list[Message] = []
        self._bytes = 0
        self._news = asyncio.Event()
        self._fault: Exception | None = None
        self._answers: dict[int, asyncio.Future[list[int]]] = {}
        self._greeted: asyncio.Future[None] | None = None
        self._upkeep: asyncio.Task[None] | None = None
        self._packets = self._made(client_id, will)
        self.tells_filters = False  # MQTT 5 only, and not every broker
        self.peer_until: datetime | None = None  # of the broker's certificate, where it showed one

    def _made(self, client_id: str, will: Will | None) -> Packets:
        five = self._block.version == "5"
        packets = Packets(
            CallbackAPIVersion.VERSION2, client_id, protocol=_VERSIONS[self._block.version],
            clean_session=None if five else not self._lasting, reconnect_on_failure=False, manual_ack=True,
        )  # fmt: skip
        packets.begin(self._pipe)
        if self._block.user:
            secret = self._block.password
            packets.username_pw_set(self._block.user, secret.get_secret_value() if secret else None)
        if will is not None:
            packets.will_set(will.topic, will.payload, qos=1, retain=will.retained)
        packets.on_connect = self._on_connect
        packets.on_message = self._on_message
        packets.on_subscribe = self._on_subscribe
        packets.on_publish = self._on_publish
        packets.on_disconnect = self._on_disconnect
        return packets

    # ------------------------------------------------------------------ life
    async def open(self) -> None:
        place, loop = self._block.place, asyncio.get_running_loop()
        self._greeted = loop.create_future()
        context = self._block.tls()
        try:
            async with asyncio.timeout(self._block.timeout.total_seconds()):
                await loop.create_connection(lambda: self._pipe, place.host, place.port, ssl=context)
                self.peer_until = self._pipe.peer_until()
                self._say(lambda: self._connect(place.host, place.port))
                await self._greeted
        except ssl.SSLCertVerificationError as cause:
            raise SourceRefused(
                f"its certificate is not good: {cause.verify_message}; name its authority in security: ca:"
            ) from None
        except (OSError, TimeoutError) as cause:
            raise SourceUnavailable(f"no answer ({type(cause).__name__})") from None
        self._upkeep = asyncio.create_task(self._keep())

    def _connect(self, host: str, port: int) -> None:
        keep = int(self._block.keep_alive.total_seconds())
        if self._block.version != "5":
            self._packets.connect(host, port, keep)
            return
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wishes.MaximumPacketSize = self._block.largest
        if self._lasting:
            wishes.SessionExpiryInterval = int(self._lasting)
        self._packets.connect(host, port, keep, clean_start=not self._lasting, properties=wishes)

    async def close(self) -> None:
        """Say goodbye if there is somebody to say it to."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            await asyncio.gather(self._upkeep, return_exceptions=True)
        for waiting in self._waited_for():
            waiting.cancel()
        if self._fault is None and self._packets.is_connected():
            with contextlib.suppress(OSError, *_UNREADABLE):
                self._packets.disconnect()
                self._packets.loop_write()
        self._pipe.close()
        for name in ("connect", "message", "subscribe", "publish", "disconnect"):  # no ring that a
            setattr(self._packets, f"on_{name}", None)  # collector of garbage would have to find
        await asyncio.sleep(0)  # the transport writes what is left and goes

    def cut(self) -> None:
        """Without a goodbye."""
        self._give_up("cut by ourselves")

    def lost(self, why: str | Exception) -> None:
        """No more of this connection; the first reason holds."""
        if self._fault is None:
            self._fault = why if isinstance(why, Exception) else SourceUnavailable(why)
        for waiting in self._waited_for():
            if not waiting.done():
                waiting.set_exception(self._fault)
                waiting.exception()  # whoever waits gets it; nobody waiting is no complaint
        self._news.set()

    def _waited_for(self) -> list[asyncio.Future[Any]]:
        return [*self._answers.values(), *([self._greeted] if self._greeted else [])]

    # ------------------------------------------------------------------ talking
    async def subscribe(self, filters: Sequence[tuple[str, int]], called: int = 0) -> list[str]:
        """Filters that the broker does not let us have. `called`: a number that its messages bring along,
        where the broker `tells_filters`."""
        answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        wishes: Properties | None = None
        if called:
            wishes = Properties(PacketTypes.SUBSCRIBE)  # type: ignore[no-untyped-call]
            wishes.SubscriptionIdentifier = called
        number = self._say(lambda: self._packets.subscribe(list(filters), properties=wishes)[1])
        codes = await self._answered(number, answer)
        return [f for (f, _), code in zip(filters, codes, strict=False) if code >= WRONG_FILTER]

    async def publish(self, topic: str, payload: bytes, *, qos: int = 0, retained: bool = False) -> None:
        """Returns once the broker has it (QoS 1), or once it is on its way (QoS 0)."""
        answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        number = self._say(lambda: self._packets.publish(topic, payload, qos, retained).mid)
        if qos:
            await self._answered(number, answer)

    def tell(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """On its way before the goodbye, without waiting for an answer (QoS 1)."""
        if self._fault is None:
            self._say(lambda: self._packets.publish(topic, payload, 1, retained).mid)

    async def _answered(self, number: int | None, answer: asyncio.Future[list[int]]) -> list[int]:
        if self._fault is not None or number is None:
            raise self._fault or SourceUnavailable("the line is not up")
        self._answers[number] = answer
        try:
            async with asyncio.timeout(self._block.timeout.total_seconds()):
                return await answer
        except TimeoutError:
            raise SourceUnavailable("no answer to what we asked") from None
        finally:
            self._answers.pop(number, None)

    async def next(self, seconds: float) -> list[Message]:
        """Everything that has come, in order; nothing after `seconds` of silence."""
        if not self._inbox and self._fault is None:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        taken, self._inbox, self._bytes = self._inbox, [], 0
        if not taken and self._fault is not None:
            raise self._fault
        self._pipe.pause(paused=False)
        return taken

    def done(self, messages: Sequence[Message]) -> int:
        """The house has them: the broker may forget them. Counts the times; `confirmed` tells of how many of
        them the broker knows, where a session lasts."""
        told = [m for m in messages if m.qos]
        if not told or self._fault is not None:
            return 0
        for message in told:
            self._say(lambda m=message: self._packets.acknowledge(m.number, m.qos))
        return int(self._say(self._packets.said) or 0) if self._lasting else 0

    @property
    def confirmed(self) -> int:
        return self._packets.confirmed

    def _say(self, what: Any) -> Any:
        try:
            said = what()
            while self._packets.want_write() and self._fault is None:
                self._packets.loop_write()
        except OSError:
            self.lost("the line is gone")
            return None
        return said

    # ------------------------------------------------------------------ listening
    def readable(self) -> None:
        """Take in whole packets; what is left of one waits for its rest."""
        try:
            while self._pipe.waiting and self._fault is None:
                if self._packets.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    self.lost("the broker's words break the protocol")
            if self._packets.want_write():
                self._packets.loop_write()
        except TooLarge:
            self._give_up(f"a message of more than {self._block.largest} bytes; make largest: larger")
        except _UNREADABLE as cause:
            self._give_up(f"a packet cannot be read: {type(cause).__name__}")
        except OSError:
            self.lost("the line is gone")
        if len(self._inbox) >= _FULL or self._bytes >= _FULL_BYTES:
            self._pipe.pause(paused=True)

    def _give_up(self, why: str) -> None:
        self.lost(why)
        self._pipe.abort()

    async def _keep(self) -> None:
        """Pings, and notices when they are not answered: within two `keep_alive` at most."""
        every = self._block.keep_alive.total_seconds() / 4
        while self._fault is None:
            await asyncio.sleep(every)
            if len(self._inbox) >= _FULL or self._bytes >= _FULL_BYTES:
                with contextlib.suppress(OSError):  # nothing is read now, its answer neither
                    self._packets.ping_past_paho()
            elif self._packets.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._give_up(
                    f"nothing heard for {self._block.keep_alive.total_seconds():g} s, no ping's answer"
                )

    def _on_connect(self, _c: Any, _u: Any, _flags: Any, reason: ReasonCode, has: Any) -> None:
        assert self._greeted is not None
        five = self._block.version == "5"
        self.tells_filters = five and bool(getattr(has, "SubscriptionIdentifierAvailable", 1))
        if not reason.is_failure:
            if not self._greeted.done():
                self._greeted.set_result(None)
            return
        said = f"the broker says {reason.getName()}"
        if reason.value in _REFUSALS:
            self.lost(SourceRefused(f"{said}: {_REFUSALS[reason.value]}"))
        else:
            self.lost(said)

    def _on_message(self, _c: Any, _u: Any, heard: Any) -> None:
        try:
            topic = heard.topic
        except UnicodeDecodeError:
            return  # not ours: no filter of ours fits a topic that is no text
        filters = tuple(getattr(heard.properties, "SubscriptionIdentifier", ())) if self.tells_filters else ()
        left_out = self._packets.left_out
        payload = b"" if left_out else heard.payload
        self._inbox.append(
            Message(topic, payload, heard.qos, heard.retain, heard.dup, heard.mid, filters, left_out)
        )
        self._bytes += len(payload)
        self._news.set()

    def _on_subscribe(self, _c: Any, _u: Any, number: int, reasons: Sequence[ReasonCode], _p: Any) -> None:
        self._answer(number, [int(r.value) for r in reasons])

    def _on_publish(self, _c: Any, _u: Any, number: int, reason: ReasonCode, _p: Any) -> None:
        self._answer(number, [int(reason.value)])

    def _answer(self, number: int, codes: list[int]) -> None:
        waiting = self._answers.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(codes)

    def _on_disconnect(self, _c: Any, _u: Any, flags: Any, reason: ReasonCode, _p: Any) -> None:
        if reason.value == _TAKEN_OVER:
            self.lost("another client came with our client_id; give each hub its own, or leave it out")
        elif flags.is_disconnect_packet_from_server:
            self.lost(f"the broker ended it: {reason.getName()}")
        else:
            self.lost("the line was cut")
