"""Everything that an `if` decides about one rendering, decided once (PS3.4 N.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engine.dicom.display import DisplayHeader
from engine.dicom.frame import FrameDescriptor, Window
from engine.dicom.lut import Lut, Palette
from engine.dicom.real_world import RealWorldValueMap
from engine.errors import InvalidParameter, UnsupportedPixels
from engine.imaging.padding import NOTHING, Range, instead_of, padding_of
from engine.imaging.size import Region, reduction_to, region_of, size_of
from engine.imaging.spec import IccProfile, RenderSpec, Values
from engine.imaging.voi import Automatic, chosen, needs_luts
from engine.limits import Limits

_GREY = ("MONOCHROME1", "MONOCHROME2", "")  # ACR-NEMA had no other than the second, and no name for it
_RETIRED = ("ARGB", "CMYK", "HSV")
_SUV_UNITS = frozenset(("g/ml{SUVbw}", "{SUVbw}g/ml", "g/ml"))


class Pipeline(Enum):
    GRAY = "gray"
    MIXED = "mixed"  # grey, and a supplemental palette above it
    PALETTE = "palette"
    RGB = "rgb"
    YBR_FULL = "ybr-full"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderPlan:
    """What `render` has to do, in its order.

    Attributes
    ----------
    region : (x, y, width, height) in stored pixels.
    size : (width, height) of the result.
    modality_lut, measured : stand before `slope` and `intercept` where they are there. `measured` is a real world value map,
        whose values are used though it is linear only within its range.
    voi_lut, window : one of them; neither: `automatic`, once the pixels are there.
    presentation_lut : last; it decides what is dark, so `inverted` is False beside it.
    padding : (low, high) of stored values that are no anatomy and shown black; low > high when there are none.
    inverted : the smallest value is white.
    stored_range : smallest and largest integer that the frame can hold.
    palette : of PALETTE and MIXED.
    """

    pipeline: Pipeline
    region: Region
    size: tuple[int, int]
    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: Lut | None = None
    measured: RealWorldValueMap | None = None
    window: Window | None = None
    voi_lut: Lut | None = None
    automatic: Automatic = Automatic.RANGE
    presentation_lut: Lut | None = None
    padding: Range = NOTHING
    inverted: bool = False
    stored_range: tuple[int, int] = (0, 255)
    palette: Palette | None = None
    full_scale: float = 255.0


def needs_header(descriptor: FrameDescriptor, spec: RenderSpec) -> bool:
    """Whether `plan` and `reduction` need what the index does not have: a `DisplayHeader`. Of a plain image never."""
    d = descriptor
    if d.has_palette and (d.photometric_interpretation == "PALETTE COLOR" or d.has_supplemental_palette):
        return True
    if d.has_icc_profile and spec.icc_profile is not IccProfile.NO and not d.is_monochrome:
        return True
    if d.has_overlay and spec.overlays:
        return True
    return d.is_monochrome and (
        d.has_modality_lut or d.has_presentation_lut or needs_luts(d, spec) or spec.values is not Values.MODALITY
    )


def plan(
    descriptor: FrameDescriptor,
    frame_index: int,
    photometric_interpretation: str,
    spec: RenderSpec,
    limits: Limits,
    header: DisplayHeader | None = None,
) -> RenderPlan:
    """Decide how one frame is shown.

    Parameters
    ----------
    photometric_interpretation : of the decoded values (`DecodedFrame`), not the header's.
    header : of the instance, where `needs_header` says so.

    Raises
    ------
    UnsupportedPixels, InvalidParameter, TooLarge, MalformedDataSet
    ValueError : the header is needed and not there, the caller's mistake.
    """
    d = descriptor
    if header is None and needs_header(d, spec):
        raise ValueError("this frame cannot be shown right without its header")
    region = region_of(d, spec)
    size = size_of(d, frame_index, region, spec, limits)
    match photometric_interpretation:
        case said if said in _GREY:
            if d.samples_per_pixel != 1:
                raise UnsupportedPixels(f"{said} with {d.samples_per_pixel} samples")
            return _gray(d, frame_index, region, size, said, spec, header)
        case _ if spec.values is not Values.MODALITY:
            raise InvalidParameter("values", spec.values, "modality: pixels in colour measure nothing")
        case "PALETTE COLOR":
            palette = header.palette if header is not None else None
            if d.samples_per_pixel != 1 or palette is None:
                raise UnsupportedPixels(
                    "PALETTE COLOR without a palette" if palette is None else "a palette of colours"
                )
            return RenderPlan(pipeline=Pipeline.PALETTE, region=region, size=size, palette=palette)
        # The transforms of JPEG 2000 exist nowhere else: elsewhere the name was left behind when it was decoded, to RGB.
        case "RGB" | "YBR_ICT" | "YBR_RCT" if d.samples_per_pixel == 3:
            full_scale = float((1 << d.bits_stored) - 1)
            return RenderPlan(pipeline=Pipeline.RGB, region=region, size=size, full_scale=full_scale)
        case "YBR_FULL" | "YBR_FULL_422" if d.samples_per_pixel == 3 and d.bits_allocated <= 16:
            full_scale = float((1 << d.bits_stored) - 1)
            return RenderPlan(pipeline=Pipeline.YBR_FULL, region=region, size=size, full_scale=full_scale)
        case other if other in _RETIRED:
            raise UnsupportedPixels(f"photometric interpretation {other}, which the standard retired in 2001")
        case other:
            raise UnsupportedPixels(f"photometric interpretation {other or 'missing'} of {d.samples_per_pixel} samples")


def reduction(
    descriptor: FrameDescriptor,
    frame_index: int,
    spec: RenderSpec,
    limits: Limits,
    header: DisplayHeader | None = None,
) -> int:
    """How often a decoder may halve the frame (`FrameDecoder.decode`) and leave no fewer pixels than are wanted.

    0 where an average is not the value of an average: where the range of the pixels becomes the window, where values go
    through a Modality LUT, where padding would be mixed in, where values are numbers of colours. And 0 where a part of the
    image is asked for.

    Raises
    ------
    InvalidParameter, TooLarge
    """
    d = descriptor
    if spec.region is not None or not (d.is_monochrome or d.photometric_interpretation.startswith(("RGB", "YBR"))):
        return 0
    if d.is_monochrome:
        if d.has_modality_lut or d.has_supplemental_palette or spec.values is not Values.MODALITY:
            return 0
        voi, padding = chosen(d, frame_index, spec, header), padding_of(d)
        if isinstance(voi, Automatic):
            return 0
        if padding[0] <= padding[1]:
            rescale, inverted = d.rescale(frame_index), _is_inverted(d, d.photometric_interpretation)
            if isinstance(voi, Lut) or instead_of(padding, voi, rescale.slope, rescale.intercept, inverted) is not None:
                return 0
    return reduction_to(d, size_of(d, frame_index, (0, 0, d.columns, d.rows), spec, limits))


def _gray(
    d: FrameDescriptor,
    frame_index: int,
    region: Region,
    size: tuple[int, int],
    photometric_interpretation: str,
    spec: RenderSpec,
    header: DisplayHeader | None,
) -> RenderPlan:
    rescale = d.rescale(frame_index)
    slope, intercept = rescale.slope, rescale.intercept
    modality_lut: Lut | None = None
    measured: RealWorldValueMap | None = None
    if spec.values is not Values.MODALITY:
        measured, factor = _measured(d, frame_index, spec, header)
        slope, intercept = slope * factor, intercept * factor
    elif d.has_modality_lut and header is not None:
        modality_lut = header.modality_lut
    voi = chosen(d, frame_index, spec, header)
    presentation_lut = header.presentation_lut if header is not None and d.has_presentation_lut else None
    palette = header.palette if header is not None and d.has_supplemental_palette else None
    return RenderPlan(
        pipeline=Pipeline.GRAY if palette is None else Pipeline.MIXED,
        region=region,
        size=size,
        slope=slope,
        intercept=intercept,
        modality_lut=modality_lut,
        measured=measured,
        window=voi if isinstance(voi, Window) else None,
        voi_lut=voi if isinstance(voi, Lut) else None,
        automatic=voi if isinstance(voi, Automatic) else Automatic.RANGE,
        presentation_lut=presentation_lut,
        padding=padding_of(d),
        inverted=presentation_lut is None and _is_inverted(d, photometric_interpretation),
        stored_range=d.stored_range,
        palette=palette,
    )


def _measured(
    d: FrameDescriptor, frame_index: int, spec: RenderSpec, header: DisplayHeader | None
) -> tuple[RealWorldValueMap | None, float]:
    """The map that is asked for, or the factor from modality values."""
    maps = header.real_world_maps(frame_index) if header is not None and d.has_real_world_values else ()
    if spec.values is Values.SUV:
        for one in maps:
            if one.units in _SUV_UNITS:
                return one, 1.0
        if d.modality != "PT" or d.has_modality_lut or header is None:
            raise UnsupportedPixels(f"an SUV of modality {d.modality or 'unknown'}")
        return None, header.suv_factor
    if spec.voi.isascii() and spec.voi.isdigit():
        found = maps[int(spec.voi[:9]) - 1 :][:1] if spec.voi.strip("0") else ()
    else:
        found = tuple(one for one in maps if not spec.voi or one.label.casefold() == spec.voi.strip().casefold())
    if not maps:
        raise UnsupportedPixels("real world values: the header has no map to them")
    if not found:
        listed = "; ".join(f"{number} {one.label or 'unnamed'} [{one.units}]" for number, one in enumerate(maps, 1))
        raise InvalidParameter("voi", spec.voi[:80], listed[:400])
    return found[0], 1.0


def _is_inverted(d: FrameDescriptor, photometric_interpretation: str) -> bool:
    # DX has MONOCHROME1 *and* the INVERSE shape for one and the same inversion (PS3.3 C.8.11.3.1.2).
    return photometric_interpretation == "MONOCHROME1" or d.presentation_lut_shape == "INVERSE"
