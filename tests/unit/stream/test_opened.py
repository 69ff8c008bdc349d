"""Opening a series: what a pack says by itself is what the index says with it; the second who opens it costs next to nothing."""

from __future__ import annotations

import io
import json
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydicom
import pytest
from renditions import LIMITS, SERIES, STUDY, Made, as_j2k, ct

from engine.archive.archive import Archive
from engine.archive.renditions.asking import Asking
from engine.archive.renditions.pack import Pack
from engine.errors import SeriesNotFound
from engine.stream.opened import OpenedSeries


@pytest.fixture
def made(tmp_path: Path) -> Made:
    own = Made.of(tmp_path / "archive", *(ct(number) for number in range(1, 6)), as_j2k(ct(6)))
    own.make()
    return own


def test_a_pack_with_all_frames_says_what_the_index_says(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    assert made.make().is_all_made
    short = made.pieces()
    monkeypatch.setattr(Pack, "is_all_made", False)
    long = made.pieces()
    assert short.frames == long.frames
    assert len(short.frames) == 6
    assert (short.version, short.is_complete) == (long.version, long.is_complete) == (long.version, True)
    for place, frame in enumerate(short.frames):
        assert bytes(short.read(place)) == bytes(long.read(place))
        assert len(short.read_bytes(place, 0, frame.ends[0])) == frame.ends[0]


def test_a_pack_that_lacks_a_frame_does_not_speak_for_the_series(made: Made) -> None:
    made.store(ct(7))
    found = made.pieces()
    assert len(found.frames) == 7
    assert not found.is_complete
    made.make()
    assert made.pieces().is_complete


def test_the_second_opening_reads_nothing_of_the_frames(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = OpenedSeries(made.archive, made.shelf, Asking(None))
    first = opened.open(STUDY, SERIES)
    with monkeypatch.context() as no_reading:
        no_reading.setattr(Pack, "__getitem__", lambda pack, place: pytest.fail("a frame was read"))
        no_reading.setattr(made.archive, "walk", lambda *uids: pytest.fail("the index was walked"))
        assert opened.open(STUDY, SERIES) is first


def test_what_has_changed_is_opened_anew(made: Made) -> None:
    opened = OpenedSeries(made.archive, made.shelf, Asking(None))
    first = opened.open(STUDY, SERIES)
    made.store(ct(7))
    second = opened.open(STUDY, SERIES)
    assert second.supply.positions == first.supply.positions + 1
    made.make()
    third = opened.open(STUDY, SERIES)
    assert (second.is_complete, third.is_complete) == (False, True)
    assert len({first.tag, second.tag, third.tag}) == 3


def test_what_was_replaced_is_opened_anew_though_it_has_the_same_size(tmp_path: Path) -> None:
    """Native pixels of one shape have one length; whoever has the old ones open keeps them, and nobody else gets them."""
    made = Made(Archive.in_memory(LIMITS, on_conflict="replace"), packs=tmp_path)
    made.store(ct(1))
    opened = OpenedSeries(made.archive, made.shelf, Asking(None))
    first = opened.open(STUDY, SERIES)
    other = ct(1).replace(b"\x07\x00", b"\x08\x00")
    assert len(other) == len(ct(1))
    assert other != ct(1)
    made.store(other)
    second = opened.open(STUDY, SERIES)
    assert second.tag != first.tag
    assert b"".join(second.pieces.read_bytes(0, 0, 24576)) != b"".join(first.pieces.read_bytes(0, 0, 24576))
    assert b"".join(second.pieces.read_bytes(0, 0, 24576)) in other


def test_a_series_that_is_gone_is_not_opened_from_memory(made: Made) -> None:
    opened = OpenedSeries(made.archive, made.shelf, Asking(None))
    opened.open(STUDY, SERIES)
    made.archive.delete(study_uid=STUDY, series_uid=SERIES)
    with pytest.raises(SeriesNotFound):
        opened.open(STUDY, SERIES)


def as_float(content: bytes) -> bytes:
    """The same instance with its values in Float Pixel Data (PS3.3 C.7.6.24)."""
    ds = pydicom.dcmread(io.BytesIO(content))
    values = ds.pixel_array.astype("<f4") / 7
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.BitsAllocated, ds.FloatPixelData = 32, values.tobytes()
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def as_32_bits(content: bytes) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(content))
    ds.PixelData = ds.pixel_array.astype("<u4").tobytes()
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 32, 32, 31
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def test_the_table_tells_floating_point_from_whole_numbers_of_as_many_bits(tmp_path: Path) -> None:
    made = Made.of(tmp_path / "archive", ct(1), as_float(ct(2)), as_32_bits(ct(3)))
    made.make()
    opened = OpenedSeries(made.archive, made.shelf, Asking(None)).open(STUDY, SERIES)
    table = json.loads(zlib.decompress(opened.table))
    is_float = [at in table["floatCells"] for at in table["frameCells"]]
    assert is_float == [False, True, False]
    assert [table["cells"][at][1] for at in table["frameCells"]] == [16, 32, 32]
    stored = np.frombuffer(made.pieces().read(1), "<f4")
    assert np.array_equal(
        stored.reshape(96, 128), pydicom.dcmread(io.BytesIO(ct(2))).pixel_array.astype("f4") / np.float32(7)
    )


def test_series_that_were_opened_once_do_not_keep_their_files_open_for_ever(tmp_path: Path) -> None:
    """Radiographs: a series of one frame each, any number of them in a day."""
    names = [f"{SERIES}.{number}" for number in range(100)]
    made = Made.of(tmp_path / "archive", *(ct(1, series=name, rows=64, columns=64) for name in names))
    for name in names:
        made.make(name)
    opened = OpenedSeries(made.archive, made.shelf, Asking(None))
    most = 0
    for name in names:
        opened.open(STUDY, name)
        most = max(most, _packs_open())
    assert 2 <= most <= 2 * 64 + 2, "64 on the shelf, and what reads them"


def _packs_open() -> int:
    found = 0
    for file in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder that is being listed
            found += file.readlink().suffix == ".pack"
    return found


def test_one_large_scout_does_not_coarsen_what_the_slices_need(tmp_path: Path) -> None:
    made = Made.of(
        tmp_path / "archive", ct(1, rows=512, columns=512), *(ct(n, rows=128, columns=128) for n in range(2, 7))
    )
    made.make()
    opened = OpenedSeries(made.archive, made.shelf, Asking(None)).open(STUDY, SERIES)
    table = json.loads(zlib.decompress(opened.table))
    need = opened.supply.level_for(128, 128)
    for position, row in enumerate(table["frames"]):
        if row[2] == 128:
            assert opened.supply.end(position, need) == row[-1], "all of a slice of 128 pixels, on 128 pixels"
    assert opened.supply.level_for(64, 64) == need - 1


def test_a_series_of_whole_numbers_says_nothing_of_floating_point(made: Made) -> None:
    opened = OpenedSeries(made.archive, made.shelf, Asking(None)).open(STUDY, SERIES)
    assert "floatCells" not in json.loads(zlib.decompress(opened.table))
