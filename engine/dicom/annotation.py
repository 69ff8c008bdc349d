"""What a presentation state draws over an image: layers, graphics, texts and overlays (PS3.3 C.10.5, C.10.7, C.11.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from engine.dicom.colour import Rgb
from engine.dicom.overlay import Overlay

Point: TypeAlias = tuple[float, float]  # column, row


class Units(StrEnum):
    """Graphic Annotation Units (0070,0005).

    PIXEL: (0, 0) is the top left corner of the first stored pixel, (Columns, Rows) the bottom right one of the last.
    DISPLAY: fractions of the specified displayed area as it is shown, rotated and flipped.
    """

    PIXEL = "PIXEL"
    DISPLAY = "DISPLAY"


class GraphicType(StrEnum):
    """Graphic Type (0070,0023)."""

    POINT = "POINT"
    POLYLINE = "POLYLINE"
    INTERPOLATED = "INTERPOLATED"
    CIRCLE = "CIRCLE"
    ELLIPSE = "ELLIPSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStyle:
    """Line Style Sequence (0070,0232), its solid and dashed lines; `pattern`: 32 bits, the highest drawn first."""

    thickness: float = 1.0
    rgb: Rgb | None = None
    opacity: float = 1.0
    pattern: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class FillStyle:
    """Fill Style Sequence (0070,0233); what is stippled is filled like what is solid."""

    rgb: Rgb | None = None
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphic:
    """One item of the Graphic Object Sequence.

    Attributes
    ----------
    points : as `type` wants them (PS3.3 C.10.5.1.2): a circle's centre and a point on it; the ends of an ellipse's
        major axis, then those of its minor one.
    is_endless : the line through two points goes on to the edges of the display.
    """

    type: GraphicType
    units: Units
    points: tuple[Point, ...]
    is_filled: bool = False
    line: LineStyle = field(default_factory=LineStyle)
    fill: FillStyle = field(default_factory=FillStyle)
    is_endless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One item of the Text Object Sequence, with a bounding box, an anchor point, or both.

    Attributes
    ----------
    lines : of the Unformatted Text Value, without control characters.
    box : (top left, bottom right) corners in `box_units`, as the writer saw them.
    justification : LEFT, CENTER or RIGHT inside the box.
    """

    lines: tuple[str, ...]
    box: tuple[Point, Point] | None = None
    box_units: Units = Units.PIXEL
    justification: str = "LEFT"
    anchor: Point | None = None
    anchor_units: Units = Units.PIXEL
    is_anchor_visible: bool = False
    rgb: Rgb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphicLayer:
    """A layer's recommended colour: for a screen that has colours, and as 8-bit grey; None where it has none."""

    name: str
    order: int = 0
    rgb: Rgb | None = None
    grey: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerContent:
    """All that one layer shows over one frame.

    Attributes
    ----------
    overlays : the presentation state's own.
    image_overlay_groups : groups 60xx of the image that are shown in this layer.
    """

    layer: GraphicLayer
    graphics: tuple[Graphic, ...] = ()
    texts: tuple[Text, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    image_overlay_groups: tuple[int, ...] = ()
