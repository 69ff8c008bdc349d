"""Ctrl-C and SIGTERM while a command works: the first one ends it at the next file, the second at once."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType

from engine.cli.terminal import FAILED, Terminal


class Interruption:
    """For the length of a ``with`` block on the main thread; ``is_asked`` says whether to stop."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.is_asked = False

    def __enter__(self) -> Interruption:
        self._before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            os._exit(FAILED)  # at any moment nothing acknowledged is lost; what was half written goes at the next start
        self.is_asked = True
        os.write(2, b"stopping after the files under way; once more stops at once\n")
