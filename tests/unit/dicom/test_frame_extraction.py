"""Frames taken out of real and made images: pixels and functional groups against pydicom, what speaks of frames (PS3.4 Y.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from data import make_instance, pydicom_files
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian

from engine.dicom.frame_extraction import FrameExtraction
from engine.dicom.frame_list import CALCULATED, SIMPLE, TIME_RANGE, FrameList
from engine.dicom.instance import StoredInstance
from engine.dicom.scan import scan
from engine.errors import NoFrameTimes, NotExtractable, NotMultiFrame
from engine.limits import Limits

LIMITS = Limits()


def stored(content: bytes) -> StoredInstance:
    about = scan(content, LIMITS)
    return StoredInstance(about, len(content), lambda at, n: content[at : at + n], LIMITS)


def extract(content: bytes, tag: int, *values: float) -> Dataset:
    made = b"".join(map(bytes, FrameExtraction(stored(content), FrameList(tag, values)).pieces()))
    scan(made, LIMITS)  # it could be stored
    return dcmread(BytesIO(made))


def multi_frame_files() -> list[str]:
    """Of pydicom's package: in each transfer syntax, signed and unsigned, one bit, colour, enhanced."""
    names = []
    for path in pydicom_files():
        try:
            ds = dcmread(path, stop_before_pixels=True)
            count = int(ds.get("NumberOfFrames", 0) or 0)
        except Exception:  # noqa: BLE001 - some are there to be unreadable
            continue
        if count > 1 and ds.file_meta.TransferSyntaxUID != ExplicitVRBigEndian:
            names.append(path.name)
    return sorted(set(names))


def content_of(name: str) -> bytes:
    return next(path for path in pydicom_files() if path.name == name).read_bytes()


def test_there_are_files() -> None:
    assert len(multi_frame_files()) >= 5


@pytest.mark.parametrize("name", multi_frame_files())
def test_the_pixels_are_those_of_the_source(name: str) -> None:
    content = content_of(name)
    source = dcmread(BytesIO(content))
    count = int(source.NumberOfFrames)
    numbers = [1, 2] if "GridFrameOffsetVector" in source else sorted({2, count})
    try:
        made = extract(content, SIMPLE, *numbers)
    except NotExtractable as error:
        assert "TILED_FULL" in str(error) or "one bit stream" in str(error) or "describe" in str(error)
        return
    try:
        expected = source.pixel_array
    except Exception as error:  # noqa: BLE001 - what pydicom cannot decode is compared as it is stored
        assert "decompress" in str(error) or "decod" in str(error) or "missing" in str(error).lower()
        return
    got = made.pixel_array if len(numbers) > 1 else made.pixel_array[np.newaxis]
    assert np.array_equal(got, expected[[number - 1 for number in numbers]])
    assert (made.SOPClassUID, made.SeriesInstanceUID) == (source.SOPClassUID, source.SeriesInstanceUID)
    assert made.SOPInstanceUID not in (source.SOPInstanceUID, "")
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert made.FrameExtractionSequence[-1].MultiFrameSourceSOPInstanceUID == source.SOPInstanceUID
    if "PerFrameFunctionalGroupsSequence" in source:
        groups = source.PerFrameFunctionalGroupsSequence
        assert list(made.PerFrameFunctionalGroupsSequence) == [groups[number - 1] for number in numbers]


def rewritten(content: bytes, **values: object) -> bytes:
    """The same with other attributes, by pydicom."""
    ds = dcmread(BytesIO(content))
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


CINE = rewritten(
    make_instance("1.2.3.4.9", frames=6, rows=2, columns=3),
    FrameIncrementPointer=0x00181063,
    FrameTime="40",
    FrameDelay="10",
    ContentDate="20240229",
    ContentTime="235959.90",
    AcquisitionDateTime="20240229235959.900000+0100",
    RepresentativeFrameNumber=4,
    FrameNumbersOfInterest=[2, 3, 6],
    FrameOfInterestDescription=["two", "three", "six"],
    RWavePointer=[1, 5],
    EffectiveDuration="0.24",
)


def times(ds: Dataset) -> list[float]:
    """Relative time of each frame by pydicom's reading of the header (PS3.3 C.7.6.5.1.1, C.7.6.5.1.2)."""
    delay = float(ds.get("FrameDelay", 0) or 0)
    if ds.FrameIncrementPointer == 0x00181065:
        return [float(delay + one) for one in np.cumsum([float(value) for value in ds.FrameTimeVector])]
    return [delay + float(ds.FrameTime) * index for index in range(int(ds.NumberOfFrames))]


@pytest.mark.parametrize("numbers", [(1, 2, 3), (2, 4, 6), (1, 2, 6), (5,), (3, 4)])
def test_frames_keep_their_times(numbers: Sequence[int]) -> None:
    made = extract(CINE, SIMPLE, *numbers)
    assert int(made.NumberOfFrames) == len(numbers)
    shift = 40 * (numbers[0] - 1)
    assert times(made) == pytest.approx([10 + 40 * (number - 1) - shift for number in numbers])
    at = 86399.9 + shift / 1000
    text = str(made.ContentTime)
    said = int(text[:2]) * 3600 + int(text[2:4]) * 60 + float(text[4:])
    day = {"20240229": 0, "20240301": 86400}[made.ContentDate]
    assert day + said == pytest.approx(at)
    assert str(made.AcquisitionDateTime)[:8] == made.ContentDate
    assert str(made.AcquisitionDateTime).endswith("+0100")
    assert ("FrameTimeVector" in made) == (numbers == (1, 2, 6))
    assert "EffectiveDuration" not in made


def test_frame_numbers_are_counted_anew() -> None:
    made = extract(CINE, CALCULATED, 2, 6, 2)
    assert made.RepresentativeFrameNumber == 2
    assert (list(made.FrameNumbersOfInterest), list(made.FrameOfInterestDescription)) == ([1, 3], ["two", "six"])
    assert "RWavePointer" not in made
    item = made.FrameExtractionSequence[0]
    assert list(item.CalculatedFrameList) == [2, 6, 2]
    assert item.MultiFrameSourceSOPInstanceUID == "1.2.3.4.9"
    code = made.ContributingEquipmentSequence[0].PurposeOfReferenceCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("109105", "DCM")


def test_an_extraction_of_an_extraction_tells_both() -> None:
    first = extract(CINE, SIMPLE, 2, 3, 4)
    out = BytesIO()
    first.save_as(out, enforce_file_format=True)
    second = extract(out.getvalue(), TIME_RANGE, 0.04, 0.06)
    uids = [item.MultiFrameSourceSOPInstanceUID for item in second.FrameExtractionSequence]
    assert uids == ["1.2.3.4.9", first.SOPInstanceUID]
    assert list(second.FrameExtractionSequence[1].TimeRange) == [0.04, 0.06]
    assert len(second.ContributingEquipmentSequence) == 2
    assert np.array_equal(second.pixel_array, dcmread(BytesIO(CINE)).pixel_array[2])


def test_the_same_frames_are_the_same_instance() -> None:
    uids = [extract(CINE, SIMPLE, *numbers).SOPInstanceUID for numbers in ((1, 2), (1, 2), (1, 3))]
    assert uids[0] == uids[1] != uids[2]


def test_frames_by_the_times_of_their_functional_groups() -> None:
    groups = []
    for n in range(6):
        content = Dataset()
        content.FrameReferenceDateTime = f"2024022912000{n}.500000"
        group = Dataset()
        group.FrameContentSequence = [content]
        groups.append(group)
    source = rewritten(
        make_instance("1.2.3.4.10", frames=6, rows=2, columns=3),
        PerFrameFunctionalGroupsSequence=groups, ContentDate="20240229", ContentTime="120000",
    )  # fmt: skip
    made = extract(source, TIME_RANGE, 1.5, 3.5)
    assert [g.FrameContentSequence[0].FrameReferenceDateTime[13] for g in made.PerFrameFunctionalGroupsSequence] == [
        *"123"
    ]
    assert made.ContentTime == "120001.000000"


def test_vectors_are_cut() -> None:
    source = rewritten(
        make_instance("1.2.3.4.11", frames=6, rows=2, columns=3),
        DetectorVector=[1, 1, 1, 2, 2, 2], SliceLocationVector=[0.0, 1.5, 3.0, 4.5, 6.0, 7.5],
        FrameLabelVector=[*"abcdef"], FrameIncrementPointer=[0x00540020],
    )  # fmt: skip
    made = extract(source, SIMPLE, 1, 4, 6)
    assert list(made.DetectorVector) == [1, 2, 2]
    assert list(made.SliceLocationVector) == [0.0, 4.5, 7.5]
    assert list(made.FrameLabelVector) == [*"adf"]
    assert made.FrameIncrementPointer == 0x00540020


def test_what_is_of_the_whole_does_not_stay() -> None:
    source = dcmread(BytesIO(CINE))
    source.add_new(0x00090010, "LO", "VENDOR")
    source.add_new(0x00091001, "US", [1, 2, 3, 4, 5, 6])
    source.ConcatenationUID, source.InConcatenationNumber = "1.2.9", 1
    source.add_new(0x00280106, "US", 3)
    source.add_new(0xFFFAFFFA, "SQ", [Dataset()])
    out = BytesIO()
    source.save_as(out, enforce_file_format=True)
    made = extract(out.getvalue(), SIMPLE, 1)
    gone = (0x00091001, 0x00090010, 0x00209161, 0x00209162, 0x00280106, 0xFFFAFFFA)
    assert [tag for tag in gone if tag in made] == []


@pytest.mark.parametrize(
    ("attributes", "numbers", "why"),
    [
        ({"GridFrameOffsetVector": [0, 2, 4, 6, 8, 10]}, (2, 3), "geometry"),
        ({"PositionerPrimaryAngleIncrement": [0, 2, 4, 6, 8, 10]}, (1, 3), "geometry"),
        ({"DimensionOrganizationType": "TILED_FULL"}, (1,), "TILED_FULL"),
        ({"PerFrameFunctionalGroupsSequence": [Dataset()] * 5}, (1,), "another number"),
    ],
)
def test_what_cannot_be_valid_is_refused(attributes: dict[str, object], numbers: Sequence[int], why: str) -> None:
    source = rewritten(make_instance("1.2.3.4.12", frames=6, rows=2, columns=3), **attributes)
    with pytest.raises(NotExtractable, match=why):
        extract(source, SIMPLE, *numbers)


def test_geometry_told_from_the_first_frame_can_be_cut_at_its_end() -> None:
    source = rewritten(
        make_instance("1.2.3.4.12", frames=6, rows=2, columns=3), GridFrameOffsetVector=[0, 2, 4, 6, 8, 10]
    )
    assert list(extract(source, SIMPLE, 1, 2).GridFrameOffsetVector) == [0, 2]


def test_single_frames_and_frames_without_times() -> None:
    with pytest.raises(NotMultiFrame):
        extract(make_instance(), SIMPLE, 1)
    with pytest.raises(NoFrameTimes):
        extract(make_instance(frames=3), TIME_RANGE, 0.0, 1.0)


def test_single_bit_frames_that_begin_inside_a_byte() -> None:
    bits = np.random.default_rng(5).integers(0, 2, (7, 3, 5), np.uint8)
    source = dcmread(BytesIO(make_instance("1.2.3.4.13", frames=7, rows=3, columns=5)))
    source.BitsAllocated, source.BitsStored, source.HighBit = 1, 1, 0
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    source.PixelData = packed + bytes(len(packed) % 2)
    source["PixelData"].VR = "OB"
    out = BytesIO()
    source.save_as(out, enforce_file_format=True)
    made = extract(out.getvalue(), SIMPLE, 2, 3, 7)
    assert np.array_equal(made.pixel_array, bits[[1, 2, 6]])
