"""Files of a drop folder that come in pieces, are refused whole, or have an end that may be none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from collectors import mes_files
from collectors.mes_push import MesDesk
from hub.errors import SourceRefused, SourceUnavailable
from hub.model.intake import RejectState, Uptake
from hub.store.rejects import PgRejects
from tests.contract.mes.worlds import AT, FilesWorld
from tests.integration.mes_drop import HEAD, goods, names, row

pytestmark = pytest.mark.anyio


async def replayed(files: FilesWorld) -> Any:
    """The one reject, read again as the console does."""
    source = files.source()
    (kept,) = await PgRejects(files.record.pool).those()
    return await MesDesk(source, files.intake(source), files.clock).replay(kept)


# ------------------------------------------------------------------ begun
@pytest.mark.parametrize("begun", ["", "\ufeff", "id,ord"])
async def test_a_file_that_has_only_begun_is_waited_for_and_nothing_of_it_is_lost(
    files: FilesWorld, begun: str
) -> None:
    path = files.folder / "1-report.csv"
    path.write_text(begun)
    await files.read()
    await files.read()
    assert names(files.folder) == ["1-report.csv"]
    path.write_text(HEAD + row(1))
    await files.read()
    assert (await goods(files), await files.record.rejects()) == ({"R-1": 3}, [])


async def test_a_refused_file_that_its_writer_goes_on_with_is_taken_from_failed(files: FilesWorld) -> None:
    path = files.folder / "1-report.csv"
    with path.open("w") as writer:
        writer.write("report of the day\n")
        writer.flush()
        await files.read()
        assert names(files.folder / "failed") == ["1-report.csv", "1-report.csv.reason.txt"]
        writer.seek(0)
        writer.write(HEAD + row(1))
        writer.flush()
        await files.read()
    assert (await goods(files), names(files.folder / "failed")) == ({"R-1": 3}, [])
    assert names(files.folder / "done") == ["1-report.csv"]
    assert (await replayed(files)).fate is Uptake.REPEAT


# ------------------------------------------------------------------ refused whole
async def test_a_refused_file_is_one_reject_and_read_again_it_is_taken(files: FilesWorld) -> None:
    (files.folder / "1-report.csv").write_text("编号,order,operation,at,good\n" + row(1))
    await files.read()
    (files.folder / "1-report.csv").write_text("编号,order,operation,at,good\n" + row(1))
    await files.read()
    (kept,) = await files.record.rejects()
    assert (kept["kind"], kept["event"], kept["times"]) == ("file", "1-report.csv", 2)
    assert json.loads(kept["record"])["begins"] == "编号,order,operation,at,good"
    assert kept["reason_zh"].startswith("整个文件未收下：缺少列 id；现有 编号")
    verdict = await replayed(files)
    assert verdict.fate is Uptake.REJECTED and "缺少列 id" in verdict.faults[0].text.zh
    failed = files.folder / "failed" / "1-report.csv"
    failed.write_text(HEAD + row(1))
    assert (await replayed(files)).fate is Uptake.TAKEN
    assert await goods(files) == {"R-1": 3}
    assert not failed.exists() and "1-report.csv" in names(files.folder / "done")


async def test_a_refused_file_that_somebody_took_away_is_said_to_be_gone(files: FilesWorld) -> None:
    (files.folder / "1-other.csv").write_text(HEAD)
    await files.read()
    (files.folder / "failed" / "1-other.csv").unlink()
    (fault,) = (await replayed(files)).faults
    assert "no longer in failed" in fault.text.en and "已不在" in fault.text.zh


@pytest.mark.parametrize("swallowed", ['R-9,MO-1,10,{at},"3', 'R-9,MO-1,10,{at},"3\nR-8,MO-1,10,{at},3"'])
async def test_a_quote_that_nothing_closes_spoils_its_own_line_only(
    files: FilesWorld, swallowed: str
) -> None:
    text = HEAD + row(1) + swallowed.format(at=AT) + "\n" + row(2) + row(3)
    (files.folder / "1-report.csv").write_text(text)
    await files.read()
    assert {"R-1", "R-2", "R-3"} <= set(await goods(files))
    kept = await files.record.rejects()
    assert "quote that nothing closes" in kept[0]["reason_en"] and "R-9" in kept[0]["record"]
    assert json.loads(kept[0]["record"])["line"] == 3


# ------------------------------------------------------------------ the end
async def test_a_last_row_without_a_line_end_is_taken_when_none_has_come_for_a_minute(
    files: FilesWorld,
) -> None:
    (files.folder / "1-report.csv").write_text(HEAD + row(1) + row(2, 12).rstrip())
    await files.read()
    assert await goods(files) == {"R-1": 3}
    files.clock.turn(61)
    await files.read()
    assert await goods(files) == {"R-1": 3, "R-2": 12}
    assert names(files.folder / "done") == ["1-report.csv"]


async def test_an_order_whose_last_row_is_cut_off_is_not_told_without_its_operation(
    files: FilesWorld,
) -> None:
    head = "id,number,product,product_name,quantity,due_at,priority,customer,"
    head += "job_operation,job_name,job_work_center,job_quantity\n"
    first = "O-1,MO-1,A,Pump,5,2026-01-06,1,X,{},cut,l1,5"
    (files.folder / "1-order.csv").write_text(head + first.format(10) + "\n" + first.format(20))
    await files.read()
    assert (await files.record.everything())["orders"] == []
    files.clock.turn(61)
    await files.read()
    assert [j["operation"] for j in (await files.record.everything())["jobs"]] == ["10", "20"]


async def test_a_last_row_is_taken_though_its_file_was_taken_away_from_done(files: FilesWorld) -> None:
    (files.folder / "1-report.csv").write_text(HEAD + row(1) + row(2).rstrip())
    await files.read()
    (files.folder / "done" / "1-report.csv").unlink()  # an archiver
    await files.read()
    assert await goods(files) == {"R-1": 3, "R-2": 3}


async def test_the_last_row_of_a_second_file_of_one_name_is_read_by_that_name(files: FilesWorld) -> None:
    """In done it is called otherwise, and no pattern fits that."""
    for n in (1, 2):
        (files.folder / "1-report.csv").write_text(HEAD + row(n).rstrip())
        await files.read()
    files.clock.turn(61)
    await files.read()
    assert await goods(files) == {"R-1": 3, "R-2": 3}


async def test_of_more_files_than_are_looked_after_no_last_row_is_lost(
    files: FilesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mes_files, "_MOST", 3)
    for n in range(8):
        (files.folder / f"{n}-report.csv").write_text(HEAD + row(n).rstrip())
    await files.read()
    assert sorted(await goods(files)) == [f"R-{n}" for n in range(5)], "the newest wait for a line end"
    files.clock.turn(61)
    await files.read()
    await files.read()
    assert sorted(await goods(files)) == [f"R-{n}" for n in range(8)]


# ------------------------------------------------------------------ one among others
def in_gbk(files: FilesWorld, name: str, text: str) -> None:
    """As a transfer leaves it that does not say what its names are written in; the oldest of all."""
    path = os.path.join(os.fsencode(files.folder), name.encode("gbk"))
    with open(path, "wb") as file:
        file.write(text.encode("gbk"))
    os.utime(path, (1, 1))


async def test_a_name_in_gbk_is_read_and_put_away_under_what_it_says(files: FilesWorld) -> None:
    in_gbk(files, "报工-report.csv", HEAD + row(1) + row(2, "many"))
    await files.read()
    (kept,) = await files.record.rejects()
    assert (await goods(files), json.loads(kept["record"])["file"]) == ({"R-1": 3}, "报工-report.csv")
    assert names(files.folder / "done") == ["报工-report.csv"]


async def test_a_name_in_gbk_that_is_refused_holds_up_nothing(files: FilesWorld) -> None:
    in_gbk(files, "报工.txt", "id,order\n1,2\n")
    (files.folder / "1-report.csv").write_text(HEAD + row(1))
    await files.read()
    (kept,) = await files.record.rejects()
    assert (await goods(files), kept["event"]) == ({"R-1": 3}, "报工.txt")
    assert names(files.folder / "failed") == ["报工.txt", "报工.txt.reason.txt"]


async def test_a_file_that_cannot_be_opened_is_told_and_the_others_are_taken(
    files: FilesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        (files.folder / f"{n}-report.csv").write_text(HEAD + row(n))
    opened = os.open

    def as_root_would_not(path: Any, *how: Any, **more: Any) -> int:
        if str(path).endswith("0-report.csv"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *how, **more)

    monkeypatch.setattr(os, "open", as_root_would_not)
    with pytest.raises(SourceUnavailable, match=r"0-report.csv cannot be read \(Permission denied\)"):
        await files.read()
    assert sorted(await goods(files)) == ["R-1", "R-2"]
    monkeypatch.undo()
    await files.read()
    assert sorted(await goods(files)) == ["R-0", "R-1", "R-2"]


# ------------------------------------------------------------------ every day once more
async def test_what_was_settled_stays_so_in_the_export_of_the_next_day(files: FilesWorld) -> None:
    (files.folder / "mon-report.csv").write_text(HEAD + row(1, "many"))
    await files.read()
    book = PgRejects(files.record.pool)
    (kept,) = await book.those()
    await book.decide(kept.id, RejectState.ASIDE, "Li", files.clock.now(), "typed")
    (files.folder / "tue-report.csv").write_text(HEAD + row(0) + row(1, "many") + row(2))
    await files.read()
    (same,) = await files.record.rejects()
    assert (same["state"], same["times"]) == ("aside", 2)


async def test_a_file_that_cannot_be_moved_is_told_and_the_others_are_taken(
    files: FilesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a share, one that somebody has open in a spreadsheet program."""
    for n in range(3):
        (files.folder / f"{n}-report.csv").write_text(HEAD + row(n))
    moved = Path.replace

    def open_elsewhere(path: Path, target: Any) -> Path:
        if path.name == "0-report.csv":
            raise PermissionError(13, "Permission denied")
        return moved(path, target)

    monkeypatch.setattr(Path, "replace", open_elsewhere)
    for _ in range(2):
        with pytest.raises(SourceRefused, match=r"0-report.csv cannot be moved to .*: Permission denied"):
            await files.read()
    assert await goods(files) == {"R-0": 3, "R-1": 3, "R-2": 3}
    assert names(files.folder) == ["0-report.csv"]
    monkeypatch.undo()
    await files.read()
    assert names(files.folder / "done") == ["0-report.csv", "1-report.csv", "2-report.csv"]
