"""`suppressed_when:` of a rule, as people write it. Pure; alert_rules.suppressors makes it mean something."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from alert_rules.state_words import States
from hub.config import Block, Duration


class SuppressedWhen(Block):
    """One reason: a machine's `state`, another `rule` of the machine that holds, or a `tag`'s value."""

    state: States = ()
    rule: str = ""
    tag: str = Field("", description="a tag of the same machine, or a whole tag path")
    above: float | None = None
    below: float | None = None
    is_: tuple[int, ...] = Field((), alias="is")
    equipment: str = Field("", description="another machine; none named: the rule's own")
    off_delay: Duration = timedelta(0)

    @model_validator(mode="after")
    def _one_reason(self) -> SuppressedWhen:
        if [bool(self.state), bool(self.rule), bool(self.tag)].count(True) != 1:
            raise ValueError("name one of state, rule and tag; several reasons are a list, each begun with -")
        compared = [self.above is not None, self.below is not None, bool(self.is_)].count(True)
        if self.tag and compared != 1:
            raise ValueError("tag: say when with one of above, below and is, for example is: [0]")
        if not self.tag and compared:
            raise ValueError("above, below and is compare a tag's value; name it with tag:")
        if self.tag and self.equipment:
            raise ValueError("equipment: is for state and rule; write the whole path in tag: instead")
        return self


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, Mapping) else value


Reasons = Annotated[tuple[SuppressedWhen, ...], BeforeValidator(_listed)]
