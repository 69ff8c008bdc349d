"""Stored values of every real file against pydicom's (with its own choice of decoder), frame by frame.

The table of what was compared with what, and how, is written to ``build/reference/pixels.md``. Every file is in it: a file that
is not equal to pydicom's is in `EXPLAINED` with its outcome, so that one that begins to be refused fails the test, and so does one
that no longer is.
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
from data import DATA, data_files, needs_data, pydicom_files
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


TWELVE = (
    "12-bit JPEG, for which pydicom has no decoder here; equal to gdcm's in tests/unit/codec/test_second_opinion.py"
)
NO_PIXEL_DATA = "a code stream made of a few bytes, to test fragments with"
NOT_DICOM = "no DICOM, and not to be taken for it"
NO_INSTANCE = "a DICOMDIR, which is no instance"

# path → outcome, why. Whatever is not here must be equal.
EXPLAINED: dict[str, tuple[str, str]] = {
    # The lossy bound: other builds of the same libraries round apart.
    "fo-dicom__VL5_J2KI.dcm": ("within lossy bound", ""),
    "orthanc-tests__Issue16.dcm": ("within lossy bound", ""),
    "orthanc-tests__Issue164.dcm": ("within lossy bound", ""),
    "fo-dicom.Codecs__PM5644-960x540_JPEG-Baseline_YBRFull.dcm": ("within lossy bound", ""),
    "fo-dicom__GH538-jpeg1.dcm": ("within lossy bound", ""),
    # We show what pydicom does not.
    "dicom-test-files__SC1_JPLY": ("pydicom refuses", TWELVE),
    "dicom-test-files__MR1_JPLY": ("pydicom refuses", TWELVE),
    "dicom-test-files__MR4_JPLY": ("pydicom refuses", TWELVE),
    "dicom-test-files__RG3_JPLY": ("pydicom refuses", TWELVE),
    "dicom-test-files__XA1_JPLY": ("pydicom refuses", TWELVE),
    "cornerstone3D__CT0012.fragmented_no_bot_jpeg_baseline.51.dcm": ("pydicom refuses", TWELVE),
    "cornerstone3D__CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm": ("pydicom refuses", TWELVE),
    "cornerstone3D__CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm": ("pydicom refuses", TWELVE),
    "pylibjpeg-data__RG2_JPLY_fixed.dcm": ("pydicom refuses", TWELVE),
    "JPEG-lossy.dcm": ("pydicom refuses", TWELVE),
    "JPGExtended.dcm": ("pydicom refuses", TWELVE),
    "fo-dicom__GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm": (
        "pydicom refuses",
        "a little endian sequence of undefined length in UN (CP-246); equal to what DCMTK makes of it",
    ),
    "fo-dicom__GH340.dcm": ("pydicom refuses", "12 bits allocated, which PS3.5 allowed until 2004; equal to gdcm's"),
    "orthanc-tests__MultiframeWindowing.dcm": ("pydicom refuses", "no Pixel Representation: unsigned; equal to gdcm's"),
    "pydicom-data__JLSL_08_07_0_1F.dcm": ("pydicom refuses", "7-bit JPEG-LS: CharLS decodes it, gdcm and DCMTK refuse"),
    "pylibjpeg-data__966.dcm": (
        "pydicom refuses",
        "a comment behind the last of 6 tile-parts of 6: cut off, the rest is whole (OpenJPEG takes it then, too)",
    ),
    "pydicom-data__liver_deflate.dcm": (
        "pydicom refuses",
        "Deflated Image Frame Compression, which pydicom 3.0.2 does not know; equal to pydicom-data__liver_expb.dcm",
    ),
    "badVR.dcm": ("pydicom refuses", "a broken IS value elsewhere; equal to gdcm's"),
    # Nobody can.
    "fo-dicom__genFile.dcm": ("both refuse", NO_PIXEL_DATA),
    "libdicom__generated_encapsulated_empty_bot_1_to_1.dcm": ("both refuse", NO_PIXEL_DATA),
    "libdicom__generated_encapsulated_empty_bot_2_to_1.dcm": ("both refuse", NO_PIXEL_DATA),
    "JPEG2000-embedded-sequence-delimiter.dcm": ("both refuse", "SIZ claims 1024×3722445056 pixels"),
    "pydicom-data__liver_rle.dcm": ("both refuse", "RLE of single bits, which PS3.5 annex G has no planes for"),
    # We do not, and say so.
    "fo-dicom__multiframe.dcm": ("DIFFERENT", "code streams of 121×55 pixels under a header of 240×240: we refuse"),
    "pylibjpeg-data__SC_rgb_jpeg_lossy_gdcm.dcm": (
        "DIFFERENT",
        "RGB in the header, subsampled YCbCr in the code stream, which we follow: the colours of pydicom-data__SC_rgb.dcm",
    ),
    # The header claims a frame that the bytes do not hold.
    "orthanc-tests__2026-05-26-oob-monochrome-65535.dcm": (
        "no whole frame",
        "65535×65535 pixels claimed over 256 bytes",
    ),
    "fo-dicom__GH1146.dcm": ("no whole frame", "512×512 pixels claimed over an empty element"),
    # Cut off, at the door.
    "fo-dicom__GH179B.dcm": ("refused", "truncated"),
    "dcm4che__3gb-bulk-data-truncated": ("refused", "truncated"),
    "fo-dicom__GH626.dcm": ("refused", "truncated"),
    "pydicom-data__emri_small_jpeg_2k_lossless_too_short.dcm": ("refused", "truncated"),
    "MR_truncated.dcm": ("refused", "truncated"),
    "rtplan_truncated.dcm": ("refused", "truncated"),
    # No instances.
    **{
        name: ("refused", NOT_DICOM)
        for name in (
            *("MANIFEST.md", "SHA256SUMS", "README.txt", "README", "crayons.icc", "no_meta.dcm", "rtplan.dump"),
            *("rtstruct.dump", "test1.json", "test_PN.json", "zipMR.gz"),
        )
    },
    **{
        name: ("refused", NO_INSTANCE)
        for name in (
            *("DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-empty.dcm", "DICOMDIR-implicit", "DICOMDIR-nooffset"),
            *("DICOMDIR-nopatient", "DICOMDIR-reordered"),
        )
    },
}


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


def pixels_by_pydicom(path: Path) -> str:
    """The transfer syntax of a file that pydicom finds pixels in, whether or not it can decode them; or nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(path, force=True, defer_size=1024)
            has_pixels = any(k in ds for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")) and "Rows" in ds
            return str(ds.file_meta.TransferSyntaxUID) if has_pixels else ""
        except Exception:  # noqa: BLE001 - then it is none
            return ""


def compare(path: Path) -> Row | None:
    data = path.read_bytes()
    try:
        scanned = scan(data, LIMITS)
    except EngineError as error:
        return Row(path.name, "", "refused", str(error))
    uid = scanned.transfer_syntax_uid
    if scanned.frame_descriptor is None:
        if pixels_by_pydicom(path) not in DECODERS:
            return None
        return Row(path.name, uid, "no whole frame", ", ".join(defect.code for defect in scanned.defects))
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
    if not frames:
        return Row(path.name, uid, "DIFFERENT", "we have no frame")
    if worst == 0:
        return Row(path.name, uid, "equal", f"{len(frames)} frames")
    colour = frames[0][1].stored_values.ndim == 3
    if uid in LOSSY and ((colour and mean <= LOSSY_COLOUR_MEAN) or (not colour and worst <= LOSSY_GREY_MAX)):
        return Row(path.name, uid, "within lossy bound", f"largest {worst:.0f}, mean {mean:.3f}")
    return Row(path.name, uid, "DIFFERENT", f"largest {worst:.0f}, mean {mean:.3f}")


@needs_data
@pytest.mark.timeout(900)
def test_stored_values_equal_pydicoms() -> None:
    by_path = {path: compare(path) for path in candidates()}
    rows = [row for row in by_path.values() if row is not None]
    out = Path(__file__).parents[2] / "build" / "reference"
    out.mkdir(parents=True, exist_ok=True)
    lines = ["| file | transfer syntax | outcome | how |", "|---|---|---|---|"]
    for path, row in by_path.items():
        if row is not None:
            shown = path.relative_to(DATA) if path.is_relative_to(DATA) else Path("pydicom") / path.name
            why = EXPLAINED.get(row.name, ("", ""))[1]
            lines.append(f"| {shown} | {row.transfer_syntax_uid} | {row.outcome} | {why or row.detail} |")
    (out / "pixels.md").write_text("\n".join(lines) + "\n")
    unexplained = [r for r in rows if r.outcome != EXPLAINED.get(r.name, ("equal",))[0]]
    assert unexplained == []
    assert {name for name in EXPLAINED if name not in {r.name for r in rows}} == set(), "explained, but no longer there"
    assert sum(r.outcome == "equal" for r in rows) >= 570
    # Every syntax of the list has at least one file that is equal, but for the two retired ones (12 bits, see TWELVE), and
    # those that nobody publishes files of, which tests/reference/test_syntaxes.py makes.
    equal = {r.transfer_syntax_uid for r in rows if r.outcome == "equal"}
    unpublished = (
        f"1.2.840.10008.1.2.{n}" for n in ("1.98", "4.92", "4.93", "4.110", "4.111", "4.112", "4.202", "8.1")
    )
    never = {*unpublished, *(f"1.2.840.10008.1.2.4.{n}" for n in (53, 55))}
    assert set(DECODERS) - equal - never == set()


@needs_data
def test_no_file_is_too_large_to_be_compared() -> None:
    assert [p.name for p in [*data_files(""), *pydicom_files()] if p.stat().st_size >= SIZE_MAX] == []
