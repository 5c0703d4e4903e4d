"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulators import fault_plan

KINDS = {
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then answer HTTP 500",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "unavailable": "HTTP 503 with Retry-After, nothing done",
    "rate_limited": "HTTP 429 with Retry-After, nothing done",
    "locked": "HTTP 400: somebody has the document open, nothing done",
    "locked_423": "HTTP 423: the same",
    "business_500": "HTTP 500 with a business error, nothing done",
    "function_error": "HTTP 200 with a FunctionMessage of type E, nothing done",
    "session_dead": "every session and its token is gone",
    "down": "every connection is closed at once",
    "lag": "readers do not see what was written in the last `seconds`",
    **fault_plan.ODD,
}


@dataclass
class Fault(fault_plan.Fault):
    sets: list[str] = field(default_factory=list)  # entity sets or functions; empty: every write

    def meets(self, name: str) -> bool:
        return not self.sets or name in self.sets


class Faults(fault_plan.FaultPlan[Fault]):
    kinds = KINDS
    fault = Fault

    def take(self, name: str) -> list[str]:
        """The kinds that this write meets."""
        return [fault.kind for fault in self.met(lambda f: f.meets(name))]
