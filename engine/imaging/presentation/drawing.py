"""Overlays, graphics and texts onto display values, in their layers' order (PS3.4 N.2.3.2, N.2.3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine.dicom.annotation import Graphic, GraphicLayer, GraphicType, LayerContent, Text, Units
from engine.dicom.colour import Rgb
from engine.errors import TooLarge
from engine.imaging.overlay import mask_of
from engine.imaging.presentation.fonts import LOCK, Run, length_of, runs_for
from engine.imaging.presentation.placement import Placement
from engine.imaging.presentation.polygon import polygon_mask
from engine.imaging.presentation.shapes import clipped, dashed, display_points, outline
from engine.limits import Limits

Array = npt.NDArray[Any]
Colour: TypeAlias = int | Rgb

_WHITE: Rgb = (255, 255, 255)
_LINES_PER_DISPLAY = 512  # a line is a pixel wide for so many rows, and thicker on a larger display
_TEXT_ROWS = 40  # lines of text that a display is high, where nothing says how large text should be
_TEXT_MIN, _TEXT_MAX = 9, 200
_LINE_STEP = 1.2  # from a line to the next, in heights of a letter


def drawn(
    display_values: Array,
    layers: Sequence[LayerContent],
    placement: Placement,
    frame_number: int,
    image_size: tuple[int, int],
    image_overlays: Mapping[int, Array],
    limits: Limits,
) -> Array:
    """Draw what the layers hold.

    Parameters
    ----------
    display_values : uint8 (height, width[, 3]) of `placement`; not changed.
    image_size : (rows, columns) of the stored image.
    image_overlays : bits of the image's own overlays, bool (rows, columns) by group, for those that a layer shows.

    Returns
    -------
    uint8 of the same shape; (height, width, 3) when a colour is drawn over grey.

    Raises
    ------
    TooLarge : more points and letters than are drawn over one image.
    """
    points = sum(len(g.points) for content in layers for g in content.graphics)
    points += sum(len(line) for content in layers for text in content.texts for line in text.lines)
    if points > limits.graphic_points_shown_max:
        raise TooLarge(
            "the number of graphic points and letters",
            points,
            limits.graphic_points_shown_max,
            "limits.graphic_points_shown_max",
        )
    if display_values.ndim == 2 and any(_has_colour(content) for content in layers):
        display_values = np.repeat(display_values[:, :, None], 3, axis=2)
    canvas = _Canvas(display_values)
    for content in layers:
        shown = [mask_of([plane], frame_number - 1, *image_size) for plane in content.overlays]
        shown += [image_overlays[group] for group in content.image_overlay_groups if group in image_overlays]
        for bits in shown:
            if bits.any():
                canvas.bitmap(
                    placement.arranged(bits.view(np.uint8) * np.uint8(255), is_cover=True), _layer_rgb(content.layer)
                )
        for graphic in content.graphics:
            canvas.graphic(graphic, placement, content.layer)
        for text in content.texts:
            canvas.text(text, placement, content.layer)
    return canvas.values()


class _Canvas:
    """Pillow's image of the display values; grey when no colour is needed."""

    def __init__(self, display_values: Array) -> None:
        self._image = Image.fromarray(display_values)  # a copy
        self._pen = ImageDraw.Draw(self._image)
        self._is_grey = display_values.ndim == 2
        self._unit = max(1, round(min(self._image.size) / _LINES_PER_DISPLAY))

    def values(self) -> Array:
        return np.array(self._image)

    def bitmap(self, cover: Array, rgb: Rgb) -> None:
        """`cover`: uint8 (height, width), how much of each pixel is drawn; a reduced bit is a part of one."""
        self._image.paste(self._ink(rgb), (0, 0), Image.fromarray(cover))

    def graphic(self, graphic: Graphic, placement: Placement, layer: GraphicLayer) -> None:
        run = outline(graphic, placement)
        line_rgb = graphic.line.rgb or _layer_rgb(layer)
        width, height = self._image.size
        if graphic.type is GraphicType.POINT:
            radius = 2.0 * self._unit
            for x, y in run:
                if -radius <= x <= width + radius and -radius <= y <= height + radius:
                    self._cross(x, y, radius, line_rgb)
            return
        if graphic.is_filled:
            inside = polygon_mask(run - 0.5, height, width)
            cover = inside.view(np.uint8) * np.uint8(round(255 * graphic.fill.opacity))
            self.bitmap(cover, graphic.fill.rgb or line_rgb)
        thickness = max(1, round(graphic.line.thickness * self._unit))
        segments = clipped(run, width, height, float(thickness))
        segments = dashed(segments, graphic.line.pattern, float(self._unit * 2))
        if graphic.line.opacity == 1.0:
            self._lines(self._pen, segments, self._ink(line_rgb), thickness)
        elif graphic.line.opacity > 0.0:
            cover_image = Image.new("L", self._image.size, 0)
            self._lines(ImageDraw.Draw(cover_image), segments, round(255 * graphic.line.opacity), thickness)
            self._image.paste(self._ink(line_rgb), (0, 0), cover_image)

    def text(self, text: Text, placement: Placement, layer: GraphicLayer) -> None:
        rgb = text.rgb or _layer_rgb(layer)
        anchor = _placed(text.anchor, text.anchor_units, placement)
        corners = None if text.box is None else [_placed(c, text.box_units, placement) for c in text.box]
        if corners is not None and corners[0] is not None and corners[1] is not None:
            # Upright and readable wherever the corners went: a mirrored name is no name.
            left, right = sorted((corners[0][0], corners[1][0]))
            top, bottom = sorted((corners[0][1], corners[1][1]))
            size = (bottom - top) / max(len(text.lines), 1) * 0.8
        elif anchor is not None:
            left = right = anchor[0] + 3.0 * self._unit
            top, bottom, size = anchor[1], anchor[1], 0.0
        else:
            return
        width, height = self._image.size
        is_seen = left <= width and right >= 0 and top <= height and bottom >= 0
        if anchor is not None:
            is_seen = is_seen or (0 <= anchor[0] <= width and 0 <= anchor[1] <= height)
        if not is_seen:  # PS3.3 C.10.5.1.1
            return
        if anchor is not None and text.is_anchor_visible:
            ends = np.array([anchor, _nearest(anchor, left, top, right, bottom)])
            self._lines(self._pen, clipped(ends, width, height, 1.0), self._ink(rgb), self._unit)
        usual = height / _TEXT_ROWS
        pixels = int(np.clip(size or usual, max(_TEXT_MIN, usual / 2), max(_TEXT_MIN, min(_TEXT_MAX, usual * 2))))
        with LOCK:
            longest = max((length_of(runs_for(line, pixels)) for line in text.lines), default=0.0)
            if corners is not None and longest > right - left:
                # A box that was drawn upright lies on its side when the image is turned: then its width decides.
                pixels = max(_TEXT_MIN, int(pixels * (right - left) / longest))
            elif corners is None:  # it may be anywhere near its anchor: where it can be read
                left = right = max(min(left, width - longest - 2.0), 1.0)
                top = max(min(top, height - pixels * _LINE_STEP * len(text.lines) - 2.0), 1.0)
            self._written(text.lines, left, top, right, text.justification, pixels, rgb)

    def _written(
        self, lines: tuple[str, ...], left: float, top: float, right: float, justification: str, size: int, rgb: Rgb
    ) -> None:
        """Hold `LOCK`."""
        for line in lines:
            runs = runs_for(line, size)
            length = length_of(runs)
            match justification if right > left else "LEFT":
                case "RIGHT":
                    x = right - length
                case "CENTER":
                    x = (left + right - length) / 2
                case _:
                    x = left
            write(self._pen, (x, top), runs, self._ink(rgb))
            top += size * _LINE_STEP
            if top > self._image.size[1]:
                return

    def _cross(self, x: float, y: float, radius: float, rgb: Rgb) -> None:
        arms = np.array([[[x - radius, y], [x + radius, y]], [[x, y - radius], [x, y + radius]]])
        self._lines(self._pen, arms, self._ink(rgb), self._unit)

    def _lines(self, pen: Any, segments: Array, ink: Colour, thickness: int) -> None:
        # The pixel that a position is in is the one whose number is the position without its fraction.
        for start, end in np.floor(segments).astype(int).tolist():
            pen.line((*start, *end), fill=ink, width=thickness)

    def _ink(self, rgb: Rgb) -> Colour:
        return grey_of(rgb) if self._is_grey else rgb


def write(pen: Any, at: tuple[float, float], runs: tuple[Run, ...], ink: Colour) -> None:
    """A line of text with an edge of the other brightness, readable on whatever is behind it; hold `fonts.LOCK`."""
    level = ink if isinstance(ink, int) else grey_of(ink)
    other = 0 if level >= 128 else 255
    edge: Colour = other if isinstance(ink, int) else (other, other, other)
    x, base = at[0], at[1] + max((font.getmetrics()[0] for font, _ in runs), default=0)
    for font, shown in runs:
        pen.text((x, base), shown, font=font, fill=ink, stroke_width=1, stroke_fill=edge, anchor="ls")
        x += font.getlength(shown)


def grey_of(rgb: Rgb) -> int:
    """Luma of ITU-R BT.601."""
    return round(0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2])


def _layer_rgb(layer: GraphicLayer) -> Rgb:
    """A screen has colours, so a layer's colour comes before its grey; white where it recommends nothing."""
    if layer.rgb is not None:
        return layer.rgb
    return _WHITE if layer.grey is None else (layer.grey,) * 3


def _has_colour(content: LayerContent) -> bool:
    colours = [_layer_rgb(content.layer), *(t.rgb for t in content.texts)]
    for graphic in content.graphics:
        colours += [graphic.line.rgb, graphic.fill.rgb if graphic.is_filled else None]
    return any(c is not None and len(set(c)) > 1 for c in colours)


def _placed(point: tuple[float, float] | None, units: Units, placement: Placement) -> tuple[float, float] | None:
    if point is None:
        return None
    x, y = display_points(np.array([point], np.float64), units, placement)[0]
    return float(x), float(y)


def _nearest(anchor: tuple[float, float], left: float, top: float, right: float, bottom: float) -> tuple[float, float]:
    return min(max(anchor[0], left), right), min(max(anchor[1], top), bottom)
