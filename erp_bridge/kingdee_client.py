"""One call to Kingdee Galaxy's WebAPI: signed, sent once, its answer told apart from its refusals."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from erp_bridge.bystanders import AWAY_PAUSE, CREDENTIALS_PAUSE, asked_pause, is_page
from erp_bridge.kingdee_answers import (
    BUSY,
    EXCEPTION,
    LOST,
    NO_SUCH_SERVICE,
    NOT_FOUND,
    QUOTA,
    STALE,
    UNKNOWN_KEY,
    UNSURE,
    KingdeeRefusal,
    KingdeeTrouble,
    NoSuchForm,
    Stumbles,
    about_columns,
    clean,
    code_of,
    context_lost,
    failure,
    is_id,
    is_row,
    lost_in_words,
    objects,
)
from erp_bridge.kingdee_config import KingdeeConfig
from erp_bridge.kingdee_signing import signed_headers
from hub.errors import ErpUnavailable
from hub.ports import Clock

log = logging.getLogger(__name__)

SERVICE = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService."
_ROUND = 100  # a page of 2000 rows may be all that an older server gives, however many were asked for


class KingdeeClient:
    """Keeps the session cookie that a signed call brings; opens nothing before the first call."""

    def __init__(self, config: KingdeeConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._identity = (config.acct_id, config.user, config.lcid, config.org_num)
        self._stumbles = Stumbles()
        self._given: dict[str, int] = {}  # form: the longest page it has come in
        self.places: dict[str, str] = {}  # form in lower case: where the configuration names it
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
        return await self._written(method, {"formid": form, "data": data})

    async def _written(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        mark = _mark(method, body)
        try:
            answer = await self._call(method, body, write=True)
        except KingdeeTrouble as trouble:
            raise self._stumbles.judged(mark, trouble) from None
        self._stumbles.forget(mark)
        return self._result(method, answer)

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
            if not any(mark in trouble.said for mark in NO_SUCH_SERVICE):
                raise self._stumbles.judged(_mark("ExcuteOperation", body), trouble) from None
        return await self._written("ExecuteOperation", body)

    async def query(
        self, form: str, keys: Sequence[str], where: str, order: str = "FID ASC", most: int = 0
    ) -> list[dict[str, Any]]:
        """All rows, page by page (or the first `most`), by field key; texts without outer blanks.

        A server may give less than it is asked for. Of all rows, a short page is therefore believed to be the
        last one when this form has come in longer ones; else it is asked for what follows.
        """
        rows: list[dict[str, Any]] = []
        seen: set[str] = set()
        with_ids = any(is_id(key) for key in keys)  # else two equal rows may be two records
        start, doubted, limit = 0, False, min(most or self._config.page_rows, self._config.page_rows)
        while True:
            page = await self._first(form, keys, where, order, limit) if not start else (
                await self._page(form, keys, where, order, start, limit)
            )  # fmt: skip
            marks = [repr(list(row.values())) for row in page]
            again = bool(start and page and seen.issuperset(marks))
            if again and doubted:  # the short page was the last one, of a server that ignores StartRow
                return rows
            if again:
                raise ErpUnavailable(
                    f"Kingdee gives the same rows of {form} whichever page is asked for: StartRow is ignored"
                    " by it or by what stands before it"
                )
            rows += [r for r, mark in zip(page, marks, strict=True) if not with_ids or mark not in seen]
            seen.update(marks)
            start += len(page)
            longest, self._given[form] = self._given.get(form, 0), max(self._given.get(form, 0), len(page))
            doubted = 0 < len(page) < limit and len(page) % _ROUND != 0
            if not page or (most and start >= most) or (doubted and (most or len(page) < longest)):
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

    async def _first(
        self, form: str, keys: Sequence[str], where: str, order: str, limit: int
    ) -> list[dict[str, Any]]:
        """The first page. A form that is not there is answered like any exception: it is told apart."""
        try:
            return await self._page(form, keys, where, order, 0, limit)
        except KingdeeTrouble:
            if not await self._lacks(form):
                raise
        try:  # once more: it may only have stumbled
            return await self._page(form, keys, where, order, 0, limit)
        except KingdeeTrouble as trouble:
            text = f"Kingdee has no form {form}; name yours in {self.places.get(form.lower(), 'documents')}"
            raise NoSuchForm(f"{text}: {trouble}", EXCEPTION, trouble.said) from None

    async def _lacks(self, form: str) -> bool:
        """Whether it cannot describe this form although it answers what every tenant can be asked."""
        try:
            await self.read("QueryBusinessInfo", {"formid": form, "data": {"FormId": form}})
        except KingdeeTrouble:
            pass
        except KingdeeRefusal as refusal:
            if refusal.code not in (UNKNOWN_KEY, NOT_FOUND):
                return False
        else:
            return False
        try:
            await self._page("BD_Currency", ["FCODE"], "FNUMBER='PRE001'", "", 0, 1)
        except (KingdeeTrouble, KingdeeRefusal):
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
        if not isinstance(answer, list) or not all(is_row(r, len(keys)) for r in answer):
            raise ErpUnavailable(f"Kingdee answered a query of {form} in words we do not know")
        return [dict(zip(keys, map(clean, row), strict=True)) for row in answer]

    # ------------------------------------------------------------------ one call, and a lost session once
    async def _call(self, method: str, body: Mapping[str, Any], *, write: bool) -> Any:
        answer = await self._send(method, body, write)
        if context_lost(answer):  # nothing was done: without a context nothing can be
            self._http.cookies.clear()
            answer = await self._send(method, body, write)
        if context_lost(answer):
            raise ErpUnavailable(
                "Kingdee does not accept who we say we are; check acct_id, user, app_id and app_secret",
                CREDENTIALS_PAUSE,
            )
        status = failure(answer)
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
            return LOST
        if reply.status_code in (408, 429) or reply.status_code >= 500:
            in_doubt = write and reply.status_code != 429
            text = f"Kingdee answered {method} with HTTP {reply.status_code}"
            raise ErpUnavailable(text, asked_pause(reply), in_doubt=in_doubt)
        if is_page(reply):
            text = f"Kingdee answered {method} with a page for people (HTTP {reply.status_code})"
            pause = asked_pause(reply) or (None if reply.is_success else AWAY_PAUSE)
            raise ErpUnavailable(f"{text}; check server_url", pause, in_doubt=write)
        if reply.status_code not in (200, 206):  # what Kingdee itself refuses, it refuses with HTTP 200
            text = f"Kingdee answered {method} with HTTP {reply.status_code}; check server_url"
            raise ErpUnavailable(text, asked_pause(reply) or AWAY_PAUSE)
        try:
            return reply.json()
        except (ValueError, RecursionError):
            head = " ".join(reply.text[:80].split())
            if lost_in_words(head):
                return LOST
            text = f"Kingdee answered {method} with {head!r}"
            raise KingdeeTrouble(text, head, in_doubt=write) from None

    def _complaint(self, method: str, status: Mapping[str, Any], write: bool) -> Exception:
        """The error this refusal is, after the contract's table of MsgCodes."""
        code = code_of(status)
        said = "; ".join(str(e.get("Message") or "") for e in objects(status.get("Errors")))
        text = f"Kingdee refused {method} ({code}): {said}"
        if code == BUSY or STALE in said:
            return ErpUnavailable(text)
        if code == QUOTA:
            return ErpUnavailable(text, self._config.quota_pause)
        if code in UNSURE or not said:
            return KingdeeTrouble(text, said, in_doubt=write, code=code)
        return KingdeeRefusal(text, code, said)


def _mark(method: str, body: Mapping[str, Any]) -> str:
    """The same for the same write; a part of a photo is long."""
    return hashlib.sha256(f"{method}{json.dumps(body)}".encode()).hexdigest()
