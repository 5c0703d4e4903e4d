"""A simulated technician for the unattended demo: does on the phone's own interface what nobody else did.

`python -m tests.simulators.crew --hub URL --plant URL --person ID [--patience SECONDS]`; the password
comes in ANDON_DEMO_CREW_PASSWORD. He is a person of his own, whose login nobody else is given: the tickets
under his name are those that he accepted himself, also before a restart. Of the others he takes what nobody
has accepted for as long as his patience lasts, and leaves alone what somebody has.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.simulators.process import announce, told_to_stop

WALK, WORK = 6.0, 8.0  # seconds to get there, and to repair


def picture() -> bytes:
    """A small PNG, made here: a photo that proves nothing but the way it travels."""
    size = 64
    rows = b"".join(
        b"\0" + bytes(v for x in range(size) for v in (40 + 2 * x, 90, 120 + y)) for y in range(size)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    out = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    out.seek(0, io.SEEK_END)
    for part in (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")):
        out.write(part)
    return out.getvalue()


class Technician:
    """`wire` carries his calls, for tests; None: the network."""

    def __init__(
        self, hub: str, plant: str, person: str, password: str, patience: float,
        wire: httpx.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self._hub = httpx.AsyncClient(base_url=hub, headers={"Origin": hub}, timeout=10, transport=wire)
        self._plant = httpx.AsyncClient(base_url=plant, timeout=10, transport=wire)
        self._person, self._password = person, password
        self._patience = patience

    async def work(self) -> None:
        await self._login()
        while True:
            try:
                await self.look()
            except httpx.HTTPError:
                await asyncio.sleep(2)
            await asyncio.sleep(1)

    async def _login(self) -> None:
        while True:
            try:
                answer = await self._hub.post(
                    "/api/login", json={"person": self._person, "password": self._password}
                )
                answer.raise_for_status()
                self._hub.headers["X-Andon-CSRF"] = answer.json()["csrf"]
                return
            except httpx.HTTPError:
                await asyncio.sleep(2)

    async def look(self) -> None:
        """Once: every open ticket and alarm, each a step further where it is his turn."""
        answer = await self._hub.get("/api/tickets", params={"open": "true"})
        if answer.status_code == 401:
            await self._login()
            return
        for ticket in answer.raise_for_status().json()["tickets"]:
            await self._step(ticket)
        alarms = await self._hub.get("/api/alarms", params={"open": "true"})
        for alarm in alarms.raise_for_status().json()["alarms"]:
            await self._seen(alarm)

    async def _seen(self, alarm: dict[str, Any]) -> None:
        """What needs no ticket is looked at and acknowledged, or the wall would fill up with old news."""
        now = datetime.now(UTC)  # noqa: TID251
        if alarm["state"] not in ("unacked", "rtn-unacked") or alarm.get("ticket"):
            return
        if _since(now, alarm["opened_at"]) >= 2 * self._patience:
            await self._hub.post(f"/api/alarms/{alarm['id']}/acknowledge", json={})

    async def _step(self, ticket: dict[str, Any]) -> None:
        taken = (ticket.get("technician") or {}).get("id")
        if taken not in (None, "", self._person):
            return
        now = datetime.now(UTC)  # noqa: TID251
        waited = (now - _time(ticket["opened_at"])).total_seconds()
        path = f"/api/tickets/{ticket['id']}"
        match ticket["state"]:
            case "new" | "sent" | "reopened" if waited >= self._patience:
                await self._hub.post(f"{path}/accept", json={})
            case "accepted" if _since(now, ticket["accepted_at"]) >= WALK:
                await self._hub.post(f"{path}/arrive", json={})
            case "on-site" if _since(now, ticket["arrived_at"]) >= WORK:
                await self._repair(ticket, path)
            case "repairing":
                await self._repair(ticket, path)

    async def _repair(self, ticket: dict[str, Any], path: str) -> None:
        machine = ticket["equipment"].rpartition("/")[2]
        await self._plant.post(f"/control/machines/{machine}/repair")
        photo = await self._hub.post("/api/photos", files={"photo": ("repair.png", picture(), "image/png")})
        await self._hub.post(
            f"{path}/repaired",
            json={"cause_class": "mechanical", "cause": "冷却泵堵塞，已清洗 (cooling pump cleaned)",
                  "photo": photo.raise_for_status().json()["id"]},
        )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _since(now: datetime, then: str | None) -> float:
    return (now - _time(then)).total_seconds() if then else 0.0


async def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--hub", required=True)
    options.add_argument("--plant", required=True)
    options.add_argument("--person", required=True)
    options.add_argument("--patience", type=float, default=45.0)
    asked = options.parse_args()
    password = os.environ["ANDON_DEMO_CREW_PASSWORD"]
    technician = Technician(asked.hub, asked.plant, asked.person, password, asked.patience)
    working = asyncio.create_task(technician.work())
    announce("crew", asked.hub)
    await told_to_stop()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
