"""Orders on the shop floor: who makes what next, and what the MES is told about it.

A piece is counted once per operation, by the machine that finished it. Reports are increments; together they
are exactly what the machines counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.simulators.plant.machines import UNITS
from tests.simulators.plant.orders import PRODUCTS, Job, Order, Product, make_order, order_book

BUFFER = 500  # finished pieces that may wait before the next operation; then the one before is blocked
OPEN_ORDERS = 18
# First machine of a routing, and the minutes of work below which it gets another order.
ENTRIES = (("press-01", 6.0), ("cnc-01", 12.0), ("filler-01", 12.0))
TOO_MUCH = 60.0  # minutes of work before a later machine beyond which nothing more is sent its way
INSPECTION = 25.0  # seconds between the last piece and "done"
KEPT = timedelta(hours=2)  # how long a finished order is still told of


@dataclass(frozen=True, slots=True)
class Report:
    """One line of the MES's report list; `serial` grows by one and is never used twice."""

    serial: int
    order: str
    operation: str
    at: datetime
    good: int
    scrap: int
    state: str
    equipment: str
    person: str
    labour_seconds: float

    @property
    def id(self) -> str:
        return f"R{self.serial:010d}"

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id, "order": self.order, "operation": self.operation,
            "at": self.at.isoformat().replace("+00:00", "Z"), "good": self.good, "scrap": self.scrap,
            "state": self.state, "equipment": self.path, "person": self.person,
            "labour_seconds": self.labour_seconds,
        }  # fmt: skip

    @property
    def path(self) -> str:
        """The machine's path in the plant tree, "" when no machine is meant."""
        return UNITS[self.equipment].path if self.equipment else ""


@dataclass(slots=True)
class Work:
    """One operation as it stands."""

    order: Order
    job: Job
    before: Work | None
    good: int = 0
    scrap: int = 0
    begun: int = 0  # pieces on a machine now
    state: str = "waiting"
    inspected_at: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        return self.order.number, self.job.operation

    @property
    def taken(self) -> int:
        return self.good + self.scrap + self.begun

    @property
    def to_do(self) -> int:
        """Pieces that could be begun now."""
        if self.state in ("inspection", "done"):
            return 0
        if self.before is None:
            return max(0, self.job.quantity - self.good - self.begun)
        return self.before.good - self.taken

    @property
    def complete(self) -> bool:
        if self.begun or self.state == "done":
            return False
        if self.before is None:
            return self.good >= self.job.quantity
        return self.before.state == "done" and self.good + self.scrap >= self.before.good


@dataclass(slots=True)
class Tally:
    """What one machine has counted for one operation since its last report."""

    good: int = 0
    scrap: int = 0
    since: float = 0.0


@dataclass(slots=True)
class Floor:
    """All open orders, and the reports told so far."""

    random: Random
    start: datetime
    works: list[Work] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    closed: dict[str, datetime] = field(default_factory=dict)
    reports: deque[Report] = field(default_factory=deque)
    tallies: dict[tuple[str, str, str], Tally] = field(default_factory=dict)
    next_report: int = 1
    next_order: int = 1
    write_down: Callable[[Order | Report], None] = lambda thing: None

    def open_book(self) -> dict[str, int]:
        """Take in the orders of the start; returns good pieces already made, per machine."""
        counted: dict[str, int] = {}
        for order in order_book(self.start):
            for work in self.admit(order):
                self._report_past(work, counted)
        return counted

    def admit(self, order: Order) -> list[Work]:
        self.orders[order.number] = order
        self.write_down(order)
        self.next_order = max(self.next_order, int(order.number[2:]) + 1)
        works: list[Work] = []
        for job in order.jobs:
            works.append(Work(order, job, works[-1] if works else None))
        self.works.extend(works)
        return works

    def _report_past(self, work: Work, counted: dict[str, int]) -> None:
        """Pieces made before the start, shared among the machines that can do the work."""
        machines = work.job.machines
        for i, machine in enumerate(machines):
            share = work.job.made // len(machines) + (i < work.job.made % len(machines))
            if share:
                counted[machine] = counted.get(machine, 0) + share
                work.good += share
                work.state = "running"
                self._tell(work, self.start, share, 0, machine, 0.0)

    # -------------------------------------------------------------- work
    def next_for(self, machine: str, current: Work | None) -> tuple[Work | None, str]:
        """The work this machine turns to, or why there is none: "starved", "blocked" or "idle"."""
        mine = [w for w in self.works if machine in w.job.machines and w.state != "done"]
        ready = [w for w in mine if w.to_do > 0]
        free = [w for w in ready if self._waiting_behind(w) < BUFFER]
        if current in free:
            return current, ""
        if free:
            return min(free, key=lambda w: (w.order.priority, w.order.due_at, w.order.number)), ""
        return None, "blocked" if ready else "starved" if mine else "idle"

    def _waiting_behind(self, work: Work) -> int:
        after = next((w for w in self.works if w.before is work), None)
        return work.good - after.taken if after else 0

    def count(self, work: Work, machine: str, good: bool, t: float) -> None:
        work.begun -= 1
        tally = self.tallies.setdefault((*work.key, machine), Tally(since=t))
        if good:
            work.good += 1
            tally.good += 1
        else:
            work.scrap += 1
            tally.scrap += 1
        if work.state == "waiting":
            work.state = "running"

    # -------------------------------------------------------------- telling
    def tell_tallies(self, t: float, at: datetime, every: float) -> None:
        """Report what was counted `every` seconds ago or earlier."""
        by_key = {w.key: w for w in self.works}
        for (number, operation, machine), tally in list(self.tallies.items()):
            if t - tally.since >= every:
                work = by_key[number, operation]
                self._tell(work, at, tally.good, tally.scrap, machine, t - tally.since)
                del self.tallies[number, operation, machine]

    def _tell(self, work: Work, at: datetime, good: int, scrap: int, machine: str, labour: float) -> None:
        person = f"op-{work.job.work_center.rpartition('/')[2]}"
        report = Report(
            self.next_report, *work.key, at, good, scrap, work.state, machine, person, round(labour, 1)
        )
        self.reports.append(report)
        self.write_down(report)
        self.next_report += 1

    def settle(self, t: float, at: datetime) -> None:
        """Finished operations go to inspection and are done a little later; new orders come in."""
        for work in self.works:
            if work.complete and work.state != "inspection":
                self.tell_tallies(t, at, 0.0)
                work.state, work.inspected_at = "inspection", t + INSPECTION
                self._tell(work, at, 0, 0, "", 0.0)
            elif work.state == "inspection" and t >= work.inspected_at:
                work.state = "done"
                self._tell(work, at, 0, 0, "", 0.0)
        self._close(at)
        self._release(at)

    def _close(self, at: datetime) -> None:
        open_numbers = {w.order.number for w in self.works if w.state != "done"}
        for number in self.orders:
            if number not in open_numbers and number not in self.closed:
                self.closed[number] = at
        gone = {n for n, closed_at in self.closed.items() if at - closed_at > KEPT}
        if gone:
            self.works = [w for w in self.works if w.order.number not in gone]
            self.orders = {n: o for n, o in self.orders.items() if n not in gone}
            self.closed = {n: c for n, c in self.closed.items() if n not in gone}
            self.reports = deque(r for r in self.reports if r.order not in gone)

    def _release(self, at: datetime) -> None:
        """An order for whichever first machines run out of work, unless later ones have too much already."""
        if len(self.orders) - len(self.closed) >= OPEN_ORDERS:
            return
        for entry, enough in ENTRIES:
            if self._minutes((entry,)) < enough:
                product = self._best_product(entry)
                if product:
                    self.admit(self._new_order(product, at))
                    return

    def _best_product(self, entry: str) -> Product | None:
        """Of the products that begin on this machine, the one whose later machines have least to do."""

        def burden(product: Product) -> float:
            return max(self._minutes(step.machines) for step in product.route[1:])

        able = [p for p in PRODUCTS.values() if entry in p.route[0].machines]
        best = min(able, key=lambda p: (burden(p), p.code))
        return best if burden(best) < TOO_MUCH else None

    def _minutes(self, machines: tuple[str, ...]) -> float:
        """Minutes of work that open orders hold for these machines, pieces still to come included."""
        pieces = sum(
            w.job.quantity - w.good
            for w in self.works
            if w.state not in ("inspection", "done") and machines[0] in w.job.machines
        )
        group = next(s.machines for p in PRODUCTS.values() for s in p.route if machines[0] in s.machines)
        return pieces / (60 * sum(1 / UNITS[m].cycle for m in group))

    def _new_order(self, product: Product, at: datetime) -> Order:
        quantity = 20 * self.random.randint(12, 30)
        due = (at + timedelta(hours=self.random.randint(2, 12))).replace(second=0, microsecond=0)
        rush = self.random.random() < 0.1
        priority = 1 if rush else self.random.randint(3, 7)
        return make_order(self.next_order, product, quantity, due, priority, rush)
