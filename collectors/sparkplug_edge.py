"""One edge node of Sparkplug B as its host sees it (specification 3.0, chapter 5). Pure: time is an argument.

Births give names to aliases, data speak in aliases, deaths end both. Every message but the death carries a
number; where one is missing nobody can know whether it was a birth, so that what an alias means is in doubt:
it is not guessed. Such data wait for the birth that was asked for and count if it says the same as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from collectors.sparkplug_payload import Metric, Payload

Verb = Literal["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]
NODE = ""  # the node's own metrics, beside those of its devices
BD_SEQ = "bdSeq"
_ROUND = 256
_HALF = _ROUND // 2
_EARLY_AT_MOST = 64  # messages that wait for one that is missing
_HELD_AT_MOST = 2000  # messages that wait for a birth
_LONGEST = 60.0  # seconds between two askings for a birth; after twice as long without one, as at first
_ANSWERS = 1.5  # seconds in which a node that lives contradicts a death that may not be its own
_WILLS = 120.0  # seconds after a birth in which the will of an earlier session may still come
_SESSIONS = 8  # that are over and whose numbers are remembered
_PATIENCE = 3  # askings that nobody answers until a silent node counts as dead
Wanted = Mapping[str, Mapping[str, int]]  # device -> metric -> row


class Value(NamedTuple):
    """What one row has to be told. `past`: not how it is now; `birth`: how it is now, since whenever."""

    row: int
    metric: Metric
    kind: int  # data type by the birth
    at: int  # microseconds since 1970; 0: the moment of arrival
    past: bool = False
    birth: bool = False


class Absent(NamedTuple):
    """Rows whose metric is not in their birth."""

    rows: list[int]


class Stale(NamedTuple):
    """Rows that nobody speaks for any more."""

    rows: list[int]
    why: str


Told = Value | Absent | Stale


class Patience(NamedTuple):
    reorder: float = 2.0  # seconds a message may be late
    ask_every: float = 10.0  # seconds between two askings for a birth, growing
    silence: float = 600.0  # seconds without a word until a birth is asked for; 0: never
    sequence: bool = True  # whether numbers are looked at


class _Alias(NamedTuple):
    name: str
    kind: int


class _Held(NamedTuple):
    device: str
    meant: _Alias  # when it came
    metric: Metric
    at: int


@dataclass(slots=True)
class Edge:
    """`take` a message, `tick` now and then, both in order of time; `ask` says when to ask for a birth."""

    wanted: Wanted
    patience: Patience
    began: float
    born: bool = False
    session: int | None = None  # bdSeq of the birth
    doubt: bool = False
    gaps: int = 0  # numbers that never came
    dropped: int = 0  # values whose alias nobody can explain any more
    _next: int | None = None
    _seen: dict[int, int] = field(default_factory=dict)  # number -> time of the message that had it last
    _born_at: int = 0
    _aliases: dict[tuple[str, int], _Alias] = field(default_factory=dict)  # some count anew for each device
    _kinds: dict[tuple[str, str], int] = field(default_factory=dict)
    _devices: set[str] = field(default_factory=set)  # alive
    _awaited: dict[str, float] = field(default_factory=dict)  # device -> when its birth is overdue
    _early: dict[int, tuple[Verb, str, Payload]] = field(default_factory=dict)
    _gap_since: float = 0.0
    _held: list[_Held] = field(default_factory=list)
    _heard: float = 0.0
    _wants_birth: bool = False
    _ask_at: float = 0.0
    _asked: int = 0  # in a row, whether answered or not
    _unanswered: int = 0
    _dead: bool = False  # it said so; it will say when it is back
    _lost: bool = False  # told that nobody speaks for its values
    _doubt_since: float = 0.0
    _silence: bool = False  # its birth was asked for to hear whether it lives
    _over: list[int] = field(default_factory=list)  # bdSeq of sessions before this one
    _birth_heard: float = 0.0
    _death_heard: float | None = None  # one that nobody contradicts yet, with a number of no session known
    _death_number: int = 0  # of that one
    _shift: int = 0  # how far its deaths count behind its births: by one with Tahu's Python code
    _once: bool = False  # it is dead, and asked all the same
    complaints: list[str] = field(default_factory=list)  # the caller takes and empties it

    # ------------------------------------------------------------------ messages
    def take(self, verb: Verb, device: str, payload: Payload, now: float) -> list[Told]:
        self._heard = now
        if self._silence and verb != "NDEATH":
            self._silence = self._wants_birth = False
            self._unanswered = 0
        if verb == "NDEATH":
            return self._node_death(payload, now)
        self._death_heard = None
        if verb == "NBIRTH":
            return self._node_birth(payload, now)
        if not self.born:
            self._want("data came before any birth", now)
            if payload.seq is not None and len(self._early) < _EARLY_AT_MOST:
                self._early[payload.seq] = (verb, device, payload)  # its birth may have been overtaken
            return []
        if self.doubt or payload.seq is None or not self.patience.sequence:
            return self._apply(verb, device, payload, now)
        return self._in_order(verb, device, payload, now)

    def _in_order(self, verb: Verb, device: str, payload: Payload, now: float) -> list[Told]:
        seq = payload.seq or 0
        ahead = (seq - (self._next or 0)) % _ROUND
        old = 0 < payload.at < self._born_at
        if ahead >= _HALF and (old or self._seen.get(seq) == payload.at):
            return []  # it came twice, or from before the birth; else half a round and more was lost
        if ahead and old and now - self._birth_heard < self.patience.reorder:
            return []  # the birth has overtaken it
        if ahead or self._begun_anew:
            self._gap_since = self._gap_since if self._early else now
            self._early[seq] = (verb, device, payload)
            return self._lose(now) if len(self._early) > _EARLY_AT_MOST else []
        out = self._apply(verb, device, payload, now)
        self._next, self._seen[seq] = (seq + 1) % _ROUND, payload.at
        return out + self._catch_up(now)

    @property
    def _begun_anew(self) -> bool:
        """Something waits whose number was had already: as after a birth that was lost. That a number fits
        then is chance, and what its aliases mean not known."""
        return any((seq - (self._next or 0)) % _ROUND >= _HALF for seq in self._early)

    def _catch_up(self, now: float) -> list[Told]:
        out: list[Told] = []
        while not self.doubt and self._next is not None and self._next in self._early:
            verb, device, payload = self._early.pop(self._next)
            self._seen[self._next] = payload.at
            self._next = (self._next + 1) % _ROUND
            self._gap_since = now
            out += self._apply(verb, device, payload, now)
        return out

    def _lose(self, now: float) -> list[Told]:
        """What is missing will not come: the rest is taken, in its order, with aliases in doubt."""
        expected = self._next or 0
        order = sorted(self._early, key=lambda seq: (seq - expected + _HALF) % _ROUND)
        self.gaps += (order[0] - expected) % _ROUND
        early, self._early = self._early, {}
        self.doubt, self._doubt_since = True, now
        self._want(f"message {expected} never came (sequence: ignore, if it numbers wrongly)", now)
        out: list[Told] = []
        for seq in order:
            out += self._apply(*early[seq], now)
        return out

    def _apply(self, verb: Verb, device: str, payload: Payload, now: float) -> list[Told]:
        if verb == "DBIRTH":
            return self._device_birth(device, payload)
        if verb == "DDEATH":
            self._devices.discard(device)
            self._awaited.pop(device, None)
            self._forget(device)
            return self._stale([device], f"device {device} died")
        owner = device if verb == "DDATA" else NODE
        if owner != NODE and owner not in self._devices:
            self._want(f"device {owner} sends without a birth", now)
            return []
        return self._data(owner, payload, now)

    # ------------------------------------------------------------------ births
    def _node_birth(self, payload: Payload, now: float) -> list[Told]:
        if self.born and payload.at < self._born_at and now - self._birth_heard < self.patience.reorder:
            self.doubt, self._doubt_since = True, now  # or a clock was set back: nobody knows which holds
            self._want("a birth came behind a newer one", now)
            return []
        if not self.born or _bd_seq(payload) != self.session:  # a birth between may have been lost
            self._drop_held()
        self.born, self.doubt, self._lost, self._dead = True, False, False, False
        if self.session is not None:
            self._over = [*(s for s in self._over if s != self.session), self.session][-_SESSIONS:]
        self.session = _bd_seq(payload)
        self._birth_heard, self._once = now, False
        self._next = ((payload.seq or 0) + 1) % _ROUND
        self._seen, self._born_at = {payload.seq or 0: payload.at}, payload.at
        self._wants_birth, self._unanswered = False, 0
        self._aliases.clear()
        self._kinds.clear()
        self._awaited = {d: now + self.patience.reorder for d in self.wanted if d != NODE}
        self._devices.clear()
        self._early = {s: e for s, e in self._early.items() if e[2].at >= payload.at}
        self._gap_since = now
        return self._learn(NODE, payload) + self._catch_up(now)

    def _device_birth(self, device: str, payload: Payload) -> list[Told]:
        self._devices.add(device)
        self._awaited.pop(device, None)
        self._forget(device)
        return self._learn(device, payload)

    def _forget(self, device: str) -> None:
        self._aliases = {a: m for a, m in self._aliases.items() if a[0] != device}

    def _learn(self, device: str, payload: Payload) -> list[Told]:
        out: list[Told] = []
        rows = self.wanted.get(device, {})
        missing = dict(rows)
        for metric in payload.metrics:
            if metric.alias is not None:
                self._aliases[device, metric.alias] = _Alias(metric.name, metric.kind)
            row = rows.get(metric.name)
            if row is None:
                continue
            self._kinds[device, metric.name] = metric.kind
            missing.pop(metric.name, None)
            out.append(_value(row, metric, metric.kind, payload.at)._replace(birth=True))
        if missing:
            out.append(Absent(list(missing.values())))
            names = ", ".join(list(missing)[:5])
            self.complaints.append(f"{_of(device)} has no metric {names}; correct metric:")
        return out + self._released(device)

    def _drop_held(self) -> None:
        self.dropped += len(self._held)
        self._held.clear()

    def _released(self, device: str) -> list[Told]:
        """What waited for this birth: the past by now, and only where the alias still means the same."""
        out: list[Told] = []
        rows = self.wanted.get(device, {})
        rest: list[_Held] = []
        for held in self._held:
            if held.device != device:
                rest.append(held)
            elif (
                held.metric.alias is not None and self._aliases.get((device, held.metric.alias)) == held.meant
            ):
                if (row := rows.get(held.meant.name)) is not None:
                    out.append(Value(row, held.metric, held.meant.kind, held.at, past=True))
            else:
                self.dropped += 1
        self._held = rest
        return out

    # ------------------------------------------------------------------ deaths
    def _node_death(self, payload: Payload, now: float) -> list[Told]:
        told = _bd_seq(payload)
        if self.born and told is not None and self.session is not None and not self._ends(told, self.session):
            if told not in self._over or now - self._birth_heard >= _WILLS:
                # of a birth that was lost, or of a node that counts in its own way
                self._want("a death came with another bdSeq than the birth", now)
                self._death_heard, self._death_number = now, told
            return []  # the will of a session that is over; the node has come back meanwhile
        known, born = self._dead or (self._lost and not self.born), self.born
        self._dead = True
        if known and not born:
            return []
        out = self._die("the edge node died")
        if born and told is None:  # whose session ended it does not say
            self._want("the edge node died without a bdSeq", now)
            self._once = True
        elif born and now - self._birth_heard < _WILLS:  # some nodes give all their sessions one number
            self._want("the edge node died soon after its birth", now)
            self._once = True
        return out

    def _ends(self, told: int, session: int) -> bool:
        if told == session:
            self._shift = 0
        return (session - told) % _ROUND == self._shift

    def _die(self, why: str) -> list[Told]:
        if self.session is not None:
            self._over = [*(s for s in self._over if s != self.session), self.session][-_SESSIONS:]
        self.born, self.doubt, self.session, self._next = False, False, None, None
        self._death_heard = None
        self._aliases.clear()
        self._devices.clear()
        self._awaited.clear()
        self._early.clear()
        self._wants_birth, self._lost = False, True
        return self._stale(list(self.wanted), why)

    def _stale(self, devices: list[str], why: str) -> list[Told]:
        rows = [row for d in devices for row in self.wanted.get(d, {}).values()]
        return [Stale(rows, why)] if rows else []

    # ------------------------------------------------------------------ data
    def _data(self, owner: str, payload: Payload, now: float) -> list[Told]:
        out: list[Told] = []
        rows = self.wanted.get(owner, {})
        for metric in payload.metrics:
            if metric.name:
                if (row := rows.get(metric.name)) is not None:
                    kind = self._kinds.get((owner, metric.name), 0)
                    out.append(_value(row, metric, kind, payload.at))
                continue
            known = self._aliases.get((owner, metric.alias)) if metric.alias is not None else None
            if known is None:
                self._want(f"alias {metric.alias} stands in no birth", now)
            elif (row := rows.get(known.name)) is None:
                continue
            elif self.doubt:
                self._hold(_Held(owner, known, metric, metric.at or payload.at))
            else:
                out.append(_value(row, metric, known.kind, payload.at))
        return out

    def _hold(self, held: _Held) -> None:
        if len(self._held) >= _HELD_AT_MOST:
            self._held.pop(0)
            self.dropped += 1
        self._held.append(held)

    # ------------------------------------------------------------------ passing time
    def tick(self, now: float) -> list[Told]:
        out: list[Told] = []
        if self._early and self.born and now - self._gap_since >= self.patience.reorder:
            out += self._lose(now)
        for device, due in list(self._awaited.items()):
            if now >= due:
                del self._awaited[device]
                out += self._stale([device], f"device {device} has no birth")
        if not self.born and not self._dead and now - self.began >= self.patience.reorder:
            self._want("no birth heard yet", now)
            out += self._give_up("no birth heard yet")
        if self.doubt and now - self._doubt_since >= self.patience.ask_every:
            out += self._give_up("messages are missing and no birth came when asked")
        if self._death_heard is not None and now - self._death_heard >= _ANSWERS:
            self._dead, self._shift = True, ((self.session or 0) - self._death_number) % _ROUND
            out += self._die("the edge node died, and no birth came when asked")
        return out + self._mind_silence(now)

    def _give_up(self, why: str) -> list[Told]:
        if self._lost:
            return []
        self._lost = True
        return self._stale(list(self.wanted), why)

    def _mind_silence(self, now: float) -> list[Told]:
        """A node whose values stand still says nothing; if it lives, it answers when it is asked."""
        limit = self.patience.silence
        if not self.born or not limit or now - self._heard < limit:
            return []
        self._silence = True
        self._want(f"nothing heard for {limit:g} s", now)
        if self._unanswered < _PATIENCE:
            return []
        return self._die(f"nothing heard for {now - self._heard:.0f} s, and no birth when asked")

    # ------------------------------------------------------------------ asking
    def _want(self, why: str, now: float) -> None:
        self._once = False
        if not self._wants_birth:
            self._wants_birth = True
            self.complaints.append(f"{why}; asking for its births")

    def ask(self, now: float) -> bool:
        """Whether to ask for a birth now. At most once in `ask_every`, less often the more often it was."""
        if not self._wants_birth or now < self._ask_at:
            return False
        longest = max(_LONGEST, self.patience.ask_every)
        if now - self._ask_at > 2 * longest:
            self._asked = 0
        self._ask_at = now + min(self.patience.ask_every * 2.0**self._asked, longest)
        self._asked = min(self._asked + 1, 10)
        self._unanswered += 1
        if self._once:
            self._wants_birth = self._once = False
        return True


def _value(row: int, metric: Metric, kind: int, at: int) -> Value:
    return Value(row, metric, metric.kind or kind, metric.at or at, past=metric.historical)


def _bd_seq(payload: Payload) -> int | None:
    for metric in payload.metrics:
        if metric.name == BD_SEQ and metric.field in ("int_value", "long_value"):
            return int(metric.raw)
    return None


def _of(device: str) -> str:
    return f"device {device}" if device != NODE else "the node"
