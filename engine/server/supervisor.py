"""Opens the ports, starts the processes, says when they are ready, starts again what dies, and ends them all.

It lives as long as the server and imports nothing large: an idle one costs some 15 MB.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from engine import log
from engine.archive.lock import ServerLock
from engine.errors import EngineError
from engine.server.child import FATAL, Job, archive_path
from engine.server.kernels import keep_kernels_below
from engine.server.listening import PortTaken, listen, name_of
from engine.settings import Settings

_LOG = logging.getLogger(__name__)
_START_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 10.0
_RESTART_S_MIN, _RESTART_S_MAX = 0.1, 10.0
_STEADY_S = 60.0  # alive this long: the next death begins counting anew


def serve(settings: Settings) -> int:
    """Run a server until SIGTERM or SIGINT. Main thread only.

    Returns
    -------
    int
        Exit code: 0 after a signal, 1 when it could not start or go on.

    Raises
    ------
    ArchiveLocked
        Another server has this archive.
    """
    path = archive_path(settings)
    path.mkdir(parents=True, exist_ok=True)
    log.configure(settings, "supervisor")
    lock = ServerLock(path, "voxcast serve")
    try:
        for counters in (path / "run").glob("*.counters"):
            counters.unlink()
        (path / "run" / "renditions.json").unlink(missing_ok=True)  # it tells of processes of another server
        keep_kernels_below(path / "run")
        _check_certificates(settings)
        ports = {
            "http": listen("http", settings.http, settings.congestion_control),
            "dicom": listen("dicom", settings.dicom),
            "dicom_tls": listen("dicom_tls.listen", settings.dicom_tls.listen),
        }
        return _Supervisor(settings, path, ports).run()
    except PortTaken as error:
        print(f"voxcast: {error}", file=sys.stderr)
        return 1
    finally:
        lock.release()


def _check_certificates(settings: Settings) -> None:
    """Before anybody is told that we are ready; raises InvalidParameter. The process that uses them reads them again."""
    if settings.dicom_tls.listen != "off":
        from engine.tls import server_context

        server_context(settings.dicom_tls)


@dataclass(slots=True)
class _Child:
    name: str
    module: str
    listener: socket.socket | None
    tls_listener: socket.socket | None = None
    process: subprocess.Popen[bytes] | None = None
    is_ready: bool = False
    started: float = 0.0
    deaths: int = 0
    restart_at: float | None = None
    is_vital: bool = True  # without it there is no server; the others are started behind it, and as often as they end


class _Supervisor:
    def __init__(self, settings: Settings, path: Path, ports: dict[str, socket.socket | None]) -> None:
        self._settings, self._path, self._ports = settings, path, ports
        http, dicom, dicom_tls = ports["http"], ports["dicom"], ports["dicom_tls"]
        workers = settings.workers or max(1, (os.cpu_count() or 1) // 2)
        self._children: list[_Child] = []
        if http is not None:
            self._children += [_Child(f"web-{i}", "web_worker", http) for i in range(1, workers + 1)]
        if dicom is not None or dicom_tls is not None:
            self._children.append(_Child("dicom", "dicom_acceptor", dicom, dicom_tls))
        self._children.append(_Child("background", "background", None))
        if settings.renditions != "off":
            self._children.append(_Child("renditions", "rendition_worker", None, is_vital=False))
        if any(peer.is_reachable for peer in settings.peers):
            self._children.append(_Child("sender", "sender", None, is_vital=bool(settings.forward)))
        self._selector = selectors.DefaultSelector()
        self._is_stopping = self._is_announced = False

    def run(self) -> int:
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ)
        signal.set_wakeup_fd(wake.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake the loop up
        self._write_state("closed")
        for child in self._children:
            if child.is_vital:
                self._start(child)
        try:
            return self._loop(woken)
        finally:
            self._end_all()
            self._write_state("closed")

    def _loop(self, woken: socket.socket) -> int:
        deadline = time.monotonic() + _START_DEADLINE_S
        while not self._is_stopping:
            for key, _ in self._selector.select(self._until_next()):
                if key.fileobj is woken:
                    woken.recv(4096)
                else:
                    self._hear(key.data)
            for child in self._children:
                if self._has_died(child) and not self._will_restart(child):
                    return 1
                if child.restart_at is not None and time.monotonic() >= child.restart_at:
                    self._start(child)
            if not self._is_announced:
                if all(child.is_ready for child in self._children if child.is_vital):
                    self._announce()
                elif time.monotonic() > deadline:
                    late = ", ".join(child.name for child in self._children if child.is_vital and not child.is_ready)
                    _LOG.error("not ready after %d s: %s", _START_DEADLINE_S, late)
                    return 1
        return 0

    def _stop(self) -> None:
        self._is_stopping = True

    def _until_next(self) -> float:
        waits = [child.restart_at - time.monotonic() for child in self._children if child.restart_at is not None]
        return max(0.0, min([*waits, 1.0]))

    def _start(self, child: _Child) -> None:
        sockets = [one.fileno() if one else -1 for one in (child.listener, child.tls_listener)]
        job = Job(child.name, self._settings.to_json(), *sockets)
        child.process = subprocess.Popen(
            # -P: the folder that the server was started in is no place to import from.
            [sys.executable, "-P", "-m", f"engine.server.{child.module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[fd for fd in sockets if fd >= 0],
        )
        child.started, child.restart_at, child.is_ready = time.monotonic(), None, False
        assert child.process.stdin is not None
        assert child.process.stdout is not None
        self._selector.register(child.process.stdout, selectors.EVENT_READ, child)
        try:
            child.process.stdin.write(job.to_line())
            child.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended already; the loop sees that

    def _hear(self, child: _Child) -> None:
        assert child.process is not None
        assert child.process.stdout is not None
        line = os.read(child.process.stdout.fileno(), 4096)
        if not line:
            self._selector.unregister(child.process.stdout)
        elif line.startswith(b"ready"):
            child.is_ready = True

    def _has_died(self, child: _Child) -> bool:
        process = child.process
        if process is None or process.poll() is None:
            return False
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout in self._selector.get_map():
            self._selector.unregister(process.stdout)
        process.stdin.close()
        process.stdout.close()
        return True

    def _will_restart(self, child: _Child) -> bool:
        """Plan the restart of a child that died; False when starting again would not help."""
        assert child.process is not None
        code, child.process, child.is_ready = child.process.returncode, None, False
        if child.is_vital and (code == FATAL or not self._is_announced):
            _LOG.error("%s ended with code %s; the server stops", child.name, code)
            return False
        child.deaths = 1 if time.monotonic() - child.started > _STEADY_S else child.deaths + 1
        wait = min(_RESTART_S_MIN * 2 ** (child.deaths - 1), _RESTART_S_MAX)
        _LOG.error("%s ended with code %s; starting it again in %.1f s", child.name, code, wait)
        child.restart_at = time.monotonic() + wait
        return True

    def _announce(self) -> None:
        self._write_state("open")
        prefixes = {"http": "http://", "dicom": f"{self._settings.aet}@", "dicom_tls": f"{self._settings.aet}@"}
        words = [
            f"{name}={prefixes[name]}{name_of(port)}" if port else f"{name}=off" for name, port in self._ports.items()
        ]
        for child in self._children:
            if not child.is_vital:
                self._start(child)
        print("voxcast ready", *(word for word in words if word != "dicom_tls=off"), flush=True)
        self._is_announced = True

    def _write_state(self, state: str) -> None:
        """What ``/readyz`` tells of the ports; replaced whole, so nobody reads half of it."""
        run = self._path / "run"
        text = json.dumps({name: state if port else "off" for name, port in self._ports.items()})
        (run / "state.new").write_text(text)
        (run / "state.new").replace(run / "state.json")

    def _end_all(self) -> None:
        """Stop accepting, let them finish what is under way, then end what is left."""
        for port in self._ports.values():
            if port is not None:
                port.close()
        alive = [child.process for child in self._children if child.process is not None]
        for process in alive:
            process.terminate()
        deadline = time.monotonic() + _STOP_DEADLINE_S
        for process in alive:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main() -> int:
    """A process of its own (`cli/serve.py`): its one argument is a descriptor, from which it reads the settings as JSON."""
    try:
        with os.fdopen(int(sys.argv[1]), encoding="utf_8") as file:
            settings = Settings.from_json(file.read())
        return serve(settings)
    except EngineError as error:
        print(f"voxcast: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
