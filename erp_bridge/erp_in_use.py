"""The configured connector with the field maps that are active now: rebuilt when people activate others."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from erp_bridge.fieldmap import MapBlock
from erp_bridge.preview import too_deep
from hub.config import explain
from hub.errors import ConfigError, Transient
from hub.model.mapping import FROM_FILE, MappingVersion
from hub.ports import Clock, ErpConnector, Mappings

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds until another version is noticed, at most
ASK_AGAIN = 0.5  # seconds between askings to end

Work = Callable[[ErpConnector], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fit:
    """`number`: the version that is used; `trouble`: why it is not the active one. `maps` tells these field
    maps from any others: what was read under others is read anew."""

    number: int
    active: int
    connector: ErpConnector
    trouble: str = ""
    maps: str = ""

    def told(self) -> dict[str, Any]:
        """For the status page."""
        return {"mapping": self.number} | ({"mapping_trouble": self.trouble} if self.trouble else {})


class ErpInUse:
    """`raw` is the `with:` block as the file has it; its documents are version 0."""

    def __init__(self, cls: Any, raw: Mapping[str, Any], kind: str, clock: Clock, mappings: Mappings) -> None:
        self.cls, self.kind, self.clock, self.mappings = cls, kind, clock, mappings
        self._raw = raw

    def of_file(self) -> dict[str, Any]:
        """Version 0, as JSON knows it."""
        written = self._raw.get("documents") or {}
        return {str(name): plainly(block) for name, block in written.items()}

    def config(self, documents: Mapping[str, Any]) -> Any:
        """The plug-in's Config with these documents laid over the file's; raises ConfigError."""
        merged = {**(self._raw.get("documents") or {}), **documents}
        refuse_too_deep(merged)
        try:
            return self.cls.Config.model_validate({**self._raw, "documents": merged})
        except ValidationError as cause:
            raise ConfigError(*explain(cause, "erp.with")) from None

    def made(self, documents: Mapping[str, Any]) -> ErpConnector:
        """Raises ConfigError with every complaint of the connector."""
        made: ErpConnector = self.cls(self.config(documents), self.clock)
        return made

    async def fit(self) -> Fit:
        """The active version; if the connector refuses it (it was another release that took it, or the file
        has changed since), the one that was active before it, and at last the file's."""
        versions = await self.mappings.versions(self.kind)
        active = await self.mappings.active(self.kind)
        trouble = ""
        for version in in_turn(versions, active):
            try:
                made = self.made(version.documents)
                return Fit(version.number, active, made, trouble, self._named(version.documents))
            except ConfigError as cause:
                why = "; ".join(cause.complaints)
                said = f"version {version.number} of the field maps cannot be used: {why}"
                log.error("%s", said)
                trouble = trouble or said
        return Fit(FROM_FILE, active, self.made({}), trouble, self._named({}))

    def _named(self, documents: Mapping[str, Any]) -> str:
        laid = {**self.of_file(), **{name: plainly(block) for name, block in documents.items()}}
        text = json.dumps([self.kind, laid], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    async def carry(self, work: Work, on_fit: Callable[[Fit], None]) -> None:
        """Runs `work` until it ends, with the connector anew whenever another version is activated. What is
        under way then is looked for first, as after a crash."""
        while True:
            fit = await self.fit()
            on_fit(fit)
            try:
                if await self._until_changed(work(fit.connector), fit.active):
                    return
            finally:
                await fit.connector.close()
            log.info("another version of the field maps is active: the ERP bridge takes it up")

    async def _until_changed(self, work: Awaitable[None], active: int) -> bool:
        """True when the work has ended by itself."""
        working, watching = asyncio.ensure_future(work), asyncio.create_task(self._changed(active))
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            while left := {t for t in (working, watching) if not t.done()}:
                for task in left:
                    task.cancel()
                await asyncio.wait(left, timeout=ASK_AGAIN)
        ended = not working.cancelled()
        for task in (working, watching):
            if not task.cancelled():
                task.result()
        return ended

    async def _changed(self, active: int) -> None:
        while True:
            await self.clock.sleep(LOOK_EVERY)
            try:
                if await self.mappings.active(self.kind) != active:
                    return
            except Transient:
                continue  # the record is away: that is told by others


def in_turn(versions: list[MappingVersion], active: int) -> list[MappingVersion]:
    """The active one, then those that were active before it, the latest first; none when the file's is
    active."""
    chosen = [v for v in versions if v.number == active]
    if not chosen:
        return []
    earlier = [v for v in versions if v.activated_at is not None and v.number != active]
    return chosen + sorted(earlier, key=lambda v: (v.activated_at, v.number), reverse=True)


def plainly(block: Any) -> Any:
    """A block of `documents:` without what it does not say; what is no block stays as it is."""
    try:
        made = MapBlock.model_validate(block)
    except ValidationError:
        return block
    return made.model_dump(mode="json", exclude_defaults=True)


def refuse_too_deep(documents: Mapping[str, Any]) -> None:
    """Before anything reads them: a reader of expressions goes as deep as its brackets."""
    for name, block in documents.items():
        for text in _texts(block):
            if too_deep(text):
                raise ConfigError(
                    f"erp.with.documents.{name}: {text[:40]!r}... is too long, or has too many brackets"
                )


def _texts(block: Any) -> list[str]:
    if isinstance(block, str):
        return [block]
    if isinstance(block, MapBlock):
        block = block.model_dump()
    values = block.values() if isinstance(block, Mapping) else block if isinstance(block, list) else ()
    return [text for value in values for text in _texts(value)]
