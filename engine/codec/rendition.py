"""One frame as a lossless HTJ2K code stream whose beginnings are smaller images, proven to give it back (PS3.5 8.2.14).

Resolutions outermost, a tile-part for each, a TLM marker segment: ``code[: ends[r]]`` decodes exactly to a smaller image.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from engine.codec.approximate import halvings
from engine.codec.base import Array, DecodedFrame, stored_dtype
from engine.codec.encoding.base import PALETTE
from engine.codec.encoding.htj2k import Halved, Htj2kEncoder
from engine.codec.encoding.registry import described
from engine.codec.jpeg2000 import BITS_REDUCED_MIN
from engine.codec.jpeg2000_header import read_header, whole
from engine.codec.jpeg2000_reduce import reduced
from engine.codec.registry import decode_frame
from engine.codec.resolutions import resolution_ends
from engine.dicom.frame import FrameDescriptor
from engine.dicom.transfer_syntax import lookup
from engine.errors import BadFrame, UnsupportedPixels
from engine.limits import Limits
from engine.types import Buffer

HTJ2K_RPCL = "1.2.840.10008.1.2.4.202"
_ENCODER = Htj2kEncoder()
_FORM = 1  # rises when the same pixels would become another code stream
_JPEG_2000 = ("image/jp2", "image/jpx", "image/jphc")
# A lossless form of what JPEG has left is five times its size, and JPEG is decoded as quickly.
_LOSSY_JPEG = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55))


@dataclass(frozen=True, slots=True)
class Rendition:
    """A frame's code stream.

    Attributes
    ----------
    ends : cumulative byte ends of the resolutions; a single one where no beginning is a smaller image: indexes into a
        palette have no mean, nor have masks.
    bits : Bits Stored that it was made with: the header's, or all of the cell where values go beyond.
    photometric_interpretation : of the values that come out of it.
    smaller : what the beginning of so many halvings as an approximate one has decodes to, centred about 0, where the coder
        has told; the proof holds for it as well, for the wavelet gives no two images for the same coefficients.
    """

    code_stream: bytes
    ends: tuple[int, ...]
    bits: int
    photometric_interpretation: str
    smaller: Halved | None = field(default=None, compare=False, repr=False)


@lru_cache(maxsize=1)
def encoder_name() -> str:
    """What makes renditions: the same name, the same bytes for the same pixels."""
    import imagecodecs

    return f"{_FORM} {imagecodecs.htj2k_version()}"


def why_not(descriptor: FrameDescriptor) -> str:
    """Why no rendition is made of frames like this, as far as the header tells; empty where one may be."""
    if descriptor.transfer_syntax_uid in _LOSSY_JPEG:
        return "lossy JPEG, which is smaller and as quickly decoded as it is"
    return ""


def make_rendition(descriptor: FrameDescriptor, decoded: DecodedFrame, limits: Limits) -> Rendition:
    """Encode a decoded frame, decode it again, and compare every value.

    Raises
    ------
    UnsupportedPixels : it cannot be represented, or does not come back as it was.
    """
    photometric = decoded.photometric_interpretation
    cell = 8 * decoded.stored_values.dtype.itemsize
    for bits in sorted({min(descriptor.bits_stored, cell), cell}):
        target = _target(descriptor, photometric, bits)
        values = np.ascontiguousarray(decoded.stored_values)
        if values.dtype != stored_dtype(target):
            raise UnsupportedPixels(f"values of type {values.dtype}", "kept as a rendition")
        code, smaller = _ENCODER.pyramid(values, target, halvings(target.rows, target.columns))
        if _gives_back(descriptor, code, decoded, bits, limits):
            ends = _scalable(target, resolution_ends(target, code), len(code))
            return Rendition(code, ends, bits, photometric, smaller)
    raise UnsupportedPixels("pixels whose code stream does not give the values back", "kept as a rendition")


def decode_rendition(
    descriptor: FrameDescriptor,
    data: Buffer,
    photometric_interpretation: str,
    bits: int,
    limits: Limits,
    reduce: int = 0,
) -> DecodedFrame:
    """What `decode_frame` gives for the stored frame, from its rendition.

    Parameters
    ----------
    descriptor : of the stored frame.
    photometric_interpretation, bits : of the `Rendition`.

    Raises
    ------
    BadFrame, UnsupportedPixels, TooLarge
    """
    return decode_frame(_target(descriptor, photometric_interpretation, bits), data, limits, reduce=reduce)


def kept_ends(descriptor: FrameDescriptor, data: Buffer) -> tuple[int, ...]:
    """Where the resolutions of a stored frame end that is such a code stream as it is; empty for any other.

    Raises
    ------
    BadFrame
    """
    if lookup(descriptor.transfer_syntax_uid).media_type != "image/jphc":
        return ()
    header = read_header(descriptor, memoryview(data))
    ends = resolution_ends(descriptor, data)
    has_meaning = header.is_signed == bool(descriptor.pixel_representation) and not header.start
    if not ends or not header.is_high_throughput or not has_meaning:
        return ()
    return _scalable(replace(descriptor, bits_stored=header.bits), ends, len(data))


def halvings_of(descriptor: FrameDescriptor, data: Buffer, made: Rendition) -> int:
    """How often the stored frame can be halved while it is decoded, where its rendition gives the very same values then.

    -1 where the values would be others; 0 where the decoder of the stored frame gives the whole one.
    Pictures must not depend on whether there is a rendition.
    """
    d = descriptor
    if lookup(d.transfer_syntax_uid).media_type not in _JPEG_2000:
        return 0
    header = read_header(d, memoryview(data))
    if header.is_signed != bool(d.pixel_representation) or header.bits < BITS_REDUCED_MIN:
        return 0
    data = whole(d, header, data)
    _, halvings = reduced(read_header(d, memoryview(data)), memoryview(data), header.levels)
    if not halvings:
        return 0
    has_same_colours = d.samples_per_pixel == 1 or header.has_colour_transform
    is_same = header.is_reversible and lookup(d.transfer_syntax_uid).is_lossless and header.bits == made.bits
    can_follow = len(made.ends) > halvings
    return halvings if is_same and has_same_colours and can_follow else -1


def smaller_picture(descriptor: FrameDescriptor, decoded: DecodedFrame, side: int, limits: Limits) -> bytes:
    """A code stream of every n-th pixel of every n-th row, at most `side` of them: for frames without a smaller beginning.

    Raises
    ------
    UnsupportedPixels
    """
    step = -(-max(descriptor.rows, descriptor.columns) // side)
    values = np.ascontiguousarray(decoded.stored_values[::step, ::step])
    small = replace(descriptor, rows=values.shape[0], columns=values.shape[1])
    return make_rendition(small, replace(decoded, stored_values=values), limits).code_stream


def _gives_back(descriptor: FrameDescriptor, code: bytes, decoded: DecodedFrame, bits: int, limits: Limits) -> bool:
    """A coder's mistake must not become a patient's."""
    try:
        back = decode_rendition(descriptor, code, decoded.photometric_interpretation, bits, limits)
    except BadFrame:
        return False
    values = back.stored_values
    return (
        back.photometric_interpretation == decoded.photometric_interpretation
        and values.dtype == decoded.stored_values.dtype
        and _is_same(values, decoded.stored_values)
    )


def _is_same(a: Array, b: Array) -> bool:
    """Whether all values are: eight bytes at once where they lie without gaps, 10 µs for 512² instead of 50."""
    if a.shape != b.shape:
        return False
    if a.nbytes % 8 or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return np.array_equal(a, b)
    return bool((a.reshape(-1).view(np.uint64) == b.reshape(-1).view(np.uint64)).all())


def _scalable(target: FrameDescriptor, ends: tuple[int, ...], length: int) -> tuple[int, ...]:
    """The last end is behind the EOC marker; only that one where means of values mean nothing."""
    if target.photometric_interpretation == PALETTE or target.bits_stored < BITS_REDUCED_MIN:
        return (length,)
    return (*ends[:-1], length)


@lru_cache(maxsize=64)
def _target(descriptor: FrameDescriptor, photometric_interpretation: str, bits: int) -> FrameDescriptor:
    """What the code stream's own header would say; raises UnsupportedPixels."""
    target = described(descriptor, photometric_interpretation, HTJ2K_RPCL)
    return replace(target, bits_stored=bits, high_bit=bits - 1)
