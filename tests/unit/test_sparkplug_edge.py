"""An edge node's life as its host sees it: order, births, deaths, doubt, and when births are asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from collectors.source_times import UNCERTAIN_LAST_USABLE
from collectors.sparkplug_edge import NODE, Absent, Edge, Patience, Stale, Told, Value, Verb
from collectors.sparkplug_payload import Payload, parsed
from collectors.sparkplug_rows import GOOD_ENTRY_INSERTED, Row, Rows
from hub.model.batch import SampleBatch
from hub.model.sample import BAD_NO_COMMUNICATION
from tests.simulators.sparkplug.wire import UINT64, Entry, payload

AT = 1_777_000_000_000
A, B, D = 0, 1, 2  # rows
WANTED = {NODE: {"a": A, "b": B}, "dev": {"d": D}}


def msg(seq: int | None, *entries: Entry, at: int = AT) -> Payload:
    return parsed(payload(at, seq, entries))


def data(seq: int, value: float, alias: int = 1, at: int = AT) -> Payload:
    return msg(seq, Entry(alias=alias, value=value, told_kind=False, at=at), at=at)


def birth(session: int = 1, seq: int = 0, a: int = 1, b: int = 2, at: int = AT) -> Payload:
    bd = Entry("bdSeq", kind=UINT64, value=session)
    return msg(seq, bd, Entry("a", a, value=1.0), Entry("b", b, value=2.0), at=at)


def edge(**more: float) -> Edge:
    return Edge(WANTED, Patience(**more), 0.0)  # type: ignore[arg-type]


def born(**more: float) -> Edge:
    one = edge(**more)
    one.take("NBIRTH", NODE, birth(), 0)
    one.take("DBIRTH", "dev", msg(1, Entry("d", 3, value=3.0)), 0)
    return one


def values(told: Sequence[Told]) -> list[tuple[int, float]]:
    return [(t.row, t.metric.raw) for t in told if isinstance(t, Value)]


def stale(told: Sequence[Told]) -> list[int]:
    return [row for t in told if isinstance(t, Stale) for row in t.rows]


def test_messages_in_any_order_within_the_window_are_told_in_theirs() -> None:
    chance = random.Random(3)
    for _ in range(50):
        one, order = born(), list(range(2, 12))
        chance.shuffle(order)
        told = [t for seq in order for t in one.take("NDATA", NODE, data(seq, seq), 0.1)]
        assert values(told) == [(A, seq) for seq in range(2, 12)]
        assert not one.ask(1)


def test_numbers_begin_again_after_255_and_a_repeat_is_told_once() -> None:
    one = born()
    told: list[Told] = []
    for n in range(2, 700):
        told += one.take("NDATA", NODE, data(n % 256, n), 0)
        told += one.take("NDATA", NODE, data(n % 256, n), 0)
    assert values(told) == [(A, n) for n in range(2, 700)]


@pytest.mark.parametrize("lost", [127, 128, 150, 200, 253])
def test_a_gap_of_half_a_round_and_more_is_a_gap_and_no_repeat(lost: int) -> None:
    one = born(reorder=2)
    for n in range(2, 300):
        one.take("NDATA", NODE, data(n % 256, n, at=AT + n), n * 0.01)
    first = 300 + lost
    for n in range(first, first + 50):
        told = one.take("NDATA", NODE, data(n % 256, n, at=AT + n), 4 + n * 0.01)
        told += one.tick(4 + n * 0.01)
    one.tick(60)
    assert (one.gaps > 0, one.doubt, one.ask(60)) == (True, True, True)


def test_a_repeat_and_a_message_from_before_the_birth_open_no_gap() -> None:
    one = born(reorder=2)
    for n in range(2, 200):
        one.take("NDATA", NODE, data(n, n, at=AT + n), 0)
    assert not one.take("NDATA", NODE, data(150, 150, at=AT + 150), 0)
    assert not one.take("NDATA", NODE, data(100, 1, at=AT - 500), 0.1)
    one.tick(9)
    assert (one.gaps, one.doubt) == (0, False)


def test_a_gap_asks_for_a_birth_only_when_the_window_is_over() -> None:
    one = born(reorder=2)
    assert one.take("NDATA", NODE, data(3, 9), 1) == []
    assert (one.tick(2.9), one.ask(2.9)) == ([], False)
    one.tick(3.1)
    assert one.ask(3.1)
    assert one.gaps == 1


def test_in_doubt_an_alias_is_not_guessed_and_a_name_is_taken() -> None:
    one = born(reorder=0)
    one.take("NDATA", NODE, data(3, 9), 1)
    told = one.tick(1)
    assert values(told) == []
    assert values(one.take("NDATA", NODE, msg(9, Entry("b", value=7.0)), 1)) == [(B, 7)]
    told = one.take("NBIRTH", NODE, birth(), 2)
    assert values(told) == [(A, 1), (B, 2), (A, 9)]
    assert [t.past for t in told if isinstance(t, Value)] == [False, False, True]


def test_what_waited_is_dropped_when_its_alias_means_something_else_now() -> None:
    one = born(reorder=0)
    one.take("NDATA", NODE, data(3, 9), 1)
    one.tick(1)
    assert values(one.take("NBIRTH", NODE, birth(a=2, b=1), 2)) == [(A, 1), (B, 2)]
    assert one.dropped == 1


@pytest.mark.parametrize("dead_between", [False, True])
def test_what_waited_is_dropped_when_another_session_answers(dead_between: bool) -> None:
    """A birth that was lost between the two may have said something else."""
    one = born(reorder=0)
    one.take("NDATA", NODE, data(3, 9), 1)
    one.tick(1)
    if dead_between:
        one.take("NDEATH", NODE, death(1), 2)
    assert values(one.take("NBIRTH", NODE, birth(2), 2)) == [(A, 1), (B, 2)]
    assert one.dropped == 1


def test_a_message_that_its_nodes_next_birth_has_overtaken_is_left_out() -> None:
    one = born()
    assert one.take("NDATA", NODE, data(3, 9, at=AT - 10), 0.1) == []
    assert values(one.take("NDATA", NODE, data(2, 5), 0.2)) == [(A, 5)]
    assert values(one.take("NDATA", NODE, data(3, 6), 0.3)) == [(A, 6)]
    assert not one.ask(0.3)


def test_a_number_that_fits_by_chance_after_a_lost_birth_is_not_believed() -> None:
    one = born()
    told = [t for n in (2, 3) for t in one.take("NDATA", NODE, data(n, n), 0.1)]
    again = [t for n in (1, 2, 3, 4) for t in one.take("NDATA", NODE, data(n, n, at=AT + 100 + n), 0.2)]
    assert (values(told), again) == ([(A, 2), (A, 3)], [])
    assert values(one.tick(3)) == []
    assert one.doubt
    assert one.ask(3)


def test_of_two_births_in_the_wrong_order_none_is_believed_until_the_node_says_it_again() -> None:
    one = born()
    assert one.take("NBIRTH", NODE, birth(a=2, b=1, at=AT - 10), 0.1) == []
    assert values(one.take("NDATA", NODE, data(2, 5), 0.2)) == []
    assert one.ask(0.2)
    assert values(one.take("NBIRTH", NODE, birth(at=AT + 300), 0.3)) == [(A, 1), (B, 2), (A, 5)]


def test_doubt_that_no_birth_ends_turns_everything_bad_once() -> None:
    one = born(reorder=0, ask_every=10)
    one.take("NDATA", NODE, data(3, 9), 1)
    one.tick(1)
    assert stale(one.tick(10.9)) == []
    assert stale(one.tick(11.1)) == [A, B, D]
    assert stale(one.tick(12)) == []
    assert values(one.take("NBIRTH", NODE, birth(), 13))[:2] == [(A, 1), (B, 2)]


def test_a_node_that_numbers_wrongly_can_be_taken_as_it_is() -> None:
    one = Edge(WANTED, Patience(sequence=False), 0)
    one.take("NBIRTH", NODE, birth(), 0)
    assert values([t for s in (7, 3, 3) for t in one.take("NDATA", NODE, data(s, s), 0)]) == [
        (A, 7),
        (A, 3),
        (A, 3),
    ]


def test_asking_grows_rarer_and_never_stops_within_a_storm_of_births() -> None:
    one, asked = born(reorder=0, ask_every=10), []
    for tenth in range(6000):
        now = tenth / 10
        one.take("NDATA", NODE, data(100, 9), now)  # a node whose numbers are always wrong
        one.tick(now)
        if one.ask(now):
            asked.append(now)
            one.take("NBIRTH", NODE, birth(), now)
    assert 8 <= len(asked) <= 13
    assert all(later - sooner >= 10 for sooner, later in pairwise(asked))


def test_a_death_ends_only_its_own_session() -> None:
    one = born()
    old = msg(None, Entry("bdSeq", kind=UINT64, value=0))
    assert one.take("NDEATH", NODE, old, 1) == []
    own = msg(None, Entry("bdSeq", kind=UINT64, value=1))
    assert stale(one.take("NDEATH", NODE, own, 1)) == [A, B, D]
    assert one.take("NDEATH", NODE, own, 1) == []
    assert values(one.take("NDATA", NODE, data(2, 5), 2)) == []
    one.tick(100)
    assert one.ask(100)  # it speaks and was never born


def test_an_alias_of_an_earlier_birth_means_nothing_any_more() -> None:
    one = born()
    one.take("NBIRTH", NODE, birth(a=7, b=8), 1)
    assert values(one.take("NDATA", NODE, data(1, 5, alias=1), 1)) == []
    assert one.ask(1)
    assert values(one.take("NDATA", NODE, data(2, 6, alias=7), 1)) == [(A, 6)]


def test_a_node_that_counts_aliases_anew_for_each_device_is_understood() -> None:
    one = born()
    one.take("DBIRTH", "dev", msg(2, Entry("d", 1, value=3.0)), 1)
    assert values(one.take("NDATA", NODE, data(3, 5, alias=1), 1)) == [(A, 5)]
    assert values(one.take("DDATA", "dev", data(4, 6, alias=1), 1)) == [(D, 6)]
    one.take("DDEATH", "dev", msg(5), 1)
    assert values(one.take("NDATA", NODE, data(6, 7, alias=1), 1)) == [(A, 7)]
    assert not one.ask(1)


def death(session: int) -> Payload:
    return msg(None, Entry("bdSeq", kind=UINT64, value=session))


def test_a_dead_node_is_left_in_peace() -> None:
    one = born()
    one.take("NDEATH", NODE, death(1), 500)
    assert one.tick(1000) == []
    assert not one.ask(1000)


def test_a_death_that_names_no_session_counts_and_is_asked_about_once() -> None:
    """Perhaps somebody deleted what the broker had kept: then the node lives and answers."""
    one = born()
    assert stale(one.take("NDEATH", NODE, msg(None), 500)) == [A, B, D]
    assert one.ask(500)
    assert not any(one.ask(at) for at in range(501, 1000))
    assert values(one.take("NBIRTH", NODE, birth(1), 1000)) == [(A, 1.0), (B, 2.0)]


def test_a_node_that_dies_soon_after_its_birth_is_asked_once_for_it_may_be_an_older_will() -> None:
    """A node that numbers all its sessions alike, started again before the broker noticed its end."""
    one = born()
    assert stale(one.take("NDEATH", NODE, death(1), 20)) == [A, B, D]
    assert one.ask(20)
    assert not any(one.ask(at) for at in range(21, 1000))
    assert values(one.take("NBIRTH", NODE, birth(), 1000)) == [(A, 1.0), (B, 2.0)]
    assert not one.ask(1000)


def test_a_death_with_a_number_of_no_session_counts_when_no_birth_contradicts_it() -> None:
    """Of a birth that was lost, or of a node that counts on before it says goodbye."""
    one = born()
    assert one.take("NDEATH", NODE, death(2), 500) == []
    assert one.ask(500)
    assert one.tick(501) == []
    assert stale(one.tick(501.5)) == [A, B, D]
    assert one.tick(600) == []
    assert not one.ask(600)
    assert values(one.take("NBIRTH", NODE, birth(3), 700)) == [(A, 1.0), (B, 2.0)]


@pytest.mark.parametrize("verb", ["NBIRTH", "NDATA"])
def test_a_node_that_speaks_after_such_a_death_lives(verb: Verb) -> None:
    one = born()
    one.take("NDEATH", NODE, death(0), 500)
    one.take(verb, NODE, birth(seq=2 if verb == "NDATA" else 0), 500.5)
    assert not [t for t in one.tick(502) if isinstance(t, Stale) and A in t.rows]
    assert one.born


def test_wills_of_sessions_that_were_seen_to_end_ask_for_nothing() -> None:
    one = born()
    for session in (2, 3):
        one.take("NBIRTH", NODE, birth(session), session)
    for session in (1, 2):
        assert one.take("NDEATH", NODE, death(session), 4) == []
    assert not one.ask(4)
    assert not [t for t in one.tick(6) if isinstance(t, Stale) and A in t.rows]


def test_a_node_whose_deaths_count_one_behind_its_births_dies_in_its_second_session_too() -> None:
    """As Tahu's Python code numbers them: the same number then as of the session that is over."""
    one = born()
    one.take("NDEATH", NODE, death(0), 500)
    assert stale(one.tick(501.5)) == [A, B, D]
    for session, at in ((2, 600), (3, 700)):
        one.take("NBIRTH", NODE, birth(session), at)
        assert stale(one.take("NDEATH", NODE, death(session - 1), at + 10)) == [A, B, D]
    one.take("NBIRTH", NODE, birth(4), 800)
    assert stale(one.take("NDEATH", NODE, death(4), 810)) == [A, B, D]  # it was mended
    one.take("NBIRTH", NODE, birth(5), 820)
    assert one.take("NDEATH", NODE, death(4), 830) == []


def test_an_old_number_long_after_a_birth_is_a_death_when_no_birth_contradicts_it() -> None:
    """Of a node that counts its births, not its sessions."""
    one = born()
    one.take("NBIRTH", NODE, birth(2), 100)
    one.take("NBIRTH", NODE, birth(3), 200)
    one.tick(300)
    assert one.take("NDEATH", NODE, death(1), 400) == []
    assert one.ask(400)
    assert stale(one.tick(401.5)) == [A, B, D]


def test_a_device_dies_alone_and_one_that_is_not_born_again_turns_bad() -> None:
    one = born(reorder=2)
    assert stale(one.take("DDEATH", "dev", msg(2), 1)) == [D]
    assert values(one.take("DDATA", "dev", data(3, 5, alias=3), 1)) == []
    one = born(reorder=2)
    one.take("NBIRTH", NODE, birth(), 5)
    assert stale(one.tick(6)) == []
    assert stale(one.tick(7)) == [D]
    assert not one.ask(7)  # a device may be switched off: that is no reason for births without end


def test_a_metric_that_its_birth_does_not_have_is_told_with_its_name() -> None:
    one = edge()
    told = one.take("NBIRTH", NODE, msg(0, Entry("a", 1, value=1.0)), 0)
    assert told[1] == Absent([B])
    assert "no metric b" in one.complaints[0]


def test_data_before_the_birth_that_they_overtook_are_told_after_it() -> None:
    one = edge()
    assert one.take("NDATA", NODE, data(1, 9), 0) == []
    assert values(one.take("NBIRTH", NODE, birth(), 0.1)) == [(A, 1), (B, 2), (A, 9)]


def test_a_node_that_falls_silent_is_asked_and_counts_as_dead_when_it_never_answers() -> None:
    one, fell, asked = born(silence=60, ask_every=10), 0.0, 0
    for now in range(1, 400):
        if stale(one.tick(now)):
            fell = now
            break
        asked += one.ask(now)
    assert asked == 3
    assert 60 < fell < 200
    alive = born(silence=60)
    alive.tick(61)
    assert alive.ask(61)
    alive.take("NDATA", NODE, data(2, 1), 62)  # it cannot give births, but it lives
    assert (stale(alive.tick(110)), alive.ask(110)) == ([], False)


def test_nothing_that_comes_is_an_exception() -> None:
    chance = random.Random(11)
    verbs = ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH")
    for _ in range(60):
        one = edge(reorder=1)
        for step in range(200):
            kind = chance.choice(verbs)
            entries = [
                Entry(chance.choice(("", "a", "d", "bdSeq")), chance.choice((None, 1, 2, 3)), value=1.0)
                for _ in range(chance.randrange(3))
            ]
            device = chance.choice(("dev", "other")) if kind[0] == "D" else NODE
            one.take(kind, device, msg(chance.choice((None, step % 256, 0, 255, 999)), *entries), step / 10)  # type: ignore[arg-type]
            one.tick(step / 10)
            one.ask(step / 10)
        assert len(one._held) <= 2000
        assert len(one._early) <= 65


# ------------------------------------------------------------------ rows
US = AT * 1000


def rows() -> Rows:
    return Rows([Row(n + 1, 1.0, 0.0, {}, 5_000_000, 0) for n in range(3)], 1, "s")


def test_a_value_that_holds_is_said_again_at_the_nodes_own_time() -> None:
    one, told = rows(), born_values()
    one.heard(0, US - 9_000_000, US, 0)  # its clock is nine seconds slow
    one.put(told, 0, US, 0)
    [first] = one.take(0)
    assert one.take(2.4) == []
    [again] = one.take(2.6)
    assert list(again.values) == list(first.values)
    assert set(np.unique(again.source_times)) == {US - 9_000_000 + 2_600_000}
    assert one.take(10, silent=[0]) == []


def born_values() -> list[Value]:
    metrics = birth().metrics[1:]
    return [Value(n, m, 10, US - 9_000_000, birth=True) for n, m in enumerate(metrics)]


def test_a_birth_tells_how_it_is_now_even_with_a_time_from_before_the_death() -> None:
    one, told = rows(), born_values()
    one.heard(0, US, US, 0)
    one.put(told, 0, US, 0)
    one.put([Stale([A, B], "died")], 0, US, 1)
    one.put(told, 0, US, 2)
    [batch] = one.take(2)
    of_a = [
        (int(t), int(s))
        for t, s, n in zip(batch.source_times, batch.statuses, batch.tags, strict=True)
        if n == 1
    ]
    assert [s for _, s in of_a] == [0, BAD_NO_COMMUNICATION, 0]
    assert [t for t, _ in of_a] == [US - 9_000_000, US + 1_000_000, US + 2_000_000]
    one.put([Stale([A, B], "died")], 0, US, 3)
    one.take(3)
    assert one.take(60) == []  # nobody speaks for them: they are not said again


def test_history_comes_after_a_newer_word_of_the_present() -> None:
    one, told = rows(), born_values()
    one.heard(0, US, US, 0)
    one.put(told, 0, US, 0)
    one.take(0)
    old = [replace_past(told[0], US - 7200_000_000 + n) for n in range(3)]
    late = replace_past(told[0], US + 500_000)  # newer than the last word of it
    one.put([*old, late], 0, US, 1)
    present, past = one.take(1)
    assert list(past.statuses) == [GOOD_ENTRY_INSERTED] * 4
    assert int(present.source_times.max()) > int(past.source_times.max())
    assert list(present.tags) == [1]


def test_history_that_its_node_sends_anew_is_told_once() -> None:
    one, first = rows(), born_values()[0]
    nothing = first.metric._replace(null=True)
    old = [
        replace_past(first, US - 7200_000_000),
        replace_past(first, US - 7100_000_000)._replace(metric=nothing),
    ]
    timeless = replace_past(first, 0)
    one.heard(0, US, US, 0)
    one.put([*old, timeless], 0, US, 0)
    more = replace_past(first, US - 7000_000_000)
    one.put([*old, more, timeless], 0, US, 0)
    past = one.take(0)[-1]
    assert list(past.source_times - US) == [-7200_000_000, -7100_000_000, 0, -7000_000_000, 0]


def change(value: float, at: int) -> Value:
    return Value(A, data(2, value).metrics[0], 10, at)


def told_of_a(batches: Sequence[SampleBatch]) -> list[tuple[float, float, int]]:
    """(seconds since US, value, status), in the order in which the house has it."""
    return [
        (round(float(t - US) / 1e6, 3), float(v), int(s))
        for b in batches
        for n, t, v, s in zip(b.tags, b.source_times, b.values, b.statuses, strict=True)
        if n == A + 1
    ]


def test_a_change_that_was_on_its_way_while_the_old_value_was_said_again_is_told_of_now() -> None:
    """Captured at 2.5, said again at 2.6, published at 3: some edges gather for a second."""
    one = rows()
    one.heard(0, US, US, 0)
    one.put(born_values()[:1], 0, US, 0)
    one.take(0)
    assert told_of_a(one.take(2.6)) == [(2.6, 1.0, 0)]
    one.heard(0, US + 3_000_000, US, 3)
    one.put([change(7.0, US + 2_500_000)], 0, US, 3)
    assert told_of_a(one.take(3)) == [(2.6, 7.0, 0), (2.5, 7.0, 0)], "after what was told, and when it was"
    assert told_of_a(one.take(5.6)) == [(5.1, 7.0, 0)]


def test_what_is_said_again_leaves_room_for_what_is_on_its_way_as_long_as_the_last_change_was() -> None:
    one = rows()
    one.heard(0, US, US, 0)
    one.put(born_values()[:1], 0, US, 0)
    one.heard(0, US + 1_000_000, US, 1)
    one.put([change(7.0, US + 200_000)], 0, US, 1)
    one.take(1)
    assert told_of_a(one.take(2.8)) == [(2.0, 7.0, 0)]
    one.heard(0, US + 2_900_000, US, 2.9)
    one.put([change(8.0, US + 2_300_000)], 0, US, 2.9)
    assert told_of_a(one.take(2.9)) == [(2.3, 8.0, 0)]


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("lag", [0, 1, 2.5, 4, 10, 30])
def test_a_metric_that_is_always_behind_its_node_is_told_once_and_lives(lag: float, every: int) -> None:
    one, told, told_at = rows(), list[tuple[float, float, int]](), list[int]()
    standing = -lag - 1
    for n in range(130):
        one.heard(0, US + n * 1_000_000, US + n * 1_000_000, n)
        if n % every == 0:
            standing = n - lag
            value = change(standing, US + int(standing * 1_000_000))._replace(birth=n == 0)
            one.put([value], 0, US + n * 1_000_000, n)
        batch = told_of_a(one.take(n))
        told, told_at = told + batch, told_at + [n] * len(batch)
    settled = [(at, value) for at, value, _ in told if value > lag + 2 * every]
    assert [at for at, value in settled if at == value] == sorted({value for _, value in settled})
    assert settled == sorted(set(settled)), "nothing is told past the next change"
    assert all(after - before <= 5 for before, after in pairwise(told_at))
    assert all(n - at <= 5 + lag for n, (at, _, _) in zip(told_at[1:], told, strict=False))


def behind(lag: int, changes: int) -> Rows:
    """A metric that was born at 0, and then had a change at each second, told so many seconds later."""
    one = rows()
    for n in range(changes + 1):
        at = US + (n + lag) * 1_000_000
        one.heard(0, at, at, n + lag)
        one.put([change(float(n), US + n * 1_000_000)._replace(birth=n == 0)], 0, at, n + lag)
        one.take(n + lag)
    return one


def test_a_metric_that_is_behind_is_so_from_its_first_change_on_and_after_another_birth() -> None:
    for changes in (1, 3):
        one = behind(10, changes)
        assert told_of_a(one.take(changes + 22)) == [(changes + 12.0, float(changes), 0)]
        one.put([change(5.0, US)._replace(birth=True)], 0, US, changes + 30)
        assert told_of_a(one.take(changes + 30)) == [(changes + 20.0, 5.0, 0)]


def test_a_metric_that_is_a_minute_behind_has_a_wrong_clock() -> None:
    assert told_of_a(behind(70, 5).take(100))[-1][:2] == (100.0, 5.0)


def test_what_is_said_again_of_a_metric_that_is_behind_comes_after_its_history() -> None:
    one = behind(10, 3)
    one.put([replace_past(change(1.0, 0), US + 11_000_000)], 0, US, 14)
    present, past = one.take(14)
    assert told_of_a([past]) == [(11.0, 1.0, GOOD_ENTRY_INSERTED)]
    assert present.source_times.tolist() == [US + 11_000_001]


def test_a_clock_that_is_set_back_freezes_nothing() -> None:
    one, back = rows(), US - 3_600_000_000
    one.heard(0, US, US, 0)
    one.put([change(1.0, US)], 0, US, 0)
    one.take(0)
    seen: list[tuple[float, float, int]] = []
    for n in range(1, 9):
        one.heard(0, back + n * 1_000_000, US + n * 1_000_000, n)
        one.put([change(10.0 + n // 4, back + n * 1_000_000)], 0, US + n * 1_000_000, n)
        seen += told_of_a(one.take(n))
    assert [v for _, v, _ in seen if v >= 10][:1] == [10] and seen[-1][1] == 12
    assert [t for t, _, _ in seen] == sorted(t for t, _, _ in seen) and 0 < seen[0][0] < seen[-1][0] <= 8
    assert {s for _, v, s in seen if v >= 10} == {UNCERTAIN_LAST_USABLE}, "nobody knows since when"
    assert one.complaints


def test_a_clock_that_is_wrong_is_not_believed_after_a_reconnect_either() -> None:
    one, wrong = rows(), US - 3_600_000_000
    one.heard(0, wrong, US, 0)
    one.put([born_values()[0]._replace(at=wrong)], 0, US, 0)
    one.put([change(7.0, wrong + 1_000_000)], 0, US, 1)
    assert told_of_a(one.take(1)) == [
        (0.0, 1.0, UNCERTAIN_LAST_USABLE),
        (1.0, 7.0, UNCERTAIN_LAST_USABLE),
    ]


def test_what_is_published_again_and_again_with_the_time_of_its_change_is_told_once() -> None:
    one = rows()
    one.heard(0, US, US, 0)
    one.put([change(1.0, US)], 0, US, 0)
    one.take(0)
    told = []
    for n in range(1, 10):
        one.heard(0, US + n * 1_000_000, US, n)
        one.put([change(1.0, US)], 0, US, n)
        told += told_of_a(one.take(n))
    assert [(t, v) for t, v, _ in told] == [(3.0, 1.0), (6.0, 1.0), (9.0, 1.0)], "only said again in time"


def replace_past(told: Told, at: int) -> Value:
    assert isinstance(told, Value)
    return told._replace(at=at, past=True, birth=False)


@pytest.mark.parametrize("told_at", [0, 5_000, US + 999 * 86_400_000_000])
def test_a_clock_that_cannot_be_meant_is_not_believed(told_at: int) -> None:
    one = rows()
    one.heard(0, told_at, US, 0)
    one.put([v._replace(at=told_at) for v in born_values() if isinstance(v, Value)], 0, US, 0)
    [batch] = one.take(0)
    assert set(batch.source_times) == {US}


def test_rows_keep_scale_and_codes() -> None:
    config = [Row(1, 2.0, 1.0, {}, 5_000_000, 0), Row(2, 1.0, 0.0, {"2": 20.0}, 5_000_000, 0)]
    one = Rows(config, 1, "s")
    one.heard(0, US, US, 0)
    one.put(born_values(), 0, US, 0)
    batch, _ = one.take(0)  # the second says again what was told with a time of long ago
    assert list(batch.values) == [3, 20]
    odd = Entry("b", 2, value=9.0)
    one.put([Value(1, msg(0, odd).metrics[0], 10, US + 1)], 0, US, 0)
    [batch] = one.take(0)
    assert np.isnan(batch.values[0])
    assert "not among its codes" in one.complaints[0][1]


def test_a_metric_whose_time_cannot_be_meant_is_not_good_and_is_told_of() -> None:
    one = rows()
    one.heard(0, US, US, 0)
    [first, *_] = [v for v in born_values() if isinstance(v, Value)]
    one.put([first._replace(at=US + 999 * 86_400_000_000)], 0, US, 0)
    [batch] = one.take(0)
    assert list(batch.statuses) == [UNCERTAIN_LAST_USABLE]
    assert "no time that can be meant" in one.complaints[0][1]
