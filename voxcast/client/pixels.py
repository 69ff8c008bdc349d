"""Bytes of a frame as stored values (PS3.4 N.2: no rescale, no window), as fine as the bytes that are there show them."""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from voxcast.client.errors import UndecodableFrame
from voxcast.client.stored import decode_stored
from voxcast.client.table import FrameEntry

Array = NDArray[Any]

_HTJ2K = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203))
_UNTOUCHED = 0xA5
# SOC, SIZ (ISO/IEC 15444-1 A.5.1): Xsiz, Ysiz, XOsiz, YOsiz, Csiz, the first Ssiz
_SIZ = struct.Struct(">8xIIII16xHB")
_COD, _NO_MORE_HEAD = 0x52, (0x90, 0x93, 0xD9)  # SOT, SOD, EOC


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
        if halvings == 0 and not _is_reversible(data):
            return _clamped(entry, data)
        return _htj2k(data, uid, halvings, (-(-entry.rows // (1 << halvings)), -(-entry.columns // (1 << halvings))))
    return decode_stored(entry, data)


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


def _is_reversible(data: bytes) -> bool:
    """Whether the main header says the reversible wavelet (COD, ISO/IEC 15444-1 A.6.1); yes where it cannot be read."""
    at = 2
    while at + 14 <= len(data) and data[at] == 0xFF and data[at + 1] not in _NO_MORE_HEAD:
        if data[at + 1] == _COD:
            return data[at + 13] == 1
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return True


def _clamped(entry: FrameEntry, data: bytes) -> Array:
    """A whole lossy frame by OpenJPEG: it swings beyond its range, where OpenJPH wraps black to white and OpenJPEG cuts it off."""
    uid = entry.transfer_syntax_uid
    try:
        samples = np.asarray(imagecodecs.jpeg2k_decode(data))
    except (RuntimeError, ValueError) as error:
        raise UndecodableFrame(uid, str(error)) from error
    if samples.shape[:2] != (entry.rows, entry.columns):
        raise UndecodableFrame(uid, f"decoded to {samples.shape}")
    return samples


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
