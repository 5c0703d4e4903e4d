"""What sources took lately lies beside their samples: on the disk with them, and there when they are gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hub.bus.recent import KEPT_BYTES
from hub.bus.spool import DiskRefuses, Spool
from hub.bus.spool_file import PAGE_BYTES
from hub.model.packing import packed
from hub.model.recent import Recent
from hub.testing.clock import NOON

LIMIT = 1_000_000


def test_what_was_taken_lately_is_known_after_a_kill_and_a_trim(tmp_path: Path) -> None:
    living = Spool(tmp_path / "spool", LIMIT)
    living.append(b"one", NOON, [("mqtt", Recent(b"aaaa", b"1"))])
    living.append(b"two", NOON, [("mqtt", Recent(b"bbbb", b"2", b"all")), ("other", Recent(b"c"))])
    living.append(b"three", NOON)
    living.trim(3)
    shutil.copytree(tmp_path / "spool", tmp_path / "killed")
    living.close()
    then = Spool(tmp_path / "killed", LIMIT)
    assert (then.recent("mqtt"), then.recent("other")) == (Recent(b"aaaabbbb", b"2", b"all"), Recent(b"c"))
    assert then.recent("nobody") == Recent()
    then.append(b"four", NOON, [("mqtt", Recent(b"dddd", b""))])
    assert then.recent("mqtt") == Recent(b"aaaabbbbdddd", b"", b"all")
    then.close()


def test_where_nobody_remembers_the_file_has_no_table_for_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", LIMIT)
    spool.append(b"one", NOON)
    assert spool._file.one("select count(*) from sqlite_master where name = 'recent'") == 0
    assert spool.recent("mqtt") == Recent()
    spool.close()


def test_only_so_much_is_remembered_of_each_source(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 100 * LIMIT)
    spool.append(b"once", NOON, [("rare", Recent(b"rare", b""))])
    some = KEPT_BYTES // 40
    for n in range(80):
        spool.append(b"x", NOON, [("busy", Recent(bytes([n]) * some, b""))])
    kept = spool.recent("busy").readings
    assert KEPT_BYTES <= len(kept) <= KEPT_BYTES * 3 // 2
    assert kept[-1] == 79
    assert spool.recent("rare").readings == b"rare"
    spool.close()


def test_a_disk_that_refuses_samples_remembers_nothing_of_them(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", LIMIT)
    spool._file.db.execute(
        "create trigger full before insert on spool begin select raise(abort, 'full'); end"
    )
    with pytest.raises(DiskRefuses):
        spool.append(b"one", NOON, [("mqtt", Recent(b"aaaa", b"1"))])
    assert spool.recent("mqtt") == Recent()
    spool._file.db.execute("drop trigger full")
    spool.append(b"one", NOON, [("mqtt", Recent(b"aaaa", b"1"))])
    assert spool.recent("mqtt") == Recent(b"aaaa", b"1")
    spool.close()


def test_what_can_be_read_of_a_damaged_file_is_remembered(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", LIMIT)
    bodies = [bytes([n]) * 9_000 for n in range(20)]
    for n, body in enumerate(bodies):
        spool.append(body, NOON, [("mqtt", Recent(bytes([n]) * 8, b"1"))])
    spool.close()
    with (tmp_path / "spool" / "spool.db").open("r+b") as file:
        at = file.read().rindex(packed(bodies[9])[:64])
        file.seek(at - at % PAGE_BYTES)
        file.write(b"\xa5" * PAGE_BYTES)
    then = Spool(tmp_path / "spool", LIMIT)
    assert then.damaged
    assert then.recent("mqtt") == Recent(b"".join(bytes([n]) * 8 for n in range(20)), b"1")
    then.close()
