"""The outbox: what must go to other archives, until they have acknowledged it. Any process adds, one process sends.

An LMDB environment of its own beside the index: unlike that it is not disposable, and ``voxcast reindex`` leaves it alone.
An instance waits for one peer at most once; what was acknowledged is taken out in the same transaction that counts it.

======== ================================================= ==========================================
table    key                                               value
======== ================================================= ==========================================
entries  entry number                                      `Entry`
items    entry number, place                               `Item`
ready    peer, 0, priority, next_ns, entry number          nothing: waiting entries in sending order
queued   hash of peer and SOP Instance UID                 key of the item that waits
open     hash of peer, study, reason, priority             number of the entry that more is added to
peers    peer                                              `PeerState`
rules    name of a forwarding rule                         `ReadTo`
======== ================================================= ==========================================
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from engine.archive import outbox_tables as tables
from engine.archive.lmdb_engine import LmdbEngine, MapGrown
from engine.archive.memory import MemoryEngine
from engine.archive.outbox_records import Entry, Item, Order, PeerState, PeerSummary, ReadTo, Settled, State, Taken
from engine.archive.outbox_tables import ERROR_CHARACTERS, NUMBER, PLACE
from engine.archive.ports import IndexEngine, Transaction
from engine.archive.segment_writer import sync_folder
from engine.errors import IndexMismatch, OutboxDamaged, OutboxEntryNotFound, TooBusy
from engine.forwarding import PRIORITIES
from engine.limits import Limits

T = TypeVar("T")

FOLDER = "outbox.lmdb"
TABLES = ("meta", "entries", "items", "ready", "queued", "open", "peers", "rules")
SCHEMA = b"1"
_RETRY_AFTER_S = 60
_GROUP_INSTANCES = 2000  # changed in one transaction: some 0.1 s


class Outbox:
    """Opened by any number of processes; thread-safe."""

    def __init__(self, engine: IndexEngine, limits: Limits) -> None:
        self._engine, self._limits = engine, limits

    @classmethod
    def open(cls, archive: Path, limits: Limits) -> Outbox:
        """That of the archive in a folder, made when it is not there.

        Raises
        ------
        OutboxDamaged
        """
        path = archive / FOLDER
        path.mkdir(exist_ok=True)
        try:
            engine = LmdbEngine(path, TABLES, is_writable=True, what="outbox")
        except IndexMismatch as error:
            raise OutboxDamaged(str(archive), error.reason) from error
        outbox = cls(engine, limits)
        with engine.read() as view:
            schema = view.get("meta", b"schema")
        if schema is None:
            outbox._write(lambda txn: txn.put("meta", b"schema", SCHEMA))
            sync_folder(path)
            sync_folder(archive)
        elif schema != SCHEMA:
            engine.close()
            raise OutboxDamaged(str(archive), f"it has schema version {schema.decode('ascii', 'replace')}, not 1")
        return outbox

    @classmethod
    def in_memory(cls, limits: Limits | None = None) -> Outbox:
        return cls(MemoryEngine(TABLES), limits or Limits())

    def close(self) -> None:
        self._engine.close()

    # -- adding

    def put(self, *orders: Order, rules: Mapping[str, ReadTo] | None = None) -> Taken:
        """Take these orders, durably; all of them or none.

        Parameters
        ----------
        rules : how far the forwarding rules have read the change feed, kept in the same transaction.

        Raises
        ------
        TooBusy
            It would hold more than ``limits.outbox_instances_max``.
        ArchiveFull, ArchiveReadOnly
        """

        def work(txn: Transaction) -> Taken:
            now, added, already = time.time_ns(), 0, 0
            entries: dict[int, None] = {}
            for order in orders:
                by_study: dict[str, list[tuple[str, str]]] = {}
                for study, series, sop in order.instances:
                    if txn.get("queued", tables.hashed(order.peer, sop)) is None:
                        by_study.setdefault(study, []).append((series, sop))
                    else:
                        already += 1
                for study, instances in by_study.items():
                    entry, count = tables.add(txn, order, study, instances, now)
                    added += count
                    already += len(instances) - count
                    entries[entry] = None
            if added and txn.count("items") > self._limits.outbox_instances_max:
                raise TooBusy("outbox", _RETRY_AFTER_S)
            for name, read_to in (rules or {}).items():
                txn.put("rules", name.encode(), read_to.pack())
            return Taken(added=added, already=already, entries=tuple(entries))

        return self._write(work)

    # -- sending

    def due(self, peer: str, now_ns: int, besides: Sequence[int] = ()) -> Entry | None:
        """The entry that is to be sent to a peer next, if one is to be sent by now; none of `besides`."""
        with self._engine.read() as view:
            for rank in range(len(PRIORITIES)):
                start = tables.ready_start(peer, rank)
                for key in view.keys("ready", start, start + b"\xff" * 8):
                    next_ns, number = PLACE.unpack(key[-16:])
                    if next_ns > now_ns:
                        break
                    if number not in besides:
                        return tables.entry_of(view, number)
        return None

    def next_ns(self, peer: str) -> int | None:
        """When the first entry of a peer is to be sent; None without any."""
        with self._engine.read() as view:
            firsts = [
                next(iter(view.keys("ready", start, start + b"\xff" * 8)), None)
                for start in (tables.ready_start(peer, rank) for rank in range(len(PRIORITIES)))
            ]
        return min((PLACE.unpack(key[-16:])[0] for key in firsts if key is not None), default=None)

    def items(self, entry: int, limit: int, behind: int = -1) -> list[Item]:
        """At most `limit` instances of an entry that wait, in order, behind place `behind`."""
        with self._engine.read() as view:
            waiting = (one for one in tables.items_of(view, entry, behind + 1) if not one.is_failed)
            return list(islice(waiting, limit))

    def settle(self, settled: Sequence[Settled]) -> None:
        """Say what became of these; durable on return. Harmless for what was cancelled meanwhile."""

        def work(txn: Transaction) -> None:
            entries: dict[int, Entry | None] = {}
            peers: dict[str, PeerState] = {}
            now = time.time_ns()
            for one in settled:
                number = one.item.entry
                if number not in entries:
                    entries[number] = tables.entry_of(txn, number)
                entry = entries[number]
                if entry is None or txn.get("items", PLACE.pack(number, one.item.number)) is None:
                    continue
                state = peers.get(entry.peer) or tables.peer_of(txn, entry.peer)
                entries[number], peers[entry.peer] = tables.settle(txn, entry, state, one, now)
            for name, state in peers.items():
                txn.put("peers", name.encode(), state.pack())
            for changed in entries.values():
                if changed is not None:
                    tables.keep(txn, changed)

        if settled:
            self._write(work)

    def postpone(self, entry: int, next_ns: int, error: str) -> None:
        """It did not go; not again before `next_ns`."""

        def change(e: Entry) -> Entry:
            return replace(
                e,
                next_ns=next_ns,
                attempts=e.attempts + 1,
                first_failure_ns=e.first_failure_ns or time.time_ns(),
                last_error=error[:ERROR_CHARACTERS],
            )

        self._change(entry, change)

    def give_up(self, entry: int, error: str) -> None:
        """Not by itself any more."""
        self._change(entry, lambda e: replace(e, state=State.GIVEN_UP, last_error=error[:ERROR_CHARACTERS]))

    def peer_failed(self, peer: str, next_ns: int, error: str) -> None:
        """No association could be made; not again before `next_ns`."""

        def change(state: PeerState) -> PeerState:
            return replace(
                state,
                failures=state.failures + 1,
                first_failure_ns=state.first_failure_ns or time.time_ns(),
                next_ns=next_ns,
                last_error=error[:ERROR_CHARACTERS],
            )

        self._change_peer(peer, change)

    def peer_answered(self, peer: str) -> None:
        """An association was made."""
        if self.peer(peer).failures:
            self._change_peer(peer, lambda s: replace(s, failures=0, first_failure_ns=0, next_ns=0, last_error=""))

    # -- what people do

    def retry(self, *, entry: int | None = None, peer: str | None = None) -> int:
        """Send at once, also what was given up or has failed; returns the number of entries.

        Raises
        ------
        OutboxEntryNotFound
        """

        def again(txn: Transaction, one: Entry) -> None:
            state = tables.peer_of(txn, one.peer)
            if state.failures:
                state = replace(state, failures=0, first_failure_ns=0, next_ns=0)
                txn.put("peers", one.peer.encode(), state.pack())
            tables.again(txn, one)

        return self._each(entry, peer, again)

    def cancel(self, *, entry: int | None = None, peer: str | None = None) -> int:
        """Forget entries and their instances; returns the number of entries.

        Raises
        ------
        OutboxEntryNotFound
        """

        def gone(txn: Transaction, one: Entry) -> None:
            for item in list(tables.items_of(txn, one.id)):
                tables.drop(txn, one, item)
            tables.forget(txn, one)

        return self._each(entry, peer, gone)

    def _each(self, entry: int | None, peer: str | None, change: Callable[[Transaction, Entry], None]) -> int:
        """In several transactions where it is much: a second of one would hold up whoever else writes."""
        with self._engine.read() as view:
            chosen = tables.chosen(view, entry, peer)
        groups: list[list[int]] = []
        size = _GROUP_INSTANCES
        for one in chosen:
            if size >= _GROUP_INSTANCES:
                groups.append([])
                size = 0
            groups[-1].append(one.id)
            size += one.waiting + one.failed

        def work(txn: Transaction, numbers: list[int]) -> None:
            for number in numbers:
                now = tables.entry_of(txn, number)
                if now is not None:  # done meanwhile
                    change(txn, now)

        for numbers in groups:
            self._write(lambda txn, numbers=numbers: work(txn, numbers))  # type: ignore[misc]
        return len(chosen)

    # -- looking

    def entry(self, number: int) -> Entry:
        """Raises `OutboxEntryNotFound`."""
        with self._engine.read() as view:
            found = tables.entry_of(view, number)
        if found is None:
            raise OutboxEntryNotFound(number)
        return found

    def entries(self, peer: str = "", limit: int = 1000, behind: int = 0) -> list[Entry]:
        """In the order in which they were made, behind number `behind`."""
        with self._engine.read() as view:
            found = (Entry.unpack(data) for _, data in view.scan("entries", NUMBER.pack(behind + 1)))
            return list(islice((one for one in found if peer in ("", one.peer)), limit))

    def failed_items(self, entry: int, limit: int) -> list[Item]:
        """Instances of an entry that are not tried again by themselves."""
        with self._engine.read() as view:
            return list(islice((one for one in tables.items_of(view, entry) if one.is_failed), limit))

    def peers(self) -> list[PeerSummary]:
        """Every peer that something waits for, or was sent to; reads every entry."""
        with self._engine.read() as view:
            states = {key.decode(): PeerState.unpack(data) for key, data in view.scan("peers")}
            entries: dict[str, list[Entry]] = {name: [] for name in states}
            for _, data in view.scan("entries"):
                one = Entry.unpack(data)
                entries.setdefault(one.peer, []).append(one)
        return [tables.summary(name, entries[name], states.get(name, PeerState())) for name in sorted(entries)]

    def peer(self, name: str) -> PeerState:
        with self._engine.read() as view:
            return tables.peer_of(view, name)

    def count(self) -> int:
        """Instances in it, failed ones too."""
        with self._engine.read() as view:
            return view.count("items")

    def rules(self) -> dict[str, ReadTo]:
        """How far each forwarding rule has read the change feed."""
        with self._engine.read() as view:
            return {key.decode(): ReadTo.unpack(data) for key, data in view.scan("rules")}

    def forget_rules(self, names: Sequence[str]) -> None:
        def work(txn: Transaction) -> None:
            for name in names:
                txn.delete("rules", name.encode())

        if names:
            self._write(work)

    def _change(self, number: int, change: Callable[[Entry], Entry]) -> None:
        def work(txn: Transaction) -> None:
            entry = tables.entry_of(txn, number)
            if entry is not None:  # cancelled meanwhile
                tables.keep(txn, change(entry))

        self._write(work)

    def _change_peer(self, name: str, change: Callable[[PeerState], PeerState]) -> None:
        self._write(lambda txn: txn.put("peers", name.encode(), change(tables.peer_of(txn, name)).pack()))

    def _write(self, work: Callable[[Transaction], T]) -> T:
        while True:
            try:
                with self._engine.write() as txn:
                    return work(txn)
            except MapGrown:
                continue
