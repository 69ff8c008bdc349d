"""What peers have acknowledged, made durable in groups: those who send go on meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from engine.archive.outbox import Outbox
from engine.archive.outbox_records import Settled
from engine.errors import EngineError

_LOG = logging.getLogger(__name__)
_WAITING_MAX = 1000  # results that are not durable yet; who adds more waits
_AGAIN_S = 5.0


class Acknowledging:
    """One thread writes; any thread adds. A commit waits for the disk some 0.4 ms, and takes all that has come by then.

    So a crash repeats what was acknowledged in the last few milliseconds, and nothing else.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._changed = threading.Condition()
        self._waiting: list[Settled] = []
        self._is_writing = self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="acknowledging", daemon=True)
        self._thread.start()

    def add(self, settled: Sequence[Settled]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < _WAITING_MAX or self._is_closing)
            self._waiting += settled
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all that was added is durable."""
        with self._changed:
            self._changed.wait_for(lambda: (not self._waiting and not self._is_writing) or self._is_closing)

    def close(self) -> None:
        """Write what is left, once."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                group, self._waiting = self._waiting, []
                self._is_writing = True
                is_last = self._is_closing
            is_written = self._write(group)
            with self._changed:
                self._is_writing = False
                if not is_written:
                    self._waiting = group + self._waiting
                self._changed.notify_all()
                if is_last:
                    return
                if not is_written:
                    self._changed.wait_for(lambda: self._is_closing, _AGAIN_S)

    def _write(self, group: list[Settled]) -> bool:
        try:
            self._outbox.settle(group)
        except (EngineError, OSError) as error:
            # The peers have these; until it is written a restart would send them again.
            _LOG.error("what %d instances have come to cannot be kept: %s", len(group), error)
            return False
        return True
