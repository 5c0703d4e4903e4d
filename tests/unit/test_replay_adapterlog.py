"""Adapter logs with all that real ones have: old first lines, lines that run backwards, lost machines."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.errors import ConfigError
from hub.model.equipment import EquipmentState as S
from tests.simulators.replay import Change, MachineRecording, describe
from tests.simulators.replay.changes import changes

DAY_ONE = """\
2026-01-01T08:00:00Z|spare|UNAVAILABLE
2026-02-27T10:00:00Z|execution|READY
2026-02-27T10:00:00Z|system|Normal||||
2026-02-27T10:00:00Z|travel|Normal||||
2026-02-27T10:00:00Z|Sload|0
2026-03-01T08:00:01.250Z|execution|ACTIVE
2026-03-01T08:00:02Z|Sload|41.5
2026-03-01T08:00:01.5Z|Sload|17
2026-03-01T08:00:03Z|PartCountAct|7
2026-03-01T08:00:03Z|program|O-42
"""
DAY_TWO = """\
2026-02-27T10:00:00Z|system|Normal||||
2026-03-01T08:00:01.250Z|execution|ACTIVE
2026-03-01T08:00:02Z|Sload|41.5
2026-03-02T09:00:00Z|system|Warning|428|||MEMORY PROTECT
2026-03-02T09:00:01Z|travel|Fault|101|||SOFT  LIMIT
2026-03-02T09:00:02Z|system|Fault|4A|||Limit switch Y-
2026-03-02T09:00:03Z|travel|Normal|101|||
2026-03-02T09:00:04Z|system|Normal|4A|||
2026-03-02T09:00:05Z|system|Normal||||
2026-03-02T09:10:00Z|execution|UNAVAILABLE
2026-03-02T09:10:00Z|Sload|UNAVAILABLE
2026-03-02T09:10:00Z|system|Unavailable||||
2026-03-02T09:10:00Z|travel|Unavailable||||
"""


@pytest.fixture
def mill(tmp_path: Path) -> MachineRecording:
    with gzip.open(tmp_path / "Mill7-20260301-20260302.txt.gz", "wt", encoding="utf-8") as file:
        file.write(DAY_ONE)
    (tmp_path / "Mill7-20260302-20260303.txt").write_text(DAY_TWO, encoding="utf-8")
    (machine,) = describe(tmp_path).machines
    return machine


def values(machine: MachineRecording, tag: str) -> list[object]:
    return [c.value for c in changes(machine) if c.tag == tag]


def test_the_machine_is_called_as_its_files_are(mill: MachineRecording) -> None:
    assert (mill.id, mill.label) == ("mill7", "Mill7")


def test_signals_get_the_roles_their_names_suggest(mill: MachineRecording) -> None:
    assert {s.tag: s.role for s in mill.signals} == {
        "state": "state", "fault": "fault", "good": "good", "sload": "value",
    }  # fmt: skip
    assert next(s.unit for s in mill.signals if s.tag == "sload") == "%"


def test_the_words_of_a_state_become_states(mill: MachineRecording) -> None:
    codes = mill.signals[0].codes
    assert codes == {"ACTIVE": 1, "READY": 2}
    assert mill.state_map == {1: S.EXECUTING, 2: S.IDLE}


def test_what_a_file_repeats_at_its_beginning_is_said_once(mill: MachineRecording) -> None:
    assert values(mill, "state") == ["READY", "ACTIVE", None]


def test_time_never_runs_backwards_and_a_late_line_is_left_out(mill: MachineRecording) -> None:
    times = [c.at for c in changes(mill)]
    assert times == sorted(times)
    assert values(mill, "sload") == [0.0, 41.5, None]


def test_months_old_lines_count_as_said_when_the_file_begins(mill: MachineRecording) -> None:
    first = next(iter(changes(mill)))
    assert first == Change(datetime(2026, 3, 1, tzinfo=UTC), "state", "READY")


def test_of_several_conditions_the_worst_shows_and_of_equals_the_oldest(mill: MachineRecording) -> None:
    numbers = {text: n for n, text in mill.fault_texts.items()}
    protect, limit = numbers["MEMORY PROTECT (system 428)"], numbers["SOFT LIMIT (travel 101)"]
    switch = numbers["Limit switch Y- (system 4A)"]
    assert (protect, limit) == (428, 101)
    assert switch > 10000
    assert values(mill, "fault") == [0.0, 428.0, 101.0, float(switch), 428.0, 0.0, None]
    assert mill.fault_levels == {428: "warning", 101: "fault", switch: "fault"}


def test_codes_that_are_no_numbers_or_come_twice_get_numbers_of_their_own(tmp_path: Path) -> None:
    raised = ("x|Fault|101|||A", "y|Fault|101|||B", "z|Fault|4A|||C", "z|Fault|4A|||D", "z|Warning||||E")
    log = "".join(f"2026-03-01T08:00:0{i}Z|{line}\n" for i, line in enumerate(raised))
    (tmp_path / "Mill7-20260301.txt").write_text(log, encoding="utf-8")
    (machine,) = describe(tmp_path).machines
    assert machine.fault_codes == {
        ("x", "101", "A"): 101, ("y", "101", "B"): 10001, ("z", "", "E"): 10002,
        ("z", "4A", "C"): 10003, ("z", "4A", "D"): 10004,
    }  # fmt: skip


def test_a_signal_that_was_never_known_is_not_there(mill: MachineRecording) -> None:
    assert "spare" not in {s.tag for s in mill.signals}


def test_a_folder_without_a_recording_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to play"):
        describe(tmp_path)
    (tmp_path / "machines.csv").write_text("id,model\n1,a\n2,b\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"machines.csv: left out, no column of times"):
        describe(tmp_path)
    with pytest.raises(ConfigError, match="no such folder"):
        describe(tmp_path / "nowhere")


def test_several_values_of_one_line_are_all_heard(tmp_path: Path) -> None:
    (tmp_path / "Mill7-20260301.txt").write_text(
        "2026-03-01T08:00:00Z|execution|READY|Sload|7\n2026-03-01T08:00:01Z|execution|ACTIVE|Sload|UNAVAILABLE\n"
    )
    (machine,) = describe(tmp_path).machines
    assert [c.value for c in changes(machine) if c.tag == "state"] == ["READY", "ACTIVE"]
    assert [c.value for c in changes(machine) if c.tag == "sload"] == [7.0, None]
