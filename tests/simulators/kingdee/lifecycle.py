"""Submit, Audit and their reverses, Delete, workflow, and the operations of ExcuteOperation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.simulators.kingdee import stock
from tests.simulators.kingdee.answers import (
    BAD_PARAMETER,
    INVALID,
    NOT_FOUND,
    NOT_NOW,
    OPERATION_EMPTY,
    Refusal,
    entity,
    outcome,
)
from tests.simulators.kingdee.books import Books, Record, Row, form_named
from tests.simulators.kingdee.forms import Form
from tests.simulators.kingdee.saving import STATES

Step = Callable[[Record], None]

_ORDER_STEPS = {  # operation: (states it may start from, state it leads to)
    "toplanconfirm": ("1", "2"),
    "torelease": ("12", "3"),
    "tostart": ("3", "4"),
    "tofinish": ("4", "5"),
    "tocomplete": ("4", "5"),
    "toclose": ("5", "6"),
    "undotorelease": ("3", "2"),
    "undotostart": ("4", "3"),
    "undotoreport": ("4", "3"),
    "undotocomplete": ("5", "4"),
    "undotoclose": ("6", "5"),
}
_FLAGS = {
    "cancel": ("fcancelstatus", "B"),
    "uncancel": ("fcancelstatus", "A"),
    "forbid": ("fforbidstatus", "B"),
    "enable": ("fforbidstatus", "A"),
    "billclose": ("fclosestatus", "B"),
    "ylbillclose": ("fclosestatus", "B"),
    "unclose": ("fclosestatus", "A"),
    "ylunbillclose": ("fclosestatus", "A"),
}
_STATUS_STEPS = {  # service: (states it may start from, state it leads to, what people call it)
    "submit": ("AD", "B", "提交"),
    "audit": ("B", "C", "审核"),
    "unaudit": ("C", "D", "反审核"),
    "cancelassign": ("B", "D", "撤销"),
}


class Lifecycle:
    def __init__(self, books: Books) -> None:
        self._books = books

    def move(self, step: str, form_id: Any, data: dict[str, Any]) -> dict[str, Any]:
        """Submit, audit, unaudit or cancelassign of every record asked for; each stands or falls alone."""
        start, end, word = _STATUS_STEPS[step]

        def one(record: Record) -> None:
            if record.status not in start:
                reason = (
                    "未提交"
                    if (step, record.status) in {("audit", s) for s in "AZD"}
                    else STATES[record.status]
                )
                raise Refusal(INVALID, f"单据 {record.number} {reason}，不能{word}")
            if step == "audit":
                stock.check(self._books, record)
            if step == "unaudit":
                _refuse_unaudit(record)
            record.values["fdocumentstatus"] = end
            if step == "audit" and record.form == "PRD_MOChange":
                stock.change_orders(self._books, record)
            self._books.put(record)
            self._carry_over(record, {"audit": 1.0, "unaudit": -1.0}.get(step, 0.0))

        return self._each(form_named(form_id), data, one)

    def delete(self, form_id: Any, data: dict[str, Any]) -> dict[str, Any]:
        def one(record: Record) -> None:
            if record.status not in "ZAD":
                raise Refusal(NOT_NOW, f"单据 {record.number} {STATES[record.status]}，不能删除")
            self._books.drop(record)

        return self._each(form_named(form_id), data, one)

    def workflow(self, data: dict[str, Any]) -> dict[str, Any]:
        """ApprovalType 1 agrees, 2 rejects, 3 terminates."""
        ends = {"1": "C", "2": "D", "3": "D"}
        kind = str(data.get("ApprovalType", ""))
        if kind not in ends:
            raise Refusal(BAD_PARAMETER, f"审批类型 {kind} 不存在")

        def one(record: Record) -> None:
            if record.status != "B":
                raise Refusal(INVALID, f"单据 {record.number} {STATES[record.status]}，没有待办的审批")
            record.values["fdocumentstatus"] = ends[kind]
            self._books.put(record)
            self._carry_over(record, 1.0 if ends[kind] == "C" else 0.0)

        return self._each(form_named(data.get("FormId")), data, one)

    def operate(self, form_id: Any, operation: Any, data: dict[str, Any]) -> dict[str, Any]:
        form = form_named(form_id)
        name = str(operation or "").lower()
        if not name:
            raise Refusal(OPERATION_EMPTY, "操作编码不能为空")
        if form.id == "PRD_MO" and name in _ORDER_STEPS:
            return self._move_orders(form, name, str(operation), data)
        if name not in _FLAGS:
            raise Refusal(NOT_NOW, f"操作 {operation} 不存在")
        key, value = _FLAGS[name]

        def one(record: Record) -> None:
            if record.values.get(key) == value:
                raise Refusal(NOT_NOW, f"单据 {record.number} 已是该状态，不能执行 {operation}")
            record.values[key] = value
            self._books.put(record)

        return self._each(form, data, one)

    # ------------------------------------------------------------------ which records
    def _each(self, form: Form, data: dict[str, Any], one: Step) -> dict[str, Any]:
        successes, refusals = [], []
        for i, target in enumerate(targets(self._books, form, data)):
            if isinstance(target, Refusal):
                refusals.append(target.at(i))
                continue
            try:
                one(target.copy())
            except Refusal as refusal:
                refusals.append(refusal.at(i))
            else:
                successes.append(entity(target.id, target.number, i))
        return outcome(successes, refusals)

    # ------------------------------------------------------------------ production orders, by line
    def _move_orders(self, form: Form, name: str, said: str, data: dict[str, Any]) -> dict[str, Any]:
        chosen = _entries(data)
        start, end = _ORDER_STEPS[name]

        def one(record: Record) -> None:
            if record.status != "C":
                raise Refusal(NOT_NOW, f"单据 {record.number} {STATES[record.status]}，不能执行 {said}")
            rows = [r for r in record.rows["ftreeentity"] if not chosen or r.id in chosen.get(record.id, ())]
            if not rows:
                raise Refusal(NOT_FOUND, f"单据 {record.number} 没有所选分录")
            for row in rows:
                if str(row.values.get("fstatus") or "1") not in start:
                    raise Refusal(
                        NOT_NOW,
                        f"单据 {record.number} 业务状态为 {row.values.get('fstatus')}，不能执行 {said}",
                    )
                row.values["fstatus"] = end
            self._books.put(record)

        if chosen and not data.get("Ids") and not data.get("Numbers"):
            data = data | {"Ids": ",".join(str(i) for i in chosen)}
        return self._each(form, data, one)

    # ------------------------------------------------------------------ what approval adds up
    def _carry_over(self, record: Record, sign: float) -> None:
        """Approved quantities go to the source line; taking approval back takes them back."""
        if not sign:
            return
        stock.move(self._books, record, sign)
        for row in record.rows.get("fentity", []):
            match record.form:
                case "PRD_MORPT":
                    self._add("PRD_MO", row, "fmoentryid", sign, {"frptfinishqty": "ffinishqty"})
                case "PRD_INSTOCK":
                    self._add("PRD_MO", row, "fmoentryid", sign, {"fstockinquaqty": "frealqty"})
                case "PRD_PickMtrl":
                    self._add("PRD_PPBOM", row, "fppbomentryid", sign, {"fpickedqty": "factualqty"})
                    self._add("PRD_PPBOM", row, "fppbomentryid", -sign, {"fnopickedqty": "factualqty"})
                case "SFC_OperationReport":
                    amounts = {
                        "fqualifiedqty": "fquaqty",
                        "fprocessfailqty": "fprocessfailqty",
                        "freworkqty": "freworkqty",
                    }
                    self._add("SFC_OperationPlanning", row, "fsrcentryid", sign, amounts)

    def _add(self, form: str, row: Row, link: str, sign: float, amounts: dict[str, str]) -> None:
        """A report without the link leaves the source as it was."""
        line_id = int(row.values.get(link) or 0)
        for source in [r for r in self._books.all(form) if line_id and r.row(line_id)]:
            changed = source.copy()
            line = changed.row(line_id)
            assert line is not None
            for to, origin in amounts.items():
                line.values[to] = (line.values.get(to) or 0.0) + sign * (row.values.get(origin) or 0.0)
            self._books.put(changed)


def _refuse_unaudit(record: Record) -> None:
    """A change that has reached its order cannot be taken back, only changed again."""
    if record.form == "PRD_MOChange":
        raise Refusal(NOT_NOW, f"单据 {record.number} 已生效，不能反审核")


def targets(books: Books, form: Form, data: dict[str, Any]) -> list[Record | Refusal]:
    """The records named by `Ids` (comma text) or `Numbers`, in that order of preference."""
    ids, numbers = data.get("Ids") or "", data.get("Numbers") or []
    if not isinstance(ids, str):
        raise Refusal(BAD_PARAMETER, "参数 Ids 必须是以逗号分隔的文本")
    if isinstance(numbers, str):
        numbers = [n.strip() for n in numbers.split(",")]
    found: list[Record | Refusal] = []
    for part in filter(None, (p.strip() for p in ids.split(","))):
        record = books.get(form.id, int(part)) if part.isdigit() else None
        found.append(record or Refusal(NOT_FOUND, f"内码为 {part} 的{form.name}不存在"))
    if not found:
        found = [
            books.numbered(form.id, str(n)) or Refusal(NOT_FOUND, f"编码为 {n} 的{form.name}不存在")
            for n in numbers
        ]
    if not found:
        raise Refusal(BAD_PARAMETER, "参数 Ids 和 Numbers 不能同时为空")
    return found


def _entries(data: dict[str, Any]) -> dict[int, list[int]]:
    """PkEntryIds: bill id -> chosen line ids."""
    pairs = data.get("PkEntryIds") or []
    if not isinstance(pairs, list):
        raise Refusal(BAD_PARAMETER, "参数 PkEntryIds 必须是数组")
    return {int(p["Id"]): [int(e) for e in str(p.get("EntryIds") or "").split(",") if e] for p in pairs}
