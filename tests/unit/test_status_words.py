"""Whatever the status page can show has words in both languages: parts, details, states, figures."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

from hub import errors
from hub.house import GROUPS
from hub.model.circuit import State
from hub.model.intent import IntentKind
from hub.ports import SAMPLES
from hub.rollcall import UNHEARD

ROOT = Path(__file__).parents[2]
WORDS = {
    language: json.loads((ROOT / f"screens/static/i18n/{language}.json").read_text(encoding="utf-8"))
    for language in ("zh-CN", "en")
}
ROOMS = ("hub/store", "hub/bus", "collectors", "alert_rules", "notifiers", "erp_bridge")
TELLING = {"health", "detail"}
ALSO = {  # what those of TELLING pass on
    "hub/store/upkeep.py": {"_work"},
    "alert_rules/tables_in_use.py": {"told"},
    "erp_bridge/erp_in_use.py": {"told"},
}


def without_words(keys: Iterator[str] | set[str]) -> set[str]:
    return {key for key in keys if not all(key in words for words in WORDS.values())}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# ------------------------------------------------------------------ parts
def part_names() -> set[str]:
    """The first argument of each call that has the supervisor watch something; words beside a {name}."""
    found: set[str] = set()
    for path in (ROOT / "hub").rglob("*.py"):
        for call in (n for n in ast.walk(tree(path)) if isinstance(n, ast.Call) and n.args):
            if isinstance(call.func, ast.Attribute) and call.func.attr in ("watch", "_watch_alone"):
                found |= set(_said(call.args[0]))
    return found


def _said(name: ast.expr) -> Iterator[str]:
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        yield name.value
    if isinstance(name, ast.JoinedStr):
        yield from (str(p.value).strip() for p in name.values if isinstance(p, ast.Constant))


def test_every_part_of_the_house_has_words() -> None:
    names = part_names()
    assert {"web", "spool", "collector", "mes", "rush orders"} <= names, "the calls are not found any more"
    keys = {f"part.{name.replace(' ', '-')}" for name in names | {"record"}}  # which the feed adds
    assert not without_words(keys)


# ------------------------------------------------------------------ details
def detail_names() -> set[str]:
    """Keys of what parts tell of themselves."""
    found: set[str] = set()
    for path in (p for room in ROOMS for p in (ROOT / room).rglob("*.py")):
        telling = TELLING | ALSO.get(str(path.relative_to(ROOT)), set())
        for node in ast.walk(tree(path)):
            if (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in telling) or (
                isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and "._health" in _left(node)
            ):
                found |= set(_keys(node))
            elif isinstance(node, ast.ClassDef) and node.name.endswith("Health"):
                found |= {f.target.id for f in node.body if isinstance(f, ast.AnnAssign)
                          and isinstance(f.target, ast.Name)}  # fmt: skip
    return found


def _left(node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> str:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return " ".join(ast.unparse(t) for t in targets)


def _keys(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Dict):
            yield from (
                k.value for k in inner.keys if isinstance(k, ast.Constant) and isinstance(k.value, str)
            )


IN_PLACES_OF_THEIR_OWN = {"up", "degraded", "spool_dropped_of"}  # columns, the head of the page


def test_every_detail_has_words() -> None:
    names = detail_names()
    assert {"spool_fill", "sent", "in_hand", "rolled", "orders_at", "state_tables"} <= names
    assert not without_words({f"detail.{name}" for name in names - IN_PLACES_OF_THEIR_OWN})


# ------------------------------------------------------------------ states and figures
def test_every_state_of_a_way_and_of_a_part_has_words() -> None:
    keys = {f"circuit.{state}" for state in State} | {f"status.{s}" for s in ("up", "down", "part-degraded")}
    assert not without_words(keys)


def test_every_kind_of_trouble_has_words() -> None:
    told = (errors.Transient, errors.Permanent, errors.ConfigError)  # by their names, by the supervisor
    kinds = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, told)]
    assert len(kinds) > 5
    named = {f"trouble.{kind.__name__}" for kind in kinds}
    assert not without_words(named | {f"trouble.{UNHEARD.replace(' ', '-')}", "trouble.ended"})


def test_every_figure_has_words() -> None:
    figures = set[str]()
    for node in ast.walk(tree(ROOT / "hub/vitals.py")):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "self._gauges":
            figures |= {node.slice.value} if isinstance(node.slice, ast.Constant) else set()
    assert {"outbox", "bus", "left_out"} <= figures
    takers = set(GROUPS[SAMPLES]) | set(IntentKind)
    named = {"at", "outbox"}  # in the head of the page; by its own three figures
    assert not without_words({f"figure.{f}" for f in figures - named} | {f"figure.of.{t}" for t in takers})
