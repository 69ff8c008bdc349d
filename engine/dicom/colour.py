"""Colours that a header names, as the sRGB of a screen: CIELab triplets and P-values (PS3.3 C.10.7.1.1, PS3.14)."""

from __future__ import annotations

from typing import TypeAlias

Rgb: TypeAlias = tuple[int, int, int]

_WHITE = (0.96422, 1.0, 0.82521)  # D50, the white of the profile connection space
# XYZ of that white to linear sRGB, its own D65 white adapted by Bradford's matrix
_TO_LINEAR = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)


def rgb_of_cielab(lab: tuple[int, int, int]) -> Rgb:
    """8-bit sRGB of a triplet such as Recommended Display CIELab Value (0062,000D).

    Parameters
    ----------
    lab : 0 to 65 535 each; L* from 0 to 100, a* and b* from -128 to 127. Colours that a screen does not have are clipped.
    """
    lightness = lab[0] * 100.0 / 65535.0
    a, b = (value * 255.0 / 65535.0 - 128.0 for value in lab[1:])
    middle = (lightness + 16.0) / 116.0
    xyz = [
        white * _inverse(value)
        for white, value in zip(_WHITE, (middle + a / 500.0, middle, middle - b / 200.0), strict=True)
    ]
    red, green, blue = (
        _encoded(sum(factor * value for factor, value in zip(row, xyz, strict=True))) for row in _TO_LINEAR
    )
    return red, green, blue


def grey_of_p_value(p_value: int) -> int:
    """8-bit grey of a P-value of 16 bits, such as Shutter Presentation Value (0018,1622)."""
    return (min(max(p_value, 0), 0xFFFF) + 128) // 257


def _inverse(value: float) -> float:
    return value**3 if value > 6.0 / 29.0 else 3.0 * (6.0 / 29.0) ** 2 * (value - 4.0 / 29.0)


def _encoded(linear: float) -> int:
    linear = min(max(linear, 0.0), 1.0)
    value = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1.0 / 2.4) - 0.055
    return round(255.0 * value)
