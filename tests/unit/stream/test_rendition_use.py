"""What a rendition answers instead of the stored frame: the very same, in less time; and what it never answers."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from renditions import LIMITS, SERIES, Made, as_j2k, ct
from stored_forms import Case, cases

from engine.archive.archive import Archive
from engine.dicom.frame import Window
from engine.executors import Executors
from engine.imaging.spec import RenderSpec
from engine.stream.beginnings import beginning
from engine.stream.frame_size import FrameSize, Rounding
from engine.stream.frames import PNG, FrameService
from engine.stream.transcoding import HTJ2K_SYNTAXES, recoded_frame
from engine.types import Timings

SLOW = [one for one in cases() if one.uid[17:] in (".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".4.110")]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    one = Made.of(tmp_path, as_j2k(ct(1, rows=200, columns=256)), ct(2))
    yield one
    one.archive.close()


def service(made: Made) -> tuple[FrameService, Executors]:
    executors = Executors(1)
    fresh = FrameService(made.archive, executors, LIMITS, made.metrics)
    fresh.decoded.shelf = made.shelf
    return fresh, executors


def picture(made: Made, spec: RenderSpec, uid: str = f"{SERIES}.1") -> tuple[bytes, Timings]:
    frames, _ = service(made)
    timings = Timings()
    record = made.archive.instance(uid)
    return asyncio.run(frames.rendered(record, 0, spec, PNG, 0, timings)), timings


SIZES = [RenderSpec(), *(RenderSpec(Window(900.0, 1800.0), width=n, height=n) for n in (128, 100, 50, 20))]


@pytest.mark.parametrize("spec", SIZES, ids=lambda spec: str(spec.width))
def test_pictures_are_the_same_with_and_without(made: Made, spec: RenderSpec) -> None:
    plain, timings = picture(made, spec)
    assert "rendition" not in timings.notes
    made.make()
    through, timings = picture(made, spec)
    assert through == plain
    assert timings.notes["rendition"]
    assert made.count("rendition_hits") == 1


@pytest.mark.parametrize("case", SLOW, ids=lambda case: f"{case.uid[17:]} {case.form.name}")
def test_so_are_those_of_every_slow_form(tmp_path: Path, case: Case) -> None:
    made = Made.in_memory(tmp_path, case.content)
    specs = [RenderSpec(width=n, height=n) for n in (64, 30, 14)]
    plain = [picture(made, spec, "1.2.3.4.1")[0] for spec in specs]
    made.make()
    assert [picture(made, spec, "1.2.3.4.1")[0] for spec in specs] == plain


def test_native_pixels_come_from_it(made: Made) -> None:
    made.make()
    frames, _ = service(made)
    record, timings = made.archive.instance(f"{SERIES}.1"), Timings()
    body = asyncio.run(frames.native(record, 0, timings))
    assert timings.notes["rendition"]
    expected = pydicom.dcmread(io.BytesIO(ct(1, rows=200, columns=256))).PixelData
    assert bytes(body) == expected


def test_stored_frames_are_never_read_from_it(made: Made) -> None:
    made.make()
    frames, _ = service(made)
    for number in (1, 2):
        record, timings = made.archive.instance(f"{SERIES}.{number}"), Timings()
        stored = asyncio.run(frames.stored(record, 0, timings))
        assert bytes(stored.body) == bytes(made.archive.frame_bytes(record, 0) or b"")
        assert stored.transfer_syntax_uid == record.transfer_syntax_uid
    picture(made, RenderSpec(), f"{SERIES}.2")  # native: quicker than any code stream
    assert made.count("rendition_hits") == 0


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"])
@pytest.mark.parametrize("number", [1, 2])
def test_htj2k_is_sent_as_it_is(made: Made, uid: str, number: int) -> None:
    record = made.archive.instance(f"{SERIES}.{number}")

    def ask() -> tuple[bytes, Timings]:
        frames, executors = service(made)
        timings = Timings()
        work: Any = recoded_frame(frames, executors, LIMITS, made.metrics, record, 0, uid, timings)
        return bytes(asyncio.run(work)), timings

    coded, timings = ask()
    assert "encode" in timings.steps
    made.make()
    ready, timings = ask()
    assert ready == coded
    assert "encode" not in timings.steps
    assert timings.notes["rendition"]


def test_a_damaged_one_is_not_shown(made: Made) -> None:
    pack = made.make()
    plain, _ = picture(made, RenderSpec())
    with pack.path.open("r+b") as file:
        file.seek(pack[0].offset + 2000)
        file.write(b"\x55\xaa\x55")
    again, timings = picture(made, RenderSpec())
    assert again == plain
    assert "rendition" not in timings.notes
    assert made.files == []


def test_another_smaller_image_is_not_shown(tmp_path: Path) -> None:
    """9/7 wavelets average otherwise: the small picture is the stored frame's own, the whole one comes from the rendition."""
    case = next(one for one in SLOW if one.uid.endswith(".4.91") and one.form.name == "12 in 16 bits")
    made = Made.in_memory(tmp_path, case.content)
    assert made.make()[0].halvings == -1
    assert (
        "rendition" not in picture(made, RenderSpec(Window(900.0, 1800.0), width=16, height=16), "1.2.3.4.1")[1].notes
    )
    assert "rendition" in picture(made, RenderSpec(Window(900.0, 1800.0)), "1.2.3.4.1")[1].notes


def test_values_are_equal_at_every_size(made: Made) -> None:
    made.make()
    frames, _ = service(made)
    record = made.archive.instance(f"{SERIES}.1")
    for by in range(4):
        plain = frames.decoded.decode(record, 0, made.archive.frame_bytes(record, 0), by)
        through = frames.decoded.rendition(record, 0, by=by)
        assert through is not None
        assert through.reduce == plain.reduce == by
        assert np.array_equal(through.stored_values, plain.stored_values)


def test_a_frame_that_has_no_pack_yet_is_coded_once_for_all_its_ranges(made: Made) -> None:
    """Byte ranges come one behind the other, and from several viewers at the same time."""
    frames, executors = service(made)
    record, size = made.archive.instance(f"{SERIES}.1"), FrameSize(64, 64, Rounding.DOWN)

    async def ask() -> list[bytes]:
        def one(uid: str) -> Awaitable[bytes]:
            return recoded_frame(frames, executors, LIMITS, made.metrics, record, 0, uid, Timings())

        at_once = await asyncio.gather(*(one(uid) for uid in HTJ2K_SYNTAXES))
        small = await beginning(frames, executors, LIMITS, made.metrics, record, 0, size, Timings())
        assert 0 < len(small.body) < len(at_once[0])
        return [*at_once, await one(HTJ2K_SYNTAXES[1]), bytes(small.body)]

    found = asyncio.run(ask())
    assert made.count("frames_decoded") == 1
    assert len(set(found[:4])) == 1
    assert found[0].startswith(found[4]), "a range of the whole one"
    stored = pydicom.dcmread(io.BytesIO(ct(1, rows=200, columns=256))).pixel_array
    assert np.array_equal(imagecodecs.htj2k_decode(found[0]), stored)


def test_another_instance_under_the_same_uid_is_coded_anew(tmp_path: Path) -> None:
    made = Made(Archive.open(tmp_path, LIMITS, on_conflict="replace"), LIMITS)
    made.store(ct(1))
    frames, executors = service(made)

    def now() -> bytes:
        record = made.archive.instance(f"{SERIES}.1")
        asked = recoded_frame(frames, executors, LIMITS, made.metrics, record, 0, HTJ2K_SYNTAXES[1], Timings())
        return asyncio.run(asked)

    before = imagecodecs.htj2k_decode(now())
    made.store(ct(9).replace(f"{SERIES}.9".encode(), f"{SERIES}.1".encode()))
    after = imagecodecs.htj2k_decode(now())
    assert np.array_equal(after, pydicom.dcmread(io.BytesIO(ct(9))).pixel_array)
    assert not np.array_equal(before, after)
    made.archive.close()
