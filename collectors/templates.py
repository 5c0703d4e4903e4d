"""Templates: one line of configuration for every machine that is built alike. Pure.

`plant/{line}/{machine}/oil` beside the tag `p1/{line}/{machine}/oil_temp`: what stands in braces is the same
on both sides, and the plant's tags say which ones there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from collectors.named_tags import named_tags
from hub.errors import ConfigError
from hub.model.sample import Tag

_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def holes(template: str) -> set[str]:
    return set(_HOLE.findall(template))


def filled(template: str, bound: Mapping[str, str]) -> str:
    """With what is known; other braces stay."""
    return _HOLE.sub(lambda found: bound.get(found[1], found[0]), template)


def _pattern(template: str, *, wild: bool) -> re.Pattern[str]:
    parts, at, seen = [], 0, set()
    for found in _HOLE.finditer(template):
        parts.append(_literal(template[at : found.start()], wild=wild))
        name = found[1]
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+)")
        seen.add(name)
        at = found.end()
    parts.append(_literal(template[at:], wild=wild))
    return re.compile("".join(parts), re.DOTALL)


def _literal(text: str, *, wild: bool) -> str:
    if not wild:
        return re.escape(text)
    # MQTT 5, 4.7.1: `+` is one level, `/#` the level above it and everything below
    return re.escape(text).replace(r"/\#", "(?:/.*)?").replace(r"\#", ".*").replace(r"\+", "[^/]*")


def topic_pattern(topic: str) -> re.Pattern[str]:
    """What a topic with wildcards or braces fits; a first wildcard never fits `$SYS` (MQTT 5, 4.7.2)."""
    pattern = _pattern(topic, wild=True)
    return re.compile(rf"(?!\$){pattern.pattern}", re.DOTALL) if topic[:1] in "+#{" else pattern


def topic_filter(topic: str) -> str:
    """What we subscribe to: a level with braces is any level."""
    return "/".join("+" if _HOLE.search(level) else level for level in topic.split("/"))


def covers(wide: str, narrow: str) -> bool:
    """Whether whatever fits the filter `narrow` fits `wide` as well."""
    if narrow[:1] == "$" and wide[:1] in "+#":
        return False
    ours, theirs = wide.split("/"), narrow.split("/")
    for level, one in enumerate(ours):
        if one == "#":
            return True
        if level >= len(theirs) or theirs[level] == "#" or one not in ("+", theirs[level]):
            return ours[level:] == theirs[level:] and level < len(theirs)
    return len(ours) == len(theirs)


def expanded(
    template: str, tags: Mapping[str, Tag], beside: Iterable[str], where: str
) -> list[tuple[Tag, dict[str, str]]]:
    """The tags that a tag template means, each with what its braces stand for there.

    Raises ConfigError where none fits, or where braces of the tag stand nowhere in `beside`, the other side.
    """
    wanted = holes(template)
    if not wanted:
        [tag] = named_tags([template], tags, where)
        return [(tag, {})]
    other = set().union(*map(holes, beside))
    if missing := sorted(wanted - other):
        raise ConfigError(f"{where}: {{{missing[0]}}} of the tag stands nowhere else; use it there too")
    pattern = _pattern(template, wild=False)
    found = [(tag, m.groupdict()) for path, tag in tags.items() if (m := pattern.fullmatch(path))]
    if not found:
        raise ConfigError(f"{where}: no tag of the plant fits {template!r}; correct it, or add the tags")
    return found
