"""The sockets between rooms and pipes: Protocols and the small values that pass through them.

Rooms (collectors, alert_rules, notifiers, erp_bridge, screens) and pipes (bus, store, api) meet only here.
"""

from hub.ports.bus import EVENTS, ROLL, SAMPLES, Bus, Delivery, Publisher, RememberingPublisher, Sink
from hub.ports.erp import ErpBook, Ledger
from hub.ports.health import PartHealth
from hub.ports.intake import MesDoor, Rejects
from hub.ports.mapping import MappingDesk, Mappings, RawStates, StateDesk, StateTables
from hub.ports.people import Desk, PeopleStore, Watched
from hub.ports.plant import Plant
from hub.ports.plugins import Collector, ErpConnector, EventSource, MesIntake, MesSource, Notifier
from hub.ports.record import Outbox, Tx
from hub.ports.rush import RushDesk, Rushes, RushTx, Stale
from hub.ports.samples import SampleStore
from hub.ports.stops import SeenStop, StopDesk, Stops, StopTx
from hub.ports.time import Clock

__all__ = [
    "EVENTS",
    "ROLL",
    "SAMPLES",
    "Bus",
    "Clock",
    "Collector",
    "Delivery",
    "Desk",
    "ErpBook",
    "ErpConnector",
    "EventSource",
    "Ledger",
    "MappingDesk",
    "Mappings",
    "MesDoor",
    "MesIntake",
    "MesSource",
    "Notifier",
    "Outbox",
    "PartHealth",
    "PeopleStore",
    "Plant",
    "Publisher",
    "RawStates",
    "Rejects",
    "RememberingPublisher",
    "RushDesk",
    "RushTx",
    "Rushes",
    "SampleStore",
    "SeenStop",
    "Sink",
    "Stale",
    "StateDesk",
    "StateTables",
    "StopDesk",
    "StopTx",
    "Stops",
    "Tx",
    "Watched",
]
