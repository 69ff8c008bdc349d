"""One reader as a process at the end of a link: ``python -m benchmarks.readers.reader JOB.json ARRIVALS.json``.

The job names a persona, how long, a way of asking (``stream``, ``whole``, or an order of `requesting.ORDERS`), the server, and of
each viewport its series. Connections are there before the clock starts, as those of a page that shows a list of studies.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from benchmarks.readers.arrivals import Arrivals, write
from benchmarks.readers.hand import Hand, cut
from benchmarks.readers.requesting import FRAME, ORDERS, Requesting, drawn_urls, frame_urls, whole_series
from benchmarks.readers.streaming import PROTOCOL, Streaming
from benchmarks.scroll.others import CONNECTIONS
from benchmarks.scroll.personas import PERSONAS, Trace

_ALL_S = aiohttp.ClientTimeout(total=None, sock_connect=20)


async def read(job: dict[str, Any]) -> tuple[Arrivals, float]:
    """Follow the persona; what arrived, and how late the hand's words were at the worst."""
    trace, arrivals = cut(PERSONAS[job["persona"]](), job["seconds"]), Arrivals()
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, limit_per_host=CONNECTIONS, keepalive_timeout=600)
    async with aiohttp.ClientSession(connector=connector, timeout=_ALL_S) as session:
        if job["how"] == "stream":
            return arrivals, await _stream(session, job, trace, arrivals)
        await _warm(session, job)
        if job["how"] == "whole":
            return arrivals, await _whole(session, job, trace, arrivals)
        return arrivals, await _request(session, job, trace, arrivals)


async def _stream(session: aiohttp.ClientSession, job: dict[str, Any], trace: Trace, arrivals: Arrivals) -> float:
    series = [(one["study"], one["series"]) for one in job["viewports"]]
    url = job["url"].replace("http://", "ws://") + "/stream"
    async with session.ws_connect(url, protocols=(PROTOCOL,), max_msg_size=0) as socket:
        client = Streaming(socket, series, arrivals, side=job["side"], is_loop=trace.is_loop, is_drawn=trace.is_drawn)
        await socket.send_str('{"type": "hello"}')
        await socket.receive(timeout=20)
        return await _follow(Hand(trace, client.moved), arrivals, client.speak(), client.listen())


async def _request(session: aiohttp.ClientSession, job: dict[str, Any], trace: Trace, arrivals: Arrivals) -> float:
    if job["is_static"]:
        urls = [[f"{job['url']}/{one['name']}/{at}" for at in range(len(one["frames"]))] for one in job["viewports"]]
    else:
        made = drawn_urls if trace.is_drawn else frame_urls
        urls = [made(job["url"], one) for one in job["viewports"]]
    accept = "image/jpeg" if trace.is_drawn else "*/*" if job["is_static"] else FRAME
    order = ORDERS[job["how"]](trace, job["side"])
    client = Requesting(session, urls, accept, order, arrivals, is_drawn=trace.is_drawn)
    try:
        return await _follow(Hand(trace, client.moved), arrivals, _forever(client.failed))
    finally:
        await client.close()


async def _whole(session: aiohttp.ClientSession, job: dict[str, Any], trace: Trace, arrivals: Arrivals) -> float:
    async def get() -> None:
        for viewport, one in enumerate(job["viewports"]):
            url = f"{job['url']}/dicom-web/studies/{one['study']}/series/{one['series']}"
            await whole_series(session, url, viewport, one["sizes"], arrivals)
        await asyncio.Event().wait()

    return await _follow(Hand(trace, lambda step, velocity, direction: None), arrivals, get())


async def _forever(failed: asyncio.Future[None]) -> None:
    await failed


async def _follow(hand: Hand, arrivals: Arrivals, *beside: Any) -> float:
    """The hand to its end; whatever runs beside it must not end before."""
    arrivals.begin()
    tasks = [asyncio.create_task(one) for one in beside]
    following = asyncio.create_task(hand.follow())
    try:
        done, _ = await asyncio.wait((following, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if following not in done:
            raise RuntimeError("the client ended before the hand did")
    finally:
        for task in (following, *tasks):
            task.cancel()
        await asyncio.gather(following, *tasks, return_exceptions=True)
    return hand.late_s


async def _warm(session: aiohttp.ClientSession, job: dict[str, Any]) -> None:
    """A connection is there, as that of a page is; the others of a browser are made when they are needed."""
    async with session.get(job["url"] + ("/" if job["is_static"] else "/healthz")) as answer:
        await answer.read()


def main(arguments: list[str]) -> int:
    job, target = json.loads(Path(arguments[0]).read_text()), Path(arguments[1])
    arrivals, late_s = uvloop.run(read(job))
    write(target, arrivals, late_s)
    return 0


if __name__ == "__main__":
    gc.disable()  # a collection would be a late hand
    sys.exit(main(sys.argv[1:]))
