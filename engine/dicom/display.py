"""What stands in the header for the rare picture that needs it: tables, palettes, overlays, profiles, real world values.

The index keeps a `FrameDescriptor`, which says by its ``has_`` fields whether one of these is there. `read_header` reads them
with pydicom from the stored bytes, which takes milliseconds, so whoever needs it keeps it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from engine.dicom.data_set import read_data_set
from engine.dicom.frame import FrameDescriptor, PixelKeyword
from engine.dicom.lut import Lut, Palette
from engine.dicom.overlay import Overlay, overlays_of
from engine.dicom.real_world import RealWorldValueMap, map_from_dataset
from engine.dicom.suv import suv_factor
from engine.errors import MalformedDataSet, TooLarge
from engine.limits import Limits
from engine.types import Buffer

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

T = TypeVar("T")

_SHARED, _PER_FRAME = 0x52009229, 0x52009230
_TAGS = (
    0x00080005, 0x00080016, 0x00080021, 0x00080022, 0x00080031, 0x00080032, 0x00101030, 0x00181242, 0x00280051, 0x00280103,
    0x00282000, 0x00283000, 0x00283010, 0x00409096, 0x00480105, 0x00540016, 0x00541001, 0x00541006, 0x00541102, 0x00541300,
    0x20500010, _SHARED,
    *(0x00281100 + n for n in (1, 2, 3, 0x99)),
    *(0x00281200 + n for n in (1, 2, 3, 0x21, 0x22, 0x23)),
    *(group << 16 | element for group in range(0x6000, 0x6020, 2)
      for element in (0x0010, 0x0011, 0x0015, 0x0040, 0x0050, 0x0051, 0x0100, 0x0102, 0x1500, 0x3000)),
    *(group << 16 | element for group in (0x0009, 0x7053) for block in range(0x10, 0x20)
      for element in (block, block << 8, block << 8 | 0x09, block << 8 | 0x0D)),
)  # fmt: skip
# What pydicom raises over a header that the scanner has walked without complaint: values that are not of their VR.
_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OSError, NotImplementedError,
           OverflowError, RecursionError, struct.error)  # fmt: skip


class DisplayHeader:
    """The display attributes of one instance; each is read when it is first asked for, and kept. Any thread.

    So a VOI LUT that is broken costs only the picture that wants it. All raise MalformedDataSet where their element is
    there and cannot be read.
    """

    def __init__(self, ds: Dataset, descriptor: FrameDescriptor, limits: Limits) -> None:
        self._ds, self._descriptor, self._limits = ds, descriptor, limits
        self._is_signed = descriptor.pixel_representation == 1

    @cached_property
    def modality_lut(self) -> Lut | None:
        """The first item of Modality LUT Sequence (there shall be one)."""
        items = self._luts(self._ds, "ModalityLUTSequence", self._is_signed)
        return items[0] if items else None

    @cached_property
    def presentation_lut(self) -> Lut | None:
        """The first item of Presentation LUT Sequence (there shall be one)."""
        items = self._luts(self._ds, "PresentationLUTSequence", False)
        return items[0] if items else None

    def voi_luts(self, frame_index: int) -> tuple[Lut, ...]:
        """The items of VOI LUT Sequence: the frame's own, of all frames, or the data set's."""
        for group in self._groups(frame_index):
            for macro in group.get("FrameVOILUTSequence") or []:
                if macro.get("VOILUTSequence"):
                    return self._luts(macro, "VOILUTSequence", self._is_modality_signed)
        return self._voi_luts

    @cached_property
    def palette(self) -> Palette | None:
        """The palette of PALETTE COLOR pixels, or the supplemental one of grey ones."""
        if "RedPaletteColorLookupTableDescriptor" not in self._ds:
            return None
        return _checked("palette", lambda: Palette.from_dataset(self._ds, signed=self._is_signed))

    @cached_property
    def overlays(self) -> tuple[Overlay, ...]:
        return _checked("overlays", lambda: tuple(overlays_of(self._ds)))

    @cached_property
    def icc_profile(self) -> bytes:
        """The profile of the image, or of the optical path that all frames have (the first that has one); empty without.

        Raises
        ------
        TooLarge
        """
        profile = self._ds.get("ICCProfile")
        if not profile:
            paths = list(self._ds.get("OpticalPathSequence") or [])
            for group in (self._ds.get("SharedFunctionalGroupsSequence") or [])[:1]:
                for item in group.get("OpticalPathIdentificationSequence") or []:
                    wanted = item.get("OpticalPathIdentifier")
                    paths.sort(key=lambda path: path.get("OpticalPathIdentifier") != wanted)
            profile = next((path.get("ICCProfile") for path in paths if path.get("ICCProfile")), b"")
        if not isinstance(profile, bytes):
            raise MalformedDataSet("an ICC Profile that is no bytes")
        limit = self._limits.icc_profile_bytes_max
        if len(profile) > limit:
            raise TooLarge("the ICC profile", len(profile), limit, "limits.icc_profile_bytes_max")
        return profile

    def real_world_maps(self, frame_index: int) -> tuple[RealWorldValueMap, ...]:
        """The maps of one frame in the header's order."""
        for group in self._groups(frame_index):
            if group.get("RealWorldValueMappingSequence"):
                return self._maps(group)
        return self._maps(self._ds)

    @cached_property
    def suv_factor(self) -> float:
        """What modality values are multiplied by to be SUVbw.

        Raises
        ------
        UnsupportedPixels
        """
        return _checked("PET attributes", lambda: suv_factor(self._ds))

    @cached_property
    def _voi_luts(self) -> tuple[Lut, ...]:
        return self._luts(self._ds, "VOILUTSequence", self._is_modality_signed)

    @cached_property
    def _is_modality_signed(self) -> bool:
        """Whether what comes into a VOI LUT can be negative (PS3.3 C.11.2.1.1): never out of a Modality LUT."""
        if self.modality_lut is not None:
            return False
        d = self._descriptor
        if d.pixel_keyword is not PixelKeyword.PIXEL_DATA:
            return True
        rescale = d.rescale(0)
        return min(value * rescale.slope + rescale.intercept for value in d.stored_range) < 0

    def _groups(self, frame_index: int) -> list[Dataset]:
        """The functional groups that speak of a frame: its own, then those of all (PS3.3 C.7.6.16)."""
        per_frame = self._ds.get("PerFrameFunctionalGroupsSequence") or []
        shared = self._ds.get("SharedFunctionalGroupsSequence") or []
        return [*per_frame[frame_index : frame_index + 1], *shared[:1]]

    def _luts(self, at: Dataset, keyword: str, signed: bool) -> tuple[Lut, ...]:
        # An item with nothing in it is what some writers make of "no LUT".
        items = [item for item in at.get(keyword) or [] if item.get("LUTDescriptor") is not None]
        return _checked(keyword, lambda: tuple(Lut.from_dataset(item, signed=signed) for item in items))

    def _maps(self, at: Dataset) -> tuple[RealWorldValueMap, ...]:
        items = at.get("RealWorldValueMappingSequence") or []
        return _checked("real world values", lambda: tuple(map_from_dataset(i, signed=self._is_signed) for i in items))


def read_header(data_set: Buffer, descriptor: FrameDescriptor, limits: Limits) -> DisplayHeader:
    """Read the display attributes of an instance. Any thread; milliseconds.

    Parameters
    ----------
    data_set : the data set's bytes from its first element (`InstanceRecord.data_set_offset`) up to the pixels or further.

    Raises
    ------
    MalformedDataSet, TooLarge
    """
    tags = _TAGS
    if descriptor.has_real_world_values or descriptor.has_voi_lut:
        tags = (*tags, _PER_FRAME)  # the rest of the time a group for each frame is not worth reading
    ds = read_data_set(data_set, descriptor.transfer_syntax_uid, limits.header_bytes_max, tags)
    return DisplayHeader(ds, descriptor, limits)


def _checked(what: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except _ERRORS as error:
        raise MalformedDataSet(f"the {what} cannot be read ({type(error).__name__})") from error
