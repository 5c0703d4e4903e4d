"""MES that pushes: batches of typed events to POST /api/mes/{source}, signed after Standard Webhooks."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, SecretStr, field_validator

from collectors import mes_corrections as corrections
from collectors.intake import Intake
from collectors.mes_faults import Unreadable
from hub import webhooks
from hub.config import Block, Duration
from hub.errors import NotFound, Refused, SourceUnavailable
from hub.model.erp import ErpPush
from hub.model.intake import Correction, Fault, Reject, Uptake, Verdict
from hub.model.words import Words
from hub.ports import Clock, MesIntake

MOST_EVENTS = 1000
_HEARD = "heard"
_LOOK_EVERY = timedelta(seconds=10)


class MesPushConfig(Block):
    """The `with:` block of a `kind: mes-push` source; two secrets while one is being changed."""

    secrets: list[SecretStr] = Field(min_length=1, max_length=2)
    quiet: Duration | None = Field(None, description="longest silence of an MES that is well")

    @field_validator("secrets")
    @classmethod
    def _strong(cls, value: list[SecretStr]) -> list[SecretStr]:
        for secret in value:
            if wrong := webhooks.too_weak(secret):
                raise ValueError(wrong)
        return value


class MesPushSource:
    """Takes nothing by itself: it watches that the pushes do not stop."""

    Config = MesPushConfig

    def __init__(self, config: MesPushConfig, clock: Clock, name: str) -> None:
        self._config, self._clock, self._name = config, clock, name

    def event_of(self, record: Any) -> Any:
        """As it is; an order needs an id here, for pushes may come twice and out of turn."""
        if isinstance(record, dict) and record.get("type") == "order" and not record.get("id"):
            raise Unreadable(Fault("id", Words("缺少，请补上", "is missing; add it")))
        return record

    def events(self, request: ErpPush) -> list[Any]:
        """Of a request that is signed as it should be. Raises NotAllowed and Refused."""
        webhooks.verified(request, self._config.secrets, self._clock.now())
        body = webhooks.body_of(request)
        found = body.get("events") if isinstance(body, dict) else body
        if not isinstance(found, list) or not found:
            raise Refused("mes-no-events", "events must be a list with at least one event in it")
        if len(found) > MOST_EVENTS:
            raise Refused("mes-too-many", f"events holds {len(found)}; send {MOST_EVENTS} at a time at most")
        return found

    async def feed(self, intake: MesIntake) -> None:
        """Raises SourceUnavailable when nothing was pushed for longer than `quiet`."""
        since = self._clock.now()
        while True:
            await self._look(await intake.mark(_HEARD), since)
            await intake.alive()
            await self._clock.sleep(_LOOK_EVERY.total_seconds())

    async def _look(self, heard: str, since: datetime) -> None:
        last = datetime.fromisoformat(heard) if heard else since
        if self._config.quiet is not None and self._clock.now() - last > self._config.quiet:
            raise SourceUnavailable(f"{self._name}: nothing was pushed since {last:%Y-%m-%d %H:%M:%S} UTC")

    async def probe(self) -> dict[str, str]:
        """Nothing can be tried from here: the MES comes to us."""
        return {self._name: "waits for pushes"}


class MesDesk:
    """hub.ports.MesDoor over any source of typed events; only one that pushes takes pushes."""

    def __init__(self, source: Any, intake: Intake, clock: Clock) -> None:
        self._source, self._intake, self._clock = source, intake, clock
        self.pushed = isinstance(source, MesPushSource)

    async def push(self, request: ErpPush) -> list[Verdict]:
        if not self.pushed:
            raise NotFound("not-found", "this MES is not one that pushes")
        verdicts = await self._intake.take(self._source.events(request))
        await self._intake.set_mark(_HEARD, self._clock.now().isoformat())
        return verdicts

    async def replay(self, reject: Reject) -> Verdict:
        if hasattr(self._source, "again"):  # one whose records may be more than an event: a file
            found: Verdict | None = await self._source.again(json.loads(reject.record), self._intake)
            if found is not None:
                return found
        return await self._intake.again(reject)

    def draft(self, reject: Reject) -> str:
        return corrections.draft(self._source, json.loads(reject.record))

    async def correct(self, reject: Reject, event: str, *, take: bool) -> Correction:
        try:
            made = corrections.parsed(event)
        except Unreadable as why:
            return Correction(Verdict("", Uptake.REJECTED, why.faults))
        verdict = await self._intake.correct(made, take=take)
        return Correction(verdict, corrections.changes(self.draft(reject), made), json.dumps(made))
