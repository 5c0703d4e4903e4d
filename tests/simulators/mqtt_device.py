"""Somebody else at the broker: speaks, listens, leaves with a goodbye or without one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from collectors.mqtt_broker import BrokerBlock
from collectors.mqtt_line import Line, Message, Will
from hub.errors import SourceUnavailable


class MqttDevice:
    """Connected from `start` to `stop` (a goodbye) or `die` (none: the broker tells its will)."""

    def __init__(self, port: int, name: str, version: str = "3.1.1", **more: object) -> None:
        settings = {
            "broker": f"mqtt://127.0.0.1:{port}", "security": "none", "version": version, "timeout": "10s",
            "keep_alive": "30s", **more,
        }  # fmt: skip
        self._block = BrokerBlock.model_validate(settings)
        self.name = name
        self.heard: list[Message] = []
        self.on_message: Callable[[Message], Awaitable[None]] | None = None
        self._news = asyncio.Condition()
        self._line: Line | None = None
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> MqttDevice:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *topics: str, will: Will | None = None) -> None:
        self._line = Line(self._block, self.name, will=will)
        await self._line.open()
        if topics:
            assert await self._line.subscribe([(t, 1) for t in topics]) == []
        self._listening = asyncio.create_task(self._listen(self._line))

    async def _listen(self, line: Line) -> None:
        with contextlib.suppress(SourceUnavailable):
            while True:
                messages = await line.next(60)
                line.done(messages)
                if self.on_message is not None:
                    for message in messages:
                        await self.on_message(message)
                async with self._news:
                    self.heard += messages
                    self._news.notify_all()

    async def until(self, true: Callable[[], bool], seconds: float = 10) -> None:
        """Wait for something to be so after a message."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(true)

    async def say(self, topic: str, payload: bytes | str, *, qos: int = 1, retained: bool = False) -> None:
        """Returns once the broker has it (QoS 1 and 2)."""
        assert self._line is not None
        body = payload.encode() if isinstance(payload, str) else payload
        await self._line.publish(topic, body, qos=qos, retained=retained)

    async def stop(self) -> None:
        await self._end()
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def die(self) -> None:
        """The line breaks; nobody says goodbye."""
        assert self._line is not None
        self._line.cut()
        await self.stop()

    async def _end(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
