"""`andon`: run | demo | replay | check | doctor | migrate | backup | plugins | password | wall | ..."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from hub.errors import AndonError, ConfigError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
screen = Console(highlight=False, emoji=False)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="the plant's YAML file")]
PLANT = Path("plant.yaml")
LONGEST_START = 30.0  # seconds; where something has not come up by then, garbage is looked for all the same


class Progress:
    """One line for each started part, with the seconds since the command."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, part: str, text: str) -> None:
        screen.print(
            f"[green]✓[/] [dim]{time.monotonic() - self._began:5.1f} s[/]  {part:<12} [dim]{escape(text)}[/]",
            soft_wrap=True,
        )

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began


def _life(work: Coroutine[Any, Any, None]) -> bool:
    """Run until it ends or SIGINT/SIGTERM asks for it; a second signal does not break the clean-up.

    True when it ended by itself.
    """

    async def live() -> bool:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        loop.add_signal_handler(signal.SIGUSR1, _where)
        loop.call_later(LONGEST_START, _made)
        try:
            await task
        except asyncio.CancelledError:
            screen.print("[dim]stopped[/]")
            return False
        return True

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(live())


def _once(work: Coroutine[Any, Any, None]) -> None:
    """A command that has something to finish: one that was stopped before says so by its exit code."""
    if not _life(work):
        raise typer.Exit(130)


def _where() -> None:
    """SIGUSR1: where every task stands, to stderr; for a process that does not do what it should."""
    for task in asyncio.all_tasks():
        task.print_stack(limit=4)


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _made_to_stay() -> None:
    """Begin of a start: what it makes stays, and looking through it for garbage would take a fifth of it."""
    gc.disable()


def _made() -> None:
    """End of a start: what is there is never looked through again; what comes from now on is."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _load(config: Path) -> Any:
    from hub.settings import load

    return load(config)


@app.command()
def run(
    config: ConfigOption = PLANT,
    parts: Annotated[
        str, typer.Option(help="all, hub, collectors, workers, or single parts, with commas")
    ] = "all",
    port: Annotated[int | None, typer.Option(help="instead of hub.port")] = None,
) -> None:
    """Run the product: all of it in one process, or some of its parts."""
    _made_to_stay()
    from hub import log
    from hub.app import App
    from hub.plan import parts_of

    if port is not None:
        os.environ["ANDON_PORT"] = str(port)
    settings = _load(config)
    log.setup()
    progress = Progress()
    chosen = parts_of(parts.split(","))

    async def work() -> None:
        house = App(settings, chosen, say=progress.say)
        told = asyncio.create_task(_up(house, progress))
        try:
            await house.run()
        finally:
            told.cancel()

    try:
        _life(work())
    except ConfigError as cause:
        from hub.places import located

        raise ConfigError(*located(cause.complaints, config)) from None


async def _up(house: Any, progress: Progress) -> None:
    await house.ready.wait()
    _made()
    hub = house.settings.file.hub
    where = f"http://{hub.host}:{hub.port}" if "web" in house.parts else house.name
    screen.print(f"[bold green]up[/] in {progress.seconds:.1f} s: {where}")


@app.command()
def demo(
    data: Annotated[Path, typer.Option(help="where the demo keeps its data")] = Path(".andon/demo"),
    speed: Annotated[float, typer.Option(help="plant time over real time")] = 1.0,
    seed: Annotated[int, typer.Option(help="the same seed tells the same story")] = 7,
    story: Annotated[float, typer.Option(help="seconds until the press overheats; negative: never")] = 40.0,
    hands_off: Annotated[bool, typer.Option(help="a simulated technician steps in after 45 s")] = True,
    port: Annotated[int, typer.Option(help="of the hub")] = 8800,
    fresh: Annotated[bool, typer.Option(help="forget the data of earlier demos first")] = False,
) -> None:
    """The living plant: simulated machines, ERP and chat robots, and the product on top."""
    _made_to_stay()
    from hub import log
    from hub.data_folder import claim, forget
    from hub.demo import SHOWN, Demo
    from hub.house import refuse_taken_port
    from hub.training import TrainingPlant, checkout

    _playable(speed)
    checkout()
    data = data.resolve()  # the simulators run in another folder
    claim(data, fresh=fresh)
    if fresh:
        refuse_taken_port("127.0.0.1", port)  # or the data would go from under a demo that runs
        forget(data)
    log.setup(stream=(data / "hub.log").open("a", encoding="utf-8"))
    progress = Progress()

    def opened(demo: Demo) -> None:
        _made()
        screen.print(
            f"\n[bold green]The plant is alive[/] after {progress.seconds:.1f} s. Ctrl-C stops everything.\n"
        )
        names = {
            "wall": "大屏 wall",
            "phone": "手机 phone",
            "console": "控制台 console",
            "robots": "群消息 inbox",
            "kingdee": "金蝶 ERP",
            "plant": "工厂 plant",
        }
        for key, name in names.items():
            screen.print(f"  {name:<14} {demo.addresses[key]}", soft_wrap=True)
        screen.print("\n  logins (made for this demo only):")
        for person in [*SHOWN, *(p for p in demo.logins if p not in SHOWN)]:
            screen.print(f"    {person:<12} {demo.logins.get(person, '')}")
        screen.print()

    plant = TrainingPlant(data, port, speed=speed, seed=seed, story=story if story >= 0 else None)
    work = Demo(plant, progress.say, hands_off=hands_off)
    _life(work.run(opened))


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(help="a folder with recordings")],
    protocol: Annotated[str, typer.Option("--as", help="opcua or modbus")] = "opcua",
    speed: Annotated[float, typer.Option(help="recorded time over real time")] = 60.0,
    data: Annotated[Path, typer.Option(help="where the replay keeps its data")] = Path(".andon/replay"),
    port: Annotated[int, typer.Option(help="of the hub")] = 8800,
    start: Annotated[str, typer.Option(help="recorded time to begin at, ISO 8601")] = "",
    mapping: Annotated[
        Path | None, typer.Option("--map", help="what the signals mean, instead of guessing")
    ] = None,
    fresh: Annotated[bool, typer.Option(help="forget earlier replays first")] = True,
) -> None:
    """Play recordings through a real protocol server into the running product."""
    from hub import log
    from hub.data_folder import claim
    from hub.replay import Replay

    _playable(speed, start)
    data = data.resolve()
    progress = Progress()
    work = Replay(
        folder,
        data,
        progress.say,
        lambda line: screen.print(escape(line), soft_wrap=True),
        protocol=protocol,
        speed=speed,
        port=port,
        start=start,
        mapping=mapping,
        fresh=fresh,
    )
    claim(data, fresh=fresh)
    log.setup(stream=(data / "hub.log").open("a", encoding="utf-8"))
    _life(work.run())


def _playable(speed: float, start: str = "") -> None:
    """Raises ConfigError in our words for what a simulator would refuse in its own."""
    if not 0 < speed < math.inf:
        raise ConfigError("--speed: must be above 0; 1 is real time, 60 an hour in a minute")
    try:
        if start:
            datetime.fromisoformat(start)
    except ValueError:
        raise ConfigError(
            f"--start: {start!r} is no time; write 2017-06-13T09:00 (it is UTC unless it names a zone)"
        ) from None


@app.command()
def check(config: ConfigOption = PLANT) -> None:
    """Read the configuration and say what is wrong with it; needs no plant."""
    from hub.checkup import checkup, remarks

    counts = checkup(config)
    found = ", ".join(f"{n} {what}" for what, n in counts.items())
    screen.print(f"[green]✓[/] {escape(str(config))}: {found}", soft_wrap=True)
    for note in remarks(config):
        screen.print(f"[yellow]![/] {escape(note)}", soft_wrap=True)


@app.command()
def migrate(config: ConfigOption = PLANT) -> None:
    """Bring the database of the configuration up to date."""
    from hub.house import bring_up, embedded

    settings = _load(config)

    async def work() -> None:
        server = embedded(settings)
        dsn = await server.start() if server else settings.file.hub.database.get_secret_value()
        try:
            applied = await bring_up(dsn)
        finally:
            if server:
                await server.stop()
        screen.print("\n".join(f"[green]✓[/] {name}" for name in applied) or "up to date")

    _once(work())


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="the file to make; it must not be there yet")],
    config: ConfigOption = PLANT,
) -> None:
    """The whole record into one file, of one moment, while the hub works on; read back before it counts."""
    from hub.clock import SystemClock
    from hub.house import database_of
    from hub.store import backup as store

    settings = _load(config)

    async def work() -> None:
        async with database_of(settings) as dsn:
            counts = await store.backup(dsn, target, SystemClock().now())
        told = f"{sum(counts.values())} rows of {len(counts)} tables"
        screen.print(f"[green]✓[/] {escape(str(target))}: {told}", soft_wrap=True)

    _once(work())


@app.command()
def restore(
    archive: Annotated[Path, typer.Argument(help="a file that andon backup made")],
    config: ConfigOption = PLANT,
) -> None:
    """A backup into the empty database of the configuration, counted there."""
    from hub.house import database_of
    from hub.store import backup as store

    settings = _load(config)

    async def work() -> None:
        async with database_of(settings) as dsn:
            counts = await store.restore(dsn, archive)
        rows = sum(counts.values())
        screen.print(f"[green]✓[/] {rows} rows of {len(counts)} tables are back", soft_wrap=True)

    _once(work())


@app.command()
def doctor(
    config: ConfigOption = PLANT,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object instead of lines")] = False,
) -> None:
    """Try the machine, the database, every source and the ERP, reading only, and say what to mend.

    Writes nothing and sends nothing. Exit code 1 when something is to be mended.
    """
    from hub.doctor import Finding, examine

    logging.getLogger().addHandler(logging.NullHandler())  # what matters is told as a finding
    settings = _load_for_doctor(config, as_json)
    found: list[Finding] = []

    async def work() -> None:
        async for finding in examine(settings):
            found.append(finding)
            if not as_json:
                _show(finding.good, finding.what, finding.remedy)

    _once(work())
    if as_json:
        _echo(found)
    if not all(finding.good for finding in found):
        raise typer.Exit(1)


def _load_for_doctor(config: Path, as_json: bool) -> Any:
    """A program that asked for JSON gets it of a broken file, too."""
    from hub.doctor import Finding

    try:
        return _load(config)
    except ConfigError as cause:
        if not as_json:
            raise
        _echo([Finding(False, f"configuration {c}", "correct it there") for c in cause.complaints])
        raise typer.Exit(2) from None


def _echo(found: Iterable[Any]) -> None:
    told = [{"good": f.good, "what": f.what} | ({} if f.good else {"remedy": f.remedy}) for f in found]
    well = all(f["good"] for f in told)
    typer.echo(json.dumps({"well": well, "findings": told}, ensure_ascii=False, indent=1))


def _show(good: bool, what: str, remedy: str) -> None:
    mark = "[green]✓[/]" if good else "[red]✗[/]"
    advice = f"\n    → {remedy}" if remedy and not good else ""
    screen.print(f"{mark} {escape(what + advice)}", soft_wrap=True)


@app.command()
def alive() -> None:
    """For health checks of a process without a web part: 0 while this container's process is well."""
    from hub.rollcall import well

    if complaint := well():
        screen.print(complaint)
        raise typer.Exit(1)


@app.command()
def plugins() -> None:
    """Every plugin that is installed, ours and other people's: what it can do, and what it cannot yet."""
    from hub.cards import DONE, abilities, card
    from hub.registry import GROUPS
    from hub.registry import plugins as installed

    for family in GROUPS:
        for kind, cls in sorted(installed(family).items()):
            marks = card(kind, cls)
            done = [name for name, mark in marks.items() if mark == DONE]
            grade = f"{len(done)} of {len(marks)} done" if marks else "carries no card"
            screen.print(
                f"[bold]{family:<11} {kind:<16}[/] {cls.__module__}:{cls.__qualname__}  {grade}",
                soft_wrap=True,
            )
            if can := abilities(cls):
                screen.print(f"    can: {', '.join(can)}", soft_wrap=True)
            if done:
                screen.print(f"    [green]✓[/] {'; '.join(done)}", soft_wrap=True)
            for name, mark in marks.items():
                if mark != DONE:
                    screen.print(f"    [dim]·[/] {name}: {escape(mark)}", soft_wrap=True)


@app.command()
def password(person: str, config: ConfigOption = PLANT) -> None:
    """Set a person's password; it is asked for, never taken from the command line.

    It is kept in the record, not in a file: the file says under people: who there is and what they may do.
    """
    from hub.people import login_of, refuse_unknown, set_password

    settings = _load(config)
    refuse_unknown(settings, person)  # before anybody types a password in vain
    secret = (
        sys.stdin.readline().rstrip("\n")
        if not sys.stdin.isatty()
        else typer.prompt("new password", hide_input=True)
    )
    _once(set_password(settings, person, secret))
    screen.print(f"[green]✓[/] {escape(person)}: log in at {escape(login_of(settings))}", soft_wrap=True)


@app.command()
def wall(
    name: Annotated[str, typer.Argument(help="of the new screen, as people call the place")] = "",
    config: ConfigOption = PLANT,
    scope: Annotated[str, typer.Option(help="the part of the plant it shows; all of it when empty")] = "",
    list_: Annotated[bool, typer.Option("--list", help="show the screens there are")] = False,
    revoke: Annotated[int | None, typer.Option(help="send the screen of this number away")] = None,
) -> None:
    """Make a token for a wall screen and print the address it opens; list screens, or send one away."""
    from hub.people import list_walls, make_wall, revoke_wall

    if sum((bool(name), list_, revoke is not None)) != 1:
        raise typer.BadParameter("say one of: NAME, --list, --revoke NUMBER")
    settings, shown = _load(config), list[str]()
    if list_:
        _once(list_walls(settings, shown.append))
    elif revoke is not None:
        _once(revoke_wall(settings, revoke))
        shown.append(f"wall screen {revoke}: its token is worthless now")
    else:
        _once(make_wall(settings, name, scope, shown.append))
    for line in shown or ["no wall screens"]:
        screen.print(escape(line), soft_wrap=True)


@app.command()
def browse(
    endpoint: Annotated[str, typer.Argument(help="opc.tcp://HOST:PORT/PATH")],
    to: Annotated[Path, typer.Option(help="the file to write; must not be there yet")],
    with_: Annotated[
        Path | None, typer.Option("--with", help="YAML with security:, user:, password: of the collector")
    ] = None,
    insecure: Annotated[bool, typer.Option(help="security: none, said aloud")] = False,
    only: Annotated[list[str] | None, typer.Option(help="like Press*/Monitoring/*; repeat for more")] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="the same for what is not wanted")] = None,
    line: Annotated[
        str, typer.Option(help="site/area/line of the plant where the machines stand")
    ] = "p1/a1/l1",
    limits: Annotated[bool, typer.Option(help="rules on the ranges the server tells, too")] = False,
    paths: Annotated[bool, typer.Option(help="nodes by names, for servers that number them anew")] = False,
) -> None:
    """Write what an OPC UA server offers as a configuration: machines, tags, units, ranges, alarms, node ids.

    Machines that speak PackML, MachineTool or Machinery are recognised: their state, mode and counters need
    no mapping. Reads only.
    """
    from hub.browsing import browsed, refuse_taken, written

    refuse_taken(to)
    found: list[dict[str, Any]] = []

    async def work() -> None:
        wanted = (only or (), leave_out or (), line, limits, paths)
        found.append(await browsed(endpoint, with_, insecure, *wanted))

    _once(work())
    for said in written(found[0], to):
        screen.print(escape(said), soft_wrap=True)


@app.command()
def certificate(
    into: Annotated[Path, typer.Option(help="folder for opcua.der and opcua.pem")] = Path("certificates"),
    name: Annotated[str, typer.Option(help="of this hub, in its application URI")] = "hub",
) -> None:
    """Make this hub's OPC UA certificate and key; the servers are then to trust the certificate."""
    from hub.clock import SystemClock
    from hub.registry import Kinds

    public, key, thumbprint = Kinds("collectors")["opcua"].make_certificate(into, name, SystemClock())
    screen.print(f"[green]✓[/] {escape(str(public))}  SHA-1 {thumbprint}", soft_wrap=True)
    screen.print(
        f"  Put it into each server's list of trusted clients. In the collector: security:"
        f" {{certificate: {escape(str(public))}, key: {escape(str(key))}, trust_folder: ...}}",
        soft_wrap=True,
    )


def main() -> None:
    """Entry point: complaints are for people, not traces."""
    try:
        app()
    except AndonError as cause:
        sys.exit(_complain([cause]))
    except BaseExceptionGroup as group:
        ours, others = group.split(AndonError)
        if others is not None or ours is None:
            raise
        sys.exit(_complain(list(_single(ours))))


def _single(group: BaseExceptionGroup[Any]) -> Iterator[AndonError]:
    for cause in group.exceptions:
        if isinstance(cause, BaseExceptionGroup):
            yield from _single(cause)
        else:
            yield cause


def _complain(causes: list[AndonError]) -> int:
    for cause in causes:
        for complaint in cause.complaints if isinstance(cause, ConfigError) else (str(cause),):
            screen.print(f"[red]✗[/] {escape(complaint)}", soft_wrap=True)
    return 2 if any(isinstance(c, ConfigError) for c in causes) else 1


if __name__ == "__main__":
    main()
