"""Operations by REST: one request each, lists to their last page, answers sorted after what the caller does.

No write is ever repeated but one that an expired session kept from being looked at. Redirects are not
followed, and no link leads to a host that the configuration does not name.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import jmespath
from jmespath.exceptions import JMESPathError

from erp_bridge.bystanders import AWAY_PAUSE
from erp_bridge.fieldmap import Functions, plain
from erp_bridge.generic_answers import Answer, Duplicate, Judge, NotThere, Outcome, Verdict
from erp_bridge.generic_auth import Identity
from erp_bridge.generic_config import GenericConfig, OperationBlock, PagingBlock, RestBlock
from erp_bridge.generic_templates import (
    empty_ones,
    filled,
    header_value,
    names,
    nested,
    path_part,
    query_value,
)
from hub.errors import ErpRefused, ErpUnavailable
from hub.ports import Clock

MOST_PAGES = 10_000
Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    what: str  # for complaints: without values, which may be anything
    write: bool


class Circles(ErpUnavailable):
    """A list that begins again instead of ending; `rows`: what it gave until then."""

    rows: Sequence[Any] = ()


class RestDoor:
    """Opens nothing before the first call."""

    def __init__(self, config: GenericConfig, block: RestBlock, clock: Clock) -> None:
        self._config = config
        self._block = block
        self._clock = clock
        self._root = str(block.url).rstrip("/")
        self._http = httpx.AsyncClient(
            timeout=block.timeout.total_seconds(), follow_redirects=False, trust_env=False,
            limits=httpx.Limits(max_connections=block.parallel), verify=block.url.scheme == "https"
            or _is_https(block),
        )  # fmt: skip  # without https there are no certificates to load
        self._identity = Identity(block, self._http, clock, config.name)
        self._judges: dict[str, Judge] = {}
        self._options = jmespath.Options(custom_functions=Functions({}, config.zone))

    async def close(self) -> None:
        await self._http.aclose()

    # ------------------------------------------------------------------ reading
    async def read(self, name: str, call: OperationBlock, fields: Fields, *, whole: bool = True) -> list[Any]:
        """The rows of all pages (of the first only without `whole`); nothing there is no rows.

        Not found means that only where the address names a record or the mapping says so: at any other it is
        a wrong address, and taking it for "no ticket yet" would make a second one.
        """
        rows: list[Any] = []
        try:
            async for page in self._pages(name, call, fields):
                rows += page
                if not whole:
                    break
        except Circles as circles:
            circles.rows = rows
            raise
        except NotThere as gone:
            if rows or names(call.path) or call.answers or self._block.answers.missing:
                return rows
            raise ErpRefused(f"{gone}; check the address in operations.{name}.call") from None
        return rows

    async def _pages(self, name: str, call: OperationBlock, fields: Fields) -> AsyncIterator[list[Any]]:
        paging = None if call.one_page else call.paging or self._block.paging
        if paging is None or (call.method != "GET" and not call.send):
            answer, verdict = await self._answered(name, call, fields, {}, "")
            yield _with_version(self._read_rows(name, call, answer, verdict.body), answer)
            return
        query: dict[str, str] = _first_page(paging)
        url, steps, pages, taken = "", set[str](), list[int](), 0
        for number in range(MOST_PAGES):
            answer, verdict = await self._answered(name, call, fields, query, url)
            page = self._read_rows(name, call, answer, verdict.body)
            mark = hash(json.dumps(page, sort_keys=True, default=str))
            if not page or (len(pages) > 1 and mark == pages[-1]):
                return  # some give their last page again for whatever is beyond it
            if mark in pages:
                raise self._circles(name, paging)
            yield page
            pages.append(mark)
            taken += len(page)
            more = paging.more and not self._value(name, paging.more, verdict.body)
            step = None if more else self._step(name, paging, number, taken, answer, verdict)
            if step is None:
                return
            if step in steps:
                raise self._circles(name, paging)
            steps.add(step)
            query, url = self._following(paging, query, url or self._url(call, fields, query), step)
        raise ErpUnavailable(f"{name}: more than {MOST_PAGES} pages; narrow the query")

    def _circles(self, name: str, paging: PagingBlock) -> ErpUnavailable:
        where = paging.parameter or paging.next or "its link to the next page"
        return Circles(
            f"{name}: {self._config.name} gives the same page over and over and passes over {where!r};"
            f" correct rest.paging, say in its `more` when there is more, or set operations.{name}.one_page"
            " where the list comes whole"
        )

    def _step(
        self, name: str, paging: PagingBlock, number: int, taken: int, answer: Answer, verdict: Verdict
    ) -> str | None:
        """Where the next page begins, in the style's own words."""
        if paging.style == "page":
            return str(paging.first + number + 1)
        if paging.style == "offset":
            return str(taken)
        if paging.next:
            found = self._value(name, paging.next, verdict.body)
        else:
            found = _linked(answer.headers.get("link", ""))
        return None if found in (None, "", False) else str(found)

    def _following(
        self, paging: PagingBlock, query: dict[str, str], url: str, step: str
    ) -> tuple[dict[str, str], str]:
        if paging.style == "next":
            return {}, self._listed(str(httpx.URL(url).join(step)))
        return query | {paging.parameter: step}, ""

    def _listed(self, url: str) -> str:
        """A link of theirs, when it leads to where we may go (S14)."""
        asked, own = httpx.URL(url), httpx.URL(self._root)
        same = (asked.scheme, asked.host, asked.port) == (own.scheme, own.host, own.port)
        allowed = asked.scheme == own.scheme and asked.host in self._block.hosts
        if asked.userinfo or not (same or allowed):
            raise ErpRefused(
                f"the next page is said to be at {asked.host}; if that is right, add it to rest.hosts"
            )
        return url

    # ------------------------------------------------------------------ writing
    async def write(
        self, name: str, call: OperationBlock, fields: Fields, document: Mapping[str, Any], create: bool
    ) -> list[Any]:
        """The rows of the answer, if it has any. Raises NotThere for what is not there."""
        verdict = await self._sent(name, call, fields, document, create)
        return [] if call.answer == "none" else self._rows(name, call, verdict.body, write=True)

    # ------------------------------------------------------------------ one exchange
    async def _sent(
        self, name: str, call: OperationBlock, fields: Fields, document: Mapping[str, Any], create: bool
    ) -> Verdict:
        content, kind = _content(call, fields, document)
        if call.send:
            content, kind = _json(nested(call.send, fields, self._config.zone)), "application/json"
        headers = {"Content-Type": kind} if content is not None else {}
        if create and self._block.idempotency_header and fields.get("key"):
            headers[self._block.idempotency_header] = header_value(f"{name}:{fields['key']}")
        request = self._request(name, call, fields, headers, content, True)
        return (await self._judged(name, call, request))[1]

    async def _answered(
        self, name: str, call: OperationBlock, fields: Fields, paging: Mapping[str, str], url: str
    ) -> tuple[Answer, Verdict]:
        """One question. Where it stands in the pages goes into the query, or into the body that is sent."""
        if not call.send:
            asked = url or self._url(call, fields, paging)
            return await self._judged(name, call, self._request(name, call, fields, {}, None, False, asked))
        where = {n: int(v) if v.isdigit() else v for n, v in paging.items()}
        content = _json(nested(call.send, fields, self._config.zone) | where)
        headers = {"Content-Type": "application/json"}
        return await self._judged(name, call, self._request(name, call, fields, headers, content, False, url))

    def _request(
        self, name: str, call: OperationBlock, fields: Fields, headers: Mapping[str, str],
        content: bytes | None, write: bool, url: str = "",
    ) -> _Request:  # fmt: skip
        own = {
            n: filled(text, fields, self._config.zone, header_value)
            for n, text in call.headers.items()
            if not empty_ones(text, fields)
        }
        said = {"Accept": "application/json", **self._block.headers, **headers, **own}
        return _Request(call.method, url or self._url(call, fields, {}), said, content,
                        f"{name} ({call.method} {call.path})", write)  # fmt: skip

    def _url(self, call: OperationBlock, fields: Fields, paging: Mapping[str, str]) -> str:
        """Raises ErpRefused where a place in the path would stay empty: that is another address."""
        zone: ZoneInfo = self._config.zone
        gone = empty_ones(call.path, fields)
        if gone:
            raise ErpRefused(f"{call.call}: there is no {gone[0]} to put into the address")
        path = filled(call.path.lstrip("/"), fields, zone, path_part)
        asked = {
            n: filled(text, fields, zone, str)
            for n, text in call.query.items()
            if not empty_ones(text, fields)
        }
        asked |= {n: v for n, v in paging.items() if n}
        rest = "&".join(f"{query_value(n)}={query_value(v)}" for n, v in asked.items())
        return f"{self._root}/{path}" + (f"?{rest}" if rest else "")

    async def _judged(self, name: str, call: OperationBlock, request: _Request) -> tuple[Answer, Verdict]:
        judge = self._judge(name, call)
        matters = call.answer == "json"
        age, who = await self._identity.headers()
        answer = await self._once(request, who)
        verdict = judge.verdict(answer, self._clock.now(), body_matters=matters)
        if verdict.outcome is Outcome.EXPIRED and self._identity.renewable:
            await self._identity.renew(age)  # nothing was done: it may be said again
            _, who = await self._identity.headers()
            answer = await self._once(request, who)
            verdict = judge.verdict(answer, self._clock.now(), body_matters=matters)
        if verdict.outcome is not Outcome.DONE:
            raise self._complaint(request, answer, verdict)
        return answer, verdict

    async def _once(self, request: _Request, who: Mapping[str, str]) -> Answer:
        try:
            reply = await self._http.request(
                request.method, request.url, headers={**request.headers, **who}, content=request.content
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as cause:
            raise ErpUnavailable(
                f"{self._config.name} cannot be reached: {type(cause).__name__}; check rest.url"
            ) from None
        except httpx.HTTPError as cause:  # sent, and then silence
            text = f"{self._config.name} did not answer {request.what}: {type(cause).__name__}"
            raise ErpUnavailable(text, in_doubt=request.write) from None
        except (httpx.InvalidURL, UnicodeEncodeError) as cause:
            raise ErpRefused(f"{request.what} cannot be sent: {type(cause).__name__}") from None
        return Answer(reply.status_code, {n.lower(): v for n, v in reply.headers.items()}, reply.content)

    def _complaint(self, request: _Request, answer: Answer, verdict: Verdict) -> Exception:
        words = f": {verdict.said}" if verdict.said else ""
        text = f"{self._config.name} answered {request.what} with HTTP {answer.status}{words}"
        match verdict.outcome:
            case Outcome.EXPIRED:
                return self._identity.unwelcome()
            case Outcome.LIMITED:
                return ErpUnavailable(text, verdict.pause or self._block.limit_pause)
            case Outcome.BUSY:
                return ErpUnavailable(text, verdict.pause)
            case Outcome.AWAY | Outcome.GARBLED:
                return ErpUnavailable(text, verdict.pause, in_doubt=request.write)
            case Outcome.PAGE:
                text += "; a page, not an answer: something stands before it"
                return ErpUnavailable(text, verdict.pause or AWAY_PAUSE, in_doubt=request.write)
            case Outcome.MISSING:
                mend = f"; check operations.{request.what.partition(' ')[0]}.call" if request.write else ""
                return NotThere(text + mend)
            case Outcome.DUPLICATE:
                return Duplicate(text)
            case Outcome.ELSEWHERE:
                text += "; check rest.url: it leads elsewhere, to a log-in page perhaps"
                return ErpUnavailable(text, verdict.pause or AWAY_PAUSE, in_doubt=request.write)
            case Outcome.FORBIDDEN:
                return ErpRefused(f"{text}; check the rights of who rest.auth says we are")
        return ErpRefused(text)

    # ------------------------------------------------------------------ what stands in an answer
    def _read_rows(self, name: str, call: OperationBlock, answer: Answer, body: Any) -> list[Any]:
        """An answer that says nothing is not an answer that there is nothing: a create would follow it."""
        empty = body is None and answer.status == 204
        if not empty and (not isinstance(body, Mapping | list) or body == {} or (call.rows and body == [])):
            said = " ".join(answer.content[:80].decode(errors="replace").split())
            raise ErpUnavailable(f"{self._config.name} answered {name} with {said!r}")
        return self._rows(name, call, body)

    def _rows(self, name: str, call: OperationBlock, body: Any, *, write: bool = False) -> list[Any]:
        found = self._value(name, call.rows, body, write=write) if call.rows else body
        if found is None:
            return []
        rows = found if isinstance(found, list) else [found]
        if all(isinstance(row, Mapping) and row for row in rows):
            return rows
        if write:
            return []  # it was done, and tells nothing of the record: the look for it will
        raise ErpUnavailable(f"{name}: operations.{name}.rows finds no records in the answer")

    def _value(self, name: str, text: str, body: Any, *, write: bool = False) -> Any:
        try:
            return jmespath.compile(text).search(body, options=self._options)
        except (JMESPathError, ValueError, ArithmeticError, TypeError):
            raise ErpUnavailable(
                f"operations.{name}: {text!r} does not fit the answer", in_doubt=write
            ) from None

    def _judge(self, name: str, call: OperationBlock) -> Judge:
        if name not in self._judges:
            base = self._block.answers
            block = call.answers.over(base) if call.answers else base
            self._judges[name] = Judge(block, self._config.zone)
        return self._judges[name]


def _json(body: Any) -> bytes:
    return json.dumps(plain(body), ensure_ascii=False).encode()


def _with_version(rows: list[Any], answer: Answer) -> list[Any]:
    """A single record's ETag is there to be mapped, as `version: _etag`."""
    if len(rows) == 1 and "etag" in answer.headers:
        return [{"_etag": answer.headers["etag"], **rows[0]}]
    return rows


def _is_https(block: RestBlock) -> bool:
    token_url = getattr(block.auth, "token_url", None)
    return token_url is not None and token_url.scheme == "https"


def _first_page(paging: PagingBlock) -> dict[str, str]:
    query = {paging.size_param: str(paging.size)} if paging.size_param else {}
    if paging.style == "page":
        query[paging.parameter] = str(paging.first)
    if paging.style == "offset":
        query[paging.parameter] = "0"
    return query


def _linked(header: str) -> str | None:
    """The target of rel=next of a Link header (RFC 8288)."""
    for part in header.split(","):
        target, *rest = part.split(";")
        relations = [r.strip().lower().replace('"', "").replace(" ", "") for r in rest]
        if "rel=next" in relations:
            return target.strip().removeprefix("<").removesuffix(">")
    return None


def _content(
    call: OperationBlock, fields: Fields, document: Mapping[str, Any] | None
) -> tuple[bytes | None, str]:
    if document is None or call.body == "none":
        return None, ""
    if call.body == "form":
        flat = {n: _flat(v) for n, v in document.items()}
        return str(httpx.QueryParams(flat)).encode(), "application/x-www-form-urlencoded"
    if call.body == "multipart":
        return _multipart(call, fields, document)
    body: Sequence[Any] | Mapping[str, Any] = [document] if call.body == "json-list" else document
    return _json(body), "application/json"


def _multipart(call: OperationBlock, fields: Fields, document: Mapping[str, Any]) -> tuple[bytes, str]:
    name, data = str(fields.get("photo_name") or "photo"), bytes(fields.get("photo_data") or b"")
    flat = {n: _flat(v) for n, v in document.items()}
    made = httpx.Request("POST", "http://x", data=flat, files={call.file: (name, data)})
    return made.read(), made.headers["Content-Type"]


def _flat(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return json.dumps(plain(value), ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
