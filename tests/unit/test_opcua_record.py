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
    """Told without having been on their way."""
    handles, values, times = (np.array(column) for column in zip(*rows, strict=True))
    book.note(handles, values, np.zeros(len(rows), np.uint32), times, int(times.max()))


def overtaken(book: Book, at: int, *rows: tuple[int, float, int]) -> list[tuple[int, int]]:
    """(row, time of now in seconds) of what comes in one answer at this second."""
    handles, values, times = (np.array(column) for column in zip(*rows, strict=True))
    statuses = np.zeros(len(rows), np.uint32)
    late, now = book.overtaken(handles, values, statuses, times * SECOND, at * SECOND)
    return [(r, t // SECOND) for r, t in zip(late.tolist(), now.tolist(), strict=True)]


def learn(book: Book, at: float, *rows: tuple[int, float]) -> None:
    handles, times = (np.array(column) for column in zip(*rows, strict=True))
    book.learn(handles, (times * SECOND).astype(np.int64), int(at * SECOND))


def due(book: Book, at: int) -> list[int]:
    return book.due(at)[0].tolist()


def test_a_value_is_said_again_as_late_as_is_safe() -> None:
    book = Book(np.array([10 * SECOND, 2 * SECOND]), keep_alive=1.0)
    note(book, (0, 0.0, 100 * SECOND), (1, 0.0, 100 * SECOND))
    assert due(book, 100 * SECOND + 999_999) == []
    assert due(book, 101 * SECOND) == [1], "half of two seconds"
    assert due(book, 106 * SECOND - 1) == [1]
    assert due(book, 106 * SECOND) == [0, 1], "four fifths of ten less two answers"
    book.say_soon(np.array([0]), 99 * SECOND)
    assert due(book, 100 * SECOND) == [0]


def lags(*ways: float, age: float = 0) -> list[float]:
    """What the lag of a tag that may be silent for ten seconds is taken for after words that were so long on
    their way; the first one is so old."""
    book, found = Book(np.array([10 * SECOND]), keep_alive=1.0), []
    for n, way in enumerate((age, *ways)):
        learn(book, 1000 + 100 * n + way, (0, 1000 + 100 * n))
        note(book, (0, float(n), (1000 + 100 * n) * SECOND))
        at = 1060 + 100 * n
        _, [told] = book.due(at * SECOND)
        found.append(at - told / SECOND)
    return found[1:]


def test_what_is_said_again_leaves_room_for_a_change_that_is_as_long_on_its_way_as_the_last_ones() -> None:
    assert lags(4, 4, 4) == [4, 4, 4]
    assert lags(4, 0, 0) == [4, 3.5, 3.0625], "some are on their way for longer than others"


def test_more_than_a_tag_has_patience_for_counts_only_if_it_was_so_twice() -> None:
    assert lags(30, 0, 30, 30, 30) == [6, 5.25, 6, 30, 30], "one straggler makes no slow source"
    assert lags(30, 30, 0, 0) == [6, 30, 26.25, 6], "and no slow one is slow for ever"
    assert lags(30, 30, age=40) == [30, 30], "the first word may have been"
    assert lags(70, 70, 70, age=70) == [0, 0, 0], "a clock is wrong"


def test_what_is_told_again_was_not_on_its_way_since_its_first_word() -> None:
    book = Book(np.array([60 * SECOND]), keep_alive=1.0)
    note(book, (0, 1.0, 100 * SECOND))
    learn(book, 100, (0, 100))
    learn(book, 130, (0, 100))
    assert (book.due(150 * SECOND)[1] / SECOND).tolist() == [150]


def test_a_node_that_has_not_changed_yet_is_as_far_behind_as_the_soonest_word_of_any() -> None:
    book = Book(np.array([60 * SECOND] * 3), keep_alive=1.0)
    learn(book, 100, (0, 95), (1, 20), (2, 97))
    note(book, (0, 1.0, 95 * SECOND), (1, 1.0, 20 * SECOND))
    assert (book.due(110 * SECOND)[1] / SECOND).tolist() == [107]
    again = Book(np.array([60 * SECOND] * 3), keep_alive=1.0)
    again.as_before(book)
    learn(again, 200, (0, 200))
    note(again, (0, 1.0, 200 * SECOND))
    assert (again.due(260 * SECOND)[1] / SECOND).tolist() == [257], "as on the connection before"


def test_what_is_ahead_of_its_source_is_said_right_behind_that_so_that_it_is_not_taken_for_silent() -> None:
    book = Book(np.array([10 * SECOND]), keep_alive=1.0)
    book.note(np.array([0]), np.ones(1), np.zeros(1, np.uint32), np.array([160 * SECOND]), 100 * SECOND)
    assert due(book, 105 * SECOND) == []
    rows, times = book.due(106 * SECOND)
    assert (rows.tolist(), times.tolist()) == ([0], [160 * SECOND + 1])


def test_what_was_lost_is_said_after_the_mark_of_that() -> None:
    book = Book(np.array([60 * SECOND]), keep_alive=1.0)
    learn(book, 100, (0, 90))
    note(book, (0, 1.0, 90 * SECOND))
    book.say_since(95 * SECOND)
    assert book.due(100 * SECOND)[1].tolist() == [95 * SECOND + 1]
    assert book.due(120 * SECOND)[1].tolist() == [110 * SECOND]


def test_a_change_from_before_the_old_value_was_said_again_is_said_behind_that() -> None:
    book = Book(np.array([60 * SECOND] * 3), keep_alive=1.0)
    note(book, (0, 1.0, 100 * SECOND), (1, 1.0, 100 * SECOND))
    assert overtaken(book, 101, (0, 1.0, 90), (1, 1.0, 100), (2, 5.0, 3)) == [], "no news, and a first word"
    several = overtaken(book, 110, (0, 5.0, 91), (1, 1.0, 99), (0, 1.0, 94))
    assert several == [(0, 107), (2, 110)], "it was another one for three seconds, and is the old one again"
    assert [t for _, t in overtaken(book, 100, (0, 5.0, 40), (0, 6.0, 90))] == [100, 100]
    learn(book, 110, (0, 91))
    learn(book, 111, (0, 94))
    assert overtaken(book, 111, (0, 5.0, 94)) == [(0, 100)], "nor is it ahead of what its source says next"


def test_what_is_over_in_the_same_answer_is_said_before_its_end() -> None:
    book = Book(np.array([60 * SECOND] * 3), keep_alive=1.0)
    note(book, (0, 1.0, 100 * SECOND))
    assert overtaken(book, 120, (1, 7.0, 101), (0, 5.0, 99), (0, 6.0, 110)) == [(1, 100)]
    assert overtaken(book, 120, (0, 6.0, 110), (0, 5.0, 99)) == [(1, 120)], "the clock was set back"
    learn(book, 120, (0, 100))
    assert overtaken(book, 120, (0, 6.0, 110), (0, 5.0, 99)) == [(1, 110)], "which is behind what was told"


def test_what_was_told_by_a_clock_that_was_ahead_is_of_now_at_most() -> None:
    book = Book(np.array([60 * SECOND] * 2), keep_alive=1.0)
    note(book, (0, 1.0, 300 * SECOND))
    book.not_after(100 * SECOND)
    assert overtaken(book, 110, (0, 2.0, 105), (1, 2.0, 1)) == []
    assert due(book, 158 * SECOND) == [0]
    learn(book, 300, (0, 300))
    book.not_after(100 * SECOND)
    learn(book, 115, (0, 105))
    assert (book.due(158 * SECOND)[1] / SECOND).tolist() == [148], "and what comes by it now shows its lag"


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
