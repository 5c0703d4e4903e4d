"""The roof: plugs rooms and pipes together into one process that runs the parts it was asked for.

One machine runs all parts in one process. Many machines run `andon run --parts ...` side by side on one
TimescaleDB and one Redis; the parts are the same, only the bus differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from alert_rules.casebook import Casebook
from alert_rules.desk import AlarmDesk
from alert_rules.evaluator import Evaluator
from alert_rules.runner import RuleRunner
from alert_rules.stop_asking import StopAsker
from alert_rules.stop_desk import StopReasonDesk
from alert_rules.tables_in_use import MARK as STATE_TABLES
from alert_rules.tables_in_use import TablesInUse, as_activated
from collectors.bus_sink import BusSink
from collectors.event_runner import EventRunner
from collectors.intake import Intake
from collectors.mes_house import House as MesHouse
from collectors.mes_push import MesDesk
from collectors.mes_unknown import Unknown
from collectors.normaliser import normalised
from collectors.runner import CollectorRunner, MesRunner, OnState, source_state
from hub.bus.of_record import OfRecord
from hub.bus.spooled import SpooledBus
from hub.clock import SystemClock
from hub.edge import numbered_alone, schema_of, spooled, worth_of
from hub.errors import Transient
from hub.house import (
    Plugins,
    Record,
    Use,
    bring_up,
    embedded,
    make_bus,
    number_tags,
    open_record,
    read_plugins,
    refuse_taken_port,
    shouter,
    tell_units,
)
from hub.log import register_secrets_of
from hub.model.batch import micros
from hub.model.erp import ErpNews, ErpPush
from hub.notices import Notices
from hub.outline import ErpBlock
from hub.plan import (
    PARTS,
    SERVICES,
    first_collectors,
    read_rules,
    refuse_deaf_parts,
    tag_classes,
    with_device_rules,
    with_line_rules,
)
from hub.ports import Bus, Clock, MesDoor, Plant, Publisher
from hub.postgres import EmbeddedPostgres
from hub.reject_notice import RejectNotice
from hub.rollcall import RollCall
from hub.settings import Settings
from hub.store.binding import Binding, register
from hub.store.duty import Duty, under_a_name
from hub.store.mappings import PgMappings
from hub.store.minutes import Minutes
from hub.store.rejects import PgRejects
from hub.store.stops import PgStops
from hub.store.upkeep import Keep, Upkeep
from hub.store.writer import Writer
from hub.supervisor import Run, Supervisor
from hub.vitals import Vitals

if TYPE_CHECKING:  # it comes with the connector's own packages
    from erp_bridge.erp_in_use import ErpInUse

log = structlog.get_logger(__name__)

# heavy ones: imported where their part runs
ROOMS = {"web": "hub.web", "notifiers": "notifiers.runner", "bridge": "hub.bridge"}

OUTSIDE_PATIENCE = 10.0  # seconds that a start waits for machines which may be switched off

Say = Callable[[str, str], None]  # (part, what about it) -> one line for the person who started us


class App:
    """One process. `run` until cancelled; everything that was opened is closed in reverse order."""

    def __init__(
        self, settings: Settings, parts: Sequence[str], clock: Clock | None = None, say: Say | None = None
    ) -> None:
        self.settings = settings
        self.parts = tuple(parts)
        self.clock = clock or SystemClock()
        self.say = say or (lambda part, text: log.info("part.start", part=part, text=text))
        self.supervisor = Supervisor(self.clock)
        self.job = "+".join(self.parts) if len(self.parts) < len(PARTS) else "all"
        self.name = f"{socket.gethostname()}:{self.job}"  # the same after every restart
        self.ready = asyncio.Event()
        self._spooled: SpooledBus | None = None

    @property
    def address(self) -> str:
        """Where people reach the hub."""
        hub = self.settings.file.hub
        return (hub.public_url or f"http://{hub.host}:{hub.port}").rstrip("/")

    # ---------------------------------------------------------------- opening
    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Database up to date (an edge leaves that to the hub), plant numbered; closed again at the end."""
        hub = self.settings.file.hub
        if "web" in self.parts:
            refuse_taken_port(hub.host, hub.port)
        refuse_deaf_parts(self.settings, self.parts)
        self.plugins: Plugins = read_plugins(self.settings)
        for config in (hub, *(use.config for use in self.plugins.every())):
            register_secrets_of(config)
        async with contextlib.AsyncExitStack() as stack:
            dsn, of_record = await self._database_and_rooms(stack), ""
            zone, erp = self.settings.plant.time_zone, self.settings.file.erp is not None
            try:
                schema = await (schema_of(dsn) if self._is_edge() else _brought_up(dsn))
            except Transient as away:  # a collector far from the hub begins all the same
                self.plant = self._edge(away)
                self.say("database", f"{away} Samples stay in {self._spool_folder()} until it is back")
                self.record: Record = await open_record(dsn, zone, self.clock, wait=False, erp=erp)
                stack.push_async_callback(self.record.close)
            else:
                self.say("migrations", schema)
                self.record = await open_record(dsn, zone, self.clock, erp=erp)
                stack.push_async_callback(self.record.close)
                of_record = "" if self._is_edge() else await self.record.samples.identity()
                self.record.samples.only_into(of_record)
                if "writer" in self.parts:
                    await tell_units(self.record, self.settings.plant)
                self.plant = await number_tags(self.record, self.settings.plant)
                if "writer" in self.parts:  # an edge's file need not know what is marked in ours
                    await register(self.record.pool, self.plant.tags)
            stack.callback(self._close_spool)
            first = first_collectors(self.settings, self.plugins, self.plant, self.clock)
            self._unknown = defaultdict[str, Unknown](Unknown)  # fields of each MES that are none of ours
            self._first = dict(first) if "collectors" in self.parts else {}
            self._collectors = first
            written = read_rules(self.settings, self.plant)
            devices = with_device_rules(self.settings, written, first, self.plant)
            self.rules = with_line_rules(self.settings, devices, first, self.plant)
            advice = {r.name: r.instruction for r in self.rules if r.instruction is not None}
            self.plant = replace(self.plant, instructions=advice)
            self.bus: Bus = OfRecord(make_bus(hub.redis), of_record)
            stack.push_async_callback(self.bus.close)
            self.say("bus", "in this process" if hub.redis is None else "Redis streams")
            self.shout = shouter(self.bus)
            self.roll = RollCall(
                self.bus, self.clock, f"{self.name}:{os.getpid()}", self.job, self.supervisor.health,
                self._elsewhere(),
            )  # fmt: skip
            self._furnish()
            yield

    async def _database_and_rooms(self, stack: contextlib.AsyncExitStack) -> str:
        """The DSN; while the server comes up, what the parts need is imported."""
        database = asyncio.create_task(self._database(stack))
        try:
            for room in self._heavy_rooms():
                await asyncio.to_thread(importlib.import_module, room)
            return await database
        finally:
            database.cancel()
            await asyncio.gather(database, return_exceptions=True)

    def _heavy_rooms(self) -> list[str]:
        used = self.plugins
        needed = {"web": True, "notifiers": bool(used.notifiers), "bridge": used.erp is not None}
        return [ROOMS[part] for part in self.parts if needed.get(part)]

    async def _database(self, stack: contextlib.AsyncExitStack) -> str:
        server = embedded(self.settings)
        if server is None:
            assert self.settings.file.hub.database is not None
            self.say("database", "outside server")
            return self.settings.file.hub.database.get_secret_value()
        dsn = await server.start()
        stack.push_async_callback(server.stop)
        self.say("database", f"embedded PostgreSQL under {self.settings.file.hub.data}")
        self.supervisor.watch("database", lambda: _kept(server))
        return dsn

    # ---------------------------------------------------------------- furnishing
    def _furnish(self) -> None:
        by_key = {(r.name, r.subject): r for r in self.rules}
        self.casebook = Casebook(
            self.plant, by_key, self.record.ledger, self.clock, self.shout, self.address + "/phone"
        )
        self.desk = AlarmDesk(self.casebook)
        self.notices = Notices(self.plant, tuple(self.settings.notified()), self.address + "/phone")
        self.vitals = Vitals(
            self.roll, self.supervisor, self.record, self.bus, self.clock, self.ready, self.settings.file.erp
        )
        for part in self.parts:
            getattr(self, f"_furnish_{part}")()
        self.supervisor.watch("roll-call", self.roll.say)

    def _elsewhere(self) -> list[str]:
        """Runners that the configuration asks for and that this process leaves to others."""
        used = self.plugins
        runners = {
            "writer": ["writer"],
            "rules": ["rules", "stop reasons"],
            "upkeep": ["upkeep"],
            "collectors": [f"collector {u.name}" for u in used.collectors],
            "mes": [f"mes {u.name}" for u in used.mes],
            "notifiers": ["notifiers"] if used.notifiers else [],
            "bridge": ["erp bridge", "reconciliation"] if used.erp else [],
        }
        return [name for part, names in runners.items() if part not in self.parts for name in names]

    def _source_state(self, family: str, name: str) -> OnState:
        """Kept by the roll-call, so that a hub started later knows it; shouted, so that walls hurry."""
        hurry = source_state(self.shout, self.clock, name)

        async def on_state(up: bool, error: str) -> None:
            if up:
                self.supervisor.proved(f"{family} {name}")
            await self.roll.source(name, up, error)
            await hurry(up, error)

        return on_state

    def _watch_alone(self, name: str, run: Run, detail: Callable[[], dict[str, Any]]) -> None:
        """A part that one process of the plant carries at a time."""
        duty = Duty(self.record.dsn, name, self.clock)

        def shown() -> dict[str, Any]:
            return {"standby": True} if duty.standing_by else detail()

        self.supervisor.watch(name, lambda: duty.carry(run), shown)

    def _furnish_writer(self) -> None:
        current: list[Writer] = []
        self.record.samples.bind(Binding(self.plant.tags.values()))

        async def run() -> None:
            current[:] = [Writer(self.bus, self.record.samples, self.clock)]
            await current[0].run()

        self._watch_alone("writer", run, lambda: current[0].detail() if current else {})
        self.say("writer", "samples into the record")

    def _furnish_rules(self) -> None:
        current: list[RuleRunner] = []

        async def run() -> None:
            tables = self._state_tables()
            begun = await tables.resume(await self.record.ledger.mark(STATE_TABLES))
            machines = {m.path: m for m in begun.machines}
            plant = replace(self.plant, equipment={**self.plant.equipment, **machines})
            evaluator = Evaluator(plant, as_activated(self.rules, begun.codes), self.clock.now())
            current[:] = [RuleRunner(evaluator, self.casebook, self.bus, self.record.samples, tables)]
            await current[0].run()

        self._watch_alone("rules", run, lambda: current[0].health() if current else {})
        self._furnish_stops()
        self.say("rules", f"{len(self.rules)} conditions of {len(self.settings.file.rules)} rules")

    def _state_tables(self) -> TablesInUse:
        """The file's, and those that people have activated."""
        return TablesInUse(
            self.plant, PgMappings(self.record.pool), lambda plant: read_rules(self.settings, plant)
        )

    def _furnish_stops(self) -> None:
        """Asks why machines stand."""
        stops = PgStops(self.record.pool)
        desk = StopReasonDesk(self.plant, stops, self.clock, self.shout)
        asker = StopAsker(self.plant, desk, stops, self.clock, self.notices)
        self._watch_alone("stop reasons", asker.run, asker.detail)

    def _furnish_upkeep(self) -> None:
        minutes = Minutes(micros(self.clock.now())) if "writer" in self.parts else None
        if minutes is not None:
            self.record.samples.sum_up(minutes)
        upkeep = Upkeep(self.record.pool, self.clock, self._keep(), minutes)
        self._watch_alone("upkeep", upkeep.run, lambda: dict(upkeep.detail()))

    def _keep(self) -> Keep:
        hub = self.settings.file.hub
        return Keep(
            raw=hub.retention_raw,
            minutes=hub.retention_minutes,
            parameters=hub.retention_parameters,
            classes=tag_classes(self.settings, self.plant),
        )

    def _spool_folder(self) -> Path:
        return self.settings.file.hub.spool or self.settings.file.hub.data / "spool"

    def _is_edge(self) -> bool:
        """Nothing but collectors runs here: the database is the hub's, and so is its schema."""
        return set(self.parts) <= set(SERVICES["collectors"]) and self.settings.file.hub.database is not None

    def _edge(self, away: Transient) -> Plant:
        """The plant with numbers of our own, where nothing but collectors runs here."""
        if not self._is_edge():
            raise away
        return numbered_alone(self._spool_folder(), self.settings.plant)

    def _close_spool(self) -> None:
        if self._spooled is not None:
            self._spooled.close()

    def _spool(self) -> Publisher:
        if not self.plugins.collectors:
            return self.bus
        configs = {use.name: use.config for use in self.plugins.collectors}
        self._spooled = spooled(
            self._spool_folder(), self.settings.file.hub.spool_mb << 20, self.plant,
            worth_of(self.plant, self.rules, self._collectors, configs), self.record, self.bus, self.clock,
        )  # fmt: skip
        self.supervisor.watch("spool", self._spooled.run, self._spooled.detail)
        return self._spooled

    def _furnish_collectors(self) -> None:
        sink = normalised(BusSink(self._spool()), self.plant.tags)
        for use in self.plugins.collectors:
            runner = CollectorRunner(
                use.name,
                self._collector(use),
                sink,
                self.clock,
                self._source_state("collector", use.name),
            )
            self.roll.about(use.name, runner.about)
            self.supervisor.watch(f"collector {use.name}", runner.run, outside=True)
        self.say("collectors", f"{len(self.plugins.collectors)} sources")

    def _collector(self, use: Use) -> Callable[[], Any]:
        def make() -> Any:
            made = self._first.pop(use.name, None)
            return made or use.cls(use.config, self.clock, self.plant.tags, use.name)

        return make

    def _furnish_mes(self) -> None:
        for use in self.plugins.mes:
            kind = EventRunner if hasattr(use.cls, "feed") else MesRunner
            runner = kind(
                use.name, self._mes(use), self.record.ledger, self.clock, self.shout,
                self._source_state("mes", use.name), self._unknown[use.name], self._mes_house(),
            )  # fmt: skip
            self.supervisor.watch(f"mes {use.name}", runner.run, runner.health, outside=True)
            if hasattr(use.cls, "tell"):
                from collectors.mes_teller import MesTeller

                teller = MesTeller(use.name, self._mes(use), self.record.ledger, self.clock)
                self.supervisor.watch(f"mes {use.name} tickets", teller.run, teller.health, outside=True)
            self.say("mes", use.name)

        if self.plugins.mes and self.notices.notifiers:
            notice = RejectNotice(PgRejects(self.record.pool), self.record.ledger, self.notices, self.clock)
            self._watch_alone("mes rejects", notice.run, dict)

    def _mes_doors(self) -> dict[str, MesDoor]:
        """Of every MES that tells typed events: by a source of its own, which opens nothing."""
        found: dict[str, MesDoor] = {}
        for use in self.plugins.mes:
            if hasattr(use.cls, "event_of"):
                source = self._mes(use)()
                unknown = self._unknown[use.name]
                intake = Intake(
                    use.name, source, self.record.ledger, self.clock, self.shout, unknown=unknown,
                    house=self._mes_house(),
                )  # fmt: skip
                found[use.name] = MesDesk(source, intake, self.clock)
        return found

    def _mes_house(self) -> MesHouse:
        return MesHouse(
            self.plugins.erp is not None, [use.name for use in self.plugins.mes], self.plant.equipment
        )

    def _mes(self, use: Use) -> Callable[[], Any]:
        return lambda: use.cls(use.config, self.clock, use.name)

    def _furnish_notifiers(self) -> None:
        if not self.plugins.notifiers:
            return
        from notifiers.runner import NotifierRunner

        current: list[NotifierRunner] = []

        async def run(worker: str) -> None:
            made = {u.name: u.cls(u.config, self.clock) for u in self.plugins.notifiers}
            current[:] = [
                NotifierRunner(
                    self.record.outbox, self.record.ledger, made, self.clock,
                    worker=worker, plant=self.plant, board=self.address + "/wall",
                )
            ]  # fmt: skip
            try:
                await current[0].run()
            finally:
                for notifier in made.values():
                    await notifier.close()

        named = partial(under_a_name, self.record.dsn, f"{self.name}/notifiers", run)
        self.supervisor.watch("notifiers", named, lambda: current[0].health() if current else {})
        self.say("notifiers", ", ".join(u.name for u in self.plugins.notifiers))

    def _furnish_bridge(self) -> None:
        erp, block = self.plugins.erp, self.settings.file.erp
        if erp is None or block is None:
            return
        from hub.bridge import Bridge

        bridge = Bridge(
            block, partial(self._erp_in_use, erp, block), self.plugins.mes, self.plant, self.record,
            self.desk, self.clock, self.shout, self.notices,
        )  # fmt: skip
        named = partial(under_a_name, self.record.dsn, f"{self.name}/bridge", bridge.carry)
        self.supervisor.watch("erp bridge", named, bridge.health)
        self.say("erp bridge", erp.name)
        self._watch_alone("reconciliation", bridge.reconcile, bridge.books)

    def _erp_in_use(self, erp: Use, block: ErpBlock) -> ErpInUse:
        """The connector with the field maps that are active."""
        from erp_bridge.erp_in_use import ErpInUse

        return ErpInUse(erp.cls, block.with_, block.kind, self.clock, PgMappings(self.record.pool))

    def _pushed(self) -> Callable[[ErpPush], ErpNews] | None:
        """Reads and verifies what the ERP pushes: by a connector of its own, which opens nothing."""
        erp = self.plugins.erp
        found: Callable[[ErpPush], ErpNews] | None = erp.cls(erp.config, self.clock).pushed if erp else None
        return found

    def _erp_changes(self) -> bool:
        """Whether a rush order can be told to the ERP: else it holds here alone."""
        erp = self.plugins.erp
        return erp is not None and "change-orders" in erp.cls(erp.config, self.clock).capabilities

    def _mapped(self) -> ErpInUse | None:
        erp, block = self.plugins.erp, self.settings.file.erp
        return self._erp_in_use(erp, block) if erp is not None and block is not None else None

    def _furnish_web(self) -> None:
        from hub.web import Web

        web = Web(
            self.settings.file.hub, self.plant, self.record, self.bus, self.clock, self.desk,
            self.vitals.trust, self.status, self.vitals.health, self.notices, self._erp_changes(),
            self._pushed(), tuple(u.name for u in self.plugins.mes), self._mapped(),
            self._mes_doors(), self._state_tables(),
            {name: made.tag_numbers for name, made in self._collectors.items()},
        )  # fmt: skip
        self.feed = web.feed
        self.supervisor.watch("feed", self.feed.run)
        self.supervisor.watch("gauges", self.vitals.measure)
        self.supervisor.watch("bus", self.vitals.ask_the_bus)
        self.supervisor.watch("roll", self.roll.hear)
        self.supervisor.watch("rush orders", web.rush.watch)
        self.supervisor.watch("web", web.serve)

    def status(self) -> dict[str, Any]:
        """For GET /api/status."""
        return {**self.vitals.status(), "latency": {"sensor_to_screen": self.feed.latency()}}

    # ---------------------------------------------------------------- running
    async def run(self) -> None:
        async with self.opened(), asyncio.TaskGroup() as group:
            group.create_task(self.announce())
            await self.supervisor.run()

    async def announce(self) -> None:
        """Sets `ready` once every part has been up. What has failed by then, because it or its Redis is away,
        is waited for a little while: from then on /health says what is missing."""
        began, patient = self.clock.monotonic(), True
        waiting = {p.name for p in self.supervisor.parts.values()}
        while waiting or not self._board_is_there(patient):
            patient = self.clock.monotonic() - began < OUTSIDE_PATIENCE
            parts = (self.supervisor.parts[name] for name in waiting)
            waiting = {p.name for p in parts if not p.up and (patient or not (p.outside or p.restarts))}
            await self.clock.sleep(0.05)
        self.ready.set()

    def _board_is_there(self, patient: bool) -> bool:
        """To show, where this process shows one; a feed that cannot hear anybody is not waited for."""
        if "web" not in self.parts or self.feed.ready.is_set():
            return True
        return not patient and self.supervisor.parts["feed"].restarts > 0


async def _brought_up(dsn: str) -> str:
    applied = await bring_up(dsn)
    return ", ".join(applied) if applied else "up to date"


async def _kept(server: EmbeddedPostgres) -> None:
    """Lives as long as the server; a server that ended is started again, its data as it was."""
    await server.wait()
    await server.start()
