"""Frames taken out of damaged headers: an instance that can be stored comes of it, or an error of ours."""

from __future__ import annotations

from io import BytesIO

from data import make_instance
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from engine.dicom.frame_extraction import FrameExtraction
from engine.dicom.frame_list import CALCULATED, SIMPLE, TIME_RANGE, FrameList
from engine.dicom.instance import StoredInstance
from engine.dicom.scan import scan
from engine.errors import EngineError
from engine.limits import Limits

LIMITS = Limits()
TEXTS = (
    "",
    "0",
    "40",
    "-1",
    "1e300",
    "nan",
    "inf",
    "9" * 16,
    "1\\2\\3\\4\\5",
    "x",
    "\\",
    "20240229",
    "235959.9",
    "0001",
)


def source() -> bytes:
    ds = dcmread(BytesIO(make_instance("1.2.3.4.9", frames=5, rows=2, columns=3)))
    for keyword, value in {
        "FrameIncrementPointer": 0x00181063, "FrameTime": "40", "FrameDelay": "10", "ImageTriggerDelay": "3",
        "ContentDate": "20240229", "ContentTime": "235959.90", "AcquisitionDateTime": "20240229235959+0100",
        "RepresentativeFrameNumber": 4, "FrameNumbersOfInterest": [2, 3], "FrameOfInterestDescription": ["a", "b"],
        "DetectorVector": [1, 1, 1, 2, 2],
    }.items():  # fmt: skip
        setattr(ds, keyword, value)
    groups = [Dataset() for _ in range(5)]
    for group in groups:
        group.FrameContentSequence = [Dataset()]
        group.FrameContentSequence[0].FrameReferenceDateTime = "20240229120000"
    ds.PerFrameFunctionalGroupsSequence = groups
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


SOURCE = source()
ASKED = st.one_of(
    st.lists(st.integers(0, 7), min_size=1, max_size=4).map(lambda v: FrameList(SIMPLE, tuple(v))),
    st.lists(st.integers(0, 7), min_size=3, max_size=6).map(lambda v: FrameList(CALCULATED, tuple(v))),
    st.lists(st.floats(), min_size=2, max_size=2).map(lambda v: FrameList(TIME_RANGE, tuple(v))),
)


def attempt(content: bytes, asked: FrameList) -> None:
    try:
        about = scan(content, LIMITS)
        stored = StoredInstance(about, len(content), lambda at, n: content[at : at + n], LIMITS)
        made = b"".join(map(bytes, FrameExtraction(stored, asked).pieces()))
    except EngineError:
        return
    assert scan(made, LIMITS).sop_instance_uid != about.sop_instance_uid


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(132, len(SOURCE) - 1), st.integers(0, 255)), max_size=6), ASKED)
def test_damaged_bytes(changes: list[tuple[int, int]], asked: FrameList) -> None:
    content = bytearray(SOURCE)
    for at, value in changes:
        content[at] = value
    attempt(bytes(content), asked)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            (0x00181063, 0x00181065, 0x00181066, 0x00181067, 0x00080023, 0x00080033, 0x0008002A, 0x00080032)
        ),
        st.sampled_from(TEXTS),
    ),
    ASKED,
)
def test_odd_times(texts: dict[int, str], asked: FrameList) -> None:
    ds = dcmread(BytesIO(SOURCE))
    for tag, text in texts.items():
        ds.add_new(tag, "LO", text)
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    attempt(out.getvalue(), asked)
