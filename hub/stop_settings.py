"""The file's `stops:` block: the reasons people choose from when a machine stands, and when they have to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from pydantic import Field, field_validator, model_validator

from hub.config import Block, Duration, Text
from hub.model.equipment import Equipment
from hub.model.stop import USUAL, ReasonAfter, StopGroup, StopReason, StopRules

_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class StopReasonBlock(Block):
    """One reason that people may give for a stop."""

    code: str
    name: Text
    group: StopGroup
    classes: list[str] = Field([], description="of machines that it is for; none: all")
    places: list[str] = Field([], description="nodes of the plant that it is for; none: all")

    @field_validator("code")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not _CODE.fullmatch(value):
            raise ValueError(f"{value!r} is not a code; use small letters, digits, - and _")
        return value


class ReasonAfterBlock(Block):
    """Another `reason_after` for a part of the plant, or a class of machine, or both."""

    after: Duration = Field(gt=timedelta(0))
    place: str = ""
    kind: str = Field("", alias="class")

    @model_validator(mode="after")
    def _somewhere(self) -> ReasonAfterBlock:
        if not self.place and not self.kind:
            raise ValueError("names no place: and no class:; add one, or write stops.reason_after")
        return self


class StopsBlock(Block):
    """Why machines stand: the reasons people choose from, and when they have to."""

    reason_after: Duration = Field(
        timedelta(minutes=5), gt=timedelta(0), description="a stop of so much planned time needs a reason"
    )
    reason_after_for: list[ReasonAfterBlock] = Field(
        [], description="the deepest place that fits counts; of one place, what names a class"
    )
    ask: bool = Field(True, description="whoever is on duty is told once of a stop that needs a reason")
    reasons: list[StopReasonBlock] | None = Field(
        None, min_length=1, description="empty: a catalogue for any plant"
    )


def stop_rules(block: StopsBlock, nodes: Mapping[str, Equipment], complaints: list[str]) -> StopRules:
    kinds = sorted({n.kind for n in nodes.values() if n.kind})

    def known(what: str, words: Iterable[str], among: Collection[str], where: str) -> None:
        for word in words:
            if word and word not in among:
                near = difflib.get_close_matches(word, among, 1)
                hint = f"did you mean {near[0]!r}?" if near else "correct it, or remove it"
                complaints.append(f"stops.{where}: no {what} {word!r} in the plant; {hint}")

    for i, said in enumerate(block.reason_after_for):
        known("node", [said.place], nodes, f"reason_after_for[{i}].place")
        known("machine of class", [said.kind], kinds, f"reason_after_for[{i}].class")
    for i, reason in enumerate(block.reasons or ()):
        known("node", reason.places, nodes, f"reasons[{i}].places")
        known("machine of class", reason.classes, kinds, f"reasons[{i}].classes")
    codes = [r.code for r in block.reasons or ()]
    for twice in sorted({c for c in codes if codes.count(c) > 1}):
        complaints.append(f"stops.reasons: the code {twice!r} is there twice; codes must differ")
    reasons = tuple(
        StopReason(r.code, r.name.words(), r.group, tuple(r.classes), tuple(r.places))
        for r in block.reasons or ()
    )
    elsewhere = tuple(ReasonAfter(o.after, o.place, o.kind) for o in block.reason_after_for)
    return StopRules(reasons or USUAL, block.reason_after, elsewhere, block.ask)
