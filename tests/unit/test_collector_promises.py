"""What must not be found in the code that ships: writing to machines, and servers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLLECTORS = sorted((ROOT / "collectors").glob("*.py"))
WRITES = ("write_", "call_method", "WriteRequest", "WriteSingle", "WriteMultiple", "CallRequest", "set_value")


def names(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} | {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name)
    }


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{a.name}" for a in node.names}
    return found


@pytest.mark.parametrize("path", COLLECTORS, ids=lambda p: p.name)
def test_collectors_only_read(path: Path) -> None:
    assert [n for n in names(path) if n.startswith(WRITES)] == []


@pytest.mark.parametrize("path", COLLECTORS, ids=lambda p: p.name)
def test_no_protocol_server_ships(path: Path) -> None:
    assert [
        n
        for n in imports(path)
        if n.startswith(("asyncua.server", "asyncua.Server", "pymodbus.server", "iotcore"))
    ] == []


def test_the_only_method_called_on_a_machine_is_the_one_that_asks_which_alarms_stand() -> None:
    """ConditionRefresh (OPC 10000-9, clause 5.5.7) changes nothing at the server."""
    called = {
        (path.name, node.attr)
        for path in COLLECTORS
        if path.name.startswith("opcua")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("call", "CallMethodRequest")
    }
    assert called == {("opcua_line.py", "call"), ("opcua_line.py", "CallMethodRequest")}
    line = (ROOT / "collectors/opcua_line.py").read_text(encoding="utf-8")
    assert line.count("CallMethodRequest(") == 1
    assert 'ua.NodeId.from_string("i=3875")' in line
