"""A look at a system that changes nothing: is every service there, and every property of the maps?"""

from __future__ import annotations

from collections.abc import Iterable

from erp_bridge.fieldmap import asked
from erp_bridge.sap_metadata import EntityType, Metadata
from erp_bridge.sap_records import PARAGRAPH, Kind
from hub.errors import ErpRefused

_NEW = frozenset({"ticket", "report", "receipt", "issue", "hours", "scrap", "quality"})


async def probed(kinds: Iterable[Kind]) -> dict[str, str]:
    """Raises ErpUnavailable when nobody answers or nobody is let in."""
    return {kind.name: await _looked_at(kind) for kind in kinds}


async def _looked_at(kind: Kind) -> str:
    try:
        known = await kind.service.metadata()
        if kind.name == "completion":
            return _function(kind, known)
        entity = _entity(kind, known)
        if entity is None:
            return f"✗ {kind.service.path} has no {kind.form}"
        said = _properties(kind, known, entity)
        if not said.startswith("✗") and kind.form in known.sets:
            await kind.rows(most=1)  # are we allowed to look, and does the filter hold?
    except ErpRefused as refusal:
        return f"✗ {kind.form}: {refusal}"
    return said


def _entity(kind: Kind, known: Metadata) -> EntityType | None:
    """An operation is reached from its order."""
    if kind.form in known.sets:
        return known.of_set(kind.form)
    targets = [t.navigation[kind.form] for t in known.types.values() if kind.form in t.navigation]
    return known.types.get(targets[0]) if targets else None


def _function(kind: Kind, known: Metadata) -> str:
    if kind.form not in known.calls:
        return f"✗ {kind.service.path} has no function {kind.form}"
    missing = sorted(n for n in kind.own if n not in known.calls[kind.form])
    return f"✗ {kind.form} has no {', '.join(missing)}" if missing else f"{kind.form}: a function"


def _properties(kind: Kind, known: Metadata, entity: EntityType) -> str:
    written = [name.rstrip(PARAGRAPH) for name, text in kind.block.write.items() if text]
    written += [n.rstrip(PARAGRAPH) for v in kind.block.variants for n, text in v.write.items() if text]
    read = [] if kind.name == "sales_order" else asked(kind.block)  # that one joins three
    lacking = {name: _lack(name, known, entity, kind.name in _NEW) for name in written}
    lacking |= {name: _lack(name, known, entity, None) for name in read}
    own = {name.rstrip(PARAGRAPH) for name in kind.own}
    missing = [f"{name} ({why})" for name, why in lacking.items() if why and name in own]
    without = [name for name, why in lacking.items() if why and name not in own]
    if missing:
        return f"✗ {kind.form} has no {', '.join(missing)}; mend documents.{kind.name}"
    whole = f"{kind.form}: {len(set(written) | set(read))} properties"
    return whole + (f", without {', '.join(without)}" if without else "")


def _lack(path: str, known: Metadata, entity: EntityType | None, new: bool | None) -> str:
    """Why it cannot be used, or "". `new`: to be created, to be changed, or (None) to be read."""
    head, _, rest = path.partition(".")
    name = head.removesuffix("[]")
    if entity is None:
        return ""
    if rest:
        return _lack(rest, known, known.below(entity, name), new)
    prop = entity.properties.get(name)
    if prop is None:
        return "" if name in entity.navigation else "not in this release"
    allowed = new is None or (prop.creatable if new else prop.updatable)
    return "" if allowed else "not to be written"
