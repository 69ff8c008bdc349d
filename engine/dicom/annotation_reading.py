"""Graphic layers, annotations and activated overlays out of a presentation state (PS3.3 C.10.5, C.10.7, C.11.7)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.dicom import attributes as at
from engine.dicom.annotation import (
    FillStyle,
    Graphic,
    GraphicLayer,
    GraphicType,
    LayerContent,
    LineStyle,
    Point,
    Text,
    Units,
)
from engine.dicom.colour import Rgb, grey_of_p_value, rgb_of_cielab
from engine.dicom.overlay import Overlay
from engine.dicom.presentation import Annotations, References
from engine.errors import MalformedDataSet, TooLarge
from engine.limits import Limits

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_ITEMS, _POINTS = "limits.annotation_items_max", "limits.graphic_points_max"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
_LINES = ("RANGELINE", "RULER", "AXIS", "ARROW")
_ENDLESS = ("INFINITELINE", "CUTLINE")


def layers_of(ds: Dataset, limits: Limits) -> tuple[GraphicLayer, ...]:
    """The Graphic Layer Sequence in the order in which layers are drawn."""
    found = []
    for item in at.items(ds, "GraphicLayerSequence", limits.annotation_items_max, _ITEMS):
        grey = at.number(item, "GraphicLayerRecommendedDisplayGrayscaleValue")
        order = at.number(item, "GraphicLayerOrder")
        rgb = _rgb(item, "GraphicLayerRecommendedDisplayCIELabValue")
        if rgb is None:  # retired in 2006, but what older states have
            old = at.triplet(item, "GraphicLayerRecommendedDisplayRGBValue")
            rgb = None if old is None else (old[0] >> 8, old[1] >> 8, old[2] >> 8)
        found.append(
            GraphicLayer(
                name=at.text(item, "GraphicLayer"),
                order=0 if order is None else int(order),
                rgb=rgb,
                grey=None if grey is None else grey_of_p_value(int(grey)),
            )
        )
    return tuple(sorted(found, key=lambda layer: layer.order))


class AnnotationReader:
    """Reads the Graphic Annotation Sequence of one state and counts what it has against the limits."""

    def __init__(self, layers: tuple[GraphicLayer, ...], limits: Limits) -> None:
        self._layers = {layer.name: layer for layer in layers}
        self._limits = limits
        self._items = self._points = 0
        self.not_drawn: list[str] = []

    def annotations(self, ds: Dataset, references: Callable[[Dataset], References]) -> tuple[Annotations, ...]:
        """
        Raises
        ------
        MalformedDataSet, TooLarge
        """
        found = []
        for item in at.items(ds, "GraphicAnnotationSequence", self._limits.annotation_items_max, _ITEMS):
            drawn: set[float] = set()  # compound graphics that the item also has as simple ones, as it must
            graphics = [self._graphic(one, drawn) for one in self._counted(item, "GraphicObjectSequence")]
            texts = [self._text(one, drawn) for one in self._counted(item, "TextObjectSequence")]
            for compound in self._counted(item, "CompoundGraphicSequence"):
                if at.number(compound, "CompoundGraphicInstanceID") not in drawn:
                    graphics += self._compound(compound)
            content = LayerContent(
                layer=self.layer(at.text(item, "GraphicLayer")),
                graphics=tuple(one for one in graphics if one is not None),
                texts=tuple(one for one in texts if one is not None),
            )
            found.append(Annotations(references=references(item), content=content))
        return tuple(found)

    def layer(self, name: str) -> GraphicLayer:
        """The layer of that name; one that the state does not describe is drawn above the others."""
        above = max((layer.order for layer in self._layers.values()), default=0) + 1
        return self._layers.get(name) or GraphicLayer(name=name, order=above)

    def overlays(self, ds: Dataset, planes: dict[int, Overlay], shutter_group: int | None) -> tuple[Annotations, ...]:
        """Overlays of the state (`planes`, by group) or of its images that are activated in a layer (PS3.3 C.11.7)."""
        found = []
        for group in OVERLAY_GROUPS:
            element = at.guarded("Overlay Activation Layer", lambda group=group: ds.get((group, 0x1001)))  # type: ignore[misc]
            name = "" if element is None else str(element.value or "").strip()
            if group == shutter_group or not name:
                continue
            plane = planes.get(group)
            content = LayerContent(
                layer=self.layer(name),
                overlays=() if plane is None else (plane,),
                image_overlay_groups=(group,) if plane is None else (),
            )
            found.append(Annotations(references=(), content=content))
        return tuple(found)

    def _counted(self, item: Dataset, keyword: str) -> list[Dataset]:
        found = list(at.items(item, keyword, self._limits.annotation_items_max, _ITEMS))
        self._items += len(found)
        if self._items > self._limits.annotation_items_max:
            raise TooLarge("the number of annotations", self._items, self._limits.annotation_items_max, _ITEMS)
        return found

    def _graphic(self, item: Dataset, drawn: set[float]) -> Graphic | None:
        _note(item, drawn)
        name, units = at.text(item, "GraphicType"), self._units(item, "GraphicAnnotationUnits")
        if units is None:
            return None
        if name not in GraphicType.__members__:
            self.not_drawn.append(f"a graphic of type {name or 'unknown'}")
            return None
        kind = GraphicType(name)
        points = self._pairs(item)
        least = {GraphicType.POINT: 1, GraphicType.ELLIPSE: 4}.get(kind, 2)
        if len(points) < least:
            raise MalformedDataSet(f"a {kind} has {len(points)} points")
        is_filled = at.text(item, "GraphicFilled") == "Y"
        return Graphic(type=kind, units=units, points=points, is_filled=is_filled, line=_line(item), fill=_fill(item))

    def _text(self, item: Dataset, drawn: set[float]) -> Text | None:
        _note(item, drawn)
        value = at.text(item, "UnformattedTextValue")
        if len(value) > self._limits.annotation_text_max:
            raise TooLarge(
                "UnformattedTextValue", len(value), self._limits.annotation_text_max, "limits.annotation_text_max"
            )
        first, last = (self._point(item, f"BoundingBox{c}HandCorner") for c in ("TopLeft", "BottomRight"))
        anchor = self._point(item, "AnchorPoint")
        box_units = self._units(item, "BoundingBoxAnnotationUnits") if first and last else Units.PIXEL
        anchor_units = self._units(item, "AnchorPointAnnotationUnits") if anchor else Units.PIXEL
        if box_units is None or anchor_units is None:
            return None
        if anchor is None and (first is None or last is None):
            raise MalformedDataSet("a text without a bounding box or an anchor point")
        style = next(iter(at.items(item, "TextStyleSequence", 1, "one item")), None)
        return Text(
            lines=tuple(_CONTROL.sub("", line) for line in re.split(r"\r\n|\r|\n", value)),
            box=(first, last) if first and last else None,
            box_units=box_units,
            justification=at.text(item, "BoundingBoxTextHorizontalJustification") or "LEFT",
            anchor=anchor,
            anchor_units=anchor_units,
            is_anchor_visible=at.text(item, "AnchorPointVisibility") == "Y",
            rgb=None if style is None else _rgb(style, "TextColorCIELabValue"),
        )

    def _compound(self, item: Dataset) -> list[Graphic | None]:
        """A compound graphic that nobody made simple ones of: its lines, without ticks, gaps and heads (C.10.5.1.3)."""
        name, units = at.text(item, "CompoundGraphicType"), self._units(item, "CompoundGraphicUnits")
        if units is None:
            return []
        points = self._pairs(item)
        is_filled = at.text(item, "GraphicFilled") == "Y"
        line, fill = _line(item), _fill(item)
        if name in ("RECTANGLE", "ELLIPSE") and len(points) == 2:
            (x0, y0), (x1, y1) = points
            if name == "RECTANGLE":
                kind, points = GraphicType.POLYLINE, ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
            else:
                x, y = (x0 + x1) / 2, (y0 + y1) / 2
                kind, points = GraphicType.ELLIPSE, ((x0, y), (x1, y), (x, y0), (x, y1))
            points = _turned(points, at.number(item, "RotationAngle") or 0.0, self._point(item, "RotationPoint"))
            return [Graphic(type=kind, units=units, points=points, is_filled=is_filled, line=line, fill=fill)]
        runs: list[tuple[Point, ...]] = []
        if name in _LINES + _ENDLESS and len(points) == 2:
            runs = [points]
        elif name == "MULTILINE" and len(points) % 2 == 0:
            runs = [points[i : i + 2] for i in range(0, len(points), 2)]
        if not runs:
            self.not_drawn.append(f"a compound graphic of type {name or 'unknown'}")
        return [
            Graphic(type=GraphicType.POLYLINE, units=units, points=run, line=line, is_endless=name in _ENDLESS)
            for run in runs
        ]

    def _units(self, item: Dataset, keyword: str) -> Units | None:
        """PIXEL where nothing is said; None, and noted, for those of a whole slide's total pixel matrix."""
        name = at.text(item, keyword) or "PIXEL"
        if name not in Units.__members__:
            self.not_drawn.append(f"an annotation in units of {name}")
            return None
        return Units(name)

    def _point(self, item: Dataset, keyword: str) -> Point | None:
        found = at.numbers(item, keyword)
        if found and len(found) != 2:
            raise MalformedDataSet(f"{keyword} is not two numbers")
        return (found[0], found[1]) if found else None

    def _pairs(self, item: Dataset) -> tuple[Point, ...]:
        values = at.numbers(item, "GraphicData", values_max=2 * self._limits.graphic_points_max)
        if len(values) % 2:
            raise MalformedDataSet("GraphicData has an odd number of values")
        self._points += len(values) // 2
        if self._points > self._limits.graphic_points_max:
            raise TooLarge("the number of graphic points", self._points, self._limits.graphic_points_max, _POINTS)
        return tuple(zip(values[::2], values[1::2], strict=True))


def _note(item: Dataset, drawn: set[float]) -> None:
    compound = at.number(item, "CompoundGraphicInstanceID")
    if compound is not None:
        drawn.add(compound)


def _rgb(item: Dataset, keyword: str) -> Rgb | None:
    lab = at.triplet(item, keyword)
    return None if lab is None else rgb_of_cielab(lab)


def _line(item: Dataset) -> LineStyle:
    style = next(iter(at.items(item, "LineStyleSequence", 1, "one item")), None)
    if style is None:
        return LineStyle()
    thickness, opacity = at.number(style, "LineThickness"), at.number(style, "PatternOnOpacity")
    pattern = 0xFFFFFFFF
    if at.text(style, "LineDashingStyle") == "DASHED":
        found = at.number(style, "LinePattern")
        pattern = 0xFF00FF00 if found is None else int(found) & 0xFFFFFFFF
    return LineStyle(
        thickness=min(max(1.0 if thickness is None else thickness, 1.0), 32.0),
        rgb=_rgb(style, "PatternOnColorCIELabValue"),
        opacity=_unit(opacity),
        pattern=pattern,
    )


def _fill(item: Dataset) -> FillStyle:
    style = next(iter(at.items(item, "FillStyleSequence", 1, "one item")), None)
    if style is None:
        return FillStyle()
    return FillStyle(rgb=_rgb(style, "PatternOnColorCIELabValue"), opacity=_unit(at.number(style, "PatternOnOpacity")))


def _unit(opacity: float | None) -> float:
    return 1.0 if opacity is None else min(max(opacity, 0.0), 1.0)


def _turned(points: tuple[Point, ...], degrees: float, about: Point | None) -> tuple[Point, ...]:
    """Counterclockwise as it is seen (PS3.3 C.10.5.1.3.2), where rows go down."""
    if not degrees:
        return points
    count = len(points) - (points[0] == points[-1])
    center = about or (sum(x for x, _ in points[:count]) / count, sum(y for _, y in points[:count]) / count)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple(
        (
            center[0] + (x - center[0]) * cos + (y - center[1]) * sin,
            center[1] - (x - center[0]) * sin + (y - center[1]) * cos,
        )
        for x, y in points
    )
