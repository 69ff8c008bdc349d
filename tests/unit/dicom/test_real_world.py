"""Real world value maps of the header, and SUV factors against the arithmetic of QIBA's steps worked out beside them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pictures import ENCODINGS, header_of, image, part10, picture
from pydicom.dataset import Dataset

from engine.errors import MalformedDataSet, UnsupportedPixels
from engine.imaging.spec import RenderSpec, Values

PIXELS = np.arange(64, dtype=np.uint16).reshape(8, 8)
HALF_LIFE = 6586.2  # F-18


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def value_map(first: int, last: int, vr: str = "US", **attributes: Any) -> Dataset:
    ds = item(**attributes)
    ds.add_new("RealWorldValueFirstValueMapped", vr, first)
    ds.add_new("RealWorldValueLastValueMapped", vr, last)
    ds.MeasurementUnitsCodeSequence = [item(CodeValue="mm2/s", CodingSchemeDesignator="UCUM")]
    return ds


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_slope_and_intercept_and_tables(encoding: str) -> None:
    linear = value_map(0, 63, RealWorldValueSlope=0.5, RealWorldValueIntercept=-3.0, LUTLabel="ADC")
    table = value_map(2, 5, RealWorldValueLUTData=[0.0, 0.1, 0.4, 0.9])
    ds = image(PIXELS, RealWorldValueMappingSequence=[linear, table])
    d, header = header_of(part10(ds, encoding))
    assert d.has_real_world_values
    first, second = header.real_world_maps(0)
    assert (first.first, first.last, first.slope, first.intercept) == (0, 63, 0.5, -3.0)
    assert (first.units, first.label) == ("mm2/s", "ADC")
    assert second.table == (0.0, 0.1, 0.4, 0.9)


def test_the_range_has_the_sign_of_the_pixels_and_doubles_stand_before_it() -> None:
    wrong = value_map(0xFFF6, 10, RealWorldValueSlope=1.0, RealWorldValueIntercept=0.0)
    signed = image(PIXELS.astype(np.int16), RealWorldValueMappingSequence=[wrong])
    assert header_of(part10(signed))[1].real_world_maps(0)[0].first == -10
    wrong.DoubleFloatRealWorldValueFirstValueMapped, wrong.DoubleFloatRealWorldValueLastValueMapped = -1.5, 2e9
    signed = image(PIXELS.astype(np.int16), RealWorldValueMappingSequence=[wrong])
    one = header_of(part10(signed))[1].real_world_maps(0)[0]
    assert (one.first, one.last) == (-1.5, 2e9)


def test_a_linear_map_without_a_range_is_for_every_value_but_half_a_range_is_none() -> None:
    one = item(RealWorldValueSlope=2.5, RealWorldValueIntercept=-1.0)
    ds = image(PIXELS, "MR", RealWorldValueMappingSequence=[one])
    found = header_of(part10(ds))[1].real_world_maps(0)[0]
    assert (found.first, found.last, found.slope, found.intercept) == (-math.inf, math.inf, 2.5, -1.0)
    np.testing.assert_array_equal(
        picture(part10(ds), RenderSpec(values=Values.REAL_WORLD)),
        np.floor(PIXELS * 255.0 / 63.0 + 0.5).astype(np.uint8),
    )
    one.add_new("RealWorldValueFirstValueMapped", "US", 0)
    with pytest.raises(MalformedDataSet, match="without numbers"):
        header_of(part10(ds))[1].real_world_maps(0)
    table = item(RealWorldValueLUTData=[float(n) for n in range(64)])
    with pytest.raises(MalformedDataSet, match="without numbers"):
        header_of(part10(image(PIXELS, RealWorldValueMappingSequence=[table])))[1].real_world_maps(0)


def test_a_frames_own_map_stands_before_the_shared_one() -> None:
    shared = value_map(0, 63, RealWorldValueSlope=1.0, RealWorldValueIntercept=0.0)
    own = value_map(0, 63, RealWorldValueSlope=2.0, RealWorldValueIntercept=0.0)
    ds = image(np.zeros((2, 8, 8), np.uint16))
    ds.SharedFunctionalGroupsSequence = [item(RealWorldValueMappingSequence=[shared])]
    ds.PerFrameFunctionalGroupsSequence = [Dataset(), item(RealWorldValueMappingSequence=[own])]
    d, header = header_of(part10(ds))
    assert d.has_real_world_values
    assert [header.real_world_maps(i)[0].slope for i in (0, 1)] == [1.0, 2.0]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"RealWorldValueSlope": 0.0, "RealWorldValueIntercept": 1.0},
        {"RealWorldValueSlope": 1.0},
        {"RealWorldValueLUTData": [1.0, 2.0]},
    ],
)
def test_a_map_without_numbers_is_an_error(attributes: dict[str, Any]) -> None:
    ds = image(PIXELS, RealWorldValueMappingSequence=[value_map(0, 63, **attributes)])
    with pytest.raises(MalformedDataSet):
        header_of(part10(ds))[1].real_world_maps(0)


def pet(**attributes: Any) -> Any:
    drug = item(
        RadionuclideTotalDose="370000000",
        RadionuclideHalfLife=str(HALF_LIFE),
        RadiopharmaceuticalStartTime="100000.00",
    )
    return image(
        PIXELS,
        "PT",
        **{
            "Units": "BQML",
            "DecayCorrection": "START",
            "CorrectedImage": ["DECY", "ATTN", "SCAT"],
            "PatientWeight": "70",
            "SeriesDate": "20200131",
            "SeriesTime": "110000",
            "AcquisitionDate": "20200131",
            "AcquisitionTime": "110500",
            "RadiopharmaceuticalInformationSequence": [drug],
            **attributes,
        },
    )


def factor(ds: Any) -> float:
    return header_of(part10(ds))[1].suv_factor


def test_becquerels_decayed_to_the_start_of_the_scan() -> None:
    assert factor(pet()) == pytest.approx(70_000 / (370e6 * 0.5 ** (3600 / HALF_LIFE)), rel=1e-12)
    assert factor(pet(DecayCorrection="ADMIN")) == pytest.approx(70_000 / 370e6, rel=1e-12)


def test_an_injection_before_midnight_and_one_with_its_date() -> None:
    early = pet(SeriesTime="003000", AcquisitionTime="003000")
    early.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime = "233000"
    assert factor(early) == pytest.approx(70_000 / (370e6 * 0.5 ** (3600 / HALF_LIFE)), rel=1e-12)
    dated = pet()
    dated.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = "20200131103000.000000"
    assert factor(dated) == pytest.approx(70_000 / (370e6 * 0.5 ** (1800 / HALF_LIFE)), rel=1e-12)


def test_a_series_that_was_made_later_than_its_pixels() -> None:
    ge = pet(SeriesTime="150000")
    ge.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20200131110000.00")
    assert factor(ge) == pytest.approx(70_000 / (370e6 * 0.5 ** (3600 / HALF_LIFE)), rel=1e-12)
    # acquired 5 minutes into the scan, for 10 s: the average activity is a little before the middle of that
    other = pet(SeriesTime="150000", FrameReferenceTime="304998.6", ActualFrameDuration="10000")
    rate = math.log(2) / HALF_LIFE
    average = math.log(rate * 10 / (1 - math.exp(-rate * 10))) / rate
    waited = 3900 + average - 304.9986
    assert factor(other) == pytest.approx(70_000 / (370e6 * 0.5 ** (waited / HALF_LIFE)), rel=1e-9)
    with pytest.raises(UnsupportedPixels, match="Series Time"):
        factor(pet(SeriesTime="150000"))


def test_grams_by_millilitre_and_the_factors_of_philips() -> None:
    assert factor(pet(Units="GML")) == 1.0
    with pytest.raises(UnsupportedPixels, match="LBM"):
        factor(pet(Units="GML", SUVType="LBM"))
    counts = pet(Units="CNTS")
    with pytest.raises(UnsupportedPixels, match="Philips"):
        factor(counts)
    block = counts.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x09, "DS", "1.5")
    assert factor(counts) == pytest.approx(1.5 * 70_000 / (370e6 * 0.5 ** (3600 / HALF_LIFE)), rel=1e-12)
    block.add_new(0x00, "DS", "0.00025")
    assert factor(counts) == 0.00025


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"PatientWeight": ""}, "Patient Weight"),
        ({"CorrectedImage": ["DECY"]}, "attenuation"),
        ({"DecayCorrection": "NONE"}, "Decay Correction NONE"),
        ({"Units": "PROPCPS"}, "PROPCPS"),
        ({"RadiopharmaceuticalInformationSequence": []}, "0 radiopharmaceuticals"),
        ({"SeriesDate": "20200210", "AcquisitionDate": "20200211"}, None),
    ],
)
def test_no_suv_rather_than_a_wrong_one(attributes: dict[str, Any], why: str | None) -> None:
    if why is None:  # the time of day alone: taken as injected on the series' day
        assert factor(pet(**attributes)) == pytest.approx(70_000 / (370e6 * 0.5 ** (3600 / HALF_LIFE)))
        return
    with pytest.raises(UnsupportedPixels, match=why):
        factor(pet(**attributes))


def test_a_dose_in_another_unit_is_refused() -> None:
    ds = pet()
    ds.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = "370"
    with pytest.raises(UnsupportedPixels, match="370 Bq"):
        factor(ds)
