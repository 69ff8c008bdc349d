"""What is written into the corners of a picture: who the patient is, and how the image was made (PS3.18 8.3.5.1.1)."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from engine.dicom.plane import Plane, Vector

Document: TypeAlias = dict[str, dict[str, Any]]  # DICOM JSON (PS3.18 annex F)

_LINE_MAX = 330  # five components of a person's name have 64 characters each
_PATIENT_AXES = (("R", "L"), ("A", "P"), ("F", "H"))  # towards smaller and greater x, y and z (PS3.3 C.7.6.2.1.1)


class CaptionKind(StrEnum):
    """The keywords of the ``annotation`` parameter."""

    PATIENT = "patient"
    TECHNIQUE = "technique"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """Lines for one picture; none where the header says nothing.

    Attributes
    ----------
    patient : name, ID, birth date and sex.
    study : modality, dates, descriptions, numbers.
    acquisition : where the slice is, how thick, and what it was made with.
    """

    patient: tuple[str, ...]
    study: tuple[str, ...]
    acquisition: tuple[str, ...]


def caption_of(
    document: Document, kinds: Collection[CaptionKind], frame_number: int, number_of_frames: int, plane: Plane | None
) -> Caption:
    """The lines for one frame (numbered from 1) of an instance."""
    is_technique = CaptionKind.TECHNIQUE in kinds
    return Caption(
        patient=_lines(_patient(document)) if CaptionKind.PATIENT in kinds else (),
        study=_lines(_study(document, frame_number, number_of_frames)) if is_technique else (),
        acquisition=_lines(_acquisition(document, plane)) if is_technique else (),
    )


def _patient(document: Document) -> tuple[str, ...]:
    birth, sex = _date(_text(document, "00100030")), _text(document, "00100040")
    patient_id = _text(document, "00100020")
    return (
        _name(document, "00100010"),
        f"ID {patient_id}" if patient_id else "",
        ", ".join(part for part in (f"born {birth}" if birth else "", sex) if part),
    )


def _study(document: Document, frame_number: int, number_of_frames: int) -> tuple[str, ...]:
    series_number, image_number = _text(document, "00200011"), _text(document, "00200013")
    return (
        " ".join(part for part in (_text(document, "00080060"), _when(document)) if part),
        _text(document, "00081030"),
        ": ".join(
            part for part in (f"Series {series_number}" if series_number else "", _text(document, "0008103E")) if part
        ),
        ", ".join(
            part
            for part in (
                f"Image {image_number}" if image_number else "",
                f"Frame {frame_number} of {number_of_frames}" if number_of_frames > 1 else "",
            )
            if part
        ),
    )


def _acquisition(document: Document, plane: Plane | None) -> tuple[str, ...]:
    return (
        "" if plane is None else _position(plane),
        _measure(document, "00180050", "Thickness {} mm"),
        "  ".join(
            part
            for part in (_measure(document, "00180060", "{} kV"), _measure(document, "00181151", "{} mA"),
                         _measure(document, "00180080", "TR {} ms"), _measure(document, "00180081", "TE {} ms"))
            if part
        ),
    )  # fmt: skip


def _lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    cleaned = ("".join(c for c in text if unicodedata.category(c) != "Cc").strip() for text in texts)
    return tuple(line if len(line) <= _LINE_MAX else line[: _LINE_MAX - 1] + "…" for line in cleaned if line)


def _position(plane: Plane) -> str:
    """Along the patient's axis that the slice cuts most squarely: ``H 123.5 mm`` is towards the head."""
    normal = plane.normal
    axis = max(range(3), key=lambda i: abs(normal[i]))
    position: Vector = plane.position
    at = round(position[axis], 1)
    return f"{_PATIENT_AXES[axis][at > 0] + ' ' if at else ''}{abs(at):.1f} mm"


def _values(document: Document, tag: str) -> list[Any]:
    found = document.get(tag, {}).get("Value")
    return [one for one in found if one is not None] if isinstance(found, list) else []


def _text(document: Document, tag: str) -> str:
    return next((str(one).strip() for one in _values(document, tag)), "")


def _measure(document: Document, tag: str, form: str) -> str:
    for one in _values(document, tag)[:1]:
        if isinstance(one, int | float):
            return form.format(f"{one:.6g}")
    return ""


def _name(document: Document, tag: str) -> str:
    """As it is printed on film: ``DOE, JANE A``; in the writing that comes first."""
    for one in _values(document, tag)[:1]:
        groups = one if isinstance(one, dict) else {}
        written = next((groups[g] for g in ("Alphabetic", "Ideographic", "Phonetic") if groups.get(g)), "")
        family, _, given = str(written).partition("^")
        rest = " ".join(part for part in given.split("^") if part)
        return ", ".join(part for part in (family.strip(), rest) if part)
    return ""


def _when(document: Document) -> str:
    """Date and time of the acquisition, or of what is known of it."""
    for date, time in (("00080022", "00080032"), ("00080023", "00080033"), ("00080021", "00080031"),
                       ("00080020", "00080030")):  # fmt: skip
        day = _date(_text(document, date))
        if day:
            clock = _text(document, time)
            is_time = clock[:4].isdigit() and len(clock) >= 4
            return f"{day} {clock[:2]}:{clock[2:4]}" if is_time else day
    acquired = _text(document, "0008002A")  # Acquisition DateTime, of enhanced images
    return _date(acquired[:8])


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else text
