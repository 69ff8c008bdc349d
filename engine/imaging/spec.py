"""What a client wants to see of a frame (PS3.18 8.3.5); importable without numba."""

from __future__ import annotations

from dataclasses import dataclass

from engine.dicom.frame import Window


@dataclass(frozen=True, slots=True)
class RenderSpec:
    """A rendering.

    Attributes
    ----------
    window : Window or None
        In modality values; None: the header's first window, or the range of the pixels.
    width, height : int or None
        The image fits inside, its shape kept; None: as stored. One of them alone decides.
    region : (x, y, width, height) or None
        Part of the stored image, in its pixels.
    """

    window: Window | None = None
    width: int | None = None
    height: int | None = None
    region: tuple[int, int, int, int] | None = None
