"""Who may call: keys with their apps, groups of the API and addresses; and how often."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.simulators.jiandaoyun.answers import Refused

RATES = {"create": 20, "update": 20, "delete": 20, "batch_create": 10, "batch_update": 10, "batch_delete": 10}
RATE, COMPANY = 30, 50


@dataclass(frozen=True)
class Key:
    apps: frozenset[str] | None = None  # None: all
    groups: frozenset[str] | None = None  # of "structure", "data", "file", "workflow"
    addresses: frozenset[str] | None = None


@dataclass
class _Bucket:
    rate: float
    left: float
    at: float

    def taken(self, now: float) -> bool:
        self.left = min(self.rate, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Door:
    def __init__(self, keys: Mapping[str, Key], *, limited: bool) -> None:
        self.keys = dict(keys)
        self.limited = limited
        self.seconds: Callable[[], float] = time.monotonic  # the vendor's, not the plant's
        self._buckets: dict[str, _Bucket] = {}

    def key(self, authorization: str, address: str) -> Key:
        kind, _, given = authorization.partition(" ")
        if kind != "Bearer" or given not in self.keys:
            raise Refused(8301)
        key = self.keys[given]
        if key.addresses is not None and address not in key.addresses:
            raise Refused(17052)
        return key

    def enter(self, key: Key, group: str, app_id: str) -> None:
        if key.groups is not None and group not in key.groups:
            raise Refused(17054)
        if key.apps is not None and app_id and app_id not in key.apps:
            raise Refused(17053)

    def counted(self, path: str) -> None:
        if not self.limited:
            return
        name = path.rpartition("/")[2]
        for bucket, rate, code in ((path, RATES.get(name, RATE), 8304), ("", COMPANY, 8303)):
            now = self.seconds()
            if not self._buckets.setdefault(bucket, _Bucket(rate, rate, now)).taken(now):
                raise Refused(code, 429)
