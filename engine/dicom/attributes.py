"""Values out of a pydicom data set that was written by anybody: of the type and number that is wanted, or a clear error."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from engine.errors import MalformedDataSet, TooLarge

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

T = TypeVar("T")

# What pydicom raises over elements that the scanner has walked without complaint.
_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OSError, NotImplementedError,
           OverflowError, RecursionError, struct.error)  # fmt: skip


def guarded(what: str, read: Callable[[], T]) -> T:
    """What `read` gives; what pydicom and conversions raise over values that are not of their VR becomes our error.

    Raises
    ------
    MalformedDataSet
    """
    from pydicom.errors import BytesLengthException  # loaded already: whoever calls this has a data set

    try:
        return read()
    except (*_ERRORS, BytesLengthException) as error:
        raise MalformedDataSet(f"{what} cannot be read ({type(error).__name__})") from error


def value(ds: Dataset, keyword: str) -> Any:
    """As pydicom has it; None where the element is missing or empty.

    Raises
    ------
    MalformedDataSet : pydicom cannot make a value of the element's bytes.
    """
    found = guarded(keyword, lambda: ds.get(keyword))
    return None if found is None or (hasattr(found, "__len__") and len(found) == 0) else found


def items(ds: Dataset, keyword: str, count_max: int, setting: str) -> Sequence[Dataset]:
    """Items of a sequence; none where it is missing.

    Raises
    ------
    MalformedDataSet, TooLarge
    """
    found = value(ds, keyword)
    if found is None:
        return ()
    if not _is_sequence(found):
        raise MalformedDataSet(f"{keyword} is no sequence")
    if len(found) > count_max:
        raise TooLarge(keyword, len(found), count_max, setting)
    return list(found)


def numbers(ds: Dataset, keyword: str, count: int | None = None, values_max: int = 1 << 16) -> tuple[float, ...]:
    """Finite numbers, `count` of them when that is given; none where the element is missing or empty.

    Raises
    ------
    MalformedDataSet, TooLarge : there are more than `values_max`; seen before they are made into numbers.
    """
    raw = ds.get_item(keyword, keep_deferred=True) if keyword in ds else None
    length = getattr(raw, "length", 0) or 0
    # four bytes is the shortest binary number that is asked for here, two the shortest in text with its delimiter
    if length // 2 > 2 * values_max:
        raise TooLarge(keyword, length // 2, values_max, "the number of values")
    found = value(ds, keyword)
    if found is None:
        return ()
    many = found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else [found]
    try:
        result = tuple(float(one) for one in many)
    except (ValueError, TypeError, OverflowError):
        raise MalformedDataSet(f"{keyword} is not made of numbers") from None
    if not all(map(math.isfinite, result)) or (count is not None and len(result) != count):
        raise MalformedDataSet(f"{keyword} is not {count or 'some'} finite number{'' if count == 1 else 's'}")
    if len(result) > values_max:
        raise TooLarge(keyword, len(result), values_max, "the number of values")
    return result


def number(ds: Dataset, keyword: str) -> float | None:
    """The first value; None where there is none."""
    found = numbers(ds, keyword)
    return found[0] if found else None


def integers(ds: Dataset, keyword: str, count: int | None = None, values_max: int = 1 << 16) -> tuple[int, ...]:
    """The same, whole numbers."""
    return tuple(int(one) for one in numbers(ds, keyword, count, values_max))


def text(ds: Dataset, keyword: str) -> str:
    """A string without padding; of several values the first; empty where there is none."""
    return next(iter(texts(ds, keyword)), "")


def texts(ds: Dataset, keyword: str) -> tuple[str, ...]:
    """Strings without padding."""
    found = value(ds, keyword)
    many = found if isinstance(found, Sequence) and not isinstance(found, str | bytes) else [found]
    return () if found is None else tuple(str(one).strip(" \0") for one in many)


def triplet(ds: Dataset, keyword: str) -> tuple[int, int, int] | None:
    """Three 16-bit numbers, such as a CIELab value; None where there are none."""
    found = integers(ds, keyword)
    if not found:
        return None
    if len(found) != 3 or not all(0 <= one <= 0xFFFF for one in found):
        raise MalformedDataSet(f"{keyword} is not three numbers of 16 bits")
    return found[0], found[1], found[2]


def _is_sequence(found: Any) -> bool:
    from pydicom.sequence import Sequence as Items

    return isinstance(found, Items)
