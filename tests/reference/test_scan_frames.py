"""The bytes of every frame of every real file against pydicom's: fragments by `pydicom.encaps`, native pixels by slicing its value.

The table of what was compared is written to ``build/reference/scan_frames.md``.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from data import data_files, pydicom_files
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom_view import read
from scanning import LIMITS, frame_bytes

from engine.dicom.frame_table import FrameTable, FrameTableKind
from engine.dicom.scan import scan
from engine.dicom.scanned import ScannedInstance
from engine.errors import EngineError

BYTES_MAX = 64 << 20  # of one file's frames; beyond it the first, the middle and the last one

# file → why ours is right although pydicom gives something else
EXPLAINED: dict[str, str] = {
    "fo-dicom__GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm": "pydicom cannot read the data set at all"
}


def their_frames(ds: Dataset, keyword: str, table: FrameTable, scanned: ScannedInstance) -> list[bytes]:
    value = ds[keyword].value
    frames = len(table)
    if table.kind is FrameTableKind.ENCAPSULATED:
        offsets = None
        if "ExtendedOffsetTable" in ds:
            offsets = (ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths)
        return list(generate_frames(value, number_of_frames=frames, extended_offsets=offsets))
    descriptor = scanned.frame_descriptor
    assert descriptor is not None
    bits = int(ds.Rows) * int(ds.Columns) * int(ds.get("SamplesPerPixel", 1)) * descriptor.bits_allocated
    if ds.get("PhotometricInterpretation") == "YBR_FULL_422" and len(value) < bits // 8 * frames:
        bits = bits // 3 * 2  # PS3.3 C.7.6.3.1.2
    if bits % 8 == 0:
        return [value[i * bits // 8 : (i + 1) * bits // 8] for i in range(frames)]
    unpacked = np.unpackbits(np.frombuffer(value, np.uint8), bitorder="little")
    return [np.packbits(unpacked[i * bits : (i + 1) * bits], bitorder="little").tobytes() for i in range(frames)]


def compare(path: Path) -> tuple[str, str] | None:
    data = path.read_bytes()
    try:
        scanned = scan(data, LIMITS)
    except EngineError:
        return None  # test_scan_values says why
    table, descriptor = scanned.frame_table, scanned.frame_descriptor
    if table is None or descriptor is None:
        return None
    codes = {d.code for d in scanned.defects}
    kind = table.kind.name.lower()
    if len(table) != descriptor.number_of_frames and "pixel-data-short" not in codes:
        return "DIFFERENT", f"{kind}: {len(table)} frames of {descriptor.number_of_frames}, and no defect"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = their_frames(read(data), descriptor.pixel_keyword, table, scanned)
    except Exception as error:  # noqa: BLE001 - the reference has many ways to refuse, each is a row
        return "pydicom refuses", f"{kind}: {type(error).__name__}: {error}".splitlines()[0]
    if len(theirs) != len(table):
        return "DIFFERENT", f"{kind}: {len(table)} frames, pydicom {len(theirs)}"
    chosen = list(range(len(table)))
    if sum(map(len, theirs)) > BYTES_MAX:
        chosen = sorted({0, len(table) // 2, len(table) - 1})
    for index in chosen:
        code = frame_bytes(data, scanned, index)
        # The last frame of single bits ends inside a byte, whose other bits are the next frame's.
        odd = descriptor.rows * descriptor.columns * descriptor.samples_per_pixel * descriptor.bits_allocated % 8
        mine, other = code[: len(theirs[index])], theirs[index]
        if odd and mine:
            mine = mine[:-1] + bytes([mine[-1] & (1 << odd) - 1])
        # One byte of padding behind an odd frame of swapped words belongs to nobody (PS3.5 8.1.1).
        longest = len(other) + (1 if descriptor.has_swapped_bytes or odd else 0)
        if mine != other or len(code) > longest:
            return "DIFFERENT", f"{kind}: frame {index + 1}"
    many = max((table[i].fragment_count for i in range(len(table))), default=0)
    return "equal", f"{kind}: {len(chosen)} frames of {len(table)}" + (
        f", up to {many} fragments each" if many > 1 else ""
    )


@pytest.mark.timeout(300)
def test_frames_equal_pydicoms() -> None:
    lines, failures, kinds = ["| file | outcome | how |", "|---|---|---|"], [], set()
    for path in [*data_files(""), *pydicom_files()]:
        result = compare(path)
        if result is None:
            continue
        outcome, how = result
        explained = EXPLAINED.get(path.name)
        if outcome != "equal" and explained is None:
            failures.append(f"{path.name}: {outcome}: {how}")
        if outcome == "equal" and explained is not None:
            failures.append(f"{path.name}: explained, but equal")
        if outcome == "equal":
            kinds.add(how.split(":")[0] + (" fragments" if "fragments" in how else ""))
        lines.append(f"| {path.parent.name}/{path.name} | {outcome} | {how}{'; ' + explained if explained else ''} |")
    out = Path(__file__).parents[2] / "build" / "reference"
    out.mkdir(parents=True, exist_ok=True)
    (out / "scan_frames.md").write_text("\n".join(lines) + "\n")
    assert failures == []
    assert kinds >= {"native", "encapsulated", "encapsulated fragments"}
