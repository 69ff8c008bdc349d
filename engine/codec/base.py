"""The contract of a decoder: bytes of one frame in, sample values out (PS3.5 section 8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.dicom.frame import FrameDescriptor, PixelKeyword
from engine.errors import BadFrame, TooLarge, UnsupportedPixels
from engine.types import Buffer

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One decoded frame.

    Attributes
    ----------
    stored_values : array (rows, columns) or (rows, columns, samples)
        Signed where Pixel Representation says so; bits above Bits Stored are gone. Native pixels that need no change
        are a view on the bytes that were given, and read-only when those are.
    photometric_interpretation : str
        Of these values, which may differ from the header's: a JPEG decoder gives RGB for YBR_FULL_422.
    reduce : int
        How often the size was halved (rounding up): never more than was asked for, 0 where the stored form cannot.
        Sample i is then where sample i·2^reduce of the whole frame is.
    """

    stored_values: Array
    photometric_interpretation: str
    reduce: int = 0


class FrameDecoder(Protocol):
    """Decodes one frame of the transfer syntaxes it is registered for; any thread, the GIL released meanwhile."""

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        """Decode into `out` where the stored form allows it, else into a new array that is copied there.

        A frame whose end is missing is refused: a picture that is grey from the middle down looks like anatomy to
        whoever does not know. What a code stream without a checksum cannot tell (flipped bits), no decoder can.

        Parameters
        ----------
        out : C-contiguous array of `frame_shape` and `stored_dtype`, owned by the caller; or None. After an error its
            contents are undefined. Not used when the result is a reduced one.
        first_bit : 0 to 7, where single-bit pixels begin in the first byte.
        reduce : halve the size up to so many times, where that is less work than decoding it all.

        Raises
        ------
        BadFrame
        """
        ...


@contextmanager
def refusals(descriptor: FrameDescriptor) -> Iterator[None]:
    """What a library raises over a code stream, as `BadFrame`."""
    try:
        yield
    except (ValueError, RuntimeError, MemoryError, OverflowError, OSError) as error:
        raise BadFrame(descriptor.transfer_syntax_uid, str(error) or type(error).__name__) from error


def stored_dtype(descriptor: FrameDescriptor) -> np.dtype[Any]:
    """The native-endian type of stored values: the smallest that holds Bits Allocated."""
    return _dtype(descriptor.pixel_keyword, descriptor.bits_allocated, descriptor.pixel_representation)


@lru_cache(maxsize=64)
def _dtype(pixel_keyword: PixelKeyword, bits_allocated: int, pixel_representation: int) -> np.dtype[Any]:
    """Remembered, because each step of a small frame's decoding asks: 2 µs of its 9."""
    match pixel_keyword:
        case PixelKeyword.FLOAT:
            return np.dtype(np.float32)
        case PixelKeyword.DOUBLE:
            return np.dtype(np.float64)
    size = next((n for n in (1, 2, 4, 8) if 0 < bits_allocated <= 8 * n), 0)
    if not size:
        raise UnsupportedPixels(f"{bits_allocated} bits allocated")
    return np.dtype(f"{'i' if pixel_representation else 'u'}{size}")


def frame_shape(descriptor: FrameDescriptor) -> tuple[int, ...]:
    """(rows, columns), or (rows, columns, samples) for more than one sample."""
    if descriptor.samples_per_pixel == 1:
        return descriptor.rows, descriptor.columns
    return descriptor.rows, descriptor.columns, descriptor.samples_per_pixel


def check_size(descriptor: FrameDescriptor, frame_bytes_max: int) -> None:
    """Header claims against the limit, before anything is allocated for them."""
    size = descriptor.rows * descriptor.columns * descriptor.samples_per_pixel * stored_dtype(descriptor).itemsize
    if size > frame_bytes_max:
        raise TooLarge("the decoded frame", size, frame_bytes_max, "limits.frame_bytes_max")
