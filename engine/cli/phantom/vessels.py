"""Branching vessels for the phantom: a tree that fills a region, thick at its root, and its cross-sections in a plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.cli.phantom.canvas import Canvas, Plane, Point, integers

Points = NDArray[np.float64]

# Half a patch in mm: a branch is painted in the smallest patch that holds its part near the plane.
_PATCHES = (5.0, 10.0, 20.0)


class VesselTree:
    """Straight branches from `root` to random places in a region.

    Each new place is joined to the nearest end that is there already, from near to far, as growing vessels do; the
    radius follows the number of ends behind a branch (Murray: the cube of the radius adds up).

    Parameters
    ----------
    box : the lowest and highest corner of the region, mm.
    is_inside : for an (n, 3) array of points, which of them belong to the region.
    ends : number of places; `tip` : radius of the last branches, mm; `trunk` : largest radius.
    """

    def __init__(
        self,
        seed: Sequence[int],
        root: Point,
        box: tuple[Point, Point],
        is_inside: Callable[[Points], NDArray[np.bool_]],
        ends: int,
        tip: float,
        trunk: float,
    ) -> None:
        low, high = np.array(box[0]), np.array(box[1])
        grain = integers(seed, ends * 12).reshape(-1, 3).astype(np.float64) / 65536 + 0.5
        places = low + (high - low) * grain
        places = places[is_inside(places)][:ends]
        far = places - np.array(root)
        places = places[np.argsort((far * far).sum(axis=1), kind="stable")]

        points = np.vstack([np.array(root)[None], places])
        parent = np.zeros(len(points), np.intp)
        for i in range(1, len(points)):
            gap = points[:i] - points[i]
            # Nearest, with a pull to the root: branches leave at sharp angles instead of running back.
            parent[i] = np.argmin((gap * gap).sum(axis=1) + 0.0008 * np.arange(i))
        behind = np.ones(len(points))
        for i in range(len(points) - 1, 0, -1):
            behind[parent[i]] += behind[i]
        # Rounded: the last bit of a cube root is not the same everywhere.
        radius = np.minimum(tip * np.round(np.cbrt(behind), 6), trunk)
        self._a, self._b = points[parent[1:]], points[1:]
        self._ra, self._rb = np.minimum(radius[parent[1:]], radius[1:] * 1.25), radius[1:]
        reach = np.maximum(self._ra, self._rb)
        self._low = np.minimum(self._a[:, 2], self._b[:, 2]) - reach
        self._high = np.maximum(self._a[:, 2], self._b[:, 2]) + reach

    def coverage(self, canvas: Canvas) -> Plane:
        """How much of each pixel is vessel, 0 to 1."""
        alpha = np.zeros_like(canvas.hu)
        if not alpha.size:
            return alpha
        cut = np.flatnonzero((self._low < canvas.z) & (self._high > canvas.z))
        a, b = self._a[cut], self._b[cut]
        rise = b[:, 2] - a[:, 2]
        rise = np.where(np.abs(rise) < 1e-6, 1e-6, rise)
        reach = np.maximum(self._ra, self._rb)[cut]
        first, last = (canvas.z - reach - a[:, 2]) / rise, (canvas.z + reach - a[:, 2]) / rise
        t0, t1 = np.clip(np.minimum(first, last), 0, 1), np.clip(np.maximum(first, last), 0, 1)
        middle = a + (b - a) * ((t0 + t1) / 2)[:, None]
        half = np.abs((b - a)[:, :2] * ((t1 - t0) / 2)[:, None]).max(axis=1, initial=0) + reach + 1.5 * canvas.pixel
        done = np.zeros(len(cut), np.bool_)
        for patch in _PATCHES:
            chosen = ~done & ((half <= patch) | (patch == _PATCHES[-1]))
            done |= chosen
            if chosen.any():
                self._add(alpha, canvas, middle[chosen], cut[chosen], patch)
        return alpha

    def _add(self, alpha: Plane, canvas: Canvas, middle: Points, chosen: NDArray[np.intp], patch: float) -> None:
        """All branches of one patch size at once: arrays of (branches, patch, patch)."""
        rows, columns = alpha.shape
        k = min(2 * int(patch / canvas.pixel) + 2, rows, columns)
        i0 = np.searchsorted(canvas.y_axis, middle[:, 1]) - k // 2
        j0 = np.searchsorted(canvas.x_axis, middle[:, 0]) - k // 2
        i = np.clip(i0, 0, rows - k)[:, None, None] + np.arange(k)[:, None]
        j = np.clip(j0, 0, columns - k)[:, None, None] + np.arange(k)
        at = i * columns + j
        a, b = self._a[chosen].astype(np.float32), self._b[chosen].astype(np.float32)
        ra, rb = (r[chosen].astype(np.float32)[:, None, None] for r in (self._ra, self._rb))
        ax, ay, az = (a[:, c, None, None] for c in range(3))
        dx, dy, dz = ((b - a)[:, c, None, None] for c in range(3))
        px, py, pz = canvas.x.ravel()[at] - ax, canvas.y.ravel()[at] - ay, np.float32(canvas.z) - az
        t = np.clip((px * dx + py * dy + pz * dz) / np.maximum(dx * dx + dy * dy + dz * dz, 1e-6), 0, 1)
        px -= t * dx
        py -= t * dy
        w = pz - t * dz
        covered = canvas.coverage(ra + t * (rb - ra) - np.sqrt(px * px + py * py + w * w))
        # A branch thinner than a pixel cannot fill it, however near its axis is.
        covered *= np.minimum(1, (ra + rb) / np.float32(canvas.pixel))
        np.maximum.at(alpha.ravel(), at.ravel(), covered.ravel())
