"""How soon a session of the stream has a picture: from the word of another window to the message on its way, in the server.

    python -m benchmarks.drawing

A session over a carrier that takes all at once, a 512 x 512 slice of the phantom CT in the page cache, another window each
time. Traps: no socket is in it, so aiohttp and the kernel come on top; other work on the machine shows in the p99; windows are
drawn one after the other, as a hand drags, so what is drawn for nothing is not in it.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.archive.archive import Archive
from engine.archive.renditions.asking import Asking
from engine.archive.renditions.shelf import Shelf
from engine.cli.phantom import PhantomSeries, instance
from engine.executors import Executors
from engine.ingest.accept import Acceptor
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.dispatch import Dispatcher
from engine.stream.frames import FrameService
from engine.stream.framing import HEAD, Record
from engine.stream.opened import OpenedSeries
from engine.stream.pictures import Pictures
from engine.stream.readiness import Readiness
from engine.stream.session import Session
from engine.stream.travel import Travel
from engine.types import Source

ROUNDS, WARM = 300, 50
WAYS: dict[str, dict[str, object]] = {
    "JPEG, 512 x 512": {},
    "JPEG inverted, 512 x 512": {"invert": True},
    "JPEG, 256 x 256": {"side": 256},
    "WebP, 512 x 512": {"media": "image/webp"},
}


class Wire:
    """Takes messages, and says which picture has come."""

    def __init__(self) -> None:
        self.has_picture, self.got, self.first_at = asyncio.Event(), 0, 0.0
        self.is_open = asyncio.Event()

    def has_room(self) -> bool:
        """Pictures are not put."""
        return False

    def put(self, messages: Sequence[bytes]) -> None:
        """See `has_room`."""
        raise NotImplementedError

    async def send(self, message: bytes | str) -> None:
        """See `engine.stream.session.Carrier`."""
        if isinstance(message, str):
            return
        kind, *_, length = HEAD.unpack_from(message)
        if kind == Record.PICTURE:
            self.first_at = time.perf_counter()
            self.got += length
            self.has_picture.set()
        else:
            self.is_open.set()


async def measured(session: Session, wire: Wire, number: int, way: dict[str, object]) -> float:
    """Seconds from a look with a window that was not there before to its picture."""
    side = way.get("side", 512)
    picture = {"number": number, "center": 40 + number % 200, "width": 400 + number, **way}
    wire.has_picture.clear()
    text = json.dumps(
        {"type": "look", "viewport": 1, "series": 1, "width": side, "height": side, "reach": 0, "picture": picture}
    )
    began = time.perf_counter()
    await session.hear(text)
    await wire.has_picture.wait()
    took = wire.first_at - began
    session.heard(json.dumps({"type": "got", "bytes": wire.got}))
    return took


async def run(archive: Archive, phantom: PhantomSeries, limits: Limits) -> None:
    """Every way in turn, printed."""
    executors, metrics, wire = Executors(2), Metrics(), Wire()
    series = OpenedSeries(archive, Shelf(archive.path, limits), Asking(None))
    readiness = Readiness(series, executors.index)
    pictures = Pictures(archive, FrameService(archive, executors, limits, metrics))
    session = Session(
        wire, Dispatcher(), series, readiness, pictures, Travel(executors.read), limits, executors.read, executors.index
    )
    writing = asyncio.create_task(session.write())
    session.heard('{"type":"hello"}')
    uids = {"study": phantom.study_instance_uid, "seriesInstanceUID": phantom.series_instance_uid}
    session.heard(json.dumps({"type": "open", "series": 1, **uids}))
    await wire.is_open.wait()
    number = 0
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for round_ in range(WARM + ROUNDS):
        for name, way in WAYS.items():
            number += 1
            took = await measured(session, wire, number, way)
            if round_ >= WARM:
                taken[name].append(took * 1e3)
    for name, times in taken.items():
        median, p99 = np.percentile(times, [50, 99])
        print(f"{name:26} median {median:6.2f} ms   p99 {p99:6.2f} ms   least {min(times):6.2f} ms   of {len(times)}")
    writing.cancel()
    session.close()
    readiness.close()
    executors.close()


def main() -> None:
    """Makes the archive, measures, prints."""
    limits, phantom = Limits(disk_reserve_bytes=0), PhantomSeries(slices=4)
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.open(Path(folder) / "archive", limits)
        acceptor = Acceptor(archive, limits)
        for index in range(phantom.slices):
            acceptor.submit(instance(phantom, index), Source("import", "phantom")).result(60)
        acceptor.close()
        asyncio.run(run(archive, phantom, limits))
        archive.close()


if __name__ == "__main__":
    main()
