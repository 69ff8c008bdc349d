"""The locks of an archive: one server at a time; no writer while the index is being replaced."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from engine.errors import ArchiveLocked


class ServerLock:
    """Held by the supervisor for the life of a server; the kernel gives it back when the process ends, however it ends."""

    def __init__(self, archive: Path, name: str) -> None:
        run = archive / "run"
        run.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(run / "server.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 200, 0).decode("utf_8", "replace").strip()
            os.close(self._fd)
            raise ArchiveLocked(str(archive), holder) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{name} (pid {os.getpid()})".encode(), 0)

    def release(self) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)


class WriterLock:
    """Shared by all processes that write; reindex holds it alone, for who writes meanwhile would write to the old index."""

    def __init__(self, archive: Path, *, is_alone: bool = False) -> None:
        self._fd = os.open(archive / "run" / "writers.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._fd, (fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            holder = "a process that stores or deletes" if is_alone else "voxcast reindex"
            raise ArchiveLocked(str(archive), holder) from None

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
