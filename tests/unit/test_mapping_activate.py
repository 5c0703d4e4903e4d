"""A map that the ERP would refuse is not activated without a question."""

from __future__ import annotations

import pytest

from hub.api.texts import TEXTS
from hub.errors import Conflict
from tests.front.mapping_scene import desk

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "block",
    [
        {"write": {"F_AH_Shift": "order"}},
        {"variants": [{"when": "priority", "write": {"F_AH_Shift": "order"}}]},
    ],
)
async def test_a_field_that_the_erp_does_not_list_is_asked_about_by_its_name(
    block: dict[str, object],
) -> None:
    here = desk()
    await here.save({"ticket": block}, 0, "admin-1", "")
    with pytest.raises(Conflict) as refused:
        await here.activate(1, 0, "admin-1")
    assert (refused.value.code, str(refused.value)) == ("mapping-unknown-field", "ticket.F_AH_Shift")
    assert "{detail}" in TEXTS["mapping-unknown-field"].zh
    assert (await here.activate(1, 0, "admin-1", anyway=True))["active"] == 1
    await here.close()


async def test_a_field_that_the_erp_lists_needs_no_question() -> None:
    here = desk()
    await here.save({"ticket": {"write": {"F_PLANT_Code": "fault_code"}}}, 0, "admin-1", "")
    assert (await here.activate(1, 0, "admin-1"))["active"] == 1
    await here.close()


async def test_the_fields_that_maps_write_are_known_by_their_titles_once_the_erp_has_told_them() -> None:
    here = desk()
    assert "F_AH_Level" in next(t.fields for t in await here.targets() if t.document == "ticket")
    await here.document("ticket")
    told = next(t.fields for t in await here.targets() if t.document == "ticket")
    assert [title for title, name in told.items() if name == "F_AH_Level" and title != name]
    await here.close()
