"""Rows of a server that does nothing: time from the command to ready, and memory of all its processes.

Traps: resident memory counts a page that n processes share n times, proportional memory (PSS) counts it once; both are given.
The time to ready is of a second start, with the kernels compiled and the files in the page cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.peers import Orthanc, Voxcast
from benchmarks.stage import Server, Stage

READY_S, IDLE_MB = 2.0, 200.0


def starting(stage: Stage) -> None:
    """Stop the servers that were measured, and start them again on the same files a few times."""
    served = {s.name: s.group.memory() for s in stage.servers() if s.name != "aiohttp"}
    stage.report.add(
        "memory after this run, all processes, RSS",
        "MB",
        {who: [m.rss_mb] for who, m in served.items()},
        subject="voxcast",
    )
    stage.close()
    starts: dict[str, Callable[[], Server]] = {"voxcast": lambda: Voxcast(stage.archive, stage.folder / "voxcast.log")}
    if "orthanc" not in stage.absent:
        starts["orthanc"] = lambda: Orthanc(stage.orthanc_folder)
    ready: dict[str, list[float]] = {who: [] for who in starts}
    rss: dict[str, list[float]] = {who: [] for who in starts}
    pss: dict[str, list[float]] = {who: [] for who in starts}
    processes = {}
    for turn in range(-1, 2 if stage.is_quick else 5):
        for who, start in starts.items():
            server = start()
            try:
                time.sleep(3.0)  # what it still does after saying ready belongs to the idle server
                memory = server.group.memory()
            finally:
                server.stop()
            if turn >= 0:
                ready[who].append(server.ready_seconds)
                rss[who].append(memory.rss_mb)
                pss[who].append(memory.pss_mb)
                processes[f"{who}_processes"] = memory.processes
    absent = {w: why for w, why in stage.absent.items() if w == "orthanc"}
    report = stage.report
    report.add("start to ready", "s", ready, subject="voxcast", missing=absent, limit=READY_S)
    report.add(
        "idle memory, all processes, RSS", "MB", rss, subject="voxcast", missing=absent, limit=IDLE_MB, **processes
    )
    report.add("idle memory, all processes, PSS", "MB", pss, subject="voxcast", missing=absent)
