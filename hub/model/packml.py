"""PackML's states as ours (TR-88). Two numberings of them are in use and share no number's meaning."""

from __future__ import annotations

from collections.abc import Mapping

from hub.model.equipment import EquipmentState as S

# OPC 30050 (PackML); 18 is Running, the state above the others
_OPC_30050 = {
    1: S.IDLE, 2: S.IDLE, 3: S.SETUP, 4: S.IDLE, 5: S.STARVED, 6: S.EXECUTING, 7: S.IDLE, 8: S.FAULT,
    9: S.FAULT, 10: S.HELD, 11: S.HELD, 12: S.HELD, 13: S.STARVED, 14: S.STARVED, 15: S.SETUP,
    16: S.EXECUTING, 17: S.IDLE, 18: S.EXECUTING,
}  # fmt: skip
# OPC 30060 (tobacco machines)
_OPC_30060 = {
    0: S.IDLE, 1: S.SETUP, 2: S.IDLE, 3: S.SETUP, 4: S.EXECUTING, 5: S.EXECUTING, 6: S.IDLE, 7: S.FAULT,
    8: S.FAULT, 9: S.IDLE, 10: S.IDLE, 11: S.STARVED, 12: S.STARVED, 13: S.STARVED, 14: S.HELD,
    15: S.HELD, 16: S.HELD,
}  # fmt: skip
NUMBERINGS: Mapping[str, Mapping[int, S]] = {"packml-30050": _OPC_30050, "packml-30060": _OPC_30060}
