"""What coded pixels say of themselves, as the attributes of the Image Pixel Description Macro have it (PS3.3 C.7.6.3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# In the order of their tags; Planar Configuration is there for several samples only.
MACRO = {
    "00280002": "US", "00280004": "CS", "00280006": "US", "00280010": "US", "00280011": "US",
    "00280100": "US", "00280101": "US", "00280102": "US", "00280103": "US",
}  # fmt: skip
PLANAR_CONFIGURATION = "00280006"


@dataclass(frozen=True, slots=True)
class PixelClaims:
    """Of one frame.

    Attributes
    ----------
    bits_stored : of each sample; as many are allocated as a whole number of bytes needs.
    """

    rows: int
    columns: int
    samples_per_pixel: int
    bits_stored: int
    photometric_interpretation: str
    pixel_representation: int = 0

    @property
    def bits_allocated(self) -> int:
        return next(bits for bits in (8, 16, 32) if self.bits_stored <= bits)

    @property
    def frame_bytes(self) -> int:
        """As native pixel data holds it."""
        return self.rows * self.columns * self.samples_per_pixel * self.bits_allocated // 8

    def macro(self) -> dict[str, int | str]:
        """Values by tag, as `MACRO` has them."""
        found: dict[str, int | str] = {
            "00280002": self.samples_per_pixel,
            "00280004": self.photometric_interpretation,
            "00280010": self.rows,
            "00280011": self.columns,
            "00280100": self.bits_allocated,
            "00280101": self.bits_stored,
            "00280102": self.bits_stored - 1,
            "00280103": self.pixel_representation,
        }
        if self.samples_per_pixel > 1:
            found[PLANAR_CONFIGURATION] = 0
        return found


@dataclass(frozen=True, slots=True)
class NativePixels:
    """A picture file as native frames: little endian, colours by pixel.

    Attributes
    ----------
    frames : made one after another, each of `claims.frame_bytes`; may raise BadFrame.
    """

    claims: PixelClaims
    number_of_frames: int
    frames: Iterator[bytes]
