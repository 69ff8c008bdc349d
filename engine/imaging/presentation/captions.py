"""Lines of text in a corner of a picture, for ``annotation=patient,technique`` (PS3.18 8.3.5.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine.imaging.presentation.drawing import write
from engine.imaging.presentation.fonts import LOCK, length_of, runs_for

Array = npt.NDArray[Any]

_ROWS = 36  # lines that a picture is high
_SIZE_MIN, _SIZE_MAX = 9, 48
_WIDTH_PART = 0.48  # of the picture that a line may take: there may be another beside it


class Corner(StrEnum):
    """Of the picture as it is seen."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


def annotated(display_values: Array, lines: Sequence[str], corner: Corner) -> Array:
    """A copy of uint8 (height, width[, 3]) with lines of text; white with a dark edge, so that it can be read on anything.

    A line that is too long is written smaller, and broken when it is still too long at nine pixels' height: what identifies
    a patient is not shortened.
    """
    image = Image.fromarray(np.ascontiguousarray(display_values))
    pen = ImageDraw.Draw(image)
    width, height = image.size
    size = int(np.clip(height / _ROWS, _SIZE_MIN, _SIZE_MAX))
    margin = max(2, size // 3)
    ink: Any = 255 if display_values.ndim == 2 else (255, 255, 255)
    with LOCK:
        room = width * _WIDTH_PART - margin
        while size > _SIZE_MIN and max((length_of(runs_for(line, size)) for line in lines), default=0.0) > room:
            size -= 1
        fitted = [runs_for(part, size) for line in lines for part in _broken(line, size, room)]
        step = size * 1.25
        top = float(margin)
        if corner in (Corner.BOTTOM_LEFT, Corner.BOTTOM_RIGHT):
            top = height - margin - step * len(fitted)
        is_right = corner in (Corner.TOP_RIGHT, Corner.BOTTOM_RIGHT)
        for runs in fitted:
            write(pen, (max(width - margin - length_of(runs), 0.0) if is_right else float(margin), top), runs, ink)
            top += step
    return np.array(image)


def _broken(line: str, size: int, room: float) -> list[str]:
    """The line in parts that are no longer than `room` pixels, at its spaces where it can be; a part has one character at least."""
    parts: list[str] = []
    while line:
        count = len(line)
        while count > 1 and length_of(runs_for(line[:count], size)) > room:
            space = line.rfind(" ", 1, count - 1)
            count = space + 1 if space > 0 else count - 1
        parts.append(line[:count].rstrip())
        line = line[count:].lstrip()
    return parts
