"""Descriptors and code streams of every kind that the codec package decodes, made by encoders from one real-looking slice."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import imagecodecs
import numpy as np
from pydicom.pixels.encoders.native import _encode_segment

from engine.dicom.frame import FrameDescriptor

ROOT = "1.2.840.10008.1.2"
ROWS, COLUMNS = 48, 64

GREY16 = FrameDescriptor(
    transfer_syntax_uid=ROOT + ".1",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    modality="CT",
    rows=ROWS,
    columns=COLUMNS,
    number_of_frames=1,
    samples_per_pixel=1,
    bits_allocated=16,
    bits_stored=16,
    high_bit=15,
    pixel_representation=0,
    planar_configuration=0,
    photometric_interpretation="MONOCHROME2",
)
GREY16_SIGNED = replace(GREY16, pixel_representation=1)
GREY12 = replace(GREY16, bits_stored=12, high_bit=11)
GREY8 = replace(GREY16, bits_allocated=8, bits_stored=8, high_bit=7)
RGB8 = replace(GREY8, samples_per_pixel=3, photometric_interpretation="RGB")


def slice_values(rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray[Any, Any]:
    """12-bit values with edges, a ramp and noise, so that every decoder has something to do."""
    y, x = np.mgrid[:rows, :columns]
    noise = np.random.default_rng(7).integers(0, 40, (rows, columns))
    disc = (y - rows / 2) ** 2 + (x - columns / 2) ** 2 < (rows / 3) ** 2
    return (disc * 1800 + x * 15 + noise).astype(np.uint16)


def image(d: FrameDescriptor) -> np.ndarray[Any, Any]:
    """What a frame of `d` holds."""
    values = slice_values(d.rows, d.columns)
    if d.bits_allocated == 8:
        values = (values >> 4).astype(np.uint8)
    if d.samples_per_pixel == 3:
        values = np.ascontiguousarray(np.dstack([values, values[::-1], values[:, ::-1]]))
    return values.view(np.int16) - np.int16(1024) if d.pixel_representation else values


def rle(values: np.ndarray[Any, Any]) -> bytes:
    """PS3.5 annex G, by pydicom's own packing of a segment."""
    samples = values.reshape(-1, values.shape[2] if values.ndim == 3 else 1)
    planes = []
    for c in range(samples.shape[1]):
        cells = np.ascontiguousarray(samples[:, c]).view(np.uint8).reshape(len(samples), values.itemsize)
        for k in range(values.itemsize - 1, -1, -1):
            planes.append(bytes(_encode_segment(cells[:, k].tobytes(), values.shape[1])))
    starts = np.cumsum([64, *map(len, planes)])[:-1]
    head = np.zeros(16, "<u4")
    head[0], head[1 : 1 + len(planes)] = len(planes), starts
    return head.tobytes() + b"".join(planes)


@dataclass(frozen=True)
class Made:
    """One kind of code stream: what it is of, how it is made, whether decoding gives the values back exactly."""

    descriptor: FrameDescriptor
    encode: Callable[[Any], bytes]
    is_lossless: bool = True

    def values(self) -> np.ndarray[Any, Any]:
        return image(self.descriptor)

    def stream(self) -> bytes:
        return bytes(self.encode(self.values()))


def _of(d: FrameDescriptor, suffix: str, encode: Callable[[Any], bytes], is_lossless: bool = True) -> Made:
    return Made(replace(d, transfer_syntax_uid=ROOT + suffix), encode, is_lossless)


def _unsigned(encode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda a: encode(a.view(f"u{a.itemsize}"))


def _j2k(a: Any, **more: Any) -> bytes:
    return bytes(imagecodecs.jpeg2k_encode(a, **{"level": 0, "reversible": True, "codecformat": "j2k", **more}))


def _ht(a: Any, **more: Any) -> bytes:
    return bytes(imagecodecs.htj2k_encode(a, **{"reversible": True, "resolutions": 4, **more}))


def _jxl(a: Any, **more: Any) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(a, **{"lossless": True, "bitspersample": 8 * a.itemsize, **more}))


def _jxl_of_jpeg(a: Any) -> bytes:
    return bytes(imagecodecs.jpegxl_encode_jpeg(imagecodecs.jpeg8_encode(a, level=95, subsampling="444")))


def deflated(data: bytes) -> bytes:
    """Raw deflate, without zlib's head and checksum (PS3.5 A.4.12)."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def _jpeg_lossless(a: Any) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(a, lossless=True, predictor=1, bitspersample=8 * a.itemsize))


MADE = {
    "native": _of(GREY16, ".1", lambda a: a.tobytes()),
    "native signed": _of(GREY16_SIGNED, ".1", lambda a: a.tobytes()),
    "native colour": _of(RGB8, ".1", lambda a: a.tobytes()),
    "native planar": _of(replace(RGB8, planar_configuration=1), ".1", lambda a: a.transpose(2, 0, 1).tobytes()),
    "native in fragments": _of(GREY16, ".1.98", lambda a: a.tobytes()),
    "native big endian": _of(GREY16, ".2", lambda a: a.astype(">u2").tobytes()),
    "rle": _of(GREY16, ".5", rle),
    "rle signed": _of(GREY16_SIGNED, ".5", rle),
    "rle colour": _of(RGB8, ".5", rle),
    "jpeg": _of(GREY8, ".4.50", lambda a: imagecodecs.jpeg8_encode(a, level=95), False),
    "jpeg colour": _of(
        replace(RGB8, photometric_interpretation="YBR_FULL_422"),
        ".4.50",
        lambda a: imagecodecs.jpeg8_encode(a, level=95, subsampling="444"),
        False,
    ),
    "jpeg 12 bit": _of(GREY12, ".4.51", lambda a: imagecodecs.jpeg8_encode(a, level=95, bitspersample=12), False),
    "jpeg lossless": _of(GREY16, ".4.70", _jpeg_lossless),
    "jpeg lossless signed": _of(GREY16_SIGNED, ".4.70", _unsigned(_jpeg_lossless)),
    "jpeg-ls": _of(GREY16, ".4.80", imagecodecs.jpegls_encode),
    "jpeg-ls signed": _of(GREY16_SIGNED, ".4.80", _unsigned(imagecodecs.jpegls_encode)),
    "jpeg-ls colour": _of(RGB8, ".4.80", imagecodecs.jpegls_encode),
    "jpeg-ls near": _of(GREY16, ".4.81", lambda a: imagecodecs.jpegls_encode(a, level=3), False),
    "jpeg 2000": _of(GREY16, ".4.90", _j2k),
    "jpeg 2000 signed": _of(GREY16_SIGNED, ".4.90", _j2k),
    "jpeg 2000 colour": _of(RGB8, ".4.90", _j2k),
    "jpeg 2000 lossy": _of(GREY16, ".4.91", lambda a: _j2k(a, level=80, reversible=False), False),
    "jpeg 2000 part 2": _of(GREY16, ".4.92", _j2k),
    "jpeg 2000 part 2 lossy": _of(RGB8, ".4.93", lambda a: _j2k(a, level=80, reversible=False), False),
    "htj2k": _of(GREY16, ".4.201", _ht),
    "htj2k signed": _of(GREY16_SIGNED, ".4.201", _ht),
    "htj2k colour": _of(RGB8, ".4.201", _ht),
    "htj2k rpcl": _of(GREY16, ".4.202", lambda a: _ht(a, tlm=True, tilepart=1)),
    "htj2k lossy": _of(GREY16, ".4.203", lambda a: _ht(a, reversible=False, level=0.001), False),
    "jpeg xl": _of(GREY16, ".4.110", _jxl),
    "jpeg xl signed": _of(GREY16_SIGNED, ".4.110", _unsigned(_jxl)),
    "jpeg xl 12 bit": _of(GREY12, ".4.110", lambda a: _jxl(a, bitspersample=12)),
    "jpeg xl colour": _of(RGB8, ".4.110", lambda a: _jxl(a, usecontainer=True)),
    "jpeg xl of jpeg": _of(replace(RGB8, photometric_interpretation="YBR_FULL"), ".4.111", _jxl_of_jpeg, False),
    "jpeg xl lossy": _of(GREY16, ".4.112", lambda a: _jxl(a, lossless=False, distance=0.1), False),
    "jpeg xl lossy colour": _of(RGB8, ".4.112", lambda a: _jxl(a, lossless=False, distance=0.1), False),
    "deflated": _of(GREY16, ".8.1", lambda a: deflated(a.tobytes())),
    "deflated signed": _of(GREY16_SIGNED, ".8.1", lambda a: deflated(a.tobytes())),
    "deflated planar": _of(
        replace(RGB8, planar_configuration=1), ".8.1", lambda a: deflated(a.transpose(2, 0, 1).tobytes())
    ),
}
