"""The contract of an encoder: stored values of one frame in, its bytes out (PS3.5 section 8.2)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from engine.codec.base import Array, stored_dtype
from engine.dicom.frame import FrameDescriptor, PixelKeyword
from engine.dicom.transfer_syntax import lookup
from engine.errors import InvalidParameter, UnsupportedPixels

GREY = ("MONOCHROME1", "MONOCHROME2")
PALETTE = "PALETTE COLOR"
BITS_CODED_MAX = 16  # what the coders of images take; PS3.5 8.2 allows more only to JPEG 2000


@dataclass(frozen=True, slots=True)
class Loss:
    """How much a coder may give up; nothing by default.

    Attributes
    ----------
    quality : 1 (worst) to 100, for JPEG and JPEG 2000; 0: not said.
    near : largest difference of a sample in JPEG-LS, 1 to 255; 0: none.
    """

    quality: int = 0
    near: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.quality <= 100:
            raise InvalidParameter("quality", str(self.quality), "1 to 100")
        if not 0 <= self.near <= 255:
            raise InvalidParameter("near", str(self.near), "1 to 255")

    @property
    def words(self) -> str:
        """For a description, with a comma behind; "" where nothing particular was asked for."""
        if self.near:
            return f"largest difference {self.near}, "
        return f"quality {self.quality}, " if self.quality else ""


LOSSLESS = Loss()


class FrameEncoder(Protocol):
    """Encodes frames into the transfer syntaxes it is registered for; any thread, the GIL released meanwhile."""

    def described(self, source: FrameDescriptor, loss: Loss) -> FrameDescriptor:
        """What the header will say of the encoded frames.

        Parameters
        ----------
        source : of decoded frames: its photometric interpretation is that of the stored values (`DecodedFrame`). Its transfer
            syntax is the one to encode in.

        Raises
        ------
        UnsupportedPixels : the coder, or the standard, has no place for such pixels.
        InvalidParameter : it cannot lose in this way.
        """
        ...

    def is_lossy(self, loss: Loss) -> bool:
        """Whether values may come back changed."""
        ...

    def encode(self, stored_values: Array, target: FrameDescriptor, loss: Loss) -> bytes:
        """One frame's bytes.

        Parameters
        ----------
        stored_values : of `frame_shape(target)` and `stored_dtype(target)`, C-contiguous, inside Bits Stored.
        target : as `described` gave it.

        Raises
        ------
        UnsupportedPixels
        """
        ...


def coded(
    source: FrameDescriptor,
    *,
    colours: Collection[str],
    bits_min: int = 1,
    can_be_signed: bool = True,
    palette: bool = True,
) -> FrameDescriptor:
    """`source` as an image coder of up to 16 bits takes it: samples interleaved, values at the bottom of 8 or 16 bits.

    Parameters
    ----------
    colours : photometric interpretations that it takes three samples in.
    palette : whether it takes indexes into a palette; none that loses may.

    Raises
    ------
    UnsupportedPixels
    """
    d = source
    kinds = {1: (*GREY, PALETTE) if palette else GREY, 3: tuple(colours)}.get(d.samples_per_pixel, ())
    why = ""
    if d.pixel_keyword is not PixelKeyword.PIXEL_DATA:
        why = "floating point values"
    elif d.bits_allocated == 1:
        why = "single bits"
    elif not bits_min <= d.bits_stored <= BITS_CODED_MAX or d.bits_allocated > BITS_CODED_MAX:
        why = f"{d.bits_stored} bits in {d.bits_allocated}"
    elif d.pixel_representation and not can_be_signed:
        why = "signed values"
    elif d.photometric_interpretation not in kinds:
        why = f"{d.samples_per_pixel} samples of {d.photometric_interpretation or 'no photometric interpretation'}"
    if why:
        raise unsupported(d, why)
    return at_the_bottom(d)


def at_the_bottom(source: FrameDescriptor) -> FrameDescriptor:
    """Interleaved samples, values at the bottom of whole bytes: as decoders give them."""
    bits = 1 if source.bits_allocated == 1 else 8 * stored_dtype(source).itemsize
    return replace(
        source,
        bits_allocated=bits,
        high_bit=min(source.bits_stored, bits) - 1,
        bits_stored=min(source.bits_stored, bits),
        planar_configuration=0,
        has_swapped_bytes=False,
    )


def unsupported(target: FrameDescriptor, what: str) -> UnsupportedPixels:
    name = lookup(target.transfer_syntax_uid).name
    return UnsupportedPixels(f"{what} in {name} ({target.transfer_syntax_uid})", "re-encoded")


def no_loss(target: FrameDescriptor, loss: Loss, *, quality: bool = False, near: bool = False) -> None:
    """`InvalidParameter` where a loss is asked for that the transfer syntax has no place for."""
    for name, value, is_taken in (("quality", loss.quality, quality), ("near", loss.near, near)):
        if value and not is_taken:
            raise InvalidParameter(name, str(value), f"none with transfer syntax {target.transfer_syntax_uid}")


@contextmanager
def refusals(target: FrameDescriptor) -> Iterator[None]:
    """What a library raises over an image, as `UnsupportedPixels`."""
    try:
        yield
    except (ValueError, RuntimeError, MemoryError, OverflowError, NotImplementedError) as error:
        raise unsupported(target, f"an image that its coder refuses ({error or type(error).__name__})") from error
