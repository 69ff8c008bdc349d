"""GIF: one picture, and the blocks of an animation that is made picture by picture (GIF89a)."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import numpy as np

from engine.codec.base import Array
from engine.errors import UnsupportedPixels

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

CLOSING = b";"
_SIDE_MAX = 0xFFFF
_COLOURS = 256
# Pixels that colours are chosen by. All of 512² take 130 ms, these 25, for an error that is 3 % larger.
_SAMPLE = 40_000
_RARE = 32  # of the 256 colours
_MISSED = 3 * 20**2  # square of the distance at which a pixel counts as one that the common colours miss
_HEADER_BYTES = 13
_IMAGE, _EXTENSION = 0x2C, 0x21
_LOOPS_FOR_EVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
_TO_BACKGROUND = 2 << 2  # what a smaller picture does not cover is empty


def encode_gif(display_values: Array) -> bytes:
    """GIF of uint8 (height, width), without loss, or RGB: in 256 colours chosen for it, errors diffused.

    A picture of at most 256 colours keeps them exactly.
    """
    from PIL import Image

    if max(display_values.shape[:2]) > _SIDE_MAX:
        raise UnsupportedPixels(f"a picture of more than {_SIDE_MAX} pixels a side as image/gif")
    image: PillowImage = Image.fromarray(np.ascontiguousarray(display_values))
    if display_values.ndim == 3:
        if image.getcolors(_COLOURS) is not None:
            image = image.quantize(_COLOURS, Image.Quantize.MEDIANCUT)
        else:
            image = image.quantize(palette=_palette(image, display_values), dither=Image.Dither.FLOYDSTEINBERG)
    out = io.BytesIO()
    # All 256 greys in their order: Pillow for one reads a shortened table of them wrong in an animation.
    image.save(out, "GIF", optimize=False)
    return out.getvalue()


def size_of(gif: bytes) -> tuple[int, int]:
    """Width and height."""
    width, height = struct.unpack_from("<HH", gif, 6)
    return width, height


def opening(width: int, height: int, *, is_looping: bool) -> bytes:
    """What stands before an animation's pictures."""
    return struct.pack("<6sHHBBB", b"GIF89a", width, height, 0x70, 0, 0) + (_LOOPS_FOR_EVER if is_looping else b"")


def frame(gif: bytes, canvas: tuple[int, int], hundredths: int) -> bytes:
    """A picture that `encode_gif` made as one of an animation, in the middle of its canvas, shown for so many 1/100 s."""
    flags = gif[10]
    table_bytes = 3 << ((flags & 7) + 1) if flags & 0x80 else 0
    table, at = gif[_HEADER_BYTES : _HEADER_BYTES + table_bytes], _HEADER_BYTES + table_bytes
    while gif[at] == _EXTENSION:
        at += 2
        while gif[at]:
            at += 1 + gif[at]
        at += 1
    assert gif[at] == _IMAGE, "an image descriptor"
    left, top, width, height, packed = struct.unpack_from("<HHHHB", gif, at + 1)
    left, top = left + (canvas[0] - width) // 2, top + (canvas[1] - height) // 2
    control = struct.pack("<BBBBHBB", _EXTENSION, 0xF9, 4, _TO_BACKGROUND, hundredths, 0, 0)
    rest = gif[at + 10 : len(gif) - len(CLOSING)]
    if not packed & 0x80:  # the colours of the whole file become this picture's own
        packed = packed & 0x40 | 0x80 | flags & 7
        rest = table + rest
    return control + struct.pack("<BHHHHB", _IMAGE, left, top, width, height, packed) + rest


def _palette(image: PillowImage, rgb: Array) -> PillowImage:
    """256 colours for a picture: most by what there is much of, some for what those miss.

    Median cut goes by numbers of pixels: by it alone a thin coloured line or a caption in an ultrasound image gets no colour
    of its own, and fades into what is around it.
    """
    from PIL import Image

    common = _cut(rgb.reshape(-1, 3), _COLOURS - _RARE)
    nearest = np.asarray(image.quantize(palette=_as_palette(common), dither=Image.Dither.NONE))
    errors = np.square(rgb.astype(np.int32) - common[nearest].astype(np.int32)).sum(axis=-1)
    missed = rgb[errors > _MISSED]
    return _as_palette(np.concatenate((common, _cut(missed, _RARE))) if len(missed) else common)


def _cut(colours: Array, count: int) -> Array:
    """At most so many colours for these (n, 3), by a sample from all over them."""
    from PIL import Image

    flat = np.ascontiguousarray(colours[:: max(1, len(colours) // _SAMPLE) | 1])
    image = Image.fromarray(flat[None]).quantize(count, Image.Quantize.MEDIANCUT)
    return np.array(image.getpalette(), np.uint8).reshape(-1, 3)[:count]


def _as_palette(colours: Array) -> PillowImage:
    from PIL import Image

    image = Image.new("P", (1, 1))
    image.putpalette(colours.tobytes())
    return image
