"""A look at an OPC UA server before anything runs on it: every node of the configuration is read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from collectors.opcua_conditions import AlarmBlock
from collectors.opcua_limits import readable
from collectors.opcua_line import Line
from collectors.opcua_nodes import NodeBlock, code_word, picked
from collectors.opcua_places import located
from collectors.opcua_structures import Structures
from collectors.opcua_targets import Targets
from collectors.opcua_words import kind_of

_APART = timedelta(seconds=5)  # clocks that differ by more make values look old, or of tomorrow
_NUMBERS = (bool, int, float)
_REMEDIES = {
    "BadNodeIdUnknown": "the server has no such node; correct node:",
    "BadNodeIdInvalid": "the server has no such node; correct node:",
    "BadUserAccessDenied": "our user may not read it; allow it on the server",
    "BadNotReadable": "the server does not let it be read; name another node",
    "BadResponseTooLarge": "its value is larger than max_message:; make that larger, or name another node",
    "BadAttributeIdInvalid": "it is no variable; name the variable below it",
}
_NOW = "the server has no value for it now; is the machine on?"


async def probed(
    line: Line,
    nodes: Sequence[NodeBlock],
    alarms: Sequence[AlarmBlock],
    now: Callable[[], datetime],
) -> dict[str, str]:
    """What was found, by the thing looked at; ✗ begins what a person has to mend. Reads only.

    On a line that is open.
    """
    found: dict[str, str] = {}
    uris = await line.namespaces()
    known: list[tuple[NodeBlock, ua.NodeId]] = []
    for block, node in zip(nodes, await located(line, [n.node for n in nodes], uris), strict=True):
        if node is None:
            found[f"{block.node} ({block.tag})"] = "✗ the server has no such namespace or path; correct node:"
        else:
            known.append((block, node))
    structures = Structures()
    if parts := [node for block, node in known if block.item]:
        await structures.learn(line, parts)
    answers = await line.read([node for _, node in known])
    for (block, _), answer in zip(known, answers, strict=True):
        if complaint := _complaint(answer, block, structures):
            found[f"{block.node} ({block.tag})"] = f"✗ {complaint}"
    bad = len(found)
    _, unknown = await Targets(alarms).find(line)
    found |= {alarms[row].tag: f"✗ {why}" for row, why in unknown.items()}
    summary = f"session opened, {len(nodes) - bad} of {len(nodes)} nodes read"
    return {"server": summary, **await _clock(line, now), **found}


def _complaint(answer: ua.DataValue, block: NodeBlock, structures: Structures) -> str:
    """ "" for a value that the hub can use."""
    status = answer.StatusCode or ua.StatusCode(ua.UInt32(0))
    if not status.is_good() and not status.is_uncertain():
        return f"{status.name}: {_REMEDIES.get(status.name, _NOW)}"
    value = answer.Value.Value if answer.Value is not None else None
    if value is None and block.item != "#":
        return f"holds nothing: {_NOW}"
    if block.item and (value := picked(structures.decoded(value), block.item)) is None:
        return f"has no part {block.item}; correct item:"
    codes, value = block.codes, getattr(value, "Text", value)
    if value is None:  # a localized text without one
        return f"holds nothing: {_NOW}"
    if isinstance(value, str):
        if not codes:
            return f"is a text ({value[:40]!r}); give it codes: {{TEXT: number}}"
        return "" if value in codes else f"{value[:40]!r} is not among its codes:; add it"
    if not isinstance(value, _NUMBERS):
        return f"is {kind_of(value)}, no number; name a node that holds one, or a part of it by item:"
    if codes and (word := code_word(float(value))) not in codes:
        return f"{word} is not among its codes:; add it"
    return ""


@readable
async def _clock(line: Line, now: Callable[[], datetime]) -> dict[str, str]:
    """How far the server's clock is from ours; nothing where it does not tell."""
    node = ua.NodeId.from_string("i=2258")  # Server_ServerStatus_CurrentTime, OPC UA part 5
    [answer] = await line.client.uaclient.session.read_attributes([node], AttributeIds.Value)
    told = answer.Value.Value if answer.Value is not None else None
    if not isinstance(told, datetime):
        return {}
    apart = (told.replace(tzinfo=UTC) if told.tzinfo is None else told) - now()
    seconds = f"{apart.total_seconds():+.1f} s"
    if abs(apart) > _APART:
        return {"clock": f"✗ differs from ours by {seconds}; let NTP set both"}
    return {"clock": f"differs from ours by {seconds}"}
