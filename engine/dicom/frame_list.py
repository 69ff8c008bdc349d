"""Which frames a FRAME level retrieval wants: Simple Frame List, Calculated Frame List or Time Range (PS3.4 Y.3.2)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.dicom.elements import element_bytes
from engine.errors import FrameNotFound, InvalidFrameList

SIMPLE, CALCULATED, TIME_RANGE = 0x00081161, 0x00081162, 0x00081163
KEYWORDS = {SIMPLE: "SimpleFrameList", CALCULATED: "CalculatedFrameList", TIME_RANGE: "TimeRange"}
_NUMBER_MAX = 0xFFFF_FFFF  # of UL; as the last of a sub-range it stands for the end
_VALUES_MAX = 0xFFFF // 4  # of UL in a value with a length of 16 bits (Y.3.2.1.1, note)


@dataclass(frozen=True, slots=True)
class FrameList:
    """One of the three attributes, as it was asked for.

    Attributes
    ----------
    tag : SIMPLE, CALCULATED or TIME_RANGE.
    values : frame numbers; first, last and increment of each sub-range; or two times in seconds.
    """

    tag: int
    values: tuple[float, ...]

    def frame_numbers(
        self, sop_instance_uid: str, frame_count: int, relative_times: Callable[[], Sequence[float]]
    ) -> list[int]:
        """Numbers of the frames that the instance has of these, rising; those behind its last frame are passed over.

        Parameters
        ----------
        relative_times : seconds of each frame from Content Time; called for a Time Range.

        Raises
        ------
        InvalidFrameList : breaks the rules of Y.3.2.
        FrameNotFound : none is there.
        Also what `relative_times` raises.
        """
        if self.tag == TIME_RANGE:
            start, end = self._times()
            numbers = [number for number, at in enumerate(relative_times(), 1) if start <= at <= end]
        else:
            numbers = self._simple(frame_count) if self.tag == SIMPLE else self._calculated(frame_count)
        if not numbers:
            raise FrameNotFound(sop_instance_uid, int(self.values[0]) if self.tag != TIME_RANGE else 0, frame_count)
        return numbers

    def element(self) -> bytes:
        """The attribute in Explicit VR Little Endian, for the Frame Extraction Sequence (PS3.3 C.12.3)."""
        if self.tag == TIME_RANGE:
            return element_bytes(self.tag, "FD", struct.pack(f"<{len(self.values)}d", *self.values))
        return element_bytes(self.tag, "UL", b"".join(int(one).to_bytes(4, "little") for one in self.values))

    def _simple(self, frame_count: int) -> list[int]:
        numbers = [int(value) for value in self.values]
        self._check(0 < len(numbers) <= _VALUES_MAX, "1 to 16383 frame numbers")
        is_right = numbers[0] > 0 and numbers[-1] <= _NUMBER_MAX and _rises(numbers)
        self._check(is_right, "frame numbers from 1 that rise")
        return [number for number in numbers if number <= frame_count]

    def _calculated(self, frame_count: int) -> list[int]:
        self._check(0 < len(self.values) <= _VALUES_MAX and len(self.values) % 3 == 0, "1 to 5461 triplets")
        numbers: list[int] = []
        behind = 0
        for at in range(0, len(self.values), 3):
            first, last, increment = map(int, self.values[at : at + 3])
            is_right = 0 < first <= last <= _NUMBER_MAX and 0 < increment <= _NUMBER_MAX
            self._check(is_right, "triplets of a first frame, a last one and an increment")
            self._check(first > behind, "sub-ranges that rise and do not overlap")
            numbers += range(first, min(last, frame_count) + 1, increment)
            behind = first + (last - first) // increment * increment
        return numbers

    def _times(self) -> tuple[float, float]:
        self._check(len(self.values) == 2 and self.values[0] <= self.values[1], "a start and an end behind it")
        return self.values[0], self.values[1]

    def _check(self, is_right: bool, expected: str) -> None:
        if not is_right:
            raise InvalidFrameList(KEYWORDS[self.tag], expected)


def _rises(numbers: Sequence[int]) -> bool:
    return all(one < other for one, other in pairwise(numbers))
