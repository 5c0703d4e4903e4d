"""Pushes 数据推送: what people change in the browser is told, signed; what the API changes is not."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode, urlsplit, urlunsplit

from tests.simulators.jiandaoyun.books import Values
from tests.simulators.jiandaoyun.shapes import shown

Send = Callable[[str, Mapping[str, str], bytes], int]


@dataclass
class Pusher:
    now: Callable[[], datetime]
    targets: dict[str, tuple[str, str]] = field(default_factory=dict)  # entry id -> address, secret
    send: Send | None = None
    waiting: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    _count: int = 0

    def tell(self, op: str, entry_id: str, values: Values) -> None:
        if entry_id in self.targets:
            address, secret = self.targets[entry_id]
            self._count += 1
            body = json.dumps({"op": op, "data": shown(values)}, ensure_ascii=False).encode()
            self._deliver(f"deliver-{self._count:06d}", address, secret, body)

    def again(self) -> None:
        """Those that were not taken, under the same number."""
        waiting, self.waiting = self.waiting, []
        for delivery in waiting:
            self._deliver(*delivery)

    def _deliver(self, number: str, address: str, secret: str, body: bytes) -> None:
        stamp, nonce = str(int(self.now().timestamp())), f"nonce{number[-6:]}"
        text = f"{nonce}:".encode() + body + f":{secret}:{stamp}".encode()
        headers = {
            "X-JDY-Signature": hashlib.sha1(text).hexdigest(),
            "X-JDY-DeliverId": number,
            "Content-Type": "application/json;charset=utf-8",
        }
        parts = urlsplit(address)
        query = "&".join(q for q in (parts.query, urlencode({"timestamp": stamp, "nonce": nonce})) if q)
        status = (self.send or _post)(urlunsplit(parts._replace(query=query)), headers, body)
        if not 200 <= status < 300:
            self.waiting.append((number, address, secret, body))


def _post(url: str, headers: Mapping[str, str], body: bytes) -> int:
    asked = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return int(refused.code)
    except OSError:
        return 0
