"""A look at a Modbus device before anything runs on it: every block of the configuration is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from collectors.blocks import Block, Point, decode, halves
from collectors.modbus_asking import Short, asked
from collectors.modbus_habit import Habit
from collectors.modbus_line import Broken, Denied, ModbusLine, Silent, connected
from collectors.modbus_witness import witnesses

_REMEDIES = {
    1: "illegal function: the device has no such table; correct table:",
    2: "illegal address: correct address: (from 0; 40001 in a manual is 0) or table:",
    3: "illegal value: the device refuses this many at once; correct type: or make hole: smaller",
    4: "device failure: it cannot be read now; is the machine behind it on?",
    6: "device busy for as long as timeout: says; does another client ask it without a pause?",
    10: "the gateway has no way to this unit; correct unit:",
    11: "the device behind the gateway does not answer; is it on, is unit: right?",
}
_SILENCES = 12  # questions without an answer until the rest of a unit is left
_ELSE = "look it up in the device's manual"


async def probed(
    host: str,
    port: int,
    timeout: float,
    blocks: Sequence[Block],
    points: Sequence[tuple[str, Point]],
    now: Callable[[], float],
) -> dict[str, str]:
    """What was found, by the thing looked at; ✗ begins what a person has to mend. Reads only.

    `points` with the names of their tags. A device that is away or odd is something found, and no error.
    """
    where = f"{host}:{port}"
    units = sorted({block.unit for block in blocks})
    try:
        line = await connected(host, port, units[0], timeout, Habit(assumed=True), now)
    except Broken:
        return {where: "✗ no answer; is it on, is the address right, is a firewall between?"}
    names = {id(point): name for name, point in points}
    found: dict[str, str] = {}
    try:
        for unit in units:
            try:
                some = [b for b in blocks if b.unit == unit]
                found |= await _read(line, f"{where} unit {unit}", some, names, timeout)
            except Broken as cause:
                key = where if len(units) == 1 else f"{where} unit {unit}"
                found[key] = f"✗ unit {unit}: {cause}; is unit: right, and does the device speak Modbus TCP?"
    finally:
        line.close()
    return found


async def _read(
    line: ModbusLine, where: str, blocks: Sequence[Block], names: Mapping[int, str], timeout: float
) -> dict[str, str]:
    found: dict[str, str] = {}
    lives, good, silences, todo = False, 0, 0, list(reversed(blocks))
    silent: Silent | None = None
    wanted = sum(len(block.points) for block in blocks)
    while todo:
        block = todo.pop()
        try:
            answer = await asked(line, block, timeout)
        except (Denied, Short, Silent) as cause:
            if isinstance(cause, Silent):
                silences, silent = silences + 1, cause
                if not lives and not await _lives(line, blocks, block, timeout):
                    raise
            if silences > _SILENCES:
                left = sum(len(b.points) for b in (block, *todo))
                found[_named(block.points[0], names)] = f"{_SAID_NOTHING}; {left} points not looked at"
                break
            if len(block.points) > 1:
                todo[:0] = reversed(halves(block))  # last: another block or half shows whether it lives
            else:
                found[_named(block.points[0], names)] = _why(cause)
        else:
            good += len(block.points)
            found |= _odd(block, answer, names)
        lives = True
    if silent and not good and all(text == _SAID_NOTHING for text in found.values()):
        raise silent  # the unit, and not one of its addresses
    said = f"{good} of {wanted} points answer, {len(blocks)} questions a round"
    return {where: said, **found}


async def _lives(line: ModbusLine, blocks: Sequence[Block], silent: Block, timeout: float) -> bool:
    for one in witnesses(silent, [b for b in blocks if b is not silent], new=True):
        try:
            await asked(line, one, timeout)
        except (Denied, Short):
            return True
        except Silent:
            continue
        return True
    return False


_SAID_NOTHING = "✗ keeps silent, while others are answered; correct address: or table:"


def _why(cause: Denied | Short | Silent) -> str:
    if isinstance(cause, Silent):
        return _SAID_NOTHING
    if isinstance(cause, Short):
        return "✗ it answers with fewer registers than that; correct address: or type:"
    return f"✗ exception {cause.code}, {_REMEDIES.get(cause.code, _ELSE)}"


def _odd(block: Block, answer: bytes, names: Mapping[int, str]) -> dict[str, str]:
    """Answers that came and cannot be meant."""
    try:
        values = decode(block, answer)
    except ValueError as cause:
        return {f"{block.table} {block.start}": f"✗ {cause}; does the device speak Modbus TCP?"}
    wrong = [block.points[row] for row in np.flatnonzero(~np.isfinite(values))]
    return {_named(point, names): _wrong(point) for point in wrong}


def _wrong(point: Point) -> str:
    if point.codes:
        return "✗ what it reads is not among its codes:; add it"
    return "✗ what it reads is no number; correct type:, word_order: or address:"


def _named(point: Point, names: Mapping[int, str]) -> str:
    return f"{point.table} {point.address} ({names[id(point)]})"
