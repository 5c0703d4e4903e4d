"""An edge node with devices behind it, after Sparkplug B 3.0, that misbehaves when it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from collectors.mqtt_line import Message, Will
from tests.simulators.mqtt_device import MqttDevice
from tests.simulators.sparkplug.wire import UINT64, Entry, payload

NODE = ""


class EdgeNode:
    """`values`: device ("" is the node) -> its metrics as in the birth, each with an alias.

    `obeys`: births are given when asked for. `rebirths` counts the askings.
    """

    def __init__(
        self, port: int, now: Callable[[], datetime], values: Mapping[str, Mapping[str, Entry]],
        group: str = "Plant", name: str = "Edge1",
    ) -> None:  # fmt: skip
        self._now = now
        self.group, self.name = group, name
        self.values = {device: dict(metrics) for device, metrics in values.items()}
        self.obeys = True
        self.rebirths = 0
        self.states: list[bool] = []  # of the host, as heard
        self.state_at = 0  # the time in the newest
        self._mqtt = MqttDevice(port, f"edge-{name}")
        self._mqtt.on_message = self._on_message
        self._seq, self._session = 0, -1

    def ms(self) -> int:
        return int(self._now().timestamp() * 1000)

    def topic(self, verb: str, device: str = NODE) -> str:
        return f"spBv1.0/{self.group}/{verb}/{self.name}" + (f"/{device}" if device else "")

    # ------------------------------------------------------------------ life
    async def start(self, *, birth: bool = True, will: bool = True) -> None:
        self._session = (self._session + 1) % 256
        last = Will(self.topic("NDEATH"), self._death()) if will else None
        await self._mqtt.start(self.topic("NCMD"), "spBv1.0/STATE/+", will=last)
        if birth:
            await self.be_born()

    async def meet(self) -> None:
        """Be born when a host is there."""
        await self.start(birth=False)
        await self.until(lambda: self.states[-1:] == [True])
        await self.be_born()

    async def stop(self) -> None:
        """As the specification wants it: the death is told, then goodbye."""
        await self._mqtt.say(self.topic("NDEATH"), self._death())
        await self._mqtt.stop()

    async def vanish(self) -> None:
        """Goodbye without a death: the broker has no reason to tell the will."""
        await self._mqtt.stop()

    async def die(self) -> None:
        await self._mqtt.die()

    def _death(self, session: int | None = None) -> bytes:
        told = self._session if session is None else session
        return payload(self.ms(), None, [Entry("bdSeq", kind=UINT64, value=told)])

    async def late_will(self, session: int) -> None:
        """The death of an earlier session, told when the node is back already."""
        await self._mqtt.say(self.topic("NDEATH"), self._death(session))

    async def be_born(self, *, devices: bool = True) -> None:
        self._seq = 0
        own = [Entry("bdSeq", kind=UINT64, value=self._session), *self.values.get(NODE, {}).values()]
        await self._send("NBIRTH", NODE, own)
        for device in [d for d in self.values if d != NODE] if devices else []:
            await self.device_born(device)

    async def device_born(self, device: str) -> None:
        await self._send("DBIRTH", device, list(self.values[device].values()))

    async def device_dies(self, device: str) -> None:
        await self._send("DDEATH", device, [])

    # ------------------------------------------------------------------ data
    async def show(self, device: str = NODE, /, **values: float | str) -> None:
        """By alias, without type, as most edge nodes send them."""
        await self.send(device, *self._changed(device, values, self.ms()))

    def _changed(self, device: str, values: Mapping[str, float | str], at: int) -> list[Entry]:
        entries = []
        for name, value in values.items():
            known = self.values[device][name] = replace(self.values[device][name], value=value)
            entries.append(replace(known, name="", told_kind=False, at=at))
        return entries

    async def send(self, device: str, *entries: Entry) -> None:
        await self._send("DDATA" if device else "NDATA", device, list(entries))

    async def _send(self, verb: str, device: str, entries: list[Entry]) -> None:
        body = payload(self.ms(), self._seq, entries)
        self._seq = (self._seq + 1) % 256
        await self._mqtt.say(self.topic(verb, device), body)

    def lose(self, messages: int = 1) -> None:
        """So many messages that nobody ever hears."""
        self._seq = (self._seq + messages) % 256

    async def swapped(
        self, first: Mapping[str, float], second: Mapping[str, float], device: str = NODE
    ) -> None:
        """Two messages that overtake one another on the way."""
        start, at = self._seq, self.ms()
        entries = [self._changed(device, first, at), self._changed(device, second, at + 1)]
        self._seq = (start + 1) % 256
        await self.send(device, *entries[1])
        self._seq = start
        await self.send(device, *entries[0])
        self._seq = (start + 2) % 256

    async def raw(self, verb: str, body: bytes, device: str = NODE) -> None:
        await self._mqtt.say(self.topic(verb, device), body)

    # ------------------------------------------------------------------ what it hears
    async def _on_message(self, message: Message) -> None:
        if message.topic == self.topic("NCMD"):
            self.rebirths += 1
            if self.obeys:
                await self.be_born()
        elif message.topic.startswith("spBv1.0/STATE/"):
            said = json.loads(message.payload)
            self.states.append(bool(said["online"]))
            self.state_at = int(said["timestamp"])

    async def until(self, true: Callable[[], bool]) -> None:
        await self._mqtt.until(true)
