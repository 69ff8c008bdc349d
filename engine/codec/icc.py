"""Colours from one ICC profile to another, and the profile inside a JPEG, PNG or WebP picture (PS3.18 8.3.5.1.5, PS3.3 C.11.15)."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

import numpy as np

from engine.codec.base import Array
from engine.codec.webp import webp_with
from engine.errors import UnsupportedPixels

_POINTS = 1024  # of a curve; lcms draws lines between them
_CHUNK = 65519  # of a profile in one APP2 marker: 65535 less its length, name and numbers (ICC.1 B.4)
_D50, _D65 = (0.3457, 0.3585), (0.3127, 0.3290)
_DATE = slice(24, 36)  # when a profile was made: the same profile should be the same bytes
_DATE_OF_OURS = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)


def converted(rgb: Array, own: bytes, wanted: str) -> tuple[Array, bytes]:
    """8-bit RGB (height, width, 3) in the colours that are wanted, and the profile that says which. 15 ms for 512².

    Parameters
    ----------
    own : profile of `rgb`; empty: sRGB, which is what an image without one is shown as.
    wanted : ``yes`` (the image's own), ``srgb``, ``adobergb``, ``rommrgb`` or ``displayp3``.

    Raises
    ------
    UnsupportedPixels : the image's profile is none, or not of RGB.
    """
    import imagecodecs

    source = own or profile("srgb")
    if wanted == "yes":
        return rgb, source
    target = profile(wanted)
    if source == target:
        return rgb, target
    try:
        out = imagecodecs.cms_transform(
            np.ascontiguousarray(rgb), source, target, colorspace="rgb", outcolorspace="rgb"
        )
    except (ValueError, RuntimeError) as error:
        raise UnsupportedPixels(f"an ICC profile that cannot be used ({error})") from error
    return out, target


@lru_cache(maxsize=8)
def profile(name: str) -> bytes:
    """A well-known RGB profile, as Little CMS makes it from its primaries, white and curve."""
    import imagecodecs

    if name == "srgb":
        made = imagecodecs.cms_profile("srgb")
    elif name == "adobergb":  # Adobe RGB (1998): gamma 2 + 51/256
        made = imagecodecs.cms_profile(
            "rgb", whitepoint=_D65, primaries=(0.64, 0.33, 0.21, 0.71, 0.15, 0.06), gamma=2.19921875
        )
    elif name == "rommrgb":  # ISO 22028-2: gamma 1.8 with a straight start
        ramp = np.linspace(0.0, 1.0, _POINTS)
        curve = np.where(ramp < 16.0 / 512.0, ramp / 16.0, ramp**1.8)
        made = imagecodecs.cms_profile(
            "rgb",
            whitepoint=_D50,
            primaries=(0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001),
            transferfunction=curve.astype(np.float32),
        )
    elif name == "displayp3":  # P3 primaries, sRGB's white and curve
        ramp = np.linspace(0.0, 1.0, _POINTS)
        curve = np.where(ramp <= 0.04045, ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)
        made = imagecodecs.cms_profile(
            "rgb",
            whitepoint=_D65,
            primaries=(0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
            transferfunction=curve.astype(np.float32),
        )
    else:
        raise ValueError(f"no profile {name}")
    data = bytearray(made)
    data[_DATE] = _DATE_OF_OURS
    return bytes(data)


def with_profile(picture: bytes, icc_profile: bytes) -> bytes:
    """A JPEG, PNG or WebP picture that carries this profile."""
    if picture.startswith(b"\xff\xd8"):
        return _jpeg_with(picture, icc_profile)
    if picture.startswith(b"RIFF"):
        return webp_with(picture, icc_profile)
    header_end = 8 + 12 + 13  # signature and IHDR, which is always first (PNG 11.2.2)
    body = b"iCCP" + b"ICC profile\0\0" + zlib.compress(icc_profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return picture[:header_end] + chunk + picture[header_end:]


def _jpeg_with(picture: bytes, icc_profile: bytes) -> bytes:
    at = 2
    if picture[2:4] == b"\xff\xe0":  # JFIF stays first
        at += 2 + int.from_bytes(picture[4:6], "big")
    pieces = [icc_profile[i : i + _CHUNK] for i in range(0, len(icc_profile), _CHUNK)]
    if len(pieces) > 255:
        raise UnsupportedPixels(f"an ICC profile of {len(icc_profile)} bytes does not fit into a JPEG picture")
    markers = [
        b"\xff\xe2" + struct.pack(">H", 16 + len(piece)) + b"ICC_PROFILE\0" + bytes((number, len(pieces))) + piece
        for number, piece in enumerate(pieces, 1)
    ]
    return b"".join((picture[:at], *markers, picture[at:]))
