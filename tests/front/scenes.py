# ruff: noqa: E501  tables of made-up data read better as rows
"""Boards for looking at the screens without a hub: made up, but in the shape of docs/api.md."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]
Scene = Callable[[datetime], Json]

LINES = [
    ("stamping", "冲压车间", "Stamping", "l1", "冲压 1 线", "Stamping 1", [
        ("press-01", "冲压机 01", "Press 01", "press"), ("press-02", "冲压机 02", "Press 02", "press"),
        ("press-03", "冲压机 03", "Press 03", "press")]),
    ("stamping", "冲压车间", "Stamping", "l2", "机加 2 线", "Machining 2", [
        ("cnc-01", "加工中心 01", "CNC 01", "cnc"), ("cnc-02", "加工中心 02", "CNC 02", "cnc"),
        ("cnc-03", "加工中心 03", "CNC 03", "cnc")]),
    ("assembly", "总装车间", "Assembly", "l3", "涂装 3 线", "Coating 3", [
        ("oven-01", "固化炉 01", "Oven 01", "oven"), ("filler-01", "灌装机 01", "Filler 01", "filler"),
        ("filler-02", "灌装机 02", "Filler 02", "filler")]),
    ("assembly", "总装车间", "Assembly", "l4", "装配 4 线", "Assembly 4", [
        ("robot-01", "装配机器人 01", "Robot 01", "robot"), ("screw-01", "拧紧机 01", "Screwdriver 01", "screw"),
        ("tester-01", "综合测试台 01", "Tester 01", "tester")]),
]  # fmt: skip
TAGS = {
    "press": [("oil_temp", "油温", "Oil", "℃", 1, 63.2), ("tonnage", "吨位", "Force", "kN", 0, 1248.0),
              ("vib", "振动", "Vib", "mm/s", 2, 2.31)],
    "cnc": [("spindle", "主轴振动", "Vibration", "mm/s", 2, 1.42), ("load", "负载", "Load", "%", 0, 71.0)],
    "oven": [("zone1", "一区温度", "Zone 1", "℃", 1, 182.4), ("zone2", "二区温度", "Zone 2", "℃", 1, 190.8)],
    "filler": [("pressure", "压力", "Pressure", "bar", 2, 3.04), ("volume", "灌装量", "Volume", "ml", 1, 500.2)],
    "robot": [("current", "电流", "Current", "A", 1, 12.6), ("cycle", "节拍", "Cycle", "s", 1, 21.4)],
    "screw": [("torque", "扭矩", "Torque", "N·m", 1, 34.8), ("angle", "转角", "Angle", "°", 0, 88.0)],
    "tester": [("leak", "泄漏", "Leak", "Pa", 1, 4.2), ("volts", "电压", "Voltage", "V", 1, 23.9)],
}  # fmt: skip
STATES = ["executing", "executing", "executing", "executing", "executing", "setup", "executing", "starved", "blocked",
          "executing", "idle", "executing"]  # fmt: skip
PEOPLE = {"zhang": ("张伟", "Zhang Wei"), "li": ("李强", "Li Qiang"), "wang": ("王芳", "Wang Fang")}


def words(zh: str, en: str) -> Json:
    return {"zh": zh, "en": en}


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def person(who: str) -> Json:
    return {"id": who, "name": words(*PEOPLE[who])}


def reading(
    label: tuple[str, str], unit: str, decimals: int, value: float | None, at: datetime, **more: Any
) -> Json:
    found = {"label": words(*label), "unit": unit, "decimals": decimals, "at": stamp(at), "status": "good",
             "stale_after": 5, **more}  # fmt: skip
    return found if value is None else {**found, "value": value}


def values_at(machine: str, kind: str, now: datetime) -> Json:
    beat = now.timestamp()
    out = {}
    for i, (tag, zh, en, unit, decimals, mean) in enumerate(TAGS[kind]):
        swing = math.sin(beat / (7 + i) + len(machine)) * mean * 0.01
        out[f"{machine}/{tag}"] = reading((zh, en), unit, decimals, round(mean + swing, decimals), now)
    return out


def demo(now: datetime) -> Json:
    """The plant of `make demo` on a good day: one acknowledged alarm, a rush order, one order late."""
    board: Json = {
        "plant": {"path": "p1", "name": words("示范工厂", "Demo plant"), "time_zone": "Asia/Shanghai"},
        "areas": [], "machines": {}, "lines": {}, "alarms": {}, "tickets": {}, "orders": orders(now),
        "shift": {"name": words("早班", "Early shift"), "start": stamp(now - timedelta(hours=5)),
                  "end": stamp(now + timedelta(hours=3))},
        "health": health(now),
    }  # fmt: skip
    for n, (area, area_zh, area_en, line, zh, en, machines) in enumerate(LINES):
        path = f"p1/{area}/{line}"
        if not board["areas"] or board["areas"][-1]["path"] != f"p1/{area}":
            board["areas"].append({"path": f"p1/{area}", "name": words(area_zh, area_en), "lines": []})
        board["areas"][-1]["lines"].append(
            {"path": path, "name": words(zh, en), "machines": [f"{path}/{m[0]}" for m in machines]}
        )
        board["lines"][path] = sums(n, now)
        for machine, m_zh, m_en, kind in machines:
            where = f"{path}/{machine}"
            state = STATES[len(board["machines"])]
            board["machines"][where] = {
                "path": where, "name": words(m_zh, m_en), "class": kind, "line": path, "state": state,
                "since": stamp(now - timedelta(minutes=3 + 17 * len(board["machines"]))),
                "values": values_at(where, kind, now), "good": 412, "scrap": 3}  # fmt: skip
    board["last_calm_since"] = stamp(now - timedelta(hours=2, minutes=14))
    return board


def sums(n: int, now: datetime) -> Json:
    hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [{"hour": stamp(hour - timedelta(hours=5 - i)), "good": 96 - (i * 7 + n * 11) % 31, "target": 95}
             for i in range(6)]  # fmt: skip
    good, target = [462, 1383, 240, 388][n % 4], [475, 1320, 262, 390][n % 4]
    factors = [(0.86, 0.93, 0.991), (0.91, 1.02, 0.998), (0.74, 0.88, 0.973), (0.9, 0.94, 0.985)][n % 4]
    oee: Json = dict(zip(("availability", "performance", "quality"), factors, strict=True))
    return {"good": good, "scrap": 7, "target": target, "hour_good": [58, 171, 24, 47][n % 4],
            "hour_target": [60, 165, 33, 48][n % 4], "hours": hours,
            "oee": {**oee, "oee": math.prod(factors), "coverage": [1.0, 0.998, 0.82, 0.97][n % 4]}}  # fmt: skip


def health(now: datetime) -> Json:
    sources = ["opcua-l1", "opcua-l2", "modbus-l3", "modbus-l4"]
    return {"latency": {"p50": 0.142, "p99": 0.418}, "outbox_oldest": 0, "parts_down": [],
            "sources": {s: {"up": True, "since": stamp(now - timedelta(hours=5))} for s in sources}}  # fmt: skip


def orders(now: datetime) -> Json:
    rows = [
        ("MO260105-0031", "左前门内板", "Front door inner L", 1200, 26, True, 0, [("10", "落料", "Blank", "done", 1200),
            ("20", "拉延", "Draw", "running", 770), ("30", "冲孔", "Pierce", "running", 512), ("40", "检验", "Check", "waiting", 0)]),
        ("MO260105-0028", "铝制支架 A7", "Bracket A7", 800, 3, False, 8100, [("10", "下料", "Cut", "done", 800),
            ("20", "铣削", "Mill", "running", 311), ("30", "去毛刺", "Deburr", "waiting", 0)]),
        ("MO260105-0033", "液压油罐 5L", "Hydraulic can 5 l", 2400, 50, False, 0, [("10", "灌装", "Fill", "running", 1020),
            ("20", "贴标", "Label", "running", 980), ("30", "装箱", "Pack", "waiting", 0)]),
        ("MO260105-0034", "转向机总成", "Steering gear", 160, 70, False, 0, [("10", "预装", "Pre", "done", 160),
            ("20", "拧紧", "Screw", "inspection", 160), ("30", "测试", "Test", "running", 41)]),
        ("MO260105-0036", "座椅滑轨", "Seat rail", 3000, 96, False, 0, [("10", "冲压", "Stamp", "waiting", 0),
            ("20", "焊接", "Weld", "waiting", 0), ("30", "涂装", "Coat", "waiting", 0)]),
        ("MO260105-0037", "排气歧管", "Manifold", 420, 120, False, 0, [("10", "铸造", "Cast", "waiting", 0),
            ("20", "机加", "Machine", "waiting", 0)]),
    ]  # fmt: skip
    return {number: order(number, zh, en, quantity, now + timedelta(hours=due), rush, late, operations)
            for number, zh, en, quantity, due, rush, late, operations in rows}  # fmt: skip


def order(
    number: str, zh: str, en: str, quantity: int, due: datetime, rush: bool, late: int, rows: Any
) -> Json:
    operations = [{"operation": code, "name": words(o_zh, o_en), "work_center": "p1/stamping/l1", "quantity": quantity,
                   "good": good, "scrap": good // 150, "state": state} for code, o_zh, o_en, state, good in rows]  # fmt: skip
    out = {"number": number, "product": number[-4:], "product_name": words(zh, en), "quantity": quantity,
           "due_at": stamp(due), "priority": 1 if rush else 5, "rush": rush, "customer": "东风", "operations": operations}  # fmt: skip
    return {**out, "late_by": late} if late else out


def changed(now: datetime) -> Json:
    """What the office has changed and nobody here has seen yet: a smaller quantity, an order that is cancelled (for
    too long unseen), one on hold; beside them one that has been on hold for a while."""
    board = demo(now)
    orders, minute = board["orders"], timedelta(minutes=1)
    first, second, third, *_ = sorted(orders)
    due = {"before": orders[first]["due_at"], "after": stamp(now + 900 * minute)}
    told: dict[str, Any] = {
        first: (1, 4, False, {"quantity": {"before": 1200, "after": 1000}, "due_at": due}),
        second: (2, 22, True, {"state": {"before": "released", "after": "cancelled"}}),
        third: (3, 1, False, {"state": {"before": "released", "after": "held"}}),
    }
    for number, (key, minutes, escalated, fields) in told.items():
        at = (now.replace(second=0, microsecond=0) - minutes * minute).isoformat()
        orders[number]["change"] = {"id": key, "at": at, "escalated": escalated, "changed": fields}
    orders[second]["state"], orders[third]["state"] = "cancelled", "held"
    rows = [("10", "下料", "Cut", "running", 40), ("20", "铣削", "Mill", "waiting", 0)]
    kept = order("MO260105-0040", "端盖", "End cap", 60, now + 3000 * minute, False, 0, rows)
    orders[kept["number"]] = kept | {"state": "held"}
    return board


def alarm(
    n: int, machine: str, where: Json, title: Json, priority: str, state: str, at: datetime, **more: Any
) -> Json:
    return {"id": n, "rule": "r", "subject": machine, "equipment": machine, "where": where, "title": title,
            "priority": priority, "state": state, "condition": state != "rtn-unacked", "blind": False, "unit": "",
            "raised_at": stamp(at), "opened_at": stamp(at), "count": 1, **more}  # fmt: skip


def hot(now: datetime) -> Json:
    """The story: press 01 overheats, critical, nobody has seen it yet; two older alarms are in hand."""
    board = demo(now)
    board.pop("last_calm_since")
    press, cnc, filler = "p1/stamping/l1/press-01", "p1/stamping/l2/cnc-02", "p1/assembly/l3/filler-01"
    tag = f"{press}/oil_temp"
    board["machines"][press] |= {
        "state": "fault",
        "alarm": "critical",
        "since": stamp(now - timedelta(minutes=2)),
    }
    board["machines"][press]["values"][tag]["value"] = 93.1
    board["machines"][cnc]["alarm"] = "high"
    board["machines"][filler]["alarm"] = "medium"
    rows = [
        alarm(17, press, words("冲压 1 线 冲压机 01", "Stamping 1 Press 01"), words("油温过高", "Oil too hot"), "critical",
              "unacked", now - timedelta(minutes=2), subject=tag, value=92.4, limit=80.0, unit="℃",
              owner=person("li"), ticket="AH-20260105-0007"),
        alarm(15, cnc, words("机加 2 线 加工中心 02", "Machining 2 CNC 02"), words("主轴振动高", "Spindle vibration"),
              "high", "acked", now - timedelta(minutes=14), value=7.3, limit=6.0, unit="mm/s", owner=person("zhang"),
              acked_by="zhang"),
        alarm(11, filler, words("涂装 3 线 灌装机 01", "Coating 3 Filler 01"), words("缺料超过 10 分钟", "Starved for 10 min"),
              "medium", "rtn-unacked", now - timedelta(minutes=48), owner=person("wang")),
    ]  # fmt: skip
    board["alarms"] = {str(a["id"]): a for a in rows}
    board["tickets"] = {t["id"]: t for t in tickets(now)}
    return board


def tickets(now: datetime) -> list[Json]:
    base = {"cycles_needed": 3, "good_cycles": 0}
    return [
        {**base, "id": "AH-20260105-0007", "alarm_id": 17, "equipment": "p1/stamping/l1/press-01", "state": "sent",
         "where": words("冲压 1 线 冲压机 01", "Stamping 1 Press 01"), "title": words("油温过高", "Oil too hot"),
         "opened_at": stamp(now - timedelta(minutes=2)), "stopped_at": stamp(now - timedelta(minutes=2)),
         "erp_number": "WX-000231"},
        {**base, "id": "AH-20260105-0005", "alarm_id": 15, "equipment": "p1/stamping/l2/cnc-02", "state": "on-site",
         "where": words("机加 2 线 加工中心 02", "Machining 2 CNC 02"), "title": words("主轴振动高", "Spindle vibration"),
         "opened_at": stamp(now - timedelta(minutes=14)), "stopped_at": stamp(now - timedelta(minutes=14)),
         "technician": person("zhang"), "accepted_at": stamp(now - timedelta(minutes=12)),
         "arrived_at": stamp(now - timedelta(minutes=5)), "erp_number": "WX-000229"},
    ]  # fmt: skip


def flood(now: datetime) -> Json:
    """Many alarms, stale and bad numbers, unknown machines, lost sources, a part down: nothing may overflow."""
    board = hot(now)
    machines = list(board["machines"].values())
    for i in range(14):
        machine = machines[i % len(machines)]
        n = 100 + i
        title = words(
            "液压站回油过滤器压差过高且持续上升", "Return filter pressure difference too high and rising"
        )
        board["alarms"][str(n)] = alarm(n, machine["path"], machine["name"], title, ["low", "high"][i % 2],
                                        ["unacked", "shelved", "acked"][i % 3], now - timedelta(minutes=i * 9))  # fmt: skip
    for path in ("p1/assembly/l3/oven-01", "p1/assembly/l4/tester-01"):
        machine = board["machines"][path]
        machine["state"] = "unknown"
        for value in machine["values"].values():
            value |= {"at": stamp(now - timedelta(seconds=75))}
    for value in list(board["machines"]["p1/assembly/l4/tester-01"]["values"].values())[:1]:
        value.pop("value")
        value["status"] = "bad"
    next(iter(board["machines"]["p1/stamping/l2/cnc-01"]["values"].values()))["status"] = "uncertain"
    board["machines"]["p1/stamping/l2/cnc-03"] |= {"state": "held"}
    board["machines"]["p1/assembly/l4/screw-01"] |= {"state": "maintenance"}
    board["machines"]["p1/assembly/l3/filler-02"] |= {"state": "off"}
    board["machines"]["p1/assembly/l4/robot-01"]["name"] = words(
        "六轴装配机器人（东侧工位）01", "Six-axis assembly robot east 01"
    )
    board["health"] |= {"outbox_oldest": 95, "parts_down": ["collector modbus-l3"]}
    board["health"]["sources"]["modbus-l3"]["up"] = False
    board["health"]["latency"] = {"p50": 0.4, "p99": 2.6}
    return board


def slight(now: datetime) -> Json:
    """Nothing but a light curtain that somebody walked through, and the orders of a real plant."""
    board = demo(now)
    board.pop("last_calm_since")
    press = "p1/stamping/l1/press-02"
    title = words("光幕触发", "Light curtain interrupted")
    found = alarm(21, press, words("1号冲压线 冲压机02", "Stamping line 1 Press 02"), title, "low", "unacked",
                  now - timedelta(minutes=3), value=303.0,
                  owner={"id": "b", "name": words("值班技师乙", "Technician B")})  # fmt: skip
    board["alarms"] = {"21": found}
    board["machines"][press]["alarm"] = "low"
    steps = [("10", "冲压", "Stamping", "running", 0.71), ("20", "清洗", "Washing", "running", 0.47),
             ("30", "总装", "Assembly", "running", 0.27)]  # fmt: skip
    for number, item in list(board["orders"].items()):
        for n in range(2):
            rows = [
                (code, zh, en, state, int(item["quantity"] * part)) for code, zh, en, state, part in steps
            ]
            due = datetime.fromisoformat(item["due_at"])
            name = item["product_name"]
            key = f"{number}{n}"
            board["orders"][key] = order(
                key, name["zh"], name["en"], item["quantity"], due, item["rush"], 0, rows
            )
        del board["orders"][number]
    return board


def serious(now: datetime) -> Json:
    board = slight(now)
    board["alarms"]["21"]["priority"] = "medium"
    return board


def handled(now: datetime) -> Json:
    board = hot(now)
    for item in board["alarms"].values():
        item |= {"state": "acked", "acked_by": "zhang", "owner": person("zhang")}
    return board


def returned(now: datetime) -> Json:
    """All that was wrong is over; nobody has said that they saw it."""
    board = hot(now)
    for item in board["alarms"].values():
        item |= {"state": "rtn-unacked", "condition": False, "cleared_at": stamp(now - timedelta(minutes=1))}
    return board


def doubt(now: datetime) -> Json:
    board = demo(now)
    board["health"]["sources"]["modbus-l3"]["up"] = False
    board["machines"]["p1/assembly/l3/oven-01"]["state"] = "unknown"
    return board


def sized(now: datetime, lines: int, each: int) -> Json:
    """A plant of other size, made of the demo's machines."""
    board = demo(now)
    models = list(board["machines"].values())
    board |= {
        "areas": [{"path": "p1/a", "name": words("车间", "Hall"), "lines": []}],
        "machines": {},
        "lines": {},
    }
    for n in range(lines):
        line = f"p1/a/l{n + 1}"
        paths = []
        for m in range(each):
            model = models[(n * each + m) % len(models)]
            path = f"{line}/m-{m + 1:02}"
            zh, en = model["name"]["zh"][:-3], model["name"]["en"][:-3]
            board["machines"][path] = {
                **model,
                "path": path,
                "line": line,
                "name": words(f"{zh} {m + 1:02}", f"{en} {m + 1:02}"),
            }
            paths.append(path)
        board["areas"][0]["lines"].append(
            {"path": line, "name": words(f"{n + 1} 号线", f"Line {n + 1}"), "machines": paths}
        )
        board["lines"][line] = sums(n, now)
    if lines * each > 20:
        board["machines"]["p1/a/l3/m-02"] |= {"state": "fault", "alarm": "high"}
        board["machines"]["p1/a/l5/m-01"] |= {"state": "unknown"}
    return board


def few(now: datetime) -> Json:
    return sized(now, 1, 3)


def many(now: datetime) -> Json:
    return sized(now, 12, 10)


def medium(now: datetime) -> Json:
    return sized(now, 8, 5)


def empty(now: datetime) -> Json:
    board = demo(now)
    board |= {"areas": [], "machines": {}, "lines": {}, "orders": {}}
    board["health"]["sources"] = {}
    return board


SCENES: dict[str, Scene] = {
    f.__name__: f
    for f in (demo, changed, hot, slight, serious, handled, returned, doubt, flood, few, medium, many, empty)
}
