"""A discrepancy in words, zh and en: what people read in the console and in messages."""

from __future__ import annotations

from hub.model.discrepancy import Book, Discrepancy, DiscrepancyKind, Repair
from hub.model.words import Words

K = DiscrepancyKind

KINDS = {
    K.ORDER_NOT_HERE: Words("ERP 有订单，安灯没有", "order in the ERP, not here"),
    K.ORDER_NOT_IN_ERP: Words("安灯有订单，ERP 没有", "order here, not in the ERP"),
    K.ORDER_QUANTITY: Words("订单数量不一致", "order quantity differs"),
    K.ORDER_DUE: Words("订单交期不一致", "order due date differs"),
    K.ORDER_STATE: Words("订单状态不一致", "order state differs"),
    K.ORDER_PRIORITY: Words("订单优先级或加急不一致", "order priority or rush differs"),
    K.OPERATION_NOT_HERE: Words("ERP 有工序，安灯没有", "operation in the ERP, not here"),
    K.OPERATION_NOT_IN_ERP: Words("安灯有工序，ERP 没有", "operation here, not in the ERP"),
    K.OPERATION_QUANTITY: Words("工序计划数量不一致", "operation quantity differs"),
    K.REPORT_NOT_IN_ERP: Words("ERP 缺少一张报工", "the ERP lacks a report"),
    K.REPORT_UNKNOWN: Words("ERP 报工数多于安灯", "the ERP has more than was reported"),
    K.REPORT_SUM: Words("报工合计不一致", "reported sums differ"),
    K.MES_SUM: Words("MES 合计与其报工不一致", "the MES's sum is not that of its reports"),
    K.POSTING_NOT_IN_ERP: Words("ERP 缺少一张过账单", "the ERP lacks a posting"),
    K.STOCK: Words("库存不一致", "stock differs"),
    K.TICKET_NOT_IN_ERP: Words("ERP 没有该维修工单", "ticket is not in the ERP"),
    K.TICKET_STATE: Words("维修工单状态不一致", "ticket state differs"),
    K.TICKET_TWICE: Words("ERP 中同一工单有多张单据", "several ERP documents for one ticket"),
    K.EQUIPMENT_NOT_IN_ERP: Words("设备未对应 ERP 资产", "machine without an asset in the ERP"),
    K.EQUIPMENT_NOT_HERE: Words("ERP 资产未对应安灯设备", "asset in the ERP without a machine here"),
    K.EQUIPMENT_SHARED: Words("多台设备对应同一 ERP 资产", "several machines on one asset of the ERP"),
    K.EQUIPMENT_TWICE: Words("一台设备对应多个 ERP 资产", "one machine with several assets in the ERP"),
    K.RECORD_UNREADABLE: Words("ERP 记录读不出来", "record in the ERP that cannot be read"),
}

REPAIRS = {
    Repair.NONE: Words("需要人工决定", "a person has to decide"),
    Repair.SEND_AGAIN: Words(
        "重新发送到 ERP（先查找，不会重复）", "send it again (looked up first, never twice)"
    ),
    Repair.TAKE_THEIRS: Words("采用 ERP 的订单", "take the order as the ERP has it"),
    Repair.CLOSE_HERE: Words("在安灯关闭工单", "close the ticket here"),
    Repair.CLOSE_THERE: Words("在 ERP 关闭工单", "close the ticket in the ERP"),
}

_STATES = {
    "released": Words("已下达", "released"),
    "held": Words("已挂起", "held"),
    "completed": Words("已完工", "completed"),
    "cancelled": Words("已取消", "cancelled"),
    "open": Words("未关闭", "open"),
    "closed": Words("已关闭", "closed"),
}
_NOTHING = Words("无", "nothing")


def title(what: Discrepancy) -> Words:
    """`MO0001/10 ERP 缺少一张报工`: stands alone in a preview."""
    name = KINDS[what.kind]
    about = f"{what.subject} {what.part}".strip() if what.kind is K.STOCK else what.subject
    return Words(f"{about} {name.zh}", f"{about}: {name.en}")


def sides(what: Discrepancy) -> Words:
    """`安灯 5，ERP 无`: both claims."""
    if what.kind is K.RECORD_UNREADABLE:
        return Words(what.theirs, what.theirs)
    one, two = said(what, what.ours), said(what, what.theirs)
    other = "MES" if what.kind is K.MES_SUM else "ERP"
    here = Words("MES", "MES") if what.kind is K.STOCK else Words("安灯", "hub")
    return Words(f"{here.zh} {one.zh}，{other} {two.zh}", f"{here.en} {one.en}, {other} {two.en}")


def said(what: Discrepancy, value: str) -> Words:
    if what.kind is K.ORDER_STATE and not value:
        return Words("已不在车间", "off the shop floor")
    if what.kind is K.ORDER_PRIORITY and value:
        number, _, rush = value.partition(" ")
        return Words(f"{number} 加急" if rush else number, f"{number} rush" if rush else number)
    if what.kind.book is Book.REPORTS and " + " in value:
        good, _, scrap = value.partition(" + ")
        return Words(f"{good} 合格、{scrap} 报废", f"{good} good, {scrap} scrap")
    return _STATES.get(value) or (Words(value, value) if value else _NOTHING)


def why(what: Discrepancy) -> Words | None:
    """The first entry at which the books part; None where there is none to name."""
    if what.kind is K.POSTING_NOT_IN_ERP:
        return Words(f"从过账 {what.part} 起", f"from posting {what.part} on")
    if what.divergence is not None:
        return Words(f"从报工 {what.divergence.id} 起", f"from report {what.divergence.id} on")
    if what.kind is K.RECORD_UNREADABLE:
        return Words(
            f"字段映射 documents.{what.part} 读不出它：改映射，或在 ERP 中补全该记录；在此之前不比对",
            f"the map documents.{what.part} cannot read it: mend the map, or the record in the ERP; until"
            " then what it may belong to is not compared",
        )
    if what.kind is K.EQUIPMENT_SHARED:
        return Words("它们的维修工单分不开", "their tickets cannot be told apart")
    if what.kind is K.EQUIPMENT_TWICE:
        return Words("工单会落在其中哪一个，不确定", "nobody knows on which of them a ticket is opened")
    if what.kind is K.REPORT_UNKNOWN:
        return Words(
            "安灯的报工全部在 ERP 中；多出的不是经安灯报的",
            "every report of ours is there; the rest was not made through the hub",
        )
    if what.kind is K.REPORT_SUM:
        return Words(
            "没有查到缺少的报工；ERP 中有人改过数量",
            "no missing report was found; somebody has changed quantities in the ERP",
        )
    return None
