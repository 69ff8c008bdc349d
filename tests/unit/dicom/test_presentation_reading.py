"""What is read out of a presentation state, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from presenting import (
    CT_UID,
    IMAGE_UID,
    LIMITS,
    area,
    ct_image,
    for_frame,
    image_reference,
    item,
    lut_item,
    read,
    reread,
    state_of,
    window,
)
from pydicom.dataset import Dataset

from engine.dicom.annotation import GraphicType, Units
from engine.dicom.frame import Rescale, VoiLutFunction, Window
from engine.dicom.presentation import NOT_APPLIED, MaskOperation, SizeMode, StateKind
from engine.dicom.presentation_reading import read_presentation
from engine.errors import MalformedDataSet, TooLarge, UnsupportedPresentation

IMAGE = ct_image(np.zeros((8, 10), np.uint16), bits_stored=12)
OTHER = "1.2.3.4.2"


def with_annotation(*graphics: Dataset, texts: list[Dataset] | None = None, **layer: Any) -> Dataset:
    """A state with one layer and these graphics in it."""
    annotation = item(GraphicLayer="ONE")
    if graphics:
        annotation.GraphicObjectSequence = list(graphics)
    if texts:
        annotation.TextObjectSequence = texts
    layers = [item(GraphicLayer="ONE", GraphicLayerOrder=1, **layer)]
    return state_of(IMAGE, GraphicAnnotationSequence=[annotation], GraphicLayerSequence=layers)


def graphic(kind: str, points: list[float], **attributes: Any) -> Dataset:
    ds = item(GraphicAnnotationUnits="PIXEL", GraphicDimensions=2, NumberOfGraphicPoints=len(points) // 2)
    ds.GraphicData, ds.GraphicType, ds.GraphicFilled = points, kind, "N"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def test_a_state_without_anything_is_the_identity() -> None:
    state = for_frame(state_of(IMAGE))
    assert state.modality == Rescale() and state.voi is None and state.presentation_lut is None
    assert not state.is_inverse and not state.layers and state.shutter is None and state.mask is None
    assert state.area is not None and (state.area.top_left, state.area.bottom_right) == ((1, 1), (10, 8))


def test_an_image_or_frame_that_the_state_does_not_name_is_not_presented() -> None:
    ds = state_of(IMAGE)
    ds.ReferencedSeriesSequence[0].ReferencedImageSequence = [image_reference(frames=[2, 4])]
    state = read(ds)
    assert state.for_frame(OTHER, 2) is None and state.for_frame(IMAGE_UID, 3) is None
    assert state.for_frame(IMAGE_UID, 4) is not None


def test_parts_are_for_the_images_and_frames_that_they_name() -> None:
    one, other = window(1, 10), window(2, 20)
    one.ReferencedImageSequence = [image_reference(frames=[1])]
    other.ReferencedImageSequence = [image_reference(frames=[2]), image_reference(OTHER)]
    first, second = area((1, 1), (2, 2)), area((3, 3), (4, 4))
    first.ReferencedImageSequence, second.ReferencedImageSequence = [image_reference(OTHER)], [image_reference()]
    ds = with_annotation(graphic("POINT", [1, 1]))
    ds.SoftcopyVOILUTSequence, ds.DisplayedAreaSelectionSequence = [one, other], [first, second]
    ds.GraphicAnnotationSequence[0].ReferencedImageSequence = [image_reference(OTHER)]
    ds.ReferencedSeriesSequence[0].ReferencedImageSequence = [image_reference(), image_reference(OTHER)]
    state = read(ds)
    shown = [state.for_frame(*key) for key in ((IMAGE_UID, 1), (IMAGE_UID, 2), (IMAGE_UID, 3), (OTHER, 1))]
    assert [None if s is None or s.voi is None else s.voi for s in shown] == [
        Window(1, 10), Window(2, 20), None, Window(2, 20)
    ]  # fmt: skip
    assert [s.area.top_left for s in shown if s is not None and s.area is not None] == [(3, 3)] * 3 + [(1, 1)]
    assert [len(s.layers) for s in shown if s is not None] == [0, 0, 0, 1]


def test_transforms_are_read() -> None:
    ds = state_of(IMAGE, RescaleSlope=2, RescaleIntercept=-3, RescaleType="HU", PresentationLUTShape="INVERSE")
    ds.SoftcopyVOILUTSequence = [window(4, 0.5), window(1, 2)]
    state = for_frame(ds)
    assert state.modality == Rescale(2, -3, "HU") and state.is_inverse
    assert state.voi == Window(4, 0.5, VoiLutFunction.LINEAR_EXACT)  # LINEAR has no width under one
    ds.SoftcopyVOILUTSequence = [window(4, 9, "SIGMOID")]
    assert for_frame(ds).voi == Window(4, 9, VoiLutFunction.SIGMOID)
    ds.SoftcopyVOILUTSequence = [item(VOILUTSequence=[lut_item(-5, np.arange(7), signed=True)])]
    voi = for_frame(ds).voi
    assert voi is not None and not isinstance(voi, Window) and (voi.first, voi.values.tolist()) == (-5, [*range(7)])


def test_size_modes_and_pixel_shapes() -> None:
    ds = state_of(IMAGE)
    ds.DisplayedAreaSelectionSequence = [
        area((-3, 0), (20, 9), PresentationSizeMode="MAGNIFY", PresentationPixelMagnificationRatio=2.5,
             PresentationPixelSpacing=[0.5, 0.25])
    ]  # fmt: skip
    found = for_frame(ds).area
    assert found is not None
    assert (found.top_left, found.bottom_right, found.mode) == ((-3, 0), (20, 9), SizeMode.MAGNIFY)
    assert (found.magnification, found.pixel_spacing, found.pixel_aspect_ratio) == (2.5, (0.5, 0.25), None)


def test_shutters() -> None:
    ds = state_of(IMAGE, ShutterShape=["RECTANGULAR", "CIRCULAR", "POLYGONAL"], ShutterPresentationValue=0x8080)
    ds.ShutterLeftVerticalEdge, ds.ShutterRightVerticalEdge = 1, 9
    ds.ShutterUpperHorizontalEdge, ds.ShutterLowerHorizontalEdge = 2, 7
    ds.CenterOfCircularShutter, ds.RadiusOfCircularShutter = [4, 5], 3
    ds.VerticesOfThePolygonalShutter = [1, 1, 1, 9, 8, 9]
    ds.ShutterPresentationColorCIELabValue = [0xFFFF, 0x8080, 0x8080]
    shutter = for_frame(ds).shutter
    assert shutter is not None
    assert (shutter.rectangle, shutter.circle) == ((1, 9, 2, 7), (4, 5, 3))
    assert shutter.polygon == ((1, 1), (1, 9), (8, 9))
    assert (shutter.grey, shutter.rgb) == (128, (255, 255, 255))


def test_a_bitmap_shutter_is_no_overlay() -> None:
    ds = state_of(IMAGE, ShutterShape="BITMAP", ShutterOverlayGroup=0x6002, ShutterPresentationValue=0)
    bits = np.arange(80).reshape(8, 10) % 3 == 0
    for group in (0x6000, 0x6002):
        ds.add_new((group, 0x0010), "US", 8)
        ds.add_new((group, 0x0011), "US", 10)
        ds.add_new((group, 0x0050), "SS", [1, 1])
        ds.add_new((group, 0x0100), "US", 1)
        ds.add_new((group, 0x0102), "US", 0)
        ds.add_new((group, 0x1001), "CS", "ONE")
        ds.add_new((group, 0x3000), "OW", np.packbits(bits.ravel(), bitorder="little").tobytes())
    state = for_frame(ds)
    assert state.shutter is not None and state.shutter.bitmap is not None
    np.testing.assert_array_equal(state.shutter.bitmap, bits)
    assert [plane.group for content in state.layers for plane in content.overlays] == [0x6000]


def test_masks() -> None:
    ds = state_of(IMAGE, RecommendedViewingMode="SUB")
    mask = item(MaskOperation="AVG_SUB", MaskFrameNumbers=[1, 3], MaskSubPixelShift=[0.5, -1.0])
    ds.MaskSubtractionSequence = [mask]
    state = for_frame(ds)
    assert state.mask is not None and state.mask.operation is MaskOperation.AVG_SUB
    assert (state.mask.frame_numbers, state.mask.shift) == ((1, 3), (0.5, -1.0))
    assert replace(state, frame_number=3).mask_frames(9) == (1,)
    mask.ContrastFrameAveraging = 3
    assert replace(for_frame(ds), frame_number=8).mask_frames(9) == (1, 3, 9)
    ds.MaskSubtractionSequence = [item(MaskOperation="TID", TIDOffset=2)]
    assert replace(for_frame(ds), frame_number=8).mask_frames(9) == (6,)
    assert replace(for_frame(ds), frame_number=2).mask_frames(9) == ()


def test_graphics_and_their_styles() -> None:
    line = item(LineThickness=3, LineDashingStyle="DASHED", LinePattern=0xF0F0F0F0, PatternOnOpacity=0.5)
    line.PatternOnColorCIELabValue = [0, 0x8080, 0x8080]
    fill = item(FillMode="SOLID", PatternOnOpacity=0.25)
    ds = with_annotation(
        graphic("POLYLINE", [0, 0, 10, 8], GraphicFilled="Y", LineStyleSequence=[line], FillStyleSequence=[fill]),
        graphic("CIRCLE", [0.5, 0.5, 0.75, 0.5], GraphicAnnotationUnits="DISPLAY"),
        GraphicLayerRecommendedDisplayGrayscaleValue=0x8080,
    )
    content = for_frame(ds).layers[0]
    first, second = content.graphics
    assert (first.type, first.units, first.points) == (GraphicType.POLYLINE, Units.PIXEL, ((0, 0), (10, 8)))
    assert first.is_filled and first.fill.opacity == 0.25
    assert (first.line.thickness, first.line.pattern, first.line.rgb) == (3, 0xF0F0F0F0, (0, 0, 0))
    assert second.units is Units.DISPLAY and not second.is_filled
    assert (content.layer.grey, content.layer.rgb) == (128, None)


def test_layers_are_drawn_in_their_order() -> None:
    ds = with_annotation(graphic("POINT", [1, 1]))
    ds.GraphicLayerSequence = [
        item(GraphicLayer="ONE", GraphicLayerOrder=5),
        item(GraphicLayer="TWO", GraphicLayerOrder=2),
    ]
    two = item(GraphicLayer="TWO", GraphicObjectSequence=[graphic("POINT", [2, 2])])
    missing = item(GraphicLayer="THREE", GraphicObjectSequence=[graphic("POINT", [3, 3])])
    ds.GraphicAnnotationSequence = [missing, ds.GraphicAnnotationSequence[0], two]
    assert [content.layer.name for content in for_frame(ds).layers] == ["TWO", "ONE", "THREE"]


@pytest.mark.parametrize(
    ("charset", "text"),
    [("ISO_IR 192", "山田^太郎\r\nline two"), ("ISO_IR 100", "Größe: 3 µm"), ("ISO_IR 144", "Иванов")],
)
def test_texts_in_their_character_sets(charset: str, text: str) -> None:
    note = item(UnformattedTextValue=text, BoundingBoxAnnotationUnits="PIXEL")
    note.BoundingBoxTopLeftHandCorner, note.BoundingBoxBottomRightHandCorner = [1.5, 2.0], [9.0, 4.0]
    note.BoundingBoxTextHorizontalJustification = "CENTER"
    ds = with_annotation(texts=[note])
    ds.SpecificCharacterSet = charset
    found = for_frame(ds).layers[0].texts[0]
    assert found.lines == tuple(text.split("\r\n"))
    assert (found.box, found.justification) == (((1.5, 2.0), (9.0, 4.0)), "CENTER")


def test_a_compound_graphic_is_drawn_once() -> None:
    compound = item(CompoundGraphicInstanceID=7, CompoundGraphicUnits="PIXEL", CompoundGraphicType="RECTANGLE")
    compound.GraphicDimensions, compound.NumberOfGraphicPoints, compound.GraphicData = 2, 2, [1, 2, 5, 4]
    crosshair = item(CompoundGraphicInstanceID=8, CompoundGraphicUnits="PIXEL", CompoundGraphicType="CROSSHAIR")
    crosshair.GraphicDimensions, crosshair.NumberOfGraphicPoints, crosshair.GraphicData = 2, 1, [1, 2]
    ds = with_annotation(graphic("POLYLINE", [0, 0, 1, 1], CompoundGraphicInstanceID=7))
    ds.GraphicAnnotationSequence[0].CompoundGraphicSequence = [compound, crosshair]
    state = read(ds)
    assert state.not_drawn == ("a compound graphic of type CROSSHAIR",)
    assert len(for_frame(ds).layers[0].graphics) == 1  # the simple one, that every compound one must have
    del ds.GraphicAnnotationSequence[0].GraphicObjectSequence[0].CompoundGraphicInstanceID
    graphics = for_frame(ds).layers[0].graphics
    assert graphics[1].points == ((1, 2), (5, 2), (5, 4), (1, 4), (1, 2))


def test_a_compound_graphic_turns_counterclockwise_about_its_point() -> None:
    compound = item(CompoundGraphicInstanceID=7, CompoundGraphicUnits="PIXEL", CompoundGraphicType="RECTANGLE")
    compound.GraphicDimensions, compound.NumberOfGraphicPoints, compound.GraphicData = 2, 2, [4, 4, 8, 5]
    compound.RotationAngle, compound.RotationPoint = 90, [4, 4]
    ds = with_annotation(graphic("POINT", [0, 0]))
    ds.GraphicAnnotationSequence[0].CompoundGraphicSequence = [compound]
    points = np.array(for_frame(ds).layers[0].graphics[1].points)
    np.testing.assert_allclose(points, [(4, 4), (4, 0), (5, 0), (5, 4), (4, 4)], atol=1e-12)


@pytest.mark.parametrize("uid", NOT_APPLIED)
def test_states_that_are_not_applied_say_so(uid: str) -> None:
    ds = state_of(IMAGE)
    ds.SOPClassUID = uid
    with pytest.raises(UnsupportedPresentation) as caught:
        read_presentation(ds, LIMITS)
    assert caught.value.what == NOT_APPLIED[uid]


def test_an_image_is_no_state() -> None:
    with pytest.raises(UnsupportedPresentation, match=CT_UID):
        read_presentation(IMAGE, LIMITS)


WRONG: dict[str, dict[str, Any]] = {
    "no references": {"ReferencedSeriesSequence": []},
    "slope 0": {"RescaleSlope": 0, "RescaleIntercept": 1},
    "an odd angle": {"ImageRotation": 45},
    "rectangle without edges": {"ShutterShape": "RECTANGULAR"},
    "circle without a radius": {"ShutterShape": "CIRCULAR", "CenterOfCircularShutter": [1, 1]},
    "two vertices": {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 2, 2]},
    "bitmap without an overlay": {"ShutterShape": "BITMAP", "ShutterOverlayGroup": 0x6000},
    "mask without frames": {"MaskSubtractionSequence": [item(MaskOperation="AVG_SUB")]},
    "area without numbers": {"DisplayedAreaSelectionSequence": [area((1, 1), (2, 2), PresentationSizeMode="HUGE")]},
    "LUT without entries": {
        "SoftcopyVOILUTSequence": [item(VOILUTSequence=[lut_item(0, np.arange(3))])],
    },
}
WRONG["LUT without entries"]["SoftcopyVOILUTSequence"][0].VOILUTSequence[0].LUTDescriptor = [300, 0, 16]


@pytest.mark.parametrize("name", WRONG)
def test_states_that_contradict_themselves_are_malformed(name: str) -> None:
    with pytest.raises(MalformedDataSet):
        read(state_of(IMAGE, **WRONG[name]))


@pytest.mark.parametrize(
    "bad",
    [graphic("ELLIPSE", [1, 1, 2, 2]), graphic("CIRCLE", [1, 1]), graphic("POLYLINE", [1, 1, 2]),
     graphic("POLYLINE", [1, 1, float("nan"), 2])],
)  # fmt: skip
def test_graphics_without_their_points_are_malformed(bad: Dataset) -> None:
    with pytest.raises(MalformedDataSet):
        read(with_annotation(bad))


def test_blending_needs_both_sets() -> None:
    ds = state_of(IMAGE, StateKind.BLENDING, BlendingSequence=[item(BlendingPosition="UNDERLYING")], RelativeOpacity=1)
    with pytest.raises(MalformedDataSet, match="superimposed"):
        read(ds)


def test_limits_are_kept() -> None:
    many = with_annotation(*(graphic("POLYLINE", [1, 1, 2, 2]) for _ in range(20)))
    for limits in (
        replace(LIMITS, annotation_items_max=19),
        replace(LIMITS, graphic_points_max=39),
    ):
        with pytest.raises(TooLarge):
            read_presentation(reread(many), limits)
    assert read_presentation(reread(many), replace(LIMITS, annotation_items_max=20, graphic_points_max=40))
    long = item(UnformattedTextValue="x" * 101, AnchorPoint=[1, 1], AnchorPointAnnotationUnits="PIXEL")
    long.AnchorPointVisibility = "N"
    with pytest.raises(TooLarge):
        read_presentation(reread(with_annotation(texts=[long])), replace(LIMITS, annotation_text_max=100))


def test_points_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The length of the raw element says how many there are."""
    import pydicom.values

    ds = reread(with_annotation(graphic("POLYLINE", [1.0] * 5_000)))
    made = []
    monkeypatch.setitem(pydicom.values.converters, "FL", lambda *a, **k: made.append(a) or [])
    with pytest.raises(TooLarge):
        read_presentation(ds, replace(LIMITS, graphic_points_max=100))
    assert not made
