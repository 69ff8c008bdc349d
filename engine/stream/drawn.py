"""What was gathered for a picture, decoded and drawn; on a decode thread."""

from __future__ import annotations

from collections.abc import Mapping

from engine.codec.base import Array
from engine.dicom.frame import FrameDescriptor
from engine.imaging.overlay import mask_of
from engine.imaging.plan import plan
from engine.imaging.presentation.apply import (
    Extras,
    ShownFrame,
    Superimposed,
    captioned,
    plain_placement,
    render_presented,
    render_with_segments,
)
from engine.imaging.presentation.captions import Corner
from engine.imaging.presentation.segments import Cover, covers
from engine.imaging.render import render
from engine.imaging.size import Region
from engine.imaging.spec import RenderSpec
from engine.limits import Limits
from engine.stream.decoded import DecodedFrames, descriptor_of
from engine.stream.gathered import Gathered
from engine.types import Timings


def through_state(
    found: Gathered, frames: DecodedFrames, size: tuple[int | None, int | None], limits: Limits, timings: Timings
) -> Array:
    """Display values of a frame as its presentation state wants it, with the other additions: uint8, sRGB where coloured.

    Raises
    ------
    UnsupportedPresentation, UnsupportedPixels, BadFrame, TooLarge, MalformedDataSet, CorruptInstance
    """
    state, descriptor = found.frame, descriptor_of(found.record)
    assert state is not None and found.record.frame_table is not None
    with timings.step("decode"):
        shown = ShownFrame(
            stored_values=_values(found, frames, limits),
            descriptor=descriptor,
            frame_number=found.frame_index + 1,
            other_frames={
                number: found.decoded(frames, found.record, number - 1).stored_values
                for number in state.mask_frames(len(found.record.frame_table))
            },
            overlays=_overlays(found, frames, descriptor),
        )
        above = None
        if found.above is not None:
            one = found.above
            stored = found.decoded(frames, one.record, one.frame_index).stored_values
            frame = ShownFrame(
                stored_values=stored, descriptor=descriptor_of(one.record), frame_number=one.frame_index + 1
            )
            above = Superimposed(state=one.state, frame=frame, matrix=one.matrix)
        shares = _covers(found, frames, limits)
    with timings.step("render"):
        extras = Extras(segments=shares, segment_opacity=found.opacity, captions=_corners(found))
        return render_presented(state, shown, limits, size=size, superimposed=above, extras=extras)


def over_plain(found: Gathered, frames: DecodedFrames, display: Array, region: Region, limits: Limits) -> Array:
    """A picture of a region of the image without a presentation state, with the additions.

    Raises
    ------
    UnsupportedPixels, BadFrame, TooLarge, CorruptInstance
    """
    placement = plain_placement(region, (display.shape[1], display.shape[0]))
    display = render_with_segments(display, _covers(found, frames, limits), placement, found.opacity)
    return captioned(display, _corners(found))


def _values(found: Gathered, frames: DecodedFrames, limits: Limits) -> Array:
    """Stored grey values, or the colours of an image that has some."""
    descriptor, index = descriptor_of(found.record), found.frame_index
    decoded = found.decoded(frames, found.record, index)
    if descriptor.is_monochrome:
        return decoded.stored_values
    what = plan(descriptor, index, decoded.photometric_interpretation, RenderSpec(), limits, found.header)
    return render(what, decoded.stored_values)


def _overlays(found: Gathered, frames: DecodedFrames, descriptor: FrameDescriptor) -> Mapping[int, Array]:
    """The image's own overlays that the state shows, by group."""
    if found.header is None or found.frame is None:
        return {}
    groups = {group for content in found.frame.layers for group in content.image_overlay_groups}
    wanted = [overlay for overlay in found.header.overlays if overlay.group in groups]
    cells = None
    if any(overlay.is_embedded for overlay in wanted) and descriptor.samples_per_pixel == 1:
        cells = frames.cells(found.record, found.frame_index)
    size = descriptor.rows, descriptor.columns
    return {overlay.group: mask_of([overlay], found.frame_index, *size, cells) for overlay in wanted}


def _covers(found: Gathered, frames: DecodedFrames, limits: Limits) -> list[Cover]:
    descriptor = descriptor_of(found.record)
    shares: list[Cover] = []
    for layer in found.layers:
        values = {one.index: found.decoded(frames, layer.record, one.index).stored_values for one in layer.frames}
        shares += covers(
            layer.segmentation, layer.frames, values, found.plane, descriptor.rows, descriptor.columns, limits
        )
    return shares


def _corners(found: Gathered) -> dict[Corner, tuple[str, ...]]:
    caption = found.caption
    if caption is None:
        return {}
    lines = {
        Corner.TOP_LEFT: caption.patient,
        Corner.TOP_RIGHT: caption.study,
        Corner.BOTTOM_LEFT: caption.acquisition,
    }
    return {corner: texts for corner, texts in lines.items() if texts}
