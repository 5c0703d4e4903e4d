"""How a machine's signals look on the wire: its OPC UA nodes or its Modbus registers."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

RegisterType = Literal["int16", "uint16", "int32", "uint32", "float32"]
NodeType = Literal["double", "uint32", "int32", "string"]
Value = float | str | None  # None: the machine does not know

_PACK: dict[RegisterType, str] = {"int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "float32": "f"}
_RANGE: dict[RegisterType, tuple[int, int]] = {
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
}


@dataclass(frozen=True, slots=True)
class Register:
    """One signal in holding registers: engineering value = raw x `scale`."""

    signal: str
    address: int
    type: RegisterType = "int16"
    scale: float = 1.0
    word_order: Literal["big", "little"] = "big"

    @property
    def count(self) -> int:
        return 1 if self.type.endswith("16") else 2

    def words(self, value: float) -> list[int]:
        """What the device would answer; a value out of range is clipped, as a PLC's conversion does."""
        if self.type == "float32":
            packed = struct.pack(">f", value)
        else:
            low, high = _RANGE[self.type]
            packed = struct.pack(">" + _PACK[self.type], min(max(round(value / self.scale), low), high))
        words = list(struct.unpack(f">{self.count}H", packed))
        return words if self.word_order == "big" else words[::-1]


@dataclass(frozen=True, slots=True)
class Node:
    """One signal as an OPC UA variable `s=<machine>.<signal>`."""

    signal: str
    type: NodeType = "double"


@dataclass(frozen=True, slots=True)
class ModbusMachine:
    machine: str
    port: int
    registers: tuple[Register, ...]
    unit: int = 1

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class OpcUaMachine:
    machine: str
    port: int
    nodes: tuple[Node, ...]
    namespace: str = "urn:andon:demo"

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/"


Machine = ModbusMachine | OpcUaMachine
