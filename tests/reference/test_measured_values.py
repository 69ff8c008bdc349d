"""Real world values and SUVs of real images, as pictures: against pydicom's header and pixels and arithmetic done here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pydicom
from data import data_files, needs_data
from pictures import picture

from engine.dicom.frame import VoiLutFunction, Window
from engine.imaging.spec import RenderSpec, Values

Array = np.ndarray[Any, Any]
# by Philips, with a range or without one; floats
REAL_WORLD = (
    "0001.dcm",
    "dicomParser__CT0012.not_fragmented_no_bot_rle.dcm",
    "dicomParser__CT0012.fragmented_no_bot_jpeg_ls.80.dcm",
    "fo-dicom__GH064.dcm",
    "pydicom-data__parametric_map_float.dcm",
    "pydicom-data__parametric_map_double_float.dcm",
)


@needs_data
def test_real_world_values_of_real_images() -> None:
    """Slope and intercept as pydicom reads them, over pydicom's pixels; the largest and smallest value as black and white."""
    paths = [path for path in data_files("mr-j2k", "syntaxes") if path.name in REAL_WORLD]
    assert len(paths) == len(REAL_WORLD)
    for path in paths:
        ds = pydicom.dcmread(path)
        at = ds if "RealWorldValueMappingSequence" in ds else ds.SharedFunctionalGroupsSequence[0]
        one = at.RealWorldValueMappingSequence[0]
        stored = pydicom.pixels.pixel_array(ds, index=0).astype(np.float64)
        measured = stored * one.RealWorldValueSlope + one.RealWorldValueIntercept
        if "RealWorldValueLastValueMapped" in one:
            first, last = one.RealWorldValueFirstValueMapped, one.RealWorldValueLastValueMapped
            measured[(stored < first) | (stored > last)] = np.nan
        low, high = np.nanmin(measured), np.nanmax(measured)
        want = np.nan_to_num((measured - low) / (high - low) * 255.0)
        mine = picture(path.read_bytes(), RenderSpec(values=Values.REAL_WORLD))
        if mine.ndim == 3:  # a supplemental palette colours what it did before
            is_grey = stored < ds.RedPaletteColorLookupTableDescriptor[1]
            assert is_grey.mean() > 0.5
            mine, want = mine[is_grey].max(axis=1), want[is_grey]
        assert_close(mine, want)


@needs_data
def test_standardised_uptake_values_of_a_real_image() -> None:
    (path,) = [path for path in data_files("") if path.name == "dicom__1.dcm"]
    ds = pydicom.dcmread(path)
    assert (ds.Units, ds.DecayCorrection, ds.SeriesTime) == ("BQML", "START", ds.AcquisitionTime)
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    start, injection = (
        datetime.strptime(f"{ds.SeriesDate} {time}", "%Y%m%d %H%M%S.%f")
        for time in (ds.SeriesTime, drug.RadiopharmaceuticalStartTime)
    )
    half_lives = (start - injection).total_seconds() / float(drug.RadionuclideHalfLife)
    assert 0.5 < half_lives < 1
    activity = float(drug.RadionuclideTotalDose) * 0.5**half_lives
    stored = pydicom.pixels.pixel_array(ds).astype(np.float64)
    suv = stored * float(ds.RescaleSlope) * float(ds.PatientWeight) * 1000.0 / activity
    assert 5 < suv.max() < 20
    content = path.read_bytes()
    assert_close(picture(content, RenderSpec(values=Values.SUV)), np.clip(suv / 10.0, 0, 1) * 255.0)
    narrow = RenderSpec(Window(1.0, 2.0, VoiLutFunction.LINEAR_EXACT), values=Values.SUV)
    assert_close(picture(content, narrow), np.clip(suv / 2.0, 0, 1) * 255.0)


def assert_close(mine: Array, want: Array) -> None:
    assert mine.shape == want.shape
    assert np.abs(mine.astype(float) - want).max() <= 1
