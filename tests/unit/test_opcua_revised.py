"""Servers answer wishes with what they are willing to do; where that is much less a person is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from pydantic import ValidationError

from collectors.opcua_config import OpcUaConfig
from collectors.opcua_revised import Revised

WISH = timedelta(milliseconds=500)


def heard(
    sampling: float, queue: int, publishing: float = 500, attribute: int = AttributeIds.Value
) -> Revised:
    wish, given = ua.MonitoredItemCreateRequest(), ua.MonitoredItemCreateResult()
    wish.ItemToMonitor.AttributeId = attribute
    wish.RequestedParameters.SamplingInterval, wish.RequestedParameters.QueueSize = 100.0, 10
    given.RevisedSamplingInterval, given.RevisedQueueSize = sampling, queue
    found = Revised(publishing)
    found.hear([wish], [given])
    return found


def said(of: Revised) -> set[str]:
    return {what for what, _ in of.complaints(WISH)}


def test_what_is_as_wished_or_nearly_is_not_spoken_of() -> None:
    assert said(heard(100, 10)) == set()
    assert said(heard(200, 3)) == set()
    assert said(heard(float("nan"), 1)) == said(heard(-1, 1)) == said(heard(0, 1)) == set()
    assert said(heard(60_000, 1, attribute=AttributeIds.EventNotifier)) == set()


def test_what_is_much_less_than_wished_is_told() -> None:
    assert said(heard(1000, 10)) == {"sampling"}
    assert said(heard(100, 1)) == {"queue"}
    assert said(heard(5000, 10, publishing=5000)) == {"sampling", "publishing"}
    [(_, text)] = heard(100, 10, publishing=1500).complaints(WISH)
    assert text == "the server tells every 1.5 s, not every 0.5 s"


def test_a_change_is_waited_for_as_long_as_the_server_takes_to_look() -> None:
    ten = timedelta(seconds=10)
    assert heard(100, 10).settled(ten) == ten
    assert heard(60_000, 10).settled(ten) == timedelta(minutes=3)


def settings(**more: Any) -> OpcUaConfig:
    nodes = [{"tag": "m/a", "node": "i=1"}, {"tag": "m/b", "node": "i=2", "sampling": "20ms"}]
    given = {"endpoint": "opc.tcp://h:1", "security": "none", "interval": "1s", "queue": 50, "nodes": nodes}
    return OpcUaConfig.model_validate({**given, **more})


def test_a_node_is_looked_at_as_it_says_or_as_all_or_as_often_as_is_told() -> None:
    assert [r.total_seconds() for r in settings().rates()] == [1.0, 0.02]
    assert [r.total_seconds() for r in settings(sampling="0ms").rates()] == [0.0, 0.02]


def test_a_queue_that_would_run_over_is_refused() -> None:
    with pytest.raises(ValidationError, match="holds 49 of the 50 samples between two answers"):
        settings(queue=49)
