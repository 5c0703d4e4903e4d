"""What a machine's raw codes mean: codes and their numbering, as the plant file or the console says it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.model.equipment import EquipmentState as S
from hub.model.packml import NUMBERINGS
from hub.model.state_words import STATE_WORDS
from hub.model.words import Words

KIND = "states:"  # of a version of such a table, followed by the machine's path
CODES = 1_000  # codes in one table

# OPC 40001-1, MachineryItemState: NotAvailable, OutOfService, NotExecuting, Executing
_ITEM = {0: S.OFF, 1: S.MAINTENANCE, 2: S.IDLE, 3: S.EXECUTING}
PRESETS: Mapping[str, Mapping[int, S]] = {**NUMBERINGS, "machinery-40001": _ITEM}


class WrongTable(ValueError):
    """What cannot be read as such a table: the key, and what to write."""

    def __init__(self, zh: str, en: str) -> None:
        self.words = Words(zh, en)
        super().__init__(en)


@dataclass(frozen=True, slots=True)
class StateTable:
    """`map` is whole: what it does not name is UNKNOWN."""

    numbering: str
    map: Mapping[int, S] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON knows it, codes in order."""
        codes = {str(code): self.map[code].value for code in sorted(self.map)}
        return {"numbering": self.numbering, "map": codes}


@dataclass(frozen=True, slots=True)
class Seam:
    """From `since` on (source time) the record tells a machine's states by these codes (their digest)."""

    codes: str
    since: datetime


def digest(codes: Mapping[int, S]) -> str:
    """What tells one meaning of a machine's codes from another."""
    text = json.dumps({str(code): codes[code].value for code in sorted(codes)})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def state_table(numbering: str, given: Mapping[int, S]) -> StateTable:
    """With what its numbering says of the codes that are not given; WrongTable names the key."""
    known = numbered(numbering, given)
    return StateTable(numbering, {**(known or {}), **given})


def numbered(numbering: str, given: Mapping[int, S]) -> Mapping[int, S] | None:
    """The table of a PackML numbering, None for a word of one's own; WrongTable where the two do not fit."""
    table = NUMBERINGS.get(numbering)
    if table is None and numbering.startswith("packml"):
        known = " or ".join(NUMBERINGS)
        zh = f"编号规则 {numbering} 不认识；请写 {known.replace(' or ', ' 或 ')}，或自己起的名字"
        raise WrongTable(zh, f"numbering: {numbering!r} is unknown; write {known}")
    if table is None and not given:
        raise WrongTable(
            "没有任何代码；请写明每个代码是什么状态", "map: is missing; say which state each code means"
        )
    if table is not None and (other := sorted(set(given) - set(table))):
        raise WrongTable(
            f"{numbering} 中没有代码 {other[0]}；请改正代码，或换编号规则",
            f"map: {numbering} has no state {other[0]}; correct it, or numbering:",
        )
    return table


def read_table(document: Mapping[str, Any]) -> StateTable:
    """What `StateTable.document` wrote, or a person; WrongTable names the key and the remedy."""
    numbering, codes = str(document.get("numbering", "")), document.get("map")
    if not numbering.strip():
        raise WrongTable(
            "缺少编号规则；请写 PackML 的编号，或自己起的名字",
            "numbering: is missing; name a PackML numbering, or a word of your own",
        )
    if not isinstance(codes, Mapping) or len(codes) > CODES:
        raise WrongTable(
            f"应为“代码: 状态”，最多 {CODES} 个；请改正", f"map: wants code: state, {CODES} at most"
        )
    return state_table(numbering, {_code(code): _state(code, state) for code, state in codes.items()})


def _code(code: Any) -> int:
    try:
        number = int(str(code))
    except ValueError:
        number = 2**31
    if not -(2**31) <= number < 2**31:
        raise WrongTable(
            f"“{str(code)[:20]}”不是代码；代码须为 32 位以内的整数",
            f"map: {str(code)[:20]!r} is no code; codes are whole numbers of at most 32 bit",
        )
    return number


def _state(code: Any, state: Any) -> S:
    if state not in list(S):
        known = "、".join(f"{s.value}（{STATE_WORDS[s].zh}）" for s in S)
        raise WrongTable(
            f"代码 {str(code)[:20]} 的“{str(state)[:20]}”不是状态；请写 {known} 之一",
            f"map.{str(code)[:20]}: {str(state)[:20]!r} is no state; write {', '.join(S)}",
        )
    return S(state)
