"""Reads counted: a plain image is shown without its header; one that needs it has it read once, whatever is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from archives import incoming
from data import make_instance
from pictures import image, lut_item, part10

from engine.archive.archive import Archive
from engine.archive.records import InstanceRecord
from engine.dicom.display import DisplayHeader
from engine.dicom.frame import FrameDescriptor, Window
from engine.errors import UnsupportedPixels
from engine.executors import Executors
from engine.imaging.spec import IccProfile, RenderSpec, Values
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.frames import JPEG, PNG, FrameService
from engine.stream.headers import Headers
from engine.types import Timings

LIMITS = Limits()
PIXELS = np.arange(3 * 16 * 16, dtype=np.uint16).reshape(3, 16, 16)
PLAIN, WITH_LUT, COLOUR = "1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"


@pytest.fixture
def archive() -> Archive:
    archive = Archive.in_memory(LIMITS)
    with_lut = image(PIXELS, "DX", VOILUTSequence=[lut_item(0, np.arange(768) // 3, 8)], WindowCenter=9, WindowWidth=9)
    colour = image(np.zeros((8, 8, 3), np.uint8), photometric="RGB")
    for uid, ds in ((WITH_LUT, with_lut), (COLOUR, colour)):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
    plain = make_instance(PLAIN, frames=3, rows=16, columns=16)
    archive.store([incoming(plain), incoming(part10(with_lut)), incoming(part10(colour))])
    return archive


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every call of the reader of headers, by what it was."""
    made: list[str] = []
    read, kept = Headers.read, Headers.kept

    def counted_read(self: Headers, record: InstanceRecord, descriptor: FrameDescriptor) -> DisplayHeader:
        made.append("read")
        return read(self, record, descriptor)

    def counted_kept(self: Headers, record: InstanceRecord) -> DisplayHeader | None:
        made.append("kept")
        return kept(self, record)

    monkeypatch.setattr(Headers, "read", counted_read)
    monkeypatch.setattr(Headers, "kept", counted_kept)
    yield made


def show(archive: Archive, uid: str, *wanted: tuple[int, RenderSpec]) -> int:
    """Two pictures of each (frame index, spec), one after the other by one service.

    Returns how often the archive's bytes were read beside once for each picture: native pixels are read from where they
    are stored each time, and not kept a second time.
    """
    executors, before = Executors(2), archive.reads
    service = FrameService(archive, executors, LIMITS, Metrics())
    record = archive.instance(uid)

    async def ask() -> None:
        for frame_index, spec in wanted:
            await service.rendered(record, frame_index, spec, PNG, 0, Timings())
            await service.rendered(record, frame_index, spec, JPEG, 90, Timings())

    asyncio.run(ask())
    executors.close()
    return archive.reads - before - 2 * len(wanted)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": Window(40.0, 400.0)},
        {"width": 8, "height": 8},
        {"region": (2, 2, 8, 8)},
        {"overlays": True},
        {"icc_profile": IccProfile.SRGB},
    ],
)
def test_a_plain_ct_is_shown_without_its_header(archive: Archive, calls: list[str], options: dict[str, Any]) -> None:
    spec = RenderSpec(**options)
    assert show(archive, PLAIN, (0, spec), (1, spec), (2, spec)) == 0
    assert calls == []


def test_a_plain_colour_image_too(archive: Archive, calls: list[str]) -> None:
    assert show(archive, COLOUR, (0, RenderSpec()), (0, RenderSpec(icc_profile=IccProfile.DISPLAY_P3))) == 0
    assert calls == []


def test_a_header_is_read_once_for_all_frames(archive: Archive, calls: list[str]) -> None:
    usual = RenderSpec()
    assert show(archive, WITH_LUT, (0, usual), (1, usual), (2, usual), (0, RenderSpec(width=8))) == 1
    assert calls.count("read") == 1


def test_a_window_that_is_asked_for_needs_no_lut_and_no_header(archive: Archive, calls: list[str]) -> None:
    assert show(archive, WITH_LUT, (0, RenderSpec(Window(300.0, 200.0)))) == 0
    assert calls == []


def test_other_values_need_the_header(archive: Archive, calls: list[str]) -> None:
    with pytest.raises(UnsupportedPixels, match="no map"):
        show(archive, PLAIN, (0, RenderSpec(values=Values.REAL_WORLD)))
    assert calls == ["kept", "read"]
