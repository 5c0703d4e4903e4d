"""Every kind of line that the code can write on the audit trail, and its figures, have words in both."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("hub", "alert_rules", "collectors", "erp_bridge", "notifiers", "screens")
WORDS = {
    code: json.loads((ROOT / f"screens/static/i18n/{code}.json").read_text("utf-8"))
    for code in ("zh-CN", "en")
}
# Which argument is the kind, by how the call is written.
PLACES = {("record", "note"): 2, ("self", "note"): 1, ("tx", "audit"): 2, ("people", "audit"): 2}
IN_SQL = re.compile(
    r"insert into audit[^;]*?'([a-z]+)',\s*'([a-z.-]+)'|values \(%\(at\)s, %\(by\)s, '([a-z.-]+)'", re.S
)
SQL_KEYS = re.compile(r"insert into audit.*?jsonb_build_object\((.*?)\)\s*\n", re.S)


def _modules() -> Iterator[tuple[Path, ast.Module, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text("utf-8")
            yield path, ast.parse(text), text


def _place(call: ast.Call) -> int | None:
    if not isinstance(call.func, ast.Attribute):
        return None
    owner = call.func.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return PLACES.get((name, call.func.attr))


def _strings(node: ast.expr, tree: ast.Module) -> set[str]:
    """What a kind may be: a text, or a name that is given one of several in this module."""
    if isinstance(node, ast.Name):
        given = [a.value for a in ast.walk(tree) if isinstance(a, ast.Assign)
                 and any(isinstance(t, ast.Name) and t.id == node.id for t in a.targets)]  # fmt: skip
        return {s for value in given for s in _strings(value, tree)}
    if isinstance(node, ast.IfExp):
        return _strings(node.body, tree) | _strings(node.orelse, tree)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def _written() -> tuple[set[str], set[str], list[str]]:
    """Kinds, names of figures, and calls that cannot be read."""
    kinds, figures, unread = set[str](), set[str](), list[str]()
    for path, tree, text in _modules():
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
            place = _place(call)
            if place is None or len(call.args) <= place:
                continue
            found = _strings(call.args[place], tree)
            kinds |= found
            figures |= {k.arg for k in call.keywords if k.arg and k.arg != "about"}
            told = [n for a in call.args if isinstance(a, ast.Dict) for n in a.keys]
            figures |= {str(n.value) for n in told if isinstance(n, ast.Constant)}
            if not found:
                unread.append(f"{path.name}:{call.lineno}")
        for match in IN_SQL.finditer(text):
            kinds.add(match[2] or match[3])
        for match in SQL_KEYS.finditer(text):
            figures |= set(re.findall(r"'([a-z_]+)',", match[1]))
    return kinds, figures, unread


KINDS, FIGURES, UNREAD = _written()


def test_the_kinds_are_found() -> None:
    assert UNREAD == []
    seen = {"login", "stop.reason", "rush-undo", "reconcile.back", "samples-lost", "samples-dropped"}
    assert seen | {"samples-too-late", "state-history.rederive", "device-revoked"} <= KINDS
    assert {"batches", "samples", "address", "reason", "losers"} <= FIGURES


@pytest.mark.parametrize("code", WORDS)
def test_every_kind_and_every_figure_has_a_word(code: str) -> None:
    words = WORDS[code]
    assert [kind for kind in sorted(KINDS) if f"audit.what.{kind}" not in words] == []
    assert [name for name in sorted(FIGURES) if f"audit.detail.{name}" not in words] == []
    said = {key.removeprefix("audit.what.") for key in words if key.startswith("audit.what.")}
    assert said == KINDS, "and no word stands for what nobody writes"
