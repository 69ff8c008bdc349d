"""Dates and times of frames as headers have them, and as they should not be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.dicom.frame_times import moment


def test_a_moment_with_its_offset() -> None:
    at = datetime(2024, 2, 29, 10, 15, 30, 250_000, tzinfo=UTC)
    assert moment("20240229101530.25") == at
    assert moment("20240229101530.250000+0200") == at - timedelta(hours=2)
    assert moment("20240229101530.25-0930 ") == at + timedelta(hours=9, minutes=30)


@pytest.mark.parametrize(
    "text", ["", "2024", "20240229", "20240230101530", "20240229101530+9900", "20240229101530-2400"]
)
def test_what_is_no_moment(text: str) -> None:
    assert moment(text) is None
