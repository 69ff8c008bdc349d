"""PNG and GIF files as native pixels: no transfer syntax holds them, and no colour is lost (PS3.18 table 10.5.2-1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from engine.codec.base import Array
from engine.dicom.coded_pixels import NativePixels, PixelClaims
from engine.errors import BadFrame, TooLarge
from engine.limits import MIB, Limits

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_PNG_BITS_MAX, _PNG_GREY = 16, (0, 4)
_FREE_BYTES = 64 * MIB  # the ratio counts beyond


def native_pixels(media_type: str, source: BinaryIO, limits: Limits) -> NativePixels:
    """The frames of a picture file; transparency is discarded, as the standard has it.

    Parameters
    ----------
    media_type : ``image/png`` or ``image/gif``.
    source : seekable; owned by the caller, and read until the last frame was taken.

    Raises
    ------
    BadFrame, TooLarge
    """
    return (_png if media_type == "image/png" else _gif)(source, limits)


def _png(source: BinaryIO, limits: Limits) -> NativePixels:
    data = source.read(limits.frame_bytes_max + 1)
    if not data.startswith(_PNG) or len(data) < 29:
        raise BadFrame("image/png", "no PNG header at the start")
    columns, rows, depth, colours = struct.unpack_from(">IIBB", data, 16)
    if depth > _PNG_BITS_MAX:
        raise BadFrame("image/png", f"samples of {depth} bits")
    samples = 1 if colours in _PNG_GREY else 3
    claims = PixelClaims(rows, columns, samples, 16 if depth == 16 else 8, "MONOCHROME2" if samples == 1 else "RGB")
    _check(claims, 1, len(data), limits)
    return NativePixels(claims, 1, iter((_decoded_png(data, claims),)))


def _decoded_png(data: bytes, claims: PixelClaims) -> bytes:
    import imagecodecs

    try:
        pixels = np.asarray(imagecodecs.png_decode(data))
    except (ValueError, RuntimeError, MemoryError) as error:
        raise BadFrame("image/png", str(error) or type(error).__name__) from error
    if pixels.ndim == 3:  # opacity is the last sample of two and of four
        pixels = pixels[..., 0] if claims.samples_per_pixel == 1 else pixels[..., :3]
    return _little(pixels, claims)


def _gif(source: BinaryIO, limits: Limits) -> NativePixels:
    from PIL import Image

    length = source.seek(0, 2)
    source.seek(0)
    with _refusals():
        picture: Any = Image.open(source, formats=("GIF",))
        claims = PixelClaims(picture.height, picture.width, 3, 8, "RGB")
    _check(claims, 1, length, limits)
    with _refusals():
        count = picture.n_frames  # goes over the blocks of the file
    _check(claims, count, length, limits)
    return NativePixels(claims, count, _frames(picture, count, claims))


def _frames(picture: Any, count: int, claims: PixelClaims) -> Iterator[bytes]:
    """Each frame whole, what it leaves of the one before included."""
    for number in range(count):
        with _refusals():
            picture.seek(number)
            if picture.size != (claims.columns, claims.rows):  # a frame may be larger than the file says
                raise BadFrame("image/gif", f"frame {number + 1} is {picture.height}×{picture.width} pixels")
            pixels = np.asarray(picture.convert("RGB"))
        yield _little(pixels, claims)


@contextmanager
def _refusals() -> Iterator[None]:
    """What Pillow raises over a file that is none, as ours; it trusts the lengths of blocks."""
    from PIL.Image import DecompressionBombError

    known = (OSError, ValueError, EOFError, SyntaxError, IndexError, TypeError, struct.error, MemoryError)
    try:
        yield
    except (*known, DecompressionBombError) as error:
        raise BadFrame("image/gif", str(error) or type(error).__name__) from error


def _little(pixels: Array, claims: PixelClaims) -> bytes:
    shape = (claims.rows, claims.columns) + ((claims.samples_per_pixel,) if claims.samples_per_pixel > 1 else ())
    kind = np.dtype("<u2" if claims.bits_allocated == 16 else "u1")
    if pixels.shape != shape or pixels.dtype.itemsize != kind.itemsize:
        raise BadFrame("image/png", f"pixels {pixels.dtype}{pixels.shape} where {kind}{shape} were expected")
    return pixels.astype(kind, copy=False).tobytes()


def _check(claims: PixelClaims, count: int, length: int, limits: Limits) -> None:
    if not 0 < claims.rows <= 0xFFFF or not 0 < claims.columns <= 0xFFFF:
        raise BadFrame("image", f"{claims.rows}×{claims.columns} pixels, which no header can have")
    if claims.frame_bytes > limits.frame_bytes_max:
        raise TooLarge("the decoded frame", claims.frame_bytes, limits.frame_bytes_max, "limits.frame_bytes_max")
    allowed = min(_FREE_BYTES + limits.archive_expansion_max * length, 0xFFFF_FFFE)
    if claims.frame_bytes * count > allowed:
        raise TooLarge("the decoded picture", claims.frame_bytes * count, allowed, "limits.archive_expansion_max")
