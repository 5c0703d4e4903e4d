"""Tables nobody has prepared: any divider, any name for the time, one machine or many."""

from __future__ import annotations

import bz2
import gzip
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.errors import ConfigError
from hub.model.equipment import EquipmentState as S
from tests.simulators.replay import MachineRecording, describe
from tests.simulators.replay.changes import changes
from tests.simulators.replay.layout import layout
from tests.simulators.replay.mapping import Mapping
from tests.simulators.replay.player import Score

SHANGHAI = ZoneInfo("Asia/Shanghai")
TWO = """\
ts,asset,items,status,power,alarm
2026-03-01 00:00:00+00:00,A,5,2,9.5,0
2026-03-01 00:05:00+00:00,A,6,2,9.1,0
2026-03-01 00:05:00+00:00,B,0,1,1.0,0
2026-03-01 00:10:00+00:00,A,0,3,0.5,1
2026-03-01 00:15:00+00:00,A,4,2,9.2,0
2026-03-01 01:00:00+00:00,A,3,2,9.3,0
2026-03-01 01:05:00+00:00,A,,2,9.3,0
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def the(recording_folder: Path, machine: str) -> MachineRecording:
    return next(m for m in describe(recording_folder).machines if m.id == machine)


def values(machine: MachineRecording, tag: str) -> list[object]:
    return [c.value for c in changes(machine) if c.tag == tag]


def test_a_column_that_names_machines_makes_machines(tmp_path: Path) -> None:
    write(tmp_path, "log.csv", TWO)
    assert [m.id for m in describe(tmp_path).machines] == ["a", "b"]


def test_the_state_in_which_most_is_made_is_executing_and_the_alarmed_one_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "log.csv", TWO)
    assert the(tmp_path, "a").state_map == {2: S.EXECUTING, 3: S.FAULT}


def test_items_of_each_row_add_up_to_a_counter(tmp_path: Path) -> None:
    write(tmp_path, "log.csv", TWO)
    machine = the(tmp_path, "a")
    # five minutes is usual, so 45 minutes without a row is not knowing; an empty cell is, too
    assert values(machine, "good") == [5.0, 11.0, 15.0, None, 18.0, None]


def test_rows_that_are_missing_mean_that_nothing_is_known(tmp_path: Path) -> None:
    write(tmp_path, "log.csv", TWO)
    machine = the(tmp_path, "a")
    lost = [c for c in changes(machine) if c.tag == "state" and c.value is None]
    assert [c.at for c in lost] == [datetime(2026, 3, 1, 0, 27, 30, tzinfo=UTC)]
    assert values(machine, "fault") == [0.0, 1.0, 0.0, None, 0.0]


def test_a_running_total_is_taken_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, "press.csv", "time,part_count\n2026-03-01T00:00,100\n2026-03-01T00:01,103\n")
    assert values(the(tmp_path, "press"), "good") == [100.0, 103.0]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("datetime;Pressure\n2026-03-01 08:00:00;1,5\n2026-03-01 08:00:01;1,6\n", (1, 0, 0)),
        ("Zeit\tDruck\n01.03.2026 08:00:00\t1.5\n01.03.2026 08:00:01\t1.6\n", (1, 0, 0)),
        ("时间,压力\n2026/03/01 08:00:00,1.5\n2026/03/01 08:00:01,1.6\n", (1, 0, 0)),
        ("timestamp,pressure\n1772323200000,1.5\n1772323201000,1.6\n", (1, 0, 0)),
        ("ts_ms,pressure\n1772323200000,1.5\n1772323201000,1.6\n", (1, 0, 0)),
        ("time (UTC),pressure\n1772323200,1.5\n1772323201,1.6\n", (1, 0, 0)),
        ("Zeitstempel;Druck\n01.03.2026 08:00:00,000;1,5\n01.03.2026 08:00:01,250;1,6\n", (1, 0, 0)),
        ("n,when,pressure\n1,2026-03-01T00:00:00Z,1.5\n2,2026-03-01T00:00:01Z,1.6\n", (1, 0, 0)),
    ],
)
def test_times_and_numbers_are_read_as_they_are_written(
    tmp_path: Path, text: str, first: tuple[int, int, int]
) -> None:
    write(tmp_path, "pump.csv", text)
    machine = the(tmp_path, "pump")
    day, hour, minute = first
    assert machine.first == datetime(2026, 3, day, hour, minute, tzinfo=UTC)
    played = [c.value for c in changes(machine) if c.tag not in ("n",)]
    assert played == [1.5, 1.6]


def test_a_table_without_times_has_no_layout(tmp_path: Path) -> None:
    path = write(tmp_path, "jobs.csv", "UDI,Type,Torque\n1,M,42.8\n2,L,46.3\n")
    assert layout(path, SHANGHAI, Mapping()) is None


def test_words_for_states_are_understood(tmp_path: Path) -> None:
    rows = "".join(
        f"2026-03-01 08:0{i},{w}\n"
        for i, w in enumerate(("运行", "待机", "故障", "停机", "换模", "Frobnicating"))
    )
    write(tmp_path, "m.csv", "时间,状态\n" + rows)
    machine = the(tmp_path, "m")
    words = {w: machine.state_map[c] for w, c in machine.signals[0].codes.items()}
    assert words == {
        "运行": S.EXECUTING,
        "待机": S.IDLE,
        "故障": S.FAULT,
        "停机": S.OFF,
        "换模": S.SETUP,
        "Frobnicating": S.UNKNOWN,
    }


def test_what_a_person_knows_overrides_the_guesses(tmp_path: Path) -> None:
    write(tmp_path, "log.csv", TWO)
    write(
        tmp_path,
        "mapping.yaml",
        "machines: {A: lathe-1}\nstate: {signal: status, map: {1: setup, 2: executing, 3: off}}\n"
        "good: {signal: items, adds: false}\nignore: [alarm]\nunits: {power: kW}\n",
    )
    lathe = the(tmp_path, "lathe-1")
    assert lathe.state_map == {2: S.EXECUTING, 3: S.OFF}
    assert values(lathe, "good")[:3] == [5.0, 6.0, 0.0]
    assert lathe.signal("fault") is None
    assert next(s.unit for s in lathe.signals if s.tag == "power") == "kW"


def test_a_mapping_with_a_misspelt_key_says_which_was_meant(tmp_path: Path) -> None:
    write(tmp_path, "log.csv", TWO)
    write(tmp_path, "mapping.yaml", "asett: A\n")
    with pytest.raises(ConfigError, match=r"asett: unknown key; did you mean 'asset'"):
        describe(tmp_path)


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_machines_recorded_at_different_times_are_played_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time,power\n2020-01-01T00:00:00Z,1\n2020-01-01T01:00:00Z,2\n")
    (tmp_path / "b.csv").write_text("time,power\n2021-06-01T00:00:00Z,3\n2021-06-01T02:00:00Z,4\n")
    recording = describe(tmp_path)
    side_by_side = Score(recording, numbers=False, start=None)
    first = {s.machine: s.at for s in reversed(list(side_by_side.steps()))}
    assert len(set(first.values())) == 1, "both begin at once"
    assert side_by_side.span == (moment(2020, 1, 1), moment(2020, 1, 1, 2))
    named = Score(recording, numbers=False, start=moment(2020, 1, 1))
    assert named.span[1] == moment(2021, 6, 1, 2), "a named moment is that moment for all"


# ------------------------------------------------------------------ as plants' computers write them
def test_chinese_windows_and_excel_files_are_read(tmp_path: Path) -> None:
    text = "时间,主轴温度\n2026-03-01 08:00:00,41.5\n2026-03-01 08:00:01,42\n"
    (tmp_path / "gbk.csv").write_bytes(text.encode("gbk"))
    (tmp_path / "excel.csv").write_bytes(text.encode("utf-16"))
    (tmp_path / "bom.csv").write_bytes(text.encode("utf-8-sig"))
    with bz2.open(tmp_path / "packed.csv.bz2", "wt", encoding="utf-8") as file:
        file.write(text)
    found = describe(tmp_path).machines
    assert {m.label for m in found} == {"gbk", "excel", "bom", "packed"}
    for machine in found:
        assert [s.label for s in machine.signals] == ["主轴温度"]
        assert [c.value for c in changes(machine)] == [41.5, 42.0]


@pytest.mark.parametrize(
    "text",
    [
        "Exported by X\n\ntime,oil\n2026-03-01 08:00:00,1\n2026-03-01 08:00:01,2\n",  # a title above
        "time,oil\n-,degC\n2026-03-01 08:00:00,1\n2026-03-01 08:00:01,2\n",  # a row of units
        "time,oil\n2026-03-01 08:00:01,2\n2026-03-01 08:00:00,1\n2026-03-01 08:00:00,1\n",  # not in order
        "date,time,oil\n2026-03-01,08:00:00,1\n2026-03-01,08:00:01,2\n",  # day and clock apart
        "time,tag,value\n2026-03-01 08:00:00,oil,1\n2026-03-01 08:00:01,oil,2\n",  # a reading a row
        "时间,点位,数值\n2026年3月1日 08:00:00,oil,1\n2026年3月1日 08:00:01,oil,2\n",
        ",time,oil\n0,2026-03-01 08:00:00,1\n1,2026-03-01 08:00:01,2\n",  # a column without a name
        "time,oil,torn\n2026-03-01 08:00:00,1\n2026-03-01 08:00:01,2\n",  # cells are missing
    ],
)
def test_odd_tables_are_read_for_what_they_hold(tmp_path: Path, text: str) -> None:
    write(tmp_path, "pump.csv", text)
    machine = the(tmp_path, "pump")
    assert values(machine, "oil") == [1.0, 2.0]
    assert machine.first == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_table_without_a_header_is_not_robbed_of_its_first_row(tmp_path: Path) -> None:
    write(tmp_path, "pump.csv", "2026-03-01 08:00:00,1\n2026-03-01 08:00:01,2\n")
    assert values(the(tmp_path, "pump"), "column_2") == [1.0, 2.0]


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, "pump.csv", "time,temp,temp\n2026-03-01 08:00:00,1,7\n2026-03-01 08:00:01,2,8\n")
    machine = the(tmp_path, "pump")
    assert (values(machine, "temp"), values(machine, "temp_2")) == ([1.0, 2.0], [7.0, 8.0])


def test_rows_without_times_are_played_at_the_pace_a_person_names(tmp_path: Path) -> None:
    write(tmp_path, "jobs.csv", "UDI,Torque\n1,42.8\n2,46.3\n3,40\n")
    with pytest.raises(ConfigError, match=r"jobs.csv: left out, no column of times; .* every: 10s"):
        describe(tmp_path)
    write(tmp_path, "mapping.yaml", "every: 10s\n")
    machine = the(tmp_path, "jobs")
    assert values(machine, "torque") == [42.8, 46.3, 40.0]
    assert (machine.last - machine.first).total_seconds() == 20


def test_an_empty_cell_of_a_column_that_is_mostly_empty_is_no_news(tmp_path: Path) -> None:
    rows = "".join(f"2026-03-01 08:00:0{i},{i},{5 if i == 2 else ''}\n" for i in range(9))
    write(tmp_path, "pump.csv", "time,flow,level\n" + rows)
    assert values(the(tmp_path, "pump"), "level") == [5.0]


def test_what_cannot_be_played_is_told_with_a_remedy(tmp_path: Path) -> None:
    write(tmp_path, "log.csv", TWO + "soon,A,1,1,1,0\n")
    (tmp_path / "year.parquet").write_bytes(b"PAR1")
    (tmp_path / "m.csv").write_text("time,state\n2026-03-01 08:00,Foo\n2026-03-01 08:01,RUN\n")
    notes = describe(tmp_path).notes
    assert any("year.parquet: left out, no text; write it as CSV" in n for n in notes)
    assert any("log.csv: 1 rows left out, no time in them" in n for n in notes)
    assert not any("no column of states" in n for n in notes)
    assert any("what state means by Foo is not known" in n and "{Foo: idle}" in n for n in notes)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    rows = "".join(f"2026-03-01 08:00:00,{i * 7919 % 10007}\n" for i in range(20_000))
    whole = gzip.compress(("time,oil\n" + rows).encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"cut.csv.gz: is damaged \(.*\); take it out"):
        describe(tmp_path)


def test_where_no_name_says_what_is_worth_showing_what_moves_most_is_shown(tmp_path: Path) -> None:
    rows = "".join(f"2026-03-01 08:00:0{i},7,{i},{i // 5}\n" for i in range(9))
    write(tmp_path, "m.csv", "time,a,b,c\n" + rows)
    assert [s.label for s in the(tmp_path, "m").signals if s.shown] == ["b", "c"]
    assert [n for n in describe(tmp_path).notes if n.startswith("m: no column of states")]
