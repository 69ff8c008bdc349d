"""What native code makes of stored cells in one pass is, byte for byte, the picture of the long way; and it knows when not to."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from archives import incoming
from data import make_instance

from engine._native import has_jpeg_grey
from engine.archive.archive import Archive
from engine.dicom.frame import VoiLutFunction, Window
from engine.executors import Executors
from engine.imaging.spec import RenderSpec
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream import straight
from engine.stream.frames import JPEG, FrameService
from engine.types import Timings

pytestmark = pytest.mark.skipif(not has_jpeg_grey(), reason="this processor has no AVX-512: there is only the long way")
LINEAR = (Window(40.0, 400.0), Window(300.0, 1.0), Window(600.5, 37.25), Window(1000.0, 2001.0))


def stored(ds: dict[str, Any], pixels: np.ndarray[Any, Any], frames: int = 1) -> bytes:
    """A CT instance of these cells, with attributes set or (None) taken out."""
    rows, columns = pixels.shape[-2:]
    whole = pydicom.dcmread(
        io.BytesIO(make_instance(rows=rows, columns=columns, frames=frames, pixels=pixels.astype("<u2").tobytes()))
    )
    for name, value in ds.items():
        if name == "PixelPaddingValue":
            whole.add_new(name, "US", value)
        else:
            setattr(whole, name, value)
    sink = io.BytesIO()
    whole.save_as(sink)
    return sink.getvalue()


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[bytes, bytes, int]]]:
    """Stores an instance and gives the picture by either way, and how often native code made one."""
    archive, executors = Archive.open(tmp_path / "a", on_conflict="replace"), Executors(1)
    service = FrameService(archive, executors, Limits(), Metrics())
    calls: list[None] = []
    made = straight.jpeg_of_cells
    monkeypatch.setattr(straight, "jpeg_of_cells", lambda *a: (calls.append(None), made(*a))[1])

    def both(part10: bytes, spec: RenderSpec, frame_index: int = 0) -> tuple[bytes, bytes, int]:
        archive.store([incoming(part10, received_ns=len(calls) + 1)])
        record = archive.instance("1.2.3.4.1")

        async def ask() -> bytes:
            return await service.rendered(record, frame_index, spec, JPEG, 90, Timings())

        before = len(calls)
        quick = asyncio.run(ask())
        count = len(calls) - before
        with monkeypatch.context() as patch:
            patch.setattr(straight, "has_jpeg_grey", lambda: False)
            return quick, asyncio.run(ask()), count

    yield both
    executors.close()
    archive.close()


@pytest.mark.parametrize("shape", [(16, 16), (33, 47), (5, 100), (130, 9)])
@pytest.mark.parametrize(("stored_bits", "high"), [(16, 15), (12, 11), (12, 15), (13, 13), (10, 9), (1, 0)])
@pytest.mark.parametrize("signed", [0, 1])
def test_both_ways_give_the_same_bytes(
    pictures: Callable[..., tuple[bytes, bytes, int]], shape: tuple[int, int], stored_bits: int, high: int, signed: int
) -> None:
    cells = np.random.default_rng(stored_bits * 100 + high).integers(
        0, 65536, shape
    )  # what is above and below is noise
    ds: dict[str, Any] = {"BitsStored": stored_bits, "HighBit": high, "PixelRepresentation": signed}
    for number, window in enumerate(LINEAR):
        ds["PhotometricInterpretation"] = ("MONOCHROME2", "MONOCHROME1")[number % 2]
        ds["RescaleSlope"], ds["RescaleIntercept"] = ((1, 0), (1, -1024), (0.5, 17), (-2, 100))[number]
        quick, slow, count = pictures(stored(ds, cells), RenderSpec(window=window))
        assert quick == slow, (shape, stored_bits, high, signed, window)
        assert count == 1


def test_the_headers_own_window_and_each_frame_of_several(pictures: Callable[..., tuple[bytes, bytes, int]]) -> None:
    cells = np.random.default_rng(3).integers(0, 4096, (3, 20, 40))
    part10 = stored({"WindowCenter": 900, "WindowWidth": 700}, cells, frames=3)
    seen = set()
    for frame_index in range(3):
        quick, slow, count = pictures(part10, RenderSpec(), frame_index)
        assert (quick == slow, count) == (True, 1)
        seen.add(quick)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("ds", "spec"),
    [
        ({}, RenderSpec()),  # nobody says a window: the pixels do
        ({}, RenderSpec(window=Window(40.0, 400.0, VoiLutFunction.SIGMOID))),
        ({}, RenderSpec(window=Window(40.0, 400.0), width=8, height=8)),
        ({}, RenderSpec(window=Window(40.0, 400.0), region=(2, 2, 8, 8))),
        ({"PixelPaddingValue": 2000}, RenderSpec(window=Window(40.0, 400.0))),  # padding that a window would show white
    ],
)
def test_what_is_more_than_a_straight_line_takes_the_long_way(
    pictures: Callable[..., tuple[bytes, bytes, int]], ds: dict[str, Any], spec: RenderSpec
) -> None:
    cells = np.random.default_rng(4).integers(0, 4096, (16, 16))
    quick, slow, count = pictures(stored(ds, cells), spec)
    assert (quick == slow, count) == (True, 0)


def test_another_header_under_the_same_window_has_another_line(
    pictures: Callable[..., tuple[bytes, bytes, int]],
) -> None:
    cells, spec = np.random.default_rng(5).integers(0, 4096, (16, 16)), RenderSpec(window=Window(40.0, 400.0))
    for slope in (1, 2, 1):
        quick, slow, count = pictures(stored({"RescaleSlope": slope, "RescaleIntercept": -7}, cells), spec)
        assert (quick == slow, count) == (True, 1)


def test_what_the_page_cache_does_not_have_is_not_waited_for(
    pictures: Callable[..., tuple[bytes, bytes, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(straight, "jpeg_of_cells", lambda *_: None)
    cells = np.random.default_rng(6).integers(0, 4096, (16, 16))
    quick, slow, _ = pictures(stored({}, cells), RenderSpec(window=Window(40.0, 400.0)))
    assert quick == slow
