"""What the plant remembers over a restart: one line of JSON per order and report, appended as they happen.

Counters, progress and numbers are the sums of these lines, so they agree with what the MES has told even when
the plant was killed; pieces counted but not yet reported at that moment are lost on both sides alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from tests.simulators.plant.floor import Report
from tests.simulators.plant.orders import PRODUCTS, Order, make_order
from tests.simulators.plant.plant import Plant


class Journal:
    """An append-only file; every line is handed to the operating system at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def read(self) -> list[dict[str, Any]]:
        """The lines there are; a last line cut short by a crash is left out."""
        if not self._path.exists():
            return []
        lines = []
        for text in self._path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                continue
        return lines

    def rewrite(self, lines: Iterable[dict[str, Any]]) -> None:
        """Begin anew with these lines, all or nothing."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        fresh.replace(self._path)
        self._file = self._path.open("a", encoding="utf-8", buffering=1)

    def add(self, thing: Order | Report) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line_of(thing)) + "\n")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def line_of(thing: Order | Report) -> dict[str, Any]:
    if isinstance(thing, Order):
        return {
            "order": int(thing.number[2:]), "product": thing.product, "quantity": thing.quantity,
            "due_at": thing.due_at.isoformat(), "priority": thing.priority, "rush": thing.rush,
        }  # fmt: skip
    return {
        "report": thing.serial, "of": thing.order, "operation": thing.operation, "at": thing.at.isoformat(),
        "good": thing.good, "scrap": thing.scrap, "state": thing.state, "equipment": thing.equipment,
        "person": thing.person, "labour_seconds": thing.labour_seconds,
    }  # fmt: skip


def remember(plant: Plant) -> list[dict[str, Any]]:
    """Lines from which `recall` makes the same orders, reports and counters."""
    told = {name: [0, 0] for name in plant.machines}
    for r in plant.floor.reports:
        if r.equipment:
            told[r.equipment][0] += r.good
            told[r.equipment][1] += r.scrap
    for (_, _, name), tally in plant.floor.tallies.items():
        told[name][0] += tally.good
        told[name][1] += tally.scrap
    base = {n: [m.good - told[n][0], m.scrap - told[n][1]] for n, m in plant.machines.items()}
    head = {"counters": base, "next_order": plant.floor.next_order, "next_report": plant.floor.next_report}
    return [head, *map(line_of, plant.floor.orders.values()), *map(line_of, plant.floor.reports)]


def recall(plant: Plant, lines: Iterable[dict[str, Any]]) -> Plant:
    """Bring a plant that was not opened to where the lines left it."""
    floor = plant.floor
    for line in lines:
        if "counters" in line:
            for name, (good, scrap) in line["counters"].items():
                plant.machines[name].good, plant.machines[name].scrap = good, scrap
            floor.next_order = max(floor.next_order, line["next_order"])
            floor.next_report = max(floor.next_report, line["next_report"])
        elif "order" in line:
            due = datetime.fromisoformat(line["due_at"])
            product = PRODUCTS[line["product"]]
            floor.admit(
                make_order(line["order"], product, line["quantity"], due, line["priority"], line["rush"])
            )
        else:
            _recall_report(plant, line)
    for work in floor.works:
        if work.state == "done":
            floor.closed.setdefault(work.order.number, plant.start)
    still_open = {w.order.number for w in floor.works if w.state != "done"}
    floor.closed = {n: c for n, c in floor.closed.items() if n not in still_open}
    return plant


def _recall_report(plant: Plant, line: dict[str, Any]) -> None:
    floor = plant.floor
    at = datetime.fromisoformat(line["at"])
    report = Report(
        line["report"], line["of"], line["operation"], at, line["good"], line["scrap"], line["state"],
        line["equipment"], line["person"], line["labour_seconds"],
    )  # fmt: skip
    floor.reports.append(report)
    floor.next_report = max(floor.next_report, report.serial + 1)
    if report.equipment:
        plant.machines[report.equipment].good += report.good
        plant.machines[report.equipment].scrap += report.scrap
    work = next((w for w in floor.works if w.key == (report.order, report.operation)), None)
    if work is not None:
        work.good += report.good
        work.scrap += report.scrap
        work.state = report.state
