"""Messages with the ERP are told to who may see the place that they are about, and to nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.api import erp_places
from hub.model.exchange import Letter
from hub.model.people import Person, Role
from hub.model.words import Words
from hub.testing.clock import NOON
from tests.api_erp_book import ELSEWHERE, HERE, PRESS, MemoryErpBook
from tests.api_house import CNC, House, house

pytestmark = pytest.mark.anyio

KEEPERS = (Role.PLANNER, Role.MANAGER, Role.ADMIN)


def furnished() -> House:
    everywhere = Person("chief", Words("厂长", "The chief"), frozenset({Role.MANAGER}), ("p1",))
    machine = Person("cell", Words("组长", "The cell"), frozenset({Role.PLANNER}), (PRESS,))
    nowhere = Person("nobody", Words("无", "Nowhere"), frozenset({Role.PLANNER}), ())
    return house(everywhere, machine, nowhere)


async def told(it: House, person: str, path: str) -> list[int]:
    name = "letters" if "letters" in path else "exchanges"
    async with it.as_person(person) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()[name]]


@pytest.mark.parametrize("role", KEEPERS)
async def test_somebody_of_one_workshop_sees_the_letters_and_exchanges_of_it_alone(role: Role) -> None:
    it = furnished()
    assert await told(it, f"{role.value}-1", "/api/erp/letters") == [4, 1]
    assert await told(it, f"{role.value}-1", "/api/erp/exchanges") == [7, 5, 1]
    assert await told(it, f"{role.value}-1", "/api/erp/exchanges?document=AH-20260105-0002") == []


async def test_who_sees_the_whole_plant_sees_what_belongs_to_no_place_too() -> None:
    it = furnished()
    assert await told(it, "chief", "/api/erp/letters") == [8, 7, 4, 3, 1]
    assert await told(it, "chief", "/api/erp/exchanges") == [7, 6, 5, 4, 3, 2, 1]


async def test_somebody_of_one_machine_sees_what_is_about_it_but_not_its_lines_orders() -> None:
    it = furnished()
    assert await told(it, "cell", "/api/erp/letters") == [4]
    assert await told(it, "cell", "/api/erp/exchanges") == [5, 1]


async def test_somebody_of_no_place_sees_nothing() -> None:
    it = furnished()
    assert await told(it, "nobody", "/api/erp/letters") == []
    assert await told(it, "nobody", "/api/erp/exchanges") == []


@pytest.mark.parametrize("letter_id", [3, 7, 8])
@pytest.mark.parametrize("verb", ["again", "aside"])
async def test_nobody_reaches_over_for_a_letter_of_elsewhere_or_of_the_whole_plant(
    letter_id: int, verb: str
) -> None:
    it = furnished()
    book = it.deps.erp_book
    assert isinstance(book, MemoryErpBook)
    for role in KEEPERS:
        async with it.as_role(role) as client:
            body = {"reason": "mine now"} if verb == "aside" else None
            answer = await client.post(f"/api/erp/letters/{letter_id}/{verb}", json=body)
            missing = await client.post(f"/api/erp/letters/99/{verb}", json=body)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == missing.json()["error"]["code"], (
            "nor learns that it is there"
        )
    assert book.all[letter_id].state == "dead"
    assert not it.audited()


async def test_what_is_held_behind_a_letter_is_shown_under_it() -> None:
    it = furnished()
    async with it.as_role(Role.PLANNER) as client:
        letters = (await client.get("/api/erp/letters")).json()["letters"]
    assert [[x["id"] for x in letter["behind"]] for letter in letters] == [[5, 6], []]
    assert [(x["kind"], x["held"]) for x in letters[0]["behind"]] == [
        ("update-ticket", True), ("close-ticket", True),
    ]  # fmt: skip


async def test_a_page_that_was_cut_goes_on_where_it_stopped_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much of others' lies between."""
    monkeypatch.setattr(erp_places, "STEP", 2)
    monkeypatch.setattr(erp_places, "LOOKS", 1)
    it, found, before, asked = furnished(), [], 0, 0
    async with it.as_role(Role.PLANNER) as client:
        while before is not None and asked < 20:
            answer = (await client.get(f"/api/erp/exchanges?before={before}&limit=1")).json()
            found += [row["id"] for row in answer["exchanges"]]
            before, asked = answer["next"], asked + 1
    assert found == [7, 5, 1]


async def test_the_trouble_with_a_document_elsewhere_is_not_told_by_the_health() -> None:
    it = furnished()
    part = {"name": "erp bridge", "up": True, "detail": {"up": True, "last_error": "AH-2: locked"}}
    it.app.state.deps = replace(it.deps, status=lambda: {"parts": [part]})
    for who, hears in (("planner-1", False), ("chief", True)):
        async with it.as_person(who) as client:
            assert ("last_error" in (await client.get("/api/erp/health")).json()) is hears


LETTER = Letter(1, "post", "post:receipt:P1", "x", "dead", 1, "", NOON, None, NOON, {})


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        ({"order": "MO-1", "operation": "10"}, {"p1/stamping/l1"}),
        ({"order": "MO-1", "operation": "99"}, {"p1/stamping/l1"}),
        ({"order": "MO-1", "equipment": CNC}, {CNC}),
        ({"order": "MO-1", "equipment": "p1/nowhere"}, {"p1/stamping/l1"}),
        ({"order": "MO-9"}, set()),
        ({"ticket": HERE, "equipment": CNC}, {PRESS}),
        ({"ticket": "AH-19990101-0001", "equipment": PRESS}, set()),
        ({"ticket": ELSEWHERE}, {CNC}),
        ({}, set()),
    ],
)
async def test_a_place_is_what_our_own_record_says(payload: dict[str, str], place: set[str]) -> None:
    it, book = furnished(), MemoryErpBook()
    about = erp_places.about(replace(LETTER, payload=payload))
    machines = await book.machines([about.ticket])
    orders = {o.number: o for o in await book.orders([about.order])}
    assert erp_places.places(about, machines, orders, it.deps.plant.equipment) == place
