"""RLE segment by segment: PS3.5 annex G's own rules, segments in any order, and what old encoders did at the end of one."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from code_streams import GREY8, GREY16, RGB8, ROOT, rle, slice_values

from engine._native import rle_decode
from engine.codec.registry import decode_frame
from engine.codec.rle import rle_encode
from engine.errors import BadFrame, UnsupportedPixels
from engine.limits import Limits

LIMITS = Limits()
RLE = ROOT + ".5"


def stream(*segments: bytes, starts: tuple[int, ...] | None = None) -> bytes:
    """An RLE frame of these segments, one behind the other."""
    at = tuple(64 + sum(map(len, segments[:i])) for i in range(len(segments))) if starts is None else starts
    return struct.pack("<16I", len(at), *at, *(0,) * (15 - len(at))) + b"".join(segments)


def decoded(code: bytes, rows: int, columns: int) -> list[int]:
    d = replace(GREY8, transfer_syntax_uid=RLE, rows=rows, columns=columns)
    values = decode_frame(d, code, LIMITS).stored_values
    assert values.shape == (rows, columns)
    return values.ravel().tolist()


def test_g_3_2_literal_and_replicate_runs_and_the_control_byte_that_says_nothing() -> None:
    assert decoded(stream(b"\x02abc\x80\xfed\x80\x00e"), 1, 7) == list(b"abcddde")


def test_runs_of_128() -> None:
    assert decoded(stream(b"\x81z" + b"\x7f" + bytes(range(128))), 2, 128) == [ord("z")] * 128 + list(range(128))


@pytest.mark.parametrize("segment", [b"\x06abcdef", b"\x05abcdefgh", b"\x02abc\x7fdef", b"\x03abcd\x01efgh\xff"])
def test_a_last_run_that_says_too_much_or_is_followed_by_more_is_cut(segment: bytes) -> None:
    assert decoded(stream(segment), 2, 3) == list(b"abcdef")


@pytest.mark.parametrize("segment", [b"", b"\x04abcde", b"\x80\x80", b"\xfe", b"\x7fabc", b"\x04abcde\xff"])
def test_a_plane_that_stays_short_is_refused(segment: bytes) -> None:
    with pytest.raises(BadFrame, match=r"RLE segment 1 has \d+ bytes, not 6"):
        decoded(stream(segment), 2, 3)


def test_a_run_goes_on_over_the_decoders_own_tiles() -> None:
    """Whoever wrote runs over the ends of rows is read, too; 4096 bytes is where the decoder pauses."""
    values = bytes([7]) * 20_000
    code = b"\x00\x07" * 37 + b"\x81\x07" * 156
    assert decoded(stream(code), 100, 200) == list(values)


def test_segments_in_any_order() -> None:
    high, low = b"\x02\x01\x02\x03\x00", b"\xfe\x0a"
    swapped = stream(low, high, starts=(64 + len(low), 64))
    d = replace(GREY16, transfer_syntax_uid=RLE, rows=1, columns=3)
    want = [0x010A, 0x020A, 0x030A]
    assert decode_frame(d, swapped, LIMITS).stored_values.tolist() == [want]
    assert decode_frame(d, stream(high, low), LIMITS).stored_values.tolist() == [want]


def test_a_segment_ends_where_the_next_begins_in_the_bytes() -> None:
    """The first one here claims the bytes of the second; in another order too."""
    first, second = b"\x03abc", b"\x02\x01\x02\x03"
    d = replace(GREY16, transfer_syntax_uid=RLE, rows=1, columns=4)
    for code in (stream(first, second), stream(second, first, starts=(64 + len(second), 64))):
        with pytest.raises(BadFrame, match="has 3 bytes, not 4"):
            decode_frame(d, code, LIMITS)


@pytest.mark.parametrize("start", [0, 63, 71, 72, 0xFFFFFFFF])
def test_a_segment_outside_the_bytes_is_refused(start: int) -> None:
    with pytest.raises(BadFrame):
        decoded(stream(b"\x05abcde", starts=(start,)), 1, 6)


@pytest.mark.parametrize("count", [0, 2, 3, 16, 0xFFFFFFFF])
def test_another_number_of_segments_than_the_pixels_have_is_refused(count: int) -> None:
    code = struct.pack("<I", count) + stream(b"\x05abcdef")[4:]
    with pytest.raises(BadFrame, match="where 1 are needed"):
        decoded(code, 1, 6)


def test_less_than_a_header_is_refused() -> None:
    with pytest.raises(BadFrame, match="no RLE header"):
        decoded(b"\x01\0\0\0\x40\0\0\0", 1, 6)


def test_values_that_are_not_at_the_bottom() -> None:
    """High Bit 15 of 12 stored bits, as native pixels may have it."""
    values = slice_values() & 0xFFF
    d = replace(GREY16, transfer_syntax_uid=RLE, bits_stored=12, high_bit=15)
    np.testing.assert_array_equal(decode_frame(d, rle(values << 4), LIMITS).stored_values, values)
    out = np.empty_like(values)
    decode_frame(d, rle(values << 4 | 5), LIMITS, out)
    np.testing.assert_array_equal(out, values)


def test_what_stands_above_the_stored_bits_is_gone() -> None:
    values = slice_values() & 0xFFF
    signed = replace(GREY16, transfer_syntax_uid=RLE, bits_stored=12, high_bit=11, pixel_representation=1)
    got = decode_frame(signed, rle(values | 0x5000), LIMITS).stored_values
    np.testing.assert_array_equal(got, ((values.astype(int) + 2048) % 4096) - 2048)


def test_planar_room() -> None:
    """Samples apart, as PS3.3 C.7.6.3.1.3 has it with Planar Configuration 1."""
    values = np.dstack([slice_values() + n for n in range(3)])
    out = np.empty((3, *values.shape[:2]), np.uint16)
    rle_decode(rle_encode(values), out, *values.shape, 2, True)
    np.testing.assert_array_equal(out, values.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("row", "packed"),
    [
        (b"abcd", b"\x03abcd"),
        (b"aaaa", b"\xfda"),
        (b"aabc", b"\xffa\x01bc"),
        (b"abbc", b"\x03abbc"),  # merged, G.3.1's note
        (b"abbb", b"\x00a\xfeb"),
        (b"abcc", b"\x03abcc"),
        (b"z" * 129, b"\x81z\x00z"),
        (b"z" * 258, b"\x81z\x81z\xffz"),
        (bytes(range(130)), b"\x7f" + bytes(range(128)) + b"\x01\x80\x81"),
    ],
)
def test_g_3_1_how_a_row_is_packed(row: bytes, packed: bytes) -> None:
    code = rle_encode(np.frombuffer(row, np.uint8)[None])
    assert code == stream(packed + bytes(len(packed) % 2))


def test_g_3_1_no_run_crosses_the_end_of_a_row() -> None:
    code = rle_encode(np.full((3, 5), 9, np.uint8))
    assert code == stream(b"\xfc\x09" * 3)


def test_g_5_offsets_and_even_segments() -> None:
    code = rle_encode(np.dstack([slice_values()] * 3))
    head = struct.unpack("<16I", code[:64])
    assert head[0] == 6 and head[1] == 64 and not any(head[7:])
    assert all(offset % 2 == 0 for offset in head) and len(code) % 2 == 0


@pytest.mark.parametrize("kind", ["<u1", "<i2", ">u2", "<u4", "<i8"])
def test_any_integers_in_any_order_of_memory(kind: str) -> None:
    values = (slice_values() % 251).astype(kind)
    want = rle_encode(values)
    np.testing.assert_array_equal(rle_encode(np.asfortranarray(values)), want)
    np.testing.assert_array_equal(rle_encode(values[::-1])[:4], want[:4])
    room = np.empty(values.shape, np.dtype(kind).newbyteorder("<"))
    rle_decode(want, room, *values.shape, 1, room.itemsize)
    np.testing.assert_array_equal(room, values)


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0)])
def test_an_image_of_no_size_is_a_header_and_nothing_is_read(shape: tuple[int, int]) -> None:
    assert rle_encode(np.empty(shape, np.uint16)) == stream(b"", b"")


def test_what_rle_cannot_hold_is_refused() -> None:
    with pytest.raises(UnsupportedPixels, match="4 samples of 32 bits"):
        rle_encode(np.zeros((2, 2, 4), np.uint32))
    with pytest.raises(ValueError, match="dimensions"):
        rle_encode(np.zeros(4, np.uint8))


def test_the_room_must_have_the_size_of_the_image() -> None:
    code = rle_encode(np.zeros((4, 4), np.uint8))
    room: Any
    for room in (np.empty(15, np.uint8), np.empty((4, 5), np.uint8), np.empty(16, np.uint16)):
        with pytest.raises(ValueError, match="another size"):
            rle_decode(code, room, 4, 4, 1, 1)
    with pytest.raises((BufferError, ValueError)):
        rle_decode(code, bytes(16), 4, 4, 1, 1)
    with pytest.raises(ValueError, match="no image"):
        rle_decode(code, np.empty(0, np.uint8), 1 << 40, 1 << 40, 1, 1)


def test_colour_is_interleaved_right_in_the_callers_array() -> None:
    values = np.dstack([slice_values(33, 131) >> n for n in range(3)]).astype(np.uint8)
    d = replace(RGB8, transfer_syntax_uid=RLE, rows=33, columns=131)
    out = np.empty_like(values)
    decoded_frame = decode_frame(d, rle(values), LIMITS, out)
    assert np.shares_memory(decoded_frame.stored_values, out)
    np.testing.assert_array_equal(out, values)
