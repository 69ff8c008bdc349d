"""Mutated presentation states and segmentations: read and applied, or refused with one of our errors; never anything else."""

from __future__ import annotations

import io
import random
import warnings

import numpy as np
import pydicom
import pytest
from presenting import (
    LIMITS,
    area,
    ct_image,
    descriptor_of,
    image_reference,
    item,
    lut_item,
    segmentation_of,
    state_of,
    window,
    written,
)
from pydicom.dataset import Dataset

from engine.dicom.presentation_reading import read_presentation
from engine.dicom.segmentation import read_segmentation
from engine.errors import EngineError
from engine.imaging.presentation.apply import ShownFrame, render_presented

MUTATIONS = 800
IMAGE = ct_image(np.arange(24 * 32, dtype=np.uint16).reshape(24, 32), bits_stored=12)


def full_state() -> Dataset:
    """One with nearly everything that is read."""
    line = item(LineThickness=2, LineDashingStyle="DASHED", LinePattern=0xF0F0F0F0, PatternOnOpacity=0.5)
    graphics = [
        item(GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(points) // 2,
             GraphicData=points, GraphicType=kind, GraphicFilled=filled, LineStyleSequence=[line])
        for kind, units, points, filled in (
            ("POLYLINE", "PIXEL", [1, 1, 20, 3, 9, 22, 1, 1], "Y"),
            ("INTERPOLATED", "PIXEL", [1, 1, 20, 3, 9, 22], "N"),
            ("CIRCLE", "DISPLAY", [0.5, 0.5, 0.7, 0.5], "Y"),
            ("ELLIPSE", "PIXEL", [3, 9, 15, 9, 9, 5, 9, 13], "N"),
            ("POINT", "PIXEL", [4, 4], "N"),
        )
    ]  # fmt: skip
    text = item(UnformattedTextValue="12.5 mm", BoundingBoxAnnotationUnits="PIXEL", AnchorPoint=[3.0, 4.0])
    text.BoundingBoxTopLeftHandCorner, text.BoundingBoxBottomRightHandCorner = [1.0, 1.0], [20.0, 9.0]
    text.BoundingBoxTextHorizontalJustification, text.AnchorPointVisibility = "RIGHT", "Y"
    text.AnchorPointAnnotationUnits = "PIXEL"
    ds = state_of(
        IMAGE,
        RescaleSlope=2,
        RescaleIntercept=-5,
        RescaleType="US",
        SoftcopyVOILUTSequence=[
            item(VOILUTSequence=[lut_item(10, np.arange(50))], ReferencedImageSequence=[image_reference(frames=[2])]),
            window(40, 400),
        ],
        ImageRotation=90,
        ImageHorizontalFlip="Y",
        ShutterShape=["RECTANGULAR", "CIRCULAR", "POLYGONAL"],
        CenterOfCircularShutter=[12, 16],
        RadiusOfCircularShutter=14,
        VerticesOfThePolygonalShutter=[1, 1, 1, 30, 22, 30, 20, 2],
        ShutterPresentationValue=0x4000,
        GraphicLayerSequence=[item(GraphicLayer="ONE", GraphicLayerOrder=1)],
        GraphicAnnotationSequence=[item(GraphicLayer="ONE", GraphicObjectSequence=graphics, TextObjectSequence=[text])],
        DisplayedAreaSelectionSequence=[area((1, 24), (32, 1), PresentationPixelSpacing=[0.5, 0.4])],
    )
    for name, edge in zip(("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal"), (2, 31, 2, 23),
                          strict=True):  # fmt: skip
        setattr(ds, f"Shutter{name}Edge", edge)
    ds.add_new((0x6000, 0x0010), "US", 24)
    ds.add_new((0x6000, 0x0011), "US", 32)
    ds.add_new((0x6000, 0x0050), "SS", [1, 1])
    ds.add_new((0x6000, 0x0100), "US", 1)
    ds.add_new((0x6000, 0x0102), "US", 0)
    ds.add_new((0x6000, 0x1001), "CS", "ONE")
    ds.add_new((0x6000, 0x3000), "OW", bytes(range(96)))
    return ds


def mutations(content: bytes, start: int, seed: int) -> list[bytes]:
    """Bytes changed, doubled and cut out behind `start`."""
    rng = random.Random(seed)
    out = []
    for _ in range(MUTATIONS):
        changed = bytearray(content)
        for _ in range(rng.choice((1, 1, 2, 5))):
            at = rng.randrange(start, len(changed))
            match rng.randrange(3):
                case 0:
                    changed[at] = rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))
                case 1:
                    value = rng.choice(
                        (b"\xff\xff\xff\xff", b"\0\0\x80\x7f", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"9999")
                    )
                    changed[at : at + 4] = value
                case 2:
                    del changed[at : at + rng.choice((1, 2, 4))]
        out.append(bytes(changed))
    return out


@pytest.mark.timeout(280)
def test_states() -> None:
    frame = ShownFrame(stored_values=IMAGE.pixel_array, descriptor=descriptor_of(IMAGE))
    content = written(full_state())
    assert read_presentation(pydicom.dcmread(io.BytesIO(content)), LIMITS).for_frame(str(IMAGE.SOPInstanceUID), 1)
    shown = refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for changed in mutations(content, 400, 11):
            try:
                ds = pydicom.dcmread(io.BytesIO(changed))
            except Exception:  # noqa: BLE001 - what the parser refuses never comes to us
                continue
            try:
                state = read_presentation(ds, LIMITS).for_frame(str(IMAGE.SOPInstanceUID), 1)
                if state is not None:
                    display = render_presented(state, frame, LIMITS, size=(64, 64))
                    assert display.dtype == np.uint8 and 0 < max(display.shape[:2]) <= 64
                    shown += 1
            except EngineError:
                refused += 1
    assert shown > MUTATIONS / 5 and refused > MUTATIONS / 50


@pytest.mark.timeout(280)
def test_segmentations() -> None:
    content = written(segmentation_of("FRACTIONAL"))
    read = refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for changed in mutations(content, 400, 12):
            try:
                ds = pydicom.dcmread(io.BytesIO(changed))
            except Exception:  # noqa: BLE001 - what the parser refuses never comes to us
                continue
            try:
                read_segmentation(ds, LIMITS)
                read += 1
            except EngineError:
                refused += 1
    assert read > MUTATIONS / 5 and refused > MUTATIONS / 50
