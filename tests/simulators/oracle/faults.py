"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulators import fault_plan

KINDS = {
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then answer HTTP 500",
    "garbage_after_commit": "commit, then a page instead of a record",
    "delay_after_commit": "commit, then let `seconds` pass before the answer",
    "unavailable": "HTTP 503 with Retry-After, nothing done",
    "rate_limited": "HTTP 429 with Retry-After, nothing done",
    "locked": "HTTP 400: another user has the record, nothing done",
    "plain_error": "HTTP 500 as text/plain, nothing done",
    "login_page": "HTTP 200 with a log-on page, nothing done",
    "session_dead": "every bearer token is gone",
    "row_failure": "a transaction whose first row fails: 201 all the same",
    "down": "every connection is closed at once",
    "lag": "readers do not see what was written in the last `seconds`",
    **fault_plan.ODD,
}


@dataclass
class Fault(fault_plan.Fault):
    resources: list[str] = field(default_factory=list)  # empty: every write

    def meets(self, name: str) -> bool:
        return not self.resources or name in self.resources


class Faults(fault_plan.FaultPlan[Fault]):
    kinds = KINDS
    fault = Fault

    def take(self, name: str) -> list[Fault]:
        """Those that this write meets."""
        return self.met(lambda f: f.meets(name))
