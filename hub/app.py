"""The roof: plugs rooms and pipes together into one process that runs the parts it was asked for.

One machine runs all parts in one process. Many machines run `andon run --parts ...` side by side on one
TimescaleDB and one Redis; the parts are the same, only the bus differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import importlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from alert_rules import orphans
from alert_rules.casebook import Casebook
from alert_rules.desk import AlarmDesk
from alert_rules.device_rules import DeviceLost, with_devices
from alert_rules.evaluator import Evaluator
from alert_rules.rule import Rule, matching
from alert_rules.rulebook import rulebook
from alert_rules.runner import RuleRunner
from collectors.event_runner import EventRunner
from collectors.intake import Intake
from collectors.mes_push import MesDesk
from collectors.normaliser import normalised
from collectors.runner import BusSink, CollectorRunner, MesRunner, OnState, pass_on, source_state
from hub import metrics
from hub.bus.numbers import keep_numbers, known_numbers
from hub.bus.spool import Spool
from hub.bus.spooled import SpooledBus
from hub.clock import SystemClock
from hub.errors import ConfigError, Permanent, Transient
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
    with_numbers,
)
from hub.log import register_secrets_of
from hub.model.alarm import Priority
from hub.model.device import devices_of
from hub.model.discrepancy import Book, MesClaims
from hub.model.erp import ErpNews, ErpPush
from hub.notices import Notices
from hub.ports import SAMPLES, Bus, Clock, MesDoor, Plant, Publisher
from hub.postgres import EmbeddedPostgres
from hub.registry import plugins
from hub.rollcall import RollCall, as_json, stands_by
from hub.settings import ErpBlock, Settings
from hub.store.binding import Binding, register
from hub.store.catalogue import PgCatalogue
from hub.store.duty import Duty, under_a_name
from hub.store.left_out import PgLeftOut
from hub.store.mappings import PgMappings
from hub.store.reconciliation import PgReconciliation
from hub.store.tag_classes import TagClass
from hub.store.upkeep import Keep, Upkeep
from hub.store.writer import Writer
from hub.supervisor import Run, Supervisor

if TYPE_CHECKING:  # it comes with the connector's own packages
    from erp_bridge.erp_in_use import ErpInUse, Fit
    from erp_bridge.omissions import Omissions

log = structlog.get_logger(__name__)

PARTS = ("web", "writer", "rules", "upkeep", "collectors", "mes", "notifiers", "bridge")
SERVICES = {
    "all": PARTS,
    "hub": ("web", "writer", "rules", "upkeep"),
    "collectors": ("collectors", "mes"),
    "workers": ("notifiers", "bridge"),
}

# heavy ones: imported where their part runs
ROOMS = {"web": "hub.web", "notifiers": "notifiers.runner", "bridge": "erp_bridge.runner"}

UNANSWERED = 5.0  # seconds without an answer of the record or the bus: the hub is not well
BOOKS_MISSED = 4  # comparisons that came to nothing: the count on the wall is told with its age
OUTSIDE_PATIENCE = 10.0  # seconds that a start waits for machines which may be switched off

Say = Callable[[str, str], None]  # (part, what about it) -> one line for the person who started us


def parts_of(asked: Sequence[str]) -> tuple[str, ...]:
    """Names of parts and of services (`hub`, `collectors`, `workers`, `all`), as parts."""
    known = list(dict.fromkeys((*SERVICES, *PARTS)))
    out: list[str] = []
    for name in filter(None, (a.strip() for a in asked)):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
            raise ConfigError(f"--parts: {name!r} is unknown; {hint}")
        out.extend(p for p in SERVICES.get(name, (name,)) if p not in out)
    if not out:
        raise ConfigError(f"--parts: names nothing to run; choose from {', '.join(known)}")
    return tuple(out)


def read_rules(settings: Settings, plant: Plant) -> list[Rule]:
    blocks = [dict(b.model_dump()) for b in settings.file.rules]
    if settings.file.erp is not None and all(b.get("kind") != orphans.KIND for b in blocks):
        blocks.append(dict(orphans.DEFAULT))
    notifiers = [n.name for n in settings.file.notifiers]
    try:
        return rulebook(blocks, plant, plugins("rules"), notifiers)
    except ConfigError as cause:
        raise ConfigError(*(f"{settings.source}: {c}" for c in cause.complaints)) from None


def with_device_rules(
    settings: Settings, rules: list[Rule], collectors: Mapping[str, Any], plant: Plant
) -> list[Rule]:
    """With one for each device that a collector reads, unless `hub.device_lost` is switched off."""
    block = settings.file.hub.device_lost
    if not block.enabled:
        return rules
    told = DeviceLost(
        block.after, block.back, block.silence, Priority[block.priority.upper()], block.ticket, block.tell
    )
    tags = {t.number: t for t in plant.tags.values()}
    devices = [
        device
        for name, made in collectors.items()
        for device in devices_of(
            name, made.tag_numbers, getattr(made, "parts", {}), tags,
            regular=getattr(made, "repeats_what_stands", True),
        )
    ]  # fmt: skip
    try:
        return with_devices(rules, devices, told, [n.name for n in settings.file.notifiers])
    except ConfigError as cause:
        raise ConfigError(*(f"{settings.source}: {c}" for c in cause.complaints)) from None


def tag_classes(settings: Settings, plant: Plant) -> tuple[TagClass, ...]:
    """Raises ConfigError for a pattern that no tag fits."""
    made = []
    for n, block in enumerate(settings.file.hub.retention):
        fitting = matching(block.tags, plant.tags, f"{settings.source}: hub.retention[{n}].tags")
        made.append(TagClass(frozenset(plant.tags[path].number for path in fitting), block.raw))
    return tuple(made)


def refuse_wrong_points(settings: Settings, used: Plugins, plant: Plant) -> None:
    """A point that names a tag the plant does not have is told now, not when the connection is made."""
    first_collectors(settings, used, plant, SystemClock())


def first_collectors(settings: Settings, used: Plugins, plant: Plant, clock: Clock) -> dict[str, Any]:
    """A collector for each source's first connection; raises what `refuse_wrong_points` raises."""
    made, complaints = {}, []
    for use in used.collectors:
        try:
            made[use.name] = use.cls(use.config, clock, plant.tags, use.name)
        except ConfigError as cause:
            complaints += [f"{settings.source}: {c}" for c in cause.complaints]
    if complaints:
        raise ConfigError(*complaints)
    return made


def refuse_deaf_parts(settings: Settings, parts: Sequence[str]) -> None:
    """Samples that nobody takes, or takers to whom none can come: without Redis each process hears itself."""
    if settings.file.hub.redis is not None or not settings.file.collectors:
        return
    reads, takes = "collectors" in parts, bool({"writer", "rules"} & set(parts))
    if reads != takes:
        raise ConfigError(
            "hub.redis: collectors and writer run in processes of their own and need a server between them; "
            "name one with hub.redis or ANDON_REDIS, or run all parts in one process"
        )


def check(settings: Settings) -> dict[str, int]:
    """Everything that can be known without a plant; raises ConfigError. Answers with counts to show."""
    plant = with_numbers(settings.plant, {t: i for i, t in enumerate(settings.plant.tags, 1)})
    complaints: list[str] = []
    used = rules = None
    try:
        used = read_plugins(settings)
        refuse_wrong_points(settings, used, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    try:
        tag_classes(settings, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    try:
        rules = read_rules(settings, plant)
    except ConfigError as cause:
        complaints += cause.complaints
    if used is None or rules is None or complaints:
        raise ConfigError(*complaints)
    return {
        "machines": len(plant.machines()),
        "tags": len(plant.tags),
        "collectors": len(used.collectors),
        "rules": len(settings.file.rules),
        "conditions": len(rules),
        "notifiers": len(used.notifiers),
        "people": len(plant.people),
    }


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
        self._gauges: dict[str, Any] = {}
        self._books_at: datetime | None = None  # when our books and the ERP's were last compared
        self._measured = self.clock.monotonic()  # when the record last answered
        self._bus_heard = self.clock.monotonic()  # when the bus did
        self._spooled: SpooledBus | None = None
        self._unproved = False  # tag numbers are those of the last start

    @property
    def address(self) -> str:
        """Where people reach the hub."""
        hub = self.settings.file.hub
        return (hub.public_url or f"http://{hub.host}:{hub.port}").rstrip("/")

    # ---------------------------------------------------------------- opening
    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Database up to date, bus connected, plant numbered; closed again at the end."""
        hub = self.settings.file.hub
        if "web" in self.parts:
            refuse_taken_port(hub.host, hub.port)
        refuse_deaf_parts(self.settings, self.parts)
        self.plugins: Plugins = read_plugins(self.settings)
        for config in (hub, *(use.config for use in self.plugins.every())):
            register_secrets_of(config)
        async with contextlib.AsyncExitStack() as stack:
            dsn = await self._database_and_rooms(stack)
            zone = self.settings.plant.time_zone
            try:
                applied = await bring_up(dsn)
            except Transient as away:  # a collector far from the hub begins all the same
                self.plant = self._edge(away)
                self.say("database", f"away; samples stay in {self._spool_folder()} until it is back")
                self.record: Record = await open_record(dsn, zone, self.clock, wait=False)
                stack.push_async_callback(self.record.close)
            else:
                self.say("migrations", ", ".join(applied) if applied else "up to date")
                self.record = await open_record(dsn, zone, self.clock)
                stack.push_async_callback(self.record.close)
                self.plant = await number_tags(self.record, self.settings.plant)
                if "writer" in self.parts:  # an edge's file need not know what is marked in ours
                    await register(self.record.pool, self.plant.tags)
            stack.callback(self._close_spool)
            first = first_collectors(self.settings, self.plugins, self.plant, self.clock)
            self._first = first if "collectors" in self.parts else {}
            self.rules = with_device_rules(
                self.settings, read_rules(self.settings, self.plant), first, self.plant
            )
            advice = {r.name: r.instruction for r in self.rules if r.instruction is not None}
            self.plant = replace(self.plant, instructions=advice)
            self.bus: Bus = make_bus(hub.redis)
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
        for part in self.parts:
            getattr(self, f"_furnish_{part}")()
        self.supervisor.watch("roll-call", self.roll.say)

    def _elsewhere(self) -> list[str]:
        """Runners that the configuration asks for and that this process leaves to others."""
        used = self.plugins
        runners = {
            "writer": ["writer"],
            "rules": ["rules"],
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
            evaluator = Evaluator(self.plant, self.rules, self.clock.now())
            current[:] = [RuleRunner(evaluator, self.casebook, self.bus, self.record.samples)]
            await current[0].run()

        self._watch_alone("rules", run, lambda: current[0].health() if current else {})
        self.say("rules", f"{len(self.rules)} conditions of {len(self.settings.file.rules)} rules")

    def _furnish_upkeep(self) -> None:
        upkeep = Upkeep(self.record.pool, self.clock, self._keep())
        self._watch_alone("upkeep", upkeep.run, lambda: dict(upkeep.detail()))

    def _keep(self) -> Keep:
        hub = self.settings.file.hub
        return Keep(
            raw=hub.retention_raw,
            parameters=hub.retention_parameters,
            classes=tag_classes(self.settings, self.plant),
        )

    def _spool_folder(self) -> Path:
        return self.settings.file.hub.spool or self.settings.file.hub.data / "spool"

    def _edge(self, away: Transient) -> Plant:
        """The plant with the numbers of the last start, where nothing but collectors runs here."""
        numbers = known_numbers(self._spool_folder())
        alone = set(self.parts) <= set(SERVICES["collectors"])
        if not alone or not set(self.settings.plant.tags) <= set(numbers):
            raise away
        self._unproved = True
        return with_numbers(self.settings.plant, numbers)

    async def _reached(self, origin: str) -> int:
        """How far the record is, once it is known to mean by each number what we mean."""
        if self._unproved:
            then = await number_tags(self.record, self.settings.plant)
            if changed := [p for p, tag in then.tags.items() if tag.number != self.plant.tags[p].number]:
                raise Permanent(
                    f"hub.spool: the database numbers {changed[0]} and {len(changed) - 1} more tags in "
                    f"another way than what waits in {self._spool_folder()}; move it aside and start again"
                )
            self._unproved = False
        return await self.record.samples.reached(origin)

    def _close_spool(self) -> None:
        if self._spooled is not None:
            self._spooled.close()

    def _spool(self) -> Publisher:
        if not self.plugins.collectors:
            return self.bus
        folder = self._spool_folder()
        spool = Spool(folder, self.settings.file.hub.spool_mb << 20)
        if not self._unproved:
            keep_numbers(folder, self.plant)
        self._spooled = SpooledBus(self.bus, spool, self._reached, self.clock)
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
                self._source_state("mes", use.name),
            )  # fmt: skip
            self.supervisor.watch(f"mes {use.name}", runner.run, outside=True)
            if hasattr(use.cls, "tell"):
                from collectors.mes_teller import MesTeller

                teller = MesTeller(use.name, self._mes(use), self.record.ledger, self.clock)
                self.supervisor.watch(f"mes {use.name} tickets", teller.run, teller.health, outside=True)
            self.say("mes", use.name)

    def _mes_doors(self) -> dict[str, MesDoor]:
        """Of every MES that tells typed events: by a source of its own, which opens nothing."""
        found: dict[str, MesDoor] = {}
        for use in self.plugins.mes:
            if hasattr(use.cls, "feed"):
                source = self._mes(use)()
                intake = Intake(use.name, source, self.record.ledger, self.clock, self.shout)
                found[use.name] = MesDesk(source, intake, self.clock)
        return found

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
        from erp_bridge.runner import BridgeRunner

        current: list[BridgeRunner] = []

        in_use, maps, used = self._erp_in_use(erp, block), dict[str, Any](), [""]

        async def run(worker: str) -> None:
            async def work(connector: Any) -> None:
                current[:] = [
                    BridgeRunner(
                        self.record.ledger, self.record.outbox, self.desk, connector, self.clock, self.shout,
                        worker, self.notices, book=self.record.erp_book, kind=block.kind,
                        shelf=PgCatalogue(self.record.pool), omissions=self._omissions(block), maps=used[0],
                    )
                ]  # fmt: skip
                await current[0].run()

            def on_fit(fit: Fit) -> None:
                used[:] = [fit.maps]
                _told_anew(maps, fit.told())

            await in_use.carry(work, on_fit)

        named = partial(under_a_name, self.record.dsn, f"{self.name}/bridge", run)
        self.supervisor.watch("erp bridge", named, lambda: (current[0].health() if current else {}) | maps)
        self.say("erp bridge", erp.name)
        self._furnish_reconciliation(erp, block)

    def _erp_in_use(self, erp: Use, block: ErpBlock) -> ErpInUse:
        """The connector with the field maps that are active."""
        from erp_bridge.erp_in_use import ErpInUse

        return ErpInUse(erp.cls, block.with_, block.kind, self.clock, PgMappings(self.record.pool))

    def _omissions(self, block: ErpBlock) -> Omissions:
        """What becomes of records of the ERP that cannot be read: a worker of the bridge keeps its own."""
        from erp_bridge.omissions import Omissions
        from erp_bridge.owners import DEFAULT

        owner = {**DEFAULT, **block.reconcile_owners}[Book.RECORDS]
        return Omissions(self.clock, self.notices, PgLeftOut(self.record.pool), owner)

    async def _mes_claims(self) -> MesClaims:
        """What every MES together adds up: an MES that cannot tell leaves the whole untold."""
        sources = [use.cls(use.config, self.clock, use.name) for use in self.plugins.mes]
        told = [await s.claims() if hasattr(s, "claims") else MesClaims() for s in sources]
        sums, stock = [t.sums for t in told], [t.stock for t in told]
        return MesClaims(
            None if not told or None in sums else tuple(c for some in sums for c in some or ()),
            None if not told or None in stock else tuple(c for some in stock for c in some or ()),
        )

    def _furnish_reconciliation(self, erp: Use, block: ErpBlock) -> None:
        from erp_bridge.owners import DEFAULT
        from erp_bridge.reconciler import Habits, Reconciler

        habits = Habits(
            block.reconcile_every, block.reconcile_settle, block.reconcile_remind,
            {**DEFAULT, **block.reconcile_owners}, frozenset(block.reconcile_ignore),
        )  # fmt: skip
        current: list[Reconciler] = []

        async def work(connector: Any) -> None:
            current[:] = [
                Reconciler(
                    self.plant, self.record.ledger, PgReconciliation(self.record.pool), self.desk, connector,
                    self.clock, self.notices, habits, pass_on=pass_on, kind=block.kind, mes=self._mes_claims,
                    omissions=self._omissions(block),
                )
            ]  # fmt: skip
            await current[0].run()

        async def run() -> None:
            await self._erp_in_use(erp, block).carry(work, lambda fit: None)

        self._watch_alone("reconciliation", run, lambda: current[0].health() if current else {})

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
            self._trust, self.status, self.health, self.notices, self._erp_changes(),
            self._pushed(), tuple(u.name for u in self.plugins.mes), self._mapped(),
            self._mes_doors(),
        )  # fmt: skip
        self.feed = web.feed
        self.supervisor.watch("feed", self.feed.run)
        self.supervisor.watch("gauges", self._measure)
        self.supervisor.watch("bus", self._ask_the_bus)
        self.supervisor.watch("roll", self.roll.hear)
        self.supervisor.watch("rush orders", web.rush.watch)
        self.supervisor.watch("web", web.serve)

    # ---------------------------------------------------------------- how are we
    def health(self) -> dict[str, Any]:
        """For GET /health: ok once every part has come up, and while every part of the hub itself is up.

        A machine or an MES that is away stands in `parts` as false and leaves the hub ok; a process of the
        hub that is away does not. `standby`: parts that a further process is ready to take over.
        """
        told, mine = self.roll.parts(), [as_json(p) for p in self.supervisor.health()]
        standby = {str(p["name"]) for p in (*told, *mine) if stands_by(p)}
        active = [p for p in (*sorted(told, key=lambda p: bool(p["up"])), *mine) if not stands_by(p)]
        rows = {str(p["name"]): p for p in active}
        parts = dict.fromkeys(standby, False) | {name: bool(p["up"]) for name, p in rows.items()}
        parts["record"] = self.clock.monotonic() - self._measured < UNANSWERED
        parts["bus"] = self._bus_answers()
        well = all(up for name, up in parts.items() if not rows.get(name, {}).get("outside"))
        ready = self.ready.is_set()
        status = "starting" if not ready else "ok" if well else "degraded"
        return {"status": status, "parts": parts, "standby": sorted(standby)}

    def _trust(self) -> dict[str, Any]:
        return {
            "outbox_oldest": max(
                self._gauges.get("outbox", {}).get("oldest_seconds", {}).values(), default=0
            ),
            "parts_down": sorted(self._down()),
            "discrepancies": self._gauges.get("discrepancies", 0),
            "books_old_since": self._books_old_since(),
            "sources": self.roll.sources,
        }

    def _down(self) -> set[str]:
        return {*self.roll.down(), *(() if self._bus_answers() else ("bus",))}

    def _bus_answers(self) -> bool:
        """Whether it did just now: while it hangs, those who wait for it look up to everybody else."""
        return self.clock.monotonic() - self._bus_heard < UNANSWERED

    def status(self) -> dict[str, Any]:
        latency = {"sensor_to_screen": self.feed.latency()}
        return {"parts": self.roll.parts(), "sources": self.roll.sources, "latency": latency, **self._gauges}

    async def _measure(self) -> None:
        while True:
            self._gauges["outbox"] = dict(await self.record.outbox.stats())
            if self.settings.file.erp is not None:
                await self._measure_books()
            metrics.alarms_open(await self.record.ledger.open_alarms())
            self._gauges["at"] = self.clock.now().isoformat().replace("+00:00", "Z")
            self._measured = self.clock.monotonic()
            await self.clock.sleep(1)

    async def _measure_books(self) -> None:
        """The count is what the last comparison that came to an end has left: when that was belongs to it."""
        books = PgReconciliation(self.record.pool)
        self._gauges["discrepancies"] = await books.count()
        self._books_at = await books.settled_at()
        unread = await PgLeftOut(self.record.pool).counts()
        self._gauges["left_out"] = unread
        metrics.erp_left_out(unread)

    def _books_old_since(self) -> datetime | None:
        """When the books were last compared, once that is so long ago that the count says little; None while
        it is fresh."""
        at, block = self._books_at, self.settings.file.erp
        if at is None or block is None or self.clock.now() - at <= BOOKS_MISSED * block.reconcile_every:
            return None
        return at

    async def _ask_the_bus(self) -> None:
        while True:
            if await self.bus.healthy():
                self._bus_heard = self.clock.monotonic()
            self._gauges["bus"] = dict(await self.bus.behind(SAMPLES))
            await self.clock.sleep(1)

    # ---------------------------------------------------------------- running
    async def run(self) -> None:
        async with self.opened(), asyncio.TaskGroup() as group:
            group.create_task(self.announce())
            await self.supervisor.run()

    async def announce(self) -> None:
        """Sets `ready` once every part has been up; machines and the MES are waited for a little while."""
        began = self.clock.monotonic()
        waiting = {p.name for p in self.supervisor.parts.values()}
        while waiting:
            patient = self.clock.monotonic() - began < OUTSIDE_PATIENCE
            parts = (self.supervisor.parts[name] for name in waiting)
            waiting = {p.name for p in parts if not p.up and (patient or not p.outside)}
            await self.clock.sleep(0.05)
        if "web" in self.parts:
            await self.feed.ready.wait()  # up, and with a board to show
        self.ready.set()


def _told_anew(kept: dict[str, Any], told: dict[str, Any]) -> None:
    kept.clear()
    kept.update(told)


async def _kept(server: EmbeddedPostgres) -> None:
    """Lives as long as the server; a server that ended is started again, its data as it was."""
    await server.wait()
    await server.start()
