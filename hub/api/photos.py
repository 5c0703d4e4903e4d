"""Photos of a repair: taken in when they are pictures, given out so that they can only be looked at."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from hub.api import record
from hub.api.deps import Deps, House, Who
from hub.api.errors import TooLarge, json
from hub.api.fields import PhotoId
from hub.api.rights import EVERYBODY, REPAIRERS, Caller, requires
from hub.api.texts import TEXTS
from hub.api.tokens import same
from hub.errors import Refused

router = APIRouter(prefix="/api/photos")

LARGEST = 8 << 20
_AROUND = 64 << 10  # what multipart puts around the picture
_ID = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}")
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_one_by_one = asyncio.Lock()
_NOT_A_PAGE = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"


@router.post("")
@requires(*REPAIRERS, body=LARGEST + _AROUND)
async def upload(request: Request, house: House, caller: Who) -> Response:
    data = await _photo_of(request)
    kind, data = await _redrawn(data)
    photo_id = new_id(caller.name)
    await house.ledger.save_photo(photo_id, kind, data)
    await record.note(request, caller, "photo", f"photo:{photo_id}", kind=kind, bytes=len(data))
    return json({"id": photo_id})


@router.get("/{photo_id}")
@requires(*EVERYBODY)
async def photo(photo_id: PhotoId, house: House, caller: Who) -> Response:
    if not await _may_see(house, caller, photo_id):
        raise record.missing()
    kind, data = await house.ledger.photo(photo_id)
    name = f"{photo_id}.{_ENDINGS.get(kind, 'bin')}"
    headers = {
        "Content-Disposition": f'{"inline" if kind in _ENDINGS else "attachment"}; filename="{name}"',
        "Content-Security-Policy": _NOT_A_PAGE,
        "Cache-Control": "private, max-age=86400, immutable",
    }
    return Response(data, 200, headers, kind if kind in _ENDINGS else "application/octet-stream")


async def _redrawn(data: bytes) -> tuple[str, bytes]:
    """By what it is, whatever the sender calls it. One at a time: a decoded picture is large."""
    from hub.api.pictures import NoPicture, redrawn  # a library that most days nobody needs

    async with _one_by_one:
        try:
            return await asyncio.to_thread(redrawn, data)
        except NoPicture:
            raise Refused("photo-kind", TEXTS["photo-kind"].en) from None


def new_id(owner: str) -> str:
    """Not to be guessed; the second half is the uploader's mark, so that they can see it before a ticket has
    it.
    """
    number = secrets.token_hex(16)
    return f"{number}-{_mark(number, owner)}"


async def check(house: Deps, caller: Caller, photo_id: str) -> None:
    """Before a ticket takes it: raises Refused when there is no such photo of this person's."""
    if not _ID.fullmatch(photo_id) or not await _may_see(house, caller, photo_id):
        raise Refused("photo-unknown", TEXTS["photo-unknown"].en)
    await house.ledger.photo(photo_id)


async def _may_see(house: Deps, caller: Caller, photo_id: str) -> bool:
    number, _, mark = photo_id.partition("-")
    if same(mark, _mark(number, caller.name)):
        return True
    return any(t.photo == photo_id and caller.may_see(t.equipment) for t in await record.tickets(house))


def _mark(number: str, owner: str) -> str:
    return hashlib.sha256(f"{number} {owner}".encode()).hexdigest()[:16]


async def _photo_of(request: Request) -> bytes:
    async with request.form(max_files=1, max_fields=4, max_part_size=4096) as form:
        sent = form.get("photo")
        if not isinstance(sent, UploadFile):
            raise Refused("photo-missing", TEXTS["photo-missing"].en)
        data = await sent.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise TooLarge("photo-too-large")
    return data
