"""Formulas of derived tags: what they compute, and that they can do nothing else."""

from __future__ import annotations

import math
import operator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.kpi.derived import derivations
from hub.kpi.formula import DEEPEST, LONGEST, parse, worked_out
from hub.model.sample import Tag
from hub.model.words import Words

NAN = math.nan


def value(text: str, **known: float) -> float:
    formula = parse(text)
    return worked_out(formula, [known[name] for name in formula.names])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("10 - 4 - 3", 3), ("24 / 4 / 2", 3), ("-2 * -3", 6),
        ("7 % 4", 3),
        ("1.5e3", 1500), ("2 < 3", 1), ("2 >= 3", 0), ("1 == 1 and 2 != 2", 0), ("1 or 0 and 0", 1),
        ("not 1 == 2", 1), ("not 0 and 0", 0), ("min(3, 1, 2)", 1), ("max(1)", 1), ("avg(1, 2, 6)", 3),
        ("if(2 > 1, 10, 20)", 10), ("round(2.5)", 3), ("round(-2.5)", -3), ("floor(-1.2)", -2),
        ("ceil(1.2)", 2),
        ("abs(-3)", 3), ("sqrt(9)", 3), ("1 / 0", NAN), ("1 % 0", NAN), ("sqrt(-1)", NAN),
        ("1e308 * 10", NAN),
        ("if(0, 1 / 0, 5)", 5), ("0 and 1 / 0", 0), ("1 or 1 / 0", 1), ("1 and 1 / 0", NAN),
        ("1 / 0 == 1", NAN),
        ("min(1, 1 / 0)", NAN), ("floor(1 / 0)", NAN), ("not 1 / 0", NAN), ("floor(1e308 * 10)", NAN),
    ],
)  # fmt: skip
def test_what_a_formula_is_worth(text: str, result: float) -> None:
    assert value(text) == pytest.approx(result, nan_ok=True)


def test_names_are_tags_and_braces_hold_any_path() -> None:
    formula = parse("{p1/a/l1/m-1/oil-temp} * power + power - x.y")
    assert formula.names == ("p1/a/l1/m-1/oil-temp", "power", "x.y")
    assert worked_out(formula, [2.0, 5.0, 1.0]) == 14


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "()", "1 +", "+", "1 2", "(1", "1)", "min()", "min(1,)", "abs(1, 2)", "if(1, 2)",
        "foo(1)", "a b",
        "__import__('os')", "().__class__", "(1).__class__", "a.__class__()", "x[0]", "[1]", "{}", "{a b}",
        "{a}{b}",
        "{0!r}", "'a' * 9", '"a"', "f'{a}'", "lambda: 1", "[x for x in y]", "x if y else z", "a := 1",
        "a = 1", "9**9**9", "2 ** 3", "a; b", "a\nb", "ａ + 1", "１ + 1", "＿＿class＿＿", "a\u200b", "\x00",
        "a # b",
        "getattr(a, b)", "eval(1)", "exec(1)", "open(1)", "print(1)", "globals()", "min(a)(b)", "{a}(1)",
        "@a", "a!b",
        "~a", "a & b", "a | b", "a ^ b", "a << 9", "a >> 9", "a // b", "1j", "0x10", "1_000", "1e9999",
        "a < b < c",
        "1 == 2 == 3", ".5", "5.", "a?b:c", "$a", "`a`", "\\a", "None()", "and", "not", "or 1", "a and", "%s",
        "abs abs 1", "(((", "()()", "a,b", "max(1 2)",
    ],
)  # fmt: skip
def test_nothing_else_is_a_formula(text: str) -> None:
    with pytest.raises(ValueError, match=r"position|deep|characters"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        ("(" * DEEPEST + "1" + ")" * DEEPEST, True), ("-" * 100 + "1", True), ("not " * 100 + "1", True),
        ("abs(" * 100 + "1" + ")" * 100, True), ("1" + "+1" * (LONGEST // 2), False), ("9" * 5000, False),
    ],
)  # fmt: skip
def test_bombs_are_refused(text: str, deep: bool) -> None:
    with pytest.raises(ValueError, match="deep" if deep else "characters"):
        parse(text)


def test_the_longest_chain_allowed_is_worked_out() -> None:
    assert value("1" + "+1" * (LONGEST // 2 - 1)) == LONGEST // 2


def test_the_position_of_a_slip_is_told() -> None:
    with pytest.raises(ValueError, match="position 9: 'c' is not expected"):
        parse("a + (b) c")


# ------------------------------------------------------------------ against a second, naive evaluator
Tree = Any
PYTHON = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
    "!=": operator.ne,
}  # fmt: skip
NUMBERS = st.sampled_from([0.0, 1.0, 2.0, 3.5, 10.0, 1e300]) | st.integers(0, 99).map(float)
TREES = st.recursive(
    NUMBERS | st.sampled_from(["a", "b", "c"]),
    lambda t: (
        st.tuples(st.sampled_from([*PYTHON, "and", "or"]), t, t)
        | st.tuples(st.sampled_from(["-", "not", "abs", "floor"]), t)
        | st.tuples(st.just("if"), t, t, t)
        | st.tuples(st.sampled_from(["min", "max"]), t, t, t)
    ),
    max_leaves=12,
)


def written(tree: Tree) -> str:
    match tree:
        case float():
            return f"{tree:f}" if tree < 1e9 else f"{tree:e}".replace("+", "")
        case str():
            return tree
        case ("-" | "not" as sign, only):
            return f"({sign} {written(only)})"
        case (name, first, second) if name in PYTHON or name in ("and", "or"):
            return f"({written(first)} {name} {written(second)})"
        case (name, *rest):
            return f"{name}({', '.join(map(written, rest))})"
    raise AssertionError(tree)


def naive(tree: Tree, known: dict[str, float]) -> float:
    """None of the engine's tables is used."""
    if isinstance(tree, float):
        return tree
    if isinstance(tree, str):
        return known[tree]
    name, *rest = tree
    v = [naive(r, known) for r in rest]
    missing = [x for x in v if math.isnan(x)]
    if name == "if":
        return v[0] if math.isnan(v[0]) else v[1] if v[0] != 0 else v[2]
    if name == "and" and 0 in v:
        return 0.0
    if name == "or" and any(x != 0 and not math.isnan(x) for x in v):
        return 1.0
    if missing:
        return NAN
    if name in ("and", "or"):
        return 1.0 if name == "and" else 0.0
    try:
        if len(v) == 1:
            single: dict[str, Any] = {
                "-": operator.neg,
                "not": operator.not_,
                "abs": abs,
                "floor": math.floor,
            }
            return float(single[name](v[0]))
        return float({"min": min, "max": max}[name](v) if name in ("min", "max") else PYTHON[name](*v))
    except ArithmeticError:
        return NAN


@settings(deadline=None, max_examples=300)
@given(TREES, st.tuples(NUMBERS, NUMBERS, NUMBERS | st.just(NAN)))
def test_every_formula_is_worth_what_it_says(tree: Tree, values: tuple[float, float, float]) -> None:
    known = dict(zip("abc", values, strict=True))
    formula = parse(written(tree))
    expected = float(naive(tree, known))
    expected = expected if math.isfinite(expected) else NAN
    got = worked_out(formula, [known[n] for n in formula.names])
    assert got == expected or (math.isnan(got) and math.isnan(expected))


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab1.(){}+-*/%<>=!, andortif_é'[]\"", max_size=40))
def test_any_text_is_a_formula_or_a_complaint(text: str) -> None:
    try:
        formula = parse(text)
    except ValueError:
        return
    assert isinstance(worked_out(formula, [1.0] * len(formula.names)), float)


# ------------------------------------------------------------------ which tag follows from which
def tags(**formulas: str) -> dict[str, Tag]:
    return {
        f"m/{n}": Tag(i, f"m/{n}", Words("", n), formula=f) for i, (n, f) in enumerate(formulas.items(), 1)
    }


def test_what_a_tag_needs_comes_before_it() -> None:
    complaints: list[str] = []
    found = derivations(tags(c="b * 2", b="{m/a} + 1", a=""), complaints)
    assert complaints == []
    assert [(d.tag.path, d.inputs) for d in found] == [("m/b", ("m/a",)), ("m/c", ("m/b",))]


@pytest.mark.parametrize(
    ("formulas", "told"),
    [
        ({"a": "", "b": "aa + 1"}, "plant: m/b: formula: no tag 'm/aa'; did you mean 'm/a'?"),
        ({"a": "b", "b": "a"}, "go round in a circle; break it"),
        ({"a": "a + 1"}, "plant: m/a: formula: names its own tag"),
        ({"a": "1 + 1"}, "plant: m/a: formula: names no tag"),
    ],
)
def test_formulas_that_lead_nowhere_are_told(formulas: dict[str, str], told: str) -> None:
    complaints: list[str] = []
    derivations(tags(**formulas), complaints)
    assert told in "\n".join(complaints)
