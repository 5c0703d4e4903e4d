"""One line to an OPC UA server: asyncua's session, with our own limits, publish requests and clean end.

asyncua's publish loop swallows what we want to hear about and makes objects of every value, so publish
requests are sent here, two at a time, and their answers stay bytes until collectors.opcua_decode reads them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from asyncua import ua
from asyncua.crypto import security_policies
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import (
    BadEncodingLimitsExceeded,
    BadMessageNotAvailable,
    BadRequestTooLarge,
    BadResponseTooLarge,
    BadTcpMessageTooLarge,
    BadTooManyOperations,
    UaError,
    UaStatusCodeError,
)

from collectors.opcua_caller import Caller
from collectors.opcua_channel import TOO_LARGE as ANSWER_TOO_LARGE
from collectors.opcua_channel import Protocol
from collectors.opcua_decode import Published, fast, slow, slow_message
from collectors.opcua_items import item
from collectors.opcua_limits import NONSENSE, readable
from collectors.opcua_portions import Portions
from collectors.opcua_revised import Revised
from hub.errors import SourceUnavailable

# asyncua prints whole requests at DEBUG, log-ins with their passwords among them, and its client logs the
# trace of every lost connection, which we raise as an error of our own.
logging.getLogger("asyncua").setLevel(logging.WARNING)
logging.getLogger("asyncua.client").setLevel(logging.CRITICAL + 1)

_PER_PUBLISH = 2_000  # notifications; with texts of 300 characters they still fit into one answer
_EVENTS = 1000  # that the server keeps for us between two answers
_AT_ONCE = 500  # monitored items in one request
_WINDOW = 2  # publish requests the server holds, so that it need not wait for us
_FOR_GOOD = (BadTooManyOperations, BadRequestTooLarge)  # another time it would be the same
TOO_LARGE = (*_FOR_GOOD, BadEncodingLimitsExceeded, BadResponseTooLarge, BadTcpMessageTooLarge)
_GOODBYE = 0.2  # seconds until an answer is no longer waited for from a server that has fallen silent
_HASTY = 1000  # milliseconds that a channel lasts at least
_TOLD = "told"  # notifications in one publish answer
_SELDOM = 86_400.0  # seconds between two answers without news, at most
_BAD = 0x80000000  # a refusal is one, whatever else its code says
LIFETIME = 120.0  # seconds after which a server may forget a hub that has gone


_FORWARD: tuple[Any, Any] = (False, True)  # not inverse, subtypes of the reference too

T = TypeVar("T")
R = TypeVar("R")


class Line:
    """From `open` to `close`. Everything in between raises asyncua's and the socket's own errors."""

    def __init__(self, endpoint: str, timeout: timedelta, portions: Portions | None = None) -> None:
        self.portions = portions or Portions()
        self._protocol: Protocol | None = None
        self._timeout = timeout.total_seconds()
        self.client = Caller(endpoint, timeout=self._timeout, watchdog_intervall=max(self._timeout, 1.0))
        self.client.name = self.client.description = "Andon Hub"
        self.client.product_uri = "urn:andon-hub"
        self.client.application_uri = "urn:andon-hub:collector"
        self.client.session_timeout = int(LIFETIME * 1000)
        self.client.uaclient._make_protocol = self._make_protocol  # type: ignore[method-assign]
        self.subscription = 0
        self.keep_alive = 0.0  # seconds, as revised by the server
        self.revised = Revised()
        self.answers_fast = 0
        self.answers_slow = 0
        self._acks: list[ua.SubscriptionAcknowledgement] = []
        self._waiting: deque[tuple[int, asyncio.Task[Published]]] = deque()  # most that it may tell
        self.is_silent = False
        self.is_kept = False  # the session is to outlive this line: no goodbye
        self.is_taken_up = False  # its subscription was another line's before
        self.started: datetime | None = None  # since when the server runs
        self.wish = ua.CreateSubscriptionParameters()
        self.monitored: dict[int, int] = {}  # the server's number of each handle

    def _make_protocol(self) -> Protocol:
        low = self.client.uaclient
        self._protocol = low.protocol = Protocol(self._timeout, low.security_policy, self.portions.message)
        low.protocol.pre_request_hook = low.pre_request_hook
        low.protocol.on_connection_lost = low._on_transport_lost
        low.protocol.is_session_closing = low._is_session_closing
        return self._protocol

    @readable
    async def open(self) -> None:
        await self.client.connect()
        if self.client.secure_channel_timeout < _HASTY:
            raise SourceUnavailable(
                f"the server would have the channel renewed every {self.client.secure_channel_timeout} ms"
            )

    async def close(self) -> None:
        """Say goodbye if there is somebody to say it to; waits no longer than the timeout for its answer, and
        hardly at all where nothing was heard for long: tags are bad only when this is over."""
        for _, task in self._waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in self._waiting), return_exceptions=True)
        self._waiting.clear()
        self._why_not_renewed()
        if self.is_kept and self._protocol is not None and self._protocol.transport is not None:
            self._protocol.transport.abort()  # what is under way would end the session when it arrives
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(_GOODBYE if self.is_silent else self._timeout):
                await self.client.disconnect()
        except (TimeoutError, OSError, UaError, *NONSENSE):
            self.client.disconnect_socket()

    @readable
    async def namespaces(self) -> list[str]:
        found: object = await self.client.get_namespace_array()
        if not isinstance(found, list) or not all(isinstance(uri, str) for uri in found):
            raise SourceUnavailable("the server does not tell its namespaces")
        return found

    @readable
    async def subscribe(self, interval: timedelta, keep_alive: timedelta) -> None:
        period = interval.total_seconds()
        request = ua.CreateSubscriptionRequest()
        wish = request.Parameters
        wish.RequestedPublishingInterval = period * 1000
        wish.RequestedMaxKeepAliveCount = max(1, round(keep_alive.total_seconds() / period))
        wish.RequestedLifetimeCount = max(3 * wish.RequestedMaxKeepAliveCount, round(LIFETIME / period))
        wish.MaxNotificationsPerPublish = self.portions.of(_TOLD, _PER_PUBLISH)
        self.wish = wish
        wish.PublishingEnabled = True
        body = await self.client.uaclient.session._send_request(request)
        answer = _answer(ua.CreateSubscriptionResponse, body)
        answer.ResponseHeader.ServiceResult.check()
        given = answer.Parameters
        self.subscription = int(given.SubscriptionId)
        self.revised.publishing = float(given.RevisedPublishingInterval)
        self.keep_alive = given.RevisedPublishingInterval / 1000 * max(given.RevisedMaxKeepAliveCount, 1)
        if not 0 < self.keep_alive <= _SELDOM:  # nor a NaN
            raise SourceUnavailable(f"the server would say it lives every {self.keep_alive} s")

    @readable
    async def watch(
        self,
        items: Sequence[tuple[int, ua.NodeId]],
        sampling: Sequence[timedelta],
        queue: int,
        filters: Mapping[int, ua.DataChangeFilter] = MappingProxyType({}),
    ) -> list[tuple[int, int]]:
        """Monitor the value of each (handle, node); (handle, status code) of those the server refused.

        `sampling`: by handle, how often the server is to look; `filters`: by handle, what it need not tell.
        """

        async def ask(some: Sequence[tuple[int, ua.NodeId]]) -> list[int]:
            return await self._create(
                [item(handle, node, sampling[handle], queue, filters.get(handle)) for handle, node in some]
            )

        statuses = await self.in_parts(items, _AT_ONCE, ask, "monitor")
        return [(handle, status) for (handle, _), status in zip(items, statuses, strict=True) if status]

    @readable
    async def watch_events(self, handle: int, node: ua.NodeId, wish: ua.EventFilter) -> int:
        """Monitor the events of this node; 0, or the status code with which the server refuses."""
        events = item(handle, node, timedelta(), _EVENTS)
        events.ItemToMonitor.AttributeId = AttributeIds.EventNotifier
        events.RequestedParameters.Filter = wish
        [status] = await self._create([events])
        return status

    @readable
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
            answer = _answer(ua.ReadResponse, body)
            answer.ResponseHeader.ServiceResult.check()
            results: list[ua.DataValue] = answer.Results
            return results

        return await self.in_parts(nodes, _AT_ONCE, ask, alone=_too_large)

    async def properties(
        self, nodes: Sequence[ua.NodeId], reference: ua.NodeId, name: ua.QualifiedName
    ) -> list[ua.NodeId | None]:
        """Of each node the one that `reference` leads to by this name; None where there is none."""

        async def ask(some: Sequence[ua.NodeId]) -> list[ua.NodeId | None]:
            steps = [ua.RelativePathElement(reference, *_FORWARD, name)]
            asked = [ua.BrowsePath(node, ua.RelativePath(steps)) for node in some]
            found = await self.client.uaclient.session.translate_browsepaths_to_nodeids(asked)
            return [r.Targets[0].TargetId if r.StatusCode.is_good() and r.Targets else None for r in found]

        return await self.in_parts(nodes, _AT_ONCE, ask, "paths")

    async def _create(self, items: list[ua.MonitoredItemCreateRequest]) -> list[int]:
        """0 for each that the server has taken, else its status code."""
        wish = ua.CreateMonitoredItemsParameters()
        wish.SubscriptionId = self.subscription
        wish.TimestampsToReturn = ua.TimestampsToReturn.Both
        wish.ItemsToCreate = items
        results = await self.client.uaclient.session.create_monitored_items(wish)
        self.revised.hear(items, results)
        for one, result in zip(items, results, strict=False):
            if result.StatusCode.is_good():
                self.monitored[int(one.RequestedParameters.ClientHandle)] = int(result.MonitoredItemId)
        return [0 if r.StatusCode.is_good() else max(int(r.StatusCode.value), _BAD) for r in results]

    @readable
    async def leave(self, handles: Sequence[int]) -> None:
        """Monitor these no longer."""
        ids = [self.monitored.pop(handle) for handle in handles if handle in self.monitored]
        wish = ua.DeleteMonitoredItemsParameters(self.subscription, ids)
        await self.client.uaclient.session.delete_monitored_items(wish)

    @readable
    async def in_parts(
        self,
        items: Sequence[T],
        at_once: int,
        ask: Callable[[Sequence[T]], Awaitable[list[R]]],
        what: str = "read",
        alone: Callable[[T], R] | None = None,
    ) -> list[R]:
        """The answers for all items; the parts become smaller where an answer of its kind was too large.

        `alone` answers for one item that is too large by itself.
        """
        found: list[R] = []
        while len(found) < len(items):
            asked = items[len(found) : len(found) + self.portions.of(what, at_once)]
            try:
                answers = await ask(asked)
            except TOO_LARGE as cause:
                if self.less(what, len(asked), cause):
                    continue
                if alone is None:
                    raise
                answers = [alone(asked[0])]
            if len(answers) != len(asked):
                raise SourceUnavailable(f"{len(asked)} things were asked for and {len(answers)} answered")
            self.portions.well(what, len(asked), at_once)
            found += answers
        return found

    def less(self, what: str, asked: int, cause: UaError) -> bool:
        """Ask for fewer of these; False when it was one. SourceUnavailable when it has cost the line."""
        lost = self._protocol is not None and not self._protocol.is_open
        fewer = self.portions.too_large(what, asked, for_good=lost or isinstance(cause, _FOR_GOOD))
        if lost:
            remedy = "asked for less the next time" if fewer else "make max_message larger"
            said = type(cause).__name__
            raise SourceUnavailable(f"a request or its answer was too large ({said}); {remedy}")
        return fewer

    async def next(self) -> Published | None:
        """The next publish answer, in order; None for one that was larger than we take, and is lost.

        SourceUnavailable when three keep-alives were missed.
        """
        if cause := self._why_not_renewed():
            self.is_silent = isinstance(cause, OSError | TimeoutError)
            raise SourceUnavailable(f"the channel could not be renewed ({type(cause).__name__})")
        while len(self._waiting) < _WINDOW:
            most = self.portions.of(_TOLD, _PER_PUBLISH)
            self._waiting.append((most, asyncio.create_task(self._publish())))
        most, oldest = self._waiting[0]
        done, _ = await asyncio.wait({oldest}, timeout=3 * self.keep_alive)
        if not done:
            self.is_silent = True
            raise SourceUnavailable(f"nothing heard for {3 * self.keep_alive:.1f} s, no keep-alive either")
        self._waiting.popleft()
        try:
            heard = oldest.result()
        except TOO_LARGE as cause:
            if most <= self.portions.of(_TOLD, _PER_PUBLISH):  # not one from before it was told
                await self._tell_less(most, cause)
            return None
        if heard.subscription != self.subscription:
            raise SourceUnavailable(
                f"the answer is of a subscription that is not ours ({heard.subscription})"
            )
        if heard.acknowledge:
            self.had([heard.sequence])
        return heard

    def had(self, sequences: Iterable[int]) -> None:
        """The server need not keep these any longer."""
        self._acks += [ua.SubscriptionAcknowledgement(self.subscription, number) for number in sequences]

    @property
    def answers(self) -> int:
        return self.answers_fast + self.answers_slow

    def _why_not_renewed(self) -> BaseException | None:
        """asyncua renews the channel on its own, and would tell nobody that it no longer does."""
        renewing = self.client._renew_channel_task
        return renewing.exception() if renewing and renewing.done() and not renewing.cancelled() else None

    @readable
    async def _tell_less(self, most: int, cause: UaError) -> None:
        """From now on the server is to put less into one publish answer."""
        self.less(_TOLD, most, cause)
        before, wish = self.wish, ua.ModifySubscriptionParameters(self.subscription)
        wish.RequestedPublishingInterval = before.RequestedPublishingInterval
        wish.RequestedLifetimeCount = before.RequestedLifetimeCount
        wish.RequestedMaxKeepAliveCount = before.RequestedMaxKeepAliveCount
        wish.MaxNotificationsPerPublish = self.portions.of(_TOLD, _PER_PUBLISH)
        await self.client.uaclient.session.update_subscription(wish)

    @readable
    async def _publish(self) -> Published:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements, self._acks = self._acks, []
        body = await self.client.uaclient.session._send_request(request, timeout=0)
        heard = fast(bytes(body))
        if heard is not None:
            self.answers_fast += 1
            return heard
        self.answers_slow += 1
        answer = _answer(ua.PublishResponse, body)
        answer.ResponseHeader.ServiceResult.check()
        return slow(answer)

    @readable
    async def again(self, sequence: int) -> Published | None:
        """A notification that never came, once more (Republish); None when the server has it no longer."""
        try:
            message = await self.client.uaclient.session.republish(self.subscription, sequence)
        except (BadMessageNotAvailable, *TOO_LARGE):
            return None
        if int(message.SequenceNumber) != sequence:  # an empty one, of a server that has it no longer
            return None
        self.had([sequence])
        return slow_message(self.subscription, message)


def _too_large(node: ua.NodeId) -> ua.DataValue:
    """Of a node whose value alone is more than we take."""
    return ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(ANSWER_TOO_LARGE)))


def _answer(kind: type[T], body: Any) -> T:
    """Of the kind that was asked for: the bytes of another one would be read as something else."""
    answer: Any = struct_from_binary(kind, body)
    told, wanted = answer.TypeId, getattr(ObjectIds, f"{kind.__name__}_Encoding_DefaultBinary")
    if (told.NamespaceIndex, told.Identifier) != (0, wanted):
        raise SourceUnavailable(f"another answer than the one we asked for ({told.to_string()})")
    read: T = answer
    return read


POLICIES: dict[str, Any] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128Sha256RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256Sha256RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
    "Basic256": security_policies.SecurityPolicyBasic256,
    "Basic128Rsa15": security_policies.SecurityPolicyBasic128Rsa15,
}
