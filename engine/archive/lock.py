"""The lock that one running server holds on an archive; importers and tools do not take it."""

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
