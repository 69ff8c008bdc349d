"""What a pack of renditions promises: the very pixels, beginnings that are smaller images, whole or not there at all."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import imagecodecs
import numpy as np
import openjpeg
import pydicom
import pytest
from archives import incoming
from renditions import LIMITS, RPCL, SERIES, STUDY, Made, as_j2k, ct
from stored_forms import Case, cases

from engine.archive.index import series_key
from engine.archive.renditions.pack import HEAD_BYTES, CoarseKind, FrameKind, PackFrame
from engine.archive.renditions.shelf import Shelf
from engine.codec.registry import decode_frame
from engine.codec.rendition import decode_rendition
from engine.errors import TooLarge
from engine.limits import Limits

LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 81, 91, 93, 111, 112, 203)}
CASES = list(cases())


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    one = Made.of(tmp_path, *(ct(n) for n in range(1, 5)))
    yield one
    one.archive.close()


def coarse_of(made: Made, place: int) -> bytes:
    pieces = made.pieces()
    span = pieces.frames[place].coarse
    assert span is not None
    return bytes(pieces.coarse[span[0] : span[0] + span[1]])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.uid[17:]} {case.form.name}")
def test_every_stored_form_comes_back_or_says_why_not(tmp_path: Path, case: Case) -> None:
    made = Made.in_memory(tmp_path, case.content)
    frame, record = made.make()[0], made.archive.instance("1.2.3.4.1")
    body = made.archive.frame_bytes(record, 0)
    assert record.frame_descriptor is not None
    assert body is not None
    pieces = made.pieces()
    assert pieces.is_complete
    code = bytes(pieces.read(0))
    if frame.kind is FrameKind.STORED:
        assert frame.reason
        assert code == bytes(body)
        assert pieces.frames[0].reason == frame.reason
        is_beyond = case.form.bits_allocated in (1, 32, 64) or case.form.keyword != "PixelData"
        assert is_beyond or "JPEG" in frame.reason
    else:
        # Another program than the one that made it: what it gives is what was encoded for the test.
        values = np.asarray(openjpeg.decode(code))
        if case.uid not in LOSSY:
            stored = case.form.values()
            assert np.array_equal(values.astype(stored.dtype), stored)
        assert pieces.frames[0].ends[-1] == len(code)
    if frame.kind is FrameKind.MADE:
        descriptor, photometric = record.frame_descriptor, frame.photometric_interpretation
        back = decode_rendition(descriptor, code, photometric, frame.bits, LIMITS)
        plain = decode_frame(descriptor, body, LIMITS)
        assert np.array_equal(back.stored_values, plain.stored_values)
        assert back.stored_values.dtype == plain.stored_values.dtype
        assert back.photometric_interpretation == plain.photometric_interpretation
    made.archive.close()


def test_beginnings_are_the_smaller_images(made: Made) -> None:
    made.make()
    pieces = made.pieces()
    for place, frame in enumerate(pieces.frames):
        whole = bytes(pieces.read(place))
        assert frame.transfer_syntax_uid == RPCL
        assert len(frame.ends) == 6
        assert all(a < b for a, b in pairwise(frame.ends))
        for piece in range(6):
            begun = b"".join(bytes(pieces.read(place, r, r)) for r in range(piece + 1))
            assert begun == whole[: frame.ends[piece]]
            smaller = imagecodecs.htj2k_decode(begun, skipres=5 - piece)
            assert smaller.shape == frame.size_at(piece)
            assert np.array_equal(smaller, imagecodecs.htj2k_decode(whole, skipres=5 - piece))


def test_the_small_pictures_are_beginnings_in_one_blob(made: Made) -> None:
    made.make()
    pieces = made.pieces()
    spans = [frame.coarse for frame in pieces.frames]
    assert [span[0] for span in spans if span] == [sum(s[1] for s in spans[:n] if s) for n in range(len(spans))]
    assert len(pieces.coarse) == sum(span[1] for span in spans if span)
    for place, frame in enumerate(pieces.frames):
        assert frame.size_at(frame.coarse_pieces - 1) == (48, 64)
        assert coarse_of(made, place) == bytes(pieces.read(place, frame.coarse_pieces - 1))


def test_slices_are_in_order_whatever_came_first(tmp_path: Path) -> None:
    made = Made.of(tmp_path, ct(3), ct(1), ct(2))
    pack = made.make()
    assert [one.sop_instance_uid[-1] for one in pack.instances] == ["1", "2", "3"]
    assert [frame.sop_instance_uid[-1] for frame in made.pieces().frames] == ["1", "2", "3"]
    assert pack.instance_at(1).sop_instance_uid == pack.instances[1].sop_instance_uid


def test_without_a_pack_every_frame_is_one_stored_piece(made: Made) -> None:
    pieces = made.pieces()
    assert not pieces.is_complete
    assert len(pieces.coarse) == 0
    assert [frame.ends for frame in pieces.frames] == [(96 * 128 * 2,)] * 4
    assert bytes(pieces.read(2)) == pydicom.dcmread(io.BytesIO(ct(3))).PixelData


def test_what_comes_later_voids_the_completeness_and_costs_only_itself(made: Made) -> None:
    made.make()
    assert made.pieces().is_complete
    made.archive.store([incoming(ct(5), 9)])
    pieces = made.pieces()
    assert not pieces.is_complete
    assert [len(frame.ends) for frame in pieces.frames] == [6, 6, 6, 6, 1]
    assert made.count("rendition_frames_made") == 4
    made.make()
    assert made.pieces().is_complete
    assert made.count("rendition_frames_made") == 5


def test_a_damaged_frame_is_not_taken_over(made: Made) -> None:
    pack = made.make()
    good = bytes(pack.code_stream(pack[1]))
    with pack.path.open("r+b") as file:
        file.seek(pack[1].offset + 300)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    again = made.make()
    assert bytes(again.code_stream(again[1])) == good
    assert made.count("rendition_frames_made") == 5


def test_a_frame_of_many_bytes_begins_with_an_approximate_one(tmp_path: Path) -> None:
    made = Made.of(tmp_path, *(ct(n, rows=256, columns=320) for n in (1, 2)))
    pack = made.make()
    for place, frame in enumerate(made.pieces().frames):
        entry = pack[place]
        assert entry.coarse_kind is CoarseKind.APPROXIMATE
        assert frame.approximate == entry.coarse_ends
        assert len(frame.approximate) == len(frame.ends) - 2
        assert frame.approximate[-1] == entry.coarse_length
        assert 1.5 * entry.coarse_length < frame.ends[-3]
        assert frame.cells == (1, 16, 12, 11, 0, 0)
        code = coarse_of(made, place)
        for at, end in enumerate(frame.approximate):
            less = len(frame.approximate) - 1 - at
            assert imagecodecs.htj2k_decode(code[:end], skipres=less).shape == frame.size_at(at)
        assert pack.is_sound(entry)
    made.archive.close()


def test_a_damaged_beginning_is_not_taken_over(tmp_path: Path) -> None:
    made = Made.of(tmp_path, *(ct(n, rows=256, columns=320) for n in (1, 2)))
    pack = made.make()
    before = bytes(pack.coarse)
    with pack.path.open("r+b") as file:
        at = pack.path.read_bytes().index(before) + pack[0].coarse_length - 9
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))
    made.store(ct(3, rows=256, columns=320))
    assert not made.shelf.find(STUDY, SERIES).is_sound(pack[0])  # type: ignore[union-attr]
    again = made.make()
    assert made.count("rendition_frames_made") == 4, "two, the damaged one again, the new one"
    assert all(again.is_sound(again[place]) for place in range(3))
    made.archive.close()


def test_another_encoder_makes_it_anew(made: Made) -> None:
    made.make()
    series = made.archive.series(STUDY, SERIES)
    assert made.shelf.is_current(series, made.maker.encoder)
    made.maker.encoder = "another"
    assert not made.shelf.is_current(series, made.maker.encoder)
    made.make()
    assert made.shelf.is_current(series, made.maker.encoder)
    assert made.count("rendition_frames_made") == 8


def test_what_is_deleted_is_in_no_pack_and_a_reader_goes_on(made: Made) -> None:
    made.make()
    pieces = made.pieces()
    before = bytes(pieces.read(1))
    made.archive.delete(sop_uid=f"{SERIES}.2")
    assert [frame.sop_instance_uid[-1] for frame in made.pieces().frames] == ["1", "3", "4"]
    again = made.make()
    assert [one.sop_instance_uid[-1] for one in again.instances] == ["1", "3", "4"]
    assert made.shelf.remove(series_key(STUDY, SERIES))
    assert made.files == []
    assert bytes(pieces.read(1)) == before
    assert made.shelf.find(STUDY, SERIES) is None


def test_a_series_deleted_while_its_pack_is_made_leaves_none(made: Made) -> None:
    steps = made.maker.make(STUDY, SERIES, 1)
    next(steps)
    made.archive.delete(study_uid=STUDY)
    assert list(steps) == []
    assert made.files == []


def test_other_bytes_under_the_same_uid_are_another_frame(tmp_path: Path) -> None:
    from engine.archive.archive import REPLACE, Archive

    made = Made(Archive.open(tmp_path, LIMITS, on_conflict=REPLACE))
    made.store(ct(1))
    made.make()
    other = ct(1).replace(b"DOE^JANE", b"ROE^JANE")
    made.archive.store([incoming(other, 5)])
    record = made.archive.instance(f"{SERIES}.1")
    assert made.shelf.frame_of(record, 0) is None
    assert not made.pieces().is_complete
    made.make()
    assert made.shelf.frame_of(record, 0) is not None
    made.archive.close()


def test_a_maker_that_stops_leaves_nothing(made: Made) -> None:
    steps = made.maker.make(STUDY, SERIES, 1)
    next(steps)
    assert len(made.files) == 1
    made.shelf.sweep([])  # alive: not swept
    assert len(made.files) == 1
    steps.close()
    assert made.files == []
    assert made.shelf.find(STUDY, SERIES) is None


def test_stored_pyramids_are_used_as_they_are(tmp_path: Path) -> None:
    case = next(one for one in CASES if one.uid == RPCL and one.form.name == "12 in 16 bits")
    made = Made.of(tmp_path, case.content)
    pack, record = made.make(), made.archive.instance("1.2.3.4.1")
    assert pack[0].kind is FrameKind.KEPT
    pieces = made.pieces()
    assert bytes(pieces.read(0)) == bytes(made.archive.frame_bytes(record, 0) or b"")
    for piece, end in enumerate(pieces.frames[0].ends):
        smaller = imagecodecs.htj2k_decode(bytes(pieces.read(0, piece)), skipres=4 - piece)
        assert smaller.shape == pieces.frames[0].size_at(piece), end
    assert pack.size_bytes < len(case.content) + 1000
    made.archive.close()


def test_indexes_into_a_palette_have_no_smaller_beginning(tmp_path: Path) -> None:
    case = next(one for one in CASES if one.form.photometric == "PALETTE COLOR" and one.uid.endswith(".4.80"))
    made = Made.of(tmp_path, case.content)
    frame = made.make()[0]
    assert frame.ends == (frame.length,)
    made.archive.close()


def test_values_beyond_bits_stored_come_back_too(tmp_path: Path) -> None:
    """JPEG 2000 of 16 bits under a header of 12, and values in all of them: what the decoder gives is what is kept."""
    content = as_j2k(ct(1))
    ds = pydicom.dcmread(io.BytesIO(content))
    values = ds.pixel_array.astype(np.uint16)
    values[:8] |= 0xA000
    from pydicom.encaps import encapsulate

    ds.PixelData = encapsulate([bytes(imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat="j2k"))])
    ds["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    ds.save_as(out)
    made = Made.of(tmp_path, out.getvalue())
    pack = made.make()
    assert (pack[0].kind, pack[0].bits) == (FrameKind.MADE, 16)
    assert np.array_equal(openjpeg.decode(bytes(pack.code_stream(pack[0]))), values)
    made.archive.close()


def test_the_least_used_leave_first_and_only_for_newer_ones(tmp_path: Path) -> None:
    made = Made.of(tmp_path, *(ct(1, series=f"1.2.3.{n}") for n in (1, 2, 3, 4)))
    size = made.make("1.2.3.1", used_ns=10).size_bytes
    tight = Made(made.archive, Limits(rendition_bytes_max=int(size * 3.2), rendition_reserve_bytes=1))
    for n, used in ((2, 20), (3, 30)):
        tight.make(f"1.2.3.{n}", used_ns=used)
    with pytest.raises(TooLarge):
        tight.make("1.2.3.4", used_ns=5)
    assert len(tight.files) == 3
    tight.make("1.2.3.4", used_ns=40)
    assert [tight.shelf.find(STUDY, f"1.2.3.{n}") is not None for n in (1, 2, 3, 4)] == [False, True, True, True]
    second = tight.shelf.find(STUDY, "1.2.3.2")
    assert second is not None
    tight.shelf.touch(second)
    tight.make("1.2.3.1", used_ns=50)
    assert [tight.shelf.find(STUDY, f"1.2.3.{n}") is not None for n in (1, 2, 3, 4)] == [True, True, False, True]
    made.archive.close()


def test_the_disk_is_left_to_what_is_not_derived(made: Made) -> None:
    full = Made(made.archive, Limits(rendition_reserve_bytes=1 << 60))
    with pytest.raises(TooLarge):
        full.make()
    assert full.files == []


@pytest.mark.parametrize("where", ["magic", "head", "tables", "cut", "longer", "empty"])
def test_a_damaged_pack_is_none(made: Made, where: str) -> None:
    pack = made.make()
    path = pack.path
    data = bytearray(path.read_bytes())
    if where == "cut":
        del data[-10:]
    elif where == "longer":
        data += b"\0"
    elif where == "empty":
        data.clear()
    else:
        data[{"magic": 0, "head": 20, "tables": -3}[where]] ^= 0x40
    path.unlink()
    path.write_bytes(data)
    assert Shelf(made.archive.path, LIMITS).find(STUDY, SERIES) is None
    assert made.files == []


def test_more_frames_than_the_limit_are_served_as_stored(made: Made) -> None:
    few = Made(made.archive, Limits(rendition_frames_max=2, rendition_reserve_bytes=1))
    pack = few.make()
    assert len(pack) == 2
    [(reason, count)] = pack.reasons()
    assert "limits.rendition_frames_max" in reason
    assert count == 2
    pieces = few.pieces()
    assert pieces.is_complete
    assert [len(frame.ends) for frame in pieces.frames] == [6, 6, 1, 1]


def test_an_archive_in_memory_has_no_packs() -> None:
    from engine.archive.archive import Archive

    made = Made(Archive.in_memory(LIMITS))
    made.store(ct(1))
    assert list(made.maker.make(STUDY, SERIES, 1)) == []
    assert made.shelf.find(STUDY, SERIES) is None
    assert made.shelf.listing() == []
    assert len(made.pieces().frames) == 1


def test_entries_are_what_was_added(made: Made) -> None:
    pack = made.make()
    assert len(pack) == 4
    at = HEAD_BYTES
    for place in range(4):
        frame = pack[place]
        assert isinstance(frame, PackFrame)
        assert frame.offset == at
        assert frame.coarse_kind is CoarseKind.PREFIX
        assert pack.is_sound(frame)
        at += frame.length
    with pytest.raises(IndexError):
        pack[4]
