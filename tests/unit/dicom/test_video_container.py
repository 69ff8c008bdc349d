"""What a bit stream is by its first bytes; real ones are in tests/conformance/test_rendered_videos.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dicom.video_container import HEAD_BYTES, media_type_of_stream

H264, HEVC = "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.107"


@pytest.mark.parametrize(
    ("head", "uid", "media_type"),
    [
        (b"\0\0\0\x20ftypisom", H264, "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", H264, "video/quicktime"),
        (b"\0\0\0\x08wide", H264, "video/mp4"),
        ((b"\x47" + bytes(187)) * 5, H264, "video/mp2t"),
        ((b"\x12\x34\x56\x78\x47" + bytes(187)) * 5, H264, "video/mp2t"),  # Blu-ray's, with times
        (b"\x47" + bytes(1000), H264, ""),  # one sync byte is chance
        (b"\x47", H264, ""),
        (b"\0\0\1\xba\x44", H264, "video/mpeg"),
        (b"\0\0\1\xb3\x20", H264, "video/mpeg"),
        (b"\0\0\0\1\x67", H264, "video/h264"),
        (b"\0\0\1\x09", H264, "video/h264"),
        (b"\0\0\0\1\x40\1", HEVC, "video/h265"),
        (b"", H264, ""),
        (b"RIFF....AVI ", H264, ""),
    ],
)
def test_by_first_bytes(head: bytes, uid: str, media_type: str) -> None:
    assert media_type_of_stream(head[:HEAD_BYTES], uid) == media_type


@given(st.binary(max_size=HEAD_BYTES))
def test_anything_is_something_or_nothing(head: bytes) -> None:
    found = media_type_of_stream(head, HEVC)
    assert found == "" or found.startswith("video/")
