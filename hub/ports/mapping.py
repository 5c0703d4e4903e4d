"""Maps that people draw: fields of an ERP, states of a machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from hub.model.batch import SampleBatch
from hub.model.mapping import MappingVersion, Targets
from hub.model.state_table import Seam


class Mappings(Protocol):
    """Versions of the ERP's field maps. Version 0 is what the configuration file says."""

    async def versions(self, kind: str) -> list[MappingVersion]:
        """Of this kind of connector, the newest first."""
        ...

    async def active(self, kind: str) -> int: ...

    async def save(
        self, kind: str, documents: Mapping[str, Any], latest: int, by: str, note: str, at: datetime
    ) -> MappingVersion:
        """Under the next number. `latest`: the newest that the person knows of; Conflict when it is not."""
        ...

    async def activate(self, kind: str, number: int, active: int, by: str, at: datetime) -> None:
        """`active`: the one that the person takes for active; Conflict when it is another. NotFound."""
        ...


class StateTables(Mappings, Protocol):
    """Versions of what machines' codes mean, a kind for each machine (hub.model.state_table)."""

    async def in_use(self, prefix: str) -> list[MappingVersion]:
        """The active versions of all kinds that begin like this."""
        ...

    async def seams(self) -> Mapping[str, Seam]:
        """Machine -> since when the rules go by its codes as they are now."""
        ...

    async def set_seams(self, seams: Mapping[str, Seam]) -> None: ...


class RawStates(Protocol):
    async def span(
        self, tag: int, start: datetime, end: datetime, most: int
    ) -> tuple[SampleBatch, datetime | None]:
        """The newest `most` raw samples of [start, end), in order; up to when raw has been deleted."""
        ...


class StateDesk(Protocol):
    """What machines' codes mean, for people: looked at, tried on the record, saved, activated."""

    async def machines(self, by: Callable[[str], bool]) -> dict[str, Any]:
        """Those whose path `by` lets pass, with the numberings to begin from."""
        ...

    async def machine(self, path: str) -> dict[str, Any]:
        """Its tables, all versions; NotFound when no tag has its state."""
        ...

    async def preview(self, path: str, table: Mapping[str, Any], hours: int) -> dict[str, Any]:
        """The record's last hours by this table and by the one in use; Refused when it is no table."""
        ...

    async def save(
        self, path: str, table: Mapping[str, Any], latest: int, by: str, note: str
    ) -> dict[str, Any]:
        """A version more; Refused, Conflict."""
        ...

    async def activate(self, path: str, number: int, active: int, by: str) -> dict[str, Any]:
        """The rules take it up within seconds; Refused when one cannot go on with it, NotFound, Conflict."""
        ...


class MappingDesk(Protocol):
    """The field maps for people: looked at, tried, saved, activated. All of it as JSON knows it."""

    async def overview(self) -> dict[str, Any]: ...

    async def version(self, number: int) -> Mapping[str, Any]:
        """Its documents; NotFound."""
        ...

    async def document(self, name: str) -> dict[str, Any]:
        """The connector's own map, the ERP's fields, ours with examples, records to try on; NotFound."""
        ...

    async def preview(self, name: str, block: Any, ours: int, theirs: int) -> dict[str, Any]:
        """What a draft makes of the records of these numbers; Refused when it is no block."""
        ...

    async def test(self, documents: Mapping[str, Any]) -> dict[str, Any]:
        """The whole draft judged by the connector, and by a look at the ERP that changes nothing."""
        ...

    async def save(
        self, documents: Mapping[str, Any], latest: int, by: str, note: str
    ) -> tuple[int, Mapping[str, Any]]:
        """(its number, the overview); Refused with every complaint, Conflict."""
        ...

    async def targets(self) -> list[Targets]:
        """Of the maps in use; asks the ERP nothing."""
        ...

    async def activate(self, number: int, active: int, by: str, anyway: bool = False) -> Mapping[str, Any]:
        """The overview; Refused when the connector cannot be built with it, NotFound, Conflict. A version
        that was never used is tried first: Conflict `mapping-fails` when no record comes through it, and,
        unless `anyway`, `mapping-unknown-field` when the ERP does not list a field that it writes and
        `mapping-untried` when there are no records to try it on."""
        ...
