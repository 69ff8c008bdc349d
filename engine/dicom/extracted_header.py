"""The header of an image made of some frames of another: what speaks of frames is cut or counted (PS3.4 Y.3.3, PS3.17 MM.2)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from engine.dicom.elements import EXPLICIT_LITTLE, Element, Elements, element_bytes, element_head, sequence_bytes
from engine.dicom.frame_list import FrameList
from engine.dicom.frame_times import (
    CONTENT_DATE,
    CONTENT_TIME,
    FRAME_INCREMENT_POINTER,
    FRAME_TIME,
    FRAME_TIME_VECTOR,
    PER_FRAME_GROUPS,
    cine_times,
    decimals,
    frame_times,
    increment_pointer,
    moment,
    number_of,
)
from engine.dicom.part10 import IMPLEMENTATION_VERSION_NAME
from engine.dicom.rewrite import Header
from engine.errors import NotExtractable, NotMultiFrame

NUMBER_OF_FRAMES, _SOP_INSTANCE_UID = 0x00280008, 0x00080018
_FRAME_EXTRACTION, _SOURCE_UID, _CONTRIBUTING = 0x00081164, 0x00081167, 0x0018A001
_REPRESENTATIVE = 0x00286010
_OF_INTEREST = (0x00286020, 0x00286022, 0x00286023)  # numbers, descriptions, types
_R_WAVE_POINTER, _TRIGGER_DELAY = 0x00286040, 0x00181067
_ACQUISITION_DATE, _ACQUISITION_TIME, _ACQUISITION_DATE_TIME = 0x00080022, 0x00080032, 0x0008002A
_ORGANIZATION_TYPE, _SPARSE_GROUPS = 0x00209311, 0x30020101
# One value for each frame: of nuclear medicine (PS3.3 C.8.4.8) and of secondary captures (C.8.6.4).
_VECTORS = (*range(0x00540010, 0x005400A0, 0x10), 0x00540100, *range(0x00182001, 0x00182007))
# As well, but each counts from the first frame, or from the one before; what is cut off its end stays true (C.8.7.5, C.8.8.3).
_RELATIVE = (0x00181520, 0x00181521, 0x00181135, 0x00181136, 0x00181137, 0x3004000C)
# What was true of all frames, or of an instance that this is not; and where the frames were (PS3.3 C.7.6.3, C.7.6.16.1.1).
_DROPPED = (
    *(0x00080012, 0x00080013, 0x00080014),  # Instance Creation Date, Time, Creator UID
    *(0x00082142, 0x00082143, 0x00180072, 0x00186060),  # Start and Stop Trim, Effective Duration, R Wave Time Vector
    *(
        0x00280106,
        0x00280107,
        0x00281090,
        0x00286100,
    ),  # Smallest and Largest Pixel Value, Viewing Mode, Mask Subtraction
    *(0x00200242, 0x00209161, 0x00209162, 0x00209163, 0x00209228),  # of a concatenation
    *(0x7FE00001, 0x7FE00002, 0x7FE00003, 0x4FFE0001),  # Extended Offset Tables, length; MAC parameters
)
_WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "AT": 4}


def extracted_header(
    header: Header,
    *,
    sop_instance_uid: str,
    new_uid: str,
    frame_indexes: Sequence[int],
    frame_count: int,
    asked: FrameList,
) -> dict[int, bytes | None]:
    """Changes to the header of `sop_instance_uid` for an instance of these frames alone.

    Private attributes are left out: what they say of frames is not known (Y.3.3, note).

    Raises
    ------
    NotMultiFrame, NotExtractable
    """
    if NUMBER_OF_FRAMES not in header:
        raise NotMultiFrame(sop_instance_uid)
    cut = _Cut(header, frame_indexes, frame_count)
    why = cut.obstacle()
    if why:
        raise NotExtractable(sop_instance_uid, why)
    item = element_bytes(_SOURCE_UID, "UI", sop_instance_uid.encode())
    # In the order of tags: the lists come before the source's UID.
    described = asked.element() + item
    changes: dict[int, bytes | None] = {tag: None for tag in header.tags() if tag >> 16 & 1 or tag in _DROPPED}
    changes |= cut.changes()
    changes |= {
        _SOP_INSTANCE_UID: element_bytes(_SOP_INSTANCE_UID, "UI", new_uid.encode()),
        NUMBER_OF_FRAMES: element_bytes(NUMBER_OF_FRAMES, "IS", str(len(frame_indexes)).encode()),
        _FRAME_EXTRACTION: sequence_bytes(_FRAME_EXTRACTION, *header.items(_FRAME_EXTRACTION), described),
        _CONTRIBUTING: sequence_bytes(_CONTRIBUTING, *header.items(_CONTRIBUTING), _equipment()),
    }
    return changes


class _Cut:
    """One header and the frames that are left of it."""

    def __init__(self, header: Header, frame_indexes: Sequence[int], frame_count: int) -> None:
        self._header, self._indexes, self._count = header, list(frame_indexes), frame_count

    def obstacle(self) -> str:
        """Why a valid instance cannot be made of these frames; "" where it can."""
        header = self._header
        if header.text(_ORGANIZATION_TYPE) == "TILED_FULL":
            return "each tile's place follows from its number (TILED_FULL)"
        if _SPARSE_GROUPS in header:
            return "its functional groups are those of selected frames"
        if any(tag >> 16 & 0xFF01 == 0x6000 and tag & 0xFFFF == 0x0015 for tag in header.tags()):
            return "it has an overlay of several frames"
        is_start = self._indexes == list(range(len(self._indexes)))
        if not is_start and any(len(self._values(tag)) > 1 for tag in _RELATIVE):
            return "its geometry is told from one frame to the next"
        if PER_FRAME_GROUPS in header and len(header.items(PER_FRAME_GROUPS)) != self._count:
            return "it has another number of per-frame functional groups than of frames"
        return ""

    def changes(self) -> dict[int, bytes | None]:
        header, changes = self._header, dict[int, bytes | None]()
        if PER_FRAME_GROUPS in header:
            groups = header.items(PER_FRAME_GROUPS)
            changes[PER_FRAME_GROUPS] = sequence_bytes(PER_FRAME_GROUPS, *(groups[index] for index in self._indexes))
        for tag in (*_VECTORS, *_RELATIVE):
            values = self._values(tag)
            if len(values) == self._count:
                changes[tag] = self._joined(tag, [values[index] for index in self._indexes])
        return changes | self._numbers() | self._steps() | self._start()

    def _numbers(self) -> dict[int, bytes | None]:
        """Attributes whose values are frame numbers."""
        changes: dict[int, bytes | None] = {}
        new = {index + 1: place + 1 for place, index in enumerate(self._indexes)}
        for tag in (_REPRESENTATIVE, _R_WAVE_POINTER):
            if tag in self._header:
                left = [new[number] for number in map(_us, self._values(tag)) if number in new]
                changes[tag] = element_bytes(tag, "US", struct.pack(f"<{len(left)}H", *left)) if left else None
        numbers = list(map(_us, self._values(_OF_INTEREST[0])))
        places = [place for place, number in enumerate(numbers) if number in new]
        if numbers:
            changes |= dict.fromkeys((tag for tag in _OF_INTEREST if tag in self._header), None)
            if places:
                left = [new[numbers[place]] for place in places]
                changes[_OF_INTEREST[0]] = element_bytes(_OF_INTEREST[0], "US", struct.pack(f"<{len(left)}H", *left))
                for tag in _OF_INTEREST[1:]:
                    values = self._values(tag)
                    if len(values) == len(numbers):
                        changes[tag] = self._joined(tag, [values[place] for place in places])
        return changes

    def _steps(self) -> dict[int, bytes | None]:
        """Frame Time and Frame Time Vector: what lies between the frames that are left (PS3.17 MM.2.3)."""
        times, pointer = cine_times(self._header, self._count), increment_pointer(self._header)
        if times is None:
            # A vector that is not of this many frames tells nothing, and would be of another number still.
            return {FRAME_TIME_VECTOR: None} if FRAME_TIME_VECTOR in self._header and not pointer else {}
        steps = [1000 * (times[b] - times[a]) for a, b in pairwise(self._indexes)]
        is_vector = FRAME_TIME_VECTOR in pointer or FRAME_TIME not in self._header
        gaps = {b - a for a, b in pairwise(self._indexes)}
        if not is_vector and len(gaps) <= 1:
            changes = {FRAME_TIME: element_bytes(FRAME_TIME, "DS", decimals(steps[:1]))} if gaps else {}
            return changes | ({FRAME_TIME_VECTOR: None} if FRAME_TIME_VECTOR in self._header else {})
        named = tuple(FRAME_TIME_VECTOR if tag == FRAME_TIME else tag for tag in pointer) or (FRAME_TIME_VECTOR,)
        words = [word for tag in named for word in (tag >> 16, tag & 0xFFFF)]
        return {
            FRAME_TIME: None,
            FRAME_TIME_VECTOR: element_bytes(FRAME_TIME_VECTOR, "DS", decimals([0.0, *steps])),
            FRAME_INCREMENT_POINTER: element_bytes(
                FRAME_INCREMENT_POINTER, "AT", struct.pack(f"<{len(words)}H", *words)
            ),
        }

    def _start(self) -> dict[int, bytes | None]:
        """Times of the beginning, where that is another frame's now (PS3.17 MM.2.2)."""
        times = frame_times(self._header, self._count) if self._indexes[0] else None
        later = times[self._indexes[0]] - times[0] if times else 0.0
        if not later:
            return {}
        header, changes = self._header, dict[int, bytes | None]()
        for date, time in ((CONTENT_DATE, CONTENT_TIME), (_ACQUISITION_DATE, _ACQUISITION_TIME)):
            at = moment((header.text(date) or "20000101") + header.text(time))
            if at is None:
                continue
            at = _later(at, later)
            changes[time] = element_bytes(time, "TM", f"{at:%H%M%S.%f}".encode())
            if header.text(date):
                changes[date] = element_bytes(date, "DA", f"{at:%Y%m%d}".encode())
        text = header.text(_ACQUISITION_DATE_TIME)
        at = moment(text)
        if at is not None:
            zone = text[-5:] if text[-5:-4] in ("+", "-") else ""
            said = f"{_later(at, later):%Y%m%d%H%M%S.%f}{zone}"
            changes[_ACQUISITION_DATE_TIME] = element_bytes(_ACQUISITION_DATE_TIME, "DT", said.encode())
        delay = number_of(header.text(_TRIGGER_DELAY))
        if delay is not None:
            changes[_TRIGGER_DELAY] = element_bytes(_TRIGGER_DELAY, "DS", decimals([delay + 1000 * later]))
        return changes

    def _values(self, tag: int) -> list[bytes]:
        """The values of an element, one by one; empty where it is not there."""
        whole, element = self._explicit(tag)
        if element is None:
            return []
        value = whole[element.value_at : element.value_end]
        width = _WIDTHS.get(element.vr)
        if width:
            return [value[at : at + width] for at in range(0, len(value), width)]
        return value.rstrip(b"\0 ").split(b"\\") if value.strip(b"\0 ") else []

    def _joined(self, tag: int, values: Sequence[bytes]) -> bytes:
        _, element = self._explicit(tag)
        assert element is not None
        if element.vr in _WIDTHS:
            value = b"".join(values)
            return element_head(tag, element.vr, len(value)) + value
        return element_bytes(tag, element.vr, b"\\".join(values))

    def _explicit(self, tag: int) -> tuple[bytes, Element | None]:
        whole = self._header.element(tag)
        if whole is None:
            return b"", None
        [element] = Elements(whole, EXPLICIT_LITTLE, self._header.elements.limits).between(0, len(whole))
        return whole, element


def _later(at: datetime, seconds: float) -> datetime:
    """At the end of the calendar at the latest: frame times that lead beyond it are none."""
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return at


def _us(value: bytes) -> int:
    return int.from_bytes(value[:2], "little")


def _equipment() -> bytes:
    """Of Contributing Equipment Sequence: us, who took the frames out (Y.3.3, PS3.16 CID 7005)."""
    code = b"".join(
        (
            element_bytes(0x00080100, "SH", b"109105"),
            element_bytes(0x00080102, "SH", b"DCM"),
            element_bytes(0x00080104, "LO", b"Frame Extracting Equipment"),
        )
    )
    return b"".join(
        (
            element_bytes(0x00080070, "LO", b"voxcast"),
            element_bytes(0x00181020, "LO", IMPLEMENTATION_VERSION_NAME.encode()),
            sequence_bytes(0x0040A170, code),
        )
    )
