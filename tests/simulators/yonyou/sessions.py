"""OAuth2/AuthLogin: five values that must match, and one token at a time for each application."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.simulators.yonyou.answers import U9Error


@dataclass(frozen=True)
class Account:
    client_id: str = "ah"
    client_secret: str = "client-secret-that-nobody-may-read"
    ent_code: str = "001"
    user_code: str = "andon"
    org_code: str = "101"
    life: timedelta = timedelta(minutes=240)


class Sessions:
    def __init__(self, account: Account, now: Callable[[], datetime]) -> None:
        self._account = account
        self._now = now
        self._guard = threading.Lock()
        self._token = ""
        self._until = now()
        self._past: set[str] = set()
        self.allowed = True  # the caller's address
        self.enabled = True
        self.log_ins = 0
        self.shared = False  # earlier tokens stay good: as if each program had an application of its own

    def log_in(self, query: Mapping[str, str]) -> str:
        given = {name.lower(): value for name, value in query.items()}
        account = self._account
        if not self.allowed:
            raise U9Error(601, "客户端IP不允许访问")
        if given.get("clientid") != account.client_id or not self.enabled:
            raise U9Error(407, "客户端未启用")
        if given.get("clientsecret") != account.client_secret:
            raise U9Error(503, f"登录失败: 密钥 {given.get('clientsecret')} 错误")
        if given.get("orgcode") != account.org_code:
            raise U9Error(408, "组织不存在")
        if given.get("usercode") != account.user_code:
            raise U9Error(406, "用户不存在")
        if given.get("entcode") != account.ent_code or given.get("logintype", "1") not in ("1", "2"):
            raise U9Error(503, "登录失败")
        with self._guard:
            self._past.add(self._token)
            self.log_ins += 1
            self._token = f"eyJ0b2tlbiI6.{self.log_ins}.x"
            self._until = self._now() + account.life
            return self._token

    def check(self, token: str | None) -> None:
        """Raises what the server says of a missing, strange or old one."""
        if not token:
            raise U9Error(401, "未授权")
        with self._guard:
            if token != self._token and not (self.shared and token in self._past):
                raise U9Error(504, "token无效")
            if self._now() >= self._until:
                raise U9Error(402, "token已过期")

    def clear(self) -> None:
        with self._guard:
            self._past.add(self._token)
            self._token = ""
