"""Push 下推: a conversion rule makes a target from a source. Not idempotent, as on the real server."""

from __future__ import annotations

from typing import Any

from tests.simulators.kingdee.answers import (
    BAD_PARAMETER,
    NOT_FOUND,
    NOT_NOW,
    Refusal,
    entity,
    outcome,
    response_status,
)
from tests.simulators.kingdee.books import Books, Record, Row, form_named
from tests.simulators.kingdee.forms import RULES, Rule
from tests.simulators.kingdee.lifecycle import targets
from tests.simulators.kingdee.saving import STATES, truth


class Pusher:
    def __init__(self, books: Books, user: str) -> None:
        self._books = books
        self._user = user
        self.defaults = True  # False: this tenant has not made any rule its default

    def push(self, form_id: Any, data: dict[str, Any]) -> dict[str, Any]:
        source_form = form_named(form_id)
        rule = _rule(source_form.id, data, self.defaults)
        chosen = {int(e) for e in str(data.get("EntryIds") or "").split(",") if e.strip()}
        made, refusals = [], []
        for i, source in enumerate(targets(self._books, source_form, data)):
            if isinstance(source, Refusal):
                refusals.append(source.at(i))
                continue
            try:
                record = self._convert(rule, source, chosen)
            except Refusal as refusal:
                refusals.append(refusal.at(i))
                continue
            self._books.put(record)
            lines = {"FEntity": [row.id for row in record.rows["fentity"]]}
            made.append(entity(record.id, record.number, i) | {"EntryIds": lines})
        return outcome(made, refusals, ConvertResponseStatus=response_status((), refusals))

    def _convert(self, rule: Rule, source: Record, chosen: set[int]) -> Record:
        if source.status != "C":
            raise Refusal(NOT_NOW, f"单据 {source.number} {STATES[source.status]}，不能下推")
        if source.values.get("fcancelstatus") == "B" or source.values.get("fclosestatus") == "B":
            raise Refusal(NOT_NOW, f"单据 {source.number} 已关闭或作废，不能下推")
        lines = [
            r
            for rows in source.rows.values()
            for r in rows
            if (not chosen or r.id in chosen) and _may_go(rule, r.values)
        ]
        if not lines:
            raise Refusal(NOT_FOUND, f"单据 {source.number} 没有满足下推条件的分录")
        target = form_named(rule.target)
        user = self._books.numbered("SEC_User", self._user)
        now = self._books.local_time()
        values: dict[str, Any] = {
            "fbillno": self._books.next_number(target),
            "fdocumentstatus": "A",
            "fdate": now,
            "fcreatedate": now,
            "fcreatorid": user.id if user else None,
            "fcancelstatus": "A",
            "fforbidstatus": "A",
            "fclosestatus": "A",
        }
        if target.id in ("PRD_MORPT", "PRD_INSTOCK", "PRD_PickMtrl"):
            bill_type = self._books.numbered("BOS_BillType", "SCHBD02_SYS")
            values |= {
                "fprdorgid": source.values.get("fprdorgid"),
                "fbilltype": bill_type.id if bill_type else None,
            }
        rows = [
            Row(self._books.next_id(), _line(rule, source, seq, line)) for seq, line in enumerate(lines, 1)
        ]
        return Record(target.id, self._books.next_id(), values, {"fentity": rows})


def _may_go(rule: Rule, values: dict[str, Any]) -> bool:
    """An order line has to be released; what is all there or all picked is not pushed again."""
    if rule.source == "PRD_MO" and str(values.get("fstatus")) not in ("3", "4"):
        return False
    if rule.source == "PRD_MO" and rule.target == "PRD_INSTOCK":
        return _remaining(values, "fqty", "fstockinquaqty") > 0
    return rule.target != "PRD_PickMtrl" or _remaining(values, "fmustqty", "fpickedqty") > 0


def _rule(source: str, data: dict[str, Any], defaults: bool) -> Rule:
    rule_id, target = str(data.get("RuleId") or ""), str(data.get("TargetFormId") or "")
    by_default = truth(data.get("IsEnableDefaultRule", False))
    if rule_id and by_default:
        raise Refusal(BAD_PARAMETER, "RuleId 与 IsEnableDefaultRule 不能同时使用")
    for rule in RULES:
        if rule.source == source and (
            rule.id == rule_id or (by_default and defaults and target in ("", rule.target))
        ):
            return rule
    raise Refusal(BAD_PARAMETER, f"没有可用的单据转换规则 {rule_id or target}")


def _line(rule: Rule, source: Record, seq: int, line: Row) -> dict[str, Any]:
    values = line.values
    link = {"fsourcebillno": source.number, "fsrcinterid": float(source.id), "fsrcentryid": float(line.id)}
    if rule.target == "SFC_OperationReport":
        rest = _remaining(values, "foperqty", "fqualifiedqty")
        return link | {
            "fmonumber": source.values.get("fmonumber"),
            "fopernumber": values.get("fopernumber"),
            "foperdescription": values.get("foperdescription"),
            "fmaterialid": source.values.get("fproductid"),
            "ffinishqty": rest,
            "fquaqty": rest,
        }
    if rule.target == "PRD_PickMtrl":
        head = source.values
        rest = _remaining(values, "fmustqty", "fpickedqty")
        return link | {
            "fmaterialid": values.get("fmaterialid2"), "fparentmaterialid": head.get("fmaterialid"),
            "fappqty": rest, "factualqty": rest, "fmobillno": head.get("fmobillno"),
            "fmoid": head.get("fmoid"), "fmoentryid": head.get("fmoentryid"), "fsrcbilltype": source.form,
            "fppbombillno": source.number, "fppbomentryid": float(line.id),
        }  # fmt: skip
    origin = (
        values
        if rule.source != "PRD_MO"
        else {
            "fmobillno": source.number,
            "fmoid": float(source.id),
            "fmoentryid": float(line.id),
            "fmoentryseq": float(seq),
        }
    )
    shared = {k: origin.get(k) for k in ("fmobillno", "fmoid", "fmoentryid", "fmoentryseq")}
    shared |= link | {"fmaterialid": values.get("fmaterialid"), "fsrcbilltype": source.form}
    if rule.target == "PRD_INSTOCK":
        amount = (
            values.get("fquaqty")
            if rule.source == "PRD_MORPT"
            else _remaining(values, "fqty", "fstockinquaqty")
        )
        return shared | {"fmustqty": amount, "frealqty": amount}
    rest = _remaining(values, "fqty", "frptfinishqty")
    return shared | {
        "funitid": values.get("funitid"),
        "ffinishqty": rest,
        "fquaqty": rest,
        "ftimeunitid": "1",
        "fstandhourunitid": "1",
    }


def _remaining(values: dict[str, Any], whole: str, done: str) -> float:
    return max(0.0, (values.get(whole) or 0.0) - (values.get(done) or 0.0))
