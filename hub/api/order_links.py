"""A customer's order on anybody's phone: links that need no login, and the sellers' own list."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from hub.api import record
from hub.api.auth import address_of
from hub.api.deps import Deps, House, Who
from hub.api.errors import TooMany, json
from hub.api.fields import OrderNumber
from hub.api.limits import Meter
from hub.api.rights import LEADERS, Caller, public, requires
from hub.api.standing import Outlooks, freshness, lines_of, of_sale, sales_book, sees, shape
from hub.api.tokens import token_hash
from hub.kpi.order_status import LineStatus
from hub.kpi.sellers import seller_of
from hub.model.erp import SalesOrder
from hub.model.order_link import OrderLink
from hub.model.people import Person, Role
from hub.model.production import WorkOrder

router = APIRouter(prefix="/api")

SHARERS = (Role.SALES, Role.PLANNER, *LEADERS)
TOKEN_BYTES = 16
HEADER = "x-andon-link"  # not the address: addresses are written down on the way
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
LinkId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Looks:
    """What one address may ask for without a login. A wrong token costs more; a right one goes on working,
    because a whole office comes from one address."""

    def __init__(self) -> None:
        self.asks = Meter(per_second=2.0, burst=60.0)
        self.misses = Meter(per_second=1 / 30, burst=20.0)


# ------------------------------------------------------------------ without a login
@router.get("/shared-order")
@public
async def shared(house: House, request: Request) -> Response:
    """The order of the link in the header. Wrong, over and revoked are one answer."""
    looks, address, now = _looks(request), address_of(request), house.clock.monotonic()
    _pass(looks.asks, address, now)
    link = await _live(house, request.headers.getlist(HEADER))
    told = await _told(house, request, link) if link else None
    if link is None or told is None:
        _pass(looks.misses, address, now)
        raise record.missing()
    return json(told | {"expires_at": link.expires_at}, headers={"Cache-Control": "no-store"})


async def _live(house: Deps, tokens: list[str]) -> OrderLink | None:
    if house.sales is None or len(tokens) != 1 or not _TOKEN.fullmatch(tokens[0]):
        return None
    return await house.sales.link_by(token_hash(tokens[0]), house.clock.now())


async def _told(house: Deps, request: Request, link: OrderLink) -> dict[str, Any] | None:
    """A link shows what its maker may see, and no longer than they may."""
    maker = house.plant.people.get(link.made_by)
    if maker is None or not maker.roles & set(SHARERS):
        return None
    orders, lines = await of_sale(house, _outlooks(request), maker, link.sales_order, link.work_order)
    if not orders:
        return None
    fresh = await freshness(house)
    return {
        "number": link.sales_order or link.work_order,
        "customer": next((o.customer for o in orders if o.customer), ""),
        "lines": [shape(line) for line in lines],
        "at": house.clock.now(),
        "as_of": fresh.as_of,
        "stale": fresh.stale,
        "time_zone": house.plant.time_zone,
    }


def _pass(meter: Meter, address: str, now: float) -> None:
    if wait := meter.admit(address, now):
        raise TooMany("too-many-requests", timedelta(seconds=wait))


# ------------------------------------------------------------------ making and revoking
@router.get("/orders/{number:path}/links")
@requires(*SHARERS)
async def links(number: OrderNumber, house: House, caller: Who) -> Response:
    order = await _mine(house, caller, number)
    now = house.clock.now()
    found = await sales_book(house).links(order.sales_order, order.number)
    return json({"links": [_link(house, one) for one in found if one.live(now)]})


@router.post("/orders/{number:path}/links")
@requires(*SHARERS)
async def share(number: OrderNumber, house: House, caller: Who, request: Request) -> Response:
    """The address is told this once; the record has its SHA-256."""
    order = await _mine(house, caller, number)
    token, now = secrets.token_urlsafe(TOKEN_BYTES), house.clock.now()
    link = OrderLink(order.sales_order, order.number, record.person(caller).id, now, now + house.order_links)
    made = await sales_book(house).add_link(token_hash(token), link)
    about = f"order:{made.sales_order or made.work_order}"
    await record.note(request, caller, "order-link-made", about, link=made.id)
    path = f"/o/{token}"
    return json({"link": _link(house, made), "path": path, "url": house.public_url.rstrip("/") + path})


@router.delete("/order-links/{link_id}")
@requires(*SHARERS)
async def revoke(link_id: LinkId, house: House, caller: Who, request: Request) -> Response:
    """Whoever sees the order may: a link that went astray is ended by the first who notices."""
    link = await sales_book(house).link(link_id)
    await _mine(house, caller, link.work_order)
    if await sales_book(house).revoke_link(link_id, caller.name, house.clock.now()):
        about = f"order:{link.sales_order or link.work_order}"
        await record.note(request, caller, "order-link-revoked", about, link=link.id)
    return Response(status_code=204)


async def _mine(house: Deps, caller: Caller, number: str) -> WorkOrder:
    person = record.person(caller)
    found = await sales_book(house).work_orders([], [number])
    if not found or not sees(house, person, found[0]) or not _own(house, person, found[0]):
        raise record.missing()
    return found[0]


def _link(house: Deps, link: OrderLink) -> dict[str, Any]:
    maker = house.plant.people.get(link.made_by)
    return {
        "id": link.id,
        "order": link.sales_order or link.work_order,
        "made_by": {"id": link.made_by, "name": maker.name.as_dict() if maker else None},
        "made_at": link.made_at,
        "expires_at": link.expires_at,
        "seen_at": link.seen_at,
    }


# ------------------------------------------------------------------ the sellers' own list
@router.get("/sales")
@requires(*SHARERS)
async def sales(house: House, caller: Who, request: Request) -> Response:
    """Open orders of customers, a seller's own ones; the most pressing first."""
    person, book = record.person(caller), sales_book(house)
    orders = [o for o in await house.ledger.orders() if sees(house, person, o) and _own(house, person, o)]
    told = {(p.job.order, p.job.operation): p for p in await house.ledger.progress()}
    outlooks, fresh = await _outlooks(request).now(), await freshness(house)
    sold = [s for s in await book.open_sales_orders() if _sells(house, person, s.seller, s.customer)]
    planned = {o.sales_order for o in await book.work_orders(sorted({s.number for s in sold}))}
    seen = {o.sales_order for o in orders}
    sold = [s for s in sold if s.number in seen or s.number not in planned]
    groups = dict.fromkeys([*(o.sales_order or o.number for o in orders), *(s.number for s in sold)])
    shown = []
    for number in groups:
        mine = [o for o in orders if (o.sales_order or o.number) == number]
        its = [s for s in sold if s.number == number]
        shown.append((lines_of(its, mine, told, outlooks), number, mine, its))
    shown.sort(key=lambda one: min(line.due_at for line in one[0]))
    found = [_sale(number, mine, its, lines) for lines, number, mine, its in shown]
    return json({"sales": found, "as_of": fresh.as_of, "stale": fresh.stale})


def _sale(
    number: str, orders: Sequence[WorkOrder], sold: Sequence[SalesOrder], lines: Sequence[LineStatus]
) -> dict[str, Any]:
    """`order`: the production order by which it can be shared; null while there is none."""
    return {
        "number": number,
        "customer": next((c for c in (*(o.customer for o in orders), *(s.customer for s in sold)) if c), ""),
        "order": orders[0].number if orders else None,
        "lines": [shape(line) for line in lines],
    }


def _own(house: Deps, person: Person, order: WorkOrder) -> bool:
    return _sells(house, person, order.seller, order.customer)


def _sells(house: Deps, person: Person, seller: str, customer: str) -> bool:
    """Who is of sales and nothing more sees their own customers' orders, and those of nobody known."""
    if person.roles & {Role.PLANNER, *LEADERS}:
        return True
    return seller_of(seller, customer, house.plant.people, house.sellers) in ("", person.id)


def _outlooks(request: Request) -> Outlooks:
    found: Outlooks = request.app.state.outlooks
    return found


def _looks(request: Request) -> Looks:
    found: Looks = request.app.state.looks
    return found
