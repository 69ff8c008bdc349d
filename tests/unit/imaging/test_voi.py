"""What is shown through when the request names it, when the header has it, and when nothing says so (docs/imaging.md)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import header_of, image, lut_item, part10, picture

from engine.dicom.frame import VoiLutFunction, Window
from engine.dicom.lut import Lut
from engine.errors import InvalidParameter
from engine.imaging.spec import RenderSpec
from engine.imaging.voi import Automatic, chosen, usual

VALUES = np.random.default_rng(5).integers(0, 4000, (32, 32)).astype(np.uint16)
CURVE = (4095 * (np.arange(4096) / 4095) ** 2).astype(int)
WINDOWED = {
    "WindowCenter": ["40", "600"],
    "WindowWidth": ["400", "1500"],
    "WindowCenterWidthExplanation": ["Brain", "BONE"],
}
LUTS = {"VOILUTSequence": [lut_item(0, CURVE, 12, "Harder"), lut_item(0, CURVE[::-1], 12, "Negative")]}


def choice(ds: Any, spec: RenderSpec = RenderSpec()) -> Any:  # noqa: B008 - frozen
    d, header = header_of(part10(ds))
    return chosen(d, 0, spec, header)


def test_a_lut_stands_before_a_window_and_a_request_before_both() -> None:
    ds = image(VALUES, BitsStored=12, **WINDOWED, **LUTS)
    found = choice(ds)
    assert isinstance(found, Lut)
    assert found.explanation == "Harder"
    assert choice(ds, RenderSpec(window=Window(5, 10))) == Window(5, 10)
    assert choice(image(VALUES, **WINDOWED)).explanation == "Brain"


@pytest.mark.parametrize(
    ("name", "found"),
    [("1", "Harder"), ("2", "Negative"), ("3", "Brain"), ("4", "BONE"), ("bone", "BONE"), (" negative ", "Negative")],
)
def test_by_name_whatever_its_case_and_by_number(name: str, found: str) -> None:
    ds = image(VALUES, BitsStored=12, **WINDOWED, **LUTS)
    assert choice(ds, RenderSpec(voi=name)).explanation == found


@pytest.mark.parametrize("name", ["0", "5", "liver", "99999999999999999999", "٣"])
def test_a_name_that_is_not_there_is_answered_with_those_that_are(name: str) -> None:
    ds = image(VALUES, BitsStored=12, **WINDOWED, **LUTS)
    with pytest.raises(InvalidParameter, match="1 Harder; 2 Negative; 3 Brain; 4 BONE"):
        choice(ds, RenderSpec(voi=name))
    with pytest.raises(InvalidParameter, match="nothing"):
        choice(image(VALUES), RenderSpec(voi=name))


def test_a_lut_of_the_frame_stands_before_that_of_all() -> None:
    from pydicom.dataset import Dataset

    def group(name: str) -> Any:
        macro, voi = Dataset(), Dataset()
        voi.VOILUTSequence = [lut_item(0, CURVE, 12, name)]
        macro.FrameVOILUTSequence = [voi]
        return macro

    ds = image(np.stack([VALUES, VALUES]), BitsStored=12)
    ds.SharedFunctionalGroupsSequence = [group("all")]
    ds.PerFrameFunctionalGroupsSequence = [Dataset(), group("own")]
    d, header = header_of(part10(ds))
    assert d.has_voi_lut
    assert [header.voi_luts(i)[0].explanation for i in (0, 1)] == ["all", "own"]


@pytest.mark.parametrize(
    ("modality", "attributes", "expected"),
    [
        ("CT", {"RescaleSlope": "1", "RescaleIntercept": "-1024"}, Window(40, 400, VoiLutFunction.LINEAR, "soft tissue")),
        ("CT", {"RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "HU"}, Window(40, 400)),
        ("CT", {"RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "US"}, Automatic.RANGE),
        ("CT", {}, Automatic.RANGE),
        ("MR", {}, Automatic.PERCENTILES),
        ("PT", {}, Automatic.FROM_ZERO),
        ("NM", {}, Automatic.FROM_ZERO),
        *((modality, {}, Automatic.RANGE) for modality in ("CR", "DX", "MG", "IO", "PX", "RG", "RF", "XA", "OT", "")),
    ],
)  # fmt: skip
def test_what_is_usual_for_a_modality(modality: str, attributes: dict[str, str], expected: Any) -> None:
    d, _ = header_of(part10(image(VALUES, modality, **attributes)))
    found = usual(d, 0)
    if isinstance(expected, Window):
        assert isinstance(found, Window)
        assert (found.center, found.width, found.function) == (expected.center, expected.width, expected.function)
    else:
        assert found is expected


def test_eight_bits_of_anything_else_are_shown_whole() -> None:
    d, _ = header_of(part10(image(np.full((4, 4), 7, np.uint8), "US")))
    assert usual(d, 0) == Window(127.5, 255.0, VoiLutFunction.LINEAR_EXACT)
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(picture(part10(image(ramp, "US"))), ramp)
    signed = image(ramp.view(np.int8), "OT")
    np.testing.assert_array_equal(picture(part10(signed)), (ramp.view(np.int8).astype(int) + 128))
    bits = image(np.eye(16, dtype=np.uint8), "OT", BitsStored=1)
    assert np.unique(picture(part10(bits))).tolist() == [0, 255]


def test_percentiles_leave_a_few_bright_pixels_out_and_padding_too() -> None:
    values = VALUES.copy()
    values[0, 0] = 60000
    values[20:] = 65535  # a third of it
    ds = image(values, "MR")
    ds.add_new("PixelPaddingValue", "US", 65535)
    low, high = np.quantile(values[:20], (0.01, 0.99), method="inverted_cdf")
    want = np.floor(np.clip((values.astype(float) - low) / (high - low), 0, 1) * 255 + 0.5)
    want[20:] = 0
    assert np.abs(picture(part10(ds)) - want).max() <= 1
    flat = image(np.where(np.arange(1024) < 3, 9, 0).astype(np.uint16).reshape(32, 32), "MR")  # percentiles coincide
    assert np.unique(picture(part10(flat))).tolist() == [0, 255]


def test_counts_begin_at_zero() -> None:
    values = np.array([[100, 201], [300, 400]], np.uint16)
    assert picture(part10(image(values, "NM"))).tolist() == [[64, 128], [191, 255]]
    below = np.array([[-100, 0], [101, 300]], np.int16)
    assert picture(part10(image(below, "PT"))).tolist() == [[0, 64], [128, 255]]


def test_the_page_names_every_modality_of_the_table() -> None:
    from engine.imaging import voi

    page = (Path(__file__).parents[3] / "docs" / "imaging.md").read_text("utf_8")
    table = re.findall(r"^\| ([A-Z, ]+) \|", page, re.M)
    named = {modality.strip() for row in table for modality in row.split(",")}
    assert {*voi._AUTOMATIC, "CT"} <= named
