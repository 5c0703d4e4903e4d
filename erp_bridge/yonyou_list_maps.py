"""U9's lists as data, by SQL and by entity: which records there are, and what is read of each.

By SQL a `form` is a FROM clause and a field alias.Column; a LEFT JOIN of which no column is there is left
out. By entity a `form` is a .NET name, and fields have paths. Table names were read in plug-ins and recalled:
what a site has otherwise it lays over these in `documents:`.
"""

from __future__ import annotations

from erp_bridge.fieldmap import MapBlock


def end_of_day(name: str) -> str:
    """A date without a time is over when its day is."""
    return (
        f"{name} && instant(if(ends_with({name}, 'T00:00:00') || length({name}) == `10`,"
        f" join('', [cut({name}, `10`), 'T23:59:59']), {name}))"
    )


_ORDER_STATES = {
    "0": "held",
    "1": "released",
    "2": "released",
    "3": "completed",
    "4": "held",
    "5": "cancelled",
}
ORDER_LIST = MapBlock(
    form="MO_MO m",
    read={
        "row_id": "m.ID",
        "number": "text(m.DocNo)",
        "doc_state": "text(m.DocState)",
        "changed_at": "instant(m.ModifiedOn)",
        "state": "if(contains(['1', 'true', 'True'], text(m.Cancel_Canceled)), 'cancelled',"
        " table('order_states', m.DocState) || 'held')",
        "completed": "number(m.TotalCompleteQty)",
        "scrap": "number(m.TotalScrapQty)",
    },
    tables={"order_states": _ORDER_STATES},
)
SALES_ORDER = MapBlock(
    form="SM_SOLine l LEFT JOIN SM_SO o ON l.SO = o.ID LEFT JOIN CBO_ItemMaster i ON l.ItemInfo_ItemID = i.ID"
    " LEFT JOIN SM_SOShipline s ON s.SOLine = l.ID",
    read={
        "row_id": "l.ID",
        "number": "text(o.DocNo)",
        "line": "text(l.DocLineNo)",
        "customer": "o.OrderBy_ShortName || o.OrderBy_Code",
        "product": "i.Code",
        "quantity": "number(l.OrderByQtyTU)",
        "due_at": end_of_day("s.RequireDate"),
        "changed_at": "instant(o.ModifiedOn)",
        "state": "table('sales_states', o.Status)",
        "line_state": "table('sales_states', l.Status)",
        "erp_id": "text(o.ID)",
    },
    tables={
        "sales_states": {
            "1": "draft", "2": "draft", "3": "open", "4": "closed", "5": "closed", "6": "closed"
        }
    },
)  # fmt: skip
ITEM_LIST = MapBlock(
    form="CBO_ItemMaster i",
    read={"row_id": "i.ID", "number": "text(i.Code)", "changed_at": "instant(i.ModifiedOn)"},
)
EQUIPMENT = MapBlock(
    form="CBO_Resource r LEFT JOIN CBO_Resource_Trl t ON t.ID = r.ID AND t.SysMLFlag = 'zh-CN'"
    " LEFT JOIN CBO_WorkCenter w ON r.WorkCenter = w.ID",
    read={
        "row_id": "r.ID",
        "number": "text(r.Code)",
        "name": "t.Name || r.Name",
        "place": "w.Code",
        "erp_id": "text(r.ID)",
    },
)
STOCK = MapBlock(
    form="InvTrans_WhQoh q LEFT JOIN Lot_LotMaster l ON q.LotInfo_LotMaster = l.ID"
    " LEFT JOIN CBO_Wh w ON q.Wh = w.ID",
    read={
        "row_id": "q.ID",
        "item": "text(q.ItemInfo_ItemCode)",
        "quantity": "number(q.StoreQty)",
        "lot": "text(l.LotCode || l.DocNo)",
        "warehouse": "w.Code",
    },
)

# ------------------------------------------------------------------ by CommonEntity/Query
ENTITIES: dict[str, MapBlock] = {
    "order_list": MapBlock(
        form="UFIDA.U9.MO.MO.MO",
        read={
            "row_id": "ID",
            "number": "text(DocNo)",
            "doc_state": "text(DocState)",
            "changed_at": "instant(ModifiedOn)",
            "state": "if(contains(['1', 'true', 'True'], text(Cancel_Canceled)), 'cancelled',"
            " table('order_states', DocState) || 'held')",
            "completed": "number(TotalCompleteQty)",
            "scrap": "number(TotalScrapQty)",
        },
        tables=ORDER_LIST.tables,
    ),
    "item_list": MapBlock(
        form="UFIDA.U9.CBO.SCM.Item.ItemMaster",
        read={"row_id": "ID", "number": "text(Code)", "changed_at": "instant(ModifiedOn)"},
    ),
    "sales_order": MapBlock(
        form="UFIDA.U9.SM.SO.SOLine",
        read=SALES_ORDER.read
        | {
            "row_id": "ID",
            "number": "text(SO.DocNo)",
            "line": "text(DocLineNo)",
            "customer": "SO.OrderBy.ShortName || SO.OrderBy.Code",
            "product": "ItemInfo.ItemCode",
            "quantity": "number(OrderByQtyTU)",
            "due_at": end_of_day("RequireDate"),
            "changed_at": "instant(SO.ModifiedOn)",
            "state": "table('sales_states', SO.Status)",
            "line_state": "table('sales_states', Status)",
            "erp_id": "text(SO.ID)",
        },
        tables=SALES_ORDER.tables,
    ),
    "equipment": MapBlock(
        form="UFIDA.U9.CBO.MFG.Resource.Resource",
        read={"row_id": "ID", "number": "text(Code)", "name": "Name", "erp_id": "text(ID)"},
    ),
    "stock": MapBlock(
        form="UFIDA.U9.InvTrans.WhQoh.WhQoh",
        read={
            "row_id": "ID",
            "item": "text(ItemInfo.ItemCode)",
            "quantity": "number(StoreQty)",
            "lot": "text(LotInfo.LotCode)",
            "warehouse": "Wh.Code",
        },
    ),
}
# A list without these is worth nothing; what else it lacks is gone on without.
NEEDED = {
    "order_list": frozenset({"number", "doc_state"}),
    "sales_order": frozenset({"number", "product"}),
    "item_list": frozenset({"number"}),
    "equipment": frozenset({"number"}),
    "stock": frozenset({"item", "quantity"}),
}
