"""Drafts of field maps as people send them: their shape, what they are laid over, which columns they ask for
(pure)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import ValidationError

from erp_bridge.erp_in_use import refuse_too_deep
from erp_bridge.fieldmap import MapBlock, asked, too_much
from hub.config import explain
from hub.errors import ConfigError, NotFound, Refused
from hub.ports import ErpConnector


def own_map(connector: ErpConnector, name: str) -> MapBlock:
    own: Mapping[str, MapBlock] = getattr(connector, "own_maps", {})
    if name not in own:
        raise NotFound("not-found", f"there is no document {name}")
    return own[name]


def laid_over(connector: ErpConnector, own: MapBlock, site: MapBlock) -> MapBlock:
    if getattr(connector, "layered", True):
        return site.over(own)
    return site.model_copy(update={"write": site.write or own.write, "read": site.read or own.read})


def drafted(draft: Any) -> MapBlock:
    """Raises Refused with what is wrong with its shape."""
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in "".join(_strings(draft))):
        raise Refused("mapping-refused", "block: a text contains control characters; remove them")
    try:
        refuse_too_deep({"block": draft})
        return MapBlock.model_validate(draft)
    except ValidationError as cause:
        raise Refused("mapping-refused", "; ".join(explain(cause, "block"))) from None
    except ConfigError as cause:
        raise Refused("mapping-refused", str(cause)) from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from (str(name), *_strings(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def all_drafted(documents: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: drafted(block).model_dump(mode="json", exclude_defaults=True)
        for name, block in documents.items()
    }


def columns_of(block: MapBlock) -> list[str]:
    """Of what can be read: rows under work are left out."""
    found: list[str] = []
    for text in [*block.read.values(), *(t for v in block.variants for t in v.read.values())]:
        found += _asked(text)
    return list(dict.fromkeys(found))


def roots_of(block: MapBlock) -> list[str]:
    return [name.partition(".")[0] for name in asked(MapBlock(read=block.read))]


def _asked(text: str) -> list[str]:
    draft = MapBlock(read={"x": text})
    try:
        refuse_too_deep({"x": draft})
        return [] if too_much(jmespath.compile(text).parsed) else asked(draft)
    except (ConfigError, JMESPathError, ValueError):
        return []
