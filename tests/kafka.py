"""Kafka brokers that speak the protocol over loopback: those which librdkafka carries for its own tests.

They know topics, consumer groups, commits, retention and rebalancing; they can be taken down and told to
answer with an error. They know neither TLS nor SASL.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition

_P, _I, _S = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_I32, _I64 = ctypes.c_int32, ctypes.c_int64
PRODUCE, FETCH, OFFSET_COMMIT, JOIN = 0, 1, 8, 11  # numbers of requests in the protocol


def _library() -> ctypes.CDLL:
    """The one that the driver has loaded."""
    beside = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    return ctypes.CDLL(str(next(beside.glob("librdkafka*"))))


class Kafka:
    """A cluster of one broker, in this process but on a port like any other."""

    def __init__(self) -> None:
        self._library = _library()
        error = ctypes.create_string_buffer(512)
        settings = self._call("rd_kafka_conf_new", _P)
        self._call(
            "rd_kafka_conf_set", _I, (_P, settings), (_S, b"log_level"), (_S, b"0"), (_P, None), (_I, 0)
        )
        self._handle = self._call(
            "rd_kafka_new", _P, (_I, 0), (_P, settings), (_P, ctypes.addressof(error)), (ctypes.c_size_t, 512)
        )
        self._cluster = self._call("rd_kafka_mock_cluster_new", _P, (_P, self._handle), (_I, 1))
        self.address: str = self._mock("cluster_bootstraps", _S).decode()
        self._mock("group_initial_rebalance_delay_ms", None, (_I32, 0))
        self._producer = Producer({"bootstrap.servers": self.address, "linger.ms": 0, "log_level": 0})

    def topic(self, name: str, partitions: int = 1) -> None:
        assert self._mock("topic_create", _I, (_S, name.encode()), (_I, partitions), (_I, 1)) == 0

    def put(self, topic: str, *values: bytes | None, partition: int = 0) -> None:
        for value in values:
            self._producer.produce(topic, value=value, partition=partition)
        assert self._producer.flush(10) == 0

    def tell(self, topic: str, events: Sequence[Mapping[str, Any]], partition: int = 0) -> None:
        self.put(topic, *(json.dumps(e).encode() for e in events), partition=partition)

    def retain(self, topic: str, first: int, partition: int = 0) -> None:
        """What lies before `first` is deleted."""
        place = ((_S, topic.encode()), (_I32, partition), (_I64, first))
        assert self._mock("partition_delete_records", _I, *place) == 0

    def down(self) -> None:
        assert self._mock("broker_set_down", _I, (_I32, 1)) == 0

    def up(self) -> None:
        assert self._mock("broker_set_up", _I, (_I32, 1)) == 0

    def advertise(self, host: str, port: int) -> None:
        """Where it tells its clients that it is: behind a proxy."""
        self._mock("broker_set_host_port", None, (_I32, 1), (_S, host.encode()), (_I, port))

    def fail(self, request: int, *codes: int) -> None:
        """The next requests of this kind are answered with these errors of the protocol."""
        listed = (ctypes.c_int * len(codes))(*codes)
        told = ((ctypes.c_int16, request), (ctypes.c_size_t, len(codes)), (_P, ctypes.addressof(listed)))
        self._mock("push_request_errors_array", None, *told)

    def committed(self, group: str, topic: str, partition: int = 0) -> int:
        with self.consumer(group) as one:
            return int(one.committed([TopicPartition(topic, partition)], timeout=10)[0].offset)

    @contextlib.contextmanager
    def consumer(self, group: str) -> Iterator[Consumer]:
        made = Consumer({"bootstrap.servers": self.address, "group.id": group, "log_level": 0})
        try:
            yield made
        finally:
            made.close()

    def close(self) -> None:
        del self._producer
        self._call("rd_kafka_mock_cluster_destroy", None, (_P, self._cluster))
        self._call("rd_kafka_destroy", None, (_P, self._handle))

    def _mock(self, name: str, gives: Any, *values: tuple[Any, Any]) -> Any:
        return self._call(f"rd_kafka_mock_{name}", gives, (_P, self._cluster), *values)

    def _call(self, name: str, gives: Any, *values: tuple[Any, Any]) -> Any:
        made = getattr(self._library, name)
        made.restype, made.argtypes = gives, [kind for kind, _ in values]
        return made(*(value for _, value in values))


@contextlib.contextmanager
def kafka() -> Iterator[Kafka]:
    made = Kafka()
    try:
        yield made
    finally:
        made.close()
