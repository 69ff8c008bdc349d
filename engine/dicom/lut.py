"""Lookup tables as the header holds them: Modality, VOI and Presentation LUT, palettes (PS3.3 C.11.1.1, C.7.6.3.1.5, C.7.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from engine.errors import MalformedDataSet, UnsupportedPixels

if TYPE_CHECKING:  # a process that shows nothing with a table need not load pydicom
    from pydicom.dataset import Dataset

Array = npt.NDArray[Any]

ENTRIES_MAX = 1 << 16  # the descriptor is a 16-bit number, where 0 stands for 65 536 (PS3.3 C.11.1.1.1)
_COLOURS = ("Red", "Green", "Blue")


@dataclass(frozen=True, slots=True, eq=False)
class Lut:
    """A lookup table: input `first` gives ``values[0]``, smaller ones too; what is beyond the last entry gives the last.

    Attributes
    ----------
    first : the input value that the first entry is for.
    values : uint8 or uint16 array (1 to 65 536 entries), read-only.
    bits : of an entry; ``2**bits - 1`` is full scale, whatever the largest entry is.
    explanation : LUT Explanation (0028,3003): its name.
    """

    first: int
    values: Array
    bits: int
    explanation: str = ""

    @classmethod
    def from_dataset(cls, item: Dataset, *, signed: bool) -> Lut:
        """Read an item of a Modality, VOI or Presentation LUT Sequence.

        Parameters
        ----------
        signed : the input can be negative, which says how the descriptor's second value is meant (PS3.3 C.11.1.1.1,
            C.11.2.1.1). Its VR says nothing: US or SS may be written for all three, and an implicit one is guessed.

        Raises
        ------
        MalformedDataSet : no descriptor, or fewer entries than it claims.
        """
        count, first, bits = _descriptor(item, "LUTDescriptor", signed)
        values = _entries(item, "LUTData", count, bits)
        return cls(first, values, _real_bits(values, bits), str(item.get("LUTExplanation") or ""))

    def full_table(self, low: int, high: int) -> Array:
        """What every input from `low` to `high` (inclusive) gives, as an array of ``high - low + 1`` entries."""
        return self.values[np.clip(np.arange(low - self.first, high - self.first + 1), 0, len(self.values) - 1)]


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Red, green and blue tables of one length and first value (PS3.3 C.7.6.3.1.5), segmented ones expanded."""

    red: Lut
    green: Lut
    blue: Lut

    @classmethod
    def from_dataset(cls, ds: Dataset, *, signed: bool) -> Palette:
        """Read the Palette Color Lookup Table attributes of a data set or item.

        Parameters
        ----------
        signed : the pixels are (Pixel Representation), which says how the first value is meant.

        Raises
        ------
        MalformedDataSet : a table is missing, or shorter than its descriptor claims, or cannot be expanded.
        UnsupportedPixels : the three tables do not agree.
        """
        tables = []
        for colour in _COLOURS:
            name = f"{colour}PaletteColorLookupTable"
            count, first, bits = _descriptor(ds, f"{name}Descriptor", signed)
            if ds.get(f"{name}Data") is not None:
                values = _entries(ds, f"{name}Data", count, bits)
            else:
                values = _expanded(_words(ds, f"Segmented{name}Data", bits), bits, count)
            tables.append((first, values, bits))
        if len({(first, len(values)) for first, values, _ in tables}) != 1:
            raise UnsupportedPixels("palette tables of different lengths or first values")
        bits = max(bits for *_, bits in tables)
        if bits > 8 and all(int(values.max()) < 256 for _, values, _ in tables):
            bits = 8  # eight bits in words, though the descriptor says sixteen: everything would be all but black
        elif bits <= 8:
            bits = max(_real_bits(values, 8) for _, values, _ in tables)
        return cls(*(Lut(first, values, bits) for first, values, _ in tables))

    @property
    def first(self) -> int:
        return self.red.first

    def rgb(self) -> Array:
        """uint8 (entries, 3): the high byte of entries that have more than eight bits."""
        shift = max(self.red.bits - 8, 0)
        return np.stack([(lut.values >> shift).astype(np.uint8) for lut in (self.red, self.green, self.blue)], axis=1)


def _descriptor(item: Dataset, keyword: str, signed: bool) -> tuple[int, int, int]:
    """Number of entries, first input value and bits of an entry."""
    raw = item.get(keyword)
    try:
        count, first, bits = (int(value) for value in raw)
    except (TypeError, ValueError):
        raise MalformedDataSet(f"{keyword} is not three numbers") from None
    count, first = count & 0xFFFF or ENTRIES_MAX, first & 0xFFFF
    return count, first - 0x10000 if signed and first > 0x7FFF else first, bits


def _entries(item: Dataset, keyword: str, count: int, bits: int) -> Array:
    """The table's `count` entries, whether bytes are packed in pairs or stand alone in words (PS3.3 C.11.1.1.1, note)."""
    raw = _little_endian(item, keyword)
    if len(raw) >= 2 * count:
        values: Array = np.frombuffer(raw, "<u2", count).astype(np.uint16)
        if bits <= 8 and int(values.max()) < 256:
            values = values.astype(np.uint8)
    elif bits <= 8 and len(raw) >= count:
        values = np.frombuffer(raw, np.uint8, count).copy()
    else:
        raise MalformedDataSet(f"{keyword} has {len(raw)} bytes, its descriptor claims {count} entries of {bits} bits")
    values.flags.writeable = False
    return values


def _words(item: Dataset, keyword: str, bits: int) -> list[int]:
    """Segmented data as a list of 8- or 16-bit numbers."""
    raw = _little_endian(item, keyword)
    return list(raw) if bits <= 8 else np.frombuffer(raw[: len(raw) // 2 * 2], "<u2").tolist()


def _little_endian(item: Dataset, keyword: str) -> bytes:
    """The bytes of a table as Explicit VR Little Endian would hold them."""
    raw = item.get(keyword)
    if raw is None:
        raise MalformedDataSet(f"{keyword} is missing")
    if isinstance(raw, bytes):
        if len(raw) > 2 * ENTRIES_MAX and not keyword.startswith("Segmented"):
            raw = raw[: 2 * ENTRIES_MAX]
        is_big = item.original_encoding[1] is False
        # OW are words, which pydicom leaves as they came; OB and UN would have been bytes.
        if is_big and item[keyword].VR == "OW":
            return np.frombuffer(raw[: len(raw) // 2 * 2], ">u2").astype("<u2").tobytes()
        return raw
    numbers = raw if isinstance(raw, Iterable) and not isinstance(raw, str) else [raw]
    try:
        return np.array([int(number) & 0xFFFF for number in numbers], "<u2").tobytes()
    except (TypeError, ValueError):
        raise MalformedDataSet(f"{keyword} holds no numbers") from None


def _real_bits(values: Array, bits: int) -> int:
    """Bits of an entry; a descriptor that claims fewer than the entries have is not believed."""
    return max(bits if bits in range(1, 17) else 8 * values.dtype.itemsize, int(values.max()).bit_length())


def _expanded(data: list[int], bits: int, count: int) -> Array:
    """Discrete, linear and indirect segments as a table (PS3.3 C.7.9.2); never more than `count` entries.

    Every step makes at least one entry, and an indirect segment must not point at another one, so hostile data ends.
    """
    out: list[int] = []
    step = 1 if bits <= 8 else 2  # bytes of a number: offsets of indirect segments are in bytes

    def bad(why: str) -> MalformedDataSet:
        return MalformedDataSet(f"a segmented palette {why}")

    def segment(at: int, is_inner: bool) -> int:
        if at + 2 > len(data):
            raise bad("ends inside a segment")
        opcode, length = data[at], data[at + 1]
        at += 2
        if length == 0:
            raise bad("has an empty segment")
        if opcode == 0:
            if at + length > len(data):
                raise bad("ends inside a segment")
            out.extend(data[at : at + length])
            at += length
        elif opcode == 1:
            if not out:
                raise bad("begins with a linear segment")
            if at >= len(data):
                raise bad("ends inside a segment")
            start, end = out[-1], data[at]
            line = start + (end - start) * np.arange(1, length + 1) / length
            out.extend(np.rint(line).astype(int).tolist())
            at += 1
        elif opcode == 2 and not is_inner:
            parts = 4 // step
            if at + parts > len(data):
                raise bad("ends inside a segment")
            target = sum(data[at + i] << (8 * step * i) for i in range(parts)) // step
            at += parts
            for _ in range(length):
                target = segment(target, True)
        else:
            raise bad(f"has a segment of unknown kind {opcode}")
        if len(out) > count:
            raise bad(f"has more than the {count} entries that its descriptor claims")
        return at

    at = 0
    while len(out) < count:
        at = segment(at, False)
    values = np.array(out, np.uint8 if bits <= 8 else np.uint16)
    values.flags.writeable = False
    return values
