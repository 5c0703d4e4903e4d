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


def note(book: Book, *rows: tuple[int, float, int]) -> None:
    handles, values, times = (np.array(column) for column in zip(*rows, strict=True))
    book.note(handles, values, np.zeros(len(rows), np.uint32), times)


def overtaken(book: Book, at: int, *rows: tuple[int, float, int]) -> list[tuple[int, int]]:
    """(row, time of now in seconds) of what comes in one answer at this second."""
    handles, values, times = (np.array(column) for column in zip(*rows, strict=True))
    statuses = np.zeros(len(rows), np.uint32)
    late, now = book.overtaken(handles, values, statuses, times * SECOND, at * SECOND)
    return [(r, t // SECOND) for r, t in zip(late.tolist(), now.tolist(), strict=True)]


def due(book: Book, at: int) -> list[int]:
    return book.due(at)[0].tolist()


def test_a_value_is_said_again_as_late_as_is_safe() -> None:
    book = Book(np.array([10 * SECOND, 2 * SECOND]), keep_alive=1.0)
    note(book, (0, 0.0, 100 * SECOND), (1, 0.0, 100 * SECOND))
    assert due(book, 100 * SECOND + 999_999) == []
    assert due(book, 101 * SECOND) == [1], "half of two seconds"
    assert due(book, 106 * SECOND - 1) == [1]
    assert due(book, 106 * SECOND) == [0, 1], "four fifths of ten less two answers"
    book.say_soon(np.array([0]))
    assert due(book, 100 * SECOND) == [0]


def test_what_is_said_again_leaves_room_for_a_change_that_is_as_long_on_its_way_as_the_last_one() -> None:
    book = Book(np.array([60 * SECOND] * 2), keep_alive=1.0)
    note(book, (0, 1.0, 100 * SECOND), (1, 1.0, 100 * SECOND))
    assert overtaken(book, 110, (0, 2.0, 105)) == []
    note(book, (0, 2.0, 105 * SECOND))
    rows, times = book.due(160 * SECOND)
    assert (rows.tolist(), (times // SECOND).tolist()) == ([0, 1], [155, 160])


def test_a_change_from_before_the_old_value_was_said_again_is_said_of_now() -> None:
    book = Book(np.array([60 * SECOND] * 3), keep_alive=1.0)
    note(book, (0, 1.0, 100 * SECOND), (1, 1.0, 100 * SECOND))
    assert overtaken(book, 101, (0, 1.0, 90), (1, 1.0, 100), (2, 5.0, 3)) == [], "no news, and a first word"
    assert overtaken(book, 101, (1, 7.0, 101), (0, 5.0, 99), (0, 6.0, 101)) == [(1, 101)]
    several = overtaken(book, 110, (0, 5.0, 91), (1, 1.0, 99), (0, 1.0, 94))
    assert several == [(0, 107), (2, 110)], "it was another one for three seconds, and is the old one again"
    assert [t for _, t in overtaken(book, 100, (0, 5.0, 40), (0, 6.0, 90))] == [100, 100]


def test_what_was_told_by_a_clock_that_was_ahead_is_of_now_at_most() -> None:
    book = Book(np.array([60 * SECOND] * 2), keep_alive=1.0)
    note(book, (0, 1.0, 300 * SECOND))
    book.not_after(100 * SECOND)
    assert overtaken(book, 110, (0, 2.0, 105), (1, 2.0, 1)) == []
    assert due(book, 158 * SECOND) == [0]


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
