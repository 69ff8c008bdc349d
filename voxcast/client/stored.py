"""A frame's bytes as they are stored, HTJ2K apart, as stored values: native pixels, RLE, JPEG and what came after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from voxcast.client.errors import UndecodableFrame
from voxcast.client.table import Cells, FrameEntry

Array = NDArray[Any]

_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.98")
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_RLE = "1.2.840.10008.1.2.5"
_JPEG = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55))
_DECODERS: dict[str, Callable[..., Any]] = {
    "1.2.840.10008.1.2.4.57": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.81": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.91": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.110": imagecodecs.jpegxl_decode,
}
_APP0, _APP14, _SOS = 0xE0, 0xEE, 0xDA
_FRAME_HEADS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def decode_stored(entry: FrameEntry, data: bytes) -> Array:
    """Stored values (rows, columns[, samples]) of a whole frame.

    Colour that a lossy JPEG or a JPEG 2000 transforms comes as RGB, native 4:2:2 with its chrominance for each pixel
    (`photometric_of` says which).

    Raises
    ------
    UndecodableFrame
    """
    uid = entry.transfer_syntax_uid
    if uid in _NATIVE or uid == _BIG_ENDIAN:
        return _native(entry, data)
    try:
        if uid == _RLE:
            samples = _rle(entry, data)
        elif uid in _JPEG:
            colour = _colour_of(entry, data)
            options = {} if colour is None else {"colorspace": colour, "outcolorspace": "RGB"}
            samples = np.asarray(imagecodecs.jpeg8_decode(data, **options))
        elif uid in _DECODERS:
            samples = np.asarray(_DECODERS[uid](data))
        else:
            raise UndecodableFrame(uid, "this client does not read it; its bytes are there")
    except (RuntimeError, ValueError) as error:  # the base of what imagecodecs raises
        raise UndecodableFrame(uid, str(error)) from error
    if samples.shape[:2] != (entry.rows, entry.columns):
        raise UndecodableFrame(uid, f"decoded to {samples.shape}")
    return signed(samples, entry.cells) if entry.cells is not None else samples


def photometric_of(entry: FrameEntry) -> str:
    """Photometric Interpretation of what `decode_stored`, or a code stream, gives of a frame."""
    said = entry.photometric_interpretation
    if entry.transfer_syntax_uid in _JPEG:
        return "RGB" if said.startswith("YBR") else said
    if said in ("YBR_RCT", "YBR_ICT"):
        return "RGB"
    return "YBR_FULL" if said == "YBR_FULL_422" else said


def signed(samples: Array, cells: Cells) -> Array:
    """Only Bits Stored, with their sign (PS3.5 8.1.1)."""
    if samples.dtype.kind == "f" or cells.bits_stored > 8 * samples.dtype.itemsize:
        return samples
    room = 8 * samples.dtype.itemsize - cells.bits_stored
    up = np.left_shift(samples.view(f"u{samples.dtype.itemsize}"), room)
    if cells.pixel_representation:
        up = up.view(f"i{samples.dtype.itemsize}")
    return np.ascontiguousarray(np.right_shift(up, room))


def _cells_of(entry: FrameEntry) -> Cells:
    if entry.cells is None:
        raise UndecodableFrame(entry.transfer_syntax_uid, "the server does not tell how its pixels lie")
    return entry.cells


def _native(entry: FrameEntry, data: bytes) -> Array:
    cells, uid = _cells_of(entry), entry.transfer_syntax_uid
    is_422 = entry.photometric_interpretation == "YBR_FULL_422" and cells.samples_per_pixel == 3
    if "422" in entry.photometric_interpretation and not (
        is_422 and cells.bits_allocated == 8 and entry.columns % 2 == 0
    ):
        raise UndecodableFrame(uid, f"{entry.photometric_interpretation} of {cells.bits_allocated} bits")
    if uid == _BIG_ENDIAN and cells.bits_allocated not in (16, 32, 64):
        raise UndecodableFrame(uid, "cells of a byte and less may lie in swapped words")
    count = entry.rows * entry.columns * (2 if is_422 else cells.samples_per_pixel)
    flat = _cells(entry, cells, data, count)
    if is_422:
        quads = flat.reshape(-1, 4)  # Y1 Y2 CB CR (PS3.3 C.7.6.3.1.2)
        whole = np.empty((len(quads), 2, 3), flat.dtype)
        whole[:, :, 0], whole[:, :, 1:] = quads[:, :2], quads[:, None, 2:]
        return whole.reshape(entry.rows, entry.columns, 3)
    samples: Array
    if cells.samples_per_pixel == 1:
        samples = flat.reshape(entry.rows, entry.columns)
    elif cells.planar_configuration:
        samples = flat.reshape(cells.samples_per_pixel, entry.rows, entry.columns).transpose(1, 2, 0)
    else:
        samples = flat.reshape(entry.rows, entry.columns, cells.samples_per_pixel)
    return _at_the_bottom(samples, cells)


def _cells(entry: FrameEntry, cells: Cells, data: bytes, count: int) -> Array:
    """Pixel cells one behind the other, in the byte order of this machine."""
    bits, uid = cells.bits_allocated, entry.transfer_syntax_uid
    if bits not in (8, 16, 32, 64):
        if not 0 < bits < 16:
            raise UndecodableFrame(uid, f"{bits} bits allocated")
        # Frames follow each other without a gap, so one need not begin with a byte (PS3.5 8.1.1).
        first = (entry.frame_number - 1) * count * bits % 8
        if 8 * len(data) < first + count * bits:
            raise UndecodableFrame(uid, f"{len(data)} bytes for {count} samples of {bits} bits")
        found = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[first : first + count * bits]
        if bits == 1:
            return found
        weights = np.left_shift(1, np.arange(bits)).astype(np.uint16)
        return found.reshape(count, bits).astype(np.uint16) @ weights
    kind = np.dtype(f"{'>' if uid == _BIG_ENDIAN else '<'}{'f' if cells.is_float else 'u'}{bits // 8}")
    if len(data) < count * kind.itemsize:
        raise UndecodableFrame(uid, f"{len(data)} bytes for {count} samples")
    return np.frombuffer(data, kind, count).astype(kind.newbyteorder("="), copy=False)


def _rle(entry: FrameEntry, data: bytes) -> Array:
    """Byte planes of one sample behind the other (PS3.5 G.2)."""
    cells = _cells_of(entry)
    if cells.bits_allocated not in (8, 16, 32):
        raise UndecodableFrame(_RLE, f"{cells.bits_allocated} bits allocated")
    kind = np.dtype(f"<u{cells.bits_allocated // 8}")
    size = entry.rows * entry.columns * cells.samples_per_pixel
    if size * kind.itemsize > 64 * len(data):  # two bytes of a run become 128 at most (PS3.5 G.3.1)
        raise UndecodableFrame(_RLE, f"{len(data)} bytes for {size} samples")
    flat = np.frombuffer(imagecodecs.dicomrle_decode(data, kind), kind)
    if flat.size < size:
        raise UndecodableFrame(_RLE, f"{flat.size} samples where {size} are due")
    planes = flat[:size].reshape(cells.samples_per_pixel, entry.rows, entry.columns)
    return _at_the_bottom(planes[0] if cells.samples_per_pixel == 1 else planes.transpose(1, 2, 0), cells)


def _at_the_bottom(samples: Array, cells: Cells) -> Array:
    shift = cells.high_bit + 1 - cells.bits_stored
    return signed(samples >> shift if shift > 0 and samples.dtype.kind != "f" else samples, cells)


def _colour_of(entry: FrameEntry, data: bytes) -> str | None:
    """The colour space of a lossy JPEG of three components; None for others.

    An Adobe marker is believed first, then JFIF and subsampling, which only YCbCr has, then the header. What libjpeg would
    guess, YCbCr for any three components, turns real RGB green.
    """
    transform, has_jfif, components = -1, False, b""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xFF:  # fill
            at += 1
            continue
        body = data[at + 4 : at + 2 + length]
        if marker == _APP0 and body[:4] == b"JFIF":
            has_jfif = True
        elif marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            transform = body[11]
        elif marker in _FRAME_HEADS:
            components = body[6:]
        elif marker == _SOS:
            break
        at += 2 + length
    if len(components) != 9:
        return None
    said = entry.photometric_interpretation
    is_ybr = transform == 1
    if transform < 0:
        is_ybr = has_jfif or len({*components[1::3]}) > 1 or said.startswith("YBR")
        if said == "RGB" and components[::3] == b"RGB":
            is_ybr = False
    return "YCBCR" if is_ybr else "RGB"
