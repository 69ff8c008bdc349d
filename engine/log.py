"""Logging to stderr, one line each, for people or as JSON; UIDs may appear in it, names and patient IDs never.

``configure`` is called once by each process; everyone else does ``logging.getLogger(__name__)``.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import queue
import sys
import threading
import time
import warnings
from typing import TextIO

from engine.settings import Settings

# What these libraries log and warn about quotes elements of the data set: a patient's name would end up in a log file.
_QUOTING = {"pydicom": logging.CRITICAL, "pynetdicom": logging.ERROR}
# Thousands of lines for each kernel, and greetings, at the level debug.
_TALKATIVE = {
    "numba": logging.WARNING,
    "pylibjpeg": logging.WARNING,
    "openjpeg": logging.WARNING,
    "asyncio": logging.WARNING,
}
_LEVELS = _QUOTING | _TALKATIVE


def configure(settings: Settings, process: str = "voxcast") -> None:
    """Set up the root logger of this process.

    Parameters
    ----------
    process : str
        What this process is ("web-1", "supervisor"): part of each line.
    """
    handler = Unhurried(sys.stderr)
    handler.setFormatter(_Json(process) if settings.log_format == "json" else _Text(process))
    handler.addFilter(_is_wanted)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _QUOTING:
        warnings.filterwarnings("ignore", module=name)


def _is_wanted(record: logging.LogRecord) -> bool:
    """Asked for each record: a level set on a logger would not last, pydicom sets its own back when it is imported."""
    return record.levelno >= _LEVELS.get(record.name.partition(".")[0], logging.NOTSET)


class Unhurried(logging.Handler):
    """Writes lines from a thread of its own: whoever logs never waits for the reader of stderr, who may have stopped.

    Lines that find no room are lost, and counted in a line of their own when there is room again.
    """

    def __init__(self, stream: TextIO, lines_max: int = 10_000) -> None:
        super().__init__()
        self._stream, self._lost = stream, 0
        self._lines: queue.Queue[str] = queue.Queue(lines_max)
        threading.Thread(target=self._write_forever, name="log", daemon=True).start()
        atexit.register(self.flush)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            lost, self._lost = self._lost, 0
            line = self.format(record)
            self._lines.put_nowait(f"({lost} lines were lost here)\n{line}" if lost else line)
        except queue.Full:
            self._lost += lost + 1
        except Exception:  # noqa: BLE001 - a format that does not fit its arguments: logging's own way with it
            self.handleError(record)

    def flush(self) -> None:
        """Until everything is written, for two seconds at most: at the end of the process."""
        deadline = time.monotonic() + 2.0
        while self._lines.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)

    def _write_forever(self) -> None:
        while True:
            line = self._lines.get()
            with contextlib.suppress(OSError, ValueError):  # nobody reads any more: there is no place left to say so
                self._stream.write(line + "\n")
                self._stream.flush()
            self._lines.task_done()


class _Text(logging.Formatter):
    """``2026-01-31T12:00:00.123Z INFO web-1 engine.web.app: message``."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        return f"{_stamp(record)} {record.levelname} {self._process} {record.name}: {one_line(self._message(record))}"

    def _message(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Json(_Text):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "time": _stamp(record),
                "level": record.levelname.lower(),
                "process": self._process,
                "logger": record.name,
                "message": self._message(record),
                **getattr(record, "fields", {}),  # what a caller has as `extra={"fields": …}`
            }
        )


def _stamp(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


def one_line(text: str) -> str:
    """Control characters escaped: what came from the wire must not be able to forge a line, or drive a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
