"""Display values to JPEG and PNG."""

from __future__ import annotations

from engine.codec.base import Array


def encode_jpeg(display_values: Array, quality: int) -> bytes:
    """Baseline JPEG of uint8 (height, width) or RGB (height, width, 3); `quality` 1 to 100."""
    import imagecodecs

    return bytes(imagecodecs.jpeg8_encode(display_values, level=quality))


def encode_png(display_values: Array) -> bytes:
    """PNG of uint8 (height, width) or RGB; the fast filter and level, as for a picture that is looked at once."""
    import imagecodecs

    return bytes(imagecodecs.png_encode(display_values, level=1, strategy=3, filter=16))
