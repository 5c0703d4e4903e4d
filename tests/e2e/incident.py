"""One incident from the fault to the closed ticket, and what must be true of it however often we died."""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import quote

import httpx
import psycopg

from tests.e2e.world import World, until

TECHNICIAN, PASSWORD = "tech-a", "kalu meri tosu 4827"
PRESS, PATH, ASSET = "press-01", "p1/stamping/l1/press-01", "EQ-PRESS-01"
ROBOTS = ("wecom", "dingtalk")


class Incident:
    """The press overheats. `repair` is what people do; they try again when the hub was away."""

    def __init__(self, here: World) -> None:
        self._here = here
        self.number = ""

    @property
    def dsn(self) -> str:
        """Of the hub's embedded database, while the hub runs."""
        sockets = self._here.plant.folder / "postgres" / "s"
        return f"postgresql://andon@/andon?host={quote(str(sockets), safe='')}"

    async def begin(self) -> None:
        await self._here.command(PRESS, "fault", {"kind": "overheat"})

    # ------------------------------------------------------------------ people
    async def repair(self) -> None:
        """Acknowledge, accept, arrive, repair; until the machine's proof has closed it and all is calm."""
        person = await self._here.login(TECHNICIAN, PASSWORD)
        self.number = (await until(lambda: self._ticket(person), "a ticket for the press"))["id"]
        await until(lambda: self._acknowledged(person), "acknowledge")
        for step in ("accept", "arrive", "begin"):
            await self._step(person, step, {})
        await self._here.command(PRESS, "repair")
        await self._step(person, "repaired", {"cause_class": "mechanical", "cause": "pump", "photo": ""})
        await until(lambda: self._closed(person), "the ticket closes by the machine's proof")
        await until(lambda: self._calm(person), "no open alarm on the press")
        await person.aclose()

    async def _ticket(self, person: httpx.AsyncClient) -> dict[str, str] | None:
        found = (await person.get("/api/tickets", params={"open": "true"})).json()["tickets"]
        return next((t for t in found if t["equipment"] == PATH), None)

    async def _acknowledged(self, person: httpx.AsyncClient) -> bool:
        alarm = (await person.get(f"/api/tickets/{self.number}")).json()["ticket"]["alarm_id"]
        return (await person.post(f"/api/alarms/{alarm}/acknowledge", json={})).status_code == 200

    async def _step(self, person: httpx.AsyncClient, what: str, body: dict[str, str]) -> None:
        async def done() -> bool:
            return (await person.post(f"/api/tickets/{self.number}/{what}", json=body)).status_code == 200

        await until(done, what)

    async def _closed(self, person: httpx.AsyncClient) -> bool:
        answer = (await person.get(f"/api/tickets/{self.number}")).json()
        return bool(answer["ticket"]["state"] == "closed")

    async def _calm(self, person: httpx.AsyncClient) -> bool:
        alarms = (await person.get("/api/alarms", params={"open": "true"})).json()["alarms"]
        return not [a for a in alarms if a["equipment"] == PATH]

    # ------------------------------------------------------------------ the same end
    async def settled(self) -> None:
        """The ERP has the closed ticket, the chat both messages of both robots."""

        async def erp_closed() -> bool:
            found = await self.erp_tickets()
            return bool(found) and all(t["state"] == "DONE" for t in found)

        await until(erp_closed, "closed in the ERP")

        async def told() -> bool:
            return len({(m["robot"], "恢复" in m["text"]) for m in await self.told()}) == 4

        await until(told, "raised and cleared told by both robots")

    async def erp_tickets(self) -> list[dict[str, Any]]:
        return [t for t in await self._here.erp_tickets() if t["equipment"] == ASSET]

    async def told(self) -> list[dict[str, Any]]:
        return [m for m in await self._here.messages() if "油温" in m["text"] and "冲压机01" in m["text"]]

    async def check(self, lives: int, in_flight: int = 1) -> None:
        """Nothing lost, nothing twice. `in_flight`: crashes that may have caught a message on its way."""
        assert len(await self.erp_tickets()) == 1, "one incident, one ticket"
        await self._check_messages(in_flight)
        keys = Counter(r["key"] for r in await self._here.erp_reports() if r["key"])
        assert set(keys.values()) <= {1}, "an operation report twice in the ERP"
        with psycopg.connect(self.dsn, autocommit=True) as record:
            self._check_record(record)
            await self._check_samples(record, lives)
            await self._check_pieces(record)
            await self._check_reports(record)

    async def _check_messages(self, in_flight: int) -> None:
        told = await self.told()
        for robot in ROBOTS:
            for recovered in (False, True):
                same = [m for m in told if m["robot"] == robot and ("恢复" in m["text"]) is recovered]
                repeats = [m for m in same if "重发" in m["text"]]
                assert len(same) - len(repeats) <= 1, f"only a marked repeat may come twice: {same}"
                assert 1 <= len(same) <= 1 + in_flight, f"one repeat for each message in flight: {same}"

    def _check_record(self, record: psycopg.Connection[Any]) -> None:
        alarms = record.execute("select id, count from alarms where subject = %s", [f"{PATH}/oil_temp"])
        [(alarm, episodes)] = alarms.fetchall()
        assert episodes == 1, "raised once"
        lines = [e for (e,) in record.execute(ALARM_LINES, [alarm])]
        assert lines[0] == "raised" and sorted(lines[1:]) == ["acked", "cleared"]
        ways = [state for (state,) in record.execute(TICKET_LINES, [self.number])]
        assert [w for w in ways if w != "sent"] == [
            "new", "accepted", "on-site", "repairing", "verifying", "closed",
        ]  # fmt: skip

    async def _check_samples(self, record: psycopg.Connection[Any], lives: int) -> None:
        polled = [m["path"] for m in (await self._here.machines()).values() if m["protocol"] == "modbus"]
        assert polled
        assert record.execute(DOUBLED, [polled, lives]).fetchall() == [], "samples on record twice"

    async def _check_pieces(self, record: psycopg.Connection[Any]) -> None:
        """Between the first and the last reading every piece is counted, also those made while we were dead;
        and the last reading is the machine's own."""
        machines = await self._here.machines()

        async def caught_up() -> bool:
            last = dict(record.execute(LAST_COUNTS).fetchall())
            return all(last.get(m["path"], 0) >= m["values"]["good"] for m in machines.values())

        await until(caught_up, "the machines' own counters on record")
        now = {m["path"]: m["values"]["good"] for m in (await self._here.machines()).values()}
        for path, first, last, counted in record.execute(COUNTED).fetchall():
            assert counted == last - first, f"{path}: {counted} pieces, its counter says {last - first}"
            assert last <= now[path]

    async def _check_reports(self, record: psycopg.Connection[Any]) -> None:
        """Each report of the MES is on record once, and once on its way to the ERP."""
        mes = {r["id"] for r in await self._here.mes_reports()}

        async def there() -> bool:
            return mes <= {i for (i,) in record.execute("select id from job_responses").fetchall()}

        await until(there, "every report of the MES on record")
        passed = {key for (key,) in record.execute(PASSED_ON).fetchall()}
        assert {f"report:{r}" for r in mes} <= passed


ALARM_LINES = "select event from alarm_lines where alarm_id = %s order by id"
TICKET_LINES = """
select after from ticket_lines where ticket_id = %s and (before <> after or before = 'new') order by id
"""
# An OPC UA server says a value that stands still again, with its old source time, to each new subscriber.
DOUBLED = """
select t.path, s.ts, count(*) from samples s join tags t on t.number = s.tag
group by t.path, s.ts, s.value, s.status
having count(*) > case when regexp_replace(t.path, '/[^/]*$', '') = any (%s) then 1 else %s end limit 5
"""
LAST_COUNTS = """
select distinct on (equipment) equipment, reading from counts where good order by equipment, at desc
"""
COUNTED = """
select equipment, (array_agg(reading order by at))[1], (array_agg(reading order by at desc))[1],
       sum(delta) - (array_agg(delta order by at))[1]
from counts where good group by equipment
"""
PASSED_ON = "select key from outbox where kind = 'report-operation'"
