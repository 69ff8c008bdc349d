"""What the phantom's parts have in common: sizes, Hounsfield units, the cavity of the trunk and the diaphragm through it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.cli.phantom.canvas import profile

EXTENT_MM = 375.0  # head to feet
FIELD_MM = 380.0  # the larger side of the image

AIR, FAT, MUSCLE, WATER, LUNG = -1000, -104, 56, 6, -868
AORTA, CAVA, PULMONARY, LIVER = 330, 150, 270, 96

# The thoracic and abdominal cavity at a height: half width, half depth, middle.
WIDTH = ((-6, 26), (-16, 62), (-40, 96), (-100, 126), (-180, 138), (-260, 133), (-375, 126))
DEPTH = ((-6, 26), (-16, 40), (-40, 60), (-100, 84), (-180, 93), (-260, 89), (-375, 82))
MIDDLE = ((0, 18), (-50, 6), (-150, -2), (-375, -6))
# Domes of the diaphragm: x, y of the top, its z, and how fast it falls.
_DOMES = ((-68.0, -4.0, -186.0, 0.0125), (66.0, 2.0, -198.0, 0.0135), (8.0, -24.0, -205.0, 0.0085))


def in_lung(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    x, y, z = points.T
    width, depth, middle = (np.array([profile(float(v), *table) for v in z]) for table in (WIDTH, DEPTH, MIDDLE))
    r2 = (x / (width - 4)) ** 2 + ((y - middle) / (depth - 4)) ** 2
    heart = ((x - 22) / 60) ** 2 + ((y + 28) / 48) ** 2 + ((z + 150) / 56) ** 2
    band = (x / 34) ** 2 + ((y - 12) / 78) ** 2
    return np.asarray((width > 8) & (r2 < 1) & (heart > 1) & (band > 1) & (z > dome_height(x, y) + 4))


def in_liver(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    x, y, z = points.T
    r2 = (x / 130) ** 2 + ((y + 5) / 84) ** 2
    return np.asarray((r2 < 0.9) & (x + 0.7 * y < -25) & (z < dome_height(x, y) - 8))


def dome_height(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
    """Height of the diaphragm above each point."""
    heights = [top - k * ((x - cx) * (x - cx) + (y - cy) * (y - cy)) for cx, cy, top, k in _DOMES]
    return np.maximum(np.maximum(np.maximum(heights[0], heights[1]), heights[2]), -290)
