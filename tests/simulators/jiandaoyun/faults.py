"""Misbehaviour on command: what goes wrong, on writes to which forms, how often."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulators import fault_plan

KINDS = {
    "delay": "commit, then answer only when the fault is cleared",
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then HTTP 502",
    "submit_failed_after_commit": "commit, then HTTP 400 with code 4000",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "empty_after_commit": "commit, then HTTP 200 without a body",
    "unavailable": "HTTP 502, nothing done",
    "rate_limited": "HTTP 429 with code 8304, nothing done",
    "rate_limited_400": "HTTP 400 with code 8303, nothing done",
    "locked": "HTTP 400 with code 9007, nothing done",
    "refused": "HTTP 400 with code `code`, nothing done",
    "down": "every connection is closed at once",
    "page": "a proxy's page for people, HTTP `status`, whatever is asked; nothing done",
    "same_page": "lists begin with the first record, wherever they are to begin",
    "any_document": "lists do not filter",
    "renamed": "the repair form goes by another name",
    "lag": "readers do not see what was written in the last `seconds`",
}


@dataclass
class Fault(fault_plan.Fault):
    forms: list[str] = field(default_factory=list)  # names; empty: every write
    code: int = 3005  # of a refusal
    status: int = 200  # of a page

    def meets(self, name: str) -> bool:
        return not self.forms or name in self.forms


class Faults(fault_plan.FaultPlan[Fault]):
    kinds = KINDS
    fault = Fault

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0  # how many have passed here

    def take(self, name: str) -> Fault | None:
        """The first fault that this write meets."""
        self.writes += 1
        return next(iter(self.met(lambda f: f.meets(name), most=1)), None)
