"""`andon check` refuses what of an MES's configuration could not work, and tells what may not be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.checkup import checkup
from hub.errors import ConfigError
from hub.plan import notes
from hub.settings import load
from tests.unit.test_checkup import SOUND

PUSH = {"name": "push-a", "kind": "mes-push", "with": {"secrets": ["a" * 32]}}
FIELDS = {"id": "单号", "order": "工单", "operation": "工序", "at": "时间", "good": "合格数"}
SELECT = "select 单号, 工单, 工序, 合格数, 时间 from v where 时间 >= :since order by 时间 limit :limit"


def drop(*reads: dict[str, Any], **with_: Any) -> dict[str, Any]:
    first = {"name": "r", "type": "report", "pattern": "报工*.csv", "fields": FIELDS}
    made = [first | read for read in reads] or [first]
    return {"name": "drop", "kind": "mes-files", "with": {"folder": "/srv/mes", "reads": made} | with_}


def base(statement: str) -> dict[str, Any]:
    read = {
        "name": "r", "type": "report", "watermark": "时间", "start": "2026-01-01", "fields": FIELDS,
        "statement": statement,
    }  # fmt: skip
    return {
        "name": "db",
        "kind": "mes-sql",
        "with": {"host": "h", "database": "d", "user": "u", "reads": [read]},
    }


def written(folder: Path, *sources: dict[str, Any], **more: Any) -> Path:
    document = yaml.safe_load(SOUND) | {"mes": list(sources)} | more
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def refused(folder: Path, *sources: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as wrong:
        checkup(written(folder, *sources), {})
    [told] = wrong.value.complaints
    return told


def test_sources_are_counted_and_named(tmp_path: Path) -> None:
    counts = checkup(written(tmp_path, PUSH, drop(), base(SELECT)), {})
    assert counts["MES sources (push-a, drop, db)"] == 3


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    told = refused(tmp_path, PUSH, PUSH | {"with": {"secrets": ["b" * 32]}})
    assert "mes: the name 'push-a' is there twice; names must differ" in told


@pytest.mark.parametrize("name", ["MES 推送", "mes/1", "a?b", ".", "x" * 81])
def test_a_name_that_is_no_part_of_an_address_is_refused_where_an_mes_pushes(
    tmp_path: Path, name: str
) -> None:
    told = refused(tmp_path, PUSH | {"name": name})
    assert "mes[0].name: the MES pushes to /api/mes/NAME" in told and "; use letters, digits, - and _" in told


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (
            {"words": {"state": {"1": "runing", "2": "done"}}},
            "words.state.1: 'runing' must be one of waiting, running, inspection, done; did you mean "
            "'running'?",
        ),
        ({"constants": {"scrap": "viele"}}, "constants.scrap: 'viele' must be a whole number"),
        ({"constants": {"person": "x" * 201}}, "may have 200 characters at most"),
        ({"constants": {"at": 20260105.5}}, "constants.at: 20260105.5 is"),
    ],
)
def test_what_no_record_could_hold_is_refused(tmp_path: Path, read: dict[str, Any], told: str) -> None:
    assert told in refused(tmp_path, drop(read))


def test_words_and_constants_that_fit_are_taken(tmp_path: Path) -> None:
    words = {"state": {"完工": "done", "无": ""}, "good": {"无": 0, "-": None}}
    fits = {"constants": {"operation": 10, "person": 7, "at": "2026/1/5 8:30"}, "words": words}
    fields = {n: c for n, c in FIELDS.items() if n not in ("operation", "at")}
    order = {
        "name": "o", "type": "order", "pattern": "工单*",
        "fields": {
            n: n for n in ("number", "product", "product_name.zh", "quantity", "due_at", "job.operation")
        },
        "constants": {"product_name.en": "Part", "job.name": "车", "job.quantity": 5, "rush": False},
    }  # fmt: skip
    assert checkup(written(tmp_path, drop(fits | {"fields": fields}, order)), {})


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (SELECT.replace("order by 时间 ", ""), "statement: has no order by; write order by 时间"),
        (SELECT.replace("order by", "/* order by */"), "statement: has no order by"),
        (SELECT.replace(">=", ">"), "statement: > :since passes over rows of the same 时间; write >= :since"),
        (SELECT.replace(">= :since", "> cast(:since as date)"), "passes over rows"),
    ],
)
def test_a_statement_that_would_miss_rows_is_refused(tmp_path: Path, statement: str, told: str) -> None:
    assert told in refused(tmp_path, base(statement))


@pytest.mark.parametrize("key", ["done", "failed"])
def test_files_are_not_put_away_where_they_came_from(tmp_path: Path, key: str) -> None:
    told = refused(tmp_path, drop(**{key: "/srv/mes/done/.."}))
    assert f"{key}: is the folder itself, and its files would be read again; name another" in told


def test_a_read_whose_files_all_go_to_one_before_it_is_refused(tmp_path: Path) -> None:
    told = refused(tmp_path, drop({"pattern": "报工*"}, {"name": "s", "pattern": "报工-2*.csv"}))
    assert "reads: every file of s goes to r, whose pattern fits it too; put s before r" in told
    assert checkup(written(tmp_path, drop({"pattern": "报工-2*.csv"}, {"name": "s", "pattern": "报工*"})), {})


def test_two_fields_from_one_column_are_told_and_those_of_an_order_and_its_operation_are_not(
    tmp_path: Path,
) -> None:
    order = {
        "name": "o", "type": "order", "pattern": "工单*",
        "fields": {
            "number": "n", "product": "p", "product_name": "t", "quantity": "q", "due_at": "d",
            "job.operation": "op", "job.name": "on", "job.quantity": "q",
        },
    }  # fmt: skip
    found = notes(load(written(tmp_path, drop({"fields": FIELDS | {"good": "单号"}}, order)), {}))
    assert found == [
        "mes[0] drop.with.reads[0].fields: id and good both come from column 单号; is that meant?"
    ]


def test_shifts_that_overlap_are_told_with_what_is_made_of_them(tmp_path: Path) -> None:
    night = {"name": {"zh": "夜", "en": "Night"}, "start": "20:00", "end": "08:00"}
    early = {"name": "Early", "start": "06:00", "end": "14:00", "days": [1]}
    sound = yaml.safe_load(SOUND)["shifts"]
    assert notes(load(written(tmp_path, shifts=[*sound, night]), {})) == []
    found = notes(load(written(tmp_path, shifts=[*sound, night, early]), {}))
    assert found == [
        "shifts[0] D and shifts[2] Early overlap from 08:00 to 14:00: that time counts for the one that "
        "began later; let one end where the other begins, if that is not meant",
        "shifts[1] Night and shifts[2] Early overlap from 06:00 to 08:00: that time counts for the one that "
        "began later; let one end where the other begins, if that is not meant",
    ]


@pytest.mark.parametrize(
    ("tag", "told"),
    [
        ({"process_parameter": {"low": 20, "high": 80, "target": 500}}, "500 lies outside 20 to 80"),
        ({"process_parameter": {"target": 5}, "range": [20, 80]}, "5 lies outside 20 to 80"),
        ({"process_parameter": {"high": 80, "target": 90}}, "90 lies above 80"),
        ({"process_parameter": {"low": 80, "target": 70}}, "70 lies below 80"),
    ],
)
def test_a_target_outside_its_limits_is_refused(tmp_path: Path, tag: dict[str, Any], told: str) -> None:
    plant = yaml.safe_load(SOUND)["plant"]
    plant["areas"][0]["lines"][0]["machines"][0]["tags"]["t"].update(tag)
    with pytest.raises(ConfigError) as wrong:
        checkup(written(tmp_path, plant=plant), {})
    [complaint] = wrong.value.complaints
    assert f"process_parameter.target: {told}; correct one of them" in complaint
