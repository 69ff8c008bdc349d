"""Lines of text in a corner of a picture, for ``annotation=patient,technique`` (PS3.18 8.3.5.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine.imaging.presentation.drawing import write
from engine.imaging.presentation.fonts import LOCK, font_for

Array = npt.NDArray[Any]

_ROWS = 36  # lines that a picture is high
_SIZE_MIN, _SIZE_MAX = 9, 48
_WIDTH_PART = 0.6  # of the picture that a line may take before it is written smaller


class Corner(StrEnum):
    """Of the picture as it is seen."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


def annotated(display_values: Array, lines: Sequence[str], corner: Corner) -> Array:
    """A copy of uint8 (height, width[, 3]) with lines of text; white with a dark edge, so that it can be read on anything.

    A line that is too long is written smaller, and goes over the edge when it is still too long at nine pixels' height:
    what identifies a patient is not shortened.
    """
    image = Image.fromarray(np.ascontiguousarray(display_values))
    pen = ImageDraw.Draw(image)
    width, height = image.size
    size = int(np.clip(height / _ROWS, _SIZE_MIN, _SIZE_MAX))
    margin = max(2, size // 3)
    ink: Any = 255 if display_values.ndim == 2 else (255, 255, 255)
    with LOCK:
        while True:
            fitted = [font_for(line, size) for line in lines]
            widths = [pen.textlength(shown, font=font) for font, shown in fitted]
            if size <= _SIZE_MIN or max(widths, default=0.0) <= width * _WIDTH_PART:
                break
            size -= 1
        step = size * 1.25
        top = float(margin)
        if corner in (Corner.BOTTOM_LEFT, Corner.BOTTOM_RIGHT):
            top = height - margin - step * len(lines)
        is_right = corner in (Corner.TOP_RIGHT, Corner.BOTTOM_RIGHT)
        for (font, shown), length in zip(fitted, widths, strict=True):
            write(pen, (max(width - margin - length, 0.0) if is_right else float(margin), top), shown, font, ink)
            top += step
    return np.array(image)
