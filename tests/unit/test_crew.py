"""The demo's simulated technician does what nobody else did, and only that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from hub.demo import CREW, SHOWN
from tests.simulators.crew import Technician

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
LONG_AGO = "2020-01-05T01:00:00Z"


class Hub:
    """Hub and plant in one: they serve this one ticket and write down what is asked of them."""

    def __init__(self, state: str, technician: str) -> None:
        self.asked: list[str] = []
        self.ticket = {
            "id": "AH-1", "state": state, "equipment": "p1/stamping/l1/press-01", "opened_at": LONG_AGO,
            "accepted_at": LONG_AGO, "arrived_at": LONG_AGO,
            "technician": {"id": technician, "name": technician} if technician else None,
        }  # fmt: skip

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.asked.append(request.url.path.rpartition("/")[2])
        body: dict[str, Any] = {"tickets": [self.ticket], "alarms": [], "id": "photo-1"}
        return httpx.Response(200, json=body)

    async def seen_by_the_crew(self) -> list[str]:
        """What a crew that has just been started asks for."""
        wire = httpx.MockTransport(self.answer)
        await Technician("http://hub", "http://plant", CREW, "", 45.0, wire).look()
        return self.asked


def login_of_the_readme() -> str:
    found = re.search(r"log in on the phone page as `([^`]+)`", (ROOT / "README.md").read_text("utf-8"))
    assert found
    return found[1]


@pytest.mark.parametrize("state", ["accepted", "on-site", "repairing", "reopened"])
async def test_what_a_person_accepted_under_the_login_of_the_readme_is_left_alone(state: str) -> None:
    assert await Hub(state, login_of_the_readme()).seen_by_the_crew() == []


async def test_what_nobody_accepted_is_taken_and_carried_on_also_after_a_restart_of_the_crew() -> None:
    assert await Hub("sent", "").seen_by_the_crew() == ["accept"]
    assert await Hub("accepted", CREW).seen_by_the_crew() == ["arrive"]
    assert await Hub("repairing", CREW).seen_by_the_crew() == ["repair", "photos", "repaired"]


def test_the_crew_is_a_technician_of_the_demo_plant_whom_no_login_list_begins_with() -> None:
    plant = yaml.safe_load((ROOT / "examples/demo/plant.yaml").read_text("utf-8"))
    people = {p["id"]: p for p in plant["people"]}
    assert people[CREW]["roles"] == ["technician"] and people[CREW]["scopes"] == ["p1"]
    assert CREW not in SHOWN and login_of_the_readme() in SHOWN
