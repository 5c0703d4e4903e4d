"""`andon browse`: what a source offers, written as a configuration file that `andon check` reads."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hub import document
from hub.clock import SystemClock
from hub.config import explain
from hub.errors import ConfigError
from hub.registry import Kinds

FIRST = "admin"  # the login name of whoever sets the hub up
_LINE = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*){2}")


async def browsed(
    endpoint: str, with_: Path | None, insecure: bool, only: Sequence[str], leave_out: Sequence[str],
    line: str, limits: bool, paths: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The file as a mapping. Raises ConfigError for what was asked wrongly, and what the collector raises."""
    if not _LINE.fullmatch(line):
        raise ConfigError(
            f"--line: {line!r} is no place; write site/area/line in small letters, like p1/a1/l1"
        )
    if insecure == bool(with_):
        raise ConfigError("say one of: --with FILE (security:, user:, password:), --insecure")
    written, given = _block(with_) if with_ else ({"security": "none"}, {"security": "none"})
    try:
        made: dict[str, Any] = await Kinds("collectors")["opcua"].browse(
            {**given, "endpoint": endpoint}, SystemClock(), only, leave_out, line, limits, paths
        )
    except ValidationError as cause:
        raise ConfigError(*explain(cause, str(with_ or "--insecure"))) from None
    collector = made["collectors"][0]["with"]
    made["collectors"][0]["with"] = {"endpoint": endpoint, **written} | {
        key: collector[key] for key in ("nodes", "alarms") if key in collector
    }
    made["people"] = [first_person(made["plant"]["id"])]
    return made


def first_person(site: str) -> dict[str, Any]:
    """Without anybody under `people:` nobody could log in. It comes without a password: that is typed in."""
    name = {"zh": "管理员", "en": "Administrator"}
    return {"id": FIRST, "name": name, "roles": ["admin"], "scopes": [site]}


def _block(path: Path) -> tuple[dict[Any, Any], Mapping[str, Any]]:
    """(as written, with its secrets): the file that is made names them and does not hold them."""
    written, complaints = document.read(path), list[str]()
    given = document.with_secrets(written, dict(os.environ), path.parent, complaints)
    if complaints:
        raise ConfigError(*(f"{path}: {c}" for c in complaints))
    return written, given


def refuse_taken(to: Path) -> None:
    """Raises ConfigError rather than write over somebody's work."""
    if to.exists():
        raise ConfigError(f"--to: {to} is there already; name a new file")
    if not to.absolute().parent.is_dir():
        raise ConfigError(f"--to: the folder {to.absolute().parent} is not there; make it, or name another")


def _opener(made: Mapping[str, Any]) -> Callable[[str, int], int]:
    """A file with a password in it is nobody else's."""
    secret = any("password" in key for key in made["collectors"][0]["with"])
    return partial(os.open, mode=0o600 if secret else 0o666)


def written(made: Mapping[str, Any], to: Path) -> Iterator[str]:
    """Write it; what is in it and what to type next, a line each."""
    [line] = made["plant"]["areas"][0]["lines"]
    if not line["machines"]:
        raise ConfigError("nothing that could be read was found; --only and --leave-out may be too narrow")
    with open(to, "x", encoding="utf-8", opener=_opener(made)) as file:
        yaml.safe_dump(dict(made), file, allow_unicode=True, sort_keys=False, width=110)
    for machine in line["machines"]:
        known = f" ({machine['class']})" if "class" in machine else ""
        state = f", state {machine['state']['tag']}" if "state" in machine else ""
        yield f"  {machine['id']}{known}: {len(machine['tags'])} tags{state}"
    yield f"{to}: {sum(len(m['tags']) for m in line['machines'])} tags; next:"
    name = shlex.quote(str(to))
    yield f"  andon check -c {name}"
    yield f"  andon password {FIRST} -c {name}  (you choose it; {FIRST} stands under people: in the file)"
    yield f"  andon run -c {name}  (then log in as {FIRST} at http://127.0.0.1:8800/console)"
