"""Display values to JPEG and PNG."""

from __future__ import annotations

import numpy as np

from engine._native import has_jpeg_grey as has_jpeg_grey
from engine._native import jpeg_grey, jpeg_grey_cells
from engine.codec.base import Array

_QUALITY_FULL_COLOUR = 90
_SIDE_MAX = 65535  # ISO/IEC 10918-1 B.2.2


def encode_jpeg(display_values: Array, quality: int) -> bytes:
    """Baseline JPEG of uint8 (height, width) or RGB (height, width, 3); `quality` 1 to 100.

    Standard Huffman tables: optimal ones would make it 7 % smaller in 2.3 times the time (0.66 against 0.28 ms for
    512²). Colour is not subsampled from quality 90 on, as libvips and ImageMagick have it: thin coloured lines and text
    burnt into ultrasound images smear with it (0.95 against 0.57 ms, 1.6 times the bytes).

    Grey is coded by `native/src/jpeg_blocks.cpp` where the processor has AVX-512: the bytes that libjpeg-turbo gives, in half
    the time (512² of a CT at quality 90: 0.19 against 0.38 ms).
    """
    if display_values.ndim == 2 and has_jpeg_grey() and max(display_values.shape) <= _SIDE_MAX:
        rows, columns = display_values.shape
        return jpeg_grey(np.ascontiguousarray(display_values), rows, columns, quality)
    import imagecodecs

    subsampling = ("444" if quality >= _QUALITY_FULL_COLOUR else "420") if display_values.ndim == 3 else None
    return bytes(imagecodecs.jpeg8_encode(display_values, level=quality, subsampling=subsampling))


def jpeg_of_cells(
    file: int, offset: int, rows: int, columns: int, quality: int, line: tuple[int | bool, ...]
) -> bytes | None:
    """As `encode_jpeg`, of little endian cells of 16 bits in an open file that become greys along `line` (`imaging.straight`).

    None where not all of them are in the page cache. Only where `has_jpeg_grey`.
    """
    return jpeg_grey_cells(file, offset, rows, columns, quality, line)


def encode_png(display_values: Array) -> bytes:
    """PNG of uint8 (height, width) or RGB; the fast filter and level, as for a picture that is looked at once."""
    import imagecodecs

    return bytes(imagecodecs.png_encode(display_values, level=1, strategy=3, filter=16))


def load_codecs() -> None:
    """Load the libraries that decode and encode, so that the first picture does not wait for them; any thread."""
    import imagecodecs

    imagecodecs.jpeg8_version()
