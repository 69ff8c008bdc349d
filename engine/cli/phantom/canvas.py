"""One axial plane that is painted with soft-edged shapes in Hounsfield units, and the random fields that make it look alive.

Only + - * / sqrt, comparisons and integers touch pixels: IEEE 754 fixes their results, so a phantom has the same bytes
on every machine. Sine, exp and BLAS sums differ between processors and are not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float32]
Point: TypeAlias = tuple[float, float, float]

# A reconstruction's edge response is a little wider than a pixel.
_EDGE_PIXELS = 1.3
# Standard deviation of the band-passed noise for a uniform 16-bit input, see `noise`.
_NOISE_SD = 95_760.0


@dataclass(slots=True)
class Canvas:
    """A plane at height `z`, or a window of it that shares its pixels.

    Attributes
    ----------
    x, y : float32 (rows, columns), mm: to the patient's left and back (PS3.3 C.7.6.2.1.1), bent a little so that
        no outline is a perfect ellipse.
    hu : float32 (rows, columns), painted in place.
    x_axis, y_axis : the straight coordinates, increasing.
    pixel : mm.
    """

    x: Plane
    y: Plane
    hu: Plane
    x_axis: Plane
    y_axis: Plane
    z: float
    pixel: float
    window: tuple[slice, slice] = (slice(None), slice(None))

    def around(self, x: float, y: float, reach_x: float, reach_y: float) -> Canvas:
        """The part within reach (mm) of a point; all of it shares pixels with this canvas."""
        margin = 8.0 + 2 * self.pixel  # what the coordinates are bent by, and the soft edge
        left, right = np.searchsorted(self.x_axis, (x - reach_x - margin, x + reach_x + margin))
        top, bottom = np.searchsorted(self.y_axis, (y - reach_y - margin, y + reach_y + margin))
        at = (slice(int(top), int(bottom)), slice(int(left), int(right)))
        return Canvas(
            self.x[at], self.y[at], self.hu[at], self.x_axis[at[1]], self.y_axis[at[0]], self.z, self.pixel, at
        )

    def near(self, distance: Plane, reach: float) -> tuple[NDArray[np.intp], Canvas]:
        """The pixels whose distance is at most `reach` mm, as a canvas of one line, and where to put its `hu` back."""
        at = np.flatnonzero(np.abs(distance) < reach)
        x, y, hu = (np.take(plane, at) for plane in (self.x, self.y, self.hu))
        return at, Canvas(x, y, hu, self.x_axis, self.y_axis, self.z, self.pixel)

    def coverage(self, distance: Plane) -> Plane:
        """How much of each pixel lies inside, 0 to 1, from a distance (mm) that is positive inside."""
        alpha = distance * (1 / (_EDGE_PIXELS * self.pixel))
        alpha += 0.5
        return np.clip(alpha, 0, 1, out=alpha)

    def paint(self, hu: float | Plane, distance: Plane, strength: float = 1.0) -> None:
        """Put `hu` where `distance` (mm) is positive, mixed at the edge as partial volume does."""
        self.blend(hu, self.coverage(distance), strength)

    def blend(self, hu: float | Plane, alpha: Plane, strength: float = 1.0) -> None:
        change = hu - self.hu
        change *= alpha
        if strength != 1.0:
            change *= strength
        self.hu += change

    def ellipse(self, x: float, y: float, rx: float, ry: float, turn: tuple[float, float] = (1, 0)) -> Plane:
        """Distance to an ellipse of radii `rx`, `ry`; `turn` is the direction of its own x axis."""
        u, v = self.x - x, self.y - y
        if turn != (1, 0):
            length = math.sqrt(turn[0] * turn[0] + turn[1] * turn[1])
            c, s = turn[0] / length, turn[1] / length
            u, v = c * u + s * v, c * v - s * u
        u *= 1 / rx
        v *= 1 / ry
        u *= u
        v *= v
        u += v
        np.sqrt(u, out=u)
        np.subtract(1, u, out=u)
        u *= math.sqrt(rx * ry)
        return u

    def blob(
        self,
        hu: float | Plane,
        centre: Point,
        radii: Point,
        turn: tuple[float, float] = (1, 0),
        inside: Plane | None = None,
        strength: float = 1.0,
    ) -> None:
        """Paint an ellipsoid; `inside`, a distance over the whole canvas, confines it."""
        f = section(self.z - centre[2], radii[2])
        if f <= 0:
            return
        reach = max(radii[:2]) * f
        part = self.around(centre[0], centre[1], reach, reach)
        distance = part.ellipse(centre[0], centre[1], radii[0] * f, radii[1] * f, turn)
        if inside is not None:
            distance = soft_min(distance, inside[part.window], 6)
        if isinstance(hu, np.ndarray):
            hu = hu[part.window]
        part.paint(hu, distance, strength)

    def tube(
        self, hu: float, path: Sequence[Point], radii: Sequence[float], wall: float = 0, wall_hu: float = 40
    ) -> None:
        """Paint a tube along a path; radii in mm at its points, `wall` mm of `wall_hu` round it."""
        for radius, value in ((wall, wall_hu), (0.0, hu)) if wall else ((0.0, hu),):
            for a, b, ra, rb in zip(path, path[1:], radii, radii[1:], strict=False):
                self._capsule(value, a, b, ra + radius, rb + radius)

    def _capsule(self, hu: float, a: Point, b: Point, ra: float, rb: float) -> None:
        r = max(ra, rb)
        if not min(a[2], b[2]) - r < self.z < max(a[2], b[2]) + r:
            return
        # Only the stretch of the axis within reach of this plane: a steep tube touches few pixels.
        rise = b[2] - a[2]
        t0, t1 = 0.0, 1.0
        if abs(rise) > 1e-6:
            ends = sorted(((self.z - r - a[2]) / rise, (self.z + r - a[2]) / rise))
            t0, t1 = max(0.0, ends[0]), min(1.0, ends[1])
        xs = [a[0] + t * (b[0] - a[0]) for t in (t0, t1)]
        ys = [a[1] + t * (b[1] - a[1]) for t in (t0, t1)]
        part = self.around(sum(xs) / 2, sum(ys) / 2, abs(xs[1] - xs[0]) / 2 + r, abs(ys[1] - ys[0]) / 2 + r)
        dx, dy, dz = b[0] - a[0], b[1] - a[1], rise
        px: Plane = part.x - a[0]
        py: Plane = part.y - a[1]
        pz = self.z - a[2]
        t: Plane = px * dx
        t += py * dy
        t += pz * dz
        t *= 1 / max(dx * dx + dy * dy + dz * dz, 1e-6)
        np.clip(t, 0, 1, out=t)
        u, v, w = px - t * dx, py - t * dy, t * dz - pz
        radius = t * (rb - ra)
        radius += ra
        part.paint(hu, radius - np.sqrt(u * u + v * v + w * w))


class Lattice:
    """A smooth random field, -1 to 1: random numbers on a coarse grid with linear interpolation between them.

    `cell` is the grid's pitch in mm; the field repeats only outside of the phantom.
    """

    def __init__(self, seed: Sequence[int], cell: float, x_axis: Plane, y_axis: Plane, depth: float) -> None:
        self._cell = cell
        shape = (
            int(depth / cell) + 3,
            int((float(y_axis[-1]) - float(y_axis[0])) / cell) + 3,
            int((float(x_axis[-1]) - float(x_axis[0])) / cell) + 3,
        )
        values = integers(seed, math.prod(shape)).astype(np.float32) * np.float32(1 / 32768)
        self._values = values.reshape(shape)
        self._x = _steps(x_axis, cell)
        self._y = _steps(y_axis, cell)

    def at(self, z: float) -> Plane:
        """The field at height `z` (mm, 0 at the top, negative below)."""
        k, f = divmod(max(0.0, -z) / self._cell, 1.0)
        low = self._values[min(int(k), len(self._values) - 2)]
        high = self._values[min(int(k) + 1, len(self._values) - 1)]
        layer = low + (high - low) * np.float32(_smooth(f))
        (i, fy), (j, fx) = self._y, self._x
        lines = layer[:, j] + (layer[:, j + 1] - layer[:, j]) * fx
        top = lines[i]
        bottom: Plane = lines[i + 1]
        bottom -= top
        bottom *= fy[:, None]
        bottom += top
        return bottom


def _steps(axis: Plane, cell: float) -> tuple[NDArray[np.intp], Plane]:
    at = (axis - axis[0]) * np.float32(1 / cell)
    index = at.astype(np.intp)
    f = at - index.astype(np.float32)
    return index, f * f * (3 - 2 * f)


def _smooth(f: float) -> float:
    return f * f * (3 - 2 * f)


def profile(z: float, *points: tuple[float, float]) -> float:
    """A value that changes smoothly with height; `points` are (z, value) from the top down."""
    if z >= points[0][0]:
        return points[0][1]
    for (z0, v0), (z1, v1) in pairwise(points):
        if z >= z1:
            return v0 + (v1 - v0) * _smooth((z0 - z) / (z0 - z1))
    return points[-1][1]


def section(dz: float, rz: float) -> float:
    """By how much a plane `dz` from the middle of an ellipsoid of height `rz` shrinks its outline; 0 beyond its pole."""
    return math.sqrt(max(0.0, 1 - dz / rz * (dz / rz)))


def soft_min(a: Plane, b: Plane, radius: float) -> Plane:
    """The smaller distance (what lies in both shapes), its edge rounded by about `radius` mm."""
    least = np.minimum(a, b)
    least -= _rounding(a, b, radius)
    return least


def soft_max(a: Plane, b: Plane, radius: float) -> Plane:
    """The larger distance (what lies in either shape), the notch between them filled by about `radius` mm."""
    most = np.maximum(a, b)
    most += _rounding(a, b, radius)
    return most


def _rounding(a: Plane, b: Plane, radius: float) -> Plane:
    near = a - b
    np.abs(near, out=near)
    np.subtract(radius, near, out=near)
    np.maximum(near, 0, out=near)
    near *= near
    near *= 1 / (4 * radius)
    return near


def integers(seed: Sequence[int], count: int) -> NDArray[np.int16]:
    """Uniform signed 16-bit integers; numpy guarantees the stream of PCG64 and of its seeding for good."""
    raw = np.random.PCG64(list(seed)).random_raw((count + 3) // 4)
    return raw.astype("<u8", copy=False).view("<i2")[:count]


def noise(seed: Sequence[int], rows: int, columns: int) -> Plane:
    """Correlated noise of standard deviation 1 with the band-passed texture that filtered back-projection gives.

    A sum of many uniform numbers is nearly normal, and integer sums are exact. Subtracting a wider blur takes the low
    frequencies out, as the ramp filter does.
    """
    # On the flat array, so that a row runs on into the next one: noise has no edges. Largest sum: 2**23.
    count, step = rows * columns, columns
    grain = integers(seed, count + 6 * (step + 1)).astype(np.int32)
    fine = _blur(_blur(grain, 1), step)  # 16 times the grain
    wide = _blur(_blur(fine, 2), 2 * step)  # 16 times again
    fine = fine[2 * (step + 1) : 2 * (step + 1) + count]
    fine *= 16
    wide //= 2
    fine -= wide
    return (fine.astype(np.float32) * np.float32(1 / (16 * _NOISE_SD))).reshape(rows, columns)


def _blur(a: NDArray[np.int32], step: int) -> NDArray[np.int32]:
    total = a[step:-step] * 2
    total += a[: -2 * step]
    total += a[2 * step :]
    return total
