"""Work of the frame service, counted: equal requests decode once, a cached frame not again, cancelled work never."""

from __future__ import annotations

import asyncio
import io
import threading

import pydicom
import pytest
from archives import incoming
from data import make_instance
from pydicom.uid import RLELossless

from engine.archive.archive import Archive
from engine.dicom.frame import Window
from engine.executors import Executors
from engine.imaging.spec import RenderSpec
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.flight import SingleFlight
from engine.stream.frames import JPEG, PNG, FrameService
from engine.types import Timings

LIMITS = Limits()


@pytest.fixture
def archive() -> Archive:
    """1.2.3.4.1: four native frames; 1.2.3.4.2: the same, RLE compressed by pydicom."""
    archive = Archive.in_memory(LIMITS)
    native = make_instance(frames=4, rows=16, columns=16)
    ds = pydicom.dcmread(io.BytesIO(native))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.2"
    ds.compress(RLELossless, generate_instance_uid=False)
    packed = io.BytesIO()
    ds.save_as(packed)
    archive.store([incoming(native), incoming(packed.getvalue())])
    return archive


def count(metrics: Metrics, name: str) -> int:
    line = next(line for line in metrics.text().splitlines() if line.startswith(f"voxcast_{name}_total "))
    return int(line.split()[1])


def test_equal_requests_are_one_decode_and_another_window_none(archive: Archive) -> None:
    executors, metrics = Executors(2), Metrics()
    service = FrameService(archive, executors, LIMITS, metrics)
    record = archive.instance("1.2.3.4.2")

    async def ask() -> list[bytes]:
        same = [service.rendered(record, 1, RenderSpec(), JPEG, 90, Timings()) for _ in range(8)]
        pictures = list(await asyncio.gather(*same))
        pictures.append(await service.rendered(record, 1, RenderSpec(Window(10.0, 20.0)), PNG, 0, Timings()))
        return pictures

    reads = archive.reads
    pictures = asyncio.run(ask())
    assert len(set(pictures[:8])) == 1
    assert pictures[8].startswith(b"\x89PNG")
    assert (count(metrics, "frames_decoded"), count(metrics, "frame_cache_hits")) == (1, 1)
    assert archive.reads - reads == 1
    executors.close()


def test_native_pixels_are_not_kept_twice_in_memory(archive: Archive) -> None:
    executors, metrics = Executors(1), Metrics()
    service = FrameService(archive, executors, LIMITS, metrics)
    record = archive.instance("1.2.3.4.1")

    async def ask() -> set[bytes]:
        return {await service.rendered(record, 1, RenderSpec(), JPEG, 90, Timings()) for _ in range(3)}

    reads = archive.reads
    assert len(asyncio.run(ask())) == 1
    assert count(metrics, "frame_cache_hits") == 0
    assert archive.reads - reads == 3
    executors.close()


def test_native_pixels_that_are_stored_as_such_are_not_decoded(archive: Archive) -> None:
    executors, metrics = Executors(1), Metrics()
    service = FrameService(archive, executors, LIMITS, metrics)
    record = archive.instance("1.2.3.4.1")
    body = asyncio.run(service.native(record, 2, Timings()))
    assert bytes(body) == make_instance(frames=4, rows=16, columns=16)[-1024:-512]
    assert count(metrics, "frames_decoded") == 0
    executors.close()


def test_queued_work_of_a_client_that_went_away_is_never_begun(archive: Archive) -> None:
    executors, metrics = Executors(1), Metrics()
    service = FrameService(archive, executors, LIMITS, metrics)
    record = archive.instance("1.2.3.4.1")
    busy = threading.Event()
    executors.decode.submit(busy.wait, 10)  # the only decode thread

    async def leave() -> None:
        task = asyncio.create_task(service.rendered(record, 0, RenderSpec(), JPEG, 90, Timings()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(leave())
    busy.set()
    executors.close()
    assert count(metrics, "frames_decoded") == 0


def test_work_goes_on_while_someone_still_waits_for_it() -> None:
    async def run() -> tuple[int, str]:
        flight, begun, gate = SingleFlight(), 0, asyncio.Event()

        async def work() -> str:
            nonlocal begun
            begun += 1
            await gate.wait()
            return "done"

        first = asyncio.create_task(flight.run("key", work))
        second = asyncio.create_task(flight.run("key", work))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        gate.set()
        return begun, await second

    assert asyncio.run(run()) == (1, "done")
