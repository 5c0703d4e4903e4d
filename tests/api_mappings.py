"""hub.ports.MappingDesk that knows two versions and does what it is asked, and remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.errors import NotFound
from hub.model.mapping import Targets


class QuickMappings:
    def __init__(self) -> None:
        self.active, self.latest = 1, 2
        self.asked: list[tuple[Any, ...]] = []

    async def overview(self) -> dict[str, Any]:
        return {"documents": ["ticket"], "active": self.active, "latest": self.latest}

    async def version(self, number: int) -> Mapping[str, Any]:
        if number > self.latest:
            raise NotFound("not-found", str(number))
        return {"ticket": {"write": {"F_X": "order"}}}

    async def document(self, name: str) -> dict[str, Any]:
        if name != "ticket":
            raise NotFound("not-found", name)
        return {"name": name}

    async def preview(self, name: str, block: Any, ours: int, theirs: int) -> dict[str, Any]:
        return {"rows": {}, "sound": True}

    async def test(self, documents: Mapping[str, Any]) -> dict[str, Any]:
        return {"sound": True, "complaints": [], "probe": {}}

    async def targets(self) -> list[Targets]:
        return [Targets("ticket", "ticket", {"F_X": "F_X"})]

    async def save(
        self, documents: Mapping[str, Any], latest: int, by: str, note: str
    ) -> tuple[int, Mapping[str, Any]]:
        self.asked.append(("save", latest, by, note))
        self.latest += 1
        return self.latest, await self.overview()

    async def activate(self, number: int, active: int, by: str, anyway: bool = False) -> Mapping[str, Any]:
        await self.version(number)
        self.asked.append(("activate", number, active, by))
        self.active = number
        return await self.overview()
