"""Which values of interest are shown: the one asked for, the header's, or what is usual for the modality (PS3.3 C.11.2).

The table of what is chosen when nothing is said stands in `_AUTOMATIC`, and in docs/imaging.md.
"""

from __future__ import annotations

from enum import Enum

from engine.dicom.display import DisplayHeader
from engine.dicom.frame import FrameDescriptor, PixelKeyword, VoiLutFunction, Window
from engine.dicom.lut import Lut
from engine.errors import InvalidParameter
from engine.imaging.spec import RenderSpec, Values
from engine.imaging.window import usable


class Automatic(Enum):
    """A window that the pixels of the frame decide."""

    RANGE = "range"  # smallest to largest
    FROM_ZERO = "from-zero"  # 0, or a smaller value that is there, to the largest
    PERCENTILES = "percentiles"  # 1st to 99th


_SOFT_TISSUE = Window(40.0, 400.0, VoiLutFunction.LINEAR, "soft tissue")
_SUV = Window(5.0, 10.0, VoiLutFunction.LINEAR_EXACT, "SUV 0 to 10")

# Projection radiographs come with a window or VOI LUT where they are meant for reading; a raw one is shown whole.
# An MR image has no units, and a few bright vessels or coils would leave the rest dark.
_AUTOMATIC = {
    "MR": Automatic.PERCENTILES,
    "PT": Automatic.FROM_ZERO,
    "NM": Automatic.FROM_ZERO,
    **dict.fromkeys(("CR", "DX", "MG", "IO", "PX", "RG", "RF", "XA"), Automatic.RANGE),
}


def chosen(
    d: FrameDescriptor, frame_index: int, spec: RenderSpec, header: DisplayHeader | None
) -> Window | Lut | Automatic:
    """What one frame is shown through.

    A VOI LUT stands before a window where the header has both: it is what the modality meant, the window an approximation
    of it for those who can do no better.

    Parameters
    ----------
    header : needed where `needs_luts` says so.

    Raises
    ------
    InvalidParameter : no such VOI LUT or window.
    """
    if spec.window is not None:
        return usable(spec.window) or usual(d, frame_index)
    if spec.values is Values.SUV:
        return _SUV
    if spec.values is Values.REAL_WORLD:
        return Automatic.RANGE
    if spec.voi:
        return _named(d, frame_index, spec.voi, header)
    if needs_luts(d, spec) and header is not None:
        for lut in header.voi_luts(frame_index):
            return lut
    return next((w for w in map(usable, d.frame_windows(frame_index)) if w is not None), None) or usual(d, frame_index)


def needs_luts(d: FrameDescriptor, spec: RenderSpec) -> bool:
    """Whether a VOI LUT may be what is shown through."""
    return d.has_voi_lut and spec.window is None and spec.values is Values.MODALITY


def usual(d: FrameDescriptor, frame_index: int) -> Window | Automatic:
    """What is chosen when nothing is said, by modality."""
    if d.modality == "CT" and d.rescales and d.rescale(frame_index).type in ("", "HU") and not d.has_modality_lut:
        return _SOFT_TISSUE
    if d.modality in _AUTOMATIC:
        return _AUTOMATIC[d.modality]
    if d.bits_stored <= 8 and d.pixel_keyword is PixelKeyword.PIXEL_DATA and not d.has_modality_lut:
        rescale, ends = d.rescale(frame_index), d.stored_range
        low, high = sorted(end * rescale.slope + rescale.intercept for end in ends)
        return Window((low + high) / 2.0, high - low, VoiLutFunction.LINEAR_EXACT)
    return Automatic.RANGE


def _named(d: FrameDescriptor, frame_index: int, name: str, header: DisplayHeader | None) -> Window | Lut:
    luts = header.voi_luts(frame_index) if header is not None and d.has_voi_lut else ()
    choices: list[Lut | Window] = [*luts, *(w for w in map(usable, d.frame_windows(frame_index)) if w is not None)]
    if name.isascii() and name.isdigit():
        if 1 <= int(name[:9]) <= len(choices):
            return choices[int(name) - 1]
    else:
        wanted = name.strip().casefold()
        for one in choices:
            if one.explanation.strip().casefold() == wanted:
                return one
    names = [one.explanation or "unnamed" for one in choices]
    listed = "; ".join(f"{number} {text}" for number, text in enumerate(names, 1)) or "nothing: the header has none"
    raise InvalidParameter("voi", name[:80], listed[:400])
