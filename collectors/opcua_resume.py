"""A subscription that outlives its line: what was sent into a cut, and what a server kept meanwhile, is had.

When a line is lost and the server lives, the session is activated on a new channel (OPC 10000-4, clause
6.7); where it is gone the subscription is moved into a new one (TransferSubscriptions, clause 5.14.7). Then
what was published and never came is asked for by its number (Republish), and publishing goes on. What can be
had neither way begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from asyncua import ua
from asyncua.ua.uaerrors import (
    BadConnectionClosed,
    BadSecureChannelClosed,
    BadSecureChannelIdInvalid,
    BadSessionClosed,
    BadSessionIdInvalid,
    BadTcpSecureChannelUnknown,
    UaStatusCodeError,
)

from collectors.opcua_caller import Known
from collectors.opcua_line import Line
from collectors.opcua_revised import Revised

_START_TIME = ua.NodeId.from_string("i=2257")  # Server_ServerStatus_StartTime
_LOST = (
    OSError, TimeoutError, BadConnectionClosed, BadSecureChannelClosed, BadSecureChannelIdInvalid,
    BadSessionClosed, BadSessionIdInvalid, BadTcpSecureChannelUnknown,
)  # fmt: skip
_SPOKE = 10  # answers, until a line that was taken up is known to work
_UNSURE = 4  # acknowledgements that may have been on their way: publish requests the server held, and ours


@dataclass(slots=True)
class Held:
    """A session and its subscription, of a line that was lost."""

    known: Known
    started: datetime
    subscription: int
    keep_alive: float
    revised: Revised
    wish: ua.CreateSubscriptionParameters
    monitored: dict[int, int]


def held(line: Line, cause: BaseException) -> Held | None:
    """What may be taken up again, when this is how the line ended. The server is not told goodbye then."""
    lost = line.is_silent or isinstance(cause, _LOST)
    briefly = line.is_taken_up and line.answers < _SPOKE
    if line.started is None or not lost or (briefly and line.is_silent):
        return None  # some (asyncua) take a session up and tell nothing more of it
    line.is_kept = True
    known = line.client.knows()
    if briefly and line.client.known is not None:
        known.tries = line.client.known.tries
    return Held(
        known, line.started, line.subscription, line.keep_alive, line.revised, line.wish, line.monitored
    )


async def started(line: Line) -> datetime | None:
    """Since when the server runs; after a restart its numbers may be somebody else's."""
    [told] = await line.read([_START_TIME])
    since = told.Value.Value if told.Value is not None else None
    return since if isinstance(since, datetime) else None


async def taken_up(line: Line, before: Held, sequence: int) -> bool:
    """Whether the subscription stands on this line as it did before; told of up to this number."""
    if await started(line) != before.started:
        return False
    try:
        stands = await (_publishes if line.client.resumed else _transferred)(line, before.subscription)
    except UaStatusCodeError:
        return False
    if stands:
        line.is_taken_up = True
        line.started, line.subscription, line.keep_alive = (
            before.started, before.subscription, before.keep_alive,
        )  # fmt: skip
        line.revised, line.wish, line.monitored = before.revised, before.wish, before.monitored
        line.had(range(max(sequence - _UNSURE, 1), sequence + 1))
    return stands


async def _publishes(line: Line, subscription: int) -> bool:
    """In a session that was taken up again."""
    wish = ua.SetPublishingModeParameters(True, [subscription])
    [answer] = await line.client.uaclient.session.set_publishing_mode(wish)
    return bool(answer.is_good())


async def _transferred(line: Line, subscription: int) -> bool:
    """From the session that is gone; without the values that stand, since those that changed are kept."""
    wish = ua.TransferSubscriptionsParameters([subscription], False)
    [answer] = await line.client.uaclient.session.transfer_subscriptions(wish)
    return bool(answer.StatusCode.is_good())
