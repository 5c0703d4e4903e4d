"""Who is calling: signed headers, login calls, session cookies and their end."""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Any

from tests.simulators.kingdee.answers import CONTEXT_LOST, HttpFailure, Refusal
from tests.simulators.kingdee.signing import (
    application_signature,
    client_secret,
    gateway_signature,
    login_signature,
)

COOKIE = "kdservice-sessionid"
LOST = "会话信息已丢失，请重新登录"


@dataclass(frozen=True)
class Account:
    """The one data centre, its user and the registered third-party application."""

    acct_id: str = "5f0acct"
    user: str = "demo"
    password: str = "demo-password"
    app_id: str = "300001_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
    app_secret: str = "demo-app-secret"
    idle: timedelta = timedelta(minutes=20)
    clock_window: timedelta | None = None  # off by default, as far as anybody has seen


@dataclass
class Session:
    id: str
    user: str
    org: str
    used_at: datetime
    fresh: bool = False  # made by this very call: the answer sets the cookie


@dataclass
class Sessions:
    account: Account
    now: Callable[[], datetime]
    open: dict[str, Session] = field(default_factory=dict)

    def of(self, headers: Mapping[str, str], path: str) -> Session:
        """The caller's session; a signed call without one gets a new one. Raises MsgCode 1."""
        session = self._known(headers)
        if session is not None:
            session.used_at, session.fresh = self.now(), False
            return session
        return self._begin(self._signed_org(headers, path))

    def kill_all(self) -> None:
        self.open.clear()

    def _known(self, headers: Mapping[str, str]) -> Session | None:
        for sid in (headers.get(COOKIE), headers.get("SID"), _cookie(headers.get("Cookie", ""))):
            session = self.open.get(sid or "")
            if session is None:
                continue
            if self.now() - session.used_at <= self.account.idle:
                return session
            del self.open[session.id]
        return None

    def _begin(self, org: str) -> Session:
        session = Session(str(uuid.uuid4()), self.account.user, org, self.now(), fresh=True)
        self.open[session.id] = session
        return session

    def _signed_org(self, headers: Mapping[str, str], path: str) -> str:
        lost = Refusal(CONTEXT_LOST, LOST)
        app_id, signature = headers.get("X-Kd-Appkey", ""), headers.get("X-Kd-Signature", "")
        try:
            app_data = base64.b64decode(headers.get("X-Kd-Appdata", ""), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise lost from None
        parts = app_data.split(",")
        if len(parts) != 4:
            raise lost
        acct, user, _lcid, org = parts
        if acct != self.account.acct_id:
            raise HttpFailure(500, "账套不存在或已停用")
        expected = application_signature(app_id, self.account.app_secret, app_data)
        known = app_id == self.account.app_id and user == self.account.user
        if not (_same(signature, expected) and known and self._gateway_ok(headers, path, app_id)):
            raise lost
        return org

    def _gateway_ok(self, headers: Mapping[str, str], path: str, app_id: str) -> bool:
        """Checked only for a two-part AppId; a private server has no gateway in front of it."""
        if not client_secret(app_id):
            return True
        nonce, stamp = headers.get("x-api-nonce", ""), headers.get("x-api-timestamp", "")
        if not stamp.isdigit() or not self._in_window(int(stamp)):
            return False
        return _same(headers.get("X-Api-Signature", ""), gateway_signature(app_id, path, nonce, stamp))

    def _in_window(self, stamp: int) -> bool:
        seconds = stamp / 1000 if stamp > 10**11 else float(stamp)
        window = self.account.clock_window
        return window is None or abs(seconds - self.now().timestamp()) <= window.total_seconds()

    # ------------------------------------------------------------------ the three login calls
    def validate_user(self, parameters: list[Any]) -> dict[str, Any]:
        acct, user, password = (str(p) for p in parameters[:3])
        account = self.account
        return self._login(
            acct == account.acct_id, user == account.user and _same(password, account.password)
        )

    def login_by_app_secret(self, parameters: list[Any]) -> dict[str, Any]:
        acct, user, app_id, secret = (str(p) for p in parameters[:4])
        account = self.account
        right = (user, app_id) == (account.user, account.app_id) and _same(secret, account.app_secret)
        return self._login(acct == account.acct_id, right)

    def login_by_sign(self, parameters: list[Any]) -> dict[str, Any]:
        acct, user, app_id, stamp, sign = (str(p) for p in parameters[:5])
        account = self.account
        expected = login_signature(account.acct_id, account.user, account.app_id, account.app_secret, stamp)
        right = (user, app_id) == (account.user, account.app_id) and _same(sign, expected)
        return self._login(acct == account.acct_id, right)

    def logout(self, headers: Mapping[str, str]) -> dict[str, Any]:
        session = self._known(headers)
        if session is not None:
            del self.open[session.id]
        return {"Result": session is not None}

    def _login(self, acct_ok: bool, user_ok: bool) -> dict[str, Any]:
        if not (acct_ok and user_ok):
            text = "用户名或密码错误" if acct_ok else "数据中心不存在"
            return _login_answer(-1 if acct_ok else -5, text, "", {})
        session = self._begin("0")
        context = {
            "UserLocale": "zh-CN",
            "LogLocale": "zh-CN",
            "DBid": self.account.acct_id,
            "DatabaseType": 3,
            "SessionId": session.id,
            "UserId": 100101,
            "UserName": self.account.user,
            "CustomName": "演示企业",
            "DisplayVersion": "8.2.0",
            "DataCenterName": "demo",
            "DataCenterNumber": "001",
            "CurrentOrganizationInfo": {"ID": 1, "AcctOrgType": "1", "Name": "总公司", "FunctionIds": [101]},
        }
        return _login_answer(1, None, session.id, context)


def _login_answer(result: int, message: str | None, sid: str, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "Message": message,
        "MessageCode": "CheckPasswordPolicy",
        "LoginResultType": result,
        "Context": context or None,
        "KDSVCSessionId": sid,
        "FormId": None,
        "RedirectFormParam": None,
        "FormInputObject": None,
        "ErrorStackTrace": None,
        "Lcid": 0,
        "AccessToken": None,
        "CustomParam": None,
        "KdAccessResult": None,
        "IsSuccessByAPI": result == 1,
    }


def _cookie(header: str) -> str:
    """The session cookie; the vendor's client sends names with a leading space."""
    try:
        jar = SimpleCookie()
        for part in header.split(";"):
            jar.load(part.strip())
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
