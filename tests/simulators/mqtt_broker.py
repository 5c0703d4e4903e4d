"""A real MQTT broker for tests: rumqttd in a process of its own (the wheel `iotcore`), 3.1.1 and 5, TLS.

ANDON_TEST_MOSQUITTO may name a mosquitto to be used in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from iotcore import Broker as Rumqttd

from tests.ports import free_port

_LISTENER = """
[{version}.{name}]
name = "{name}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
{tls}
[{version}.{name}.connections]
connection_timeout_ms = 10000
max_payload_size = 4194304
max_inflight_count = 100
dynamic_filters = true
"""
_ROUTER = """
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 2000
max_segment_size = 16777216
max_segment_count = 4
"""


class MqttBroker:
    """Open listeners for both versions, and one with TLS for 3.1.1 where a certificate is given.

    Its memory does not outlive `stop`: kept messages and sessions are gone, as after a broker lost its disk.
    Each listener is a broker of its own, that shares nothing with the others: where listeners share one
    router, rumqttd now and then takes the end of somebody who leaves at one for the end of somebody who comes
    at another (it gives the number of the first to the second), and closes the newcomer's line.
    """

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self._certificate, self._key = certificate, key
        self.port, self.port5, self.tls_port = free_port(), free_port(), free_port()
        self.authority = Path()  # where the test put it
        self._running: list[Rumqttd | subprocess.Popen[bytes]] = []

    async def __aenter__(self) -> MqttBroker:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        mosquitto = os.environ.get("ANDON_TEST_MOSQUITTO")
        with TemporaryDirectory(prefix="andon-mqtt-") as folder:  # read once, at the start
            Path(folder).chmod(0o755)
            if mosquitto:
                file = Path(folder) / "broker.conf"
                file.write_text(self._mosquitto(), encoding="utf-8")
                self._running = [subprocess.Popen([mosquitto, "-c", str(file)])]
                await asyncio.gather(*map(_answers, (self.port, self.port5)))
                return
            starts = []
            for name, settings in self._rumqttd().items():
                file = Path(folder) / f"{name}.toml"
                file.write_text(_ROUTER + settings, encoding="utf-8")
                starts.append(asyncio.to_thread(Rumqttd(config_path=str(file)).start))
            self._running = list(await asyncio.gather(*starts))

    async def stop(self) -> None:
        running, self._running = self._running, []
        for one in running:
            if isinstance(one, subprocess.Popen):
                one.kill()
        await asyncio.gather(
            *(asyncio.to_thread(r.wait if isinstance(r, subprocess.Popen) else r.stop) for r in running)
        )

    def _rumqttd(self) -> dict[str, str]:
        listeners = {
            "plain": _LISTENER.format(version="v4", name="plain", port=self.port, tls=""),
            "plain5": _LISTENER.format(version="v5", name="plain5", port=self.port5, tls=""),
        }
        if self._certificate and self._key:
            tls = f'[v4.tls.tls]\ncertpath = "{self._certificate}"\nkeypath = "{self._key}"\n'
            listeners["tls"] = _LISTENER.format(version="v4", name="tls", port=self.tls_port, tls=tls)
        return listeners

    def _mosquitto(self) -> str:
        lines = [
            "user root",
            "allow_anonymous true",
            f"listener {self.port} 127.0.0.1",
            f"listener {self.port5} 127.0.0.1",
        ]
        if self._certificate and self._key:
            lines.append(f"listener {self.tls_port} 127.0.0.1")
            lines += [f"certfile {self._certificate}", f"keyfile {self._key}"]
        return "\n".join(lines) + "\n"


async def _answers(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)
