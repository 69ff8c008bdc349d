"""Every value of every real file against pydicom's reading: UIDs, index values, the whole DICOM JSON, the pixel description.

The table of what came out of it is written to ``build/reference/scan.md``. Frames have a test of their own beside this one.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from data import data_files, pydicom_files
from pydicom.dataset import Dataset
from pydicom_view import differences, our_json, read, reference_json
from scanning import LIMITS, json_of, scan_both, value_at

from engine.dicom.frame import FrameDescriptor, Rescale, VoiLutFunction, Window
from engine.dicom.levels import INDEX_TAGS
from engine.dicom.scan import dicom_json
from engine.dicom.scanned import ScannedInstance
from engine.errors import EngineError, MissingUid, NotDicom, TruncatedDataSet

PIXEL_KEYWORDS = {
    "PixelData": "PixelData",
    "FloatPixelData": "FloatPixelData",
    "DoubleFloatPixelData": "DoubleFloatPixelData",
}

# What is refused whole, by kind: file → (error, why that is right although pydicom shows something).
TRUNCATED = "the file ends before its data set does; an archive must not acknowledge half an image (pydicom gives what is there)"
DIRECTORY = "a DICOMDIR describes other files and is no instance to file (PS3.3 F)"
NO_DICOM = "no DICOM: text, or bytes without a first element that any encoding allows (pydicom, forced, makes one element of it)"
REFUSED: dict[str, tuple[type[EngineError], str]] = {
    **dict.fromkeys(
        ("MANIFEST.md", "SHA256SUMS", "README", "README.txt", "crayons.icc", "no_meta.dcm", "rtplan.dump", "rtstruct.dump",
         "test1.json", "test_PN.json", "zipMR.gz"), (NotDicom, NO_DICOM),
    ),
    **dict.fromkeys(
        ("DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-empty.dcm", "DICOMDIR-implicit", "DICOMDIR-nooffset", "DICOMDIR-nopatient",
         "DICOMDIR-reordered"), (MissingUid, DIRECTORY),
    ),
    **dict.fromkeys(
        ("MR_truncated.dcm", "rtplan_truncated.dcm", "dcm4che__3gb-bulk-data-truncated", "fo-dicom__GH179B.dcm",
         "pydicom-data__emri_small_jpeg_2k_lossless_too_short.dcm"), (TruncatedDataSet, TRUNCATED),
    ),
    "fo-dicom__GH626.dcm": (
        TruncatedDataSet,
        "(2005,140F) says 256 bytes and has more, so the next header is made of its rest: pydicom stops there without a word,"
        " dcmdump refuses too",
    ),
}  # fmt: skip

# Differences in values: file → {line that starts so: why ours is right, or as good}.
EXPLAINED: dict[str, dict[str, str]] = {
    "fo-dicom__GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm": {
        "pydicom refuses": "pydicom finds no tag behind the pixel data of undefined length; ours reads the file to its end"
    },
    "dcm4che__Tag-0040-A170-VR-CS.dcm": {
        "0040A020": "text where the dictionary has a sequence, in implicit VR: shown without items, by pydicom with one empty item"
    },
    "fo-dicom__RI6XDosiGap.dcm": {
        "50003000": "Curve Data in implicit VR is OW (PS3.5 A.1); pydicom leaves 'OB or OW', which DICOM JSON does not know"
    },
    "fo-dicom__DIRW0007": {"FFFEE0DD": "a stray sequence delimiter; it is no attribute"},
    "fo-dicom__GH195.dcm": {"00091105": "a DS '1.9.10.0' is no number: ours gives the text, pydicom raises"},
    "badVR.dcm": {"00280008": "an IS '1A' is no number: ours gives the text and a defect, pydicom raises"},
}


@cache
def candidates() -> list[Path]:
    return [*data_files(""), *pydicom_files()]


def without_end(value: bytes | None) -> bytes:
    """Fragments are given with the delimiter that ends them; pydicom leaves it off."""
    assert value is not None
    is_fragments = value[:4] == b"\xfe\xff\x00\xe0" and value[-8:-4] == b"\xfe\xff\xdd\xe0"
    return value[:-8] if is_fragments else value


def compare(data: bytes, scanned: ScannedInstance) -> Iterator[str]:
    """One line per difference between ours and pydicom's reading of the file."""
    try:
        ds = read(data)
        theirs = reference_json(ds)
    except Exception as error:  # noqa: BLE001 - whatever stops the reference is one line of the table
        yield f"pydicom refuses: {type(error).__name__}: {error}"
        return
    yield from differences(our_json(json_of(data), lambda at: without_end(value_at(data, at))), theirs)
    yield from index_differences(scanned, ds, theirs)
    yield from descriptor_differences(scanned, ds)


def index_differences(scanned: ScannedInstance, ds: Dataset, theirs: dict[str, Any]) -> Iterator[str]:
    """UIDs, and the documents of the four levels against the same attributes of pydicom's JSON."""
    codes = {d.code for d in scanned.defects}
    for keyword, ours in (
        ("SOPInstanceUID", scanned.sop_instance_uid),
        ("StudyInstanceUID", scanned.study_instance_uid),
        ("SeriesInstanceUID", scanned.series_instance_uid),
        ("SOPClassUID", scanned.sop_class_uid),
    ):
        uid = str(ds.get(keyword) or "")
        if uid:
            if uid != ours:
                yield f"{keyword}"
        elif not (ours or keyword == "SOPClassUID") or not codes & {
            "no-sop-instance-uid", "no-study-uid", "no-series-uid", "no-sop-class-uid"
        }:  # fmt: skip
            yield f"{keyword} is missing without a defect"
    meta = str(ds.file_meta.get("TransferSyntaxUID", "") or "")
    if meta and meta != scanned.transfer_syntax_uid:
        yield "TransferSyntaxUID"
    documents = (scanned.patient_json, scanned.study_json, scanned.series_json, scanned.instance_json)
    for level, document in enumerate(documents):
        attributes = json.loads(document)
        assert list(attributes) == sorted(attributes)
        tags = {f"{tag:08X}" for tag, at in INDEX_TAGS if at == level}
        derived = {
            t for t in ("00080018", "0020000D", "0020000E") if t in attributes and not theirs.get(t, {}).get("Value")
        }
        ours = {t: v for t, v in our_json(attributes, lambda _: b"").items() if t not in derived}
        wanted = {t: v for t, v in theirs.items() if t in tags and t not in derived}
        yield from (f"index {line}" for line in differences(ours, wanted))


def descriptor_differences(scanned: ScannedInstance, ds: Dataset) -> Iterator[str]:
    ours = scanned.frame_descriptor
    keyword = next((k for k in PIXEL_KEYWORDS if k in ds), None)
    if ours is None:
        usable = keyword and ds.get("Rows") and ds.get("Columns") and ds.get(keyword) is not None
        if usable and not {d.code for d in scanned.defects} & {"pixels-not-described", "pixel-data-short"}:
            yield "no descriptor, and no defect that says why"
        return
    assert keyword is not None
    for name, expected in expected_description(ds, keyword).items():
        if getattr(ours, name) != expected:
            yield f"descriptor {name}: {getattr(ours, name)}, pydicom {expected}"


def expected_description(ds: Dataset, keyword: str) -> dict[str, Any]:
    """The fields of `FrameDescriptor` from pydicom's values and the clauses that say what an absent one means."""
    allocated = int(ds.get("BitsAllocated") or {"FloatPixelData": 32, "DoubleFloatPixelData": 64}[keyword])
    stored = int(ds.get("BitsStored") or allocated)
    stored = stored if stored <= allocated else allocated
    high = int(ds.get("HighBit") or 0)
    signed = int(ds.get("PixelRepresentation") or 0)
    frames = number_of_frames(ds)
    aspect = ds.get("PixelAspectRatio")
    return {
        "sop_class_uid": str(ds.get("SOPClassUID") or ds.file_meta.get("MediaStorageSOPClassUID", "")),
        "modality": str(ds.get("Modality") or ""),
        "rows": int(ds.Rows),
        "columns": int(ds.Columns),
        "number_of_frames": frames,
        "samples_per_pixel": int(ds.get("SamplesPerPixel") or 1),
        "bits_allocated": allocated,
        "bits_stored": stored,
        # a high bit below what is stored cannot be; PS3.5 8.1.1 then leaves only stored - 1
        "high_bit": high if stored - 1 <= high < allocated else stored - 1,
        "pixel_representation": signed,
        "planar_configuration": int(ds.get("PlanarConfiguration") or 0),
        "photometric_interpretation": str(ds.get("PhotometricInterpretation") or ""),
        "pixel_keyword": keyword,
        "rescales": expected_rescales(ds, frames),
        "windows": expected_windows(ds, frames),
        "presentation_lut_shape": str(ds.get("PresentationLUTShape") or ""),
        "pixel_padding_value": real_padding(ds, "Value") or sixteen_bits(ds.get("PixelPaddingValue"), signed),
        "pixel_padding_range_limit": real_padding(ds, "RangeLimit")
        or sixteen_bits(ds.get("PixelPaddingRangeLimit"), signed),
        "smallest_pixel_value": sixteen_bits(ds.get("SmallestImagePixelValue"), signed),
        "largest_pixel_value": sixteen_bits(ds.get("LargestImagePixelValue"), signed),
        "has_modality_lut": bool(ds.get("ModalityLUTSequence")),
        "has_voi_lut": bool(ds.get("VOILUTSequence"))
        or any(item.get("VOILUTSequence") for item in group_items(ds, "FrameVOILUTSequence")),
        "has_presentation_lut": bool(ds.get("PresentationLUTSequence")),
        "has_icc_profile": bool(ds.get("ICCProfile"))
        or any(item.get("ICCProfile") for item in ds.get("OpticalPathSequence") or []),
        "has_real_world_values": bool(ds.get("RealWorldValueMappingSequence"))
        or any(True for _ in group_items(ds, "RealWorldValueMappingSequence")),
        "pixel_presentation": str(ds.get("PixelPresentation") or ""),
        "pixel_spacings": expected_spacings(ds, frames),
        "has_palette": "RedPaletteColorLookupTableDescriptor" in ds,
        "has_overlay": any(t & 0xFF01FFFF in (0x60003000, 0x60000010) for t in ds.keys()),  # noqa: SIM118
        "pixel_aspect_ratio": tuple(map(float, aspect)) if len(several(aspect)) == 2 and all(aspect) else (1.0, 1.0),
    }


def number_of_frames(ds: Dataset) -> int:
    try:
        return int(ds.get("NumberOfFrames") or 1)
    except ValueError:  # badVR.dcm has "1A"
        return 1


def sixteen_bits(value: Any, signed: int) -> int | None:
    """US or SS as Pixel Representation says (PS3.3 C.7.5.1.1.2), whatever VR a writer gave it."""
    if value is None or isinstance(value, bytes):
        return None
    code: int = struct.unpack("<h" if signed else "<H", struct.pack("<i", int(value))[:2])[0]
    return code


def real_padding(ds: Dataset, what: str) -> float | None:
    """Of Float and Double Float Pixel Data (PS3.3 C.7.6.24, C.7.6.25)."""
    found = [ds.get(f"{kind}PixelPadding{what}") for kind in ("Float", "DoubleFloat")]
    return next((float(value) for value in found if value is not None), None)


def group_items(ds: Dataset, macro: str) -> Iterator[Dataset]:
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in ds.get(keyword) or []:
            yield from group.get(macro) or []


def expected_spacings(ds: Dataset, frames: int) -> tuple[tuple[float, float], ...]:
    def spacing(at: Dataset | None) -> tuple[float, ...] | None:
        for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
            pair = [float(v) for v in several(at.get(keyword))] if at is not None else []
            if len(pair) == 2 and min(pair) > 0:
                return tuple(pair)
        return None

    found = per_frame(ds, frames, "PixelMeasuresSequence", spacing, (0.0, 0.0))
    return found[:1] if len(set(found)) == 1 else found


def several(value: Any) -> list[Any]:
    """The values of an element, which pydicom gives bare when there is one."""
    return [] if value is None or value == "" else list(value) if hasattr(value, "append") else [value]


def first_item(ds: Dataset | None, keyword: str) -> Dataset | None:
    sequence = ds.get(keyword) if ds is not None else None
    item: Dataset | None = sequence[0] if sequence else None
    return item


def expected_rescales(ds: Dataset, frames: int) -> tuple[Rescale, ...]:
    def rescale(at: Dataset | None) -> Rescale | None:
        if at is None or (at.get("RescaleSlope") is None and at.get("RescaleIntercept") is None):
            return None
        slope = 1.0 if at.get("RescaleSlope") is None else float(at.RescaleSlope)
        intercept = 0.0 if at.get("RescaleIntercept") is None else float(at.RescaleIntercept)
        return Rescale(slope, intercept, str(at.get("RescaleType") or ""))

    return per_frame(ds, frames, "PixelValueTransformationSequence", rescale, Rescale())


def expected_windows(ds: Dataset, frames: int) -> tuple[tuple[Window, ...], ...]:
    def windows(at: Dataset | None) -> tuple[Window, ...] | None:
        centers = several(at.get("WindowCenter")) if at is not None else []
        widths = several(at.get("WindowWidth")) if at is not None else []
        if at is None or not centers or not widths:
            return None
        name = str(at.get("VOILUTFunction") or "LINEAR")
        function = VoiLutFunction(name) if name in list(VoiLutFunction) else VoiLutFunction.LINEAR
        labels = [str(e) for e in several(at.get("WindowCenterWidthExplanation"))] + [""] * len(centers)
        return tuple(
            Window(float(c), float(w), function, label) for c, w, label in zip(centers, widths, labels, strict=False)
        )

    return per_frame(ds, frames, "FrameVOILUTSequence", windows, ())


def per_frame(ds: Dataset, frames: int, macro: str, value: Any, empty: Any) -> tuple[Any, ...]:
    """A functional group macro (PS3.3 C.7.6.16): per frame before shared before the data set's own."""
    own = value(first_item(first_item(ds, "SharedFunctionalGroupsSequence"), macro)) or value(ds)
    items = [value(first_item(item, macro)) for item in ds.get("PerFrameFunctionalGroupsSequence") or []]
    if not any(items):
        return (own,) if own else ()
    filled = [item or own or empty for item in items]
    return tuple(filled) if len(filled) in (1, frames) else tuple(filled[:1])


def outcome(path: Path) -> tuple[str, list[str], list[str]]:
    """Outcome, unexplained lines, explanations used; explanations that explain nothing are lines too."""
    data = path.read_bytes()
    name = path.name
    try:
        scanned = scan_both(data)  # and from a file, with the same result
    except EngineError as error:
        kind, why = REFUSED.get(name, (None, ""))
        if kind is not type(error):
            return "DIFFERENT", [f"{type(error).__name__}: {error}"], []
        return "refused", [], [why]
    wrong: list[str] = ["explained as refused, but it is read"] if name in REFUSED else []
    if dicom_json(data[: scanned.header_length], LIMITS, "x") != dicom_json(data, LIMITS, "x"):
        wrong.append("the header alone gives another JSON than the whole file")
    used: dict[str, str] = {}
    for line in compare(data, scanned):
        start = next((s for s in EXPLAINED.get(name, {}) if line.removeprefix("index ").startswith(s)), None)
        if start is None:
            wrong.append(line)
        else:
            used[start] = EXPLAINED[name][start]
    wrong += [f"explained, but not different: {s}" for s in EXPLAINED.get(name, {}) if s not in used]
    return ("DIFFERENT" if wrong else "explained" if used else "equal"), wrong, list(used.values())


@pytest.mark.timeout(300)
def test_values_equal_pydicoms() -> None:
    lines, failures, counts = ["| file | outcome | why |", "|---|---|---|"], [], {"equal": 0}
    for path in candidates():
        result, wrong, why = outcome(path)
        counts[result] = counts.get(result, 0) + 1
        lines.append(f"| {path.parent.name}/{path.name} | {result} | {'; '.join([*wrong[:5], *why])} |")
        failures += [f"{path.name}: {line}" for line in wrong]
    out = Path(__file__).parents[2] / "build" / "reference"
    out.mkdir(parents=True, exist_ok=True)
    summary = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
    (out / "scan.md").write_text(f"{len(candidates())} files: {summary}\n\n" + "\n".join(lines) + "\n")
    assert failures == []
    assert counts["equal"] > 60


def test_every_field_of_the_description_is_compared() -> None:
    ds = Dataset()
    ds.Rows = ds.Columns = ds.BitsAllocated = 8
    ds.file_meta = Dataset()
    described = set(expected_description(ds, "PixelData"))
    # The transfer syntax is compared with the UIDs; swapped bytes are a matter of frames (test_scan_frames).
    assert {f.name for f in fields(FrameDescriptor)} - described == {"transfer_syntax_uid", "has_swapped_bytes"}
