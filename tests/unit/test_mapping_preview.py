"""A draft of a field map tried on records: what each row gives, or what is wrong with it and what to do."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from erp_bridge.fieldmap import MapBlock
from erp_bridge.kingdee_maps import DOCUMENTS
from erp_bridge.map_samples import names, ours
from erp_bridge.our_titles import TITLES
from erp_bridge.preview import Known, Preview, Row, previewed, too_deep
from hub.model.exchange import Direction, Exchange, Outcome
from hub.testing.clock import NOON

ZONE = ZoneInfo("Asia/Shanghai")
OURS = {"priority": 4, "order": "MO0001", "opened_at": "2026-01-05T00:30:00Z", "equipment_path": "p1/a/m1"}
THEIRS = {"FQty": "12", "FMaterialId": {"FNumber": "A100"}, "F_Own": "x"}
KNOWN = Known(frozenset(OURS), frozenset({"FQty", "FMaterialId", "F_Own", "F_Level", "F_When", "FEntity"}))
TABLES = {"levels": {"4": "紧急"}}


def tried(text: str, known: Known = KNOWN) -> Row:
    block = MapBlock(write={"F_Level": text}, tables=TABLES)
    return previewed(block, ZONE, OURS, THEIRS, known).rows[0]


def looked_at(block: MapBlock) -> Preview:
    return previewed(block, ZONE, OURS, THEIRS, KNOWN)


def test_each_row_shows_what_it_gives_for_this_record() -> None:
    found = looked_at(
        MapBlock(
            write={"F_Level": "table('levels', priority)", "F_When": "local(opened_at, '%H:%M')"},
            read={"quantity": "number(FQty)", "product": "FMaterialId.FNumber"},
            tables=TABLES,
        )
    )
    assert {r.place: r.value for r in found.rows} == {
        "write.F_Level": "紧急", "write.F_When": "08:30", "read.quantity": 12, "read.product": "A100",
    }  # fmt: skip
    assert found.sound and not any(r.remark for r in found.rows)


@pytest.mark.parametrize(
    ("text", "at", "told"),
    [
        ("table('levels', priority", 24, "not complete"),
        ("if(priority==4,'a','b')", 13, "numbers stand in backquotes, as `4`"),
        ("order )", 6, "not understood at character 7"),
        ("'early", 0, "the quote ' is not closed"),
    ],
)
def test_what_cannot_be_read_names_the_character_and_the_remedy(text: str, at: int, told: str) -> None:
    row = tried(text)
    assert row.error is not None and told in row.error.en and row.error.zh
    assert row.at == at


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("tabel('levels', priority)", "table"),
        ("table('level', priority)", "levels"),
        ("prioritty", "priority"),
    ],
)
def test_a_name_nobody_knows_comes_with_the_near_one(text: str, near: str) -> None:
    row = tried(text)
    said = row.error or row.remark
    assert row.near == near and said is not None and near in said.en and near in said.zh


def test_a_field_the_erp_does_not_have_is_remarked_and_its_value_shown_all_the_same() -> None:
    row = looked_at(MapBlock(write={"FEntity[].F_Levl.FNumber": "order"})).rows[0]
    assert (row.value, row.near) == ("MO0001", "F_Level") and row.remark is not None and row.error is None


def test_where_nobody_can_tell_the_names_nothing_is_said_of_strange_ones() -> None:
    assert tried("prioritty", Known()).remark is None


def test_a_value_that_does_not_fit_is_told_with_its_reason() -> None:
    for text, told in (("number(order)", "'MO0001' is not a number"), ("cut(priority, `2`)", "argument")):
        error = tried(text).error
        assert error is not None and told in error.en


def test_one_wrong_row_leaves_the_others_their_values() -> None:
    found = looked_at(MapBlock(write={"F_Level": "order(", "F_When": "order"}))
    assert not found.sound
    assert [r.value for r in found.rows] == [None, "MO0001"]


def test_a_variant_says_whether_it_is_chosen_and_what_it_writes() -> None:
    variants = [
        {"when": "starts_with(equipment_path, 'p1/a')", "write": {"F_Own": "'A'"}},
        {"when": "starts_with(equipment_path, 'p2')", "write": {"F_Own": "'B'"}},
    ]
    found = looked_at(MapBlock.model_validate({"variants": variants}))
    assert found.chosen == (0,)
    assert {r.place: r.value for r in found.rows}["variants[0].write.F_Own"] == "A"


def test_brackets_without_end_are_refused_before_they_are_read() -> None:
    for text in ("(" * 300 + "a" + ")" * 300, "[" * 100, "!" * 500 + "a", "a" * 3000):
        assert too_deep(text)
        assert tried(text).error is not None


@pytest.mark.parametrize("name", sorted(n for n, block in DOCUMENTS.items() if block.write))
def test_every_written_document_of_kingdee_has_records_of_ours_that_its_own_map_understands(
    name: str,
) -> None:
    records = ours(name, DOCUMENTS[name], [])
    known = Known(frozenset(n for n, _ in names(records)))
    assert records
    for record in records:
        found = previewed(DOCUMENTS[name], ZONE, record.fields, {}, known)
        assert [r.place for r in found.rows if r.error or r.remark] == []


def test_every_field_that_a_key_user_meets_has_a_name_in_both_languages() -> None:
    met = {n for name, block in DOCUMENTS.items() for n, _ in names(ours(name, block, []))}
    met |= {n for block in DOCUMENTS.values() for n in block.read}
    assert met - set(TITLES) == set()
    assert all(title.zh and title.en for title in TITLES.values())


def test_the_last_that_was_sent_is_a_record_to_try_on_before_any_made_up_one() -> None:
    sent = {"ticket": "AH-7", "order": "MO7", "priority": 3, "title": {"zh": "卡料", "en": "Jam"}}
    exchanges = [
        Exchange(NOON, Direction.OUT, "open-ticket", "AH-7", Outcome.DONE, after=sent),
        Exchange(NOON, Direction.OUT, "open-ticket", "AH-6", Outcome.DONE, after={**sent, "order": "MO6"}),
    ]
    first, second, *_ = ours("ticket", DOCUMENTS["ticket"], exchanges)
    assert first.real and not second.real
    assert (first.fields["order"], first.fields["key"], first.fields["headline"]) == ("MO7", "AH-7", "卡料")
