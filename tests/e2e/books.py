"""The record after a bad day, held against itself: what was counted, told and stored has to fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from alert_rules.state_trial import changes, told_rows, within
from hub import settings
from hub.model.batch import SampleBatch, from_micros, micros
from hub.model.equipment import Equipment, EquipmentState, StateSpan
from hub.model.sample import Tag
from hub.model.state_table import StateTable

COUNTED = "select equipment, sum(delta), min(reading), max(reading) from counts where good group by equipment"
FLASHES = """
select * from (
    select *, lead(since) over (partition by equipment order by since) - since as lasted from equipment_states
) spans where lasted < interval '1 ms'
"""
DOUBLED = """
select path, ts, count(*) from samples join tags on number = tag group by path, ts having count(*) > 1
"""
CODES = """
select ts, value, status from samples join tags on number = tag where path = %s order by ts
"""
STATES = "select since, state from equipment_states where equipment = %s order by since"
A_LOOK = timedelta(seconds=0.25)  # how often the rules look at who fell silent, and a little


def books_balance(dsn: str, config: Path, environment: Mapping[str, str]) -> None:
    """What was counted is what the counters say; no state lasted no time; no sample is there twice; and
    machines were, on record, what their raw codes say that they were."""
    plant = settings.load(config, environment).plant
    with psycopg.connect(dsn) as record:
        counted = record.execute(COUNTED).fetchall()
        assert len(counted) == 12
        for equipment, pieces, first, last in counted:
            assert pieces == last - first, f"{equipment}: pieces were lost or counted twice"
        assert record.execute(FLASHES).fetchall() == [], "states that were never there"
        doubled = record.execute(DOUBLED).fetchall()
        assert doubled == [], f"{len(doubled)} samples that are there twice: {doubled[:5]}"
        machines = [m for m in plant.machines() if m.state_tag]
        assert len(machines) == 12
        wrong = [w for m in machines for w in _differs(record, m, plant.tags[m.state_tag])]
        assert wrong == [], f"states that the raw codes do not tell: {wrong}"


def _differs(record: psycopg.Connection[Any], machine: Equipment, tag: Tag) -> list[str]:
    """Stretches in which the record and the raw codes disagree."""
    codes = _codes(record, tag)
    good = codes.take(told_rows(codes))
    since, until = (from_micros(int(good.source_times[n])) for n in (0, -1))
    table = StateTable("own", machine.state_map)
    derived = within(changes(machine, tag, table, codes, until), machine.path, since, until)
    rows = record.execute(STATES, [machine.path]).fetchall()
    told = [StateSpan(machine.path, EquipmentState(state), at) for at, state in rows]
    recorded = within(told, machine.path, since, until)
    edges = sorted({s.since for s in (*derived, *recorded)} | {until})
    out = []
    for start, end in pairwise(edges):
        then, now = _at(derived, start), _at(recorded, start)
        if now is not then and end - start > A_LOOK:
            out.append(f"{machine.path} {start:%T.%f} to {end:%T.%f}: {now}, the codes say {then}")
    return out


def _at(spans: Sequence[StateSpan], at: datetime) -> EquipmentState | None:
    return next((s.state for s in spans if s.until is not None and s.since <= at < s.until), None)


def _codes(record: psycopg.Connection[Any], tag: Tag) -> SampleBatch:
    rows = record.execute(CODES, [tag.path]).fetchall()
    return SampleBatch(
        np.full(len(rows), 1, np.int32),
        np.array([micros(ts) for ts, _, _ in rows], np.int64),
        np.array([value for _, value, _ in rows], np.float64),
        np.array([status for _, _, status in rows], np.uint32),
    )
