"""A frame's beginning at less bytes than an exact one takes: its smaller image, coded with loss (T.800 annex E, F.3.8; T.814).

A quarter of the sides of a CT slice exactly is 9 % of its lossless bytes, mostly noise that nobody sees before the next
picture is there. A code stream of its own with a wavelet that rounds is a quarter of that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine._native import resolution_ends as native_ends
from engine.codec.encoding.htj2k import Halved
from engine.codec.jpeg2000_header import read_header
from engine.dicom.frame import FrameDescriptor
from engine.errors import BadFrame
from engine.types import Buffer

SIDE = 128  # pixels of the smaller image's longer side at least, where that is half of the frame's at most
HALVINGS_MAX = 2
CHEAP = 1.5  # an exact beginning of so many times the bytes is better
BITS_PER_PIXEL = 2.0
STEPS_MIN = 32  # of quantisation in what the slice spans: the largest error is below two of them
_STEPS_MAX = 1024
_BITS_PER_HALVED_STEP = 0.7  # a pixel; measured on CT and MR, 0.55 to 0.85
_HEADERS = 256  # bytes
_BEFORE = 48.0  # steps, where no slice was before
_ERROR_STEPS_MAX = 4
_NEAR = 1.25  # times the bytes that are wanted, or a part of them: the first slice is coded again beyond
# SOC, SIZ (T.800 A.5.1): the first Ssiz; and a signed sample of 20 bits in it
_SSIZ, _SIGNED_20 = 42, 0x80 | 19
# What 16 bits have beside the values, so that a wavelet may overshoot at sharp edges and the reader sees it.
_LEAST, _MOST = -24_576, 24_575
_UNTOUCHED = -23_131  # no image is all of this

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Beginning:
    """An HTJ2K code stream of signed samples of 16 bits: stored values, whatever the frame's own bits and sign are.

    Attributes
    ----------
    ends : cumulative byte ends of its resolutions: the same sizes as the frame's own coarsest ones.
    """

    code_stream: bytes
    ends: tuple[int, ...]


def halvings(rows: int, columns: int) -> int:
    """How often the sides of the frame are halved in the finest image of its approximate beginning; 0: it should have none.

    A quarter; half of them where that has 128 pixels at most: 4.2 kB of a 256 × 256 MR slice instead of 10.9, and its
    quarter costs the same then.
    """
    longest, found = max(rows, columns), 0
    if longest <= SIDE:
        return 0  # all of it is as small as what others have for a beginning
    while found < HALVINGS_MAX and -(-longest >> found) > SIDE:
        found += 1
    return found


class Approximating:
    """Makes the beginnings of a series' frames; one thread. The step goes from slice to slice, to keep near the bytes."""

    def __init__(self) -> None:
        self._steps = 0.0

    def beginning(
        self, descriptor: FrameDescriptor, code_stream: Buffer, ends: tuple[int, ...], smaller: Halved | None = None
    ) -> Beginning | None:
        """The beginning of a frame; None where its own is nearly as small, or cannot be told so; 0.4 ms for 512².

        Parameters
        ----------
        code_stream : lossless HTJ2K, resolutions outermost.
        ends : of its resolutions.
        smaller : what its first resolutions decode to (`Rendition`), where that is known already.

        Raises
        ------
        BadFrame : a code stream that cannot be read.
        """
        down = halvings(descriptor.rows, descriptor.columns)
        levels = len(ends) - 1 - down  # of the smaller image
        if descriptor.samples_per_pixel != 1 or not down or levels < 1:
            return None
        exact_bytes = ends[levels]
        wanted = int(-(-descriptor.rows >> down) * -(-descriptor.columns >> down) * BITS_PER_PIXEL / 8) + _HEADERS
        if exact_bytes <= CHEAP * wanted:
            return None
        image = _smaller(descriptor, memoryview(code_stream)[:exact_bytes], down, smaller)
        if image is None:
            return None
        span = int(image.max()) - int(image.min())
        steps = self._steps or _BEFORE
        code = _encoded(image, span / steps, levels)
        finer = self._finer(len(code), wanted, image.size, steps)
        if not self._steps and not 1 / _NEAR <= len(code) / wanted <= _NEAR and finer != steps:
            steps, code = finer, _encoded(image, span / finer, levels)
            finer = self._finer(len(code), wanted, image.size, steps)
        self._steps = finer
        if exact_bytes <= CHEAP * len(code) or not _is_near(image, code, span / steps):
            return None
        found, _ = native_ends(code)
        return Beginning(code, (*found[:-1], len(code))) if len(found) == levels + 1 else None

    @staticmethod
    def _finer(bytes_made: int, wanted: int, pixels: int, steps: float) -> float:
        octaves = (wanted - bytes_made) * 8 / pixels / _BITS_PER_HALVED_STEP
        return min(max(steps * 2 ** max(-2.0, min(2.0, octaves)), float(STEPS_MIN)), float(_STEPS_MAX))


def _smaller(descriptor: FrameDescriptor, data: memoryview, down: int, known: Halved | None) -> Samples | None:
    """The smaller image as exact bytes show it, stored values; None where 16 bits have no room beside them."""
    header = read_header(descriptor, data)
    if not header.is_reversible or header.start or header.samples != 1 or header.bits > 16:
        return None
    half = 1 << (header.bits - 1)
    centred = known if known is not None else _decoded(descriptor, data, down)
    # Readers of the exact bytes clamp as well.
    values = np.clip(centred, -half, half - 1)
    if not header.is_signed:
        values += half
    has_room = int(values.min()) >= _LEAST and int(values.max()) <= _MOST
    return values.astype(np.int16) if has_room else None


def _decoded(descriptor: FrameDescriptor, data: memoryview, down: int) -> Halved:
    import imagecodecs

    # Said to be signed and of 20 bits, the same coefficients come out centred about 0, and overshoot instead of wrapping.
    wide = bytearray(data)
    wide[_SSIZ] = _SIGNED_20
    centred = np.full((-(-descriptor.rows >> down), -(-descriptor.columns >> down)), _UNTOUCHED, np.int32)
    try:
        imagecodecs.htj2k_decode(bytes(wide), skipres=down, out=centred)
    except (RuntimeError, ValueError) as error:
        raise BadFrame(descriptor.transfer_syntax_uid, str(error)) from error
    if (centred[-1] == _UNTOUCHED).all():  # OpenJPH gave up, and imagecodecs does not say so
        raise BadFrame(descriptor.transfer_syntax_uid, "a code stream that is cut")
    return centred


def _encoded(image: Samples, step: float, levels: int) -> bytes:
    import imagecodecs

    # OpenJPH counts the step in parts of what 16 bits span, and gives each band of the wavelet its share.
    return bytes(
        imagecodecs.htj2k_encode(
            image, level=max(step, 0.5) / 65_536, reversible=False, tlm=True, tilepart=1, resolutions=levels
        )
    )


def _is_near(image: Samples, code: bytes, step: float) -> bool:
    """A coder's mistake must not be seen for a moment either."""
    import imagecodecs

    back = np.full_like(image, _UNTOUCHED)
    imagecodecs.htj2k_decode(code, out=back)
    error = np.subtract(back, image, dtype=np.int32)
    return max(int(error.max()), -int(error.min())) <= _ERROR_STEPS_MAX * max(step, 1.0) and math.isfinite(step)
