"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulators import fault_plan

KINDS = {
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then answer HTTP 500",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "proxy_after_commit": "commit, then HTTP 504 as a page of the proxy",
    "unavailable": "HTTP 503 with Retry-After, nothing done",
    "rate_limited": "HTTP 429 with Retry-After, nothing done",
    "locked": "HTTP 417 TimestampMismatchError, nothing done",
    "down": "every connection is closed at once",
    **fault_plan.ODD,
}


@dataclass
class Fault(fault_plan.Fault):
    on: list[str] = field(default_factory=list)  # DocTypes or methods; empty: every write

    def meets(self, name: str) -> bool:
        return not self.on or name in self.on


class Faults(fault_plan.FaultPlan[Fault]):
    kinds = KINDS
    fault = Fault

    def take(self, name: str) -> list[str]:
        """The kinds that this write meets."""
        return [fault.kind for fault in self.met(lambda f: f.meets(name))]
