"""Which fields U9's interfaces take, after the vendor's public file: what else a map writes, a probe names.

U9 ignores a field that it does not know. Nothing fails, and nothing arrives; so a misspelt one is looked for
here. Documents whose models nobody outside has seen (issue, inspection, sales order) are not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SEGMENT = re.compile(r"^(?:PrivateDescSeg(?:[1-9]|[12]\d|30)|PubDescSeg(?:[1-9]|[1-4]\d|50))$")
_COMPLETION = (
    "OtherID DocNo MO CompleteOp ItemMaster Org CompleteDate CompleteDocType BusinessDate CompleteQty"
    " Direction EligibleQty ScrapQty ReworkingQty ScrapReason ReworkReason HandleDept HandlePerson"
    " ProductUOM RcvWh"
    " RcvOrg ActualRcvTime OwnerOrg Project Task Description DescFlexField SourceDoc"
    " CompleteRptRcvLines DocStatus"
    " CompleteRptRcvLines[].LineNum CompleteRptRcvLines[].Wh CompleteRptRcvLines[].Bin"
    " CompleteRptRcvLines[].StorageType CompleteRptRcvLines[].RcvLotMaster CompleteRptRcvLines[].RcvLotNo"
    " CompleteRptRcvLines[].RcvQtyByProductUOM CompleteRptRcvLines[].RcvLotEffectivedate"
    " CompleteRptRcvLines[].RcvValiddate CompleteRptRcvLines[].SnData CompleteRptRcvLines[].DescFlexField"
    " CompleteRptRcvLines[].Remark"
)
_MODELS = {
    "ticket": "OtherID DocNo Org EquipCode FaultCode FaultDesc Level MODocNo ReportTime Reporter"
    " DescFlexField",
    "step": "OtherID DocNo Org DocState Worker AckTime DescFlexField",
    "closing": "OtherID ID Code HoldOrReleaseReasonCode CancelResean CloseTime Result DescFlexField",
    "report": _COMPLETION,
    "scrap": _COMPLETION,
    "receipt": _COMPLETION,
    "transfer": "OpTransDocType BusinessDate Org SrcOpNum SrcOpState TargetOpNum TargetOpState DocNo MO"
    " TransferQty EligibleQty ScrapQty ReworkQty RejectQty ScrapeReason ReworkReason Resource"
    " SourceLotCode TargetLotCode"
    " IsOpQC QCDoc RepairOpNum Sns Memo OtherID DescFlexField OpTransferDocWorkHours",
    "hours": "OtherID ID WorkHourType MO MOOperationNum WorkHourUOM RunLaborHours SetupLaborHours"
    " RunMachineHours SetupMachineHours IdleHours BusinessDate SrcDoc DescFlexField",
    "start": "OtherID ID Org DocNo OperateType OperateOn OperateQty OperateBy",
}
_REFERENCES = (
    "Org MO ItemMaster CompleteDocType OpTransDocType ScrapReason ReworkReason ScrapeReason HandleDept"
    " HandlePerson ProductUOM RcvWh RcvOrg OwnerOrg Project Task Wh Bin RcvLotMaster Resource OperateBy"
)
REFERENCES = frozenset(_REFERENCES.split())  # written by their code, as {"Code": ..}
MODELS = {name: frozenset(fields.split()) for name, fields in _MODELS.items()}


def unknown(name: str, written: Iterable[str], more: Iterable[str]) -> list[str]:
    """Written fields that the interface of this document does not take."""
    model = MODELS.get(name)
    return [field for field in written if not _known(field, model, frozenset(more))]


def _known(field: str, model: frozenset[str] | None, more: frozenset[str]) -> bool:
    head, _, rest = field.partition(".")
    if "DescFlexField." in field:
        return _SEGMENT.match(field.rpartition(".")[2]) is not None
    if model is None or head.rstrip("[]") in more or field in more:
        return True
    if head.endswith("[]"):
        return head[:-2] in model and (f"{head}.{rest.partition('.')[0]}" in model or not _lined(head, model))
    return head in model


def _lined(head: str, model: frozenset[str]) -> bool:
    return any(name.startswith(f"{head}.") for name in model)
