"""Everything that is wrong with a mapping, told before it meets the ERP (pure).

Reads the block as it was written, so that what pydantic refuses does not hide the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from erp_bridge import generic_templates as templates
from erp_bridge.fieldmap import MapBlock
from erp_bridge.generic_config import (
    AnswersBlock,
    LoginAuth,
    OperationBlock,
    PagingBlock,
    PushBlock,
    RestBlock,
)
from erp_bridge.generic_expressions import Complaint, expression, near, roots, tables_of
from erp_bridge.generic_fields import ALWAYS, DOCUMENTS, LISTED, OPERATIONS, Deed, Document, Operation
from hub import sql_text as statements
from hub.model.erp import ErpSubject
from hub.webhooks import too_weak

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADER = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")


def complaints(data: Mapping[str, Any]) -> list[Complaint]:
    constants = frozenset(_keys(data.get("constants")))
    maps = _valid(data.get("documents"), MapBlock)
    calls = _valid(data.get("operations"), OperationBlock)
    found = list(_document_names(data.get("documents"), calls))
    for name, block in maps.items():
        found += _map(name, block, constants)
    found += _operation_names(data.get("operations"))
    for name, call in calls.items():
        if name in OPERATIONS:
            found += _operation(f"operations.{name}", name, call, data, maps, constants)
    names = frozenset(_keys(data.get("operations")))
    found += _company(names)
    found += _ticket(maps.get("ticket"), names)
    found += _rest(data.get("rest"))
    found += _push(data.get("push"))
    return [*dict.fromkeys(found)]


def _keys(value: Any) -> list[str]:
    return [str(k) for k in value] if isinstance(value, Mapping) else []


def _valid(value: Any, kind: type[Any]) -> dict[str, Any]:
    """Those of the blocks that can be read; pydantic tells of the others."""
    found = {}
    for name, block in value.items() if isinstance(value, Mapping) else ():
        made = _one(block, kind)
        if made is not None:
            found[str(name)] = made
    return found


def _one(block: Any, kind: type[BaseModel]) -> Any:
    if isinstance(block, kind):
        return block
    try:
        return kind.model_validate(block)
    except ValidationError:
        return None


# ------------------------------------------------------------------ names
def _document_names(written: Any, calls: Mapping[str, OperationBlock]) -> Iterator[Complaint]:
    own = {call.document for call in calls.values() if call.document}
    for name in _keys(written):
        if name not in DOCUMENTS and name not in own:
            yield f"documents.{name}", f"no operation uses it; {near(name, DOCUMENTS)}"


def _operation_names(written: Any) -> Iterator[Complaint]:
    for name in _keys(written):
        if name not in OPERATIONS:
            yield f"operations.{name}", f"there is no such operation; {near(name, OPERATIONS)}"
    if not _keys(written):
        yield "operations", "nothing can be done; describe at least find_ticket and open_ticket"


def _company(names: frozenset[str]) -> Iterator[Complaint]:
    """What an operation cannot do without."""
    for name in sorted(names & OPERATIONS.keys()):
        needs = OPERATIONS[name]
        for other in needs.all_of:
            if other not in names:
                why = "before every create we look whether it is there already" if "find_" in other else ""
                yield f"operations.{name}", f"cannot be without {other}; add it" + (f": {why}" if why else "")
        if needs.one_of and not names & {*needs.one_of}:
            said = " or ".join(needs.one_of)
            yield (
                f"operations.{name}",
                f"cannot be without {said}; add it: what the office closed is left alone",
            )


def _ticket(block: MapBlock | None, names: frozenset[str]) -> Iterator[Complaint]:
    if block is None or not block.read:
        return
    if not (block.read.get("erp_id") or block.read.get("number")):
        yield "documents.ticket.read", "says neither erp_id nor number; map the one that addresses a ticket"
    if names & {"ticket", "ticket_states"} and not block.read.get("closed"):
        yield "documents.ticket.read", "says nothing about closed; map it, as status == 'DONE'"


# ------------------------------------------------------------------ documents
def _map(name: str, block: MapBlock, constants: frozenset[str]) -> Iterator[Complaint]:
    document = DOCUMENTS.get(name, Document())
    ours = document.write | ALWAYS | constants if document.write else frozenset[str]()
    place = f"documents.{name}"
    sides = [(place, block.write, block.read)]
    for at, variant in enumerate(block.variants):
        yield from _named(variant.when, f"{place}.variants[{at}].when", document.write | document.read
                          | ALWAYS | constants, block.tables)  # fmt: skip
        sides.append((f"{place}.variants[{at}]", variant.write, variant.read))
    for where, write, read in sides:
        for field, text in write.items():
            yield from _named(text, f"{where}.write.{field}", ours, block.tables)
        for field, text in read.items():
            if document.read and field not in document.read:
                yield f"{where}.read.{field}", f"is no field of ours; {near(field, document.read)}"
            yield from _named(text, f"{where}.read.{field}", frozenset(), block.tables)
    gone = sorted(n for n in document.must if block.read and not block.read.get(n))
    if gone:
        yield f"{place}.read", f"says nothing about {', '.join(gone)}; without it a record is of no use"


def _named(text: str, place: str, known: frozenset[str], tables: Mapping[str, Any]) -> Iterator[Complaint]:
    """`known`: the fields it may name; empty: theirs, which nobody knows here."""
    if not text:
        return
    found, tree = expression(text, place)
    yield from found
    if tree is None:
        return
    for name in dict.fromkeys(roots(tree)) if known else ():
        if name not in known:
            yield place, f"{text!r}: there is no field {name!r}; {near(name, known)}"
    for name in tables_of(tree):
        if name not in tables:
            yield place, f"{text!r}: there is no table {name!r}; add it under tables"


# ------------------------------------------------------------------ operations
def _operation(
    place: str, name: str, call: OperationBlock, data: Mapping[str, Any], maps: Mapping[str, MapBlock],
    constants: frozenset[str],
) -> Iterator[Complaint]:  # fmt: skip
    needs = OPERATIONS[name]
    known = needs.fields | ALWAYS | constants
    if call.document and call.document not in _keys(data.get("documents")):
        yield f"{place}.document", f"there is no documents.{call.document}; add it"
    if bool(call.call) == call.is_sql or sum(map(bool, (call.sql, call.insert, call.update))) > 1:
        yield place, "says nothing or too much; write one of call, sql, insert, update"
    if call.call and not data.get("rest"):
        yield f"{place}.call", "there is no rest: to call; add rest: {url: ...}"
    if call.is_sql and not data.get("sql"):
        yield place, "there is no sql: to ask; add sql: {host: ..., database: ..., user: ..., password: ...}"
    if call.call:
        yield from _rest_call(place, call, needs, known)
        yield from _looked_up(place, call, needs, maps.get(call.document or needs.document))
    if call.is_sql:
        block = maps.get(call.document or needs.document)
        columns = _columns(block) if block else sorted(DOCUMENTS[needs.document].write - ALWAYS)
        yield from _sql_call(place, call, needs, known, columns)
    if call.rows:
        yield from expression(call.rows, f"{place}.rows")[0]
    if call.answers:
        yield from _answers(f"{place}.answers", call.answers)
    if call.paging:
        yield from _paging(f"{place}.paging", call.paging)


def _looked_up(
    place: str, call: OperationBlock, needs: Operation, block: MapBlock | None
) -> Iterator[Complaint]:
    """A server that does not know the query parameter gives everything: only the key tells."""
    if needs.deed is Deed.READ and needs.fields == {"key"}:
        texts = (call.path, *call.query.values(), *templates.texts_of(call.send))
        if "key" not in [n for text in texts for n in templates.names(text)]:
            yield place, "does not ask for the key; add query: {their parameter: '{key}'}"
        if block and block.read and not block.read.get("key") and "key" not in templates.names(call.path):
            document = call.document or needs.document
            yield (
                f"documents.{document}.read",
                "says nothing about key; map the field that holds it, or a wrong find cannot be noticed",
            )


def _columns(block: MapBlock) -> list[str]:
    written = [block.write, *(v.write for v in block.variants)]
    return list(dict.fromkeys(n for side in written for n, text in side.items() if text))


def _rest_call(
    place: str, call: OperationBlock, needs: Operation, known: frozenset[str]
) -> Iterator[Complaint]:
    if call.method not in METHODS or not call.path:
        yield f"{place}.call", f"{call.call!r}: write METHOD path, as GET repairs/{{erp_id}}"
    if "://" in call.path or call.path.startswith("//") or ".." in call.path.split("/"):
        yield f"{place}.call", f"{call.path!r} leads away from rest.url; write the path below it"
    if "?" in call.path:
        yield f"{place}.call", "what follows the ? goes into query:, which escapes it and pages it"
    if needs.deed is Deed.READ and call.method in ("PUT", "PATCH", "DELETE"):
        yield f"{place}.call", f"a look changes nothing; GET or POST, not {call.method}"
    if needs.deed is not Deed.READ and call.method == "GET":
        yield f"{place}.call", "a write by GET would be repeated by anything between us; use POST, PUT, PATCH"
    if call.where:
        yield f"{place}.where", "belongs to update:; put it into query"
    places = [("call", call.path), *((f"query.{n}", t) for n, t in call.query.items())]
    for where, text in [*places, *((f"headers.{n}", t) for n, t in call.headers.items())]:
        yield from _template(f"{place}.{where}", text, known)
    for text in templates.texts_of(call.send):
        yield from _template(f"{place}.send", text, known)
    if call.send and call.method == "GET":
        yield f"{place}.send", "a GET sends no body; use query, or call: POST ..."
    for header in call.headers:
        if not _HEADER.match(header):
            yield f"{place}.headers.{header}", "is no name of a header"


def _template(place: str, text: str, known: frozenset[str]) -> Iterator[Complaint]:
    for fault in templates.faults(text):
        yield place, fault
    for name in templates.names(text):
        if name not in known:
            yield place, f"there is no placeholder {{{name}}}; {near(name, known)}"


def _sql_call(
    place: str, call: OperationBlock, needs: Operation, known: frozenset[str], columns: list[str]
) -> Iterator[Complaint]:
    write = needs.deed is not Deed.READ
    may = known | frozenset(columns) if write else known
    if (call.insert or call.update) and not write:
        yield place, "a look changes nothing; write sql: select ..."
    for at, statement in enumerate(call.sql):
        where = f"{place}.sql" + (f"[{at}]" if len(call.sql) > 1 else "")
        yield from _statement(where, statement, may, write=write)
    for word in ("insert", "update"):
        table = getattr(call, word)
        if table and not statements.is_identifier(table):
            yield f"{place}.{word}", f"{table!r} is no table; write letters, digits and _, as erp.repair"
    if call.insert or call.update:
        for column in columns:
            if not statements.is_identifier(column) or "." in column:
                yield f"{place}", f"{column!r} is no column; write letters, digits and _"
    yield from _where(place, call, may)


def _where(place: str, call: OperationBlock, may: frozenset[str]) -> Iterator[Complaint]:
    if bool(call.update) != bool(call.where):
        yield f"{place}.where", "update and where go together; write where: id = :erp_id"
    if call.where:
        for fault in statements.faults(f"select {call.where}", may, write=False):
            yield f"{place}.where", fault
        for name in statements.names(call.where):
            if name not in may:
                yield f"{place}.where", f"there is no parameter :{name}; {near(name, may)}"
        if not statements.names(call.where):
            yield f"{place}.where", f"{call.where!r} would change every row; write id = :erp_id"


def _statement(place: str, statement: str, known: frozenset[str], *, write: bool) -> Iterator[Complaint]:
    for fault in statements.faults(statement, known, write=write):
        yield place, fault
    for name in statements.names(statement):
        if name not in known:
            yield place, f"there is no parameter :{name}; {near(name, known)}"
    listed = [n for n in statements.names(statement) if n in LISTED]
    for name in listed:
        if not re.search(rf"\(\s*:{name}\s*\)", statement):
            yield place, f":{name} are many; write in (:{name})"


# ------------------------------------------------------------------ the rest of it
def _answers(place: str, block: AnswersBlock) -> Iterator[Complaint]:
    for name in ("success", "said", "expired", "limited", "busy", "missing", "duplicate"):
        text = getattr(block, name)
        if text:
            yield from expression(text, f"{place}.{name}")[0]


def _paging(place: str, block: PagingBlock) -> Iterator[Complaint]:
    for name in ("next", "more"):
        text = getattr(block, name)
        if text:
            yield from expression(text, f"{place}.{name}")[0]


def _rest(written: Any) -> Iterator[Complaint]:
    if not isinstance(written, Mapping):
        return
    answers, paging = _one(written.get("answers") or {}, AnswersBlock), written.get("paging")
    if answers:
        yield from _answers("rest.answers", answers)
    made = _one(paging, PagingBlock) if paging else None
    if made:
        yield from _paging("rest.paging", made)
    whole = _one(written, RestBlock)
    if whole and isinstance(whole.auth, LoginAuth):
        yield from _login(whole.auth)


def _login(auth: LoginAuth) -> Iterator[Complaint]:
    who = frozenset({"user", "password"})
    for name, text in auth.body.items():
        yield from _template(f"rest.auth.body.{name}", text, who)
    yield from _template("rest.auth.value", auth.value, frozenset({"token"}))
    for name in ("success", "token"):
        text = getattr(auth, name)
        if text:
            yield from expression(text, f"rest.auth.{name}")[0]
    method, _, path = auth.call.partition(" ")
    if method.upper() != "POST" or not path or "{" in path or "?" in path or "://" in path:
        yield "rest.auth.call", f"{auth.call!r}: write POST path; what it says goes into body"


def _push(written: Any) -> Iterator[Complaint]:
    block = _one(written, PushBlock) if written else None
    if block is None:
        return
    for at, secret in enumerate(block.secrets):
        weak = too_weak(secret)
        if weak:
            yield f"push.secrets[{at}]", weak
    for name in ("subject", "documents"):
        text = getattr(block, name)
        if text:
            yield from expression(text, f"push.{name}")[0]
    words = {s.value for s in ErpSubject}
    for theirs, ours in block.subjects.items():
        if ours not in words:
            yield f"push.subjects.{theirs}", f"{ours!r} is no subject; {near(str(ours), words)}"
