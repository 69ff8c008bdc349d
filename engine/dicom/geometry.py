"""Where a slice is inside its series, as bytes that sort in slice order (PS3.3 C.7.6.2.1.1)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_NO_POSITION = 0xFF
_KEY, _FLOAT = struct.Struct(">BQI"), struct.Struct(">d")


def slice_key(orientation: Sequence[float], position: Sequence[float], instance_number: int | None) -> bytes:
    """Sort key of one instance inside its series.

    Instances with a place in the patient come first: by the axis that their plane's normal is nearest to (so that
    the three directions of a localizer stay apart), then along the normal, then by instance number (several echoes or
    phases at one place). Instances without one follow in order of their instance number.

    Returns
    -------
    bytes
        13 bytes: axis (0 sagittal, 1 coronal, 2 axial, 255 none), position as ordered float64, number as ordered int32.
    """
    axis, along = _NO_POSITION, 0.0
    if len(orientation) == 6 and len(position) == 3:
        rx, ry, rz, cx, cy, cz = orientation
        normal = (ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx)
        sizes = [abs(n) for n in normal]
        largest = max(sizes)
        if largest > 0.01:
            axis = sizes.index(largest)
            # Along the patient's axis, not against it: which way a plane was drawn does not turn the stack round.
            sign = 1.0 if normal[axis] > 0 else -1.0
            along = sign * (normal[0] * position[0] + normal[1] * position[1] + normal[2] * position[2])
    number = max(-(2**31), min(2**31 - 1, instance_number or 0))
    return _KEY.pack(axis, _ordered(along), number + 2**31)


def _ordered(value: float) -> int:
    """An integer of 64 bits that orders as the float does."""
    bits = int.from_bytes(_FLOAT.pack(value + 0.0))
    return bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else 0x8000_0000_0000_0000)
