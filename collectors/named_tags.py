"""The tags that a collector's points name. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from hub.errors import ConfigError
from hub.model.sample import Tag


def named_tags(paths: Iterable[str], tags: Mapping[str, Tag], where: str) -> list[Tag]:
    """One for each path; raises ConfigError with every path that names none. `where` is the list's place."""
    found: list[Tag] = []
    complaints: list[str] = []
    for index, path in enumerate(paths):
        if path in tags:
            found.append(tags[path])
            continue
        near = difflib.get_close_matches(path, tags, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "; add it to its machine's tags:"
        complaints.append(f"{where}[{index}].tag: no tag {path!r} in the plant{hint}")
    if complaints:
        raise ConfigError(*complaints)
    return found
