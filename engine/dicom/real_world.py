"""Real world values: what stored values measure, in which unit (PS3.3 C.7.6.16.2.11)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import MalformedDataSet

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class RealWorldValueMap:
    """One way from stored values to a measured quantity.

    Attributes
    ----------
    first, last : the stored values that it is for, both inclusive; infinite where a linear one does not say, as in MR
        images of Philips, which have slope and intercept and nothing else.
    slope, intercept : ``stored * slope + intercept``, where there is no `table`.
    table : a value for each of `first` to `last`; empty for a linear one.
    units : code value of Measurement Units Code Sequence, UCUM where the sender kept to the standard.
    label : LUT Label (0040,9210), by which it can be chosen.
    """

    first: float
    last: float
    slope: float = 1.0
    intercept: float = 0.0
    table: tuple[float, ...] = ()
    units: str = ""
    label: str = ""


def map_from_dataset(item: Dataset, *, signed: bool) -> RealWorldValueMap:
    """Read an item of a Real World Value Mapping Sequence.

    Parameters
    ----------
    signed : the pixels are (Pixel Representation); first and last value may have come under either VR.

    Raises
    ------
    MalformedDataSet : neither slope and intercept nor a table that covers its range, or a slope of 0.
    """
    units = (item.get("MeasurementUnitsCodeSequence") or [None])[0]
    code = "" if units is None else str(units.get("CodeValue") or units.get("LongCodeValue") or "")
    label = str(item.get("LUTLabel") or "")
    try:
        table = item.get("RealWorldValueLUTData")
        if table is None and not _says_range(item):
            first, last = -math.inf, math.inf
        else:
            first, last = _range(item, signed)
        if table:
            values = tuple(float(v) for v in (table if hasattr(table, "__iter__") else [table]))
            if len(values) < last - first + 1:
                raise MalformedDataSet(f"a real world value table of {len(values)} values for {first:g} to {last:g}")
            return RealWorldValueMap(first, last, table=values, units=code, label=label)
        slope, intercept = float(item.RealWorldValueSlope), float(item.RealWorldValueIntercept)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise MalformedDataSet("a real world value map without numbers") from None
    if slope == 0:
        raise MalformedDataSet("a real world value map with a slope of 0")
    return RealWorldValueMap(first, last, slope, intercept, units=code, label=label)


def _says_range(item: Dataset) -> bool:
    """Whether there is any of its four attributes: half a range is a mistake, none an omission."""
    ends = [f"RealWorldValue{end}ValueMapped" for end in ("First", "Last")]
    return any(name in item for end in ends for name in (end, f"DoubleFloat{end}"))


def _range(item: Dataset, signed: bool) -> tuple[float, float]:
    """First and last value mapped: the double ones where pixels are floats, or do not fit 16 bits."""
    first = item.get("DoubleFloatRealWorldValueFirstValueMapped")
    last = item.get("DoubleFloatRealWorldValueLastValueMapped")
    if first is not None and last is not None:
        return float(first), float(last)
    low, high = (int(item[f"RealWorldValue{end}ValueMapped"].value) & 0xFFFF for end in ("First", "Last"))
    if signed:
        low, high = (v - 0x10000 if v > 0x7FFF else v for v in (low, high))
    return float(low), float(high)
