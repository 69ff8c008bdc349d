"""A server of a benchmark as a process group of its own: started, watched, ended by its id, its memory added up."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class PeerFailed(Exception):
    """A server that should have come up did not; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of all processes of a server together, MB (10⁶). `pss_mb` counts a page shared by n processes as 1/n in each.

    `anonymous_mb` is what is no file's: pages of a mapped index that were read are none of it.
    """

    processes: int
    rss_mb: float
    pss_mb: float
    anonymous_mb: float = 0.0


def free_port() -> int:
    """A port of loopback that nobody listened on a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Group:
    """One started command and everything that it starts: they share its session."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        stdout: int | None = None,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self.log = log
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink if stdout is None else stdout,
                stderr=sink,
                start_new_session=True,
                env=environment,
                pass_fds=descriptors,
            )

    def wait_until(self, is_ready: Callable[[], bool], seconds_max: float = 30.0) -> float:
        """Poll until ready and return the seconds that it took."""
        start = time.perf_counter()
        while time.perf_counter() - start < seconds_max:
            if is_ready():
                return time.perf_counter() - start
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise self.failed("did not come up")

    def failed(self, what: str) -> PeerFailed:
        """What to raise, with the end of what the server said."""
        said = self.log.read_text(errors="replace")[-2000:].strip()
        return PeerFailed(f"{Path(str(self.process.args[0])).name} {what}; it said: {said or 'nothing'}")  # type: ignore[index]

    def pids(self) -> list[int]:
        """Every living process of the session."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):  # it ended while we looked
                    state, session = state_of((entry / "stat").read_text())
                    if session == self.process.pid and state not in "ZX":
                        found.append(int(entry.name))
        return found

    def memory(self) -> Memory:
        """What they hold now."""
        rss = pss = anonymous = 0
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(OSError):
                values = kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text())
                rss, pss, anonymous = rss + values["Rss"], pss + values["Pss"], anonymous + values["Anonymous"]
        return Memory(len(pids), rss * 1024 / 1e6, pss * 1024 / 1e6, anonymous * 1024 / 1e6)

    def cpu_seconds(self) -> float:
        """What its living processes have used, user and system."""
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                ticks += cpu_ticks(Path(f"/proc/{pid}/stat").read_text())
        return ticks / os.sysconf("SC_CLK_TCK")

    def settle(self, seconds_max: float = 180.0) -> bool:
        """Wait until it does next to nothing by itself for a second; whether it came to that."""
        end = time.perf_counter() + seconds_max
        while time.perf_counter() < end:
            before = self.cpu_seconds()
            time.sleep(1.0)
            if self.cpu_seconds() - before < 0.05:
                return True
        return False

    def stop(self, seconds_max: float = 15.0) -> int:
        """SIGTERM to the first process, as an operator would; what is left of the group after a while is killed."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds_max)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(seconds_max)


def machine_busy_seconds() -> float:
    """Processor time of everything on the machine since its start, all cores together, the kernel's too."""
    user, nice, system, _idle, _waiting, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def state_of(stat: str) -> tuple[str, int]:
    """State and session id in the text of ``/proc/PID/stat``; the command's name in it may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[3])


def cpu_ticks(stat: str) -> int:
    """User and system time in the text of ``/proc/PID/stat``, without ended children."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def kilobytes(smaps_rollup: str) -> dict[str, int]:
    """The ``Name: N kB`` lines of ``/proc/PID/smaps_rollup``."""
    values = {}
    for line in smaps_rollup.splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            values[name] = int(rest.split()[0])
    return values
