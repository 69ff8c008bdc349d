"""The index engine on LMDB: one environment that all processes share; readers never wait."""

from __future__ import annotations

import errno
import os
import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb

from engine._native import CommitMark
from engine.archive.map_gate import MapGate
from engine.archive.ports import Snapshot, Transaction
from engine.errors import ArchiveFault, ArchiveFull, ArchiveReadOnly, IndexMismatch
from engine.limits import GIB, MIB

# Sparse address space, not disk: so large that growing it while other processes run stays the rare case.
_MAP_BYTES = 64 * GIB
_READERS = 1024
_NEARLY_FULL_BYTES = 1 * MIB
_KEYS_MIN, _KEYS_MAX = 8, 512  # read at once


class LmdbEngine:
    """`IndexEngine` on the folder `path`. ``sync=True``, never ``writemap`` (a full disk would end the process).

    Parameters
    ----------
    what : is kept in it, for messages.
    is_replayed : what a transaction writes is on stable storage elsewhere, and comes back from there. Then a commit waits for
        the disk once, not twice: after a power cut the index is whole, but may lack its last transaction.
    """

    def __init__(
        self, path: Path, tables: tuple[str, ...], *, is_writable: bool, what: str = "index", is_replayed: bool = False
    ) -> None:
        self._path, self._what, self._is_writable = path, what, is_writable
        self._gate = MapGate()
        self._writing = threading.Lock()
        self.read_only_reason = ""
        try:
            self._env = lmdb.open(
                str(path),
                map_size=_MAP_BYTES,
                max_dbs=len(tables) + 4,
                max_readers=_READERS,
                readonly=not is_writable,
                create=is_writable,
                sync=True,
                metasync=not is_replayed,
                writemap=False,
                lib_version=0,
            )
            if is_writable:
                self._env.reader_check()
            self._tables = {name: self._env.open_db(name.encode(), create=is_writable) for name in tables}
        except lmdb.NotFoundError as error:
            raise IndexMismatch(str(path.parent), f"a table is missing: {error}") from error
        except lmdb.DiskError as error:
            raise ArchiveFull(str(path.parent)) from error
        except (lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.CorruptedError) as error:
            raise IndexMismatch(str(path.parent), str(error)) from error

    def read(self) -> _Reading:
        return _Reading(self)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction; the caller repeats it after `MapGrown`."""
        if self.read_only_reason:
            raise ArchiveReadOnly(str(self._path.parent), self.read_only_reason)
        with self._writing:
            try:
                try:
                    txn = self._env.begin(write=True, buffers=False)
                except lmdb.MapResizedError:
                    self._resize(0)
                    txn = self._env.begin(write=True, buffers=False)
                with txn:
                    yield _Txn(txn, self._tables)
            except lmdb.MapFullError as error:
                self._resize(2 * self._env.info()["map_size"])
                raise MapGrown from error
            except lmdb.Error as error:
                fault = self._fault(error)
                if fault is None:
                    raise
                raise fault from error

    def size_bytes(self) -> int:
        info, stat = self._env.info(), self._env.stat()
        return int((info["last_pgno"] + 1) * stat["psize"])

    def commit_mark(self) -> CommitMark | None:
        try:
            mark = CommitMark(str(self._path / "data.mdb"), self._env.stat()["psize"])
        except RuntimeError:  # a later format of LMDB
            return None
        with self.read():  # nobody moves the map meanwhile
            last = int(self._env.info()["last_txnid"])
        return mark if mark.read() >= last else None

    def check_readers(self) -> int:
        return int(self._env.reader_check())

    def flush(self) -> None:
        if self.read_only_reason:
            raise ArchiveReadOnly(str(self._path.parent), self.read_only_reason)
        try:
            self._env.sync(True)
        except lmdb.Error as error:
            raise self._fault(error) or error from error

    def close(self) -> None:
        if self._is_writable and not self.read_only_reason:
            with suppress(ArchiveFault):  # nothing depends on it: what may be missing comes back at the next start
                self.flush()
        self._env.close()

    def begin_read(self) -> _Txn:
        """A snapshot that `end_read` must end, on the same thread."""
        self._gate.enter()
        try:
            return _Txn(self._begin_read(), self._tables)
        except BaseException:
            self._gate.leave()
            raise

    def end_read(self, txn: _Txn) -> None:
        try:
            txn.abort()
        finally:
            self._gate.leave()

    def _begin_read(self) -> Any:
        try:
            return self._env.begin(buffers=False)
        except lmdb.MapResizedError:
            pass
        except lmdb.ReadersFullError:
            self._env.reader_check()  # slots of processes that were killed
            return self._env.begin(buffers=False)
        except lmdb.PanicError as error:
            raise ArchiveReadOnly(str(self._path.parent), self.read_only_reason or str(error)) from error
        # Another process grew the map: take its size over, once our own snapshots have ended.
        self._gate.leave()
        try:
            self._resize(0)
        finally:
            self._gate.enter()
        return self._env.begin(buffers=False)

    def _resize(self, size: int) -> None:
        with self._gate.alone():
            self._env.set_mapsize(size)

    def _fault(self, error: lmdb.Error) -> ArchiveFault | None:
        """What the disk has done; None when it is not the disk's fault.

        LMDB reports a write that was cut short, as happens when the disk fills up under it, as EIO. After a real EIO nobody
        knows what is on the disk, and a failed fsync must not be repeated: no more transactions then.
        """
        archive = str(self._path.parent)
        if isinstance(error, lmdb.DiskError):
            return ArchiveFull(archive)
        is_of_the_disk = type(error) is lmdb.Error or isinstance(
            error, (lmdb.PanicError, lmdb.CorruptedError, lmdb.PageNotFoundError)
        )
        if not is_of_the_disk:
            return None
        free = os.statvfs(self._path)
        if os.strerror(errno.EIO) in str(error) and free.f_bavail * free.f_frsize < _NEARLY_FULL_BYTES:
            return ArchiveFull(archive)
        self.read_only_reason = f"the {self._what} could not be written: {error}"
        return ArchiveReadOnly(archive, self.read_only_reason)


class MapGrown(Exception):
    """The map was full and is larger now; nothing was written."""


class _Reading:
    """``with engine.read() as view``. Not a generator: beginning and ending it would cost as much as all the rest of a get."""

    __slots__ = ("_engine", "_txn")

    def __init__(self, engine: LmdbEngine) -> None:
        self._engine = engine

    def __enter__(self) -> Snapshot:
        self._txn = self._engine.begin_read()
        return self._txn

    def __exit__(self, *_: object) -> None:
        self._engine.end_read(self._txn)


class _Txn:
    __slots__ = ("_tables", "_txn")

    def __init__(self, txn: Any, tables: dict[str, Any]) -> None:
        self._txn, self._tables = txn, tables

    def abort(self) -> None:
        """End a snapshot, with the cursors that are still open on it."""
        self._txn.abort()

    def get(self, table: str, key: bytes) -> bytes | None:
        value: bytes | None = self._txn.get(key, db=self._tables[table])
        return value

    def scan(
        self, table: str, start: bytes = b"", stop: bytes | None = None, *, is_reversed: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        with self._txn.cursor(db=self._tables[table]) as cursor:
            if is_reversed:
                if not (cursor.prev() if stop is not None and cursor.set_range(stop) else cursor.last()):
                    return
                for key, value in cursor.iterprev():
                    if key < start:
                        return
                    yield key, value
                return
            if not (cursor.set_range(start) if start else cursor.first()):
                return
            for key, value in cursor:
                if stop is not None and key >= stop:
                    return
                yield key, value

    def keys(self, table: str, start: bytes = b"", stop: bytes | None = None) -> Iterator[bytes]:
        with self._txn.cursor(db=self._tables[table]) as cursor:
            if not (cursor.set_range(start) if start else cursor.first()):
                return
            for key in cursor.iternext(values=False):
                if stop is not None and key >= stop:
                    return
                yield key

    def key_lists(
        self, table: str, start: bytes = b"", stop: bytes | None = None, *, is_reversed: bool = False
    ) -> Iterator[list[bytes]]:
        with self._txn.cursor(db=self._tables[table]) as cursor:
            size = _KEYS_MIN
            if is_reversed:
                if not (cursor.prev() if stop is not None and cursor.set_range(stop) else cursor.last()):
                    return
                keys = cursor.iterprev(values=False)
                while found := list(islice(keys, size)):
                    if found[-1] < start:
                        if found := [key for key in found if key >= start]:
                            yield found
                        return
                    yield found
                    size = min(4 * size, _KEYS_MAX)
                return
            if not (cursor.set_range(start) if start else cursor.first()):
                return
            keys = cursor.iternext(values=False)
            while found := list(islice(keys, size)):  # 75 ns a key, where a loop takes 100
                if stop is not None and found[-1] >= stop:
                    del found[bisect_left(found, stop) :]
                    if found:
                        yield found
                    return
                yield found
                size = min(4 * size, _KEYS_MAX)

    def count(self, table: str) -> int:
        return int(self._txn.stat(self._tables[table])["entries"])

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._txn.put(key, value, db=self._tables[table])

    def delete(self, table: str, key: bytes) -> bool:
        return bool(self._txn.delete(key, db=self._tables[table]))
