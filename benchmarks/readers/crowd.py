"""Two hundred readers at once: python -m benchmarks.readers.crowd [--readers 200] [--links 10] [--seconds 20] [--keep FOLDER].

Links of 30 Mbit/s and 10 ms, as many readers on each, all of whom throw themselves through a thousand slices at 40 to 150 a second.
Counted: positions with a picture within 16.7 ms, over all and of the reader who has it worst; bytes of the reader who got least and
of the median one; processor time and memory of the server's processes. The readers and the links' packets take processor
time on the same machine: how much is said, and what is late because of them counts as late. The readers are a small program
(`seats.cpp`) that speaks the protocol and decodes nothing; every record that they got is checked when all have ended.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.links.namespaces import why_not
from benchmarks.links.site import HOST, Link, Site
from benchmarks.measure import RESULTS
from benchmarks.process import Group, Memory, machine_busy_seconds
from benchmarks.readers.arrivals import rows_as_arrivals
from benchmarks.readers.cells import LINKS, ReaderFailed
from benchmarks.readers.material import Look, prepared
from benchmarks.readers.seats import command, program, read_seats, traces, write_job
from benchmarks.readers.server import Served, voxcast
from benchmarks.scroll.figures import Figures, figures
from benchmarks.scroll.line import LineSpec
from benchmarks.scroll.simulation import Log
from benchmarks.scroll.strategies import SIDE

_PATIENCE_S = 90.0
_START_S = 3.0  # for the readers' processes


@dataclass(slots=True)
class Watched:
    """The server while it is looked at, ten times in five seconds."""

    cpu_s: float = 0.0
    machine_s: float = 0.0
    memories: list[Memory] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers and links are ended all the same
    missing = why_not()
    if missing:
        print(missing, file=sys.stderr)
        return 1
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="readers-")))
        look = prepared(folder, ("left",)).series["left"]
        site = stack.enter_context(Site())
        served = stack.enter_context(
            voxcast(folder / "archive", site.server, site.folder / "voxcast", options.control, *options.option)
        )
        links = [site.link(LINKS[options.line], seed=number + 1) for number in range(options.links)]
        idle = served.group.memory()
        with watching(served.group) as watched:
            seats, generator_s = crowd(links, served, look, options.readers, options.seconds, site.folder)
        link_cpu_s = sum(link.cpu_seconds() for link in links)
        delivered = sum(link.account()[-1].down.bytes for link in links)
        said = served.counter("stream_bytes")
        no_room = sum(link.account()[-1].down.no_room for link in links)
    result = summary(seats, watched, idle) | {
        "generator_cpu_s": generator_s, "links_cpu_s": link_cpu_s, "link_mb": delivered / 1e6, "server_mb": said / 1e6,
        "no_room": no_room, "load_before": options.load[0], "seconds": options.seconds, "links": options.links,
    }  # fmt: skip
    for name, value in result.items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "crowd.json").write_text(json.dumps(result, indent=1) + "\n")
    return 0


def crowd(
    links: list[Link], served: Served, look: Look, readers: int, seconds: float, folder: Path
) -> tuple[list[tuple[Figures, float]], float]:
    """Of each reader the figures and how late its words were at the worst; processor seconds of the readers' programs."""
    groups = [traces(range(number, readers, len(links)), seconds) for number in range(len(links))]
    for number, group in enumerate(groups):
        write_job(folder / f"seats{number}", group)
    program()  # compiled, if need be, before anybody waits for it
    begin_at = time.monotonic() + _START_S
    jobs = []
    for number, link in enumerate(links):
        job, target = folder / f"seats{number}", folder / f"seated{number}"
        uids = look.study_instance_uid, look.series_instance_uid
        jobs.append((link.reader.within(*command(HOST, served.port, *uids, SIDE, job, target, begin_at)), target))

    def play(job: tuple[list[str], Path]) -> None:
        patience = _START_S + seconds + _PATIENCE_S
        done = subprocess.run(job[0], capture_output=True, text=True, check=False, timeout=patience)
        if done.returncode:
            raise ReaderFailed(done.stderr.strip()[-800:])

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with ThreadPoolExecutor(len(links)) as pool:
        list(pool.map(play, jobs))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = []
    for link, group, (_, target) in zip(links, groups, jobs, strict=True):
        spec = link.spec
        line = LineSpec("", spec.rate / len(group), spec.delay_s, spec.loss)
        for seat in read_seats(target, group):
            arrivals = [one for one in rows_as_arrivals(seat.arrivals.rows) if one.at <= seat.trace.seconds]
            found.append((figures(Log(seat.trace, line, arrivals, [look.streamed]), SIDE), seat.late_s))
    return found, used_s


@contextmanager
def watching(group: Group) -> Iterator[Watched]:
    """Its processor time between begin and end, its memory twice a second."""
    watched, stop, before, busy = Watched(), threading.Event(), group.cpu_seconds(), machine_busy_seconds()

    def watch() -> None:
        while not stop.wait(0.5):
            watched.memories.append(group.memory())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield watched
    finally:
        stop.set()
        thread.join()
        watched.cpu_s = group.cpu_seconds() - before
        watched.machine_s = machine_busy_seconds() - busy


def summary(seats: list[tuple[Figures, float]], watched: Watched, idle: Memory) -> dict[str, object]:
    """One line each."""
    found = [one for one, _ in seats]
    visits = np.array([one.visits for one in found], float)
    shares = {
        name: np.array([getattr(one, name) for one in found]) for name in ("picture", "quarter", "needed", "stale")
    }
    megabytes = np.array([one.megabytes for one in found])
    most = max(watched.memories, key=lambda one: one.pss_mb)
    return {
        "readers": len(found),
        "positions": int(visits.sum()),
        **{f"{name}_share": float((share * visits).sum() / visits.sum()) for name, share in shares.items()},
        "picture_share_of_the_worst": float(shares["picture"].min()),
        "megabytes_of_the_least": float(megabytes.min()),
        "megabytes_median": float(np.median(megabytes)),
        "exact_ms_median": float(np.median([one.exact_ms_p50 for one in found])),
        "hand_late_ms_median": float(np.median([late for _, late in seats]) * 1e3),
        "hand_late_ms_worst": max(late for _, late in seats) * 1e3,
        "server_cpu_s": watched.cpu_s,
        "machine_cpu_s": watched.machine_s,
        "server_processes": most.processes,
        "server_pss_mb": most.pss_mb,
        "server_anonymous_mb": max(one.anonymous_mb for one in watched.memories),
        "server_idle": asdict(idle),
    }


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.readers.crowd", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--links", type=int, default=10)
    parser.add_argument("--line", default="30 Mbit/s, 10 ms", choices=list(LINKS))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--control", default="cubic", choices=("cubic", "bbr", "reno"))
    parser.add_argument("--keep", type=Path, help="make the series here, and find them here the next time")
    parser.add_argument("--option", action="append", default=[], help="of `voxcast serve`; may be repeated")
    options = parser.parse_args(arguments)
    options.load = os.getloadavg()
    return options


if __name__ == "__main__":
    sys.exit(main())
