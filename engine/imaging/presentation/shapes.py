"""Graphics as runs of points on the display (PS3.3 C.10.5.1.2), and what of them is inside of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.annotation import Graphic, GraphicType, Units
from engine.imaging.presentation.placement import Placement

Array = npt.NDArray[Any]

# Positions further away than this are brought here, where a double still has a fraction of a pixel.
_FAR = 1e9
_CURVE_STEPS = 8  # between two points of an interpolated line
_ROUND_STEPS = (24, 720)  # of a circle or ellipse: small ones, and those whose steps would be longer than some pixels


def display_points(points: Array, units: Units, placement: Placement) -> Array:
    """Positions (n, 2) on the display in pixels, (0, 0) its outer corner.

    Fractions of the displayed area are what they are on the display: it shows just that area.
    """
    if units is Units.DISPLAY:
        return points * (float(placement.width), float(placement.height))
    return placement.to_display(points)


def outline(graphic: Graphic, placement: Placement) -> Array:
    """float64 (n, 2): the points of a graphic's line on the display; those of a POINT are its own, one each.

    A circle is round on the display, where it was drawn, even when the image's pixels are not square.
    """
    points = display_points(np.array(graphic.points, np.float64), graphic.units, placement)
    points = np.clip(points, -_FAR, _FAR)
    match graphic.type:
        case GraphicType.CIRCLE:
            center, edge = points[0], points[1]
            radius = float(np.hypot(*(edge - center)))
            return _round(center, np.array([radius, 0.0]), np.array([0.0, radius]))
        case GraphicType.ELLIPSE:
            center = points[:4].mean(axis=0)
            return _round(center, (points[1] - points[0]) / 2.0, (points[3] - points[2]) / 2.0)
        case GraphicType.INTERPOLATED:
            return _smooth(points)
        case GraphicType.POLYLINE if graphic.is_endless:
            return _endless(points[:2], placement)
    return points


def clipped(run: Array, width: int, height: int, margin: float) -> Array:
    """Segments (m, 2, 2) of a run of points (n, 2), cut at the display and a margin around it (Liang and Barsky).

    Nothing that is drawn is longer than the display is wide, whatever a header claims.
    """
    starts, steps = run[:-1], run[1:] - run[:-1]
    enter, leave = np.zeros(len(starts)), np.ones(len(starts))
    low, high = (-margin, -margin), (width + margin, height + margin)
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis in (0, 1):
            step, start = steps[:, axis], starts[:, axis]
            near, far = (low[axis] - start) / step, (high[axis] - start) / step
            is_parallel = step == 0
            is_outside = is_parallel & ((start < low[axis]) | (start > high[axis]))
            enter = np.where(is_parallel, enter, np.maximum(enter, np.minimum(near, far)))
            leave = np.where(is_parallel, leave, np.minimum(leave, np.maximum(near, far)))
            leave = np.where(is_outside, -1.0, leave)
    kept = enter <= leave
    starts, steps = starts[kept], steps[kept]
    ends = np.stack((starts + steps * enter[kept][:, None], starts + steps * leave[kept][:, None]), axis=1)
    inside: Array = np.clip(ends, low, high)  # the sum of a huge number and its opposite need not be one of these
    return inside


def dashed(segments: Array, pattern: int, unit: float) -> Array:
    """Segments of which a line of segments (m, 2, 2) is made when it is drawn with a pattern of 32 bits, `unit` pixels each."""
    if pattern & 0xFFFFFFFF == 0xFFFFFFFF:
        return segments
    bits = [bool(pattern >> (31 - i) & 1) for i in range(32)]
    runs: list[tuple[int, int]] = []  # first and past last bit of what is drawn
    for i, bit in enumerate(bits):
        if bit and (i == 0 or not bits[i - 1]):
            runs.append((i, next((j for j in range(i, 32) if not bits[j]), 32)))
    period, so_far = 32.0 * unit, 0.0
    out: list[Array] = []
    for start, end in segments:
        length = float(np.hypot(*(end - start)))
        if length > 0:
            first, last = int(so_far // period), int((so_far + length) // period)
            for turn in range(first, last + 1):
                for begin, past in runs:
                    a = max(turn * period + begin * unit - so_far, 0.0)
                    b = min(turn * period + past * unit - so_far, length)
                    if a < b:
                        out.append(np.stack((start + (end - start) * a / length, start + (end - start) * b / length)))
        so_far += length
    return np.array(out).reshape(-1, 2, 2)


def _round(center: Array, major: Array, minor: Array) -> Array:
    size = max(float(np.hypot(*major)), float(np.hypot(*minor)))
    steps = int(np.clip(np.ceil(size), *_ROUND_STEPS))
    angle = np.linspace(0.0, 2.0 * np.pi, steps + 1)[:, None]
    curve: Array = center + np.cos(angle) * major + np.sin(angle) * minor
    return curve


def _smooth(points: Array) -> Array:
    """Through all points with the slope that the neighbours have (Catmull and Rom); closed when the ends are one."""
    if len(points) < 3:
        return points
    is_closed = bool((points[0] == points[-1]).all())
    before = points[-2] if is_closed else 2 * points[0] - points[1]
    behind = points[1] if is_closed else 2 * points[-1] - points[-2]
    row = np.concatenate((before[None], points, behind[None]))
    p0, p1, p2, p3 = row[:-3, None], row[1:-2, None], row[2:-1, None], row[3:, None]
    t = np.linspace(0.0, 1.0, _CURVE_STEPS, endpoint=False)[None, :, None]
    curve = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    return np.concatenate((curve.reshape(-1, 2), points[-1:]))


def _endless(points: Array, placement: Placement) -> Array:
    direction = points[1] - points[0]
    length = float(np.hypot(*direction))
    if length == 0:
        return points
    # Past the display from wherever the points are: as far again as they are from it.
    reach = float(np.abs(points).max()) + placement.width + placement.height
    return np.stack((points[0] - direction / length * reach * 2.0, points[0] + direction / length * reach * 2.0))
