"""How a Modbus device can fail to answer, and what that says of a point. Pure."""

from __future__ import annotations

from hub.model.sample import BAD_OUT_OF_RANGE

BAD_DEVICE_FAILURE = 0x808B0000
BAD_TIMEOUT = 0x800A0000  # the device answers, only not when it is asked for this

ILLEGAL_ADDRESS = 2
NOT_NOW = frozenset({4, 8})
# With those, answers that say "not this address here", so that other addresses may still do.
NOT_HERE = frozenset({1, ILLEGAL_ADDRESS, 3}) | NOT_NOW
_REASONS = {
    1: "illegal function", 2: "illegal address", 3: "illegal value", 4: "device failure", 5: "acknowledge",
    6: "device busy", 7: "negative acknowledge", 8: "memory parity error", 10: "gateway path unavailable",
    11: "gateway: the device behind it does not respond",
}  # fmt: skip


class Away(Exception):
    """The unit gives no answer at all; others behind the same gateway may."""


class Mute(Away):
    """No answer to one question, or one that says nothing of it; whether to others as well is to be seen."""

    status = BAD_TIMEOUT


class NotHere(Exception):
    """The device gives no answer for this address; `code` is its reason. Others may still do."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)

    @property
    def status(self) -> int:
        return BAD_DEVICE_FAILURE if self.code in NOT_NOW else BAD_OUT_OF_RANGE


def said(code: int) -> str:
    return f"{code} ({_REASONS.get(code, 'unknown')})"
