"""Equipment states as rules name them. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from hub.model.equipment import EquipmentState


def _off_is_a_state(value: object) -> object:
    """YAML 1.1 reads an unquoted `off` as false, which we take back."""
    return ["off" if v is False else v for v in value] if isinstance(value, list | tuple) else value


States = Annotated[tuple[EquipmentState, ...], BeforeValidator(_off_is_a_state)]
