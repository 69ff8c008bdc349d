"""Lines for the corners of a picture out of a header's DICOM JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from presenting import LIMITS, ct_image, plane_at, written
from pydicom.dataset import Dataset

from engine.dicom.caption import Caption, CaptionKind, caption_of
from engine.dicom.plane import Plane
from engine.dicom.scan import dicom_json

BOTH = (CaptionKind.PATIENT, CaptionKind.TECHNIQUE)


def caption(plane: Plane | None = None, kinds: tuple[CaptionKind, ...] = BOTH, **attributes: object) -> Caption:
    ds: Dataset = ct_image(np.zeros((2, 2), np.uint16), **attributes)
    return caption_of(json.loads(dicom_json(written(ds), LIMITS, "")), kinds, 2, 3, plane)


def test_who_and_how() -> None:
    found = caption(
        plane_at(-12.34), PatientName="Doe^Jane^A^Dr", PatientID="P1", PatientBirthDate="19700131", PatientSex="F",
        StudyDate="20200131", StudyTime="235959", SeriesDescription="thorax", KVP=120, XRayTubeCurrent=250,
        StudyDescription="routine", SliceThickness=1.25,
    )  # fmt: skip
    assert found.patient == ("Doe, Jane A Dr", "ID P1", "born 1970-01-31, F")
    assert found.study == ("CT 2020-01-31 23:59", "routine", "Series 1: thorax", "Image 1, Frame 2 of 3")
    assert found.acquisition == ("F 12.3 mm", "Thickness 1.25 mm", "120 kV  250 mA")


def test_only_what_is_asked_for_and_nothing_where_nothing_is_known() -> None:
    assert caption(kinds=(CaptionKind.TECHNIQUE,)).patient == ()
    assert caption(kinds=(CaptionKind.PATIENT,)).study == caption(kinds=(CaptionKind.PATIENT,)).acquisition == ()
    assert caption_of({}, BOTH, 1, 1, None) == Caption(patient=(), study=(), acquisition=())


@pytest.mark.parametrize(
    ("row", "column", "position", "text"),
    [
        ((1.0, 0, 0), (0, 1.0, 0), (1.0, 2.0, 30.0), "H 30.0 mm"),
        ((0, 1.0, 0), (0, 0, -1.0), (5.0, 2.0, 30.0), "L 5.0 mm"),
        ((1.0, 0, 0), (0, 0, -1.0), (5.0, -2.25, 30.0), "A 2.2 mm"),
        ((1.0, 0, 0), (0, 1.0, 0), (1.0, 2.0, -0.04), "0.0 mm"),
    ],
)
def test_a_position_is_on_the_axis_that_the_slice_cuts(
    row: tuple[float, float, float], column: tuple[float, float, float], position: tuple[float, float, float], text: str
) -> None:
    plane = Plane(frame_of_reference_uid="1", position=position, row=row, column=column, spacing=(1.0, 1.0))
    assert caption(plane).acquisition[0] == text


def test_names_in_other_writing_and_names_that_are_none() -> None:
    assert (
        caption(SpecificCharacterSet="ISO_IR 192", PatientName="Yamada^Tarou=山田^太郎").patient[0] == "Yamada, Tarou"
    )
    assert caption(SpecificCharacterSet="ISO_IR 192", PatientName="=山田^太郎").patient[0] == "山田, 太郎"
    assert caption(PatientName="", PatientID="").patient == ()
    document = {"00100010": {"vr": "PN", "Value": [None, "x"]}, "00180060": {"vr": "DS", "Value": ["120"]}}
    assert caption_of(document, BOTH, 1, 1, None) == Caption(patient=(), study=(), acquisition=())


def test_hostile_text_is_short_and_has_no_control_characters() -> None:
    document = {"00100020": {"vr": "LO", "Value": ["\x1b[2J" + "A" * 100_000]}}
    line = caption_of(document, BOTH, 1, 1, None).patient[0]
    assert "\x1b" not in line and len(line) == 330 and line.endswith("…")
