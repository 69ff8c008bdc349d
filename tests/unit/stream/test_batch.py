"""Messages that are made at once, of what is in memory, are those that a thread would make; what is not in memory is left to it."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import imagecodecs
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from renditions import SERIES, STUDY, Made, ct, resident_pages

from engine._native import PackRecords
from engine.archive.renditions.asking import Asking
from engine.stream.batch import SeriesKey, quick_messages, records_of
from engine.stream.framing import Front
from engine.stream.grant import Drop, Grant
from engine.stream.opened import OpenedSeries, OpenSeries

COUNT = 9
KEY = SeriesKey(7, 1)


def lossy(number: int) -> bytes:
    """The same instance as a JPEG of 8 bits: the pack has a small picture of it, and its frame stays where it is stored."""
    ds = pydicom.dcmread(io.BytesIO(ct(number)))
    pixels = (ds.pixel_array >> 4).astype("u1")
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = encapsulate([imagecodecs.jpeg8_encode(pixels, level=90)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def opened(made: Made, front: Front = Front.NONE) -> OpenSeries:
    made.make()
    return OpenedSeries(made.archive, made.shelf, Asking(None)).open(STUDY, SERIES, front)


def chunk(
    series: OpenSeries, position: int, first: int, end: int, level: int = 0, drops: tuple[Drop, ...] = ()
) -> Grant:
    return Grant(None, 1, 5, KEY, position, 1, first, end, level, True, False, end - first, drops)


def run(series: OpenSeries, position: int, count: int, level: int) -> Grant:
    ends = [series.supply.end(at, level) for at in range(position, position + count)]
    return Grant(None, 1, 1 << 40, KEY, position, count, 0, ends[0], level, True, True, sum(ends))


def some_grants(series: OpenSeries, dice: random.Random) -> list[Grant]:
    grants = []
    for _ in range(dice.randrange(1, 12)):
        position = dice.randrange(series.supply.positions)
        if dice.random() < 0.3:
            count = dice.randrange(1, series.supply.positions - position + 1)
            grants.append(run(series, position, count, dice.randrange(series.supply.levels)))
        else:
            first, end = sorted(dice.sample(range(series.supply.size(position) + 1), 2))
            drops = (Drop(KEY, 3, 40), Drop(KEY, 1, 0)) if dice.random() < 0.3 else ()
            grants.append(chunk(series, position, first, end, dice.randrange(series.supply.levels), drops))
    return grants


def test_the_quick_way_makes_the_bytes_of_the_slow_one(tmp_path: Path) -> None:
    large = ct(2, rows=256, columns=320)  # it has an approximate beginning
    others = (ct(number) for number in range(1, COUNT) if number != 2)
    made = Made.of(tmp_path / "archive", *others, large, lossy(COUNT))
    dice, quick, slow = random.Random(4), 0, 0
    for front in (Front.NONE, Front.SMALL, Front.APPROXIMATE, Front.SMALL | Front.APPROXIMATE):
        series = opened(made, front)
        assert sum(small > 0 for small in series.pieces.small) == front.bit_count()
        for _ in range(150):
            batch = [(grant, series) for grant in some_grants(series, dice)]
            messages, lost = records_of(batch, 4096)
            assert not lost
            found = quick_messages(batch, 4096)
            places = {at for grant, _ in batch for at in range(grant.position, grant.position + grant.count)}
            if COUNT - 1 in places:
                assert found is None, "the lossy frame is not in the pack"
                slow += 1
            else:
                assert found is not None
                assert b"".join(found) == b"".join(messages)
                assert [len(one) for one in found] != [] and len(found) <= len(messages) + len(batch)
                quick += 1
    assert quick > 50 and slow > 50


def test_messages_are_no_longer_than_they_may_be(tmp_path: Path) -> None:
    series = opened(Made.of(tmp_path / "archive", *(ct(number) for number in range(1, COUNT))))
    batch = [(chunk(series, position, 0, 100), series) for position in range(COUNT - 1)]
    found = quick_messages(batch, 250)
    assert found is not None and [len(one) for one in found] == [248] * 4
    assert quick_messages(batch, 50) == records_of(batch, 50)[0], "a record is not cut"


def test_small_pictures_are_read_where_they_are(tmp_path: Path) -> None:
    """Frames whose own bytes are in the pack, behind small pictures that are there too."""
    made = Made.of(tmp_path / "archive", *(ct(number) for number in range(1, COUNT)))
    pack = made.make()
    offsets = pack.offsets()
    streams = [bytes(pack.code_stream(pack[at])) for at in range(len(pack))]
    coarse = bytes(pack.coarse)
    smalls = [(10 + at, pack.coarse_at + 3 * at, offsets[at]) for at in range(len(pack))]
    ends = [[small, small + len(stream)] for (small, _, _), stream in zip(smalls, streams, strict=True)]

    def flat(rows: list[tuple[int, ...]] | list[list[int]]) -> bytes:
        return b"".join(value.to_bytes(8, "little", signed=True) for row in rows for value in row)

    records = PackRecords(pack.file.fileno(), 2, flat(ends), flat(smalls))
    whole = [coarse[3 * at : 3 * at + 10 + at] + stream for at, stream in enumerate(streams)]
    for at, stream in enumerate(whole):
        for first, end in ((0, 5), (3, 10 + at), (8, 40), (10 + at, len(stream)), (0, len(stream)), (30, 31)):
            [message] = records.messages([(1, 0, 0, 0, at, 1, first, end, b"")], 1 << 20) or [b""]
            assert message[24:] == stream[first:end]
    [message] = records.messages([(1, 0, 0, 0, 2, 3, 0, 0, b"")], 1 << 20) or [b""]
    assert message[24:] == b"".join(coarse[3 * at : 3 * at + 10 + at] for at in (2, 3, 4))


@pytest.mark.parametrize(
    "grant",
    [
        (1, 0, 0, 0, COUNT, 1, 0, 5, b""), (1, 0, 0, 0, 0, COUNT + 1, 0, 5, b""), (1, 0, 0, 0, 2**32 - 1, 2, 0, 5, b""),
        (1, 0, 0, 0, 0, 0, 0, 5, b""), (1, 9, 0, 0, 0, 1, 0, 5, b""), (1, 0, 0, 0, 0, 1, 5, 5, b""),
        (1, 0, 0, 0, 0, 1, 0, 1 << 30, b""), (1, 0, 0, 0, 0, 1, 1 << 62, 1 << 63, b""),
    ],
)  # fmt: skip
def test_grants_of_no_bytes_of_the_series_are_refused(tmp_path: Path, grant: tuple[int, ...]) -> None:
    series = opened(Made.of(tmp_path / "archive", *(ct(number) for number in range(1, COUNT + 1))))
    assert series.records is not None
    assert series.records.messages([grant], 4096) is None  # type: ignore[list-item]


def test_numbers_that_are_no_series_are_refused(tmp_path: Path) -> None:
    for ends, places in ((bytes(8), bytes(48)), (bytes(7), bytes(24)), (bytes(8), bytes(16))):
        with pytest.raises(ValueError):
            PackRecords(0, 1, ends, places)
    with pytest.raises(ValueError, match="before"):
        PackRecords(0, 1, bytes(8), (5).to_bytes(8, "little") + b"\xff" * 8 + bytes(8))


def test_what_is_not_in_the_page_cache_is_left_to_a_thread(tmp_path: Path) -> None:
    made = Made.of(tmp_path / "archive", *(ct(number, rows=512, columns=512) for number in range(1, 8)))
    series = opened(made)
    [path] = (tmp_path / "archive" / "renditions" / "packs").glob("*.pack")
    batch = [(chunk(series, position, 0, series.supply.size(position)), series) for position in range(7)]
    found: list[bytes] | None = [b""]
    with path.open("rb") as file:
        os.fsync(file.fileno())
        for _ in range(20):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if resident_pages(file.fileno()):
                pytest.skip("this file system does not drop pages when it is asked to")
            found = quick_messages(batch, 1 << 20)
            if found is None:
                break
    if found is not None:
        pytest.skip("this disk has every page there before it can be missed")
    messages, lost = records_of(batch, 1 << 20)
    assert not lost
    assert quick_messages(batch, 1 << 20) == messages, "now it is there"


def test_a_file_that_ends_early_or_cannot_say_what_it_has_is_left_to_a_thread(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(bytes(100))
    ends, places = (200).to_bytes(8, "little"), bytes(24)
    grants = [(1, 0, 0, 0, 0, 1, 50, 150, b"")]
    with (tmp_path / "short").open("rb") as file:
        records = PackRecords(file.fileno(), 1, ends, places)
        assert records.messages([(1, 0, 0, 0, 0, 1, 50, 100, b"")], 999) is not None
        assert records.messages(grants, 999) is None
    with Path("/proc/self/maps").open("rb") as file:  # no page cache: preadv2 refuses RWF_NOWAIT
        assert PackRecords(file.fileno(), 1, ends, places).messages(grants, 999) is None


def test_grants_of_several_series_are_left_to_a_thread(tmp_path: Path) -> None:
    made = Made.of(tmp_path / "archive", ct(1), ct(2))
    one, other = opened(made), opened(made, Front.SMALL)
    assert one is not other or one.records is not None
    grant = chunk(one, 0, 0, 9)
    assert quick_messages([(grant, one), (grant, None)], 4096) is None
    assert quick_messages([(grant, None)], 4096) is None
