"""`python -m tests.simulators.replay FOLDER --as opcua|modbus`: plays a recording through real servers.

Prints `{"reading": ..}` while it reads, a line when it serves, then `{"progress": .., "at": ..}` about once a
second, and at the end `{"done": true, "played": n}`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from hub.errors import ConfigError
from tests.simulators.fleet import warm_up


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.replay", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder (or file) with the recording")
    parser.add_argument("--as", dest="protocol", choices=("opcua", "modbus"), default="opcua")
    parser.add_argument("--speed", type=float, default=1.0, help="recorded seconds per second")
    parser.add_argument("--base-port", type=int, default=0, help="first machine's port (14861 or 15221)")
    parser.add_argument("--map", type=Path, help="mapping.yaml that overrides the guesses")
    parser.add_argument("--start", help="begin at this recorded time, 2017-06-13T09:00 (UTC without a zone)")
    parser.add_argument("--loop", action="store_true", help="begin again at the end")
    parser.add_argument("--max-gap", type=float, default=60.0, help="most seconds that silence is played")
    parser.add_argument("--config", type=Path, help="write the hub's configuration for this recording here")
    parser.add_argument("--config-only", action="store_true", help="write it (or print it) and end")
    parser.add_argument("--on-cue", action="store_true", help="begin to play when a line comes on stdin")
    parser.add_argument("--linger", type=float, default=3.0, help="seconds the servers stay after the end")
    chosen = parser.parse_args(words)
    if chosen.speed <= 0 or chosen.max_gap <= 0:
        parser.error("--speed and --max-gap must be above 0")
    chosen.base_port = chosen.base_port or (14861 if chosen.protocol == "opcua" else 15221)
    chosen.start = _start(chosen.start, parser)
    return chosen


def _start(text: str | None, parser: argparse.ArgumentParser) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        parser.error(f"--start {text!r}: write 2017-06-13T09:00")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def write_config(config: dict[str, Any], path: Path | None) -> None:
    text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False, width=110)
    if path is None:
        sys.stdout.write(text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


async def _life(chosen: argparse.Namespace, recording: Any) -> None:
    from tests.simulators.fleet import Fleet
    from tests.simulators.process import announce, told_to_stop
    from tests.simulators.replay import wiring
    from tests.simulators.replay.player import Score
    from tests.simulators.replay.summary import understood

    machines = wiring(recording, chosen.protocol, chosen.base_port)
    fleet = Fleet(machines)
    score = Score(recording, chosen.protocol == "modbus", chosen.start)
    try:
        await fleet.start(score.opening())
        stop = told_to_stop()
        announce(
            "replay", machines[0].endpoint, endpoints={m.machine: m.endpoint for m in machines},
            understood=[understood(m) for m in recording.machines], notes=recording.notes,
        )  # fmt: skip
        show = asyncio.create_task(_show(chosen, recording, fleet, score))
        ends: set[asyncio.Future[Any]] = {stop, show}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if show.done():
            show.result()
        stop.cancel()
        show.cancel()
        await asyncio.gather(stop, show, return_exceptions=True)
    finally:
        await fleet.stop()


async def _show(chosen: argparse.Namespace, recording: Any, fleet: Any, score: Any) -> None:
    from hub.clock import SystemClock
    from tests.simulators.process import say
    from tests.simulators.replay.player import play

    if chosen.on_cue:
        await asyncio.to_thread(sys.stdin.readline)
    gap = timedelta(seconds=chosen.max_gap)
    played = 0
    while True:
        played += await play(score, fleet, SystemClock(), chosen.speed, gap, say, score.span)
        if not chosen.loop:
            break
    say({"done": True, "played": played})
    await asyncio.sleep(chosen.linger)


def main() -> None:
    from tests.simulators.process import say
    from tests.simulators.replay import describe, to_config

    chosen = arguments()
    if not chosen.config_only:
        warm_up()
    try:
        reading = (lambda what: None) if chosen.config_only else (lambda what: say({"reading": what}))
        recording = describe(chosen.folder, chosen.map, reading)
        if chosen.config or chosen.config_only:
            write_config(to_config(recording, chosen.protocol, chosen.base_port), chosen.config)
        for note in recording.notes:
            sys.stderr.write(f"replay: {note}\n")
        if not chosen.config_only:
            asyncio.run(_life(chosen, recording))
    except (ConfigError, OSError) as cause:
        sys.exit(f"replay: {cause}")


if __name__ == "__main__":
    main()
