"""Grade cards: what each plugin keeps of what a good plugin of its family keeps. `andon plugins` prints them.

A plugin of somebody else's carries its own as a class attribute `card`: {criterion: mark}. A mark is DONE,
`exempt: why` or `to do: what`. Honesty beats gold: nothing here is done that no test holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DONE = "done"
_NOT_TRIED = "to do: tried against simulators only"
_COMMON = ("secrets stay out of logs and errors", "ends cleanly when cancelled", "tried on the real thing")

CRITERIA: Mapping[str, tuple[str, ...]] = {
    "collectors": (
        "only reads", "a lost line is told and found again", "status codes of the source",
        "times of the source", "protected line", "can be probed", *_COMMON,
    ),
    "mes": (
        "only reads", "a lost line is told and found again", "goes on after the last report on record",
        "what cannot be read is left out and told", "can be probed", *_COMMON,
    ),
    "notifiers": (
        "limits are told from refusals", "a repeat is shown once", "mentions people",
        "keeps within the carrier's rate", *_COMMON,
    ),
    "erp": (
        "a document once, whatever happens", "limits and outages are told from refusals",
        "fields can be mapped", "can be probed", *_COMMON,
    ),
    "rules": (
        "not knowing is not a value", "delays and deadbands", "remembers across restarts",
        "the sieve leaves nothing out",
    ),
}  # fmt: skip
_RULE = dict.fromkeys(CRITERIA["rules"], DONE)


def _all_but(family: str, **marks: str) -> dict[str, str]:
    """Everything done but what is said of some criteria, each named by one of its words."""
    return {c: next((m for word, m in marks.items() if word in c.split()), DONE) for c in CRITERIA[family]}


CARDS: Mapping[str, Mapping[str, str]] = {
    "modbus": _all_but(
        "collectors",
        status="exempt: the protocol has exception codes only, which are told as such",
        times="exempt: the protocol has none; the moment of asking is taken",
        protected="exempt: Modbus TCP has none; keep its network apart",
        tried=_NOT_TRIED,
    ),
    "opcua": _all_but("collectors", tried=_NOT_TRIED),
    "mqtt": _all_but(
        "collectors",
        status="exempt: the protocol has none; what a broker kept and what cannot be read is marked as such",
        tried="to do: rumqttd and mosquitto in the tests; no plant's broker yet",
    ),
    "mes-push": _all_but(
        "mes",
        line="exempt: the MES comes to us; its silence is told after quiet:",
        last="exempt: the MES sends again what it has no answer for; a repeat changes nothing",
        tried="to do: each MES signs in its own program",
    ),
    "mes-sql": _all_but("mes", tried="to do: PostgreSQL in the tests; MySQL/MariaDB and SQL Server not yet"),
    "mes-files": _all_but(
        "mes", **{"only": "exempt: files that were taken are moved to done or failed", "tried": _NOT_TRIED}
    ),
    "mes-redis": _all_but("mes", tried="to do: Valkey in the tests"),
    "sparkplug-b": _all_but(
        "collectors", tried="to do: our own edge nodes on rumqttd and mosquitto; no vendor's node yet"
    ),
    "mes-http": _all_but("mes", tried="to do: each MES needs a small adapter to this interface"),
    "wecom": _all_but(
        "notifiers", repeat="exempt: the robot knows no key; a repeat is marked in its text", tried=_NOT_TRIED
    ),
    "dingtalk": _all_but("notifiers", tried=_NOT_TRIED),
    "apprise": _all_but(
        "notifiers",
        limits="exempt: Apprise says only whether the server answered",
        repeat="exempt: its carriers know no key; a repeat is marked in its text",
        mentions="exempt: an address mentions nobody",
        tried="to do: ntfy and a mail server in the tests",
    ),
    "kingdee-galaxy": _all_but(
        "erp", tried="to do: the vendor's SDK works against the simulator; no tenant yet"
    ),
    "sap-s4": _all_but("erp", tried=_NOT_TRIED),
    "erpnext": _all_but("erp", tried=_NOT_TRIED),
    "oracle-fusion": _all_but("erp", tried=_NOT_TRIED),
    "yonyou-u9": _all_but("erp", tried=_NOT_TRIED),
    "jiandaoyun": _all_but("erp", tried=_NOT_TRIED),
    "odoo": _all_but("erp", tried="to do: tried by hand on Odoo 19.0 Community; the tests run its simulator"),
    "tryton": _all_but("erp"),
    "generic": _all_but(
        "erp",
        tried="to do: SQL Server; PostgreSQL and MariaDB were, REST depends on the system that is joined",
    ),
    "high-limit": _RULE,
    "low-limit": _RULE,
    "state": _RULE | {"delays and deadbands": "exempt: a state has no band; on_delay and off_delay count"},
    "fault-code": _RULE
    | {"delays and deadbands": "exempt: a code has no band; on_delay and off_delay count"},
    "order-orphans": _RULE
    | {
        "delays and deadbands": "exempt: the books are looked at twice",
        "the sieve leaves nothing out": "exempt: it reads no samples",
    },
    "no-data": _RULE | {"delays and deadbands": "exempt: its span is its delay"},
}


def card(kind: str, cls: Any) -> Mapping[str, str]:
    """The card of a plugin; empty where it has none."""
    own = getattr(cls, "card", None)
    return own if isinstance(own, Mapping) else CARDS.get(kind, {})


def abilities(cls: Any) -> list[str]:
    """What an ERP connector can do of all that can be asked of one."""
    return sorted(getattr(cls, "capabilities", ()))
