"""How a device is asked for a block: patient with one that is busy, in doubt of one that gives too little."""

from __future__ import annotations

import asyncio
import math

from collectors.blocks import BIT_TABLES, Block, Table
from collectors.modbus_line import Denied, HungUp, ModbusLine

_FUNCTION: dict[Table, int] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
# Acknowledge and device busy: ask again when it is free (MODBUS Application Protocol 1.1b3, clause 7).
_BUSY = frozenset({5, 6})
_BREATH = 0.05  # seconds until a busy device is asked again


class Short(Exception):
    """Fewer registers than asked for, twice: the device has no more here and does not say so."""


async def asked(line: ModbusLine, block: Block, patience: float) -> bytes:
    """The data bytes of the answer.

    A busy device is asked again for `patience` seconds, as long as it might have kept silent. One answer of
    another length may be somebody else's and is for the caller to refuse; one as short once more raises Short
    (some servers cut off at the end of their memory where the standard wants exception 2), bits that are
    filled up to whole words once more are taken without what fills them.
    """
    try:  # the way of nearly all answers, a hundred devices at once: no step more than it takes
        answer = await line.ask(_FUNCTION[block.table], block.start, block.count, block.unit)
    except Denied as cause:
        if cause.code not in _BUSY:
            raise
        await asyncio.sleep(_BREATH)
        answer = await _when_free(line, block, patience)
    except HungUp:
        await line.reopen()
        answer = await _when_free(line, block, patience)
    if len(answer) < block.bytes_expected:
        once_more = await _when_free(line, block, patience)
        if len(once_more) == len(answer):
            raise Short
    elif len(answer) > block.bytes_expected and block.table in BIT_TABLES:
        once_more = await _when_free(line, block, patience)
        if len(once_more) == len(answer):
            return once_more[: block.bytes_expected]
    return answer


async def _when_free(line: ModbusLine, block: Block, patience: float) -> bytes:
    until, now = math.inf, asyncio.get_running_loop().time  # the line's own time, like its timeout
    while True:
        try:
            return await line.ask(_FUNCTION[block.table], block.start, block.count, block.unit)
        except Denied as cause:
            until = min(until, now() + patience)
            if cause.code not in _BUSY or now() >= until:
                raise
            await asyncio.sleep(_BREATH)
        except HungUp:
            await line.reopen()
