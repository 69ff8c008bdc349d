"""The LMDB environment of the worklist: opened when it is first needed, made when something is first kept, never rebuilt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from engine.archive.lmdb_engine import LmdbEngine, MapGrown
from engine.archive.memory import MemoryEngine
from engine.archive.ports import IndexEngine, Snapshot, Transaction
from engine.archive.segment_writer import sync_folder
from engine.errors import ArchiveReadOnly, IndexMismatch, WorklistMismatch

T = TypeVar("T")
TABLES = ("meta", "steps", "step_keys", "performed", "performed_keys", "links")
FOLDER = "worklist.lmdb"
_SCHEMA = b"1"


class Environment:
    """Transactions on ``worklist.lmdb``; thread-safe. An archive that never had a worklist has no such folder.

    Parameters
    ----------
    path : folder of the archive; None for one in memory.
    """

    def __init__(self, path: Path | None, is_writable: bool) -> None:
        self._path, self._is_writable = path, is_writable
        self._opening = threading.Lock()
        self._opened: IndexEngine | None = None

    def read(self, work: Callable[[Snapshot], T], otherwise: Callable[[], T]) -> T:
        """What `work` finds; what `otherwise` says where nothing was ever kept."""
        engine = self._engine(is_wanted=False)
        if engine is None:
            return otherwise()
        with engine.read() as view:
            return work(view)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """What `work` gives; on stable storage when this returns. `work` may run again.

        Raises
        ------
        ArchiveFull, ArchiveReadOnly, WorklistMismatch
        """
        if not self._is_writable:
            raise ArchiveReadOnly(str(self._path), "it was opened for reading")
        engine = self._engine(is_wanted=True)
        assert engine is not None
        while True:
            try:
                with engine.write() as txn:
                    return work(txn)
            except MapGrown:
                continue

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _engine(self, *, is_wanted: bool) -> IndexEngine | None:
        if self._opened is not None:
            return self._opened
        with self._opening:
            if self._opened is None:
                self._opened = self._open(is_wanted)
            return self._opened

    def _open(self, is_wanted: bool) -> IndexEngine | None:
        if self._path is None:
            return MemoryEngine(TABLES)
        folder = self._path / FOLDER
        is_there = (folder / "data.mdb").exists()
        if not is_there and not is_wanted:
            return None
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            sync_folder(self._path)
        try:
            engine = LmdbEngine(folder, TABLES, is_writable=self._is_writable, what="worklist")
        except IndexMismatch as error:
            raise WorklistMismatch(str(self._path), error.reason) from error
        try:
            self._check_schema(engine)
            if not is_there:
                sync_folder(folder)
        except BaseException:
            engine.close()
            raise
        return engine

    def _check_schema(self, engine: IndexEngine) -> None:
        with engine.read() as view:
            schema = view.get("meta", b"schema")
        if schema is None and self._is_writable:
            with engine.write() as txn:
                txn.put("meta", b"schema", _SCHEMA)
        elif schema != _SCHEMA:
            found = "no schema version" if schema is None else f"schema version {schema.decode('ascii', 'replace')}"
            raise WorklistMismatch(str(self._path), f"it has {found}, this program {_SCHEMA.decode()}")
