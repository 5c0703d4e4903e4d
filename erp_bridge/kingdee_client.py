"""One call to Kingdee Galaxy's WebAPI: signed, sent once, its answer told apart from its refusals.

HTTP 200 means little: refusals come as 200 with `IsSuccess: false`, broken servers as 200 with plain text.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx

from erp_bridge.bystanders import AWAY_PAUSE, CREDENTIALS_PAUSE
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_signing import signed_headers
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

SERVICE = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
CONTEXT_LOST, BUSY, QUOTA = 1, 13, 14
UNKNOWN_KEY = 9
FORBIDDEN = frozenset({11, 12})  # validation failed; not possible in this state
UNSURE = frozenset({4, 6})  # server exception, database failure: nobody knows what was done
_LOST_MARKS = ("ctx == null", "未登录", "会话", "-10001")
_STALE = "已被其他用户修改"
_TAKEN = "已存在"
_NO_SUCH_SERVICE = ("未将对象引用", "Object reference", "找不到方法")


class KingdeeRefusal(ErpRefused):
    """The server understood and said no. `code` is its MsgCode, `said` its own words."""

    def __init__(self, text: str, code: int, said: str) -> None:
        self.code = code
        self.said = said
        super().__init__(text)

    @property
    def is_duplicate(self) -> bool:
        return _TAKEN in self.said


class KingdeeTrouble(ErpUnavailable):
    """An exception on their side. `said`: its words, which may name a form or column that is missing."""

    def __init__(self, text: str, said: str, *, in_doubt: bool) -> None:
        self.said = said
        super().__init__(text, in_doubt=in_doubt)


class KingdeeClient:
    """Keeps the session cookie that a signed call brings; opens nothing before the first call."""

    def __init__(self, config: KingdeeConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._identity = (config.acct_id, config.user, config.lcid, config.org_num)
        self._http = httpx.AsyncClient(
            timeout=config.timeout.total_seconds(), http2=False, follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def read(self, method: str, body: Mapping[str, Any]) -> Any:
        """A call that changes nothing: however it fails, it may be repeated."""
        return await self._call(method, body, write=False)

    async def write(self, method: str, form: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """A call that changes something; returns its `Result`. `in_doubt` when it may have been done."""
        return self._result(method, await self._call(method, {"formid": form, "data": data}, write=True))

    def _result(self, method: str, answer: Any) -> dict[str, Any]:
        if not isinstance(answer, dict) or not isinstance(answer.get("Result"), dict):
            raise ErpUnavailable(f"Kingdee answered {method} in words we do not know", in_doubt=True)
        result: dict[str, Any] = answer["Result"]
        return result

    async def operate(self, form: str, operation: str, document_id: str) -> dict[str, Any]:
        """A form operation 操作. Most servers spell the service ExcuteOperation; one has been seen that falls
        over it and knows only ExecuteOperation."""
        body = {"formid": form, "opNumber": operation, "data": {"Ids": document_id}}
        try:
            return self._result("ExcuteOperation", await self._call("ExcuteOperation", body, write=True))
        except KingdeeTrouble as trouble:
            if not any(mark in trouble.said for mark in _NO_SUCH_SERVICE):
                raise
        return self._result("ExecuteOperation", await self._call("ExecuteOperation", body, write=True))

    async def query(
        self, form: str, keys: Sequence[str], where: str, order: str = "FID ASC", most: int = 0
    ) -> list[dict[str, Any]]:
        """All rows, page by page (or the first `most`), by field key; texts without outer blanks."""
        rows: list[dict[str, Any]] = []
        limit = min(most or self._config.page_rows, self._config.page_rows)
        while True:
            page = await self._page(form, keys, where, order, len(rows), limit)
            rows += page
            if len(page) < limit or (most and len(rows) >= most):
                return rows

    async def knows(self, form: str, column: str) -> bool:
        """Whether this form can be asked for this column."""
        try:
            await self.query(form, [column], "", "", most=1)
        except (KingdeeRefusal, KingdeeTrouble) as refusal:
            if not about_columns(refusal):
                raise
            return False
        return True

    async def _page(
        self, form: str, keys: Sequence[str], where: str, order: str, start: int, limit: int
    ) -> list[dict[str, Any]]:
        asked = {
            "FormId": form, "FieldKeys": ",".join(keys), "FilterString": where, "OrderString": order,
            "TopRowCount": 0, "StartRow": start, "Limit": limit,
        }  # fmt: skip
        answer = await self.read("ExecuteBillQuery", {"data": asked})
        if not isinstance(answer, list) or not all(
            isinstance(r, list) and len(r) == len(keys) for r in answer
        ):
            raise ErpUnavailable(f"Kingdee answered a query of {form} in words we do not know")
        return [dict(zip(keys, map(clean, row), strict=True)) for row in answer]

    # ------------------------------------------------------------------ one call, and a lost session once
    async def _call(self, method: str, body: Mapping[str, Any], *, write: bool) -> Any:
        answer = await self._send(method, body, write)
        if _context_lost(answer):  # nothing was done: without a context nothing can be
            self._http.cookies.clear()
            answer = await self._send(method, body, write)
        if _context_lost(answer):
            raise ErpUnavailable(
                "Kingdee does not accept who we say we are; check acct_id, user, app_id and app_secret",
                CREDENTIALS_PAUSE,
            )
        status = _failure(answer)
        if status is not None:
            raise self._complaint(method, status, write)
        return answer

    async def _send(self, method: str, body: Mapping[str, Any], write: bool) -> Any:
        url = f"{self._config.base_url}{SERVICE}{method}.common.kdsvc"
        try:
            reply = await self._http.post(
                url,
                content=json.dumps(body, ensure_ascii=False).encode(),
                headers=self._headers(url),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(f"Kingdee cannot be reached: {type(cause).__name__}") from None
        except httpx.HTTPError as cause:  # sent, and then silence
            text = f"Kingdee did not answer {method}: {type(cause).__name__}"
            raise ErpUnavailable(text, in_doubt=write) from None
        return self._read(method, reply, write)

    def _headers(self, url: str) -> dict[str, str]:
        secret = self._config.app_secret.get_secret_value()
        stamp = int(self._clock.now().timestamp())
        headers = signed_headers(url, self._identity, self._config.app_id, secret, stamp)
        return headers | {"Content-Type": "application/json", "Accept-Charset": "utf-8"}

    def _read(self, method: str, reply: httpx.Response, write: bool) -> Any:
        if reply.status_code == 401:
            return _LOST
        if reply.status_code in (408, 429) or reply.status_code >= 500:
            in_doubt = write and reply.status_code != 429
            text = f"Kingdee answered {method} with HTTP {reply.status_code}"
            raise ErpUnavailable(text, _retry_after(reply), in_doubt=in_doubt)
        if reply.status_code not in (200, 206):  # what Kingdee itself refuses, it refuses with HTTP 200
            text = f"Kingdee answered {method} with HTTP {reply.status_code}; check server_url"
            raise ErpUnavailable(text, _retry_after(reply) or AWAY_PAUSE)
        try:
            return reply.json()
        except ValueError:
            head = " ".join(reply.text[:80].split())
            text = f"Kingdee answered {method} with {head!r}"
            raise KingdeeTrouble(text, head, in_doubt=write) from None

    def _complaint(self, method: str, status: Mapping[str, Any], write: bool) -> Exception:
        """The error this refusal is, after the contract's table of MsgCodes."""
        code = int(status.get("MsgCode") or 0)
        said = "; ".join(
            str(e.get("Message") or "") for e in status.get("Errors") or [] if isinstance(e, dict)
        )
        text = f"Kingdee refused {method} ({code}): {said}"
        if code == BUSY or _STALE in said:
            return ErpUnavailable(text)
        if code == QUOTA:
            return ErpUnavailable(text, self._config.quota_pause)
        if code in UNSURE or not said:
            return KingdeeTrouble(text, said, in_doubt=write)
        return KingdeeRefusal(text, code, said)


_LOST = {"Result": {"ResponseStatus": {"IsSuccess": False, "MsgCode": CONTEXT_LOST, "Errors": []}}}


def _failure(answer: Any) -> Mapping[str, Any] | None:
    """The failed ResponseStatus of an answer: queries wrap it in two lists, Push has a second one."""
    while isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    result = answer.get("Result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        return None
    for name in ("ResponseStatus", "ConvertResponseStatus"):
        status = result.get(name)
        if isinstance(status, dict) and str(status.get("IsSuccess")).lower() != "true":
            return status
    return None


def _context_lost(answer: Any) -> bool:
    """Only a failed answer can say so: the words may stand in anybody's data."""
    status = _failure(answer)
    if status is None:
        return False
    said = json.dumps(status.get("Errors") or [], ensure_ascii=False)
    return int(status.get("MsgCode") or 0) == CONTEXT_LOST or any(mark in said for mark in _LOST_MARKS)


def about_columns(refusal: KingdeeRefusal | KingdeeTrouble) -> bool:
    """An unknown field is refused, or an exception says that a table has no such column."""
    if isinstance(refusal, KingdeeRefusal):
        return refusal.code == UNKNOWN_KEY
    return "列名" in refusal.said or "不存在" in refusal.said


def _retry_after(reply: httpx.Response) -> timedelta | None:
    seconds = reply.headers.get("Retry-After", "")
    return timedelta(seconds=int(seconds)) if seconds.isdigit() else None


def clean(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def quoted(text: str) -> str:
    """A literal of the filter language."""
    return "'" + text.replace("'", "''") + "'"
