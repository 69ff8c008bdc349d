"""Opens a series again and again, as a process at the end of a link: ``python -m benchmarks.readers.opener JOB.json TIMES.json``.

Times are milliseconds from the word `open`, on a session that is connected: to the first picture, to the whole first frame, and of
a volume to every fourth slice and to every slice at a quarter of its sides.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from benchmarks.readers.arrivals import Arrivals, Row
from benchmarks.readers.streaming import PROTOCOL, Streaming

_DEADLINE_S = 20.0


async def opened(job: dict[str, Any]) -> dict[str, list[float]]:
    """Each time a session of its own."""
    times: dict[str, list[float]] = {}
    async with aiohttp.ClientSession() as session:
        for _ in range(job["rounds"]):
            for name, at in (await _once(session, job)).items():
                times.setdefault(name, []).append(at)
    return times


async def _once(session: aiohttp.ClientSession, job: dict[str, Any]) -> dict[str, float]:
    began = time.monotonic()
    url = job["url"].replace("http://", "ws://") + "/stream"
    async with session.ws_connect(url, protocols=(PROTOCOL,), max_msg_size=0) as socket:
        await socket.send_str('{"type": "hello"}')
        await socket.receive(timeout=_DEADLINE_S)
        connected = time.monotonic()
        watch = _Watch(job)
        client = Streaming(socket, [(job["study"], job["series"])], watch.arrivals, side=job["side"])
        watch.arrivals.begin()
        client.say(type="open", series=0, study=job["study"], seriesInstanceUID=job["series"], approximate=True)
        client.look(0, job["position"], spread=job["spread"], quality="exact")
        tasks = [asyncio.create_task(one) for one in (client.speak(), client.listen(), watch.wait())]
        try:
            async with asyncio.timeout(_DEADLINE_S):
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return watch.times | {"connected": (connected - began) * 1e3}


class _Watch:
    """Notes when what is waited for is there."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.arrivals = Arrivals()
        self.times: dict[str, float] = {}
        self._ends = job["ends"]  # of each position: of the first level, of a quarter of the sides, of all
        count = len(self._ends)
        own = {job["position"]}
        self._missing: dict[str, tuple[int, set[int]]] = {
            "first picture": (0, set(own)),
            "whole first frame": (2, set(own)),
        }
        if job["spread"] == "volume":
            self._missing = {
                "first picture": (0, set(own)), "every 4th slice at 1/4": (1, set(range(0, count, 4))),
                "every slice at 1/4": (1, set(range(count))), "every slice, all of it": (2, set(range(count))),
            }  # fmt: skip

    async def wait(self) -> None:
        """Until all of it is there."""
        seen = 0
        while self._missing:
            await asyncio.sleep(0)
            rows = self.arrivals.rows
            if len(rows) == seen:
                await asyncio.sleep(0.0002)
            for row in rows[seen:]:
                self._take(row)
            seen = len(rows)

    def _take(self, row: Row) -> None:
        at, _, _, position, ends, _ = row
        for offset, end in enumerate(ends):
            for which, missing in self._missing.values():
                if end >= self._ends[position + offset][which]:
                    missing.discard(position + offset)
        for name in [name for name, (_, missing) in self._missing.items() if not missing]:
            del self._missing[name]
            self.times[name] = at * 1e3


def main(arguments: list[str]) -> int:
    job, target = json.loads(Path(arguments[0]).read_text()), Path(arguments[1])
    target.write_text(json.dumps(uvloop.run(opened(job))))
    return 0


if __name__ == "__main__":
    gc.disable()  # a collection would be a late hand
    sys.exit(main(sys.argv[1:]))
