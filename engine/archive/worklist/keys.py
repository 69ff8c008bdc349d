"""The secondary keys of scheduled steps: how a modality's question is answered without reading every step.

A key is one letter (which attribute), the value as it is compared, NUL, whether the step has ended, its start and its identity:
the steps of one station that have not ended lie together, in the order in which they are due.
"""

from __future__ import annotations

from engine.archive.secondary import texts
from engine.archive.worklist.records import ScheduledStep
from engine.dicom.matching import folded
from engine.dicom.scheduled_step import (
    ACCESSION,
    ENDED,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    PROCEDURE_ID,
    STATION,
    STUDY_UID,
    step_of,
)

VALUE_BYTES_MAX = 120  # longer values are cut: every candidate is compared anyway
SUFFIX_BYTES = 1 + 14 + 32  # state, start, identity
EVERY = b"D"  # all steps, in the order of their start
EXPIRY = b"X"
# Attributes that are searched by value, and the letter that begins their keys; the first is the most selective.
LETTERS = {
    ACCESSION: b"N", STUDY_UID: b"U", PROCEDURE_ID: b"R", PATIENT_ID: b"I", PATIENT_NAME: b"P", STATION: b"A", MODALITY: b"M",
}  # fmt: skip
OF_STEP = frozenset((STATION, MODALITY))  # inside Scheduled Procedure Step Sequence


def step_keys(step: ScheduledStep) -> set[bytes]:
    """All keys of a step."""
    item = step_of(step.attributes)
    suffix = suffix_of(step)
    keys = {
        prefix_of(tag, text) + suffix
        for tag in LETTERS
        for text in texts(item if tag in OF_STEP else step.attributes, tag)
        if text.strip()
    }
    keys.add(EVERY + b"\0" + suffix)
    keys.add(expiry_key(step.kept_from, step.step_id))
    return keys


def prefix_of(tag: int, text: str) -> bytes:
    """What the keys of all steps with this value begin with."""
    return LETTERS[tag] + normal(tag, text)[:VALUE_BYTES_MAX] + b"\0"


def normal(tag: int, text: str) -> bytes:
    """A value as its key has it."""
    plain = folded(text.rstrip("^= ")) if tag == PATIENT_NAME else text.strip()
    return plain.encode("utf_8", "replace").replace(b"\0", b"")


def suffix_of(step: ScheduledStep) -> bytes:
    ended = b"1" if step.state in ENDED else b"0"
    return ended + step.stamp.encode("ascii", "replace") + step.step_id.encode()


def expiry_key(day: str, step_id: str) -> bytes:
    return EXPIRY + day.encode("ascii", "replace") + step_id.encode()
