"""Several readers at the end of one link, in one process: ``python -m benchmarks.readers.seats JOB.json ARRIVALS.json``.

Each has its own session and its own throws; all begin within a second of a moment that all processes are told, for they take a
while to start.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from benchmarks.readers.arrivals import Arrivals
from benchmarks.readers.hand import Hand, cut
from benchmarks.readers.streaming import PROTOCOL, Streaming
from benchmarks.scroll.personas import fling

_WITHIN_S = 1.0


async def seated(job: dict[str, Any]) -> list[dict[str, Any]]:
    """All of them to their ends."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        seats = [_seat(session, job, seed, index) for index, seed in enumerate(job["seeds"])]
        return list(await asyncio.gather(*seats))


async def _seat(session: aiohttp.ClientSession, job: dict[str, Any], seed: int, index: int) -> dict[str, Any]:
    arrivals = Arrivals()
    url = job["url"].replace("http://", "ws://") + "/stream"
    async with session.ws_connect(url, protocols=(PROTOCOL,), max_msg_size=0) as socket:
        client = Streaming(socket, [(job["study"], job["series"])], arrivals, side=job["side"])
        await socket.send_str('{"type": "hello"}')
        await socket.receive(timeout=20)
        begin_at = job["begin_at"] + _WITHIN_S * index / len(job["seeds"])
        await asyncio.sleep(max(0.0, begin_at - time.monotonic()))
        hand = Hand(cut(fling(seed), job["seconds"]), client.moved)
        arrivals.begin()
        beside = [asyncio.create_task(one) for one in (client.speak(), client.listen())]
        try:
            following = asyncio.create_task(hand.follow())
            done, _ = await asyncio.wait((following, *beside), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
    return {"began": arrivals.began, "late_s": hand.late_s, "rows": arrivals.rows}


def main(arguments: list[str]) -> int:
    job, target = json.loads(Path(arguments[0]).read_text()), Path(arguments[1])
    seats = uvloop.run(seated(job))
    used = resource.getrusage(resource.RUSAGE_SELF)
    target.write_text(json.dumps({"seats": seats, "cpu_s": used.ru_utime + used.ru_stime}))
    return 0


if __name__ == "__main__":
    gc.disable()  # a collection would be a late hand
    sys.exit(main(sys.argv[1:]))
