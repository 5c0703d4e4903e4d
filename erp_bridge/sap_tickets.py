"""Maintenance notifications 维修通知单: made once, put in process, completed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from erp_bridge.sap_answers import SapTrouble
from erp_bridge.sap_records import Kind, Records
from erp_bridge.sap_service import Entity
from erp_bridge.unsaid import unsaid
from hub.errors import ErpRefused, ErpUnavailable

log = logging.getLogger(__name__)

NUMBER, REFERENCE, PHASE = "MaintenanceNotification", "MaintNotifExtReferenceNumber", "NotifProcessingPhase"
OUTSTANDING, POSTPONED, IN_PROCESS, COMPLETED, DELETED = "1", "2", "3", "4", "5"
AT_ONCE = 20  # numbers in one $filter: URLs have an end
LONG_TEXT = 1333
_PLAIN = re.compile(r"^[A-Z0-9][A-Z0-9_./-]{0,19}$")
_WORKING = frozenset({"accepted", "on-site", "repairing", "wait-parts", "verifying", "reopened"})
_DOUBTS = 1000


def reference(key: str) -> str:
    """What SAP keeps of our key: 20 characters, upper case. One that does not fit is told by its digest."""
    if _PLAIN.match(key):
        return key
    return "AH-" + base64.b32encode(hashlib.sha256(key.encode()).digest()).decode()[:17]


class Doubts:
    """HTTP 500 is sometimes a business error: the same one again, after a look that found nothing, is one."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def judged(self, key: str, trouble: SapTrouble) -> Exception:
        if trouble.code and self._said.pop(key, "") == trouble.code:
            return ErpRefused(str(trouble))
        while len(self._said) >= _DOUBTS:
            self._said.pop(next(iter(self._said)))
        self._said[key] = trouble.code
        return trouble


class Tickets:
    def __init__(self, records: Records) -> None:
        self._config = records.config
        self._ticket, self._step, self._closing = (records.kinds[n] for n in ("ticket", "step", "closing"))
        self._completion = records.kinds["completion"]
        self._quality = records.kinds["quality"]
        self._service = self._ticket.service
        self._doubts = Doubts()
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # ------------------------------------------------------------------ made once
    async def find(self, key: str) -> tuple[str, str] | None:
        return await self._find(self._ticket, reference(key))

    async def _find(self, kind: Kind, known_as: str) -> tuple[str, str] | None:
        """SAP lets two carry the same reference: the first one counts, and one that is not deleted first."""
        where = await kind.service.equals(kind.form, REFERENCE, known_as)
        told = await kind.service.rows(kind.form, where)
        rows = [row for row in told if row[REFERENCE] == known_as]
        if not rows:
            _all_say(kind, told, known_as)
            return None
        if len(rows) > 1:
            log.warning("SAP has %d notifications with reference %s", len(rows), known_as)
        first = min(rows, key=lambda r: (r[PHASE] == DELETED, len(_number(r)), _number(r)))
        return _number(first), _number(first)

    async def copies(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """Deleted ones do not count."""
        known = {reference(key): key for key in keys}
        out: dict[str, list[str]] = {}
        names = sorted(known)
        for at in range(0, len(names), AT_ONCE):
            where = await self._service.any_of(self._ticket.form, REFERENCE, names[at : at + AT_ONCE])
            rows = await self._service.rows(self._ticket.form, where)
            _all_say(self._ticket, rows, names[at])
            for row in rows:
                if row[REFERENCE] in known and row[PHASE] != DELETED:
                    out.setdefault(known[row[REFERENCE]], []).append(_number(row))
        return out

    async def open(self, key: str, fields: Mapping[str, Any]) -> tuple[str, str]:
        known = {**fields, **self._people(fields), "key": key, "headline": _headline(fields)}
        return await self._make(self._ticket, reference(key), known)

    async def inspect(self, key: str, fields: Mapping[str, Any]) -> str:
        """An inspection result, as a notification of a type that the site has set aside for it."""
        known = {**fields, "key": key, "type": self._config.quality_notification}
        return (await self._make(self._quality, reference(f"quality:{key}"), known))[1]

    async def inspection(self, key: str) -> str | None:
        found = await self._find(self._quality, reference(f"quality:{key}"))
        return found[1] if found else None

    async def _make(self, kind: Kind, known_as: str, known: Mapping[str, Any]) -> tuple[str, str]:
        async with self._making.setdefault(known_as, asyncio.Lock()):
            found = await self._find(kind, known_as)
            if found is not None:
                return found
            body, _ = await kind.written({**known, "reference": known_as}, new=True)
            try:
                made = await kind.service.create(kind.form, body)
            except SapTrouble as trouble:
                raise self._doubts.judged(known_as, trouble) from None
            if not _number(made):
                raise ErpUnavailable("SAP made a notification without telling its number", in_doubt=True)
            return _number(made), _number(made)

    # ------------------------------------------------------------------ its life
    async def update(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        """What the office has completed or deleted is left as they want it."""
        now = await self._current(erp_id)
        if now[PHASE] in (COMPLETED, DELETED):
            if fields.get("state") == "reopened":
                raise ErpRefused(
                    f"notification {erp_id} is completed, and no service of SAP opens one again:"
                    " put it back in process there (transaction IW22), then send this once more"
                )
            log.info("notification %s was finished in SAP by hand: not updated", erp_id)
            return
        await self._written(self._step, erp_id, now, fields)
        if fields.get("state") in _WORKING and now[PHASE] != IN_PROCESS:
            await self._in_process(erp_id, now)

    async def close(self, erp_id: str, fields: Mapping[str, Any]) -> None:
        now = await self._current(erp_id)
        if now[PHASE] in (COMPLETED, DELETED):
            return
        await self._written(self._closing, erp_id, now, fields)
        if now[PHASE] == POSTPONED:
            await self._in_process(erp_id, now)
        arguments = {NUMBER: erp_id} | await self._completing(fields)
        await self._call(self._completion.form, arguments, now)

    async def states(self, erp_ids: Sequence[str]) -> dict[str, str]:
        """What is not there any more is left out."""
        wanted = {_bare(i): i for i in erp_ids}
        out: dict[str, str] = {}
        numbers = sorted(wanted)
        for at in range(0, len(numbers), AT_ONCE):
            where = await self._service.any_of(self._ticket.form, NUMBER, numbers[at : at + AT_ONCE])
            for row in await self._service.rows(self._ticket.form, where):
                ours = self._ticket.read(row.fields)
                erp_id = wanted.get(_bare(str(ours.get("erp_id") or ""))) if ours else None
                if ours and erp_id is not None:
                    out[erp_id] = "closed" if ours.get("closed") else "open"
        return out

    async def _current(self, erp_id: str) -> Entity:
        found = await self._service.one(self._ticket.form, {NUMBER: erp_id})
        if found is None:
            raise ErpRefused(f"notification {erp_id} is not in SAP any more")
        return found

    async def _in_process(self, erp_id: str, now: Entity) -> None:
        await self._call("SetMaintNotifToInProcess", {NUMBER: erp_id}, now)

    async def _call(self, name: str, arguments: Mapping[str, Any], before: Entity) -> None:
        """Where notifications have versions, what we have just written has made a new one."""
        keys = {NUMBER: arguments[NUMBER]}
        version = (await self._current(keys[NUMBER])).version if before.version else ""
        await self._service.call(name, arguments, bound=(self._ticket.form, keys), version=version)

    async def _written(self, kind: Kind, erp_id: str, now: Entity, fields: Mapping[str, Any]) -> None:
        body, lines = await kind.written({**fields, **self._people(fields)}, new=False)
        for name, line in lines.items():
            text = self._longer(str(now[name] or now["MaintNotificationLongText"] or ""), line)
            body |= {name: text} if text is not None else {}
        if body:
            await self._service.change(kind.form, {NUMBER: erp_id}, body, now.version)

    def _longer(self, before: str, line: str) -> str | None:
        """None when the line stands there already. Too long, the oldest steps go and the head stays."""
        if line in before:
            return None
        if self._config.long_text == "appended" or not before:
            return line[:LONG_TEXT]
        head, *steps = [*before.splitlines(), line]
        while steps[1:] and len("\n".join([head, *steps])) > LONG_TEXT:
            del steps[0]
        return "\n".join([head, *steps])[-LONG_TEXT:]

    async def _completing(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """A release knows the instant, an older one day and time; never both."""
        known = (await self._service.metadata()).calls.get(self._completion.form, {})
        given = self._completion.map.written(fields)
        given = {n: v for n, v in given.items() if n in known or n in self._completion.own}
        if "MaintNotifReferenceDateTime" in given:
            given = {n: v for n, v in given.items() if not n.startswith("NotificationReference")}
        return given

    def _people(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        person = str(fields.get("person") or "")
        return {"personnel": self._config.employees.get(person), "sap_user": self._config.users.get(person)}


def _all_say(kind: Kind, rows: Sequence[Entity], known_as: str) -> None:
    """Raises ErpUnavailable for one without its reference."""
    for row in rows:
        if not row[REFERENCE]:
            raise unsaid("SAP", _number(row), f"{kind.form}.{REFERENCE}", known_as, f"documents.{kind.name}")


def _number(row: Entity) -> str:
    return str(row[NUMBER] or "")


def _bare(number: str) -> str:
    return number.lstrip("0") or number


def _headline(fields: Mapping[str, Any]) -> str | None:
    """A machine without a number in SAP is named in the text, which holds 40 characters."""
    title = str(fields.get("title") or "")
    if title and not fields.get("equipment"):
        machine = str(fields.get("equipment_name") or fields.get("equipment_path") or "?")[:20]
        return f"{title[: 37 - len(machine)]} ({machine})"
    return title or None
