"""One frame as a presentation state, segmentations and captions want it, step by step in the order of PS3.4 N.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.dicom.frame import FrameDescriptor
from engine.dicom.plane import Affine
from engine.dicom.presentation import FramePresentation, StateKind
from engine.errors import UnsupportedPresentation
from engine.imaging.presentation.captions import Corner, annotated
from engine.imaging.presentation.drawing import drawn
from engine.imaging.presentation.gray import GrayPipeline
from engine.imaging.presentation.masks import subtracted
from engine.imaging.presentation.placement import Placement, place
from engine.imaging.presentation.profile import to_srgb
from engine.imaging.presentation.segments import IDENTITY, Cover, blended, sampled
from engine.imaging.presentation.shutters import shuttered
from engine.limits import Limits

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ShownFrame:
    """A decoded frame and what of its header has a part in how it is presented.

    Attributes
    ----------
    stored_values : grey (rows, columns); or display values, uint8 RGB (rows, columns, 3) of the whole frame, where the
        image is a colour one (of palette colour too).
    frame_number : from 1.
    other_frames : stored values of those that `FramePresentation.mask_frames` names, by frame number.
    overlays : the image's overlays over this frame, bool (rows, columns) by group.
    """

    stored_values: Array
    descriptor: FrameDescriptor
    frame_number: int = 1
    other_frames: Mapping[int, Array] = field(default_factory=dict)
    overlays: Mapping[int, Array] = field(default_factory=dict)

    @property
    def pixel_shape(self) -> tuple[float, float]:
        """(vertical, horizontal) size of a pixel, as a ratio."""
        vertical, horizontal = self.descriptor.pixel_shape(self.frame_number - 1)
        return (vertical, horizontal) if min(vertical, horizontal) > 0 else (1.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Superimposed:
    """The frame of a blending state that is laid over the shown one.

    Attributes
    ----------
    matrix : of the shown frame's (column, row, 1) makes this one's (`Plane.index_in`).
    """

    state: FramePresentation
    frame: ShownFrame
    matrix: Affine = IDENTITY


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Extras:
    """What is asked for besides the presentation state.

    Attributes
    ----------
    segments : from `segments.covers`, over the image and under its annotations.
    segment_opacity : 0 to 1.
    captions : lines for corners.
    graphics : draw what the state annotates, its overlays too.
    """

    segments: Sequence[Cover] = ()
    segment_opacity: float = 0.4
    captions: Mapping[Corner, Sequence[str]] = field(default_factory=dict)
    graphics: bool = True


def render_presented(
    state: FramePresentation,
    frame: ShownFrame,
    limits: Limits,
    *,
    size: tuple[int | None, int | None] = (None, None),
    superimposed: Superimposed | None = None,
    extras: Extras | None = None,
    screen_pixel_mm: float | None = None,
) -> Array:
    """Display values of one frame as a presentation state says. Any thread; nothing is kept.

    Parameters
    ----------
    size : (width, height) to fit into; None: no bound on that side (`placement.place`).
    superimposed : for a blending state, whose shown frame is the underlying one; None: the other set has none here.

    Returns
    -------
    uint8 (height, width) grey, or (height, width, 3) sRGB where anything has a colour; C-contiguous.

    Raises
    ------
    UnsupportedPresentation, TooLarge
    """
    extras = extras or Extras()
    rows, columns = frame.stored_values.shape[:2]
    placement = place(
        rows,
        columns,
        limits,
        area=state.area,
        spatial=state.spatial,
        pixel_aspect_ratio=frame.pixel_shape,
        size=size,
        screen_pixel_mm=screen_pixel_mm,
    )
    values = point_values(state, frame)
    if superimposed is not None and state.kind is StateKind.BLENDING and not state.is_superimposed:
        values = _overlaid(values, superimposed)
    if state.shutter is not None:
        values = shuttered(values, state.shutter, frame.pixel_shape)
    display = placement.arranged(values)
    if extras.segments:
        display = blended(display, extras.segments, placement, extras.segment_opacity)
    if extras.graphics and state.layers:
        display = drawn(display, state.layers, placement, frame.frame_number, (rows, columns), frame.overlays, limits)
    return captioned(display, extras.captions)


def render_with_segments(display_values: Array, shown: Sequence[Cover], placement: Placement, opacity: float) -> Array:
    """A picture without a presentation state with segments over it; `placement`: `plain_placement` of that picture."""
    return blended(display_values, shown, placement, opacity) if shown else display_values


def plain_placement(region: tuple[int, int, int, int], size: tuple[int, int]) -> Placement:
    """How `render` places a region (x, y, width, height) of the stored image on a display (width, height)."""
    x, y, columns, rows = region
    return Placement(left=x, top=y, columns=columns, rows=rows, width=size[0], height=size[1])


def captioned(display_values: Array, captions: Mapping[Corner, Sequence[str]]) -> Array:
    """With lines of text in some of its corners."""
    for corner, lines in captions.items():
        display_values = annotated(display_values, lines, corner)
    return display_values


def point_values(state: FramePresentation, frame: ShownFrame) -> Array:
    """Everything that is done to each pixel by itself: uint8 (rows, columns) grey or (rows, columns, 3) sRGB.

    Raises
    ------
    UnsupportedPresentation : a state for grey images on a colour one, or the other way round.
    """
    stored = frame.stored_values
    if state.kind is StateKind.COLOR:
        if stored.ndim != 3:
            raise UnsupportedPresentation("a Color Softcopy Presentation State on an image without colours")
        return to_srgb(stored, state.icc_profile)
    if stored.ndim != 2:
        raise UnsupportedPresentation("a presentation state for grey values on a colour image")
    pipeline = GrayPipeline(state, frame.descriptor)
    values: Array | None = None
    if state.mask is not None:
        frames = {**frame.other_frames, frame.frame_number: stored}
        difference = subtracted(state.mask, frame.frame_number, frames, pipeline.modality_values)
        values = None if difference is None else pipeline.display_difference(difference)
    if values is None:
        values = pipeline.display(stored)
    return to_srgb(values, state.icc_profile) if pipeline.is_coloured else values


def _overlaid(under: Array, superimposed: Superimposed) -> Array:
    """Relative Opacity of the superimposed colours over the underlying grey (PS3.4 N.2.4.3); none where there are none."""
    above = point_values(superimposed.state, superimposed.frame)
    rows, columns = under.shape[:2]
    matrix = superimposed.matrix
    above = sampled(above.astype(np.float64), matrix, rows, columns, fill=np.nan, is_smooth=True)
    opacity = superimposed.state.relative_opacity
    below = np.repeat(under[:, :, None], 3, axis=2).astype(np.float64)
    mixed = opacity * above + (1.0 - opacity) * below
    return (np.where(np.isnan(mixed), below, mixed) + 0.5).astype(np.uint8)
