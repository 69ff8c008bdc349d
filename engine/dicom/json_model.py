"""The DICOM JSON Model as it comes from outside: data sets one by one, bounded before they are built (PS3.18 annex F)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from engine.errors import MalformedDataSet, TooLarge
from engine.limits import Limits

# A data set by tag, as PS3.18 F.2.2 has it: {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]}}.
Attributes = dict[str, Any]

_SPACE = re.compile(r"[ \t\r\n]*")


def read_json(document: bytes, limits: Limits) -> Iterator[Attributes]:
    """The data sets of an array, or of one object, in order; numbers as the text that they were, so that no digit is lost.

    Raises
    ------
    MalformedDataSet, TooLarge
    """
    if len(document) > limits.metadata_bytes_max:
        raise TooLarge("the metadata", len(document), limits.metadata_bytes_max, "limits.metadata_bytes_max")
    # Every value but the first of its list has a comma, every list and object a bracket: objects are bounded before any is made.
    values = sum(map(document.count, (b",", b"[", b"{")))
    if values > limits.metadata_values_max:
        raise TooLarge("the number of values", values, limits.metadata_values_max, "limits.metadata_values_max")
    try:
        text = document.decode("utf_8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise MalformedDataSet("the JSON is not UTF-8", error.start) from None
    at = _behind_space(text, 0)
    if text[at : at + 1] != "[":
        found, at = _object(text, at)
        _expect_end(text, at)
        yield found
        return
    at = _behind_space(text, at + 1)
    if text[at : at + 1] == "]":
        _expect_end(text, at + 1)
        return
    while True:
        found, at = _object(text, at)
        yield found
        at = _behind_space(text, at)
        mark, at = text[at : at + 1], at + 1
        if mark == "]":
            _expect_end(text, at)
            return
        if mark != ",":
            raise MalformedDataSet("something else than a comma between the data sets of an array", at - 1)
        at = _behind_space(text, at)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; two members of one name are no object: programs differ in which of them they take."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedDataSet("a name stands twice in one JSON object")
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=str, parse_int=str, parse_constant=str)


def _object(text: str, at: int) -> tuple[Attributes, int]:
    try:
        found, at = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise MalformedDataSet(f"no JSON ({error.msg})", error.pos) from None
    except RecursionError:
        raise MalformedDataSet("the JSON is nested too deeply") from None
    if not isinstance(found, dict):
        raise MalformedDataSet("a data set must be a JSON object", at)
    return found, at


def _behind_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None  # no space at all is a match, too
    return match.end()


def _expect_end(text: str, at: int) -> None:
    if _behind_space(text, at) != len(text):
        raise MalformedDataSet("something follows the JSON", at)
