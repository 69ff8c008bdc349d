"""Every decoder: right values, into the caller's array without another one, and a refusal of what is not all there."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from code_streams import GREY8, GREY16, GREY16_SIGNED, MADE, RGB8, ROOT, image, rle

from engine.codec.base import frame_shape, stored_dtype
from engine.codec.native import native_bytes
from engine.codec.registry import decode_frame
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame, TooLarge, UnsupportedPixels, UnsupportedTransferSyntax
from engine.limits import Limits

LIMITS = Limits()
COMPRESSED = [name for name in MADE if not name.startswith("native")]
LARGE = {"rows": 512, "columns": 512}


def room(d: FrameDescriptor) -> np.ndarray[Any, Any]:
    return np.full(frame_shape(d), 99, stored_dtype(d))


@pytest.mark.parametrize("name", MADE)
def test_values_come_back(name: str) -> None:
    made = MADE[name]
    decoded = decode_frame(made.descriptor, made.stream(), LIMITS)
    want = made.values()
    assert decoded.stored_values.dtype == want.dtype
    assert decoded.stored_values.shape == want.shape
    assert decoded.stored_values.flags.c_contiguous
    assert decoded.reduce == 0
    if made.is_lossless:
        np.testing.assert_array_equal(decoded.stored_values, want)
    else:
        assert np.abs(decoded.stored_values.astype(int) - want).mean() < want.max() * 0.01


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("name", MADE)
def test_any_buffer_into_the_callers_array(name: str, kind: Any) -> None:
    made = MADE[name]
    out = room(made.descriptor)
    decoded = decode_frame(made.descriptor, kind(made.stream()), LIMITS, out)
    assert np.shares_memory(decoded.stored_values, out)
    np.testing.assert_array_equal(out, decode_frame(made.descriptor, made.stream(), LIMITS).stored_values)


# Planes that come out of a deflated frame have to stand somewhere before they are pixels.
@pytest.mark.parametrize("name", [n for n in MADE if n != "deflated planar"])
def test_no_second_array_of_the_size_of_the_frame(name: str) -> None:
    """What numpy allocates while it decodes into `out` (tracemalloc sees it, and not the libraries' own tables)."""
    made = replace(MADE[name], descriptor=replace(MADE[name].descriptor, **LARGE))
    stream, out = made.stream(), room(made.descriptor)
    decode_frame(made.descriptor, stream, LIMITS, out)
    tracemalloc.start()
    try:
        decode_frame(made.descriptor, stream, LIMITS, out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The libraries that want `bytes` copy the code stream at most.
    assert peak < out.nbytes * 0.6 or peak < len(stream) * 1.1 < out.nbytes


def test_native_pixels_are_a_view_where_nothing_changes() -> None:
    data = image(GREY16).tobytes()
    values = decode_frame(GREY16, data, LIMITS).stored_values
    assert np.shares_memory(values, np.frombuffer(data, np.uint8))
    assert not values.flags.writeable


def test_native_pixels_of_the_caller_are_never_written_to() -> None:
    d = replace(GREY16_SIGNED, bits_stored=12, high_bit=15)
    data = bytearray(image(GREY16).tobytes())
    before = bytes(data)
    decode_frame(d, data, LIMITS)
    decode_frame(replace(d, pixel_representation=0, high_bit=11, bits_stored=10), data, LIMITS)
    assert bytes(data) == before


@pytest.mark.parametrize(("high_bit", "representation"), [(11, 0), (15, 0), (11, 1), (15, 1), (13, 1)])
def test_bits_that_are_not_the_value_are_gone(high_bit: int, representation: int) -> None:
    d = replace(GREY16, bits_stored=12, high_bit=high_bit, pixel_representation=representation)
    values = np.random.default_rng(1).integers(-2048, 2048, frame_shape(d)) if representation else image(GREY16) & 0xFFF
    junk = np.random.default_rng(2).integers(0, 16, frame_shape(d)).astype(np.uint16)
    shift = high_bit - 11
    stored = (values.astype(np.uint16) & 0xFFF) << shift
    stored |= (junk & ((1 << shift) - 1)) | ((junk << (high_bit + 1)) if high_bit < 15 else np.uint16(0))
    for out in (None, room(d)):
        np.testing.assert_array_equal(decode_frame(d, stored.tobytes(), LIMITS, out).stored_values, values)


@pytest.mark.parametrize("kind", ["u1", "u2", "i2"])
@pytest.mark.parametrize("uid", [".1", ".2"])
def test_planes_become_pixels_in_either_byte_order(kind: str, uid: str) -> None:
    bits = 8 * np.dtype(kind).itemsize
    d = replace(RGB8, transfer_syntax_uid=ROOT + uid, bits_allocated=bits, bits_stored=bits, high_bit=bits - 1)
    d = replace(d, planar_configuration=1, pixel_representation=int(kind == "i2"))
    values = (image(RGB8).astype("i8") * 201 - 900 * (kind == "i2")).astype(kind)
    order = ">" if uid == ".2" else "<"
    data = values.transpose(2, 0, 1).astype(np.dtype(kind).newbyteorder(order)).tobytes()
    out = np.empty_like(values)
    for room in (None, out):
        np.testing.assert_array_equal(decode_frame(d, data, LIMITS, room).stored_values, values)
    np.testing.assert_array_equal(out, values)


def test_bits_that_are_not_there_are_a_bad_frame() -> None:
    d = replace(GREY8, bits_allocated=1, bits_stored=1, high_bit=0, rows=5, columns=8)
    decode_frame(d, bytes(5), LIMITS)
    with pytest.raises(BadFrame):
        decode_frame(d, bytes(5), LIMITS, first_bit=1)
    with pytest.raises(UnsupportedPixels):
        decode_frame(replace(d, bits_allocated=40, bits_stored=40, high_bit=39), bytes(9999), LIMITS)


@pytest.mark.parametrize("first_bit", [0, 3, 7])
def test_single_bits_from_inside_a_byte(first_bit: int) -> None:
    d = replace(GREY8, bits_allocated=1, bits_stored=1, high_bit=0, rows=5, columns=7)
    bits = np.random.default_rng(first_bit).integers(0, 2, 35).astype(np.uint8)
    data = np.packbits(np.concatenate([np.ones(first_bit, np.uint8), bits]), bitorder="little").tobytes()
    decoded = decode_frame(d, data, LIMITS, first_bit=first_bit)
    np.testing.assert_array_equal(decoded.stored_values, bits.reshape(5, 7))
    assert native_bytes(d, decoded) == np.packbits(bits, bitorder="little").tobytes()


def test_422_gets_its_pixels_back() -> None:
    d = replace(RGB8, photometric_interpretation="YBR_FULL_422", rows=2, columns=4)
    decoded = decode_frame(d, bytes(range(16)), LIMITS)
    assert decoded.photometric_interpretation == "YBR_FULL"
    assert decoded.stored_values[0].tolist() == [[0, 2, 3], [1, 2, 3], [4, 6, 7], [5, 6, 7]]
    with pytest.raises(BadFrame):
        decode_frame(replace(d, columns=3), bytes(range(16)), LIMITS)


@pytest.mark.parametrize("bits", [24, 12])
def test_cells_that_are_no_power_of_two(bits: int) -> None:
    d = replace(GREY16, bits_allocated=bits, bits_stored=bits, high_bit=bits - 1, rows=2, columns=2)
    values = [1, (1 << bits) - 1, 0x5A5, 0]
    data = sum(v << (i * bits) for i, v in enumerate(values)).to_bytes(bits // 2, "little")
    assert decode_frame(d, data, LIMITS).stored_values.ravel().tolist() == values


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("lost", [0.02, 0.1, 0.5, 0.9])
def test_a_frame_without_its_end_is_refused(name: str, lost: float) -> None:
    made = MADE[name]
    stream = made.stream()
    with pytest.raises(BadFrame):
        decode_frame(made.descriptor, stream[: len(stream) - max(3, int(len(stream) * lost))], LIMITS)


@pytest.mark.parametrize("name", COMPRESSED)
def test_padding_behind_the_code_stream_changes_nothing(name: str) -> None:
    made = MADE[name]
    padded = decode_frame(made.descriptor, made.stream() + b"\0\0", LIMITS).stored_values
    np.testing.assert_array_equal(padded, decode_frame(made.descriptor, made.stream(), LIMITS).stored_values)


@pytest.mark.parametrize("name", ["jpeg", "jpeg colour", "jpeg lossless", "jpeg 2000", "htj2k", "htj2k rpcl"])
def test_only_the_end_marker_missing_is_no_loss(name: str) -> None:
    made = MADE[name]
    stream = made.stream()
    assert stream.endswith(b"\xff\xd9")
    short = decode_frame(made.descriptor, stream[:-2], LIMITS).stored_values
    np.testing.assert_array_equal(short, decode_frame(made.descriptor, stream, LIMITS).stored_values)


def test_tile_parts_that_are_missing_are_noticed_even_before_an_end_marker() -> None:
    made = MADE["htj2k rpcl"]
    stream = made.stream()
    last = stream.rfind(b"\xff\x90\x00\x0a")
    assert last > stream.find(b"\xff\x90\x00\x0a")
    for cut in (stream[:last], stream[:last] + b"\xff\xd9"):
        with pytest.raises(BadFrame, match="missing"):
            decode_frame(made.descriptor, cut, LIMITS)


def test_rle_planes_of_the_wrong_length_are_noticed() -> None:
    values = image(GREY16)
    whole = rle(values)
    second = int.from_bytes(whole[8:12], "little")
    run = bytes([129, 7])  # 128 sevens
    shorter = whole[:8] + (second - 2).to_bytes(4, "little") + whole[12 : second - 2] + whole[second:]
    assert (
        decode_frame(replace(GREY16, transfer_syntax_uid=ROOT + ".5"), whole, LIMITS).stored_values.sum()
        == values.sum()
    )
    for broken in (shorter, whole[:4] + b"\xff\xff\xff\x7f" + whole[8:], whole[:64] + run):
        with pytest.raises(BadFrame):
            decode_frame(replace(GREY16, transfer_syntax_uid=ROOT + ".5"), broken, LIMITS)


def test_rle_that_cannot_hold_the_frame_is_refused_before_its_memory_is_taken() -> None:
    d = replace(GREY16, transfer_syntax_uid=ROOT + ".5", rows=20000, columns=20000)
    tracemalloc.start()
    try:
        with pytest.raises(BadFrame, match="cannot hold"):
            decode_frame(d, rle(image(GREY16)), LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", [n for n in COMPRESSED if not n.startswith("rle")])
@pytest.mark.parametrize("change", [{"rows": 47}, {"columns": 65}, {"rows": 4}])
def test_a_code_stream_of_another_size_than_the_header_is_refused(name: str, change: dict[str, int]) -> None:
    made = MADE[name]
    with pytest.raises(BadFrame, match="the code stream has"):
        decode_frame(replace(made.descriptor, **change), made.stream(), LIMITS)


@pytest.mark.parametrize("name", ["jpeg-ls", "jpeg 2000", "htj2k", "jpeg lossless"])
def test_deeper_samples_than_the_header_allocates_are_refused(name: str) -> None:
    d = replace(GREY8, transfer_syntax_uid=MADE[name].descriptor.transfer_syntax_uid)
    with pytest.raises(BadFrame, match="16 bits where 8 are allocated"):
        decode_frame(d, MADE[name].stream(), LIMITS)


def test_the_headers_sign_decides() -> None:
    """A code stream that calls the bits of signed values unsigned is common; the header knows what they mean."""
    values = image(GREY16_SIGNED)
    stream = imagecodecs.jpeg2k_encode(values.view(np.uint16), level=0, reversible=True, codecformat="j2k")
    d = replace(GREY16_SIGNED, transfer_syntax_uid=ROOT + ".4.90")
    np.testing.assert_array_equal(decode_frame(d, stream, LIMITS).stored_values, values)
    assert decode_frame(d, stream, LIMITS, reduce=2).reduce == 0  # its averages would be of other numbers


def test_lossy_htj2k_does_not_wrap_white_to_black() -> None:
    """imagecodecs' OpenJPH does not clamp; a full-scale checkerboard overshoots everywhere."""
    d = replace(GREY8, transfer_syntax_uid=ROOT + ".4.203", rows=64, columns=64)
    values = (np.random.default_rng(0).integers(0, 2, (64, 64)) * 255).astype(np.uint8)
    stream = imagecodecs.htj2k_encode(values, reversible=False, level=0.02)
    gap = np.abs(decode_frame(d, stream, LIMITS).stored_values.astype(int) - values)
    assert gap.max() < 64


def test_jpeg_colour_is_what_the_encoder_says() -> None:
    rgb = image(RGB8)
    d = replace(RGB8, transfer_syntax_uid=ROOT + ".4.50")
    as_ybr = imagecodecs.jpeg8_encode(rgb, level=98, subsampling="444")
    as_rgb = imagecodecs.jpeg8_encode(rgb, level=98, colorspace="RGB", outcolorspace="RGB", subsampling="444")
    for said, stream in (("YBR_FULL_422", as_ybr), ("RGB", as_rgb), ("RGB", as_ybr)):
        decoded = decode_frame(replace(d, photometric_interpretation=said), stream, LIMITS)
        assert decoded.photometric_interpretation == "RGB"
        assert np.abs(decoded.stored_values.astype(int) - rgb).mean() < 3


def test_what_is_not_decoded_says_so() -> None:
    with pytest.raises(UnsupportedTransferSyntax):
        decode_frame(replace(GREY8, transfer_syntax_uid=ROOT + ".4.100"), b"", LIMITS)
    with pytest.raises(TooLarge):
        decode_frame(replace(GREY16, rows=60000, columns=60000), b"", LIMITS)
    with pytest.raises(UnsupportedPixels):
        decode_frame(replace(GREY16, bits_allocated=128), b"", LIMITS)


@pytest.mark.parametrize(
    "wrong", [np.empty((48, 63), np.uint16), np.empty((48, 64), np.int16), np.empty((48, 128), np.uint16)[:, ::2]]
)
def test_an_array_that_does_not_fit_is_the_callers_mistake(wrong: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ValueError, match="out must be"):
        decode_frame(GREY16, image(GREY16).tobytes(), LIMITS, wrong)


@pytest.mark.parametrize("name", ["htj2k", "htj2k signed", "htj2k colour"])
@pytest.mark.parametrize("has_out", [False, True])
def test_lines_that_openjph_never_wrote_are_not_shown(
    name: str, has_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """imagecodecs drops the exception and returns what there is; the other library then decodes it or says why not."""
    made = MADE[name]

    def dropped(data: Any, out: Any) -> Any:
        out[: len(out) // 2] = 1
        return out

    monkeypatch.setattr(imagecodecs, "htj2k_decode", dropped)
    out = room(made.descriptor) if has_out else None
    np.testing.assert_array_equal(
        decode_frame(made.descriptor, made.stream(), LIMITS, out).stored_values, made.values()
    )


@pytest.mark.parametrize("value", [0xA5, 0])
def test_an_image_that_looks_like_nothing_was_written_is_one(value: int) -> None:
    made = MADE["htj2k"]
    values = np.full((48, 64), value, np.uint16)
    np.testing.assert_array_equal(decode_frame(made.descriptor, made.encode(values), LIMITS).stored_values, values)
