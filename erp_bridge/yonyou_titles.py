"""What U9's clerks call its fields (pure): its interfaces tell names alone."""

from __future__ import annotations

import re

_SEGMENT = re.compile(r"(Private|Pub)DescSeg(\d+)$")
_TITLES = {
    "ActualRcvTime": "实际入库时间", "AckTime": "接单时间", "Bin": "库位", "BusinessDate": "业务日期",
    "BusinessPerson": "业务员", "CloseTime": "完成时间", "Code": "编码", "CompleteDate": "完工日期",
    "CompleteDocType": "完工单据类型", "CompleteOp": "完工工序", "CompleteQty": "完工数量",
    "CompleteRptRcvLines": "入库行", "DemandCode": "需求分类号", "Department": "部门",
    "DescFlexField": "扩展字段", "Description": "备注", "DocLineNo": "行号", "DocNo": "单号",
    "DocState": "单据状态", "DocStatus": "单据状态", "DocType": "单据类型", "EligibleQty": "合格数量",
    "EquipCode": "设备编码", "FaultCode": "故障代码", "FaultDesc": "故障描述", "HandleDept": "经办部门",
    "HandlePerson": "经办人", "IdleHours": "空闲工时", "IsCancel": "是否作废", "IsFirmed": "是否锁定",
    "IsOpQC": "工序检验", "ItemMaster": "料品", "Level": "紧急程度", "LineNum": "行号", "MO": "生产订单",
    "MODocNo": "生产订单号", "MOID": "生产订单 ID", "MOOperationDTOs": "工序", "MOOperationNum": "工序号",
    "MOPickListDTOs": "备料", "MOSrcRelationDTOs": "来源", "Memo": "备注", "ModifiedOn": "修改时间",
    "Name": "名称", "OpDescription": "工序名称", "OpTransDocType": "转移单类型", "OperateBy": "操作人",
    "OperateOn": "操作时间", "OperateQty": "操作数量", "OperateType": "操作类型", "OperationNum": "工序号",
    "Org": "组织", "OtherID": "外部标识", "OwnerOrg": "货主组织", "PlanProductQty": "计划数量",
    "Priority": "优先级", "ProductLotNo": "产品批号", "ProductQty": "生产数量", "ProductUOM": "生产单位",
    "Project": "项目", "QCDoc": "检验单", "RcvLotMaster": "入库批号", "RcvLotNo": "入库批号",
    "RcvOrg": "入库组织", "RcvQtyByProductUOM": "入库数量", "RcvWh": "入库仓库", "RejectQty": "拒收数量",
    "Remark": "备注", "ReportTime": "报修时间", "Reporter": "报修人", "Resource": "资源",
    "Result": "维修结果", "ReworkQty": "返工数量", "ReworkReason": "返工原因", "ReworkingQty": "返工数量",
    "RunLaborHours": "人工加工工时", "RunMachineHours": "机器加工工时", "SCVWh": "收货仓库",
    "ScrapQty": "报废数量", "ScrapReason": "报废原因", "ScrapeReason": "报废原因",
    "SetupLaborHours": "人工准备工时", "SetupMachineHours": "机器准备工时", "SourceDoc": "来源单据",
    "SrcCustomer": "客户", "SrcDocLine_LineNo": "来源行号", "SrcDocNo": "来源单号", "SrcOpNum": "从工序",
    "SrcOpState": "从工序状态", "StartDate": "计划开工日期", "Status": "状态", "StorageType": "存储类型",
    "StoreQty": "库存数量", "TargetOpNum": "到工序", "TargetOpState": "到工序状态", "Task": "任务",
    "TotalCompleteQty": "累计完工数量", "TotalProcessQty": "在加工数量", "TotalQueueQty": "待加工数量",
    "TotalRcvQty": "累计入库数量", "TotalScrapQty": "累计报废数量", "TransferQty": "转移数量",
    "Wh": "仓库", "WorkCenter": "工作中心", "WorkHourType": "工时类型", "WorkHourUOM": "工时单位",
    "Worker": "维修人",
}  # fmt: skip


def title(name: str) -> str:
    """ "" where nobody outside knows it."""
    last = name.rpartition(".")[2].removesuffix("[]")
    if found := _SEGMENT.search(last):
        return f"{'私有' if found[1] == 'Private' else '公共'}扩展字段 {found[2]}"
    return _TITLES.get(last, "")
