"""JPEG 2000 at a half, a quarter … against Pillow, which asks OpenJPEG for it in OpenJPEG's own way."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from code_streams import GREY8, GREY16, GREY16_SIGNED, MADE, RGB8, ROOT, image
from data import data_files, needs_data
from PIL import Image, Jpeg2KImagePlugin

from engine.codec.jpeg2000_header import read_header
from engine.codec.registry import decode_frame
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import join_fragments
from engine.dicom.scan import scan
from engine.errors import BadFrame, EngineError
from engine.limits import Limits

LIMITS = Limits()
JPEG_2000 = {f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 201, 202, 203)}


def by_pillow(stream: bytes, bits: int, is_signed: bool, reduce: int) -> np.ndarray[Any, Any]:
    picture = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(stream))
    picture.reduce = reduce
    picture.load()
    values = np.asarray(picture).astype(int)
    if values.ndim == 3:
        return values
    # Pillow moves the value to the top of 8 or 16 bits, and its zero to the middle when it is signed.
    return (values >> ((8 if bits <= 8 else 16) - bits)) - (1 << (bits - 1) if is_signed else 0)


def encoded(d: FrameDescriptor, **how: Any) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(image(d), **{"level": 0, "reversible": True, "codecformat": "j2k", **how}))


@pytest.mark.parametrize("reduce", [1, 2, 3])
@pytest.mark.parametrize("shape", [(200, 256), (199, 254), (135, 263)])  # Pillow cannot where a rest is under a half
@pytest.mark.parametrize("d", [GREY8, GREY16, GREY16_SIGNED, RGB8], ids=["8", "16", "signed", "colour"])
@pytest.mark.parametrize("suffix", [".4.90", ".4.91", ".4.201"])
def test_equal_to_openjpegs_own_reduction(d: FrameDescriptor, shape: tuple[int, int], suffix: str, reduce: int) -> None:
    d = replace(d, rows=shape[0], columns=shape[1], transfer_syntax_uid=ROOT + suffix)
    if suffix == ".4.201":
        stream = bytes(imagecodecs.htj2k_encode(image(d), reversible=True, resolutions=5))
    else:
        stream = encoded(d) if suffix == ".4.90" else encoded(d, reversible=False, level=70)
    decoded = decode_frame(d, stream, LIMITS, reduce=reduce)
    assert decoded.reduce == reduce
    want = by_pillow(stream, d.bits_allocated, bool(d.pixel_representation), reduce)
    assert decoded.stored_values.shape == want.shape
    # Two builds of OpenJPEG may round the irreversible wavelet's floats apart.
    assert np.abs(decoded.stored_values.astype(int) - want).max() <= (1 if suffix == ".4.91" else 0)


@pytest.mark.parametrize("shape", [(129, 97), (121, 250), (64, 65), (201, 203)])
@pytest.mark.parametrize("reduce", [1, 2, 3, 4])
def test_equal_to_openjphs_own_reduction(shape: tuple[int, int], reduce: int) -> None:
    """The other library, any size; values far from both ends, because this one does not clamp."""
    d = replace(GREY16_SIGNED, rows=shape[0], columns=shape[1], transfer_syntax_uid=ROOT + ".4.202")
    stream = bytes(imagecodecs.htj2k_encode(image(d), reversible=True, resolutions=5, tlm=True, tilepart=1))
    decoded = decode_frame(d, stream, LIMITS, reduce=reduce)
    assert decoded.reduce == reduce
    np.testing.assert_array_equal(decoded.stored_values, imagecodecs.htj2k_decode(stream, skipres=reduce))


def test_no_more_than_there_are_decompositions_and_never_for_masks() -> None:
    d = replace(GREY16, transfer_syntax_uid=ROOT + ".4.90")
    assert decode_frame(d, encoded(d), LIMITS, reduce=9).reduce == 2
    mask = replace(d, bits_allocated=8, bits_stored=1, high_bit=0)
    bits = (image(GREY16) > 900).astype(np.uint8)
    stream = imagecodecs.jpeg2k_encode(bits, level=0, reversible=True, codecformat="j2k", bitspersample=1)
    decoded = decode_frame(mask, stream, LIMITS, reduce=1)
    assert decoded.reduce == 0
    np.testing.assert_array_equal(decoded.stored_values, bits)


@pytest.mark.parametrize(("tile", "halved"), [(32, 2), (50, 1), (51, 0)])
def test_tiles_are_halved_only_where_they_still_meet(tile: int, halved: int) -> None:
    d = replace(GREY8, rows=96, columns=128, transfer_syntax_uid=ROOT + ".4.90")
    made = io.BytesIO()
    Image.fromarray(image(d)).save(made, "JPEG2000", no_jp2=True, tile_size=(tile, tile), num_resolutions=4)
    decoded = decode_frame(d, made.getvalue(), LIMITS, reduce=2)
    assert decoded.reduce == halved
    np.testing.assert_array_equal(decoded.stored_values, by_pillow(made.getvalue(), 8, False, halved))


@pytest.mark.parametrize("progression", ["LRCP", "RLCP", "RPCL", "PCRL", "CPRL"])
@pytest.mark.parametrize("precincts", [None, (64, 64)])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("d", [GREY8, RGB8], ids=["grey", "colour"])
def test_any_order_of_packets(
    d: FrameDescriptor, layers: int, precincts: tuple[int, int] | None, progression: str
) -> None:
    """Reduced or not, never wrong."""
    d = replace(d, rows=200, columns=256, transfer_syntax_uid=ROOT + ".4.90")
    made = io.BytesIO()
    how: dict[str, Any] = {"quality_layers": [60.0, 20.0, 0.0]} if layers == 3 else {}
    how |= {} if precincts is None else {"precinct_size": precincts, "codeblock_size": (32, 32)}
    Image.fromarray(image(d)).save(made, "JPEG2000", no_jp2=True, progression=progression, num_resolutions=5, **how)
    header = read_header(d, memoryview(made.getvalue()))
    assert (header.layers, header.has_precincts) == (layers, precincts is not None)
    decoded = decode_frame(d, made.getvalue(), LIMITS, reduce=2)
    np.testing.assert_array_equal(decoded.stored_values, by_pillow(made.getvalue(), 8, False, decoded.reduce))
    lowest_first = progression in ("RLCP", "RPCL") or (progression == "LRCP" and layers == 1)
    alone = d.samples_per_pixel == 1 and precincts is None and progression in ("PCRL", "CPRL")
    assert decoded.reduce == (2 if lowest_first or alone else 0)


@pytest.mark.parametrize("name", [n for n in MADE if "2000" not in n and "htj2k" not in n])
def test_other_stored_forms_are_decoded_whole(name: str) -> None:
    made = MADE[name]
    decoded = decode_frame(made.descriptor, made.stream(), LIMITS, reduce=2)
    assert decoded.reduce == 0
    assert decoded.stored_values.shape == made.values().shape


@pytest.mark.parametrize("name", ["jpeg 2000", "jpeg 2000 colour", "htj2k", "htj2k rpcl"])
def test_a_reduced_frame_without_its_end_is_refused_all_the_same(name: str) -> None:
    """Its end is not needed for the small picture; but what is broken is told whichever size is asked for first."""
    made = MADE[name]
    with pytest.raises(BadFrame):
        decode_frame(made.descriptor, made.stream()[:-40], LIMITS, reduce=1)


@needs_data
def test_real_files_equal_openjpegs_own_reduction() -> None:
    compared = 0
    for path in data_files(""):
        if path.stat().st_size > 1 << 26:
            continue
        content = path.read_bytes()
        try:
            scanned = scan(content, LIMITS)
        except EngineError:
            continue
        d, table = scanned.frame_descriptor, scanned.frame_table
        if d is None or table is None or d.transfer_syntax_uid not in JPEG_2000:
            continue
        span = table[0]
        stream = bytes(join_fragments(content[span.offset : span.offset + span.length], span.fragment_count))
        try:
            header = read_header(d, memoryview(stream))
            decoded = decode_frame(d, stream, LIMITS, reduce=2)
        except EngineError:
            continue  # test_pixels says which files are refused
        if decoded.reduce == 0:
            continue
        assert decoded.reduce == 2
        try:
            want = by_pillow(stream[header.start :] + b"\xff\xd9", header.bits, header.is_signed, 2)
        except OSError:  # Pillow takes no code stream with bytes missing between its tile-parts' claims
            continue
        gap = np.abs(decoded.stored_values.astype(int) - want).max()
        assert gap <= (0 if header.is_reversible else 1), path.name
        compared += 1
    assert compared >= 45
