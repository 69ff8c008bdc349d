"""How fast the frames of an image follow each other, and whether they begin again (PS3.3 C.7.6.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DEFAULT_MS = 100.0  # where nothing is said: slices of a volume, one after the other
_MS_MIN, _MS_MAX = 20.0, 10_000.0  # browsers play what is shorter at 100 ms
_RECOMMENDED_DISPLAY_FRAME_RATE, _CINE_RATE = 0x00082144, 0x00180040
_FRAME_TIME, _FRAME_TIME_VECTOR, _FRAME_INCREMENT_POINTER = 0x00181063, 0x00181065, 0x00280009
_PREFERRED_PLAYBACK_SEQUENCING = 0x00181244
_STOP = 2


@dataclass(frozen=True, slots=True)
class Cine:
    """Attributes
    ----------
    frame_ms : how long each frame is shown.
    """

    frame_ms: tuple[float, ...]
    is_looping: bool = True

    def hundredths(self) -> list[int]:
        """The times in 1/100 s, rounded so that the sum stays right."""
        found, total, sent = [], 0.0, 0
        for ms in self.frame_ms:
            total += ms / 10
            found.append(max(2, round(total) - sent))
            sent += found[-1]
        return found


def still_pictures(count: int) -> Cine:
    """Pictures that say nothing of time."""
    return Cine((DEFAULT_MS,) * count)


def cine_of(value: Callable[[int], bytes | bytearray | None], frame_count: int) -> Cine:
    """What a header says of its frames: the rate to show them at, else the one that they were taken at.

    Parameters
    ----------
    value : of an attribute as it is stored, little endian; None when it is not there.
    """
    sequencing = value(_PREFERRED_PLAYBACK_SEQUENCING)
    is_looping = sequencing is None or int.from_bytes(sequencing[:2], "little") != _STOP
    return Cine(tuple(_clamped(ms) for ms in _times(value, frame_count)), is_looping)


def _times(value: Callable[[int], bytes | bytearray | None], frame_count: int) -> list[float]:
    for rate_tag in (_RECOMMENDED_DISPLAY_FRAME_RATE, _CINE_RATE):
        rates = _numbers(value(rate_tag))
        if rates and rates[0] > 0:
            return [1000.0 / rates[0]] * frame_count
    pointer = value(_FRAME_INCREMENT_POINTER)
    if pointer is not None and _tag(pointer) == _FRAME_TIME_VECTOR:
        vector = _numbers(value(_FRAME_TIME_VECTOR))
        # Each is the time from the frame before; the first one has none before it. The last is shown as long as the others.
        if len(vector) == frame_count > 1 and sum(vector[1:]) > 0:
            return [*vector[1:], sum(vector[1:]) / (frame_count - 1)]
    times = _numbers(value(_FRAME_TIME))
    return [times[0] if times and times[0] > 0 else DEFAULT_MS] * frame_count


def _numbers(stored: bytes | bytearray | None) -> list[float]:
    """Values of an IS or DS; none where they are no numbers."""
    try:
        found = [float(part) for part in (stored or b"").decode("ascii").strip(" \0").split("\\")]
    except ValueError:
        return []
    return [number for number in found if abs(number) < 1e9]


def _tag(stored: bytes | bytearray) -> int:
    return int.from_bytes(stored[:2], "little") << 16 | int.from_bytes(stored[2:4], "little")


def _clamped(ms: float) -> float:
    return min(max(ms, _MS_MIN), _MS_MAX)
