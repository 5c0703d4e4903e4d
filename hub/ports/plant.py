"""The plant, as configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.model.equipment import Equipment
from hub.model.people import Person, Shift
from hub.model.sample import Tag
from hub.model.stop import StopRules
from hub.model.words import Words


@dataclass(frozen=True, slots=True)
class Plant:
    """The plant tree with its tags and calendar; the same frozen value in every process."""

    site: Equipment
    equipment: Mapping[str, Equipment]  # every node, by path, in the order of the file
    tags: Mapping[str, Tag]  # by tag path
    time_zone: str = "Asia/Shanghai"
    shifts: tuple[Shift, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)  # line path -> good pieces per planned hour
    outlets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # line path -> machines it leaves by
    instructions: Mapping[str, Words] = field(default_factory=dict)  # rule name -> what to do first
    stops: StopRules = field(default_factory=StopRules)

    def machines(self, below: str = "") -> list[Equipment]:
        return [
            e
            for e in self.equipment.values()
            if e.level == "work-unit" and (not below or e.path.startswith(below + "/") or e.path == below)
        ]

    def full_name(self, path: str) -> Words:
        """`3号线 冲压机07`: the line's name and the machine's, the way people say it."""
        node = self.equipment[path]
        above = self.equipment.get(node.parent)
        if above is None or node.level != "work-unit":
            return node.name
        return Words(
            f"{above.name.in_('zh')} {node.name.in_('zh')}", f"{above.name.in_('en')} {node.name.in_('en')}"
        )
