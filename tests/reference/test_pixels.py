"""Stored values of every real file against pydicom's (with its own choice of decoder), frame by frame.

The table of what was compared with what, and how, is written to ``build/reference/pixels.md``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from data import data_files, pydicom_files
from pydicom.pixels import convert_color_space, pixel_array

from engine.codec.registry import DECODERS, decode_frame
from engine.dicom.frame_table import FrameTableKind, join_fragments
from engine.dicom.scan import scan
from engine.errors import EngineError
from engine.limits import Limits

LIMITS = Limits()
FRAMES_MAX = 4  # first, last and two between: a frame table that is wrong is wrong there
SIZE_MAX = 64 * 1024 * 1024
# Lossy JPEG leaves the inverse transform's rounding and chroma upsampling to the decoder (T.81 A.3.3): as close as this.
LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 53, 55, 81, 91, 203)}
LOSSY_COLOUR_MEAN = 1.5
LOSSY_GREY_MAX = 2


@dataclass(frozen=True)
class Row:
    name: str
    transfer_syntax_uid: str
    outcome: str
    detail: str = ""


def candidates() -> list[Path]:
    return [p for p in [*data_files(""), *pydicom_files()] if p.stat().st_size < SIZE_MAX]


def ours(data: bytes) -> Iterator[tuple[int, Any]]:
    scanned = scan(data, LIMITS)
    descriptor, table = scanned.frame_descriptor, scanned.frame_table
    if descriptor is None or table is None:
        return
    if table.kind is FrameTableKind.DEFLATED:
        import zlib

        span = table.deflated_span
        data = zlib.decompress(data[span.offset : span.offset + span.length], -15)
    chosen = sorted({0, len(table) - 1, len(table) // 3, len(table) // 2})
    for index in [i for i in chosen if 0 <= i < len(table)][:FRAMES_MAX]:
        span = table[index]
        code = join_fragments(memoryview(data)[span.offset : span.offset + span.length], span.fragment_count)
        yield index, decode_frame(descriptor, code, LIMITS, first_bit=span.first_bit)


def compare(path: Path) -> Row | None:
    data = path.read_bytes()
    try:
        scanned = scan(data, LIMITS)
    except EngineError as error:
        return Row(path.name, "", "refused", str(error))
    uid = scanned.transfer_syntax_uid
    if scanned.frame_descriptor is None:
        return None
    if uid not in DECODERS:
        return Row(path.name, uid, "not decoded", "transfer syntax")
    try:
        frames = list(ours(data))
    except EngineError as error:
        mine: Exception | None = error
        frames = []
    else:
        mine = None
    worst, mean = 0.0, 0.0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path, force=True)
            if "TransferSyntaxUID" not in ds.file_meta:
                ds.file_meta.TransferSyntaxUID = uid
            for index, frame in frames or [(0, None)]:
                theirs = pixel_array(ds, index=index)
                if frame is None:
                    continue
                values = frame.stored_values
                if frame.photometric_interpretation.startswith("YBR") and values.ndim == 3:
                    values = convert_color_space(values, "YBR_FULL", "RGB")
                if values.shape != theirs.shape:
                    return Row(path.name, uid, "DIFFERENT", f"shape {values.shape}, pydicom {theirs.shape}")
                gap = np.abs(values.astype(np.float64) - theirs.astype(np.float64))
                worst, mean = max(worst, float(gap.max(initial=0))), max(mean, float(gap.mean()))
    except Exception as error:  # noqa: BLE001 - the reference has many ways to refuse, each is a row
        first = str(error).splitlines()[0]
        return Row(
            path.name, uid, "both refuse" if mine else "pydicom refuses", f"{mine or ''} / pydicom: {first}"[:200]
        )
    if mine is not None:
        return Row(path.name, uid, "DIFFERENT", f"we refuse: {mine}")
    if worst == 0:
        return Row(path.name, uid, "equal", f"{len(frames)} frames")
    colour = frames[0][1].stored_values.ndim == 3
    if uid in LOSSY and ((colour and mean <= LOSSY_COLOUR_MEAN) or (not colour and worst <= LOSSY_GREY_MAX)):
        return Row(path.name, uid, "within lossy bound", f"largest {worst:.0f}, mean {mean:.3f}")
    return Row(path.name, uid, "DIFFERENT", f"largest {worst:.0f}, mean {mean:.3f}")


# name → why the difference is right, or pydicom's
EXPLAINED = {
    "fo-dicom__multiframe.dcm": "code streams of 121×55 pixels under a header of 240×240: pydicom shows 121×55, we refuse",
}


@pytest.mark.timeout(900)
def test_stored_values_equal_pydicoms() -> None:
    rows = [row for path in candidates() if (row := compare(path)) is not None]
    out = Path(__file__).parents[2] / "build" / "reference"
    out.mkdir(parents=True, exist_ok=True)
    lines = ["| file | transfer syntax | outcome | how |", "|---|---|---|---|"]
    lines += [f"| {r.name} | {r.transfer_syntax_uid} | {r.outcome} | {EXPLAINED.get(r.name, r.detail)} |" for r in rows]
    (out / "pixels.md").write_text("\n".join(lines) + "\n")
    assert sum(r.outcome == "equal" for r in rows) > 50
    assert [r for r in rows if r.outcome == "DIFFERENT" and r.name not in EXPLAINED] == []
