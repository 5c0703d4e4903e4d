"""A number means a tag by name, through every life of the process and whatever the record calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.bus import numbers
from hub.bus.numbers import Numbering, for_now
from hub.errors import ConfigError
from hub.model.batch import SampleBatch
from hub.testing.clock import NOON

NAMES = "abcdef"
lives = st.lists(
    st.tuples(st.booleans(), st.lists(st.sampled_from(NAMES), min_size=1, unique=True), st.integers(0, 3)),
    min_size=1,
    max_size=6,
)


class Record:
    """The tag table: a number once, for whoever asks first."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def number(self, paths: list[str]) -> dict[str, int]:
        for path in paths:
            self.known.setdefault(path, 1 + len(self.known))
        return {path: self.known[path] for path in paths}


def body(tags: list[int]) -> bytes:
    return SampleBatch.at(tags, NOON, [1.0] * len(tags)).to_bytes()


@settings(deadline=None)
@given(lives, st.permutations(NAMES), st.integers(0, 8))
def test_every_sample_gets_to_the_tag_it_was_taken_of(
    tmp_path_factory: pytest.TempPathFactory,
    told: list[tuple[bool, list[str], int]],
    others: list[str],
    trimmed: int,
) -> None:
    """Lives with and without a record to ask, each with tags of its own; others take numbers meanwhile."""
    folder, record = tmp_path_factory.mktemp("spool"), Record()
    spool: list[tuple[bytes, list[str]]] = []
    first = 1
    for (away, tags, batches), other in zip(told, others, strict=False):
        mine = for_now(folder, tags) if away else record.number(tags)
        Numbering.begun(folder, first, len(spool), mine)
        spool += [(body([mine[tag] for tag in tags]), tags)] * batches
        first = min(max(first, trimmed), len(spool) + 1)
        record.number([f"else/{other}", other])
    mine = for_now(folder, list(NAMES))
    last = Numbering.begun(folder, first, len(spool), mine)
    assert not last.is_known
    last.know(record.number(last.paths))
    by_number = {number: path for path, number in record.known.items()}
    for number, (taken, tags) in enumerate(spool, 1):
        if number < first:
            continue
        meant = SampleBatch.from_bytes(last.on_record(taken, number))
        assert [by_number[tag] for tag in meant.tags.tolist()] == tags
        today = last.of_now(number, SampleBatch.from_bytes(taken))
        assert [last.names[tag] for tag in today.tags.tolist()] == tags
    now = SampleBatch.from_bytes(last.on_record(body(list(mine.values()))))
    assert [by_number[tag] for tag in now.tags.tolist()] == list(mine)


def test_what_is_called_the_same_there_passes_as_it_is(tmp_path: Path) -> None:
    made = Numbering.begun(tmp_path, 1, 0, {"a": 7, "b": 3})
    made.know({"a": 7, "b": 3})
    taken = body([7, 3])
    assert made.on_record(taken, 1) is taken


def test_the_numbers_of_an_earlier_release_are_the_records(tmp_path: Path) -> None:
    (tmp_path / "tags.json").write_text('{"a": 4}', encoding="utf-8")
    assert for_now(tmp_path, ["a", "b"]) == {"a": 4, "b": 5}
    made = Numbering.begun(tmp_path, 1, 3, {"a": 4, "b": 5})
    made.know({"a": 4, "b": 9})
    assert SampleBatch.from_bytes(made.on_record(body([4, 5]), 3)).tags.tolist() == [4, 9]


def test_where_nobody_knows_what_waits_nothing_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "numbers.json").write_text("[{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"hub\.spool: .*numbers\.json cannot be read.*move"):
        for_now(tmp_path, ["a"])


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_start_that_dies_while_it_writes_leaves_the_numbers_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    Numbering.begun(tmp_path, 1, 0, {"a": 1})

    def died(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*(Path, "replace", died) if step == "replace" else (numbers.os, "fsync", died))
    with pytest.raises(KeyboardInterrupt):
        Numbering.begun(tmp_path, 1, 2, {"a": 1, "b": 2})
    monkeypatch.undo()
    assert for_now(tmp_path, ["b", "a"]) == {"a": 1, "b": 2}
