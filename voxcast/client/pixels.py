"""Bytes of a frame as stored values (PS3.4 N.2: no rescale, no window), as fine as the bytes that are there show them."""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from voxcast.client.errors import UndecodableFrame
from voxcast.client.table import Cells, FrameEntry

Array = NDArray[Any]

_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.98")
_HTJ2K = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203))
_DECODERS = {
    "1.2.840.10008.1.2.4.50": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.57": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.70": imagecodecs.jpeg8_decode,
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.81": imagecodecs.jpegls_decode,
    "1.2.840.10008.1.2.4.90": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.91": imagecodecs.jpeg2k_decode,
    "1.2.840.10008.1.2.4.110": imagecodecs.jpegxl_decode,
}
_UNTOUCHED = 0xA5
# SOC, SIZ (ISO/IEC 15444-1 A.5.1): Xsiz, Ysiz, XOsiz, YOsiz, Csiz, the first Ssiz
_SIZ = struct.Struct(">8xIIII16xHB")


def decode(entry: FrameEntry, data: bytes, halvings: int) -> Array:
    """Stored values (rows, columns[, samples]) of the frame, its sides halved `halvings` times, rounded up.

    Parameters
    ----------
    data : the first bytes of the frame, as many as show it so (`FrameEntry.halvings`).

    Raises
    ------
    UndecodableFrame
    """
    uid = entry.transfer_syntax_uid
    if entry.small and halvings >= entry.small_halvings:
        return _small(entry, data[: entry.small], halvings - entry.small_halvings)
    data = data[entry.small :] if entry.small else data
    if uid in _HTJ2K:
        return _htj2k(data, uid, halvings, (-(-entry.rows // (1 << halvings)), -(-entry.columns // (1 << halvings))))
    if uid in _NATIVE:
        return _native(entry, data)
    decoder = _DECODERS.get(uid)
    if decoder is None:
        raise UndecodableFrame(uid, "this client does not read it; its bytes are there")
    try:
        samples = np.asarray(decoder(data))
    except RuntimeError as error:  # the base of what imagecodecs raises
        raise UndecodableFrame(uid, str(error)) from error
    if samples.shape[:2] != (entry.rows, entry.columns):
        raise UndecodableFrame(uid, f"decoded to {samples.shape}")
    return _signed(samples, entry.cells) if entry.cells is not None else samples


def _small(entry: FrameEntry, data: bytes, halvings: int) -> Array:
    """What stands in front of a frame's own bytes. Samples of an approximate beginning are wider than the frame's, so that what
    swings beyond its values is seen, and cut off."""
    samples = _htj2k(data, entry.transfer_syntax_uid, halvings, None)
    if not entry.has_approximate:
        return samples
    cells = entry.cells
    bits = entry.bits or (cells.bits_stored if cells is not None else 0)
    if cells is None or not 0 < bits <= 16:
        raise UndecodableFrame(entry.transfer_syntax_uid, "the server does not tell how many bits its values have")
    low, high, kind = 0, (1 << bits) - 1, "u"
    if cells.pixel_representation:
        low, high, kind = -(1 << (bits - 1)), (1 << (bits - 1)) - 1, "i"
    shown: Array = np.clip(samples.astype(np.int32), low, high).astype(f"{kind}{1 if bits <= 8 else 2}")
    return shown


def _htj2k(data: bytes, uid: str, halvings: int, shape: tuple[int, int] | None) -> Array:
    """The lowest resolutions of a code stream cut behind a tile-part.

    imagecodecs returns memory as it was below the line where OpenJPH gives up: the last line, filled before with what no
    decoder writes by chance into every sample, tells.
    """
    if len(data) < _SIZ.size or data[:4] != b"\xff\x4f\xff\x51":
        raise UndecodableFrame(uid, "no code stream")
    columns, rows, left, top, samples, depth = _SIZ.unpack_from(data)
    found = (-(-(rows - top) // (1 << halvings)), -(-(columns - left) // (1 << halvings)))
    if shape is not None and found != shape:
        raise UndecodableFrame(uid, f"{found} pixels where {shape} are due")
    bits = (depth & 0x7F) + 1
    kind = ("i" if depth & 0x80 else "u") + ("1" if bits <= 8 else "2" if bits <= 16 else "4")
    room: Array = np.empty((*found, samples) if samples > 1 else found, kind)
    last = room[-1:].view(np.uint8)
    last[...] = _UNTOUCHED
    try:
        imagecodecs.htj2k_decode(data, skipres=halvings, out=room)
    except (RuntimeError, ValueError) as error:
        raise UndecodableFrame(uid, str(error)) from error
    if (last == _UNTOUCHED).all():
        raise UndecodableFrame(uid, "a damaged code stream")
    return _in_range(room, bits) if halvings else room


def _in_range(samples: Array, bits: int) -> Array:
    """Smaller images swing beyond the range at edges, and OpenJPH lets that wrap: what is black would be shown white.

    With 16 bits, or 8 in a byte, there is no room to see it by.
    """
    width = 8 * samples.dtype.itemsize
    if bits == width:
        return samples
    if samples.dtype.kind == "i":
        return np.clip(samples, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, out=samples)
    samples[samples >= (3 << (width - 2))] = 0  # below 0
    return np.minimum(samples, (1 << bits) - 1, out=samples)


def _native(entry: FrameEntry, data: bytes) -> Array:
    cells = entry.cells
    if cells is None:
        raise UndecodableFrame(entry.transfer_syntax_uid, "the server does not tell how its pixels lie")
    if cells.bits_allocated not in (8, 16, 32, 64) or "422" in entry.photometric_interpretation:
        raise UndecodableFrame(entry.transfer_syntax_uid, f"{cells.bits_allocated} bits allocated, or 4:2:2")
    kind = np.dtype(f"<u{cells.bits_allocated // 8}")
    count = entry.rows * entry.columns * cells.samples_per_pixel
    if len(data) < count * kind.itemsize:
        raise UndecodableFrame(entry.transfer_syntax_uid, f"{len(data)} bytes for {count} samples")
    flat = np.frombuffer(data, kind, count)
    samples: Array
    if cells.samples_per_pixel == 1:
        samples = flat.reshape(entry.rows, entry.columns)
    elif cells.planar_configuration:
        samples = flat.reshape(cells.samples_per_pixel, entry.rows, entry.columns).transpose(1, 2, 0)
    else:
        samples = flat.reshape(entry.rows, entry.columns, cells.samples_per_pixel)
    shift = cells.high_bit + 1 - cells.bits_stored
    return _signed(samples >> shift if shift > 0 else samples, cells)


def _signed(samples: Array, cells: Cells) -> Array:
    """Only Bits Stored, with their sign (PS3.5 8.1.1)."""
    if samples.dtype.kind == "f" or cells.bits_stored > 8 * samples.dtype.itemsize:
        return samples
    room = 8 * samples.dtype.itemsize - cells.bits_stored
    up = np.left_shift(samples.view(f"u{samples.dtype.itemsize}"), room)
    if cells.pixel_representation:
        up = up.view(f"i{samples.dtype.itemsize}")
    return np.ascontiguousarray(np.right_shift(up, room))
