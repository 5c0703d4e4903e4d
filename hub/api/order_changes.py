"""The floor's word that it has seen what the office changed; what that is stands on the board's orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from hub.api import record
from hub.api.deps import House, Who
from hub.api.errors import json
from hub.api.fields import Asked, Moment
from hub.api.rights import ACKNOWLEDGERS, Caller, requires
from hub.model.production import WorkOrder

router = APIRouter(prefix="/api/order-changes")

ChangeId = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Seen(Asked):
    """`at`: of the change as it was read; when it has changed again since, it must be read again."""

    at: Moment


@router.post("/{change_id}/confirm")
@requires(*ACKNOWLEDGERS)
async def confirm(change_id: ChangeId, asked: Seen, house: House, caller: Who, request: Request) -> Response:
    if house.erp_book is None:
        raise record.missing()
    found = {c.id: c for c in await house.ledger.order_changes()}
    if change_id in found:
        orders = await house.erp_book.orders([found[change_id].order])
        if not _may_see(caller, orders[0] if orders else None):
            raise record.missing()
    done = await house.erp_book.confirm_change(change_id, asked.at, caller.name, house.clock.now())
    await record.note(request, caller, "confirm-change", f"order:{done.order}", change=change_id)
    await house.shout({"kind": "order", "order": done.order})
    return json({"confirmed": True})


def _may_see(caller: Caller, order: WorkOrder | None) -> bool:
    """Whoever sees one of the lines that work on it. One that names no line concerns everybody."""
    lines = {job.work_center for job in order.jobs if job.work_center} if order else set()
    return not lines or any(caller.may_see(line) for line in lines)
