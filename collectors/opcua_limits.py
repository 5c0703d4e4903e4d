"""What the bytes of a server may cost us before they are understood: entries of a list, and errors.

asyncua believes the length of a list, also where its entries take one byte each, or none at all (an array of
Null): five bytes would fill the memory. Lists of entries that become objects are bounded here.
"""

from __future__ import annotations

import asyncio
import functools
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from asyncua import ua
from asyncua.client import ua_client
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from asyncua.ua.uaerrors import UaError

from hub.errors import SourceUnavailable

MOST_ENTRIES = 20_000  # of a list whose entries are no plain numbers
MOST_IN_ALL = 100_000  # of all such lists in one message
# asyncua's own errors have words for what is wrong, and stay; these are of bytes that it cannot read.
NONSENSE = (
    struct.error, ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError,
    RecursionError, TypeError, ValueError,
)  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")


class _Message:
    """The one that is being read: lists within lists count together."""

    def __init__(self) -> None:
        self._bytes: bytes | None = None
        self._entries = 0

    def spend(self, data: Any, entries: int) -> None:
        if not isinstance(data, Buffer):
            return
        if data._data is not self._bytes:
            self._bytes, self._entries = data._data, 0
        self._entries += max(entries, 0)
        if self._entries > MOST_IN_ALL:
            raise UaError(f"lists of {self._entries} entries in one message; {MOST_IN_ALL} can be read")


_message = _Message()
Read = Callable[[Any], Any]
_arrays: Callable[[Any], Read] = ua_binary._create_uatype_array_deserializer
_lists: Callable[[Any], Read] = ua_binary._create_list_deserializer


def _array_of(kind: ua.VariantType) -> Read:
    """Of a variant or a field, by its built-in type."""
    whole = _arrays(kind)
    return whole if hasattr(ua_binary.Primitives1, kind.name) else _bounded(whole)


def _list_of(kind: Any) -> Read:
    return _bounded(_lists(kind))


def _bounded(whole: Read) -> Read:
    def read(data: Any) -> Any:
        (length,) = struct.unpack("<i", data.copy(4).read(4))
        if length > MOST_ENTRIES:
            raise UaError(f"a list of {length} entries; {MOST_ENTRIES} can be read")
        _message.spend(data, length)
        return whole(data)

    return read


def bound() -> None:
    """For everything that asyncua reads in this process."""
    ua_binary.MAX_RESHAPE_ELEMENTS = 10 * MOST_ENTRIES
    vars(ua_client)["wait_for"] = _in_time
    ua_binary._create_uatype_array_deserializer = functools.cache(_array_of)
    ua_binary._create_list_deserializer = functools.cache(_list_of)
    for made in ("_create_type_deserializer", "_create_dataclass_deserializer"):
        getattr(ua_binary, made).cache_clear()


async def _in_time(answer: Awaitable[R], seconds: float | None) -> R:
    """Instead of wait_for2, which makes a CancelledError of a timeout of ours that meets a lost connection.

    asyncio.timeout does not know it as its own, and the collector would end as if it had been asked to.
    """
    async with asyncio.timeout(seconds):
        return await answer


def readable(asks: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """An answer that makes no sense ends the line like one that never came."""

    @functools.wraps(asks)
    async def asked(*given: P.args, **named: P.kwargs) -> R:
        try:
            return await asks(*given, **named)
        except NONSENSE as cause:
            raise SourceUnavailable(f"an answer cannot be read: {type(cause).__name__}") from cause

    return asked


bound()
