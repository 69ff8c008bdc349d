"""What a client wants to see of a frame (PS3.18 8.3.5); importable without numba."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.dicom.frame import Window


class Values(StrEnum):
    """Which values a picture is made of, and a window is in."""

    MODALITY = "modality"
    REAL_WORLD = "real-world"  # PS3.3 C.7.6.16.2.11
    SUV = "suv"  # by body weight, g/ml


class IccProfile(StrEnum):
    """Which colours a picture is in, and whether it says so (PS3.18 8.3.5.1.5)."""

    NO = "no"
    YES = "yes"
    SRGB = "srgb"
    ADOBE_RGB = "adobergb"
    ROMM_RGB = "rommrgb"
    DISPLAY_P3 = "displayp3"


@dataclass(frozen=True, slots=True)
class RenderSpec:
    """A rendering.

    Attributes
    ----------
    window : Window or None
        In `values`; None: what the header has, or what is usual for the modality (docs/imaging.md).
    width, height : int or None
        The image fits inside, its shape kept; None: as stored. One of them alone decides.
    region : (x, y, width, height) or None
        Part of the stored image, in its pixels.
    voi : str
        One of the header's VOI LUTs and windows, by its explanation or by its number from 1 (the LUTs come first); empty:
        the first. Not looked at where there is a `window`.
    values : Values
        Other values than modality values have no windows in the header.
    overlays : bool
        Draw the header's overlay planes into the picture.
    icc_profile : IccProfile
        Only colour pictures have one.
    """

    window: Window | None = None
    width: int | None = None
    height: int | None = None
    region: tuple[int, int, int, int] | None = None
    voi: str = ""
    values: Values = Values.MODALITY
    overlays: bool = False
    icc_profile: IccProfile = IccProfile.NO
