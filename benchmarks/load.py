"""Many connections at once, from a process of its own: requests per second and latency.

Debian's `wrk` (C, one thread) where it is installed, else threads of `client.Connection`; which one is in the result. Trap: on a
machine of few cores the load generator takes a core from the server; it takes it from every server alike, but the fastest
server loses most, so ratios against nginx flatter the slower side and never the other way round.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.client import BadAnswer, Connection

# Every connection walks through all paths; `done` gives numbers instead of text made for people.
_SCRIPT = """
local paths = { %s }
local at = 0
request = function()
  at = at + 1
  return wrk.format("GET", paths[(at - 1) %% #paths + 1])
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%%d,"seconds":%%.6f,"bytes":%%d,"errors":%%d,"p50_ms":%%.4f,"p99_ms":%%.4f}\\n',
    summary.requests, summary.duration / 1e6, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """One run. `generator` is ``wrk`` or ``python``."""

    requests_per_s: float
    seconds: float
    mb_per_s: float
    p50_ms: float
    p99_ms: float
    generator: str


def run(
    host: str, port: int, paths: Sequence[str], headers: Mapping[str, str], connections: int, seconds: float
) -> Load:
    """Ask for `paths` in turn on so many keep-alive connections for so long.

    Raises
    ------
    BadAnswer : any answer was an error
    """
    program = shutil.which("wrk")
    command = [program, "-t1"] if program else [sys.executable, "-m", "benchmarks.load"]
    with tempfile.TemporaryDirectory() as folder:
        if program:
            script = Path(folder) / "paths.lua"
            script.write_text(_SCRIPT % ", ".join(json.dumps(path) for path in paths))
            command += [f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script)]
            command += [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
            command.append(f"http://{host}:{port}{paths[0]}")
            said = ""
        else:
            said = json.dumps([host, port, list(paths), dict(headers), connections, seconds])
        done = subprocess.run(
            command, input=said, capture_output=True, text=True, timeout=60 + 3 * seconds, check=False
        )
    if done.returncode:
        raise BadAnswer(f"the load generator failed: {done.stderr.strip()[-500:]}")
    return parse(done.stdout, "wrk" if program else "python")


def parse(output: str, generator: str) -> Load:
    """The last line of a generator's output."""
    line = next((line for line in reversed(output.splitlines()) if line.startswith("{")), None)
    if line is None:
        raise BadAnswer("the load generator gave no result")
    found = json.loads(line)
    if found["errors"] or not found["requests"]:
        raise BadAnswer(f"{found['errors']} of {found['requests']} answers were errors")
    rate = 1 / found["seconds"]
    return Load(
        found["requests"] * rate,
        found["seconds"],
        found["bytes"] * rate / 1e6,
        found["p50_ms"],
        found["p99_ms"],
        generator,
    )


def _threads(
    host: str, port: int, paths: Sequence[str], headers: dict[str, str], connections: int, seconds: float
) -> dict[str, float]:
    times: list[float] = []
    totals = {"bytes": 0, "errors": 0}
    lock, end = threading.Lock(), time.perf_counter() + seconds

    def one(first: int) -> None:
        mine, received, errors = [], 0, 0
        with Connection(host, port) as connection:
            heads = [connection.prepare(path, headers) for path in paths]
            at = first * len(heads) // connections
            while (start := time.perf_counter()) < end:
                try:
                    answer = connection.send(heads[at % len(heads)])
                except (BadAnswer, OSError):
                    errors += 1
                    break
                mine.append(time.perf_counter() - start)
                received += len(answer.body)
                errors += answer.status != 200
                at += 1
        with lock:
            times.extend(mine)
            totals["bytes"] += received
            totals["errors"] += errors

    began = time.perf_counter()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p50, p99 = np.percentile(times, (50, 99)) * 1e3 if times else (0.0, 0.0)
    seconds = time.perf_counter() - began
    return {"requests": len(times), "seconds": seconds, "p50_ms": float(p50), "p99_ms": float(p99), **totals}


if __name__ == "__main__":
    print(json.dumps(_threads(*json.load(sys.stdin))))
