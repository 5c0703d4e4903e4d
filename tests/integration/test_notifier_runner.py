"""From a committed alarm to the robots and back into the record, over a real PostgreSQL.

As a program it tells what is due and dies where ANDON_FAILPOINTS says: `python -m ... DSN URL`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.claims import LEASE, Claims
from hub.errors import DeliveryRefused, Transient
from hub.model.alarm import Alarm, AlarmState, Priority
from hub.model.equipment import Equipment, EquipmentLevel
from hub.model.intent import Intent, IntentKind
from hub.model.message import Message, Receipt
from hub.model.words import Words
from hub.ports import Notifier, Plant
from hub.store.ledger import PgLedger
from hub.store.outbox import PgOutbox
from hub.store.pool import Pool, open_pool
from hub.testing.clock import NOON, HandClock
from notifiers import channel, runner
from notifiers.dingtalk import DingTalkConfig, DingTalkNotifier
from notifiers.facts import read
from notifiers.runner import NotifierRunner
from notifiers.wecom import WeComConfig, WeComNotifier
from tests.simulators.process import http_server
from tests.simulators.robots.app import Robots
from tests.simulators.robots.inbox import Note

pytestmark = pytest.mark.anyio

KEY, TOKEN, SECRET = "wecom-key", "dingtalk-token", "SECdingtalk"
ROOT = Path(__file__).parents[2]
PLANT = Plant(
    Equipment("p1", EquipmentLevel.SITE, Words("一厂", "Plant 1")),
    {
        "p1/a/l1": Equipment("p1/a/l1", EquipmentLevel.WORK_CENTER, Words("1号线", "Line 1")),
        "p1/a/l2": Equipment("p1/a/l2", EquipmentLevel.WORK_CENTER, Words("2号线", "Line 2")),
        "p1/a/l1/m": Equipment("p1/a/l1/m", EquipmentLevel.WORK_UNIT, Words("压机", "Press")),
        "p1/a/l2/m": Equipment("p1/a/l2/m", EquipmentLevel.WORK_UNIT, Words("炉", "Oven")),
    },
    {},
)
LOW, MEDIUM, HIGH, CRITICAL = Priority


class Newsroom:
    """A record with alarms to tell, both robots, and a runner that can be started, stopped and killed."""

    def __init__(self, pool: Pool, dsn: str, url: str, robots: Robots | None, clock: HandClock) -> None:
        self.pool, self.dsn, self.url, self.clock = pool, dsn, url, clock
        self.robots: Any = robots
        self.ledger = PgLedger(pool, clock=clock)
        self.outbox = PgOutbox(pool, dsn, clock)
        self.notifiers: dict[str, Notifier] = {
            "wecom": WeComNotifier(
                WeComConfig.model_validate({"key": KEY, "base_url": f"{url}/wecom"}), clock
            ),
            "dingtalk": DingTalkNotifier(
                DingTalkConfig.model_validate(
                    {"token": TOKEN, "secret": SECRET, "base_url": f"{url}/dingtalk"}
                ),
                clock,
            ),
        }
        self.runner: NotifierRunner
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ what the rules do
    async def alarm(self, n: int, priority: Priority = HIGH, state: AlarmState = AlarmState.UNACKED) -> Alarm:
        line = 1 + n % 2
        alarm = Alarm(
            f"rule-{n}", f"p1/a/l{line}/m", f"p1/a/l{line}/m", priority, Words(f"报警{n}", f"alarm {n}"),
            state, condition=True, raised_at=NOON, opened_at=NOON, condition_at=NOON, count=1,
        )  # fmt: skip
        async with self.ledger.begin() as tx:
            return await tx.save_alarm(alarm)

    async def tell(
        self, alarm: Alarm, *names: str, event: str = "raised", lane: str = "", **changes: Any
    ) -> None:
        async with self.ledger.begin() as tx:
            for name in names or ("wecom",):
                await tx.intend(intent(alarm, event, name, **changes))

    async def raised(self, n: int, priority: Priority = HIGH, *names: str) -> Alarm:
        alarm = await self.alarm(n, priority)
        await self.tell(alarm, *names)
        return alarm

    async def becomes(self, alarm: Alarm, state: AlarmState) -> None:
        from dataclasses import replace

        async with self.ledger.begin() as tx:
            await tx.save_alarm(replace(alarm, state=state))

    # ------------------------------------------------------------ the runner's life
    def start(self) -> None:
        self.runner = NotifierRunner(
            self.outbox, self.ledger, self.notifiers, self.clock,
            worker="test", plant=PLANT, board="http://hub:8800/wall.html",
        )  # fmt: skip
        self._task = asyncio.create_task(self.runner.run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def died(self) -> BaseException:
        assert self._task is not None
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(10):
                await self._task
        self._task = None
        return caught.value

    async def settled(self) -> None:
        """Nothing that is due is unfinished."""
        async with asyncio.timeout(20):
            while await self._due():
                await self.outbox.wait(0.02)

    async def _due(self) -> int:
        query = """select count(*) as n from outbox where state = 'claimed'
            or (state = 'waiting' and (due_at is null or due_at <= %s))"""
        async with self.pool.connection() as connection:
            row = await (await connection.execute(query, [self.clock.now()])).fetchone()
        assert row is not None
        return int(row["n"])

    async def rows(self) -> list[dict[str, Any]]:
        async with self.pool.connection() as connection:
            return await (await connection.execute("select * from outbox order by id")).fetchall()

    def wecom(self) -> list[Note]:
        notes: list[Note] = self.robots.inbox.of("wecom")
        return notes

    def dingtalk(self) -> list[Note]:
        notes: list[Note] = self.robots.inbox.of("dingtalk")
        return notes

    def fault(self, robot: str, kind: str, times: int | None = 1, **more: Any) -> None:
        self.robots.faults.set({"robot": robot, "kind": kind, "times": times, **more})


def intent(alarm: Alarm, event: str, name: str, **changes: Any) -> Intent:
    payload = {
        "notifier": name, "event": event, "alarm_id": alarm.id,
        "where": {"zh": "压机", "en": "Press"}, "title": alarm.title.as_dict(),
        "priority": int(alarm.priority), "value": 92.4, "limit": 80.0, "unit": "℃", "decimals": 1,
        "comparison": ">", "raised_at": NOON.isoformat(), "opened_at": NOON.isoformat(),
        "cleared_at": NOON.isoformat() if event == "cleared" else None, "owner": None, "ticket": "",
        "link": f"http://hub:8800/phone.html#a={alarm.id}", "instruction": None, "time_zone": "Asia/Shanghai",
    }  # fmt: skip
    return Intent(
        IntentKind.TELL, f"tell:{alarm.id}:{event}:1:{name}", f"tell:{name}:{alarm.id}", payload | changes
    )


@asynccontextmanager
async def newsroom(dsn: str) -> AsyncIterator[Newsroom]:
    clock = HandClock()
    robots = Robots(clock, KEY, TOKEN, SECRET)
    pool = await open_pool(dsn)
    async with http_server(robots.app, 0) as url:
        room = Newsroom(pool, dsn, url, robots, clock)
        try:
            yield room
        finally:
            await room.stop()
            for notifier in room.notifiers.values():
                await notifier.close()
            await room.outbox.close()
            await pool.close()


@pytest.fixture
async def room(dsn: str) -> AsyncIterator[Newsroom]:
    async with newsroom(dsn) as made:
        yield made


def told(notes: Iterable[Note]) -> list[str]:
    """Which alarms, in order."""
    return [word for n in notes for word in re.findall(r"报警\d+", n.text.splitlines()[0])]


def cut_at(monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """The first passage of this fail point ends the runner's life as a crash does: nothing is put back."""
    left = [point]

    def failpoint(name: str) -> None:
        if name in left:
            left.remove(name)
            raise Transient(f"failpoint {name}")

    monkeypatch.setattr(runner, "failpoint", failpoint)
    monkeypatch.setattr(channel, "failpoint", failpoint)


# ------------------------------------------------------------------ told once
async def test_an_alarm_is_told_once_on_each_of_its_carriers(room: Newsroom) -> None:
    room.start()
    await room.raised(1, CRITICAL, "wecom", "dingtalk")
    await room.settled()
    assert [n.text.splitlines()[0] for n in room.wecom()] == [
        '### <font color="warning">【紧急】</font>压机 报警1 92.4℃ > 80℃ 刚刚'
    ]
    assert [n.uuid for n in room.dingtalk()] == ["tell:1:raised:1:dingtalk"]
    receipts = [r["receipt"] for r in await room.rows()]
    assert [r["headline"] for r in receipts] == ["【紧急】压机 报警1 92.4℃ > 80℃ 刚刚"] * 2
    assert [r["repeat"] for r in receipts] == [False, False]


async def test_what_waited_while_the_hub_was_away_is_told_once_when_it_is_back(room: Newsroom) -> None:
    await room.raised(1)
    room.start()
    await room.settled()
    await room.stop()
    room.start()
    await room.raised(2)
    await room.settled()
    assert len(room.wecom()) == 2


async def test_raised_and_cleared_never_cross(room: Newsroom) -> None:
    alarm = await room.raised(1, CRITICAL)
    await room.tell(alarm, event="cleared")
    room.start()
    await room.settled()
    assert ["【紧急】" in n.text for n in room.wecom()] == [True, False]
    assert "【恢复】" in room.wecom()[1].text


async def test_critical_alarms_are_told_before_older_ones_of_less_weight(room: Newsroom) -> None:
    for n, priority in enumerate([LOW, HIGH, LOW, CRITICAL]):
        await room.raised(n, priority)
    room.start()
    await room.settled()
    assert told(room.wecom())[:2] == ["报警3", "报警1"]


# ------------------------------------------------------------------ silence after an answer
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (AlarmState.ACKED, "acknowledged before it could be said"),
        (AlarmState.RTN_UNACKED, "normal again before it could be said"),
        (AlarmState.NORMAL, "normal again before it could be said"),
        (AlarmState.SHELVED, "shelved before it could be said"),
    ],
)
async def test_an_answered_alarm_is_not_told_any_more_nor_is_its_recovery(
    room: Newsroom, state: AlarmState, reason: str
) -> None:
    alarm = await room.raised(1)
    await room.becomes(alarm, state)
    await room.tell(alarm, event="cleared")
    room.start()
    await room.settled()
    assert room.wecom() == []
    assert [r["receipt"]["dropped"] for r in await room.rows()] == [reason, "its alarm was never said"]


async def test_a_critical_alarm_is_told_even_when_it_is_over(room: Newsroom) -> None:
    alarm = await room.raised(1, CRITICAL)
    await room.becomes(alarm, AlarmState.NORMAL)
    room.start()
    await room.settled()
    assert len(room.wecom()) == 1


async def test_an_alarm_without_good_data_is_marked(room: Newsroom) -> None:
    from dataclasses import replace

    alarm = await room.raised(1)
    async with room.ledger.begin() as tx:
        await tx.save_alarm(replace(alarm, blind=True))
    room.start()
    await room.settled()
    assert "【数据中断】" in room.wecom()[0].text


# ------------------------------------------------------------------ crashes
async def test_a_crash_between_sending_and_marking_repeats_once_and_says_so(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_at(monkeypatch, "notifier.sent_before_mark")
    await room.raised(1, HIGH, "wecom")
    room.start()
    await room.died()
    room.start()
    await room.settled()
    assert ["【重发】" in n.text for n in room.wecom()] == [False, True]


async def test_an_alarm_answered_during_a_crash_is_not_repeated_but_its_recovery_is_told(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_at(monkeypatch, "notifier.sent_before_mark")
    alarm = await room.raised(1, HIGH)
    room.start()
    await room.died()
    await room.becomes(alarm, AlarmState.ACKED)
    await room.tell(alarm, event="cleared")
    room.start()
    await room.settled()
    assert [re.findall("【.*】", n.text) for n in room.wecom()] == [["【高】"], ["【恢复】"]]


async def test_a_crash_between_sending_and_marking_is_not_seen_on_a_robot_that_knows_the_key(
    room: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_at(monkeypatch, "notifier.sent_before_mark")
    await room.raised(1, HIGH, "dingtalk")
    room.start()
    await room.died()
    room.start()
    await room.settled()
    assert len(room.dingtalk()) == 1
    assert [r["state"] for r in await room.rows()] == ["done"]


async def test_a_crash_after_claiming_loses_nothing(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_at(monkeypatch, "notifier.after_claim")
    await room.raised(1)
    room.start()
    await room.died()
    room.start()
    await room.settled()
    assert len(room.wecom()) == 1


async def test_a_process_that_dies_with_the_message_out_repeats_it_once(room: Newsroom) -> None:
    await room.raised(1)
    module = "tests.integration.test_notifier_runner"
    for points, status in (("notifier.sent_before_mark:exit", 137), ("", 0)):
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            room.dsn,
            room.url,
            cwd=ROOT,
            env=os.environ | {"ANDON_FAILPOINTS": points},
        )
        assert await child.wait() == status
    assert ["【重发】" in n.text for n in room.wecom()] == [False, True]


async def test_an_orderly_stop_leaves_nothing_in_doubt(room: Newsroom) -> None:
    room.fault("wecom", "hang")
    await room.raised(1, CRITICAL)
    room.start()
    while room.robots.faults.as_dict():
        await room.outbox.wait(0.02)
    for n in (2, 3):
        await room.raised(n)
    while len([r for r in await room.rows() if r["state"] == "claimed"]) < 3:
        await room.outbox.wait(0.02)
    await room.stop()
    room.start()
    await room.settled()
    assert told(n for n in room.wecom() if "【重发】" in n.text) == ["报警1"]
    assert sorted(told(room.wecom())) == ["报警1", "报警2", "报警3"]


# ------------------------------------------------------------------ limits and digests
async def test_more_than_a_minute_takes_becomes_a_digest_and_no_robot_is_overrun(room: Newsroom) -> None:
    for n in range(60):
        await room.raised(n, HIGH if n else CRITICAL, "wecom", "dingtalk")
    room.start()
    await room.settled()
    assert room.robots.inbox.refused == {}
    first, digest = (n.text for n in room.wecom())
    assert "【紧急】" in first
    assert "【汇总】</font>59 条报警：2号线 30、1号线 29" in digest
    assert "[查看全部](http://hub:8800/wall.html)" in digest
    assert {r["state"] for r in await room.rows()} == {"done"}
    assert len(room.dingtalk()) == 2


async def test_an_alarm_that_is_over_does_not_count_in_a_digest(room: Newsroom) -> None:
    alarms = [await room.raised(n) for n in range(25)]
    for alarm in alarms[:3]:
        await room.becomes(alarm, AlarmState.NORMAL)
    room.start()
    await room.settled()
    assert ["22 条报警" in n.text for n in room.wecom()] == [True]


async def test_one_by_one_the_nineteenth_waits_for_its_minute(room: Newsroom) -> None:
    room.start()
    for n in range(19):
        await room.raised(n, LOW)
        await room.settled()
    assert len(room.wecom()) == 18
    (last,) = [r for r in await room.rows() if r["state"] == "waiting"]
    assert (last["due_at"], last["attempts"]) == (NOON + timedelta(seconds=60), 0)
    room.clock.turn(61)
    await room.settled()
    assert len(room.wecom()) == 19


async def test_a_critical_alarm_finds_its_place_when_the_minute_is_used_up(room: Newsroom) -> None:
    room.start()
    for n in range(18):
        await room.raised(n, LOW, "wecom", "dingtalk")
        await room.settled()
    await room.raised(18, CRITICAL, "wecom", "dingtalk")
    await room.settled()
    assert (len(room.wecom()), len(room.dingtalk())) == (19, 18)


async def test_a_restart_does_not_give_a_new_budget(room: Newsroom) -> None:
    room.start()
    for n in range(18):
        await room.raised(n, LOW)
        await room.settled()
    await room.stop()
    room.start()
    await room.raised(18, LOW)
    await room.settled()
    assert len(room.wecom()) == 18


async def test_a_limited_robot_is_left_alone_and_uses_up_no_attempt(room: Newsroom) -> None:
    room.start()
    room.fault("dingtalk", "errcode", errcode=130101, errmsg="send too fast")
    await room.raised(1, HIGH, "wecom", "dingtalk")
    await room.settled()
    await room.raised(2, HIGH, "wecom", "dingtalk")
    await room.settled()
    assert (len(room.wecom()), len(room.dingtalk())) == (2, 0)
    held = [r for r in await room.rows() if r["state"] == "waiting"]
    assert [(r["due_at"], r["attempts"]) for r in held] == [(NOON + timedelta(minutes=10), 0)] * 2
    assert room.runner.health()["dingtalk"]["held_seconds"] == 600
    room.clock.turn(601)
    await room.settled()
    assert len(room.dingtalk()) == 2


# ------------------------------------------------------------------ trouble
async def test_a_robot_that_is_down_is_tried_again_and_delays_nobody_else(room: Newsroom) -> None:
    room.start()
    room.fault("wecom", "http", times=2, status=503)
    await room.raised(1, CRITICAL, "wecom", "dingtalk")
    await room.settled()
    assert (len(room.wecom()), len(room.dingtalk())) == (0, 1)
    for seconds in (3, 5):
        room.clock.turn(seconds)
        await room.settled()
    (note,) = room.wecom()
    assert "【重发】" not in note.text
    assert [r["attempts"] for r in await room.rows()] == [3, 1]


async def test_a_robot_that_hangs_delays_nobody_else(room: Newsroom) -> None:
    room.start()
    room.fault("wecom", "hang")
    await room.raised(1, CRITICAL, "wecom", "dingtalk")
    async with asyncio.timeout(5):
        while not room.dingtalk():
            await room.outbox.wait(0.02)
    assert room.wecom() == []


async def test_a_lost_answer_is_repeated_and_says_so(room: Newsroom) -> None:
    room.start()
    room.fault("wecom", "cut-after")
    await room.raised(1, CRITICAL)
    await room.settled()
    room.clock.turn(3)
    await room.settled()
    assert ["【重发】" in n.text for n in room.wecom()] == [False, True]


@pytest.mark.parametrize(("kind", "more"), [("cut-after", {}), ("http", {"status": 502})])
async def test_what_may_have_been_delivered_is_a_repeat_for_whoever_comes_next(
    room: Newsroom, kind: str, more: dict[str, Any]
) -> None:
    """No answer, and then the worker that asked is gone: what it knew stands in the record."""
    room.start()
    room.fault("wecom", kind, **more)
    await room.raised(1, CRITICAL)
    await room.settled()
    told_before = len(room.wecom())
    await room.stop()
    room.start()
    room.clock.turn(3)
    await room.settled()
    assert "【重发】" in room.wecom()[told_before].text


async def test_a_worker_that_was_paused_does_not_tell_what_another_one_took(room: Newsroom) -> None:
    """Stopped with the message in hand, right before it would be told: the other one tells it, marked."""
    alarm = await room.alarm(1, CRITICAL)
    await room.tell(alarm)
    asleep = Claims(room.outbox, "asleep", room.clock)
    errand = await asleep.claim([IntentKind.TELL])
    assert errand is not None
    tray = channel.Channel(
        "wecom", room.notifiers["wecom"], channel.Shared(asleep, room.ledger, room.clock, PLANT, "")
    )
    tray.take(channel.Item(errand, read(errand.intent.payload)))
    room.clock.turn(LEASE.total_seconds())
    room.start()
    await room.settled()
    assert ["【重发】" in n.text for n in room.wecom()] == [True]
    await tray._step()  # it wakes
    assert len(room.wecom()) == 1


async def test_what_is_refused_goes_to_the_dead_letters_with_the_reason(room: Newsroom) -> None:
    room.robots.wecom.settle({"removed": True})
    await room.raised(1)
    room.start()
    await room.settled()
    (row,) = await room.rows()
    assert row["state"] == "dead"
    assert "the key is wrong or the robot was removed" in row["reason"]
    assert KEY not in row["reason"]
    assert room.runner.health()["wecom"]["dead"] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"notifier": "fax"}, "no notifier 'fax' is configured; known are wecom, dingtalk"),
        ({"where": None}, "payload cannot be read: where"),
    ],
)
async def test_what_cannot_be_told_goes_to_the_dead_letters_and_stops_nobody(
    room: Newsroom, changes: dict[str, Any], reason: str
) -> None:
    await room.tell(await room.alarm(1), **changes)
    await room.raised(2)
    room.start()
    await room.settled()
    first, second = await room.rows()
    assert (first["state"], second["state"]) == ("dead", "done")
    assert first["reason"].startswith(reason)


class Plain:
    """Another person's notifier, which says nothing about itself."""

    def __init__(self) -> None:
        self.told: list[Message] = []

    async def send(self, message: Message) -> Receipt:
        if "报警2" in message.headline:
            raise DeliveryRefused("no")
        self.told.append(message)
        return Receipt("n-1")

    async def close(self) -> None:
        pass


async def test_a_notifier_that_says_nothing_about_itself_is_spoken_to_in_chinese(room: Newsroom) -> None:
    plain: Any = Plain()
    room.notifiers["plain"] = plain
    room.start()
    for n in (1, 2):
        await room.raised(n, HIGH, "plain")
    await room.settled()
    assert [m.headline for m in plain.told] == ["【高】压机 报警1 92.4℃ > 80℃ 刚刚"]
    assert [r["state"] for r in await room.rows()] == ["done", "dead"]


# ------------------------------------------------------------------ as a program
async def main(dsn: str, url: str) -> None:
    pool = await open_pool(dsn)
    room = Newsroom(pool, dsn, url, None, HandClock())
    room.start()
    while await room._due():
        await room.outbox.wait(0.02)
    await room.stop()
    await room.outbox.close()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
