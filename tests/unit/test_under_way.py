from __future__ import annotations

from collectors.mqtt_message import Message
from collectors.under_way import UnderWay


def sent(number: int, payload: str = "5", *, again: bool = False, topic: str = "a") -> Message:
    return Message(topic, payload.encode(), 1, False, again, number)


def took(under_way: UnderWay, *messages: Message, acknowledged: int = 1) -> list[bool]:
    """Whether each was known; all of them are in the house and acknowledged afterwards."""
    known = [under_way.has(m) for m in messages]
    under_way.taken([m.number for m in messages], acknowledged)
    return known


def test_what_the_broker_says_it_sends_again_is_known_by_number_topic_and_content() -> None:
    under_way = UnderWay()
    assert took(under_way, sent(1), sent(2)) == [False, False]
    again = [sent(1, again=True), sent(2, "6", again=True), sent(3, again=True)]
    assert [under_way.resumed().has(m) for m in again] == [True, False, False]
    assert not under_way.has(sent(1, again=True, topic="b"))


def test_a_number_that_the_broker_gives_to_another_message_is_that_one() -> None:
    under_way = UnderWay()
    took(under_way, sent(1, "5"))
    took(under_way, sent(1, "6"), acknowledged=2)
    assert [under_way.has(sent(1, "6", again=True)), under_way.has(sent(1, "5", again=True))] == [True, False]


def test_the_same_content_without_the_word_again_is_another_message() -> None:
    under_way = UnderWay()
    took(under_way, sent(1))
    assert not under_way.has(sent(1))


def test_what_the_broker_has_confirmed_it_does_not_send_again() -> None:
    under_way = UnderWay()
    took(under_way, sent(1), acknowledged=1)
    took(under_way, sent(2), acknowledged=2)
    under_way.confirmed(1)
    assert [under_way.has(sent(1, again=True)), under_way.has(sent(2, again=True))] == [False, True]


def test_what_the_house_refused_is_taken_when_it_comes_again() -> None:
    under_way = UnderWay()
    assert not under_way.has(sent(1))
    assert not under_way.resumed().has(sent(1, again=True))


def test_a_repeat_that_is_acknowledged_again_may_come_once_more_until_that_is_confirmed() -> None:
    under_way = UnderWay()
    took(under_way, sent(1), acknowledged=7)
    under_way.resumed()
    under_way.confirmed(0)
    assert took(under_way, sent(1, again=True), acknowledged=1) == [True]
    assert under_way.has(sent(1, again=True))
    under_way.confirmed(1)
    assert not under_way.has(sent(1, again=True))


def test_the_next_process_knows_what_was_kept_with_the_samples() -> None:
    before = UnderWay()
    took(before, sent(1))
    assert not before.has(sent(2))
    kept = before.kept  # as it goes with the second's samples: killed before it is acknowledged
    after = UnderWay()
    after.recall(kept + b"half")
    assert took(after, sent(1, again=True), sent(2, again=True), sent(3, again=True)) == [True, True, False]


def test_of_an_old_connection_nothing_is_sent_again_once_this_one_is_confirmed() -> None:
    under_way = UnderWay()
    took(under_way, sent(1), sent(2))
    under_way.resumed()
    took(under_way, sent(2, again=True), sent(3), acknowledged=1)
    under_way.confirmed(1)
    assert under_way.kept == b""
