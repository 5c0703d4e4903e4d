"""A small file that stands for an enormous one is told, and never unfolded."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.document import MOST_REPEATED, read
from hub.errors import ConfigError


def nested(levels: int, form: str) -> str:
    lines = ["l0: &l0 {k: v}"]
    for n in range(1, levels + 1):
        lines.append(f"l{n}: &l{n} " + form % ", ".join([f"*l{n - 1}"] * 9))
    return "\n".join(lines)


def told(tmp_path: Path, text: str) -> str:
    (tmp_path / "plant.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as cause:
        read(tmp_path / "plant.yaml")
    return str(cause.value)


@pytest.mark.parametrize("form", ["[%s]", "{<<: [%s]}"])
@pytest.mark.parametrize("before", ["", "a: !!int 5\n"], ids=["quick", "PyYAML's way"])
def test_aliases_of_aliases_are_counted_before_they_are_unfolded(
    tmp_path: Path, form: str, before: str
) -> None:
    said = told(tmp_path, before + nested(9, form))
    assert "plant.yaml: line " in said
    assert f"aliases (*) up to here stand for more than {MOST_REPEATED:,} values; write fewer" in said


def test_a_plant_that_says_its_ten_thousand_tags_by_aliases_is_read(tmp_path: Path) -> None:
    tags = ", ".join(f"t{n}: {{name: {{zh: a, en: b}}, unit: bar, decimals: 2}}" for n in range(20))
    machines = "\n".join(f"- {{id: m{n}, tags: *tags}}" for n in range(500))
    (tmp_path / "plant.yaml").write_text(f"tags: &tags {{{tags}}}\nmachines:\n{machines}", encoding="utf-8")
    assert len(read(tmp_path / "plant.yaml")["machines"]) == 500


def test_a_python_tag_is_named_and_a_secret_that_looks_like_a_tag_is_not(tmp_path: Path) -> None:
    said = told(tmp_path, "a: !!python/object/apply:os.system [id]")
    assert "line 1, column 4: the tag !!python/object/apply:os.system is not taken; write" in said
    said = told(tmp_path, "password: !hunter2")
    assert "hunter2" not in said and "line 1" in said
