"""Misbehaviour on command: what goes wrong, on which writes, how often."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulators import fault_plan

KINDS = {
    "drop_before": "close the connection without having done anything",
    "drop_after_commit": "commit, then close the connection without a byte",
    "error_after_commit": "commit, then ResCode 500",
    "http_500_after_commit": "commit, then HTTP 500 without an envelope",
    "garbage_after_commit": "commit, then an answer that is not JSON",
    "expired_after_commit": "commit, then ResCode 402, as in the middle of a batch",
    "silent_after_commit": "commit, then an envelope that says nothing of the row",
    "delay": "commit, then answer after `seconds`",
    "unavailable": "HTTP 503, nothing done",
    "internal": "ResCode 500, nothing done",
    "rate_limited": "HTTP 429 with Retry-After, nothing done",
    "locked": "a failed row: somebody has the document open, nothing done",
    "session_dead": "the token is gone, as after a restart of IIS",
    "http_401": "HTTP 401 without an envelope, the token is gone",
    "rename": "commit, then a clerk gives the document another number",
    "down": "every connection is closed at once",
    "page": "a proxy's page for people, HTTP `status`, whatever is asked; nothing done",
    "same_page": "lists begin with the first row, wherever they are to begin",
    "any_document": "queries tell of some other document",
    "renamed": "the interface of repairs is not there under its name",
    "lag": "readers do not see what was written in the last `seconds`",
}


@dataclass
class Fault(fault_plan.Fault):
    paths: list[str] = field(default_factory=list)  # beginnings, as CompleteDoc/ ; empty: every write

    status: int = 200  # of a page

    def meets(self, name: str) -> bool:
        return not self.paths or any(name.startswith(p) for p in self.paths)


class Faults(fault_plan.FaultPlan[Fault]):
    kinds = KINDS
    fault = Fault

    def take(self, name: str) -> list[Fault]:
        """What this write meets."""
        return self.met(lambda f: f.meets(name))
