"""The one accept path behind every door: scan → append → fdatasync → index commit → yes (PS3.7 9.1.1, PS3.18 10.5)."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from engine.archive.archive import Archive
from engine.archive.records import Incoming, Spooled, StoreStatus
from engine.archive.segment_file import hash_range
from engine.dicom.scan import scan, scan_file
from engine.dicom.scanned import Defect, ScannedInstance
from engine.errors import ArchiveFault, TooBusy, TooLarge
from engine.limits import MIB, Limits
from engine.types import Buffer, Source

_QUEUE_DEADLINE_S = 30.0  # longer than any disk hiccup that a sender should not hear of
_COMMITTERS = 2  # as many as the archive has lanes
_GROUP_BYTES = 8 * MIB  # of a group, with its last instance: beyond, a wait for the disk weighs nothing
_QUEUED_MAX = 1024  # small or spooled instances: several group commits, whatever their bytes

Check = Callable[[ScannedInstance], None]  # raises what makes the sender's request and its instance contradict


def _any(scanned: ScannedInstance) -> None:
    """Take whatever can be scanned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A yes: the bytes and the index entry are on stable storage."""

    status: StoreStatus
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    length: int
    defects: tuple[Defect, ...]


@dataclass(slots=True)
class _Waiting:
    incoming: Incoming
    length: int
    in_memory: int
    answer: Future[Accepted] = field(default_factory=Future)

    def __post_init__(self) -> None:
        # From here on nobody can cancel it: a client that goes away must not take the committer's answer from under it.
        self.answer.set_running_or_notify_cancel()


class Acceptor:
    """Takes instances from any number of threads; committer threads make those that wait durable together.

    The length of a group adapts by itself: while one commit runs the next group gathers. Nobody waits for a timer. A
    second group is begun beside the first only when it is large: then the disk writes one while the other is copied,
    synced and indexed. Small ones are better off together, for each group costs two waits for the disk.
    """

    def __init__(self, archive: Archive, limits: Limits) -> None:
        self._archive, self._limits = archive, limits
        self._queue: deque[_Waiting] = deque()
        self._groups: dict[int, list[_Waiting]] = {}  # what each committer has at the moment
        self._queued_bytes = 0  # with what the committers have
        self._changed = threading.Condition()
        self._is_closing = False
        self._threads = [
            threading.Thread(target=self._commit_forever, args=(n,), name=f"committer-{n}", daemon=True)
            for n in range(_COMMITTERS)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, content: Buffer, source: Source, check: Check = _any) -> Future[Accepted]:
        """Accept one instance that is in memory. Scans and hashes on the calling thread, and may wait there for room.

        Returns
        -------
        Future
            Resolves when the instance is safe, or raises what kept it from being stored.

        Raises
        ------
        InvalidInput, TooLarge, TooBusy
        """
        scanned = scan(content, self._limits)
        check(scanned)
        view = memoryview(content)
        at = scanned.data_set_offset
        incoming = Incoming(
            scanned=scanned,
            content=content,
            data_set_sha256=hashlib.sha256(view[at:]).digest(),
            header_sha256=hashlib.sha256(view[:at]).digest(),
            received_ns=time.time_ns(),
            source=source,
        )
        return self._enqueue(_Waiting(incoming, len(content), len(content)))

    def submit_spooled(self, spooled: Spooled, source: Source, check: Check = _any) -> Future[Accepted]:
        """Accept one large instance whose bytes are in a spool; the spool is the archive's afterwards, or dropped."""
        try:
            scanned = scan_file(spooled.fd, spooled.offset, spooled.length, self._limits)
            check(scanned)
            split = spooled.offset + scanned.data_set_offset
            incoming = Incoming(
                scanned=scanned,
                content=spooled,
                data_set_sha256=hash_range(spooled.fd, split, spooled.offset + spooled.length),
                header_sha256=hash_range(spooled.fd, spooled.offset, split),
                received_ns=time.time_ns(),
                source=source,
            )
            return self._enqueue(_Waiting(incoming, spooled.length, 0))
        except BaseException:
            spooled.drop()
            raise

    def open_spool(self, source: Source) -> SpoolWriter:
        """For an instance that arrives in pieces."""
        return SpoolWriter(self, self._archive, self._limits, source)

    def close(self) -> None:
        """Store what is queued, then end."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _enqueue(self, waiting: _Waiting) -> Future[Accepted]:
        deadline = time.monotonic() + _QUEUE_DEADLINE_S
        with self._changed:
            while not self._is_closing and not self._has_room(waiting):
                if not self._changed.wait(deadline - time.monotonic()):
                    raise TooBusy("accept")
            if self._is_closing:
                raise TooBusy("accept")
            self._queued_bytes += waiting.in_memory
            self._queue.append(waiting)
            self._changed.notify_all()
        return waiting.answer

    def _has_room(self, waiting: _Waiting) -> bool:
        is_light = self._queued_bytes + waiting.in_memory <= self._limits.accept_queue_bytes_max
        return len(self._queue) < _QUEUED_MAX and (is_light or not self._queued_bytes)

    def _commit_forever(self, committer: int) -> None:
        try:
            while group := self._next_group(committer):
                self._commit(group)
                with self._changed:
                    self._queued_bytes -= sum(waiting.in_memory for waiting in group)
                    del self._groups[committer]
                    self._changed.notify_all()
        finally:  # also when the thread itself fails: nobody waits for an answer that cannot come
            with self._changed:
                failed = self._groups.pop(committer, [])
                if failed or not self._is_closing:
                    self._is_closing = True
                    failed += self._queue
                    self._queue.clear()
                for waiting in failed:
                    if not waiting.answer.done():
                        _refuse(waiting, TooBusy("accept"))
                self._changed.notify_all()

    def _next_group(self, committer: int) -> list[_Waiting]:
        """Wait for what this committer shall do next; empty when there will be nothing more."""
        with self._changed:
            while True:
                group = self._begin_group()
                if group or (self._is_closing and not self._queue):
                    self._groups[committer] = group
                    break
                self._changed.wait()
            if not group:
                del self._groups[committer]
            return group

    def _begin_group(self) -> list[_Waiting]:
        """Take from the queue what may be committed now, in order."""
        others = [waiting for group in self._groups.values() for waiting in group]
        if others:
            waiting_bytes = self._queued_bytes - sum(waiting.in_memory for waiting in others)
            if waiting_bytes < _GROUP_BYTES:
                return []
        # The same instance in two groups at once would be written twice before either knew of the other.
        busy = {waiting.incoming.scanned.sop_instance_uid for waiting in others}
        group: list[_Waiting] = []
        size = 0
        while self._queue and len(group) < self._limits.group_commit_max and size < _GROUP_BYTES:
            if self._queue[0].incoming.scanned.sop_instance_uid in busy:
                break
            group.append(self._queue.popleft())
            size += group[-1].in_memory
        return group

    def _commit(self, group: list[_Waiting]) -> None:
        try:
            outcomes = self._archive.store([waiting.incoming for waiting in group])
        except Exception as error:  # noqa: BLE001 - each sender gets it; the committer must outlive any one instance
            if len(group) > 1 and not isinstance(error, ArchiveFault):
                # One instance that cannot be indexed must not cost its neighbours.
                for waiting in group:
                    self._commit([waiting])
                return
            for waiting in group:
                _refuse(waiting, error)
            return
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.answer.set_result(_accepted(waiting.incoming.scanned, outcome.status, waiting.length))


class SpoolWriter:
    """Takes the pieces of one instance: small ones stay in memory, large ones go to a segment of their own.

    One thread at a time. Exactly one of `finish` and `abort` ends it.
    """

    def __init__(self, acceptor: Acceptor, archive: Archive, limits: Limits, source: Source) -> None:
        self._acceptor, self._archive, self._limits, self._source = acceptor, archive, limits, source
        self._memory: bytearray = bytearray()
        self._spooled: Spooled | None = None

    @property
    def length(self) -> int:
        return self._spooled.length if self._spooled else len(self._memory)

    def write(self, piece: Buffer) -> None:
        """Raises TooLarge, ArchiveFull, ArchiveReadOnly; the caller then calls `abort`."""
        if self.length + len(piece) > self._limits.instance_bytes_max:
            raise TooLarge("the instance", self.length + len(piece), self._limits.instance_bytes_max,
                           "limits.instance_bytes_max")  # fmt: skip
        if self._spooled is None and len(self._memory) + len(piece) <= self._limits.spool_bytes:
            self._memory += piece
            return
        if self._spooled is None:
            self._spooled = self._archive.spool()
            self._archive.write_spool(self._spooled, self._memory)
            self._memory = bytearray()
        self._archive.write_spool(self._spooled, piece)

    def finish(self, check: Check = _any) -> Future[Accepted]:
        """Hand the instance in; see `Acceptor.submit`."""
        spooled, self._spooled = self._spooled, None
        if spooled is not None:
            return self._acceptor.submit_spooled(spooled, self._source, check)
        memory, self._memory = self._memory, bytearray()
        return self._acceptor.submit(memory, self._source, check)

    def abort(self) -> None:
        """The sender went away or sent too much: nothing remains."""
        if self._spooled is not None:
            self._spooled.drop()
            self._spooled = None
        self._memory = bytearray()


def _refuse(waiting: _Waiting, error: Exception) -> None:
    if isinstance(waiting.incoming.content, Spooled):
        waiting.incoming.content.drop()
    waiting.answer.set_exception(error)


def _accepted(scanned: ScannedInstance, status: StoreStatus, length: int) -> Accepted:
    return Accepted(
        status=status,
        sop_class_uid=scanned.sop_class_uid,
        sop_instance_uid=scanned.sop_instance_uid,
        study_instance_uid=scanned.study_instance_uid,
        series_instance_uid=scanned.series_instance_uid,
        length=length,
        defects=scanned.defects,
    )
