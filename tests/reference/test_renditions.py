"""Real files: what a rendition gives back is what pydicom reads from the file, or the pack says why there is none."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from archives import incoming
from data import data_files, needs_data, pydicom_files
from pydicom.pixels import pixel_array
from renditions import LIMITS, Made

from engine.archive.renditions.pack import FrameKind
from engine.codec.rendition import decode_rendition
from engine.errors import EngineError

BYTES_MAX = 2 << 20
# Lossy forms, which two decoders may round differently, and colours that decoders turn to RGB or leave.
_EXACT = {
    f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".2", ".1.99", ".5", ".4.57", ".4.70", ".4.80", ".4.90", ".4.201")
}


def files(every: list[Path]) -> list[Path]:
    return [path for path in every if path.stat().st_size <= BYTES_MAX]


def check(path: Path, packs: Path) -> str:
    """What became of a file's frames: made, kept, stored, or no image; AssertionError where pixels differ."""
    made = Made.in_memory(packs)
    try:
        one = incoming(path.read_bytes(), 1, LIMITS)
        made.archive.store([one])
    except EngineError:
        return "refused"
    uids = one.scanned.study_instance_uid, one.scanned.series_instance_uid
    for _ in made.maker.make(*uids, 1):
        pass
    pack = made.shelf.find(*uids)
    assert pack is not None
    record = made.archive.instance(one.scanned.sop_instance_uid)
    if not len(pack):
        assert record.frame_table is None or record.frame_descriptor is None
        return "no image"
    for index in range(len(pack)):
        frame = pack[index]
        if frame.kind is FrameKind.STORED:
            assert frame.reason
        elif frame.kind is FrameKind.MADE and record.transfer_syntax_uid in _EXACT and index < 3:
            compare(path, index, made, frame, record, pack)
    return pack[0].kind.name.lower()


def compare(path: Path, index: int, made: Made, frame: Any, record: Any, pack: Any) -> None:
    ours = decode_rendition(
        record.frame_descriptor, pack.code_stream(frame), frame.photometric_interpretation, frame.bits, LIMITS
    ).stored_values
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = pixel_array(pydicom.dcmread(path, force=True), index=index, raw=True)
        except Exception:  # noqa: BLE001 - what pydicom cannot read is no oracle
            return
    d = record.frame_descriptor
    is_plain = d.samples_per_pixel == 1 and d.high_bit == d.bits_stored - 1 and ours.shape == theirs.shape
    if is_plain and theirs.dtype.kind in "iu":
        mask = (1 << d.bits_stored) - 1  # what stands above is for overlays
        assert np.array_equal(ours.astype(np.int64) & mask, theirs.astype(np.int64) & mask), path.name


def test_pydicoms_files(tmp_path: Path) -> None:
    outcomes: dict[str, int] = {}
    for number, path in enumerate(files(pydicom_files())):
        found = check(path, tmp_path / str(number))
        outcomes[found] = outcomes.get(found, 0) + 1
    assert outcomes["made"] > 40, outcomes
    assert outcomes["stored"] > 5, outcomes


@needs_data
def test_shared_files(tmp_path: Path) -> None:
    every = files(data_files("syntaxes", "multiframe", "derived", "mr-j2k", "mr-jpll", "ct-tilt", "malformed"))
    outcomes: dict[str, int] = {}
    for number, path in enumerate(every[:: max(1, len(every) // 150)]):
        found = check(path, tmp_path / str(number))
        outcomes[found] = outcomes.get(found, 0) + 1
    assert outcomes.get("made", 0) > 10, outcomes
