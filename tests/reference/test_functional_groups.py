"""Windows, rescale, spacing, padding and real world values of every frame, as pydicom reads them from functional groups."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import pydicom
import pytest
from data import data_files, needs_data, pydicom_files
from pictures import ENCODINGS, LIMITS, header_of, image, part10, picture
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut
from pydicom.pixels.processing import apply_rescale, apply_windowing

from engine.dicom.frame import FrameDescriptor
from engine.dicom.scan import scan
from engine.errors import EngineError
from engine.imaging.spec import RenderSpec, Values

Array = np.ndarray[Any, Any]
SIZE_MAX = 64 * 1024 * 1024
# a little endian sequence in UN (CP-246), at which pydicom's reader stops
UNREADABLE = "fo-dicom__GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm"
# (macro, attribute) that a descriptor keeps for each frame
MACROS = {
    "WindowCenter": "FrameVOILUTSequence",
    "WindowWidth": "FrameVOILUTSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
}


def said(ds: Dataset, frame_index: int, keyword: str) -> list[float]:
    """An attribute's numbers: of the frame's own groups, those of all, or the data set (PS3.3 C.7.6.16)."""
    groups = [*(ds.get("PerFrameFunctionalGroupsSequence") or [])[frame_index : frame_index + 1]]
    groups += [*(ds.get("SharedFunctionalGroupsSequence") or [])[:1]]
    values = next(
        (item.get(keyword) for group in groups for item in (group.get(MACROS[keyword]) or [])[:1] if keyword in item),
        ds.get(keyword),
    )
    if values is None or values == "":
        return []
    return [float(v) for v in (values if isinstance(values, pydicom.multival.MultiValue | list) else [values])]


def kept(d: FrameDescriptor, frame_index: int, keyword: str) -> list[float]:
    rescale, windows = d.rescale(frame_index), d.frame_windows(frame_index)
    return {
        "WindowCenter": [w.center for w in windows],
        "WindowWidth": [w.width for w in windows],
        "RescaleSlope": [rescale.slope],
        "RescaleIntercept": [rescale.intercept],
        "PixelSpacing": list(d.pixel_spacing(frame_index) or ()),
    }[keyword]


@needs_data
def test_every_frame_of_real_enhanced_images_has_the_numbers_that_pydicom_reads() -> None:
    usual = {"RescaleSlope": [1.0], "RescaleIntercept": [0.0]}
    compared = dict.fromkeys(MACROS, 0)
    for path in [*data_files(""), *pydicom_files()]:
        if path.stat().st_size > SIZE_MAX or path.name == UNREADABLE:
            continue
        try:
            d = scan(path.read_bytes(), LIMITS).frame_descriptor
        except EngineError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            if d is None or (
                "SharedFunctionalGroupsSequence" not in ds and "PerFrameFunctionalGroupsSequence" not in ds
            ):
                continue
            for frame_index in range(d.number_of_frames):
                for keyword in MACROS:
                    values = said(ds, frame_index, keyword)
                    want = values or usual.get(keyword, [])
                    assert kept(d, frame_index, keyword) == want, f"{path.name} [{frame_index + 1}] {keyword}"
                    compared[keyword] += bool(values)
    assert min(compared.values()) >= 30, compared
    assert min(compared["RescaleSlope"], compared["PixelSpacing"]) >= 290, compared


PIXELS = (np.arange(4 * 8 * 8, dtype=np.uint16) * 37 % 4000).reshape(4, 8, 8)
WINDOWS = [(500.0, 900.0), (-200.0, 1500.0), (40.0, 400.0), (1000.0, 2500.0)]
RESCALES = [(1.0, 0.0), (2.0, -1024.0), (0.25, 10.5), (-1.0, 3000.0)]
SPACINGS = [(1.0, 1.0), (2.0, 1.0), (0.5, 1.0), (1.0, 4.0)]


def item(**attributes: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def groups(frame_index: int) -> Dataset:
    (center, width), (slope, intercept) = WINDOWS[frame_index], RESCALES[frame_index]
    return item(
        FrameVOILUTSequence=[item(WindowCenter=center, WindowWidth=width)],
        PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")],
        PixelMeasuresSequence=[item(PixelSpacing=list(SPACINGS[frame_index]))],
    )


def enhanced(frames: range = range(4), **attributes: Any) -> pydicom.FileDataset:
    ds = image(PIXELS[frames.start : frames.stop], "MR", **attributes)
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    ds.PerFrameFunctionalGroupsSequence = [groups(frame_index) for frame_index in frames]
    return ds


def shown(values: Array, frame_index: int) -> Array:
    """By pydicom's rescale and window, with the numbers that the frame was made with."""
    (center, width), (slope, intercept) = WINDOWS[frame_index], RESCALES[frame_index]
    step = item(RescaleSlope=slope, RescaleIntercept=intercept, WindowCenter=center, WindowWidth=width)
    step.PhotometricInterpretation, step.BitsStored, step.PixelRepresentation = "MONOCHROME2", 8, 0
    step_values = apply_rescale(values.astype(np.float64), step)
    del step.RescaleSlope, step.RescaleIntercept  # apply_windowing would stretch to them
    return np.asarray(apply_windowing(step_values, step))


def assert_close(mine: Array, want: Array) -> None:
    assert mine.shape == want.shape
    assert np.abs(mine.astype(float) - want).max() <= 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_frame_is_shown_by_its_own_numbers(encoding: str) -> None:
    content = part10(enhanced(), encoding)
    for frame_index in range(4):
        assert_close(picture(content, frame_index=frame_index), shown(PIXELS[frame_index], frame_index))


def test_each_frame_gets_the_shape_of_its_own_pixels() -> None:
    content = part10(enhanced())
    sizes = [picture(content, RenderSpec(width=32, height=32), frame_index).shape for frame_index in range(4)]
    assert sizes == [(32, 32), (32, 16), (16, 32), (8, 32)]


def test_what_a_frame_does_not_say_the_shared_groups_do_and_then_the_data_set() -> None:
    ds = enhanced(WindowCenter=77, WindowWidth=99)
    ds.SharedFunctionalGroupsSequence = [groups(2)]
    ds.PerFrameFunctionalGroupsSequence = [groups(0), Dataset(), groups(1), Dataset()]
    content = part10(ds)
    for frame_index, said_by in enumerate((0, 2, 1, 2)):
        assert_close(picture(content, frame_index=frame_index), shown(PIXELS[frame_index], said_by))
    del ds.SharedFunctionalGroupsSequence[0].FrameVOILUTSequence
    d, _ = header_of(part10(ds))
    assert [d.frame_windows(i)[0].width for i in range(4)] == [900.0, 99.0, 1500.0, 99.0]


def test_padding_of_the_instance_is_padding_of_every_frame() -> None:
    content = part10(enhanced(PixelPaddingValue=int(PIXELS[3, 2, 5]), PresentationLUTShape="INVERSE"))
    for frame_index in range(4):
        want = 255.0 - shown(PIXELS[frame_index], frame_index)
        is_padding = PIXELS[frame_index] == PIXELS[3, 2, 5]
        assert_close(picture(content, frame_index=frame_index), np.where(is_padding, 0.0, want))
    assert is_padding.any()


def test_real_world_values_of_each_frame() -> None:
    ds = enhanced()
    for frame_index, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        one = item(
            RealWorldValueSlope=0.5 * (frame_index + 1),
            RealWorldValueIntercept=-3.0,
            LUTLabel="T1",
            MeasurementUnitsCodeSequence=[item(CodeValue="ms", CodingSchemeDesignator="UCUM", CodeMeaning="ms")],
        )
        one.add_new("RealWorldValueFirstValueMapped", "US", 0)
        one.add_new("RealWorldValueLastValueMapped", "US", 3500)
        group.RealWorldValueMappingSequence = [one]
    content = part10(ds)
    for frame_index in range(4):
        stored = PIXELS[frame_index].astype(np.float64)
        measured = stored * 0.5 * (frame_index + 1) - 3.0
        is_mapped = stored <= 3500
        low, high = measured[is_mapped].min(), measured[is_mapped].max()
        want = np.where(is_mapped, np.clip((measured - low) / (high - low), 0, 1) * 255.0, 0.0)
        assert_close(picture(content, RenderSpec(values=Values.REAL_WORLD), frame_index), want)


def test_the_parts_of_a_concatenation_show_what_the_whole_shows() -> None:
    whole = part10(enhanced())
    for number, frames in enumerate((range(3), range(3, 4)), 1):
        part = enhanced(frames)
        part.ConcatenationUID, part.SOPInstanceUIDOfConcatenationSource = "1.2.3.5", "1.2.3.4.1"
        part.SOPInstanceUID = part.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.1.{number}"
        part.InConcatenationNumber, part.InConcatenationTotalNumber = number, 2
        part.ConcatenationFrameOffsetNumber = frames.start
        part.NumberOfFrames = len(frames)  # also where it is one
        content = part10(part)
        assert len(scan(content, LIMITS).frame_table or ()) == len(frames)
        for place, frame_index in enumerate(frames):
            mine = picture(content, RenderSpec(width=24), place)
            np.testing.assert_array_equal(mine, picture(whole, RenderSpec(width=24), frame_index))


@pytest.mark.parametrize("encoding", ("explicit", "implicit"))
def test_a_segmented_palette_shows_the_colours_that_pydicom_expands_it_to(encoding: str) -> None:
    values = np.arange(300, dtype=np.uint16).reshape(15, 20)
    ds = image(values, photometric="PALETTE COLOR")
    for colour, end in (("Red", 60000), ("Green", 30000), ("Blue", 0)):
        # discrete: 2 values; linear: 200 to `end`; indirect: 3 segments again from byte offset 0; discrete: 1 more
        ramp = [0, 2, 40 * 256, 20000, 1, 200, end, 0, 1, 12345]
        words = [*ramp, 2, 3, 0, 0, 0, 1, 199]
        expanded = 2 + 200 + 1 + (2 + 200 + 1) + 1
        ds.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [expanded, 0, 16])
        ds.add_new(f"Segmented{colour}PaletteColorLookupTableData", "OW", np.array(words, "<u2").tobytes())
    want = apply_color_lut(values, copy.deepcopy(ds))
    assert len(np.unique(want.reshape(-1, 3), axis=0)) > 150
    assert_close(picture(part10(ds, encoding)), want.astype(np.float64) / 257.0)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_groups_of_another_number_than_frames_are_meant_by_position(count: int) -> None:
    """A frame must never be shown with the rescale of another: without a group of its own it has what is meant for all."""
    ds = image(np.arange(3 * 16, dtype=np.uint16).reshape(3, 4, 4), "CT", RescaleSlope="1", RescaleIntercept="-7")
    groups = []
    for i in range(count):
        group, rescale, measures = Dataset(), Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = "2", str(100 * (i + 1)), "HU"
        measures.PixelSpacing = [0.5 + i, 0.5 + i]
        group.PixelValueTransformationSequence, group.PixelMeasuresSequence = [rescale], [measures]
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = groups
    scanned = scan(part10(ds), LIMITS)
    d = scanned.frame_descriptor
    assert d is not None
    own = [(2.0, 100.0 * (i + 1)) for i in range(min(count, 3))]
    assert [(d.rescale(i).slope, d.rescale(i).intercept) for i in range(3)] == own + [(1.0, -7.0)] * (3 - len(own))
    spacings = [(0.5 + i, 0.5 + i) for i in range(min(count, 3))]
    assert [d.pixel_spacing(i) for i in range(3)] == spacings + [None] * (3 - len(spacings))
    assert [defect.code for defect in scanned.defects] == ["functional-groups-wrong"]
