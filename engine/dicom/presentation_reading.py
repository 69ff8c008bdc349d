"""A presentation state out of its data set (PS3.3 A.33.1 to A.33.4), with pydicom; off the hot path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.dicom import attributes as at
from engine.dicom.annotation_reading import AnnotationReader, layers_of
from engine.dicom.colour import grey_of_p_value, rgb_of_cielab
from engine.dicom.frame import Rescale, VoiLutFunction, Window
from engine.dicom.lut import Lut, Palette
from engine.dicom.overlay import Overlay, overlays_of
from engine.dicom.presentation import (
    NOT_APPLIED,
    BlendingSet,
    DisplayedArea,
    ImageReference,
    MaskOperation,
    MaskSubtraction,
    ModalityTransform,
    PresentationState,
    References,
    SizeMode,
    Spatial,
    StateKind,
    Voi,
    VoiTransform,
)
from engine.dicom.shutter import Shutter
from engine.errors import MalformedDataSet, TooLarge, UnsupportedPresentation
from engine.limits import Limits

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_ITEMS = "limits.annotation_items_max"
_FRAMES_MAX = 1 << 16
_SHAPES = ("RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP")


def read_presentation(ds: Dataset, limits: Limits) -> PresentationState:
    """Read a Grayscale, Color, Pseudo-Color or Blending Softcopy Presentation State.

    Raises
    ------
    UnsupportedPresentation : another kind of presentation state, or no such thing.
    MalformedDataSet, TooLarge, UnsupportedPixels
    """
    uid = at.text(ds, "SOPClassUID")
    if uid not in list(StateKind):
        raise UnsupportedPresentation(NOT_APPLIED.get(uid, f"SOP class {uid or 'unknown'} is no presentation state"))
    kind = StateKind(uid)
    budget = _Budget(limits)
    blending = _blending(ds, budget) if kind is StateKind.BLENDING else ()
    if blending:
        references: References = tuple(
            r for one in sorted(blending, key=lambda one: one.is_superimposed) for r in one.references
        )
    else:
        references = _series_references(ds, budget)
    if not references:
        raise MalformedDataSet("a presentation state that refers to no image")
    is_grey = kind is StateKind.GRAYSCALE
    has_palette = kind in (StateKind.PSEUDO_COLOR, StateKind.BLENDING)
    modality = _modality(ds, "ModalityLUTSequence") if not blending and kind is not StateKind.COLOR else Rescale()
    planes = at.guarded("an overlay", lambda: {plane.group: plane for plane in overlays_of(ds)})
    shutter, group = _shutter(ds, planes, limits)
    layers = layers_of(ds, limits)
    reader = AnnotationReader(layers, limits)
    annotations = reader.overlays(ds, planes, group) + reader.annotations(ds, budget.references)
    return PresentationState(
        sop_instance_uid=at.text(ds, "SOPInstanceUID"),
        kind=kind,
        references=references,
        modality=modality,
        vois=_vois(ds, modality, budget) if not blending and kind is not StateKind.COLOR else (),
        presentation_lut=_presentation_lut(ds) if is_grey else None,
        is_inverse=is_grey and at.text(ds, "PresentationLUTShape") == "INVERSE",
        palette=at.guarded("the palette", lambda: Palette.from_dataset(ds, signed=False)) if has_palette else None,
        icc_profile=b"" if is_grey else _icc(ds, limits),
        spatial=_spatial(ds),
        areas=_areas(ds, budget),
        shutter=shutter,
        mask=None if blending else _mask(ds),
        layers=layers,
        annotations=annotations,
        blending=blending,
        relative_opacity=_opacity(ds) if blending else 0.5,
        not_drawn=tuple(reader.not_drawn),
    )


class _Budget:
    """Reads references and counts them against the limit."""

    def __init__(self, limits: Limits) -> None:
        self.items_max, self._left = limits.annotation_items_max, limits.annotation_items_max

    def references(self, item: Dataset, keyword: str = "ReferencedImageSequence", series: str = "") -> References:
        found = []
        for one in at.items(item, keyword, self.items_max, _ITEMS):
            frames = at.integers(one, "ReferencedFrameNumber", values_max=_FRAMES_MAX)
            self._left -= 1 + len(frames)
            if self._left < 0:
                raise TooLarge("the number of references", self.items_max - self._left, self.items_max, _ITEMS)
            found.append(
                ImageReference(
                    sop_instance_uid=at.text(one, "ReferencedSOPInstanceUID"),
                    frame_numbers=frames,
                    series_instance_uid=series,
                    sop_class_uid=at.text(one, "ReferencedSOPClassUID"),
                )
            )
        return tuple(found)


def _series_references(item: Dataset, budget: _Budget) -> References:
    found: list[ImageReference] = []
    for series in at.items(item, "ReferencedSeriesSequence", budget.items_max, _ITEMS):
        found += budget.references(series, series=at.text(series, "SeriesInstanceUID"))
    return tuple(found)


def _modality(ds: Dataset, sequence: str) -> ModalityTransform:
    """Modality LUT or rescale; the image's own has no part in it, so none is the identity (PS3.4 N.2.1.1)."""
    item = next(iter(at.items(ds, sequence, 1, "one item")), None)
    if item is not None:
        return _lut(item)
    slope, intercept = at.number(ds, "RescaleSlope"), at.number(ds, "RescaleIntercept")
    if slope == 0:
        raise MalformedDataSet("a Rescale Slope of 0")
    return Rescale(1.0 if slope is None else slope, intercept or 0.0, at.text(ds, "RescaleType"))


def _vois(ds: Dataset, modality: ModalityTransform, budget: _Budget) -> tuple[Voi, ...]:
    found = []
    for item in at.items(ds, "SoftcopyVOILUTSequence", budget.items_max, _ITEMS):
        transform = _voi(item, modality)
        if transform is not None:
            found.append(Voi(transform=transform, references=budget.references(item)))
    return tuple(found)


def _voi(item: Dataset, modality: ModalityTransform) -> VoiTransform | None:
    table = next(iter(at.items(item, "VOILUTSequence", 1 << 10, "the number of VOI LUTs")), None)
    if table is not None:
        # A rescale makes values that can be negative; the output of a Modality LUT cannot.
        return _lut(table, isinstance(modality, Rescale) and (modality.intercept < 0 or modality.slope < 0))
    center, width = at.number(item, "WindowCenter"), at.number(item, "WindowWidth")
    if center is None or width is None or width <= 0:
        return None
    name = at.text(item, "VOILUTFunction") or "LINEAR"
    if name not in VoiLutFunction.__members__:
        raise UnsupportedPresentation(f"VOI LUT function {name}")
    function = VoiLutFunction(name)
    if function is VoiLutFunction.LINEAR and width < 1:  # its formula has no such widths; this is what is meant
        function = VoiLutFunction.LINEAR_EXACT
    return Window(center, width, function, at.text(item, "WindowCenterWidthExplanation"))


def _presentation_lut(ds: Dataset) -> Lut | None:
    item = next(iter(at.items(ds, "PresentationLUTSequence", 1, "one item")), None)
    return None if item is None else _lut(item)


def _lut(item: Dataset, is_signed: bool = False) -> Lut:
    """A table whose first input value may be written as a signed number; `GrayPipeline` knows the image's pixels."""
    descriptor = item.get_item("LUTDescriptor", keep_deferred=True) if "LUTDescriptor" in item else None
    is_signed = is_signed or (descriptor is not None and descriptor.VR == "SS")
    return at.guarded("a lookup table", lambda: Lut.from_dataset(item, signed=is_signed))


def _icc(ds: Dataset, limits: Limits) -> bytes:
    raw = at.value(ds, "ICCProfile")
    if raw is None:
        return b""
    if not isinstance(raw, bytes):
        raise MalformedDataSet("ICCProfile is not made of bytes")
    if len(raw) > limits.icc_profile_bytes_max:
        raise TooLarge("ICCProfile", len(raw), limits.icc_profile_bytes_max, "limits.icc_profile_bytes_max")
    return raw


def _spatial(ds: Dataset) -> Spatial:
    rotation = at.number(ds, "ImageRotation") or 0
    if rotation not in (0, 90, 180, 270):
        raise MalformedDataSet(f"an Image Rotation of {rotation:g}")
    return Spatial(int(rotation), at.text(ds, "ImageHorizontalFlip") == "Y")


def _areas(ds: Dataset, budget: _Budget) -> tuple[tuple[References, DisplayedArea], ...]:
    found = []
    for item in at.items(ds, "DisplayedAreaSelectionSequence", budget.items_max, _ITEMS):
        if at.text(item, "PixelOriginInterpretation") == "VOLUME":
            raise UnsupportedPresentation("a displayed area of a whole slide's total pixel matrix")
        top_left = at.integers(item, "DisplayedAreaTopLeftHandCorner", 2)
        bottom_right = at.integers(item, "DisplayedAreaBottomRightHandCorner", 2)
        if not top_left or not bottom_right:
            continue  # nothing is selected: all of the image
        mode = at.text(item, "PresentationSizeMode") or SizeMode.SCALE_TO_FIT
        if mode not in list(SizeMode):
            raise MalformedDataSet(f"a Presentation Size Mode of {mode}")
        magnification = at.number(item, "PresentationPixelMagnificationRatio")
        if magnification is not None and magnification <= 0:
            raise MalformedDataSet("a magnification of 0 or less")
        area = DisplayedArea(
            top_left=(top_left[0], top_left[1]),
            bottom_right=(bottom_right[0], bottom_right[1]),
            mode=SizeMode(mode),
            pixel_spacing=_positive(item, "PresentationPixelSpacing"),
            pixel_aspect_ratio=_positive(item, "PresentationPixelAspectRatio"),
            magnification=magnification,
        )
        found.append((budget.references(item), area))
    return tuple(found)


def _positive(item: Dataset, keyword: str) -> tuple[float, float] | None:
    found = at.numbers(item, keyword)
    return (found[0], found[1]) if len(found) == 2 and min(found) > 0 else None


def _shutter(ds: Dataset, planes: dict[int, Overlay], limits: Limits) -> tuple[Shutter | None, int | None]:
    """The shutter, and the overlay group that it is made of."""
    shapes = at.texts(ds, "ShutterShape")
    unknown = [shape for shape in shapes if shape not in _SHAPES]
    if unknown:
        raise UnsupportedPresentation(f"a shutter of shape {unknown[0]}")
    if not shapes:
        return None, None
    rectangle = circle = bitmap = group = None
    polygon: tuple[tuple[int, int], ...] = ()
    if "RECTANGULAR" in shapes:
        names = ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
        left, right, upper, lower = (at.integers(ds, f"Shutter{name}Edge", 1)[:1] for name in names)
        if not (left and right and upper and lower):
            raise MalformedDataSet("a rectangular shutter without its four edges")
        rectangle = (left[0], right[0], upper[0], lower[0])
    if "CIRCULAR" in shapes:
        center, radius = at.integers(ds, "CenterOfCircularShutter", 2), at.integers(ds, "RadiusOfCircularShutter", 1)
        if not center or not radius:
            raise MalformedDataSet("a circular shutter without a centre or a radius")
        circle = (center[0], center[1], radius[0])
    if "POLYGONAL" in shapes:
        flat = at.integers(ds, "VerticesOfThePolygonalShutter", values_max=2 * limits.graphic_points_shown_max)
        if len(flat) < 6 or len(flat) % 2:
            raise MalformedDataSet("a polygonal shutter without three vertices")
        polygon = tuple(zip(flat[::2], flat[1::2], strict=True))
    if "BITMAP" in shapes:
        group = next(iter(at.integers(ds, "ShutterOverlayGroup", 1)), None)
        if group not in planes or planes[group].is_embedded:
            raise MalformedDataSet("a bitmap shutter without its overlay")
        bitmap = planes[group].plane(planes[group].first_frame)
    lab = at.triplet(ds, "ShutterPresentationColorCIELabValue")
    return (
        Shutter(
            rectangle=rectangle,
            circle=circle,
            polygon=polygon,
            bitmap=bitmap,
            grey=grey_of_p_value(int(at.number(ds, "ShutterPresentationValue") or 0)),
            rgb=None if lab is None else rgb_of_cielab(lab),
        ),
        group,
    )


def _mask(ds: Dataset) -> MaskSubtraction | None:
    item = next(iter(at.items(ds, "MaskSubtractionSequence", 1 << 10, "the number of masks")), None)
    if item is None:
        return None
    name = at.text(item, "MaskOperation")
    if name not in MaskOperation.__members__:
        raise UnsupportedPresentation(f"mask operation {name or 'unknown'}")
    frames = at.integers(item, "MaskFrameNumbers", values_max=1 << 10)
    if name == "AVG_SUB" and not frames:
        raise MalformedDataSet("a mask without frames")
    shift, averaging = at.numbers(item, "MaskSubPixelShift"), at.number(item, "ContrastFrameAveraging")
    offset = at.number(item, "TIDOffset")
    return MaskSubtraction(
        operation=MaskOperation(name),
        frame_numbers=frames,
        contrast_averaging=min(max(int(averaging or 1), 1), 1 << 10),
        shift=(shift[0], shift[1]) if len(shift) == 2 else (0.0, 0.0),
        tid_offset=1 if offset is None else int(offset),
    )


def _blending(ds: Dataset, budget: _Budget) -> tuple[BlendingSet, ...]:
    found = []
    for item in at.items(ds, "BlendingSequence", 2, "two sets"):
        position = at.text(item, "BlendingPosition")
        if position not in ("SUPERIMPOSED", "UNDERLYING"):
            raise MalformedDataSet(f"a Blending Position of {position or 'nothing'}")
        modality = _modality(item, "ModalityLUTSequence")
        found.append(
            BlendingSet(
                is_superimposed=position == "SUPERIMPOSED",
                references=_series_references(item, budget),
                modality=modality,
                vois=_vois(item, modality, budget),
            )
        )
    if [one.is_superimposed for one in sorted(found, key=lambda one: one.is_superimposed)] != [False, True]:
        raise MalformedDataSet("a blending state needs an underlying and a superimposed set")
    return tuple(found)


def _opacity(ds: Dataset) -> float:
    opacity = at.number(ds, "RelativeOpacity")
    if opacity is None or not 0.0 <= opacity <= 1.0:
        raise MalformedDataSet("Relative Opacity is not between 0 and 1")
    return opacity
