"""Redis away, frozen, emptied, cut short: what was acknowledged is on record once, what is lost is said.

The collectors' sink, bus, writer and record are real; the writer is started again as the supervisor does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta

import pytest

from collectors.bus_sink import BusSink
from hub import metrics
from hub.bus import redis_streams
from hub.bus.redis_streams import BusUnavailable, RedisBus
from hub.clock import SystemClock
from hub.errors import Transient
from hub.model.batch import SampleBatch
from hub.ports import SAMPLES
from hub.store.pool import Pool, open_pool
from hub.store.samples import PgSampleStore
from hub.store.writer import Writer
from hub.testing.clock import NOON
from tests.simulators.devices import BACK, THERE, Proxy
from tests.valkey import Valkey, valkey

pytestmark = pytest.mark.anyio

GROUPS = {SAMPLES: ("store", "rules")}
ANSWER = 0.5  # seconds: a frozen server is noticed soon
BLOCKED = b"\r\n200\r\n"  # milliseconds that a read waits then
BLOCKED_READ = ("XREADGROUP", "GROUP", "store", "store", "BLOCK", 2000, "STREAMS", "andon:samples", ">")
PATIENCE = 30.0


async def until(true: Callable[[], Awaitable[bool]], what: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not await true():
                await asyncio.sleep(0.01)
            return
    raise AssertionError(f"did not happen: {what}")


class Line:
    """One process that reads machines and one that writes; between them a server that has bad days."""

    def __init__(self, pool: Pool, server: Valkey) -> None:
        self.pool, self.server = pool, server
        self.samples = PgSampleStore(pool)
        self.buses: list[RedisBus] = []
        self.sink = BusSink(self.bus())
        self.writer = Writer(self.bus(), self.samples, SystemClock(), max_wait=0.01)
        self.failed = 0
        self.sent: list[int] = []
        self.acknowledged: list[int] = []
        self._writing: asyncio.Task[None] | None = None

    def bus(self, url: str = "", answer: float = ANSWER) -> RedisBus:
        self.buses.append(RedisBus(url or self.server.url, GROUPS, answer=answer))
        return self.buses[-1]

    # ---------------------------------------------------------------- sending
    async def send(self) -> bool:
        """One more batch; whether the bus has acknowledged it."""
        number = len(self.sent) + 1
        self.sent.append(number)
        batch = SampleBatch.at([1], NOON + timedelta(seconds=number), [float(number)])
        try:
            await self.sink.put(batch)
        except Transient:
            return False
        self.acknowledged.append(number)
        return True

    async def send_on(self, batches: int) -> None:
        """Until so many more are acknowledged."""
        wanted = len(self.acknowledged) + batches

        async def enough() -> bool:
            await self.send()
            return len(self.acknowledged) >= wanted

        await until(enough, "the bus takes batches again")

    # ---------------------------------------------------------------- writing
    async def _keep_writing(self) -> None:
        while True:
            try:
                await self.writer.run()
            except BaseExceptionGroup as several:
                if several.split(Transient)[1] is not None:
                    raise
            except Transient:
                self.failed += 1
            await asyncio.sleep(0.01)

    async def start_writing(self) -> None:
        self._writing = asyncio.create_task(self._keep_writing())

    async def stop_writing(self) -> None:
        """Without a word, as after kill -9."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None

    async def stored(self) -> list[int]:
        if self._writing is not None and self._writing.done():
            self._writing.result()
        return [int(v) for v in (await self.samples.since([1], NOON)).values]

    async def all_there(self, *, but: int = 0) -> None:
        """Everything acknowledged is on record (but so many that were lost), and nothing twice."""

        async def there() -> bool:
            return len(set(self.acknowledged) - set(await self.stored())) == but and (
                not self.acknowledged or self.acknowledged[-1] in await self.stored()
            )

        await until(there, f"{self.acknowledged} on record")
        found = await self.stored()
        assert len(found) == len(set(found)), "a batch is on record twice"
        assert set(found) <= set(self.sent)

    async def end(self) -> None:
        await self.stop_writing()
        for bus in self.buses:
            await bus.close()


@pytest.fixture
def server() -> Iterator[Valkey]:
    with valkey() as made:
        yield made


@pytest.fixture
def durable() -> Iterator[Valkey]:
    with valkey(durable=True) as made:
        yield made


@contextlib.asynccontextmanager
async def line_on(dsn: str, server: Valkey) -> AsyncIterator[Line]:
    pool = await open_pool(dsn)
    line = Line(pool, server)
    try:
        yield line
    finally:
        await line.end()
        await pool.close()


@pytest.fixture
async def line(dsn: str, server: Valkey) -> AsyncIterator[Line]:
    server.start()
    async with line_on(dsn, server) as made:
        yield made


# ------------------------------------------------------------------ away
async def test_a_server_that_is_away_at_the_start_is_waited_for(dsn: str, server: Valkey) -> None:
    async with line_on(dsn, server) as line:
        await line.start_writing()
        assert not await line.send()
        assert not await line.buses[0].healthy()
        server.start()
        await line.send_on(3)
        await line.all_there()
        assert await line.buses[0].healthy()
        assert line.writer.lost == 0


async def test_a_server_that_dies_in_the_middle_and_comes_back_with_its_belt(
    dsn: str, durable: Valkey
) -> None:
    durable.start()
    async with line_on(dsn, durable) as line:
        await line.start_writing()
        await line.send_on(3)
        await line.stop_writing()
        await line.send_on(3)
        durable.kill()
        assert not await line.send()
        await line.start_writing()
        await until(lambda: _true(line.failed > 0), "the writer says that the bus is away")
        durable.start()
        await line.send_on(3)
        await line.all_there()
        assert line.writer.lost == 0


async def _true(value: bool) -> bool:
    return value


# ------------------------------------------------------------------ frozen
async def test_a_frozen_server_is_a_server_away_and_what_it_took_in_its_sleep_counts_once(
    line: Line,
) -> None:
    await line.start_writing()
    await line.send_on(2)
    await line.all_there()
    line.server.freeze()
    assert not await line.send(), "no answer, so not acknowledged; the server will find it in its socket"
    assert not await line.send()
    assert not await line.buses[0].healthy()
    assert await line.buses[0].behind(SAMPLES) == {}
    await until(lambda: _true(line.failed > 0), "the writer says that the bus is away")
    line.server.thaw()
    await line.send_on(3)
    await line.all_there()
    assert 3 in await line.stored(), "what may have arrived is sent again under its number"
    assert line.writer.lost == 0


async def test_who_listens_notices_that_the_server_is_frozen(line: Line) -> None:
    bus = line.bus()
    hints = bus.listen("events")
    hearing: asyncio.Task[bytes] = asyncio.create_task(anext(hints))  # type: ignore[arg-type]
    while not hearing.done():
        await bus.shout("events", b"first")
        await asyncio.wait([hearing], timeout=0.05)
    line.server.freeze()
    with pytest.raises(BusUnavailable):
        async with asyncio.timeout(PATIENCE):
            while True:  # hints that were on the way
                await anext(hints)


# ------------------------------------------------------------------ half a line
@pytest.mark.parametrize("ways", [(THERE,), (BACK,), (THERE, BACK)], ids="-".join)
async def test_a_line_that_passes_nothing_on_is_given_up_and_what_was_on_it_counts_once(
    line: Line, ways: tuple[str, ...]
) -> None:
    """Lines made from then on are good."""
    assert redis_streams.ANSWER <= 10, "seconds, in the product"
    async with Proxy(line.server.port) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        line.sink = BusSink(line.bus(url))
        line.writer = Writer(line.bus(url), line.samples, SystemClock(), max_wait=0.01)
        await line.start_writing()
        await line.send_on(2)
        await line.all_there()
        proxy.lose(*ways)
        assert not await line.send()
        await until(lambda: _true(line.failed > 0), "the writer's line is given up, too")
        await line.send_on(3)
        await line.all_there()
        assert 3 in await line.stored(), "what may have arrived is sent again under its number"
        assert line.writer.lost == 0
        await line.end()


# ------------------------------------------------------------------ emptied
async def test_an_emptied_server_loses_what_was_on_the_belt_and_that_is_said(line: Line) -> None:
    before = metrics.value("andon_lost_batches_total", taker="store") or 0
    await line.start_writing()
    await line.send_on(2)
    await line.all_there()
    await line.stop_writing()
    await line.send_on(5)
    with line.server.client() as client:
        client.flushall()
    await line.send_on(3)
    await line.start_writing()
    await line.all_there(but=5)
    assert line.writer.detail()["lost_batches"] == 5
    assert metrics.value("andon_lost_batches_total", taker="store") == before + 5
    async with line.pool.connection() as connection:
        row = await (await connection.execute("select what, detail from audit")).fetchone()
    assert row == {"what": "samples-lost", "detail": {"batches": 5}}


async def test_an_emptied_server_stops_nobody_who_reads(line: Line) -> None:
    """While the writer sits in a blocked read, and while what it was handed is not acknowledged yet."""
    await line.start_writing()
    await line.send_on(2)
    await line.all_there()
    for _ in range(3):
        with line.server.client() as client:
            client.flushall()
        await line.send_on(2)
        await line.all_there()
    assert line.failed == 0
    assert line.writer.lost == 0


# ------------------------------------------------------------------ cut short
async def test_a_belt_trimmed_past_a_slow_reader_is_a_loss_that_is_counted(line: Line) -> None:
    await line.send_on(10)
    with line.server.client() as client:
        client.xtrim("andon:samples", maxlen=4, approximate=False)
    await line.start_writing()
    await line.all_there(but=6)
    assert line.writer.lost == 6


async def test_entries_deleted_while_they_were_in_hand_are_counted_too(line: Line) -> None:
    await line.send_on(4)
    source = line.bus().consume(SAMPLES, "store")
    for _ in range(3):
        await anext(source)
    await source.aclose()  # type: ignore[attr-defined]
    with line.server.client() as client:
        client.xtrim("andon:samples", maxlen=2, approximate=False)
    await line.start_writing()
    await line.all_there(but=2)
    assert line.writer.lost == 2


# ------------------------------------------------------------------ readers that die
async def test_what_a_dead_reader_had_in_hand_comes_again(line: Line) -> None:
    await line.send_on(5)
    source = line.bus().consume(SAMPLES, "store")
    taken = [await anext(source) for _ in range(3)]
    await taken[0].ack()  # as if it were on record: acknowledged without being written
    await source.aclose()  # type: ignore[attr-defined]
    await line.start_writing()
    await line.all_there(but=1)


async def test_the_blocked_read_of_a_dead_reader_swallows_nothing(line: Line) -> None:
    """Its host lost power: the server has not noticed and hands its read the next entry."""
    line.writer = Writer(line.bus(answer=5.0), line.samples, SystemClock(), max_wait=0.01)
    await line.send_on(1)
    with line.server.client() as ghost:
        connection = ghost.connection_pool.get_connection()
        connection.send_command(*BLOCKED_READ)  # type: ignore[no-untyped-call]
        assert connection.read_response()
        connection.send_command(*BLOCKED_READ)  # type: ignore[no-untyped-call]
        await line.start_writing()
        await line.all_there()  # the first came again; now both read
        await line.send_on(4)
        await line.all_there()
        ghost.connection_pool.release(connection)
    assert line.writer.lost == 0


# ------------------------------------------------------------------ an answer that is lost
class Cutting:
    """Stands between a client and the server. When told to, it lets a command through and cuts the line
    before the answer comes back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_after: tuple[bytes, ...] = ()  # what all stands in the command
        self.caught = self.cuts = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection("127.0.0.1", self._port)
        back = asyncio.create_task(self._pass(there, writer))
        try:
            while data := await reader.read(65536):
                if self.cut_after and all(word in data for word in self.cut_after):
                    self.cut_after, self.caught = (), self.caught + 1
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                    here.write(data)
                    await there.read(65536)  # the server has done it, and says so to nobody
                    self.cuts += 1
                    return
                here.write(data)
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            for end in (here, writer):
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)


async def test_a_batch_whose_answer_was_lost_is_sent_again_and_on_record_once(line: Line) -> None:
    cutting = Cutting(line.server.port)
    async with cutting.serving() as url:
        line.sink = BusSink(line.bus(url))
        await line.start_writing()
        await line.send_on(2)
        for _ in range(3):
            cutting.cut_after = (b"XADD",)
            assert not await line.send()
            await line.send_on(1)
        await line.all_there()
        await line.stop_writing()
    assert cutting.cuts == 3
    with line.server.client() as client:
        assert client.xinfo_stream("andon:samples")["entries-added"] == len(line.sent) + 3, "each came twice"
    assert sorted(await line.stored()) == line.sent
    assert line.writer.repeats == 3


async def test_a_batch_that_comes_twice_around_a_restart_of_the_writer_is_on_record_once(line: Line) -> None:
    cutting = Cutting(line.server.port)
    async with cutting.serving() as url:
        line.sink = BusSink(line.bus(url))
        await line.start_writing()
        await line.send_on(1)
        cutting.cut_after = (b"XADD",)
        assert not await line.send()
        await until(lambda: _stored(line, 2), "the first copy is on record")
        await line.stop_writing()
        line.writer = Writer(line.bus(), line.samples, SystemClock(), max_wait=0.01)
        await line.start_writing()
        await line.send_on(1)
        await line.all_there()
    async with line.pool.connection() as connection:
        row = await (await connection.execute("select count(*) as n from samples")).fetchone()
    assert row == {"n": 3}


async def _stored(line: Line, number: int) -> bool:
    return number in await line.stored()


async def test_entries_whose_reading_was_never_answered_are_read_again_in_order(line: Line) -> None:
    """The server counts them as handed out; a client that simply asked for the next ones would lose them."""
    cutting = Cutting(line.server.port)
    async with cutting.serving() as url:
        line.writer = Writer(line.bus(url), line.samples, SystemClock(), max_wait=0.01)
        await line.start_writing()
        await line.send_on(2)
        await line.all_there()
        for n in (1, 2):
            cutting.cut_after = (b"XREADGROUP", BLOCKED, b"\r\n>\r\n")
            await until(lambda n=n: _true(cutting.caught == n), "a blocked read is under way")  # type: ignore[misc]
            await line.send_on(3)
            await line.all_there()
    assert cutting.cuts == 2
    assert (line.writer.lost, line.writer.repeats) == (0, 0)
