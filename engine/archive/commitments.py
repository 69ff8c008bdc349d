"""Requests for storage commitment, until their result has been reported: durable before they are answered (PS3.4 annex J).

An LMDB environment of its own beside the index, which no reindex touches: who has asked may have deleted nothing yet, but
counts on an answer.

======== ===================================== ============================
table    key                                   value
======== ===================================== ============================
requests number                                `Commitment`
due      next_ns, number                       nothing
by_uid   hash of AE title and Transaction UID  number
======== ===================================== ============================
"""

from __future__ import annotations

import hashlib
import json
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from engine.archive.lmdb_engine import LmdbEngine, MapGrown
from engine.archive.memory import MemoryEngine
from engine.archive.ports import IndexEngine, Transaction
from engine.archive.segment_writer import sync_folder
from engine.errors import CommitmentsDamaged, IndexMismatch, TooBusy
from engine.limits import Limits

T = TypeVar("T")

FOLDER = "commitments.lmdb"
TABLES = ("meta", "requests", "due", "by_uid")
_SCHEMA, _SCHEMA_KEY, _COUNT_KEY, _LAST_KEY = b"1", b"schema", b"instances", b"last"
_NUMBER, _DUE = struct.Struct(">Q"), struct.Struct(">QQ")
_RETRY_AFTER_S = 60
_ERROR_CHARACTERS = 300

Reference = tuple[str, str]  # SOP Class and SOP Instance UID
Failure = tuple[str, str, int]  # and Failure Reason (0008,1197)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """One request.

    Attributes
    ----------
    ae_title : of who has asked, and is told.
    called : what it called us.
    failures : what cannot be committed to; None as long as nothing was looked at.
    next_ns : not reported before (Unix ns).
    """

    number: int
    ae_title: str
    called: str
    transaction_uid: str
    instances: tuple[Reference, ...]
    created_ns: int
    next_ns: int
    failures: tuple[Failure, ...] | None = None
    attempts: int = 0
    last_error: str = ""

    def pack(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, data: bytes) -> Commitment:
        values = json.loads(data)
        values["instances"] = tuple((a, b) for a, b in values["instances"])
        if values["failures"] is not None:
            values["failures"] = tuple((a, b, c) for a, b, c in values["failures"])
        return cls(**values)


class Commitments:
    """Thread-safe."""

    def __init__(self, engine: IndexEngine, limits: Limits) -> None:
        self._engine, self._limits = engine, limits

    @classmethod
    def open(cls, archive: Path, limits: Limits) -> Commitments:
        """Those of the archive in a folder, made when there are none.

        Raises
        ------
        CommitmentsDamaged
        """
        path = archive / FOLDER
        path.mkdir(exist_ok=True)
        try:
            engine = LmdbEngine(path, TABLES, is_writable=True, what="list of commitments")
        except IndexMismatch as error:
            raise CommitmentsDamaged(str(archive), error.reason) from error
        found = cls(engine, limits)
        with engine.read() as view:
            schema = view.get("meta", _SCHEMA_KEY)
        if schema is None:
            found._write(lambda txn: txn.put("meta", _SCHEMA_KEY, _SCHEMA))
            sync_folder(path)
            sync_folder(archive)
        elif schema != _SCHEMA:
            engine.close()
            raise CommitmentsDamaged(str(archive), f"it has schema version {schema.decode('ascii', 'replace')}, not 1")
        return found

    @classmethod
    def in_memory(cls, limits: Limits | None = None) -> Commitments:
        return cls(MemoryEngine(TABLES), limits or Limits())

    def close(self) -> None:
        self._engine.close()

    def add(self, ae_title: str, called: str, transaction_uid: str, instances: Sequence[Reference]) -> int | None:
        """Take a request, durably; its number. One that waits already is taken once: None when it named other instances.

        Raises
        ------
        TooBusy
            It would be more than ``limits.commitment_instances_max`` instances, or ``limits.commitments_max`` requests.
        ArchiveFull, ArchiveReadOnly
        """
        key = hashlib.sha256(f"{ae_title}\0{transaction_uid}".encode()).digest()

        def work(txn: Transaction) -> int | None:
            known = txn.get("by_uid", key)
            data = txn.get("requests", known) if known is not None else None
            if data is not None:
                before = Commitment.unpack(data)
                return before.number if before.instances == tuple(instances) else None
            count = _number(txn, _COUNT_KEY) + len(instances)
            if count > self._limits.commitment_instances_max or txn.count("requests") >= self._limits.commitments_max:
                raise TooBusy("list of storage commitments", _RETRY_AFTER_S)
            number, now = _number(txn, _LAST_KEY) + 1, time.time_ns()
            txn.put("meta", _LAST_KEY, _NUMBER.pack(number))
            txn.put("meta", _COUNT_KEY, _NUMBER.pack(count))
            txn.put("by_uid", key, _NUMBER.pack(number))
            made = Commitment(
                number=number,
                ae_title=ae_title,
                called=called,
                transaction_uid=transaction_uid,
                instances=tuple(instances),
                created_ns=now,
                next_ns=now,
            )
            _keep(txn, made)
            return number

        return self._write(work)

    def due(self, now_ns: int) -> Commitment | None:
        """The one that has waited longest, of those that are to be looked at or reported by now."""
        with self._engine.read() as view:
            for key in view.keys("due", b"", _DUE.pack(now_ns + 1, 0)):
                data = view.get("requests", key[8:])
                if data is not None:
                    return Commitment.unpack(data)
        return None

    def get(self, number: int) -> Commitment | None:
        with self._engine.read() as view:
            data = view.get("requests", _NUMBER.pack(number))
            return None if data is None else Commitment.unpack(data)

    def next_ns(self) -> int | None:
        """When something is due; None without any."""
        with self._engine.read() as view:
            first = next(iter(view.keys("due")), None)
        return None if first is None else int(_DUE.unpack(first)[0])

    def count(self) -> int:
        """Requests whose result was not reported."""
        with self._engine.read() as view:
            return view.count("requests")

    def looked_at(self, number: int, failures: Sequence[Failure]) -> None:
        """Keep what has been found: a report says the same however often it is made."""
        self._change(number, lambda one: replace(one, failures=tuple(failures)))

    def postpone(self, number: int, next_ns: int, error: str) -> None:
        """It was not reported; not again before `next_ns`."""
        self._change(
            number,
            lambda one: replace(one, next_ns=next_ns, attempts=one.attempts + 1, last_error=error[:_ERROR_CHARACTERS]),
        )

    def done(self, number: int) -> None:
        """It was reported, or is given up."""

        def work(txn: Transaction) -> None:
            data = txn.get("requests", _NUMBER.pack(number))
            if data is None:
                return
            one = Commitment.unpack(data)
            txn.delete("requests", _NUMBER.pack(number))
            txn.delete("due", _DUE.pack(one.next_ns, number))
            txn.delete("by_uid", hashlib.sha256(f"{one.ae_title}\0{one.transaction_uid}".encode()).digest())
            txn.put("meta", _COUNT_KEY, _NUMBER.pack(max(0, _number(txn, _COUNT_KEY) - len(one.instances))))

        self._write(work)

    def _change(self, number: int, change: Callable[[Commitment], Commitment]) -> None:
        def work(txn: Transaction) -> None:
            data = txn.get("requests", _NUMBER.pack(number))
            if data is not None:
                before = Commitment.unpack(data)
                txn.delete("due", _DUE.pack(before.next_ns, number))
                _keep(txn, change(before))

        self._write(work)

    def _write(self, work: Callable[[Transaction], T]) -> T:
        while True:
            try:
                with self._engine.write() as txn:
                    return work(txn)
            except MapGrown:
                continue


def is_something_waiting(archive: Path) -> bool:
    """Whether the archive in a folder has requests to look at; asks the folder alone where there never were any."""
    if not (archive / FOLDER / "data.mdb").exists():
        return False
    there = Commitments.open(archive, Limits())
    try:
        return there.count() > 0
    finally:
        there.close()


def _keep(txn: Transaction, one: Commitment) -> None:
    txn.put("requests", _NUMBER.pack(one.number), one.pack())
    txn.put("due", _DUE.pack(one.next_ns, one.number), b"")


def _number(txn: Transaction, key: bytes) -> int:
    data = txn.get("meta", key)
    return int(_NUMBER.unpack(data)[0]) if data is not None else 0
