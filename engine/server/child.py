"""A process under the supervisor: what it is told on its standard input, and how it ends.

The first line of standard input is the job; the pipe stays open as long as the supervisor lives, so its end means: stop.
``ready`` on standard output says that the process does its work.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.errors import ArchiveFault, EngineError
from engine.settings import Settings

FATAL = 3  # exit code: starting again would not help
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """What a child is for. `listener`, `tls_listener`: descriptors of inherited listening sockets, -1 without one."""

    name: str
    settings: str
    listener: int
    tls_listener: int = -1

    def to_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


def run(main: Callable[[Job, Settings, threading.Event], None]) -> None:
    """Body of a child process; `main` works until the event is set, and says `ready` when it has begun. Does not return."""
    job = Job(**json.loads(sys.stdin.buffer.readline()))
    settings = Settings.from_json(job.settings)
    from engine import log

    log.configure(settings, job.name)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_watch_parent, daemon=True, name="parent").start()
    _allow_descriptors()
    try:
        main(job, settings, stop)
    except EngineError as error:
        _LOG.error("%s", error)
        logging.shutdown()
        os._exit(FATAL if isinstance(error, ArchiveFault) else 1)
    # Threads of a pool that still read for a client who is gone must not hold the process up.
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(0)


def ready() -> None:
    """Tell the supervisor that this process does its work."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def archive_path(settings: Settings) -> Path:
    assert settings.archive is not None  # `serve` has seen to it
    return settings.archive


def _watch_parent() -> None:
    while sys.stdin.buffer.read(1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _allow_descriptors() -> None:
    """As many as the system lets us have: 1024 of most systems are few for connections that only wait, and for series that
    are open (a session may have 64, with two descriptors each)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
