"""Files: tokens of an hour, one file each, good in the transaction that they were asked for."""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.simulators.jiandaoyun.answers import Refused
from tests.simulators.jiandaoyun.books import Values

HOUR = timedelta(hours=1)
AT_ONCE = 100


@dataclass
class Kept:
    name: str
    data: bytes
    kind: str
    transaction: str
    at: datetime


class Files:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._count = 0
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self.kept: dict[str, Kept] = {}

    def tokens(self, transaction: str, host: str) -> Values:
        made = []
        for _ in range(AT_ONCE):
            self._count += 1
            token = f"upload-{self._count:06d}"
            self._tokens[token] = transaction, self._now()
            made.append({"url": f"{host}/_files/", "token": token})
        return {"token_and_url_list": made}

    def take(self, content_type: str, body: bytes) -> Values:
        """A multipart form: `token`, then `file` as its last field."""
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        parts = [(p.get_param("name", header="content-disposition"), p) for p in message.iter_parts()]
        if [name for name, _ in parts] != ["token", "file"]:
            raise Refused(17027, 579)
        token = bytes(parts[0][1].get_payload(decode=True) or b"").decode()
        transaction, at = self._tokens.pop(token, ("", None))
        if at is None or self._now() - at > HOUR:
            raise Refused(17027, 579)
        part = parts[1][1]
        key = f"key-{token}"
        data = bytes(part.get_payload(decode=True) or b"")
        name, kind = part.get_filename() or "file", part.get_content_type()
        self.kept[key] = Kept(name, data, kind, transaction, self._now())
        return {"key": key}

    def usable(self, key: str, transaction: str) -> Values | None:
        kept = self.kept.get(key)
        if kept is None or kept.transaction != transaction or self._now() - kept.at > HOUR:
            return None
        return {
            "name": kept.name, "size": len(kept.data), "mime": kept.kind, "url": f"https://files.invalid/{key}",
        }  # fmt: skip
