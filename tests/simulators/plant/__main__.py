"""`python -m tests.simulators.plant`: the demo plant, its twelve servers, its MES and its control calls."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.simulators.fleet import warm_up


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.plant", description=__doc__)
    parser.add_argument("--port", type=int, default=8810, help="MES and control calls (0: any free port)")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same history")
    parser.add_argument("--speed", type=float, default=1.0, help="plant seconds per second")
    parser.add_argument("--modbus-base", type=int, default=15021, help="first Modbus TCP port")
    parser.add_argument("--opcua-base", type=int, default=14841, help="first OPC UA port")
    parser.add_argument("--story", default="off", help="after=SECONDS: press-01 overheats then; off: never")
    parser.add_argument(
        "--faults", choices=("on", "off"), default="on", help="faults that come by themselves"
    )
    parser.add_argument(
        "--state",
        type=Path,
        help="file that keeps counters, orders and reports over restarts; beside it, how the machines stand",
    )
    chosen = parser.parse_args(words)
    if chosen.speed <= 0:
        parser.error("--speed must be above 0; 1 is real time")
    chosen.story = _story(chosen.story, parser)
    return chosen


def _story(text: str, parser: argparse.ArgumentParser) -> float | None:
    if text == "off":
        return None
    try:
        return float(text.removeprefix("after="))
    except ValueError:
        parser.error(f"--story {text!r}: write after=30 or off")


async def _life(chosen: argparse.Namespace) -> None:
    from tests.simulators.plant.conductor import Conductor, app
    from tests.simulators.process import announce, http_server, told_to_stop

    conductor = Conductor(
        chosen.seed, chosen.speed, chosen.modbus_base, chosen.opcua_base, chosen.state, chosen.faults == "on"
    )
    try:
        await conductor.fleet.start(conductor.plant.image())
        async with http_server(app(conductor), chosen.port) as url:
            work = asyncio.create_task(conductor.run(chosen.story))
            stop = told_to_stop()
            announce("plant", url, machines=len(conductor.fleet.hands))
            await stop
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
    finally:
        await conductor.close()


def main() -> None:
    chosen = arguments()
    warm_up()
    try:
        asyncio.run(_life(chosen))
    except OSError as cause:
        sys.exit(f"plant: {cause}")


if __name__ == "__main__":
    main()
