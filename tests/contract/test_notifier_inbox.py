"""The simulator as a program: its ready line, its inbox across restarts, and a page without outside hosts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.model.alarm import Priority
from hub.model.message import Message
from hub.testing.clock import HandClock
from notifiers.wecom import WeComConfig, WeComNotifier

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "tests" / "simulators" / "robots" / "page"
KEYS = {
    "ANDON_DEMO_WECOM_KEY": "demo-key",
    "ANDON_DEMO_DINGTALK_TOKEN": "demo-token",
    "ANDON_DEMO_DINGTALK_SECRET": "SECdemo",
}


@contextmanager
def robots(state: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.simulators.robots", "--port", "0", "--state", str(state)]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | KEYS, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] == "robots"
        try:
            yield ready["url"]
        finally:
            process.terminate()
            assert process.wait(20) == 0


def messages(url: str) -> Any:
    return httpx.get(f"{url}/_control/messages", trust_env=False).json()


@pytest.mark.anyio
async def test_the_inbox_is_still_there_after_a_restart_and_hides_no_key_in_its_page(tmp_path: Path) -> None:
    state = tmp_path / "inbox.jsonl"
    with robots(state) as url:
        config = WeComConfig.model_validate({"key": "demo-key", "base_url": f"{url}/wecom"})
        notifier = WeComNotifier(config, HandClock())
        await notifier.send(Message("k", "【紧急】3号线 冲压机07 油温", (), Priority.CRITICAL))
        await notifier.close()
        page = httpx.get(url, trust_env=False)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["content-type"].startswith("text/html")
        assert httpx.get(f"{url}/..%2fapp.py", trust_env=False).status_code == 404
    with robots(state) as url:
        (note,) = messages(url)["messages"]
        assert "冲压机07" in note["text"]
    assert not [v for v in KEYS.values() if v in state.read_text(encoding="utf-8")]


def test_the_page_asks_no_outside_host_and_never_makes_elements_of_text() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in PAGE.iterdir())
    assert len(source) > 5_000
    assert re.findall(r"(?:src|href|url\(|import[^'\"]*)[=\s]*['\"](?:https?:)?//", source) == []
    assert [
        w for w in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(") if w in source
    ] == []
