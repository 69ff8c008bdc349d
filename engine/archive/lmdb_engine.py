"""The index engine on LMDB: one environment that all processes share; readers never wait."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from engine.archive.ports import Snapshot, Transaction
from engine.errors import ArchiveFull, IndexMismatch
from engine.limits import GIB

# Sparse address space, not disk: so large that growing it while other processes run stays the rare case.
_MAP_BYTES = 64 * GIB
_READERS = 1024


class LmdbEngine:
    """`IndexEngine` on the folder `path`. ``sync=True``, never ``writemap`` (a full disk would end the process)."""

    def __init__(self, path: Path, tables: tuple[str, ...], *, is_writable: bool) -> None:
        self._path = path
        try:
            self._env = lmdb.open(
                str(path),
                map_size=_MAP_BYTES,
                max_dbs=len(tables) + 4,
                max_readers=_READERS,
                readonly=not is_writable,
                create=is_writable,
                sync=True,
                metasync=True,
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

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        try:
            txn = self._env.begin(buffers=False)
        except lmdb.MapResizedError:
            self._env.set_mapsize(0)  # another process grew the map: take its size over
            txn = self._env.begin(buffers=False)
        with txn:
            yield _Txn(txn, self._tables)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction; the caller repeats it after `MapGrown`."""
        try:
            try:
                txn = self._env.begin(write=True, buffers=False)
            except lmdb.MapResizedError:
                self._env.set_mapsize(0)
                txn = self._env.begin(write=True, buffers=False)
            with txn:
                yield _Txn(txn, self._tables)
        except lmdb.MapFullError as error:
            self._env.set_mapsize(2 * self._env.info()["map_size"])
            raise MapGrown from error
        except lmdb.Error as error:
            if getattr(error, "code", None) == errno.ENOSPC or "No space" in str(error):
                raise ArchiveFull(str(self._path.parent)) from error
            raise

    def size_bytes(self) -> int:
        info, stat = self._env.info(), self._env.stat()
        return int((info["last_pgno"] + 1) * stat["psize"])

    def check_readers(self) -> int:
        """Clear the slots of readers that died; returns how many."""
        return int(self._env.reader_check())

    def close(self) -> None:
        self._env.close()


class MapGrown(Exception):
    """The map was full and is larger now; nothing was written."""


class _Txn:
    __slots__ = ("_tables", "_txn")

    def __init__(self, txn: Any, tables: dict[str, Any]) -> None:
        self._txn, self._tables = txn, tables

    def get(self, table: str, key: bytes) -> bytes | None:
        value: bytes | None = self._txn.get(key, db=self._tables[table])
        return value

    def scan(self, table: str, start: bytes = b"", stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        with self._txn.cursor(db=self._tables[table]) as cursor:
            if not (cursor.set_range(start) if start else cursor.first()):
                return
            for key, value in cursor:
                if stop is not None and key >= stop:
                    return
                yield key, value

    def count(self, table: str) -> int:
        return int(self._txn.stat(self._tables[table])["entries"])

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._txn.put(key, value, db=self._tables[table])

    def delete(self, table: str, key: bytes) -> bool:
        return bool(self._txn.delete(key, db=self._tables[table]))
