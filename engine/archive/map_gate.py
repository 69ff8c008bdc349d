"""Keeps the snapshots of one process apart from a change of the size of its LMDB map, which moves the memory under them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import TooBusy

_WAIT_S = 30.0


class MapGate:
    """Any number of snapshots, or one resize (``mdb_env_set_mapsize`` unmaps: a reader would end the process with SIGSEGV)."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_resizing = False
        self._mine = threading.local()

    def enter(self) -> None:
        """A snapshot begins. Inside another one of the same thread it never waits."""
        depth: int = getattr(self._mine, "depth", 0)
        if not depth:
            with self._changed:
                while self._is_resizing:
                    self._changed.wait()
                self._inside += 1
        self._mine.depth = depth + 1

    def leave(self) -> None:
        self._mine.depth -= 1
        if not self._mine.depth:
            with self._changed:
                self._inside -= 1
                if not self._inside:
                    self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No snapshot is open inside this block; new ones wait for its end. `TooBusy` when old ones do not end.

        The calling thread must not have one open.
        """
        assert not getattr(self._mine, "depth", 0), "the map cannot change under the caller's own snapshot"
        deadline = time.monotonic() + _WAIT_S
        with self._changed:
            while self._is_resizing:
                self._changed.wait()
            self._is_resizing = True
            try:
                while self._inside:
                    if not self._changed.wait(deadline - time.monotonic()):
                        raise TooBusy("index")
                yield
            finally:
                self._is_resizing = False
                self._changed.notify_all()
