"""The ERP bridge for people: what was exchanged, what was given up; and the door at which an ERP pushes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import StringConstraints

from hub.api import erp_places, erp_shapes, pushes, record
from hub.api.deps import Deps, House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Reason
from hub.api.rights import LEADERS, requires, signed
from hub.errors import Conflict, NotFound
from hub.model.erp import ErpNews, ErpPush
from hub.model.exchange import Exchange, Letter
from hub.model.intent import Intent, IntentKind
from hub.model.people import Role
from hub.ports import ErpBook

router = APIRouter(prefix="/api/erp")

KEEPERS = (Role.PLANNER, *LEADERS)
Before = Annotated[int, Query(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=500)]
LetterId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Document = Annotated[str, StringConstraints(max_length=200)]


class Aside(Asked):
    reason: Reason


@router.get("/health")
@requires(*KEEPERS)
async def health(house: House, caller: Who) -> Response:
    """Whether the ERP answers, what waits for it and what it has refused."""
    piles = await _book(house).piles()
    found = erp_shapes.health(house.status().get("parts", ()), piles, house.clock.now())
    if not erp_places.sees_all(house, caller):
        found.pop("last_error", None)  # it may be the refusal of a document elsewhere
        return json(found)
    unread = await house.left_out.open_ones() if house.left_out is not None else []
    return json(found | ({"left_out": erp_shapes.left_out(unread)} if unread else {}))


@router.get("/exchanges")
@requires(*KEEPERS)
async def exchanges(
    house: House, caller: Who, document: Document = "", before: Before = 0, limit: Limit = 100
) -> Response:
    """The ledger of messages, the newest first; `before`: the id to go on behind. `document`: a ticket, an
    order with its reports, a report, a posting, or the ERP's own number."""
    book = _book(house)

    async def read(before: int, limit: int) -> list[Exchange]:
        return await book.exchanges(document, before, limit)

    found = await erp_places.part(house, caller, book, read, before, limit)
    return json({"exchanges": [erp_shapes.exchange(e) for e in found.rows], "next": found.next})


@router.get("/letters")
@requires(*KEEPERS)
async def letters(
    house: House, caller: Who, dead: bool = True, before: Before = 0, limit: Limit = 100
) -> Response:
    """What was given up, with its reason and what is held behind it; with `dead=false` what is still under
    way."""
    book = _book(house)

    async def read(before: int, limit: int) -> list[Letter]:
        return await book.letters(dead, before, limit)

    found = await erp_places.part(house, caller, book, read, before, limit)
    behind = await book.held([one.id for one in found.rows]) if dead and found.rows else []
    targets = await house.mappings.targets() if dead and found.rows and house.mappings is not None else []
    return json({"letters": erp_shapes.letters(found.rows, behind, targets), "next": found.next})


@router.post("/letters/{letter_id}/again")
@requires(*KEEPERS)
async def again(letter_id: LetterId, house: House, caller: Who, request: Request) -> Response:
    """Sent once more, and after it what is held behind it. Harmless when it had arrived after all: whoever
    takes it looks first."""
    letter = await erp_places.letter(house, caller, _book(house), letter_id)
    if not await _book(house).send_again(letter_id):
        raise Conflict("not-dead", "it is under way or done already")
    await record.note(request, caller, "letter-again", f"letter:{letter.key}")
    return json({"letter": erp_shapes.letter(await _book(house).letter(letter_id))})


@router.post("/letters/{letter_id}/aside")
@requires(*KEEPERS)
async def aside(letter_id: LetterId, asked: Aside, house: House, caller: Who, request: Request) -> Response:
    """Nobody needs it any more: somebody entered it by hand, or it was wrong. The steps of a ticket are set
    aside with its opening."""
    letter = await erp_places.letter(house, caller, _book(house), letter_id)
    if not await _book(house).set_aside(letter_id, f"{caller.name}: {asked.reason}"):
        raise Conflict("not-dead", "it is under way or done already")
    await record.note(request, caller, "letter-aside", f"letter:{letter.key}", reason=asked.reason)
    return json({"letter": erp_shapes.letter(await _book(house).letter(letter_id))})


@router.post("/push")
@signed
async def push(house: House, request: Request) -> Response:
    """An ERP says that something has changed there. Nothing it says is believed but where to look."""
    if house.pushed is None:
        raise NotFound("no-erp", "no ERP is set up to push")
    headers = {name.lower(): value for name, value in request.headers.items()}
    body = await request.body()
    with pushes.anonymous(request, "erp"):
        news = house.pushed(ErpPush(headers, dict(request.query_params), body))
    async with house.ledger.begin() as tx:
        await tx.intend(_look(news))
    return json({"taken": True})


def _look(news: ErpNews) -> Intent:
    """A second push with the same id is the same intent: nothing happens."""
    subject = news.subject.value
    told = {"subject": subject, "documents": list(news.documents)[:100]}
    return Intent(IntentKind.ERP_NEWS, f"erp-push:{news.id[:200]}", f"erp-news:{subject}", told)


def _book(house: Deps) -> ErpBook:
    if house.erp_book is None:
        raise NotFound("no-erp", "no ERP is set up")
    return house.erp_book
