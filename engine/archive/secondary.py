"""The secondary keys of studies: how a search by patient, name, date or words avoids reading every study.

A key is one letter (which attribute), the value as it is compared, NUL, the study's UID; beside it stands the study's `stamp`,
so that candidates are put in order without reading them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from engine.dicom.matching import folded

VALUE_BYTES_MAX = 120  # longer values are cut: what their keys say is then not the whole truth
PATIENT_ID, PATIENT_NAME, ACCESSION, DATE, STUDY_ID = 0x00100020, 0x00100010, 0x00080050, 0x00080020, 0x00200010
MODALITIES, _TIME = 0x00080061, 0x00080030
# Attributes that are searched by value, and the letter that begins their keys.
LETTERS = {PATIENT_ID: b"I", PATIENT_NAME: b"N", ACCESSION: b"A", STUDY_ID: b"S", MODALITIES: b"M", DATE: b"D"}
SERIES, NAME_WORD, WORD = b"E", b"W", b"T"
# Patient: name, ID, other IDs; species, breed, responsible person and organization. Study: accession number, ID, description.
TEXT_TAGS = (
    PATIENT_NAME, PATIENT_ID, 0x00101000, 0x00102201, 0x00102292, 0x00102297, 0x00102299, ACCESSION, STUDY_ID, 0x00081030,
)  # fmt: skip
_NO_WORD = re.compile(r"[^\w]+")

Attributes = dict[str, Any]


def study_keys(row: bytes) -> dict[bytes, bytes]:
    """Keys (without the study's UID behind them) of a study with this row, and what stands beside each."""
    attributes: Attributes = json.loads(row)
    stamp = stamp_of(attributes)
    keys = {
        letter + value
        for tag, letter in LETTERS.items()
        if tag != DATE
        for text in texts(attributes, tag)
        if (value := normal(tag, text))
    }
    keys |= {NAME_WORD + _cut(word) for text in texts(attributes, PATIENT_NAME) for word in folded(text).split()}
    keys |= {WORD + _cut(word) for tag in TEXT_TAGS for text in texts(attributes, tag) for word in words(text)}
    keys.add(b"D" + stamp.rstrip())  # every study has one: this is the order in which all are walked
    return dict.fromkeys(keys, stamp)


def end_of(letter: bytes) -> bytes:
    """Where the keys of a letter end."""
    return bytes((letter[0] + 1,))


def stamp_of(attributes: Attributes) -> bytes:
    """Study Date and Time as 14 characters that sort; blanks where there is none."""
    date = next(texts(attributes, DATE), "").strip()
    time = re.sub(r"\D", "", next(texts(attributes, _TIME), "").partition(".")[0]) if date else ""
    return _cut(f"{date:<8.8}{time:<6.6}")


def normal(tag: int, text: str) -> bytes:
    """A value as its key has it."""
    return _cut(folded(text) if tag == PATIENT_NAME else text.strip())


def words(text: str) -> list[str]:
    """The words of a free text, without case and accents."""
    return [word for word in _NO_WORD.split(folded(text)) if word]


def texts(attributes: Attributes, tag: int) -> Iterator[str]:
    """The values of an attribute as text: of a name, each of its groups."""
    for value in attributes.get(f"{tag:08X}", {}).get("Value", ()):
        if isinstance(value, dict):
            yield from (str(v).rstrip("^= ") for v in value.values())
        elif value is not None:
            yield str(value)


def _cut(text: str) -> bytes:
    return text.encode("utf_8", "replace").replace(b"\0", b"")[:VALUE_BYTES_MAX]
