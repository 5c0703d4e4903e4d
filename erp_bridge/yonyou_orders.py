"""Production orders 生产订单: which there are and how far by a list, what is in them by MODoc/Query."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from erp_bridge import left_out
from erp_bridge.as_read import RECORD, Row, each, moment
from erp_bridge.yonyou_answers import U9Refusal, rows_in, rows_of, text
from erp_bridge.yonyou_client import U9Client
from erp_bridge.yonyou_config import YonyouConfig
from erp_bridge.yonyou_kinds import Kind, kind_of
from erp_bridge.yonyou_lists import ListReader, Wanted
from hub.errors import ErpRefused, ErpUnavailable
from hub.model.erp import OperationClaim
from hub.model.production import JobOrder, WorkOrder, WorkOrderState
from hub.model.words import Words

log = logging.getLogger(__name__)

OPENED, APPROVED, STARTED, FINISHED, IN_APPROVAL = "0", "1", "2", "3", "4"


@dataclass(frozen=True, slots=True)
class Step:
    operation: str
    name: str
    work_center: str
    quantity: float
    here: float  # waiting, in process and on the way at this operation
    lost: float  # scrapped, rejected and to be reworked here
    scrap: float
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One order: `ours` is its content, `listed` its state and sums (empty where no list is read)."""

    ours: Row
    listed: Row
    steps: tuple[Step, ...]
    sources: tuple[Row, ...]
    picks: tuple[Row, ...]
    torn: bool = False  # an operation of it cannot be read

    @property
    def number(self) -> str:
        return str(self.ours["number"])

    @property
    def doc_state(self) -> str:
        return text(self.listed.get("doc_state"))

    @property
    def state(self) -> str:
        return text(self.listed.get("state")) or text(self.ours.get("state"))

    def step(self, operation: str) -> Step | None:
        return next((s for s in self.steps if bare(s.operation) == bare(operation)), None)

    def after(self, step: Step) -> Step | None:
        at = self.steps.index(step) + 1
        return self.steps[at] if at < len(self.steps) else None


class Orders:
    def __init__(self, config: YonyouConfig, client: U9Client) -> None:
        self._config = config
        self._client = client
        self._order, self._operation, self._source, self._pick = (
            kind_of(config, n) for n in ("order", "operation", "source", "pick")
        )
        self.list = ListReader(config, client, kind_of(config, "order_list"))
        self._states: Mapping[str, Any] = self.list.tables.get("order_states", {})

    # ------------------------------------------------------------------ work orders
    async def production(self, since: datetime | None) -> list[WorkOrder]:
        """Those on the shop floor; with `since` all that have changed."""
        rows = [{**card.ours, "state": card.state or None, "card": card} for card in await self.cards(since)]
        made = each("order", rows, ("product", "quantity", "due_at", "state"), _work_order)
        return [o for o in made if since or o.state is WorkOrderState.RELEASED]

    async def cards(self, since: datetime | None) -> list[Card]:
        floor = {code for code, ours in self._states.items() if ours == WorkOrderState.RELEASED.value}
        wanted = Wanted({}, since) if since else Wanted({"doc_state": floor})
        return await self._with_content(await self.list.rows(wanted))

    async def several(self, numbers: Iterable[str], *, all_lists: bool = True) -> list[Card]:
        """Those of these that are there. Without `all_lists` a list that can only be read as a whole is not
        read, and their state is not known."""
        wanted = {n for n in numbers if n}
        if not wanted:
            return []
        if self.list.filters or all_lists:
            return await self._with_content(await self.list.rows(Wanted({"number": wanted})))
        return await self._with_content([{"number": n} for n in wanted])

    async def one(self, number: str) -> Card | None:
        """Its state is not known where this site has no lists; a post to it is U9's to judge then."""
        with left_out.gathered() as lost:
            try:
                found = await self.several([number], all_lists=False)
            except U9Refusal as refusal:
                log.warning("the state of %s is not known: %s", number, refusal)
                found = await self._with_content([{"number": number}] if number else [])
        if not found and lost:
            raise ErpRefused(f"production order {number} cannot be read: {lost[0]}")
        return found[0] if found else None

    async def _with_content(self, listed: Sequence[Row]) -> list[Card]:
        numbers = sorted({str(row["number"]) for row in listed if row.get("number")})
        most = self._config.rows_at_once
        parts = [numbers[at : at + most] for at in range(0, len(numbers), most)]
        answers = await asyncio.gather(*(self._asked(part) for part in parts))
        content = [row for rows in answers for row in rows]
        return [c for row in content if (c := self._card(row, listed)) is not None]

    async def _asked(self, numbers: list[str]) -> list[Row]:
        path, wanted = self._order.block.form, {n.casefold() for n in numbers}
        told = rows_in(await self._client.read(path, [{"DocNo": n} for n in numbers]), path)
        rows = [row for record in told if (row := self._order.read(record)) is not None]
        named_ones = each("order", rows, ("number",), dict)
        if strange := [r["number"] for r in named_ones if text(r["number"]).casefold() not in wanted]:
            raise ErpUnavailable(f"U9 was asked at {path} for {numbers[0]} and shows {strange[0]}")
        return [r for r in named_ones if r["number"] in numbers and self._ours(r)]

    def _ours(self, row: Row) -> bool:
        """A number may be used in several organisations; the token's is ours."""
        return not row.get("org") or text(row["org"]) == self._config.org_code

    def _card(self, row: Row, listed: Iterable[Row]) -> Card | None:
        same = [li for li in listed if li.get("number") == row["number"] and _is_of(li, row)]
        if not same:  # the list names an order of another organisation by this number
            return None
        number, given = str(row["number"]), _listed(row.get("operations"))
        steps = each("operation", _read(self._operation, given, number), ("operation",), _step)
        return Card(
            row,
            same[0],
            tuple(sorted((s for s in steps if not s.cancelled), key=lambda s: _order(s.operation))),
            tuple(_read(self._source, _listed(row.get("sources")), number)),
            tuple(_read(self._pick, _listed(row.get("picks")), number)),
            torn=len(steps) < len(given),
        )

    # ------------------------------------------------------------------ what the books say
    async def reported(self, numbers: Iterable[str]) -> list[OperationClaim]:
        rows = [{**card.listed, RECORD: card.number, "card": card} for card in await self.several(numbers)]
        claimed = each("order_list", [r for r in rows if not r["card"].torn], (), _claims)
        return [claim for claims in claimed for claim in claims]


def _work_order(row: Row) -> WorkOrder:
    card: Card = row["card"]
    source = (card.sources or ({},))[0]
    return WorkOrder(
        number=card.number,
        product=text(row["product"]),
        product_name=Words(text(row.get("product_name")), ""),
        quantity=round(float(row["quantity"])),
        due_at=moment(row["due_at"]),
        priority=int(row.get("priority") or 0) or 5,
        rush=bool(row.get("rush")),
        sales_order=text(source.get("sales_order")),
        customer=name_of(source.get("customer")),
        erp_id=text(row.get("erp_id")),
        jobs=tuple(
            JobOrder(card.number, s.operation, Words(s.name, ""), s.work_center, round(s.quantity))
            for s in card.steps
        ),
        state=WorkOrderState(row["state"]),
    )


def _step(row: Row) -> Step:
    quantity, here, lost, scrap = (float(row.get(n) or 0) for n in ("quantity", "here", "lost", "scrap"))
    name, center = text(row.get("name")), text(row.get("work_center"))
    cancelled = text(row.get("cancelled")).lower() in ("true", "1")
    return Step(str(row["operation"]), name, center, quantity, here, lost, scrap, cancelled)


def _is_of(listed: Row, row: Row) -> bool:
    """A number may be used in several organisations: where both ids are known they decide."""
    there, here = text(listed.get("row_id")), text(row.get("erp_id"))
    return not (there and here) or there == here


def _claims(row: Row) -> list[OperationClaim]:
    """What has left an operation is what waits, is worked on or was lost behind it, and what is complete."""
    card: Card = row["card"]
    total, scrap = (float(card.listed.get(n) or 0) for n in ("completed", "scrap"))
    passed, behind = total - scrap, 0.0
    last = card.steps[-1] if card.steps else None
    claims: list[OperationClaim] = []
    for step in reversed(card.steps):
        lost = max(step.scrap, scrap - sum(s.scrap for s in card.steps[:-1])) if step is last else step.scrap
        claims.insert(0, OperationClaim(card.number, step.operation, step.quantity, passed + behind, lost))
        behind += step.here + max(step.lost, lost)
    return claims


def _listed(records: Any) -> Sequence[Row]:
    return rows_of(records or [])


def _read(kind: Kind, records: Iterable[Row], of: str) -> list[Row]:
    return [row for record in records if (row := kind.read(record, of)) is not None]


def bare(operation: str) -> str:
    """010, 10 and "10 " are one operation."""
    return operation.strip().lstrip("0") or operation.strip()


def _order(operation: str) -> tuple[int, str]:
    return (int(operation), "") if operation.isdigit() else (1 << 30, operation)


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else ""
