"""Overlay planes: bitmaps over an image, in Overlay Data or inside its pixel cells (PS3.3 C.9.2, PS3.5 8.1.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.errors import MalformedDataSet

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_GROUPS = range(0x6000, 0x6020, 2)  # sixteen at most (PS3.5 7.6)
_SIDE_MAX = 0xFFFF  # rows and columns are US


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """One overlay plane of an image.

    Attributes
    ----------
    group : 0x6000 to 0x601E.
    rows, columns : of the plane.
    origin : row and column of the image, from 1, where its first bit lies; may be outside of the image.
    bits : Overlay Data, one bit each, least significant first, frames without a gap; empty for one in the pixel cells.
    bit_position : where it is in a pixel cell; 0 for one that has Overlay Data.
    number_of_frames : in the overlay; 0: it is one picture for every frame of the image.
    first_frame : index of the image's frame that its first frame is for.
    kind : G (graphics) or R (region of interest).
    """

    group: int
    rows: int
    columns: int
    origin: tuple[int, int] = (1, 1)
    bits: bytes = b""
    bit_position: int = 0
    number_of_frames: int = 0
    first_frame: int = 0
    kind: str = "G"
    label: str = ""

    @property
    def is_embedded(self) -> bool:
        return not self.bits

    def is_over(self, frame_index: int) -> bool:
        """Whether it has a picture for this frame of the image."""
        return self.number_of_frames == 0 or 0 <= frame_index - self.first_frame < self.number_of_frames

    def plane(self, frame_index: int) -> npt.NDArray[np.bool_]:
        """Its picture for one frame of the image, (rows, columns); only for one that has Overlay Data."""
        size = self.rows * self.columns
        first = size * (frame_index - self.first_frame) if self.number_of_frames else 0
        packed = np.frombuffer(self.bits, np.uint8)[first // 8 : (first + size + 7) // 8]
        bits: npt.NDArray[Any] = np.unpackbits(packed, bitorder="little", count=first % 8 + size)
        return bits[first % 8 :].reshape(self.rows, self.columns).astype(bool)


def overlays_of(ds: Dataset) -> Iterator[Overlay]:
    """Every overlay plane of a data set, in the order of their groups.

    Raises
    ------
    MalformedDataSet : a plane has fewer bits than its rows, columns and frames claim.
    """
    for group in _GROUPS:
        rows, columns = _integer(ds, group, 0x0010), _integer(ds, group, 0x0011)
        bits, position = _data(ds, group), _integer(ds, group, 0x0102)
        if not (0 < rows <= _SIDE_MAX and 0 < columns <= _SIDE_MAX) or (not bits and position <= 0):
            continue  # a group left over: no plane, or no bits for it
        frames = max(_integer(ds, group, 0x0015), 0)
        if bits and rows * columns * max(frames, 1) > 8 * len(bits):
            raise MalformedDataSet(
                f"overlay {group:04X} has {len(bits)} bytes for {rows}×{columns} bits in {max(frames, 1)} frames"
            )
        origin = ds.get((group, 0x0050))
        values = [int(v) for v in origin.value] if origin is not None and origin.VM == 2 else [1, 1]
        yield Overlay(
            group=group,
            rows=rows,
            columns=columns,
            origin=(values[0], values[1]),
            bits=bits,
            bit_position=0 if bits else position,
            number_of_frames=frames if bits else 0,
            first_frame=max(_integer(ds, group, 0x0051), 1) - 1,
            kind=_text(ds, group, 0x0040) or "G",
            label=_text(ds, group, 0x1500),
        )


def _integer(ds: Dataset, group: int, element: int) -> int:
    found = ds.get((group, element))
    try:
        return int(found.value) if found is not None and found.VM == 1 else 0
    except (TypeError, ValueError):
        return 0


def _text(ds: Dataset, group: int, element: int) -> str:
    found = ds.get((group, element))
    return str(found.value).strip() if found is not None and found.value else ""


def _data(ds: Dataset, group: int) -> bytes:
    """Overlay Data with its words in little endian order."""
    found = ds.get((group, 0x3000))
    raw = found.value if found is not None else None
    if not isinstance(raw, bytes):
        return b""
    if found.VR == "OW" and ds.original_encoding[1] is False:
        return np.frombuffer(raw[: len(raw) // 2 * 2], ">u2").astype("<u2").tobytes()
    return raw
