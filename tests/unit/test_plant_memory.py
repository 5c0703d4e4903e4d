"""A plant that was stopped goes on where it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.simulators.plant.memory import Journal, line_of, recall, remember
from tests.simulators.plant.plant import Plant

START = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)


def stopped(path: Path, seconds: float) -> Plant:
    plant = Plant(7, START).open()
    journal = Journal(path)
    journal.rewrite(remember(plant))
    plant.floor.write_down = journal.add
    plant.step(seconds)
    journal.close()
    return plant


def again(path: Path) -> Plant:
    return recall(Plant(8, START + timedelta(hours=1)), Journal(path).read())


def test_orders_progress_and_report_numbers_go_on(tmp_path: Path) -> None:
    before = stopped(tmp_path / "state.jsonl", 300)
    after = again(tmp_path / "state.jsonl")
    assert list(after.floor.reports) == list(before.floor.reports)
    assert after.floor.next_report == before.floor.next_report
    assert after.floor.orders == {n: _unmade(o) for n, o in before.floor.orders.items()}
    told = {w.key: w for w in before.floor.works}
    for work in after.floor.works:
        pending = [t for k, t in before.floor.tallies.items() if k[:2] == work.key]
        assert work.good == told[work.key].good - sum(t.good for t in pending)


def test_counters_are_what_was_reported(tmp_path: Path) -> None:
    before = stopped(tmp_path / "state.jsonl", 200)
    after = again(tmp_path / "state.jsonl")
    for name, machine in after.machines.items():
        pending = sum(t.good for k, t in before.floor.tallies.items() if k[2] == name)
        assert machine.good == before.machines[name].good - pending


def test_no_report_number_is_used_twice_after_a_crash_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    before = stopped(path, 200)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[:-20], encoding="utf-8")
    after = again(path)
    assert after.floor.next_report == before.floor.next_report - 1
    after.step(60)
    serials = [r.serial for r in after.floor.reports]
    assert serials == sorted(set(serials))


def test_a_plant_that_goes_on_works(tmp_path: Path) -> None:
    stopped(tmp_path / "state.jsonl", 200)
    after = again(tmp_path / "state.jsonl")
    made = sum(m.good for m in after.machines.values())
    after.step(120)
    assert sum(m.good for m in after.machines.values()) > made + 50


def test_what_is_remembered_is_recalled(tmp_path: Path) -> None:
    plant = Plant(7, START).open()
    plant.step(300)
    twin = recall(Plant(7, START), remember(plant))
    assert list(map(line_of, twin.floor.reports)) == list(map(line_of, plant.floor.reports))
    assert twin.floor.next_order == plant.floor.next_order


def _unmade(order: object) -> object:
    """An order as it is recalled: what was made before the start is in the reports."""
    from dataclasses import replace

    return replace(order, jobs=tuple(replace(j, made=0) for j in order.jobs))  # type: ignore[attr-defined,type-var]
