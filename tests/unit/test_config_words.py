"""What is wrong with a configuration is said in words of the file: at its place, with a remedy, no Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from hub.config import Block, explain
from hub.kpi.formula import parse
from hub.model.equipment import EquipmentState
from tests.unit.test_checkup import told


class Inner(Block):
    low: float = 0
    name: str = ""

    @model_validator(mode="after")
    def _sound(self) -> Inner:
        if self.low > 9:
            raise ValueError("low: is too high; lower it")
        return self


class Outer(Block):
    either: bool | Inner = False
    secured: Inner | Literal["none"] | None = None
    anything: str | int | float | bool = ""
    state: EquipmentState = EquipmentState.OFF
    count: int = Field(1, ge=1, le=5)
    share: float = Field(0.5, allow_inf_nan=False)
    items: list[int] = Field([1], min_length=1)
    by_code: dict[int, str] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"either": {"low": 10}}, ["f: either: low: is too high; lower it"]),
        ({"either": {"low": "x"}}, ["f: either.low: expected a number"]),
        ({"either": {"lwo": 1}}, ["f: either.lwo: unknown key; did you mean 'low'?"]),
        ({"either": "x"}, ["f: either: expected true or false, or keys with values below it"]),
        ({"secured": "off"}, ["f: secured: expected keys with values below it, or write none"]),
        ({"secured": {"low": 10}}, ["f: secured: low: is too high; lower it"]),
        (
            {"anything": [1]},
            [
                "f: anything: expected text; put it in quotes, or a whole number, or a number, "
                "or true or false"
            ],
        ),
        ({"state": "running"}, [f"f: state: write one of {', '.join(EquipmentState)}"]),
        ({"count": "many"}, ["f: count: expected a whole number"]),
        ({"count": 0}, ["f: count: must be 1 or more"]),
        ({"count": 6}, ["f: count: must be 5 or less"]),
        ({"share": float("inf")}, ["f: share: expected a number, not NaN or infinity"]),
        ({"items": []}, ["f: items: needs 1 or more entries; begin each with -"]),
        ({"by_code": {"x": "a"}}, ["f: by_code.x: its key: expected a whole number"]),
        ({"by_code": {1: 5}}, ["f: by_code[1]: expected text; put it in quotes"]),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once_in_words_of_the_file(given: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ValidationError) as wrong:
        Outer.model_validate(given)
    assert explain(wrong.value, "f") == said


TAG = "{name: T}"
AT = 14  # the line of the tag in the sound plant


@pytest.mark.parametrize(
    ("formula", "complaint"),
    [
        ("tt + 1", "formula: no tag 'p1/a/l/m/tt'"),
        ("t + 1", "formula: names its own tag"),
        ("1 + 1", "formula: names no tag"),
        ("1 ×", "position 3: '×' is not understood; write *"),
    ],
)
def test_what_is_wrong_with_a_formula_is_told_at_its_tag(
    tmp_path: Path, formula: str, complaint: str
) -> None:
    found = told(tmp_path, (TAG, f"{{name: T, formula: {formula}}}"))
    assert [line for line, what in found if complaint in what] == [AT]


def test_formulas_that_go_round_in_a_circle_are_told_at_one_of_them(tmp_path: Path) -> None:
    found = told(tmp_path, (TAG, "{name: T, formula: u}\n          u: {name: U, formula: t}"))
    assert [line for line, what in found if "go round in a circle" in what] in ([AT], [AT + 1])


@pytest.mark.parametrize(
    ("sign", "remedy"),
    [
        ("×", "write *"), ("÷", "write /"), ("＋", "write +"), ("－", "write -"), ("（", "write ("),
        ("，", "write ,"), ("≥", "write >="), ("≤", "write <="), ("≠", "write !="), ("＝", "write =="),
        ("&", "write and"), ("|", "write or"), ("^", "write it as a product"), ("１", "write 1"),
        ("温", "write the ids of tags, those with - in braces"),
    ],
)  # fmt: skip
def test_a_sign_that_no_formula_has_is_told_with_the_one_that_is_meant(sign: str, remedy: str) -> None:
    with pytest.raises(ValueError, match="position 3") as wrong:
        parse(f"1 {sign} 2")
    assert str(wrong.value).endswith(f"; {remedy}")
