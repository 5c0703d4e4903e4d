"""MES by Kafka: a consumer group, whose offsets are committed once the events are on record.

The driver is the extra `kafka` (librdkafka).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from collectors.kafka_line import KafkaBlock, Line, Place
from collectors.mes_faults import Unreadable
from collectors.mes_text import Encoding, as_told, text_of
from hub.failpoint import failpoint
from hub.model.intake import Fault
from hub.model.words import Words
from hub.ports import Clock, MesIntake

_log = logging.getLogger(__name__)


class MesKafkaConfig(KafkaBlock):
    """The `with:` block of a `kind: mes-kafka` source."""

    encoding: Encoding = Field("utf-8", description="of the JSON in the values")


class MesKafkaSource:
    """Lives for one connection. The supervisor gives it the next one."""

    Config = MesKafkaConfig

    def __init__(self, config: MesKafkaConfig, clock: Clock, name: str) -> None:
        self._config, self._clock, self._name = config, clock, name

    def event_of(self, record: Any) -> Any:
        """{entry, event}: an event without an id has that of its place. {entry, lost}: a gap, for people."""
        told = record if isinstance(record, dict) else {}
        if lost := told.get("lost"):
            raise Unreadable(Fault("offset", _lost(lost)))
        if damage := told.get("damage"):
            said = f"cannot be unpacked ({damage}); have it sent again"
            raise Unreadable(Fault("value", Words(f"无法解包（{damage}），请重新发送", said)))
        text = text_of(told, "value", self._config.encoding)
        if text is None:
            raise Unreadable(Fault("value", Words("没有内容", "has no value; write the event there as JSON")))
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise Unreadable(Fault("value", Words("不是 JSON", "is not JSON"))) from None
        return {"id": told.get("entry"), **found} if isinstance(found, dict) else found

    async def feed(self, intake: MesIntake) -> None:
        """Raises SourceUnavailable when the brokers are away, SourceRefused when they refuse us."""
        async with Line(self._config, self._name) as line:
            await line.ask(line.join)
            while True:
                found = await line.ask(line.next)
                await self._take(line, found.messages, intake)
                if found.reset is not None:
                    await self._begin(line, found.reset, intake)
                elif line.owed:
                    await line.ask(line.commit_again)
                line.sound()
                if line.joined:
                    await intake.alive()

    async def probe(self) -> Mapping[str, str]:
        """How much each topic holds; joins no group, changes nothing."""
        async with Line(self._config, self._name) as line:
            return await line.ask(line.sizes)

    async def _take(self, line: Line, messages: Sequence[Any], intake: MesIntake) -> None:
        if not messages:
            return
        await intake.take([_record(message, self._config.encoding) for message in messages])
        failpoint("mes.before_mark")
        await line.ask(lambda: line.commit(_behind(messages)))

    async def _begin(self, line: Line, place: Place, intake: MesIntake) -> None:
        """A partition that was never read, or whose retention was faster than we: what is gone is told."""
        known, first, end = await line.ask(lambda: line.standing(place))
        begin = known if known is not None and first <= known <= end else first
        if known is not None and begin != known:
            lost = {"topic": place[0], "partition": place[1], "next": known, "first": first, "end": end}
            _log.warning("%s: %s", self._name, _lost(lost).en)
            await intake.take([{"entry": f"{place[0]}/{place[1]}/{known}", "lost": lost}])
            await line.ask(lambda: line.commit({place: begin}))
        await line.ask(lambda: line.go_on(place, begin))


def _behind(messages: Sequence[Any]) -> dict[Place, int]:
    return {(m.topic(), m.partition()): m.offset() + 1 for m in messages if m.offset() is not None}


def _record(message: Any, encoding: Encoding) -> dict[str, Any]:
    """The time belongs to its place: a topic that was made anew counts from 0 again."""
    entry = f"{message.topic()}/{message.partition()}/{message.offset()}@{message.timestamp()[1]}"
    if (error := message.error()) is not None:
        return {"entry": entry, "damage": error.name()}
    return {"entry": entry, **as_told(message.value(), encoding)}


def _lost(told: Mapping[str, Any]) -> Words:
    known, first, end = told["next"], told["first"], told["end"]
    where = f"{told['topic']}/{told['partition']}"
    if known > end:
        return Words(
            f"{where} 已被重建（读到 {known}，现止于 {end}），已从头再读；请核对是否有缺失",
            f"{where} was made anew (we were at {known}, it ends at {end}) and is read from its beginning; "
            "look whether something is missing",
        )
    return Words(
        f"{where} 有 {first - known} 条在读到之前已过保留期被删除（{known} 至 {first - 1}），请让 MES 补发",
        f"{first - known} entries of {where} ({known} to {first - 1}) were deleted by retention before they "
        "were read; have the MES tell them again",
    )
