"""What people write of a Modbus point, and what stays of it. Pure."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from collectors.blocks import BIT_TABLES, STRING, WIDTHS, Kind, Order, Point, Table
from collectors.codes import address_of, kind_of, number_of, order_of
from hub.config import Block

# The manuals' numbers: 40001 or 400001 is the first holding register.
_TABLES: dict[int, Table] = {1: "discrete", 3: "input", 4: "holding"}


class Asked(NamedTuple):
    """What stays of a point's block."""

    tag: str
    group: str
    point: Point  # its tag's number still 0; its unit -1 where the collector's is meant


class PointBlock(Block):
    """One register, bit or text. `address` counts from 0, as on the wire; `reference` as in the manual."""

    tag: str
    address: Annotated[int, BeforeValidator(address_of)] = Field(-1, le=65535)
    reference: int | None = Field(None, description="the manual's number instead of table and address: 40001")
    type: Annotated[Kind, BeforeValidator(kind_of)] = "uint16"
    table: Table = "holding"
    scale: Annotated[float, BeforeValidator(number_of)] = Field(1.0, allow_inf_nan=False)
    offset: Annotated[float, BeforeValidator(number_of)] = Field(0.0, allow_inf_nan=False)
    word_order: Annotated[Order, BeforeValidator(order_of)] = "big"
    byte_order: Annotated[Order, BeforeValidator(order_of)] = "big"
    bit: int | None = Field(None, ge=0, le=15)
    length: int | None = Field(
        None, ge=1, le=125, description="of a string, in registers: two characters each"
    )
    unit: int | None = Field(
        None, ge=0, le=255, description="the device behind a gateway; else the collector's"
    )
    group: str = Field("", description="one of groups:, which says how often; else every:")
    fast: bool = False
    codes: dict[float | str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sensible(self) -> PointBlock:
        self._placed()
        if self.bit is not None and (self.type != "bool" or self.table in BIT_TABLES):
            raise ValueError("bit: picks one bit of a register; write type: bool and a table of registers")
        if self.scale == 0:
            raise ValueError("scale: 0 would make every value the same; leave it out or correct it")
        if self.codes and (self.scale != 1 or self.offset != 0):
            raise ValueError("codes: already name the final numbers; leave out scale and offset")
        if self.fast and self.group:
            raise ValueError("group: a fast point is in the group fast already; leave out one of the two")
        self._written_out()
        _, address = self._place
        if address + self._width > 65536:
            raise ValueError(f"address: a {self.type} at {address} reaches past 65535")
        return self

    def _placed(self) -> None:
        given = self.model_fields_set
        if self.reference is None:
            if self.address < 0:
                raise ValueError(
                    "address: is missing; write it, from 0 (or reference: 40001 as in the manual)"
                )
        elif {"address", "table"} & given:
            raise ValueError("reference: says table and address already; leave those out, or it")
        elif (self.reference // _base(self.reference)) not in _TABLES or not self.reference % _base(
            self.reference
        ):
            raise ValueError(
                "reference: is a number such as 40001, 300001 or 10001; for coils write table: and address:"
            )

    def _written_out(self) -> None:
        text = self.type == STRING
        if text != (self.length is not None):
            raise ValueError(
                "length: is missing; write how many registers the string has"
                if text
                else "length: is for strings; write type: string, or leave it out"
            )
        if text and (self._place[0] in BIT_TABLES or self.word_order == "little"):
            raise ValueError(
                "type: a string lies in registers, the first ones first; correct table: or word_order:"
            )
        if not text and (words := [k for k in self.codes if isinstance(k, str) and not _number(k)]):
            raise ValueError(f"codes: {words[0]!r} is no number; a text is read with type: string")

    @property
    def _place(self) -> tuple[Table, int]:
        if self.reference is None:
            return self.table, self.address
        base = _base(self.reference)
        return _TABLES[self.reference // base], self.reference % base - 1

    @property
    def _width(self) -> int:
        if self._place[0] in BIT_TABLES:
            return 1
        return self.length or WIDTHS[self.type]

    def kept(self) -> Asked:
        table, address = self._place
        kind: Kind = "bool" if table in BIT_TABLES else self.type
        codes = {_text(k) if kind == STRING else float(k): v for k, v in self.codes.items()}
        point = Point(
            0, address, kind, table, self.scale, self.offset, self.word_order, self.byte_order, self.bit,
            codes, self.length or 0, -1 if self.unit is None else self.unit,
        )  # fmt: skip
        return Asked(self.tag, "fast" if self.fast else self.group, point)


def _base(register: int) -> int:
    return 10_000 if register < 100_000 else 100_000


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _text(key: float | str) -> str:
    """YAML reads an unquoted 17 as a number."""
    return key if isinstance(key, str) else f"{key:.15g}"
