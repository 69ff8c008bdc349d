"""Stills of videos: the right frame in its right colours, without reading or decoding all that comes before it."""

from __future__ import annotations

import io
import shutil
import sys
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from videos import BT601, BT709, COLUMNS, FULL, KINDS, LIMITED, ROWS, UNSAID, by_ffmpeg, encoded, instance, number_of

from engine.codec.base import frame_shape, stored_dtype
from engine.codec.video import decode_all, decode_still
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import FrameTableKind
from engine.dicom.scan import scan
from engine.errors import BadFrame, TooLarge, UnsupportedPixels
from engine.limits import Limits

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg program is not installed")

LIMITS = Limits()
FRAMES = 40
LONG = 180
MATRICES = (UNSAID, BT601, BT709)


@cache
def stream_of(name: str, frames: int = FRAMES) -> bytes:
    return encoded(KINDS[name], frames)


@cache
def descriptor_of(name: str, frames: int = FRAMES, rows: int = ROWS, columns: int = COLUMNS) -> FrameDescriptor:
    scanned = scan(instance(KINDS[name], b"\0\0", frames, rows=rows, columns=columns), LIMITS)
    assert scanned.frame_descriptor is not None
    assert scanned.frame_table is not None
    assert scanned.frame_table.kind is FrameTableKind.STREAM
    return scanned.frame_descriptor


class Counting(io.BytesIO):
    """Counts bytes that are read."""

    read_bytes = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data


@pytest.mark.parametrize("name", KINDS)
def test_each_frame_is_the_one_that_is_shown_at_its_place(name: str) -> None:
    d, stream = descriptor_of(name), stream_of(name)
    for index in range(FRAMES):
        decoded = decode_still(d, io.BytesIO(stream), index, LIMITS)
        assert decoded.photometric_interpretation == "RGB"
        assert decoded.stored_values.shape == frame_shape(d)
        assert decoded.stored_values.dtype == stored_dtype(d)
        assert number_of(decoded.stored_values) == index


@pytest.mark.parametrize("name", KINDS)
def test_frames_far_into_a_video(name: str) -> None:
    """Beyond what is counted to: by time, or from a key frame whose place the packets tell."""
    d, stream = descriptor_of(name, LONG), stream_of(name, LONG)
    for index in (0, 1, 47, 48, 49, 60, 133, LONG - 2, LONG - 1):
        assert number_of(decode_still(d, io.BytesIO(stream), index, LIMITS).stored_values) == index


# FFmpeg looks at the first 5 MB of a transport stream before it begins.
@pytest.mark.parametrize(("name", "frames"), [("H.264, MP4", 100), ("MPEG-2, transport stream", 400)])
def test_a_late_frame_is_reached_without_reading_all_before_it(name: str, frames: int) -> None:
    stream = encoded(KINDS[name], frames, rows=320, columns=480)
    source = Counting(stream)
    shown = decode_still(descriptor_of(name, frames, 320, 480), source, frames - 3, LIMITS)
    assert number_of(shown.stored_values) == frames - 3
    assert len(stream) > 3 << 20
    assert source.read_bytes < len(stream) // 2


@pytest.mark.parametrize(
    ("name", "matrix", "colour_range"),
    [
        *((name, m, LIMITED) for name in ("H.264, MP4", "MPEG-2, transport stream", "HEVC, MP4") for m in MATRICES),
        # MPEG-2 has no word for the full range (ITU-T H.262 6.3.6)
        *((name, m, FULL) for name in ("H.264, MP4", "HEVC, MP4") for m in (BT601, BT709)),
    ],
)
def test_colours_are_those_that_were_filmed(name: str, matrix: int, colour_range: int) -> None:
    """Without a word about them the matrix is BT.601 and the range the limited one (PS3.3 C.7.6.3.1.2)."""
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (250, 250, 250), (5, 5, 5), (200, 120, 40)]
    pictures = np.repeat(np.repeat(np.array(colours, np.uint8).reshape(2, 3, 3), 48, 0), 48, 1)
    rows, columns = pictures.shape[:2]
    # FFmpeg takes no transport stream of 2 KB for one.
    stream = encoded(
        KINDS[name], 12, pictures=pictures, matrix=matrix, colour_range=colour_range, rows=rows, columns=columns
    )
    d = descriptor_of(name, 12, rows, columns)
    shown = decode_still(d, io.BytesIO(stream), 1, LIMITS).stored_values
    for row in range(2):
        for column in range(3):
            middle = shown[row * 48 + 16 : row * 48 + 32, column * 48 + 16 : column * 48 + 32].reshape(-1, 3)
            assert np.abs(middle.astype(int) - colours[3 * row + column]).max() <= 4


def test_ten_bits_are_ten_bits() -> None:
    name = "HEVC of 10 bits, MP4"
    shown = decode_still(descriptor_of(name), io.BytesIO(stream_of(name)), 3, LIMITS).stored_values
    assert shown.dtype == np.uint16
    assert 900 < shown.max() <= 1023
    assert len(np.unique(shown)) > 256


def test_a_grey_video_gives_grey_values() -> None:
    name = "H.264, MP4"
    d = replace(descriptor_of(name), samples_per_pixel=1, photometric_interpretation="MONOCHROME2")
    shown = decode_still(d, io.BytesIO(stream_of(name)), 7, LIMITS)
    assert (shown.photometric_interpretation, shown.stored_values.shape) == ("MONOCHROME2", (ROWS, COLUMNS))
    assert number_of(shown.stored_values) == 7
    with pytest.raises(UnsupportedPixels):
        decode_still(replace(d, samples_per_pixel=4), io.BytesIO(stream_of(name)), 0, LIMITS)


@pytest.mark.parametrize("name", KINDS)
def test_a_video_of_another_size_than_the_header_is_refused(name: str) -> None:
    d = descriptor_of(name)
    for wrong in ({"rows": ROWS - 16}, {"columns": 3 * COLUMNS}):
        with pytest.raises(BadFrame):
            decode_still(replace(d, **wrong), io.BytesIO(stream_of(name)), 0, LIMITS)
    with pytest.raises(TooLarge):
        decode_still(d, io.BytesIO(stream_of(name)), 0, Limits(frame_bytes_max=1000))


@pytest.mark.parametrize("name", KINDS)
def test_frames_that_are_not_there_are_refused(name: str) -> None:
    stream = stream_of(name)
    with pytest.raises(BadFrame, match="the bit stream has 40 frames, not 61"):
        decode_still(descriptor_of(name, 61), io.BytesIO(stream), 60, LIMITS)
    half = stream[: len(stream) // 2]
    with pytest.raises(BadFrame):
        decode_still(descriptor_of(name), io.BytesIO(half), FRAMES - 1, LIMITS)
    with pytest.raises(BadFrame):
        decode_still(descriptor_of(name), io.BytesIO(b""), 0, LIMITS)


@pytest.mark.parametrize("name", KINDS)
def test_a_video_is_decoded_from_end_to_end(name: str) -> None:
    stream, d = stream_of(name), descriptor_of(name)
    assert decode_all(d, io.BytesIO(stream)) == FRAMES
    for wrong in (stream[: len(stream) // 2], b"", bytes(5000)):
        try:
            assert decode_all(d, io.BytesIO(wrong)) < FRAMES
        except BadFrame as error:
            assert d.transfer_syntax_uid in str(error)
    with pytest.raises(BadFrame, match="the video has 96×128 pixels"):
        decode_all(replace(d, rows=ROWS - 8, columns=COLUMNS + 40), io.BytesIO(stream))


@pytest.mark.parametrize("name", KINDS)
def test_damage_is_refused_or_leaves_the_frame_its_size(name: str) -> None:
    """What flipped bits make of a video is often a picture; that it is a wrong one no decoder can know."""
    stream, d = stream_of(name), descriptor_of(name)
    rng = np.random.default_rng(5)
    for _ in range(20):
        spoilt = bytearray(stream)
        for at in rng.integers(0, len(spoilt), 30):
            spoilt[at] = rng.integers(0, 256)
        with suppress(BadFrame, TooLarge):
            shown = decode_still(d, io.BytesIO(spoilt), int(rng.integers(0, FRAMES)), LIMITS)
            assert shown.stored_values.shape == frame_shape(d)


@pytest.mark.parametrize(
    "hostile",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD><BaseURL>http://127.0.0.1:1/</BaseURL></MPD>",
        b"\xff\xd8\xff\xe0" + bytes(200),
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(200),
    ],
)
def test_nothing_but_videos_is_opened(hostile: bytes) -> None:
    with pytest.raises(BadFrame):
        decode_still(descriptor_of("H.264, MP4"), io.BytesIO(hostile), 0, LIMITS)


def test_reaching_a_frame_ends_at_its_deadline() -> None:
    name = "H.264, elementary stream"
    with pytest.raises(TooLarge, match="video_still_s_max"):
        decode_still(descriptor_of(name), io.BytesIO(stream_of(name)), 30, Limits(video_still_s_max=0))


def test_without_pyav_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UnsupportedPixels, match=r"voxcast\[video\]"):
        decode_still(descriptor_of("H.264, MP4"), io.BytesIO(stream_of("H.264, MP4")), 0, LIMITS)


def test_python_keeps_no_more_than_the_picture() -> None:
    name = "H.264, MP4"
    stream = io.BytesIO(encoded(KINDS[name], 60, rows=480, columns=640))
    d = descriptor_of(name, 60, 480, 640)
    decode_still(d, stream, 0, LIMITS)
    tracemalloc.start()
    try:
        decode_still(d, stream, 59, LIMITS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * d.frame_bytes


@needs_ffmpeg
@pytest.mark.peer
@pytest.mark.parametrize("name", KINDS)
def test_ffmpeg_shows_the_same(name: str, tmp_path: Path) -> None:
    theirs = by_ffmpeg(stream_of(name), tmp_path, KINDS[name].bits)
    assert len(theirs) == FRAMES
    for index in range(FRAMES):
        ours = decode_still(descriptor_of(name), io.BytesIO(stream_of(name)), index, LIMITS).stored_values
        assert np.abs(ours.astype(int) - theirs[index]).max() <= 2 << (KINDS[name].bits - 8)


@needs_ffmpeg
@pytest.mark.peer
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
def test_ffmpeg_reads_matrix_and_range_the_same(matrix: int, colour_range: int, tmp_path: Path) -> None:
    name = "H.264, MP4"
    stream = encoded(KINDS[name], 3, matrix=matrix, colour_range=colour_range)
    ours = decode_still(descriptor_of(name, 3), io.BytesIO(stream), 2, LIMITS).stored_values
    assert np.abs(ours.astype(int) - by_ffmpeg(stream, tmp_path)[2]).max() <= 2
