"""A YAML file as plain values: keys that are there twice refused, secrets put where they are named.

What is said about a broken file never quotes the file: the broken line may be the one with the secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from hub.errors import ConfigError
from hub.quick_yaml import Unusual, quick

_QUOTED = re.compile(r"'(?!\\.')[^']{2,}'")  # PyYAML quotes what it found; one character gives nothing away

MOST_REPEATED = 1_000_000  # values that aliases stand for; ten thousand tags said by aliases are a tenth
_PYTHON = re.compile(r"'tag:yaml\.org,2002:(python/[^']*)'")  # other tags may be passwords that begin with !

_DATA = frozenset({"points"})  # keys whose {file: ...} is a table: a register map

# What PyYAML lets through where a value is not what it looks like: 2001-99-99, a bare !!int, !!bool maybe.
_UNREADABLE = (ValueError, TypeError, LookupError, OverflowError, AttributeError)


class _Twice(yaml.MarkedYAMLError):
    pass


class _Repeats(yaml.MarkedYAMLError):
    pass


class _Loader(yaml.SafeLoader):
    """YAML leaves open what a repeated key means and PyYAML keeps the last: a tag would vanish unsaid.

    Aliases of aliases make a file of one page stand for a thousand million values: they are counted.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._met = self._repeated = 0  # values so far; those among them that aliases stand for
        self._behind: dict[str, int] = {}  # an anchor's values

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        repeats, before = isinstance(event, yaml.AliasEvent), self._met
        node = super().compose_node(parent, index)
        if repeats:
            size = self._behind.get(event.anchor, 1)
            self._met += size
            self._repeated += size
            if self._repeated > MOST_REPEATED:
                problem = f"the aliases (*) up to here stand for more than {MOST_REPEATED:,} values"
                raise _Repeats(problem=problem, problem_mark=event.start_mark)
            return node
        self._met += 1
        if event.anchor is not None:
            self._behind[event.anchor] = self._met - before
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                continue
            if key.value in seen:
                raise _Twice(problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return node


def read(path: Path) -> dict[Any, Any]:
    """The file's top mapping; raises ConfigError with place and remedy, whatever the file holds."""
    try:
        raw = _values(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise ConfigError(f"{path}: cannot be read ({cause.strerror}); name the file with --config") from None
    except UnicodeDecodeError as cause:
        raise ConfigError(f"{path}: byte {cause.start} is not UTF-8; save the file as UTF-8") from None
    except yaml.YAMLError as cause:
        raise ConfigError(f"{path}: {_what(cause)}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply; is a bracket missing?") from None
    except _UNREADABLE:
        raise ConfigError(f"{path}: holds a date or number that does not exist; put it in quotes") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected keys such as plant:, collectors:, rules: at the top")
    return raw


def _values(text: str) -> Any:
    try:
        return quick(text, MOST_REPEATED)
    except Unusual:
        return yaml.load(text, _Loader)  # noqa: S506  a SafeLoader


def _what(cause: yaml.YAMLError) -> str:
    if not isinstance(cause, yaml.MarkedYAMLError):
        return "not YAML: it holds characters that may not be there; save it as plain text"
    mark = cause.problem_mark or cause.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    if isinstance(cause, _Twice):
        return f"{place}{cause.problem}; keys must differ"
    if isinstance(cause, _Repeats):
        return f"{place}{cause.problem}; write fewer"
    if tag := _PYTHON.search(cause.problem or ""):
        return f"{place}the tag !!{tag[1]} is not taken; write a plain value"
    problem = _QUOTED.sub("something", cause.problem or cause.context or "not understood")
    return f"not YAML: {place}{problem}; check quotes, brackets and indentation there"


def with_secrets(raw: dict[Any, Any], env: Mapping[str, str], base: Path, complaints: list[str]) -> Any:
    """`{file: path}` and `{env: NAME}` stand for the text they name; what is missing goes to `complaints`."""
    try:
        return _put(raw, env, base, None, complaints)
    except RecursionError:
        complaints.append("an anchor (&) holds an alias (*) of itself; write the block out")
        return {}


_At: TypeAlias = "tuple[_At, Any] | None"  # from the node up: the path is written out for who has to read it


def _put(node: Any, env: Mapping[str, str], base: Path, at: _At, complaints: list[str]) -> Any:
    if isinstance(node, list):
        return [_put(n, env, base, (at, i), complaints) for i, n in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if at is not None and at[1] in _DATA and isinstance(node.get("file"), str):
        return {**node, "file": str(base / node["file"])}  # read by who needs it, and no secret
    if len(node) == 1:
        match node:
            case {"file": str(name)}:
                return secret_file(base / name, name, _path(at), complaints)
            case {"env": str(name)}:
                return _from_environment(env, name, _path(at), complaints)
    return {k: _put(v, env, base, (at, k), complaints) for k, v in node.items()}


def _path(at: _At) -> str:
    keys: list[Any] = []
    while at is not None:
        at, key = at
        keys.append(key)
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in reversed(keys)).lstrip(".")


def _from_environment(env: Mapping[str, str], name: str, at: str, complaints: list[str]) -> str:
    if name not in env:
        complaints.append(f"{at}: the environment has no {name!r}; set it, or name a file with {{file: ...}}")
    return env.get(name, "")


def secret_file(path: Path, name: str, at: str, complaints: list[str]) -> str:
    """Its text without the line end; "" with a complaint when it cannot be read or holds nothing."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        complaints.append(f"{at}: the secret file {name!r} is not UTF-8 text; write the secret as plain text")
        return ""
    except (OSError, ValueError) as cause:
        why = (cause.strerror if isinstance(cause, OSError) else None) or "not a file name"
        complaints.append(f"{at}: cannot read the secret file {name!r} ({why}); create it for our account")
        return ""
    if not text:
        complaints.append(f"{at}: the secret file {name!r} is empty; write the secret into it")
    return text
