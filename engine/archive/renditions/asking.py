"""How a reader's process tells the one that makes packs which series is wanted next: lines in a named pipe.

Never waits, for nobody and nothing: with no maker, or 64 KiB of wishes before it, a wish is lost. Who asks and still waits asks
again (`Readiness`): a maker may begin later than the first reader, and may end and begin anew.
"""

from __future__ import annotations

import json
import os
import select
import stat
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

_NAME = "renditions.wanted"
_AGAIN_S = 30.0
_REMEMBERED = 1024


def _path(archive_path: Path) -> Path:
    return archive_path / "run" / _NAME


class Asking:
    """The reader's end; any thread, the event loop too (some 10 µs)."""

    def __init__(self, archive_path: Path | None) -> None:
        self._archive_path = archive_path
        self._said: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, study_uid: str, series_uid: str, *, is_urgent: bool = False) -> bool:
        """Have the pack of a series made before all that nobody asked for; whether the maker will hear of it.

        Parameters
        ----------
        is_urgent : say it even if it was said a moment ago.
        """
        if self._archive_path is None:
            return False
        now, key = time.monotonic(), (study_uid, series_uid)
        with self._lock:
            if not is_urgent and now - self._said.get(key, -_AGAIN_S) < _AGAIN_S:
                return True
        is_heard = self._say(study_uid, series_uid)
        if is_heard:  # what nobody heard is said again the next time
            with self._lock:
                self._said[key] = now
                self._said.move_to_end(key)
                while len(self._said) > _REMEMBERED:
                    self._said.popitem(last=False)
        return is_heard

    def _say(self, study_uid: str, series_uid: str) -> bool:
        assert self._archive_path is not None
        line = json.dumps([study_uid, series_uid]).encode() + b"\n"
        if len(line) > select.PIPE_BUF:  # longer ones could be torn
            return False
        try:
            fd = os.open(_path(self._archive_path), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # nobody makes any
            return False
        try:
            return stat.S_ISFIFO(os.fstat(fd).st_mode) and os.write(fd, line) == len(line)
        except OSError:  # full, or its reader has gone
            return False
        finally:
            os.close(fd)


class Asked:
    """The maker's end; one thread. `close` it."""

    def __init__(self, archive_path: Path) -> None:
        path = _path(archive_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not stat.S_ISFIFO(path.stat().st_mode):
            path.unlink()
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # For writing too: else it would be at its end whenever no reader's process has it open.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._rest = b""

    def take(self) -> list[tuple[str, str]]:
        """Series (study, series) that were asked for since the last time, the latest last, each once."""
        try:
            data = self._rest + os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return []
        *lines, self._rest = data.split(b"\n")
        found: dict[tuple[str, str], None] = {}
        for line in lines:
            with suppress(ValueError):
                study, series = json.loads(line)
                found.pop((str(study), str(series)), None)
                found[str(study), str(series)] = None
        return list(found)

    def close(self) -> None:
        os.close(self._fd)
