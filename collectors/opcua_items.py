"""What is asked of a server about one node that it is to monitor."""

from __future__ import annotations

from datetime import timedelta

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds


def item(
    handle: int, node: ua.NodeId, interval: timedelta, queue: int, wished: ua.DataChangeFilter | None = None
) -> ua.MonitoredItemCreateRequest:
    wish = ua.MonitoredItemCreateRequest()
    wish.ItemToMonitor.NodeId = node
    wish.ItemToMonitor.AttributeId = AttributeIds.Value
    wish.MonitoringMode = ua.MonitoringMode.Reporting
    wish.RequestedParameters.ClientHandle = handle
    wish.RequestedParameters.SamplingInterval = interval.total_seconds() * 1000
    wish.RequestedParameters.QueueSize = queue
    wish.RequestedParameters.DiscardOldest = True
    if wished is not None:
        wish.RequestedParameters.Filter = wished
    return wish
