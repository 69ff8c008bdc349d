"""Frames taken out of every multi-frame image there is, against pydicom's frames of the source (PS3.4 Y.3.3)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data import data_files, pydicom_files
from pydicom import dcmread
from pydicom.pixels import pixel_array

from engine.dicom.frame_list import SIMPLE, FrameList
from engine.dimse.made import extracted
from engine.dimse.outgoing import FromFile
from engine.errors import NotExtractable, NotMultiFrame, TruncatedDataSet
from engine.limits import MIB, Limits

LIMITS = Limits()
_LONGEST = 64 * MIB  # larger ones take pydicom seconds
FILES = [*pydicom_files(), *data_files("multiframe", "syntaxes", "derived")]


def is_multi_frame(path: Path) -> bool:
    try:
        count = int(dcmread(path, stop_before_pixels=True, specific_tags=["NumberOfFrames"]).get("NumberOfFrames") or 0)
    except Exception:  # noqa: BLE001 - some are there to be unreadable
        return False
    return count > 1 and path.stat().st_size < _LONGEST


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", [path for path in FILES if is_multi_frame(path)], ids=lambda path: path.name)
def test_pixels(path: Path, tmp_path: Path) -> None:
    source = dcmread(path, stop_before_pixels=True)
    numbers = [1, 2] if "GridFrameOffsetVector" in source else sorted({2, int(source.NumberOfFrames)})
    try:
        made = extracted(FromFile(path, LIMITS), FrameList(SIMPLE, tuple(numbers)), LIMITS)
    except (NotExtractable, NotMultiFrame, TruncatedDataSet) as error:
        pytest.skip(f"no frames can be taken out: {error}")
    file = tmp_path / "made.dcm"
    opened = made.opened()
    file.write_bytes(b"".join(bytes(opened._read(at, min(MIB, made.end - at))) for at in range(0, made.end, MIB)))
    made.close()
    for place, number in enumerate(numbers):
        try:
            expected = pixel_array(path, index=number - 1)
        except Exception as error:  # noqa: BLE001 - whatever it cannot decode
            pytest.skip(f"pydicom cannot decode it: {str(error)[:80]}")
        assert np.array_equal(pixel_array(file, index=place), expected)
    assert int(dcmread(file, stop_before_pixels=True).NumberOfFrames) == len(numbers)
