"""Subtraction of a mask frame, as angiography has it (PS3.3 C.7.6.10, PS3.4 N.2.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.presentation import MaskOperation, MaskSubtraction
from engine.errors import UnsupportedPresentation

Array = npt.NDArray[Any]


def subtracted(
    mask: MaskSubtraction, frame_number: int, frames: Mapping[int, Array], modality: Callable[[Array], Array]
) -> Array | None:
    """float64 (rows, columns): contrast minus mask, both in modality values; None for a frame that TID has no mask for.

    Parameters
    ----------
    frames : stored values by frame number: the shown one and those that `FramePresentation.mask_frames` names.
    modality : makes modality values of stored ones.

    Raises
    ------
    UnsupportedPresentation : the mask's frames are not in the image.
    """
    last = frame_number + (mask.contrast_averaging if mask.operation is MaskOperation.AVG_SUB else 1)
    contrast = _average([modality(frames[n]) for n in range(frame_number, last) if n in frames])
    if mask.operation is MaskOperation.AVG_SUB:
        if not all(n in frames for n in mask.frame_numbers):
            raise UnsupportedPresentation("a mask made of frames that the image does not have")
        below = _average([modality(frames[n]) for n in mask.frame_numbers])
    elif frame_number - mask.tid_offset in frames:
        below = modality(frames[frame_number - mask.tid_offset])
    else:
        return None
    return contrast - shifted(below, *mask.shift)


def shifted(image: Array, down: float, right: float) -> Array:
    """`image` moved by fractions of pixels, bilinear; its edges are repeated."""
    for axis, by in enumerate((down, right)):
        if by == 0:
            continue
        count = image.shape[axis]
        at = np.clip(np.arange(count) - by, 0, count - 1)
        low = np.floor(at).astype(np.int64)
        share = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        high = np.minimum(low + 1, count - 1)
        image = np.take(image, low, axis) * (1.0 - share) + np.take(image, high, axis) * share
    return image


def _average(values: list[Array]) -> Array:
    total = values[0].astype(np.float64)
    for one in values[1:]:
        total = total + one
    return total / len(values)
