"""What must be known of an instance's pixels to decode and show one frame (PS3.3 C.7.6.3, C.7.6.16, C.11.1, C.11.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class VoiLutFunction(StrEnum):
    """PS3.3 C.11.2.1.3."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


class PixelKeyword(StrEnum):
    """The element that holds the pixels (PS3.3 C.7.6.24)."""

    PIXEL_DATA = "PixelData"
    FLOAT = "FloatPixelData"
    DOUBLE = "DoubleFloatPixelData"


# Two chrominance samples for two pixels, when native (PS3.3 C.7.6.3.1.2).
SUBSAMPLED_422 = frozenset(("YBR_FULL_422", "YBR_PARTIAL_422"))


@dataclass(frozen=True, slots=True)
class Rescale:
    """``modality_values = stored_values * slope + intercept`` (PS3.3 C.11.1.1.2)."""

    slope: float = 1.0
    intercept: float = 0.0
    type: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """A VOI window in modality values (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: VoiLutFunction = VoiLutFunction.LINEAR
    explanation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameDescriptor:
    """Everything that decoding and the grayscale and colour pipelines need, without the header.

    `rescales` and `windows` hold one entry that is meant for every frame, or one entry per frame (functional groups,
    PS3.3 C.7.6.16), or nothing; `pixel_spacings` too: mm (or what the modality means) between the centres of rows, and of
    columns. Padding is a float only in Float and Double Float Pixel Data. `rows` and `columns` are as stored and already
    checked against `engine.limits`.

    The ``has_`` fields say what else stands in the header for the rare frame that needs it (LUT data, palettes, overlays,
    profiles, real world values): it is read from the stored bytes then (`engine.dicom.display`), not kept in the index.
    They may promise what an empty element does not hold, never the other way round.
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    modality: str
    rows: int
    columns: int
    number_of_frames: int
    samples_per_pixel: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    pixel_representation: int
    planar_configuration: int
    photometric_interpretation: str
    pixel_keyword: PixelKeyword = PixelKeyword.PIXEL_DATA
    rescales: tuple[Rescale, ...] = ()
    windows: tuple[tuple[Window, ...], ...] = ()
    presentation_lut_shape: str = ""
    pixel_padding_value: float | None = None
    pixel_padding_range_limit: float | None = None
    smallest_pixel_value: int | None = None
    largest_pixel_value: int | None = None
    has_modality_lut: bool = False
    has_voi_lut: bool = False
    has_palette: bool = False
    has_overlay: bool = False
    pixel_aspect_ratio: tuple[float, float] = (1.0, 1.0)
    has_swapped_bytes: bool = False  # 8-bit cells inside big endian 16-bit words (PS3.5 annex D)
    pixel_presentation: str = ""
    has_presentation_lut: bool = False
    has_icc_profile: bool = False
    has_real_world_values: bool = False
    pixel_spacings: tuple[tuple[float, float], ...] = ()

    def rescale(self, frame_index: int) -> Rescale:
        """The rescale of one frame; the identity where the header has none."""
        if not self.rescales:
            return Rescale()
        return self.rescales[0] if len(self.rescales) == 1 else self.rescales[frame_index]

    def frame_windows(self, frame_index: int) -> tuple[Window, ...]:
        """The windows of one frame in the header's order; empty where it has none."""
        if not self.windows:
            return ()
        return self.windows[0] if len(self.windows) == 1 else self.windows[frame_index]

    def pixel_spacing(self, frame_index: int) -> tuple[float, float] | None:
        """Distance between rows and between columns of one frame; None where the header has none."""
        if not self.pixel_spacings:
            return None
        spacing = self.pixel_spacings[0] if len(self.pixel_spacings) == 1 else self.pixel_spacings[frame_index]
        return spacing if spacing[0] > 0 else None

    def pixel_shape(self, frame_index: int) -> tuple[float, float]:
        """Height and width of a pixel, as a ratio: of the spacing, or else Pixel Aspect Ratio (PS3.3 C.7.6.3.1.7)."""
        return self.pixel_spacing(frame_index) or self.pixel_aspect_ratio

    @property
    def has_supplemental_palette(self) -> bool:
        """Grey pixels of which some are shown in colour (PS3.3 C.7.6.19, C.8.16.2.1.1.1)."""
        return self.has_palette and self.is_monochrome and self.pixel_presentation in ("COLOR", "MIXED")

    @property
    def is_monochrome(self) -> bool:
        return self.photometric_interpretation in (
            "MONOCHROME1",
            "MONOCHROME2",
            "",
        )  # ACR-NEMA had no name for its only one

    @property
    def stored_range(self) -> tuple[int, int]:
        """The smallest and the largest value that Bits Stored can hold."""
        if self.pixel_representation:
            return -(1 << (self.bits_stored - 1)), (1 << (self.bits_stored - 1)) - 1
        return 0, (1 << self.bits_stored) - 1

    @property
    def frame_bytes(self) -> int:
        """Bytes of one decoded frame, as native pixel data would hold it (bits packed, 4:2:2 subsampled)."""
        samples = 2 if self.photometric_interpretation in SUBSAMPLED_422 else self.samples_per_pixel
        return (self.rows * self.columns * samples * self.bits_allocated + 7) // 8
