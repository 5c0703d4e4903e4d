"""Figures for Prometheus, counted where things happen. Rooms call the small functions here and nothing else.

Every process has its own registry; `/metrics` of the hub shows the hub's. Names begin with `andon_`, units
are seconds and rows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from hub.model.alarm import Alarm, Priority

REGISTRY = CollectorRegistry(auto_describe=True)
_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_samples = Counter("andon_samples", "Samples taken in", ["source"], registry=REGISTRY)
_samples_of = functools.cache(_samples.labels)  # a look-up for every batch would cost more than counting
_gaps = Counter(
    "andon_source_gaps", "What a source lost before we had it", ["source", "why"], registry=REGISTRY
)
_dropped = Counter(
    "andon_spool_dropped_samples", "Samples that a full spool has dropped", ["source"], registry=REGISTRY
)
_rows = Counter("andon_written_rows", "Samples written to the database", registry=REGISTRY)
_write = Histogram("andon_write_batch_seconds", "One COPY of samples", buckets=_FAST, registry=REGISTRY)
_rules = Histogram(
    "andon_rule_evaluation_seconds", "One batch through the rules", buckets=_FAST, registry=REGISTRY
)
_lost = Counter("andon_lost_batches", "Batches of samples that never arrived", ["taker"], registry=REGISTRY)
_let_go = Counter(
    "andon_let_go_batches",
    "Batches on record that a full bus did not keep for a taker that stands still",
    ["taker"],
    registry=REGISTRY,
)
_behind = Gauge("andon_rules_behind_seconds", "How far the rules are behind the bus", registry=REGISTRY)
_alarms = Gauge("andon_alarms_open", "Alarms that are not normal", ["priority"], registry=REGISTRY)
_waiting = Gauge("andon_outbox_waiting", "Intents not yet carried out", ["kind"], registry=REGISTRY)
_oldest = Gauge("andon_outbox_oldest_seconds", "Age of the oldest of them", ["kind"], registry=REGISTRY)
_dead = Gauge("andon_outbox_dead", "Intents given up", registry=REGISTRY)
_told = Counter("andon_notifications", "Messages tried", ["notifier", "outcome"], registry=REGISTRY)
_erp = Counter("andon_erp_calls", "Calls to the ERP", ["connector", "call", "outcome"], registry=REGISTRY)
_erp_time = Histogram(
    "andon_erp_call_seconds", "One call to the ERP", ["connector", "call"], buckets=_SLOW, registry=REGISTRY
)
_left_out = Gauge(
    "andon_erp_left_out", "Records of the ERP that cannot be read", ["document"], registry=REGISTRY
)
_viewers = Gauge("andon_ws_clients", "Open board sockets", registry=REGISTRY)
_latency = Histogram(
    "andon_sensor_to_screen_seconds",
    "From source time to the frame sent",
    buckets=(*_FAST, 10.0),
    registry=REGISTRY,
)
_part = Gauge("andon_part_up", "1 while a supervised runner runs", ["part"], registry=REGISTRY)
_circuit = Gauge(
    "andon_circuit", "Way to a device: 0 closed, 1 half-open, 2 open", ["part"], registry=REGISTRY
)
_circuit_failures = Gauge(
    "andon_circuit_failures", "Tries in a row that proved nothing", ["part"], registry=REGISTRY
)
_circuit_since = Gauge(
    "andon_circuit_since_seconds", "Since when it stands like this (Unix time)", ["part"], registry=REGISTRY
)
_circuit_next = Gauge(
    "andon_circuit_next_try_seconds", "When it is tried again (Unix time); 0: no pause", ["part"],
    registry=REGISTRY,
)  # fmt: skip
_restarts = Counter("andon_part_restarts", "How often it was started again", ["part"], registry=REGISTRY)


def samples(source: str, rows: int) -> None:
    """A batch of this collector has been taken in."""
    _samples_of(source).inc(rows)


def source_gaps(source: str, why: str, count: int) -> None:
    """`why`: overflow (the server's queue ran over) or notification (it could not be had again)."""
    _gaps.labels(source, why).inc(count)


def dropped(source: str, count: int) -> None:
    """A full spool has let these samples go."""
    _dropped.labels(source).inc(count)


def written(rows: int, seconds: float) -> None:
    """A batch is on disk."""
    _rows.inc(rows)
    _write.observe(seconds)


def rules(seconds: float) -> None:
    """A batch has gone through the rules."""
    _rules.observe(seconds)


def lost(taker: str, batches: int) -> None:
    """Batches were sent that `taker` (store, rules) will never get: the bus lost them."""
    _lost.labels(taker).inc(batches)


def let_go(taker: str, batches: int) -> None:
    """`taker` stands still and the bus is full: what is on record is not kept for it, it reads that there."""
    _let_go.labels(taker).inc(batches)


def rules_behind(seconds: float) -> None:
    """What was sent that long ago has not been evaluated yet; 0 while nothing waits."""
    _behind.set(seconds)


def alarms_open(alarms: Iterable[Alarm]) -> None:
    """All alarms that are open now."""
    counts = dict.fromkeys(Priority, 0)
    for alarm in alarms:
        counts[alarm.priority] += 1
    for priority, count in counts.items():
        _alarms.labels(priority.word).set(count)


def outbox(stats: Mapping[str, Any] | None) -> None:
    """What `Outbox.stats` says; None when it cannot be asked."""
    if stats is None:
        for gauge in (_waiting, _oldest):
            for metric in gauge.collect():
                for sample in metric.samples:
                    gauge.labels(sample.labels["kind"]).set(math.nan)
        _dead.set(math.nan)
        return
    for gauge, name in ((_waiting, "waiting"), (_oldest, "oldest_seconds")):
        gauge.clear()
        for kind, value in stats.get(name, {}).items():
            gauge.labels(str(kind)).set(value)
    _dead.set(stats.get("dead", 0))


def notification(notifier: str, outcome: str) -> None:
    """`outcome`: sent, deferred, limited or refused."""
    _told.labels(notifier, outcome).inc()


def erp_call(connector: str, call: str, outcome: str, seconds: float) -> None:
    """`connector`: its kind; `call`: as hub.ports names it; `outcome`: ok, unavailable, in_doubt, refused."""
    _erp.labels(connector, call, outcome).inc()
    _erp_time.labels(connector, call).observe(seconds)


def erp_left_out(by_document: Mapping[str, int]) -> None:
    """Records of the ERP that no map can read now, by the map's name."""
    _left_out.clear()
    for document, count in by_document.items():
        _left_out.labels(document).set(count)


def viewer_came() -> None:
    _viewers.inc()


def viewer_left() -> None:
    _viewers.dec()


def sensor_to_screen(seconds: float) -> None:
    """Source time of the newest value in a patch until its frame was sent; a clock ahead of ours counts as
    0.
    """
    _latency.observe(max(0.0, seconds))


def part(name: str, *, up: bool) -> None:
    _part.labels(name).set(1 if up else 0)


def circuits(parts: Iterable[Mapping[str, Any]]) -> None:
    """The parts of all processes, as the roll-call has them."""
    for gauge in (_circuit, _circuit_failures, _circuit_since, _circuit_next):
        gauge.clear()
    for name, way in ((p["name"], p["circuit"]) for p in parts if p.get("circuit")):
        _circuit.labels(name).set(("closed", "half-open", "open").index(way["state"]))
        _circuit_failures.labels(name).set(way["failures"])
        _circuit_since.labels(name).set(_unix(way["since"]))
        _circuit_next.labels(name).set(_unix(way["next_try"]))


def _unix(stamp: str | None) -> float:
    return datetime.fromisoformat(stamp).timestamp() if stamp else 0.0


def restarted(name: str) -> None:
    _restarts.labels(name).inc()


@contextmanager
def timed(observe: Any) -> Iterator[None]:
    """`with timed(rules): ...`: seconds of the block, also when it raises."""
    begun = perf_counter()
    try:
        yield
    finally:
        observe(perf_counter() - begun)


def value(name: str, **labels: str) -> float | None:
    """One figure as it stands, for the status page and for tests."""
    return REGISTRY.get_sample_value(name, labels)


def render() -> tuple[bytes, str]:
    """Prometheus text and its content type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
