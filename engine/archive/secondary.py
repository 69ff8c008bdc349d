"""The secondary keys of studies: how a search by patient, accession number or date avoids reading every study."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from engine.archive.records import SeriesSummary
from engine.dicom.matching import folded, value_range
from engine.dicom.query import Match

_VALUE_BYTES_MAX = 120
# Tag → one letter that begins the key. Every attribute here is one of the study's or the patient's.
_LETTERS = {0x00100020: b"I", 0x00100010: b"N", 0x00080050: b"A", 0x00080020: b"D", 0x00200010: b"S"}
_NAME, _DATE = 0x00100010, 0x00080020


def study_keys(study: SeriesSummary) -> list[bytes]:
    """Keys (without the study's UID behind them) for the attributes that this study has."""
    attributes = json.loads(study.patient_json) | json.loads(study.study_json)
    return [
        letter + _normal(tag, text)
        for tag, letter in _LETTERS.items()
        for text in _texts(attributes.get(f"{tag:08X}", {}).get("Value", ()))
    ]


def key_range(match: Match, fuzzy: bool) -> tuple[bytes, bytes] | None:
    """First and last key (exclusive) that can match; None when these keys cannot help."""
    letter = _LETTERS.get(match.tag)
    if letter is None or match.path or not match.value or "\\" in match.value:
        return None
    if match.tag == _DATE:
        first, last = value_range(match.value)
        return letter + first.encode(), letter + (last.encode() + b"\xff" if last else b"\xff")
    if fuzzy and match.tag == _NAME:
        return None
    stem, is_whole = match.value, True
    for wild in "*?":
        if wild in stem:
            stem, is_whole = stem.partition(wild)[0], False
    if match.tag == _NAME:
        # Each of a name's groups has a key of its own; one of them leads to a key that names several.
        stem, is_whole = (stem.partition("=")[0], False) if "=" in stem else (stem, is_whole)
        stem = stem.rstrip("^= ")
    normal = _normal(match.tag, stem)
    if not normal:
        return None
    if is_whole and len(normal) < _VALUE_BYTES_MAX:
        return letter + normal + b"\0", letter + normal + b"\1"
    return letter + normal, letter + normal + b"\xff"


def _normal(tag: int, text: str) -> bytes:
    plain = folded(text) if tag == _NAME else text.strip()
    return plain.encode("utf_8", "replace").replace(b"\0", b"")[:_VALUE_BYTES_MAX]


def _texts(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict):
            yield from (str(v).rstrip("^= ") for v in value.values())
        elif value is not None:
            yield str(value)
