"""What a server tells first after a reconnect: not stored twice, and good again at once."""

from __future__ import annotations

import numpy as np

from collectors.opcua_book import Book
from collectors.opcua_record import Record

SECOND = 1_000_000


def look(record: Record, *rows: tuple[int, float, int, int]) -> tuple[list[bool], list[int]]:
    handles, values, statuses, times = zip(*rows, strict=True)
    known, old = record.look(
        np.array(handles, np.uint32), np.array(values, np.float64), np.array(statuses, np.uint32),
        np.array(times, np.int64),
    )  # fmt: skip
    return known.tolist(), old.tolist()


def connected(taken: bool = True) -> Record:
    record = Record(3)
    assert look(record, (0, 1.5, 0, 100), (1, float("nan"), 0x80310000, 100), (2, 7, 0, 90)) == (
        [False] * 3,
        [],
    )
    if taken:
        record.taken()
    return record.resumed(lost_at=120)


def test_what_is_on_record_is_left_out_once_and_has_to_be_said_again_at_the_present_time() -> None:
    record = connected()
    again = look(record, (0, 1.5, 0, 100), (1, float("nan"), 0x80310000, 100))
    assert again == ([True, True], [0, 1])
    assert look(record, (0, 1.5, 0, 100)) == ([False], []), "the server tells it anew: its business"


def test_another_value_time_or_status_counts() -> None:
    assert look(connected(), (0, 1.6, 0, 100)) == ([False], [0])
    assert look(connected(), (0, 1.5, 0x40900000, 100)) == ([False], [0])
    assert look(connected(), (0, 1.5, 0, 101)) == ([False], [0])
    assert look(connected(), (0, 1.5, 0, 121)) == ([False], []), "newer than the mark: it shows by itself"


def test_what_the_house_did_not_take_is_not_on_record() -> None:
    assert look(connected(taken=False), (0, 1.5, 0, 100)) == ([False], [0])


def test_a_value_is_said_again_as_late_as_is_safe() -> None:
    book = Book(np.array([10 * SECOND, 2 * SECOND]), keep_alive=1.0)
    zero = np.zeros(2)
    book.note(np.array([0, 1]), zero, zero.astype(np.uint32), np.array([100 * SECOND] * 2))
    assert book.due(100 * SECOND + 999_999).tolist() == []
    assert book.due(101 * SECOND).tolist() == [1], "half of two seconds"
    assert book.due(106 * SECOND - 1).tolist() == [1]
    assert book.due(106 * SECOND).tolist() == [0, 1], "four fifths of ten less two answers"
    book.say_soon(np.array([0]))
    assert book.due(100 * SECOND).tolist() == [0]


def test_no_value_that_is_told_at_every_sampling_is_told_once_and_anew_with_another_time_or_status() -> None:
    record, none = Record(3), float("nan")

    def new(*rows: tuple[int, float, int, int]) -> list[bool]:
        handles, values, statuses, times = (np.array(column) for column in zip(*rows, strict=True))
        kept = record.told_once(handles, values, statuses, times)
        record.look(handles[kept], values[kept], statuses[kept], times[kept])
        record.taken()
        return [bool(k) for k in kept]

    assert new((0, none, 0, 100), (1, 5.0, 0, 100), (0, none, 0, 100), (2, none, 0, 100)) == [1, 1, 0, 1]
    assert new((0, none, 0, 100), (1, 5.0, 0, 100), (2, none, 8, 100)) == [0, 1, 1]
    assert new((0, none, 0, 110), (1, none, 0, 100)) == [1, 1]
    record.resumed(lost_at=120)
    assert new((0, none, 0, 110)) == [1], "after a reconnect it has to be said that it holds"
