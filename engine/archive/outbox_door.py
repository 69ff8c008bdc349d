"""The outbox of an archive, opened when it is first needed: one that sends nothing has none."""

from __future__ import annotations

import threading
from pathlib import Path

from engine.archive.outbox import FOLDER, Outbox
from engine.limits import Limits


class OutboxDoor:
    """One for each archive that a process has open, for an LMDB environment must not be opened twice; thread-safe.

    Parameters
    ----------
    folder : of the archive; None for one in memory.
    """

    def __init__(self, folder: Path | None, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._opening = threading.Lock()
        self._outbox: Outbox | None = None

    def get(self) -> Outbox:
        """The outbox, made when it is not there.

        Raises
        ------
        OutboxDamaged, ArchiveFull
        """
        with self._opening:
            if self._outbox is None:
                in_memory = self._folder is None
                self._outbox = Outbox.in_memory(self._limits) if in_memory else self._open()
            return self._outbox

    def existing(self) -> Outbox | None:
        """The outbox if there is one."""
        if self._outbox is None and (self._folder is None or not (self._folder / FOLDER / "data.mdb").exists()):
            return None
        return self.get()

    def close(self) -> None:
        with self._opening:
            outbox, self._outbox = self._outbox, None
            if outbox is not None:
                outbox.close()

    def _open(self) -> Outbox:
        assert self._folder is not None
        return Outbox.open(self._folder, self._limits)
