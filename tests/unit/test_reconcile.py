"""Random books, disagreements planted in them: each is found and typed, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from erp_bridge import divergence
from erp_bridge.books import At, MesBook, OurBook, OurReport, OurSum, Pieces, TheirBook
from erp_bridge.reconcile import compared, confirmed, is_proven, unexplained, unproven, unreadable
from hub.model.discrepancy import Discrepancy, DiscrepancyKind, Divergence
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.erp import ErpEquipment, OperationClaim, StockClaim
from hub.model.left_out import Omission
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.ticket import MaintenanceTicket, TicketState
from hub.model.words import Words

K = DiscrepancyKind
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PER_ORDER = (
    K.ORDER_NOT_HERE, K.ORDER_NOT_IN_ERP, K.ORDER_QUANTITY, K.ORDER_DUE, K.ORDER_STATE, K.ORDER_PRIORITY,
    K.OPERATION_NOT_HERE, K.OPERATION_NOT_IN_ERP, K.OPERATION_QUANTITY, K.REPORT_NOT_IN_ERP,
    K.REPORT_UNKNOWN, K.REPORT_SUM, K.MES_SUM,
)  # fmt: skip
PER_TICKET = (K.TICKET_NOT_IN_ERP, K.TICKET_STATE, K.TICKET_TWICE)


@dataclass
class World:
    """What is true, and what each book says of it. `arrived`: of what is on its way."""

    ours: dict[str, WorkOrder] = field(default_factory=dict)
    theirs: dict[str, WorkOrder] = field(default_factory=dict)
    settled: dict[At, list[OurReport]] = field(default_factory=dict)
    flying: dict[At, list[tuple[Pieces, bool]]] = field(default_factory=dict)  # pieces, has it arrived?
    lost: set[str] = field(default_factory=set)
    extra: dict[At, Pieces] = field(default_factory=dict)  # what people have changed in the ERP by hand
    mes_extra: dict[At, Pieces] = field(default_factory=dict)
    tickets: list[MaintenanceTicket] = field(default_factory=list)
    their_tickets: dict[str, str] = field(default_factory=dict)
    keyed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    under_way: set[str] = field(default_factory=set)
    planted: set[str] = field(default_factory=set)

    def our_book(self) -> OurBook:
        sums = {at: self._sum(at) for at in self.settled}
        return OurBook(
            self.ours, sums, tuple(self.tickets), (machine("m1", "A1"),), frozenset(self.under_way)
        )

    def _sum(self, at: At) -> OurSum:
        certain = total(r.pieces for r in self.settled[at])
        flying = [pieces for pieces, _ in self.flying.get(at, [])]
        return OurSum(certain, Pieces(), total(flying), certain + total(flying))

    def their_book(self) -> TheirBook:
        return TheirBook(
            self.theirs, {at: self._claim(at) for at in self.settled if at[0] in self.theirs},
            self.their_tickets, self.keyed, (ErpEquipment("A1", Words("甲", "A")),),
            (StockClaim("S", 7, "L1", "W"), StockClaim("S", 5, "L2", "W")),
        )  # fmt: skip

    def _claim(self, at: At) -> OperationClaim:
        there = total(r.pieces for r in self.settled[at] if r.id not in self.lost)
        there += total(pieces for pieces, arrived in self.flying.get(at, []) if arrived)
        there += self.extra.get(at, Pieces())
        return OperationClaim(*at, 100, there.good, there.scrap)

    def mes_book(self) -> MesBook:
        told = {at: self._sum(at).told + self.mes_extra.get(at, Pieces()) for at in self.settled}
        return MesBook(told, {("S", "L1", "W"): 7, ("S", "", ""): 12})

    def found(self) -> list[Discrepancy]:
        """Everything, with the reports asked for one by one."""
        ours, theirs = self.our_book(), self.their_book()
        found = compared(ours, theirs, self.mes_book())
        for at, said in unexplained(ours, theirs).items():
            answers: dict[str, bool] = {}
            lacking = divergence.lacking(ours.sums[at], said)
            while (asked := divergence.next_question(self.settled[at], answers, lacking)) is not None:
                answers[asked] = asked not in self.lost
            found += divergence.explanation(at, ours.sums[at], said, self.settled[at], answers)
        return found


def total(many: object) -> Pieces:
    out = Pieces()
    for pieces in many:  # type: ignore[attr-defined]
        out += pieces
    return out


def machine(name: str, erp_id: str) -> Equipment:
    return Equipment(f"p1/a/l/{name}", EquipmentLevel.WORK_UNIT, Words(name, name), erp_id=erp_id)


def random_world(random: Random, orders: int) -> World:
    """Books that agree, with something on its way here and there."""
    world = World()
    for n in range(orders):
        number = f"MO{n:04d}"
        jobs = tuple(
            JobOrder(number, str(10 * i), Words("工序", "step"), "p1/a/l", 100)
            for i in range(1, random.randint(2, 4))
        )
        order = WorkOrder(number, "A", Words("甲", "A"), 100, NOON + timedelta(hours=n), jobs=jobs)
        world.ours[number] = world.theirs[number] = order
        for job in jobs:
            at = number, job.operation
            world.settled[at] = [
                OurReport(
                    f"R{n}-{job.operation}-{i}",
                    NOON + timedelta(minutes=i),
                    Pieces(random.randint(0, 5), random.randint(0, 2)),
                )
                for i in range(random.randint(1, 6))
            ]
            world.settled[at].append(
                OurReport(f"R{n}-{job.operation}-x", NOON + timedelta(hours=1), Pieces(3, 1))
            )
            if random.random() < 0.3:
                world.flying[at] = [(Pieces(random.randint(1, 5)), random.random() < 0.5) for _ in range(2)]
        ticket = MaintenanceTicket(
            f"AH-{n:04d}",
            n,
            f"p1/a/l/m{n}",
            random.choice([TicketState.SENT, TicketState.CLOSED]),
            NOON,
            NOON,
            f"{n}",
        )
        world.tickets.append(ticket)
        world.their_tickets[ticket.erp_id] = "open" if ticket.is_open else "closed"
        world.keyed[ticket.id] = (f"T{n}",)
        if random.random() < 0.2:  # the rest of this ticket's story is still on its way
            world.under_way.add(ticket.id)
            world.their_tickets[ticket.erp_id] = random.choice(["open", "closed"])
    return world


def plant(world: World, kind: DiscrepancyKind, number: str, random: Random) -> None:
    """One disagreement about this order, or the ticket of the same number."""
    mine, first = world.theirs[number], world.theirs[number].jobs[0]
    at = number, first.operation
    subject, part = number, ""
    match kind:
        case K.ORDER_NOT_HERE:
            del world.ours[number]
        case K.ORDER_NOT_IN_ERP:
            del world.theirs[number]
        case K.ORDER_QUANTITY:
            world.theirs[number] = replace(mine, quantity=101)
        case K.ORDER_DUE:
            world.theirs[number] = replace(mine, due_at=mine.due_at + timedelta(hours=2))
        case K.ORDER_STATE:
            world.theirs[number] = replace(mine, state=WorkOrderState.COMPLETED)
        case K.ORDER_PRIORITY:
            world.theirs[number] = replace(mine, rush=True)
        case K.OPERATION_NOT_HERE:
            job = JobOrder(number, "90", Words("", ""), "p1/a/l", 100)
            world.theirs[number] = replace(mine, jobs=(*mine.jobs, job))
            subject = f"{number}/90"
        case K.OPERATION_NOT_IN_ERP:
            job = JobOrder(number, "91", Words("", ""), "p1/a/l", 100)
            world.ours[number] = replace(mine, jobs=(*mine.jobs, job))
            subject = f"{number}/91"
        case K.OPERATION_QUANTITY:
            world.theirs[number] = replace(mine, jobs=(replace(first, quantity=7), *mine.jobs[1:]))
            subject = f"{number}/{first.operation}"
        case K.REPORT_NOT_IN_ERP:
            lost = random.choice([r for r in world.settled[at] if r.pieces])
            world.flying.pop(at, None)
            world.lost.add(lost.id)
            subject, part = f"{number}/{first.operation}", lost.id
        case K.REPORT_UNKNOWN:
            world.extra[at] = Pieces(1000)
            subject = f"{number}/{first.operation}"
        case K.REPORT_SUM:
            world.extra[at] = Pieces(-0.5)
            world.flying.pop(at, None)
            subject = f"{number}/{first.operation}"
        case K.MES_SUM:
            world.mes_extra[at] = Pieces(2)
            subject = f"{number}/{first.operation}"
        case _:
            subject = plant_ticket(world, kind, int(number[2:]))
    world.planted.add(f"{kind.value}:{subject}:{part}")


def plant_ticket(world: World, kind: DiscrepancyKind, n: int) -> str:
    ticket = world.tickets[n]
    world.under_way.discard(ticket.id)
    world.their_tickets[ticket.erp_id] = "open" if ticket.is_open else "closed"
    if kind is K.TICKET_NOT_IN_ERP:
        del world.their_tickets[ticket.erp_id]
    elif kind is K.TICKET_STATE:
        world.their_tickets[ticket.erp_id] = "closed" if ticket.is_open else "open"
    else:
        world.keyed[ticket.id] = ("T", "U")
    return ticket.id


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_books_that_agree_but_for_what_is_under_way_have_no_discrepancy(seed: int) -> None:
    world = random_world(Random(seed), 8)
    assert unexplained(world.our_book(), world.their_book()) == {}
    assert world.found() == []


@given(st.integers(0, 2**32), st.sampled_from([*PER_ORDER, *PER_TICKET]))
@settings(max_examples=160, deadline=None)
def test_one_planted_disagreement_is_found_typed_and_alone(seed: int, kind: DiscrepancyKind) -> None:
    random = Random(seed)
    world = random_world(random, 4)
    plant(world, kind, "MO0002", random)
    assert {d.key for d in world.found()} == world.planted


def test_a_thousand_planted_disagreements_of_sixteen_types_are_all_found_and_none_is_invented() -> None:
    random = Random(7)
    world = random_world(random, 1000)
    for n in range(1000):
        plant(world, (*PER_ORDER, *PER_TICKET)[n % 16], f"MO{n:04d}", random)
    assert len(world.planted) == 1000
    assert {d.key for d in world.found()} == world.planted


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_books_read_while_everything_moves_between_them_agree_at_the_second_look(seed: int) -> None:
    """The ERP was read before an order was changed there, and a ticket was closed in between."""
    random = Random(seed)
    before = random_world(random, 6)
    torn = replace(before, theirs=dict(before.theirs), their_tickets=dict(before.their_tickets))
    number = random.choice(list(torn.theirs))
    torn.theirs[number] = replace(torn.theirs[number], quantity=55, rush=True)
    torn.their_tickets.pop(random.choice(list(torn.their_tickets)))
    again = replace(before, theirs=dict(before.theirs))
    again.theirs[number] = replace(again.theirs[number], quantity=66)  # changed once more meanwhile
    assert confirmed(torn.found(), before.found()) == []
    assert K.ORDER_QUANTITY not in {d.kind for d in confirmed(torn.found(), again.found())}
    assert [d.key for d in confirmed(torn.found(), torn.found())] == [d.key for d in torn.found()]


def test_the_first_report_that_the_erp_lacks_is_named_with_its_time() -> None:
    at = ("MO0001", "10")
    reports = [OurReport(f"R-{n}", NOON + timedelta(minutes=n), Pieces(5)) for n in range(1, 5)]
    ours, theirs = OurSum(Pieces(20), told=Pieces(20)), Pieces(10)
    answers = {"R-1": True, "R-2": False, "R-3": True, "R-4": False}
    found = divergence.explanation(at, ours, theirs, reports, answers)
    assert [(d.part, d.divergence) for d in found] == [
        ("R-2", Divergence("R-2", NOON + timedelta(minutes=2))),
        ("R-4", Divergence("R-4", NOON + timedelta(minutes=4))),
    ]


def test_nobody_is_asked_on_once_the_missing_report_explains_the_gap() -> None:
    reports = [OurReport(f"R-{n}", NOON, Pieces(5)) for n in range(4)]
    assert divergence.next_question(reports, {}, Pieces(5)) == "R-0"
    assert divergence.next_question(reports, {"R-0": True}, Pieces(5)) == "R-1"
    assert divergence.next_question(reports, {"R-0": True, "R-1": False}, Pieces(5)) is None


def test_a_walk_that_was_cut_short_still_says_that_the_sums_differ() -> None:
    reports = [OurReport(f"R-{n}", NOON, Pieces(5)) for n in range(4)]
    ours = OurSum(Pieces(20), told=Pieces(20))
    (found,) = divergence.explanation(("MO1", "10"), ours, Pieces(15), reports, {"R-0": True})
    assert (found.kind, found.divergence) == (K.REPORT_SUM, None)


def test_stock_and_machines_are_compared_on_both_sides() -> None:
    ours = OurBook(equipment=(machine("m1", "A1"), machine("m2", "")))
    theirs = TheirBook(
        equipment=(ErpEquipment("A1", Words("甲", "A")), ErpEquipment("A2", Words("乙", "B")),
                   ErpEquipment("A3", Words("丙", "C"), active=False)),
        stock=(StockClaim("S", 7, "L1", "W"),),
    )  # fmt: skip
    found = compared(ours, theirs, MesBook(stock={("S", "L1", ""): 9.0, ("S", "", "W"): 7.0}))
    assert {d.key for d in found} == {
        "stock:S:L1", "equipment-not-in-erp:p1/a/l/m2:", "equipment-not-here:A2:",
    }  # fmt: skip


def test_large_stocks_and_sums_are_shown_with_all_their_digits() -> None:
    theirs = TheirBook(stock=(StockClaim("S", 12345678.5, "", ""),))
    (found,) = compared(OurBook(), theirs, MesBook(stock={("S", "", ""): 12345678.2}))
    assert (found.ours, found.theirs, found.gap) == ("12345678.2", "12345678.5", "0.3")
    assert str(Pieces(1234567, 7654321)) == "1234567 + 7654321"


def test_an_order_whose_change_is_on_its_way_to_the_erp_does_not_differ() -> None:
    order = WorkOrder("MO1", "A", Words("", ""), 1, NOON)
    ours = OurBook({"MO1": replace(order, rush=True, priority=1)})
    theirs = TheirBook(orders={"MO1": order})
    assert [d.kind for d in compared(ours, theirs)] == [K.ORDER_PRIORITY]
    assert compared(replace(ours, under_way=frozenset({"MO1"})), theirs) == []


def test_a_second_due_date_within_the_minute_is_the_same_one() -> None:
    order = WorkOrder("MO1", "A", Words("", ""), 1, NOON)
    theirs = {"MO1": replace(order, due_at=NOON + timedelta(seconds=59))}
    assert compared(OurBook({"MO1": order}), TheirBook(orders=theirs)) == []


# ------------------------------------------------------------------ one machine, one asset
def test_machines_on_one_asset_and_assets_of_one_machine_are_told_once_each() -> None:
    ours = OurBook(equipment=(machine("m1", "A1"), machine("m2", "A1"), machine("m3", "A2")))
    name = Words("甲", "A")
    theirs = TheirBook(
        equipment=(
            ErpEquipment("A1", name, erp_id="1"), ErpEquipment("A2", name, erp_id="2"),
            ErpEquipment("A2", Words("乙", "B"), erp_id="3"),
            ErpEquipment("A2", Words("乙", "B"), active=False, erp_id="4"),
        )
    )  # fmt: skip
    found = {f"{d.kind} {d.subject}": d for d in compared(ours, theirs)}
    assert set(found) == {"equipment-shared A1", "equipment-twice p1/a/l/m3"}
    assert (found["equipment-shared A1"].ours, found["equipment-shared A1"].equipment) == (
        "p1/a/l/m1, p1/a/l/m2", "p1/a/l",
    )  # fmt: skip
    assert found["equipment-twice p1/a/l/m3"].theirs == "2, 3"


# ------------------------------------------------------------------ what could not be read
def test_what_is_missing_in_a_book_with_omissions_may_be_there() -> None:
    absent = Discrepancy(K.ORDER_NOT_IN_ERP, "MO1")
    off_the_floor = Discrepancy(K.ORDER_STATE, "MO1", ours="released")
    other_state = Discrepancy(K.ORDER_STATE, "MO1", ours="released", theirs="completed")
    for unread in ("orders", "reports"):
        assert not is_proven(absent, {unread})
        assert not is_proven(off_the_floor, {unread})
        assert is_proven(other_state, {unread})
    assert is_proven(absent, {"stock"})
    assert not is_proven(Discrepancy(K.OPERATION_NOT_IN_ERP, "MO1/10"), {"orders"})
    assert not is_proven(Discrepancy(K.TICKET_NOT_IN_ERP, "AH-1"), {"ticket-twice"})
    assert unproven({"reports"}) == {K.ORDER_NOT_IN_ERP, K.ORDER_STATE}


def test_of_a_map_that_reads_hardly_anything_a_few_are_told_singly() -> None:
    many = [Omission(n, "order", f"MO{n:03}", "no date", NOON) for n in range(30)]
    told = list(unreadable([*many, Omission(99, "item", "X", "no unit", NOON)]))
    assert len(told) == 22
    assert (told[0].subject, told[0].part, told[0].theirs) == ("X", "item", "no unit")
    assert (told[-1].subject, told[-1].theirs) == ("*", "+10: no date")
