"""What must not be found anywhere in the code that ships (docs/security.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("hub", "collectors", "alert_rules", "notifiers", "erp_bridge", "screens")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
RUNS_TEXT = ("eval", "exec", "compile", "__import__")
UNSAFE = ("pickle", "marshal", "shelve", "telnetlib", "xml.etree", "xml.dom", "xml.sax")


def calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def complaints(text: str) -> list[str]:
    tree = ast.parse(text)
    found = [f"line {c.lineno}: {c.func.id}()" for c in calls(tree) if isinstance(c.func, ast.Name)
             and c.func.id in RUNS_TEXT]  # fmt: skip
    for call in calls(tree):
        for word in call.keywords:
            said = word.value.value if isinstance(word.value, ast.Constant) else None
            if (word.arg, said) in {("verify", False), ("shell", True), ("follow_redirects", True)}:
                found.append(f"line {call.lineno}: {word.arg}={said!r}")
        name, safe = ast.unparse(call.func), "(yaml.SafeLoader)" in text
        if name == "os.system" or (name == "yaml.load" and not safe):
            found.append(f"line {call.lineno}: {name}")
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"line {node.lineno}: {n}" for n in names if n.startswith(UNSAFE)]  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_runs_text_skips_certificates_or_follows_redirects(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "eval('1')", "httpx.get(u, verify=False)", "client(follow_redirects=True)", "run(x, shell=True)",
        "import pickle", "from xml.etree import ElementTree", "yaml.load(x)", "os.system('x')",
    ],
)  # fmt: skip
def test_the_check_sees_what_it_looks_for(text: str) -> None:
    assert complaints(text)
