"""What an ERP clerk sees: maintenance tickets and operation reports, in Chinese or English."""

from __future__ import annotations

from html import escape
from typing import Any

_WORDS = {
    "title": ("金蝶云星空（模拟）", "Kingdee Galaxy (simulated)"),
    "tickets": ("设备报修单", "Maintenance tickets"),
    "reports": ("工序汇报", "Operation reports"),
    "number": ("单据编号", "Number"),
    "key": ("安灯工单号", "Andon number"),
    "equipment": ("设备", "Equipment"),
    "what": ("故障描述", "Fault"),
    "level": ("紧急程度", "Urgency"),
    "state": ("维修状态", "Repair state"),
    "status": ("单据状态", "Document"),
    "reported": ("报修时间", "Reported"),
    "made": ("报工时间", "Made"),
    "closed": ("关闭时间", "Closed"),
    "worker": ("维修人", "Technician"),
    "result": ("处理结果", "Result"),
    "order": ("生产订单", "Order"),
    "operation": ("工序", "Operation"),
    "good": ("合格", "Good"),
    "scrap": ("工废", "Scrap"),
    "none": ("没有单据", "None"),
    "close": ("审核关闭", "Approve and close"),
    "other": ("English", "中文"),
}
_STATUS = {
    "Z": ("暂存", "draft"),
    "A": ("创建", "created"),
    "B": ("审核中", "in approval"),
    "C": ("已审核", "approved"),
    "D": ("重新审核", "re-opened"),
}
_STATES = {
    "OPEN": ("待处理", "open"),
    "ACK": ("已接单", "accepted"),
    "ON_SITE": ("已到场", "on site"),
    "DOING": ("维修中", "repairing"),
    "VERIFYING": ("验证中", "verifying"),
    "WAIT_PARTS": ("待备件", "waiting for parts"),
    "REOPENED": ("重新打开", "re-opened"),
    "DONE": ("已关闭", "closed"),
    "CANCELLED": ("已取消", "cancelled"),
}
_STYLE = """
:root { color-scheme: light dark }
:root { font: 15px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif }
body { margin: 0; background: Canvas; color: CanvasText }
header { display: flex; gap: 1rem; align-items: baseline; padding: .8rem 1.2rem }
header { background: #1f4e8c; color: #fff }
header h1 { font-size: 1.15rem; margin: 0; flex: 1 }
header a { color: #fff }
main { padding: 0 1.2rem 2rem }
h2 { font-size: 1rem; margin: 1.4rem 0 .4rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .6rem }
tr { border-bottom: 1px solid color-mix(in srgb, CanvasText 18%, Canvas) }
th { font-weight: 600; white-space: nowrap }
td.num { text-align: right; font-variant-numeric: tabular-nums }
td:first-child, td:nth-child(2), button { white-space: nowrap }
button { font: inherit; padding: .15rem .6rem }
"""


def render(tickets: list[dict[str, Any]], reports: list[dict[str, Any]], language: str) -> str:
    at = 1 if language == "en" else 0

    def word(key: str) -> str:
        return escape(_WORDS[key][at])

    return f"""<!doctype html><html lang="{"en" if at else "zh-CN"}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="3">
<title>{word("title")}</title><style>{_STYLE}</style></head><body>
<header><h1>{word("title")}</h1><a href="/?lang={"zh" if at else "en"}">{word("other")}</a></header><main>
<h2>{word("tickets")} ({len(tickets)})</h2>{_tickets(tickets, at)}
<h2>{word("reports")} ({len(reports)})</h2>{_reports(reports[:200], at)}
</main></body></html>"""


def _tickets(tickets: list[dict[str, Any]], at: int) -> str:
    heads = (
        "number",
        "key",
        "equipment",
        "what",
        "level",
        "state",
        "status",
        "reported",
        "closed",
        "worker",
        "result",
    )
    rows = []
    for t in tickets:
        cells = (
            t["number"],
            t["key"],
            f"{t['equipment_name']} {t['equipment']}",
            t["title"],
            t["level"],
            _STATES.get(t["state"] or "", (t["state"] or "",) * 2)[at],
            _STATUS[t["status"]][at],
            _when(t["reported_at"]),
            _when(t["closed_at"]),
            t["worker_name"],
            t["result"],
        )
        rows.append("".join(_cell(c) for c in cells) + f"<td>{_close_button(t, at)}</td>")
    return _table([_WORDS[h][at] for h in heads] + [""], rows, at)


def _close_button(ticket: dict[str, Any], at: int) -> str:
    if ticket["status"] == "C":
        return ""
    return (
        f'<form method="post" action="/tickets/{ticket["id"]}/close?lang={"en" if at else "zh"}">'
        f"<button>{escape(_WORDS['close'][at])}</button></form>"
    )


def _reports(reports: list[dict[str, Any]], at: int) -> str:
    heads = ("number", "order", "operation", "good", "scrap", "status", "made")
    rows = [
        "".join(_cell(r[k]) for k in ("number", "order", "operation"))
        + "".join(f'<td class="num">{(r[k] or 0):g}</td>' for k in ("good", "scrap"))
        + _cell(_STATUS[r["status"]][at])
        + _cell(_when(r["at"] or r["created_at"]))
        for r in reports
    ]
    return _table([_WORDS[h][at] for h in heads], rows, at)


def _table(heads: list[str], rows: list[str], at: int) -> str:
    if not rows:
        return f"<p>{escape(_WORDS['none'][at])}</p>"
    head = "".join(f"<th>{escape(h)}</th>" for h in heads)
    body = "".join(f"<tr>{r}</tr>" for r in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    return f"<td>{escape(str(value or ''))}</td>"


def _when(value: Any) -> str:
    return str(value or "").replace("T", " ")
