"""Three books side by side: every disagreement with its type, and nothing that is merely under way (pure).

The books are read one after the other while the plant goes on. So a comparison is believed only when a second
one, made a little later, found the same (`confirmed`); and of sums it is known what may be on its way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from erp_bridge import shrunk
from erp_bridge.books import TINY, At, MesBook, OurBook, OurSum, Pieces, TheirBook, shown
from erp_bridge.mapping import enriched
from hub.kpi.assets import Finding, Orphan, asset_map
from hub.model.discrepancy import Discrepancy, DiscrepancyKind, Repair
from hub.model.equipment import Equipment
from hub.model.erp import ErpEquipment
from hub.model.left_out import Omission
from hub.model.production import WorkOrder, WorkOrderState
from hub.model.ticket import MaintenanceTicket, TicketState

K = DiscrepancyKind
RELEASED = WorkOrderState.RELEASED
BOUNDED = frozenset(
    {K.REPORT_UNKNOWN, K.REPORT_SUM, K.REPORT_NOT_IN_ERP}
)  # what is on its way is allowed for
MOVING = frozenset({K.MES_SUM, K.STOCK})
SINGLY = 20  # unreadable records of one map that are told one by one
SAME_TIME = timedelta(minutes=1)  # no ERP plans to the second


def compared(ours: OurBook, theirs: TheirBook, mes: MesBook | None = None) -> list[Discrepancy]:
    """All but reports and postings, which have to be asked for one by one: see erp_bridge.divergence."""
    mes = mes or MesBook()
    found: list[Discrepancy] = []
    if theirs.orders is not None:
        found += orders(ours, theirs.orders, theirs.claims)
    if mes.sums is not None:
        found += mes_sums(ours, mes.sums, mes.ours)
    if mes.stock is not None and theirs.stock is not None:
        found += stock(mes, theirs)
    if theirs.tickets is not None:
        found += tickets(ours, theirs.tickets, theirs.keyed or {})
    if theirs.keyed is not None:
        found += twice(ours, theirs.keyed)
    if theirs.equipment is not None:
        found += equipment(ours, theirs)
    return found


def confirmed(first: Iterable[Discrepancy], second: Iterable[Discrepancy]) -> list[Discrepancy]:
    """Those of the second look that the first one saw as well, just so. Sums that move on both sides have to
    be apart by as much both times."""
    seen = {d.key: d for d in first}
    return [d for d in second if d.key in seen and _same(seen[d.key], d)]


def _same(one: Discrepancy, two: Discrepancy) -> bool:
    if one.kind in BOUNDED or one.kind is K.RECORD_UNREADABLE:
        return True
    if one.kind in MOVING:
        return one.gap == two.gap
    return (one.ours, one.theirs) == (two.ours, two.theirs)


# ------------------------------------------------------------------ what could not be read
def is_proven(found: Discrepancy, unread: Collection[str]) -> bool:
    """Whether it holds although something of these books could not be read: what is missing in them may be
    there. `unread`: as erp_bridge.readings names them."""
    if {"orders", "reports"} & set(unread) and _is_absence(found):
        return False
    if "orders" in unread and found.kind is K.OPERATION_NOT_IN_ERP:
        return False
    return not ("ticket-twice" in unread and found.kind is K.TICKET_NOT_IN_ERP)


def unproven(unread: Collection[str]) -> set[DiscrepancyKind]:
    """Kinds of which nothing is over, beside those of the books that are not compared."""
    kinds: set[DiscrepancyKind] = set()
    if "reports" in unread:
        kinds |= {K.ORDER_NOT_IN_ERP, K.ORDER_STATE}
    if "ticket-twice" in unread:
        kinds.add(K.TICKET_NOT_IN_ERP)
    return kinds


def _is_absence(found: Discrepancy) -> bool:
    return found.kind is K.ORDER_NOT_IN_ERP or (found.kind is K.ORDER_STATE and not found.theirs)


def unreadable(omissions: Iterable[Omission]) -> Iterator[Discrepancy]:
    """One for each record; of a map that reads hardly anything, one for all that is more than a few."""
    by_document: dict[str, list[Omission]] = {}
    for one in sorted(omissions, key=lambda o: (o.since, o.record)):
        if one.record == shrunk.ALL:  # no record, and no map to mend: the keeper of the ERP was told
            continue
        by_document.setdefault(one.document, []).append(one)
    for document, found in sorted(by_document.items()):
        for one in found[:SINGLY]:
            yield Discrepancy(K.RECORD_UNREADABLE, one.record, document, theirs=one.reason)
        if (rest := len(found) - SINGLY) > 0:
            yield Discrepancy(K.RECORD_UNREADABLE, "*", document, theirs=f"+{rest}: {found[-1].reason}")


# ------------------------------------------------------------------ orders
def orders(
    ours: OurBook, theirs: Mapping[str, WorkOrder], claims: Mapping[At, object] | None
) -> Iterator[Discrepancy]:
    there = {order for order, _ in claims or ()}
    for number in sorted({*ours.orders, *theirs} - ours.under_way):
        mine, other = ours.orders.get(number), theirs.get(number)
        if mine is None and other is not None:
            if other.state is RELEASED:
                yield Discrepancy(
                    K.ORDER_NOT_HERE, number, theirs=f"{other.quantity}", repair=Repair.TAKE_THEIRS,
                    equipment=place(other),
                )  # fmt: skip
        elif mine is not None and other is None:
            yield from _not_listed(mine, number in there)
        elif mine is not None and other is not None:
            yield from _order(mine, enriched(other, mine))


def _not_listed(mine: WorkOrder, reported: bool) -> Iterator[Discrepancy]:
    """An ended order need not be told of any more. One that has claims left the floor long ago."""
    if mine.state is not RELEASED:
        return
    if reported:
        yield Discrepancy(K.ORDER_STATE, mine.number, ours=mine.state.value, theirs="", equipment=place(mine))
    else:
        yield Discrepancy(K.ORDER_NOT_IN_ERP, mine.number, ours=f"{mine.quantity}", equipment=place(mine))


def _order(mine: WorkOrder, other: WorkOrder) -> Iterator[Discrepancy]:
    pairs = (
        (K.ORDER_STATE, mine.state.value, other.state.value),
        (K.ORDER_QUANTITY, f"{mine.quantity}", f"{other.quantity}"),
        (K.ORDER_DUE, stamp(mine.due_at), stamp(_due(mine, other))),
        (K.ORDER_PRIORITY, _urgency(mine), _urgency(other)),
    )
    for kind, one, two in pairs[: None if mine.state is other.state is RELEASED else 1]:
        if one != two:
            yield Discrepancy(
                kind, mine.number, ours=one, theirs=two, repair=Repair.TAKE_THEIRS, equipment=place(mine)
            )
    if mine.state is other.state is RELEASED:
        yield from _operations(mine, other)


def _due(mine: WorkOrder, other: WorkOrder) -> datetime:
    return mine.due_at if abs(other.due_at - mine.due_at) < SAME_TIME else other.due_at


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _urgency(order: WorkOrder) -> str:
    return f"{order.priority} rush" if order.rush else f"{order.priority}"


def _operations(mine: WorkOrder, other: WorkOrder) -> Iterator[Discrepancy]:
    here, there = {j.operation: j for j in mine.jobs}, {j.operation: j for j in other.jobs}
    for operation in sorted({*here, *there}):
        one, two = here.get(operation), there.get(operation)
        subject, where = f"{mine.number}/{operation}", (one or two or mine.jobs[0]).work_center
        if one is None and two is not None:
            yield Discrepancy(
                K.OPERATION_NOT_HERE, subject, theirs=f"{two.quantity}", repair=Repair.TAKE_THEIRS,
                equipment=where,
            )  # fmt: skip
        elif two is None and one is not None:
            yield Discrepancy(K.OPERATION_NOT_IN_ERP, subject, ours=f"{one.quantity}", equipment=where)
        elif one is not None and two is not None and one.quantity != two.quantity:
            yield Discrepancy(
                K.OPERATION_QUANTITY, subject, ours=f"{one.quantity}", theirs=f"{two.quantity}",
                repair=Repair.TAKE_THEIRS, equipment=where,
            )  # fmt: skip


def place(order: WorkOrder) -> str:
    """The lowest node of the plant tree under which all of the order's work is done."""
    return shared(job.work_center for job in order.jobs if job.work_center)


def shared(paths: Iterable[str]) -> str:
    """The lowest node above all of these; "" when there is none."""
    split = [path.split("/") for path in paths]
    above: list[str] = []
    for steps in zip(*split, strict=False):
        if len(set(steps)) > 1:
            break
        above.append(steps[0])
    return "/".join(above)


# ------------------------------------------------------------------ sums
def unexplained(ours: OurBook, theirs: TheirBook) -> dict[At, Pieces]:
    """Operations on which the ERP's sums are neither ours nor on their way there, with the ERP's sums."""
    if theirs.claims is None:
        return {}
    apart = {}
    for at, claim in theirs.claims.items():
        said = Pieces(claim.good, claim.scrap)
        if at[0] in ours.orders and not ours.sums.get(at, OurSum()).explains(said):
            apart[at] = said
    return apart


def mes_sums(
    ours: OurBook, theirs: Mapping[At, Pieces], around: Mapping[At, tuple[Pieces, Pieces]]
) -> Iterator[Discrepancy]:
    """The MES counts on while the books are read: what lies between our sums before and after is none.
    `around`: ours just before the MES was asked, and just after."""
    for at, said in sorted(theirs.items()):
        order, operation = at
        if order not in ours.orders:
            continue
        told = ours.sums.get(at, OurSum()).told
        before, after = around.get(at, (told, told))
        if not _between(said, (before, after, told)):
            yield Discrepancy(
                K.MES_SUM, f"{order}/{operation}", ours=str(after), theirs=str(said), gap=str(said - after),
                equipment=work_center(ours.orders[order], operation),
            )  # fmt: skip


def _between(said: Pieces, ours: Collection[Pieces]) -> bool:
    good, scrap = [one.good for one in ours], [one.scrap for one in ours]
    return (
        min(good) - TINY <= said.good <= max(good) + TINY
        and min(scrap) - TINY <= said.scrap <= max(scrap) + TINY
    )


def work_center(order: WorkOrder | None, operation: str) -> str:
    return next((j.work_center for j in order.jobs if j.operation == operation), "") if order else ""


# ------------------------------------------------------------------ stock
def stock(mes: MesBook, theirs: TheirBook) -> Iterator[Discrepancy]:
    """Shelf by shelf as the MES tells them apart: "" for the lot or the warehouse is any."""
    for (item, lot, warehouse), quantity in sorted((mes.stock or {}).items()):
        there = sum(
            claim.quantity
            for claim in theirs.stock or ()
            if claim.item == item and lot in ("", claim.lot) and warehouse in ("", claim.warehouse)
        )
        if abs(there - quantity) > TINY:
            yield Discrepancy(
                K.STOCK, item, "/".join(filter(None, (lot, warehouse))), shown(quantity), shown(there),
                gap=shown(there - quantity),
            )  # fmt: skip


# ------------------------------------------------------------------ tickets
def tickets(
    ours: OurBook, theirs: Mapping[str, str], keyed: Mapping[str, tuple[str, ...]]
) -> Iterator[Discrepancy]:
    for ticket in ours.tickets:
        if ticket.id in ours.under_way or ticket.state is TicketState.FALSE_ALARM:
            continue
        said = theirs.get(ticket.erp_id) if ticket.erp_id else None
        if said is None and not ticket.erp_id and keyed.get(ticket.id):
            continue  # it is there; the desk had its reasons not to write the number down
        if said is None:
            yield Discrepancy(
                K.TICKET_NOT_IN_ERP, ticket.id, ours=_openness(ticket), repair=Repair.SEND_AGAIN,
                equipment=ticket.equipment,
            )  # fmt: skip
        elif said != _openness(ticket):
            repair = Repair.CLOSE_HERE if ticket.is_open else Repair.CLOSE_THERE
            yield Discrepancy(
                K.TICKET_STATE, ticket.id, ours=_openness(ticket), theirs=said, repair=repair,
                equipment=ticket.equipment,
            )  # fmt: skip


def _openness(ticket: MaintenanceTicket) -> str:
    return "open" if ticket.is_open else "closed"


def twice(ours: OurBook, keyed: Mapping[str, tuple[str, ...]]) -> Iterator[Discrepancy]:
    where = {t.id: t.equipment for t in ours.tickets}
    for key, numbers in sorted(keyed.items()):
        if len(numbers) > 1:
            yield Discrepancy(
                K.TICKET_TWICE, key, ours="1", theirs=", ".join(sorted(numbers)), equipment=where.get(key, "")
            )


# ------------------------------------------------------------------ equipment
def equipment(ours: OurBook, theirs: TheirBook) -> Iterator[Discrepancy]:
    """Each machine has one asset of its own, and each asset in service has its machine."""
    names = {e.number: e.name.in_("zh") for e in theirs.equipment or ()}
    found = asset_map(ours.equipment, theirs.equipment or ())
    for lost in found.of(Orphan.NO_NUMBER, Orphan.NOT_THERE, Orphan.INACTIVE):
        yield Discrepancy(K.EQUIPMENT_NOT_IN_ERP, lost.machine, ours=lost.asset, equipment=lost.machine)
    for lost in found.of(Orphan.NO_MACHINE):
        yield Discrepancy(K.EQUIPMENT_NOT_HERE, lost.asset, theirs=names[lost.asset])
    yield from _shared(found.of(Orphan.SHARED))
    yield from _assets_twice(ours.equipment, theirs.equipment or ())


def _shared(machines: Iterable[Finding]) -> Iterator[Discrepancy]:
    """One for the asset, whichever of its machines is looked at."""
    users: dict[str, list[str]] = {}
    for one in machines:
        users.setdefault(one.asset, []).append(one.machine)
    for asset, paths in sorted(users.items()):
        yield Discrepancy(
            K.EQUIPMENT_SHARED, asset, ours=", ".join(sorted(paths)), theirs=asset, equipment=shared(paths)
        )


def _assets_twice(machines: Iterable[Equipment], assets: Iterable[ErpEquipment]) -> Iterator[Discrepancy]:
    """Several records of the ERP carry one number, and a machine names it."""
    carried: dict[str, dict[str, str]] = {}
    for at, asset in enumerate(assets):
        if asset.active:  # an ERP without ids beside its numbers tells each record once
            own = asset.erp_id if asset.erp_id != asset.number else ""
            name = f"{asset.name.in_('zh')} {asset.place}".strip()
            carried.setdefault(asset.number, {})[own or f"#{at}"] = own or name
    for machine in machines:
        found = carried.get(machine.erp_id, {}) if machine.erp_id else {}
        if len(found) > 1:
            yield Discrepancy(
                K.EQUIPMENT_TWICE, machine.path, ours=machine.erp_id,
                theirs=", ".join(sorted(found.values())), equipment=machine.path,
            )  # fmt: skip
