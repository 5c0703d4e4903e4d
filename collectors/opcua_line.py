"""One line to an OPC UA server: asyncua's session, with our own limits, publish requests and clean end.

asyncua's publish loop swallows what we want to hear about and makes objects of every value, so publish
requests are sent here, two at a time, and their answers stay bytes until collectors.opcua_decode reads them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.connection import TransportLimits
from asyncua.crypto import security_policies
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import (
    BadEncodingLimitsExceeded,
    BadMessageNotAvailable,
    BadRequestTooLarge,
    BadResponseTooLarge,
    BadTooManyOperations,
    UaError,
    UaStatusCodeError,
)

from collectors.opcua_decode import UNREADABLE, Published, fast, slow, slow_message
from hub.errors import SourceUnavailable

# asyncua prints whole requests at DEBUG, log-ins with their passwords among them, and its client logs the
# trace of every lost connection, which we raise as an error of our own.
logging.getLogger("asyncua").setLevel(logging.WARNING)
logging.getLogger("asyncua.client").setLevel(logging.CRITICAL + 1)

_CHUNK = 65_535  # bytes
_MESSAGE = 4 * 1024 * 1024  # bytes; 10,000 texts of 300 characters still fit into one answer
_PER_PUBLISH = 5_000  # notifications
_EVENTS = 1000  # that the server keeps for us between two answers
_AT_ONCE = 500  # monitored items in one request
_WINDOW = 2  # publish requests the server holds, so that it need not wait for us
_TOO_LARGE = (BadTooManyOperations, BadEncodingLimitsExceeded, BadRequestTooLarge, BadResponseTooLarge)
_GOODBYE = 0.2  # seconds until an answer is no longer waited for from a server that has fallen silent
_LIFETIME = 60.0  # seconds after which a server may forget a hub that has gone


_FORWARD: tuple[Any, Any] = (False, True)  # not inverse, subtypes of the reference too

T = TypeVar("T")
R = TypeVar("R")


class _Limits(TransportLimits):
    """What a server may send; its own offer can lower this, never raise it or take it off."""

    def update_client_limits(self, msg: Any) -> None:
        super().update_client_limits(msg)
        self.max_recv_buffer = min(self.max_recv_buffer or _CHUNK, _CHUNK)
        self.max_message_size = _MESSAGE
        self.max_chunk_count = _MESSAGE // 8192


class _Protocol(UASocketProtocol):
    """Hangs up on a server that announces more than a chunk and keeps sending; tells why it refuses us."""

    def data_received(self, data: bytes) -> None:
        if self.receive_buffer and len(self.receive_buffer) > _CHUNK:
            self.disconnect_socket()
            return
        super().data_received(data)

    def _process_received_message(self, msg: Any) -> None:
        """A server may refuse a channel by a fault (node-opcua does); asyncua would forget why."""
        opening = isinstance(self._open_secure_channel_exchange, ua.OpenSecureChannelParameters)
        if opening and isinstance(msg, ua.Message):
            self.check_answer(msg.body(), " in response to OpenSecureChannel")  # type: ignore[no-untyped-call]
        super()._process_received_message(msg)


class Line:
    """From `open` to `close`. Everything in between raises asyncua's and the socket's own errors."""

    def __init__(self, endpoint: str, timeout: timedelta) -> None:
        self._timeout = timeout.total_seconds()
        self.client = Client(endpoint, timeout=self._timeout, watchdog_intervall=max(self._timeout, 1.0))
        self.client.name = self.client.description = "Andon Hub"
        self.client.product_uri = "urn:andon-hub"
        self.client.application_uri = "urn:andon-hub:collector"
        self.client.session_timeout = int(_LIFETIME * 1000)
        self.client.uaclient._make_protocol = self._make_protocol  # type: ignore[method-assign]
        self.subscription = 0
        self.keep_alive = 0.0  # seconds, as revised by the server
        self.answers_fast = 0
        self.answers_slow = 0
        self._acks: list[ua.SubscriptionAcknowledgement] = []
        self._waiting: deque[asyncio.Task[Published]] = deque()
        self._silent = False

    def _make_protocol(self) -> UASocketProtocol:
        low = self.client.uaclient
        limits = _Limits(_CHUNK, _CHUNK, _MESSAGE // 8192, _MESSAGE)
        low.protocol = _Protocol(self._timeout, security_policy=low.security_policy, limits=limits)
        low.protocol.pre_request_hook = low.pre_request_hook
        low.protocol.on_connection_lost = low._on_transport_lost
        low.protocol.is_session_closing = low._is_session_closing
        return low.protocol

    async def open(self) -> None:
        await self.client.connect()

    async def close(self) -> None:
        """Say goodbye if there is somebody to say it to; waits no longer than the timeout for its answer, and
        hardly at all where nothing was heard for long: tags are bad only when this is over."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._waiting.clear()
        try:
            async with asyncio.timeout(_GOODBYE if self._silent else self._timeout):
                await self.client.disconnect()
        except (TimeoutError, OSError, UaError):
            self.client.disconnect_socket()

    async def namespaces(self) -> list[str]:
        found: list[str] = await self.client.get_namespace_array()
        return found

    async def subscribe(self, interval: timedelta, keep_alive: timedelta) -> None:
        period = interval.total_seconds()
        request = ua.CreateSubscriptionRequest()
        wish = request.Parameters
        wish.RequestedPublishingInterval = period * 1000
        wish.RequestedMaxKeepAliveCount = max(1, round(keep_alive.total_seconds() / period))
        wish.RequestedLifetimeCount = max(3 * wish.RequestedMaxKeepAliveCount, round(_LIFETIME / period))
        wish.MaxNotificationsPerPublish = _PER_PUBLISH
        wish.PublishingEnabled = True
        body = await self.client.uaclient.session._send_request(request)
        answer = struct_from_binary(ua.CreateSubscriptionResponse, body)
        answer.ResponseHeader.ServiceResult.check()
        given = answer.Parameters
        self.subscription = int(given.SubscriptionId)
        self.keep_alive = given.RevisedPublishingInterval / 1000 * max(given.RevisedMaxKeepAliveCount, 1)

    async def watch(
        self,
        items: Sequence[tuple[int, ua.NodeId]],
        interval: timedelta,
        queue: int,
        filters: Mapping[int, ua.DataChangeFilter] = MappingProxyType({}),
    ) -> list[tuple[int, int]]:
        """Monitor the value of each (handle, node); (handle, status code) of those the server refused.

        `filters`: by handle, what the server need not tell.
        """

        async def ask(some: Sequence[tuple[int, ua.NodeId]]) -> list[int]:
            return await self._create(
                [_item(handle, node, interval, queue, filters.get(handle)) for handle, node in some]
            )

        statuses = await self.in_parts(items, _AT_ONCE, ask)
        return [(handle, status) for (handle, _), status in zip(items, statuses, strict=True) if status]

    async def watch_events(self, handle: int, node: ua.NodeId, wish: ua.EventFilter) -> int:
        """Monitor the events of this node; 0, or the status code with which the server refuses."""
        item = _item(handle, node, timedelta(), _EVENTS)
        item.ItemToMonitor.AttributeId = AttributeIds.EventNotifier
        item.RequestedParameters.Filter = wish
        [status] = await self._create([item])
        return status

    async def refresh_conditions(self) -> str:
        """Have the server tell again which conditions stand (part 9, clause 5.5.7); changes nothing there.

        "" when it will, else why not.
        """
        asked = ua.CallMethodRequest(
            ua.NodeId.from_string("i=2782"),  # ConditionType
            ua.NodeId.from_string("i=3875"),  # its ConditionRefresh, the only method that is called anywhere
            [ua.Variant(self.subscription, ua.VariantType.UInt32)],
        )
        try:
            [answer] = await self.client.uaclient.session.call([asked])
        except UaStatusCodeError as cause:
            return type(cause).__name__
        return "" if answer.StatusCode.is_good() else str(answer.StatusCode.name)

    async def read(self, nodes: Sequence[ua.NodeId]) -> list[ua.DataValue]:
        """The value of each with status and times; a node the server does not know is a bad value."""

        async def ask(some: Sequence[ua.NodeId]) -> list[ua.DataValue]:
            request = ua.ReadRequest()
            request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            request.Parameters.NodesToRead = [ua.ReadValueId(n, AttributeIds.Value) for n in some]
            body = await self.client.uaclient.session._send_request(request)
            answer = struct_from_binary(ua.ReadResponse, body)
            answer.ResponseHeader.ServiceResult.check()
            results: list[ua.DataValue] = answer.Results
            return results

        return await self.in_parts(nodes, _AT_ONCE, ask)

    async def properties(
        self, nodes: Sequence[ua.NodeId], reference: ua.NodeId, name: ua.QualifiedName
    ) -> list[ua.NodeId | None]:
        """Of each node the one that `reference` leads to by this name; None where there is none."""

        async def ask(some: Sequence[ua.NodeId]) -> list[ua.NodeId | None]:
            steps = [ua.RelativePathElement(reference, *_FORWARD, name)]
            asked = [ua.BrowsePath(node, ua.RelativePath(steps)) for node in some]
            found = await self.client.uaclient.session.translate_browsepaths_to_nodeids(asked)
            return [r.Targets[0].TargetId if r.StatusCode.is_good() and r.Targets else None for r in found]

        return await self.in_parts(nodes, _AT_ONCE, ask)

    async def _create(self, items: list[ua.MonitoredItemCreateRequest]) -> list[int]:
        """0 for each that the server has taken, else its status code."""
        wish = ua.CreateMonitoredItemsParameters()
        wish.SubscriptionId = self.subscription
        wish.TimestampsToReturn = ua.TimestampsToReturn.Both
        wish.ItemsToCreate = items
        results = await self.client.uaclient.session.create_monitored_items(wish)
        return [0 if r.StatusCode.is_good() else int(r.StatusCode.value) for r in results]

    async def in_parts(
        self, items: Sequence[T], at_once: int, ask: Callable[[Sequence[T]], Awaitable[list[R]]]
    ) -> list[R]:
        """The answers for all items; the parts become smaller while the server finds them too large."""
        found: list[R] = []
        while len(found) < len(items):
            try:
                found += await ask(items[len(found) : len(found) + at_once])
            except _TOO_LARGE:
                if at_once <= 1:
                    raise
                at_once = max(at_once // 4, 1)
        return found

    async def next(self) -> Published:
        """The next publish answer, in order. SourceUnavailable when three keep-alives were missed."""
        while len(self._waiting) < _WINDOW:
            self._waiting.append(asyncio.create_task(self._publish()))
        oldest = self._waiting[0]
        done, _ = await asyncio.wait({oldest}, timeout=3 * self.keep_alive)
        if not done:
            self._silent = True
            raise SourceUnavailable(f"nothing heard for {3 * self.keep_alive:.1f} s, no keep-alive either")
        self._waiting.popleft()
        heard = oldest.result()
        if heard.acknowledge:
            self._acks.append(ua.SubscriptionAcknowledgement(heard.subscription, heard.sequence))
        return heard

    async def _publish(self) -> Published:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements, self._acks = self._acks, []
        body = await self.client.uaclient.session._send_request(request, timeout=0)
        heard = fast(bytes(body))
        if heard is not None:
            self.answers_fast += 1
            return heard
        self.answers_slow += 1
        try:
            answer = struct_from_binary(ua.PublishResponse, body)
        except UNREADABLE as cause:
            raise SourceUnavailable(f"a publish answer cannot be read: {type(cause).__name__}") from cause
        answer.ResponseHeader.ServiceResult.check()
        return slow(answer)

    async def again(self, sequence: int) -> Published | None:
        """A notification that never came, once more (Republish); None when the server has it no longer."""
        try:
            message = await self.client.uaclient.session.republish(self.subscription, sequence)
        except BadMessageNotAvailable:
            return None
        return slow_message(self.subscription, message)


def _item(
    handle: int, node: ua.NodeId, interval: timedelta, queue: int, wished: ua.DataChangeFilter | None = None
) -> ua.MonitoredItemCreateRequest:
    wish = ua.MonitoredItemCreateRequest()
    wish.ItemToMonitor.NodeId = node
    wish.ItemToMonitor.AttributeId = AttributeIds.Value
    wish.MonitoringMode = ua.MonitoringMode.Reporting
    wish.RequestedParameters.ClientHandle = handle
    wish.RequestedParameters.SamplingInterval = interval.total_seconds() * 1000
    wish.RequestedParameters.QueueSize = queue
    wish.RequestedParameters.DiscardOldest = True
    if wished is not None:
        wish.RequestedParameters.Filter = wished
    return wish


POLICIES: dict[str, Any] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
