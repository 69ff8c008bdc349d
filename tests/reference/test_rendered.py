"""Rendered images of real files (PNG, so lossless) against a pipeline made of pydicom's functions and numpy, ±1 grey.

The table of what was compared, and how close, is written to ``build/reference/rendered.md``.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from data import DATA, data_files, needs_data, pydicom_files
from PIL import Image
from pydicom.pixels import apply_color_lut, apply_modality_lut, convert_color_space, pixel_array
from pydicom.pixels.processing import apply_voi, apply_windowing

from engine.codec.base import DecodedFrame
from engine.codec.encode import encode_png
from engine.codec.registry import DECODERS, decode_frame
from engine.dicom.display import read_header
from engine.dicom.frame_table import FrameTableKind, join_fragments
from engine.dicom.scan import scan
from engine.errors import EngineError
from engine.imaging.plan import needs_header, plan
from engine.imaging.render import render
from engine.imaging.spec import RenderSpec
from engine.limits import Limits

Array = np.ndarray[Any, Any]
LIMITS = Limits()
SIZE_MAX = 64 * 1024 * 1024
SERIES_MAX = 6  # of a series that is many times the same
GREY_MAX = 1
LOSSY_COLOUR_MEAN = 1.5  # JPEG's own freedom, as in test_pixels

# What pydicom does not decode, and why: the pipeline is compared all the same, over our pixels, which test_pixels and
# tests/unit/codec compare with those of others.
TWELVE = "12-bit JPEG"
OUR_PIXELS = {
    "dicom-test-files__SC1_JPLY": TWELVE,
    "dicom-test-files__MR1_JPLY": TWELVE,
    "dicom-test-files__MR4_JPLY": TWELVE,
    "dicom-test-files__RG3_JPLY": TWELVE,
    "dicom-test-files__XA1_JPLY": TWELVE,
    "cornerstone3D__CT0012.fragmented_no_bot_jpeg_baseline.51.dcm": TWELVE,
    "cornerstone3D__CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm": TWELVE,
    "cornerstone3D__CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm": TWELVE,
    "pylibjpeg-data__RG2_JPLY_fixed.dcm": TWELVE,
    "JPEG-lossy.dcm": TWELVE,
    "JPGExtended.dcm": TWELVE,
    "fo-dicom__GH340.dcm": "12 bits allocated, which PS3.5 allowed until 2004",
    "orthanc-tests__MultiframeWindowing.dcm": "no Pixel Representation",
    "pydicom-data__JLSL_08_07_0_1F.dcm": "JPEG-LS of 7 bits",
    "pylibjpeg-data__966.dcm": "a comment behind the last tile-part",
    "pydicom-data__liver_deflate.dcm": "Deflated Image Frame Compression",
    "badVR.dcm": "a Number of Frames that is no number",
}
# Nothing that pydicom could read the header of.
NO_OPINION = {
    "fo-dicom__GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm": "a little endian sequence in UN (CP-246)",
}
# What the header says of the colours of a code stream that has others; pydicom believes it.
CODED_AS = {
    "pylibjpeg-data__SC_rgb_jpeg_lossy_gdcm.dcm": ("YBR_FULL", "subsampled YCbCr under a header of RGB"),
}


@dataclass(frozen=True)
class Row:
    name: str
    transfer_syntax_uid: str
    pipeline: str
    outcome: str
    detail: str = ""


class NoOpinion(Exception):
    """pydicom cannot do this file; says why."""


def ours(content: bytes, frame_index: int) -> tuple[Array, DecodedFrame]:
    """The picture, and what it was made of."""
    scanned = scan(content, LIMITS)
    d, table = scanned.frame_descriptor, scanned.frame_table
    assert d is not None and table is not None
    span = table[frame_index]
    code = join_fragments(memoryview(content)[span.offset : span.offset + span.length], span.fragment_count)
    decoded = decode_frame(d, code, LIMITS, first_bit=span.first_bit)
    header = (
        read_header(memoryview(content)[scanned.data_set_offset :], d, LIMITS)
        if needs_header(d, RenderSpec())
        else None
    )
    what = plan(d, frame_index, decoded.photometric_interpretation, RenderSpec(), LIMITS, header)
    return np.asarray(Image.open(io.BytesIO(encode_png(render(what, decoded.stored_values))))), decoded


def of_frame(ds: Any, frame_index: int, keyword: str, inside: str) -> Any:
    """An attribute of the frame: of the data set, or of its functional groups (PS3.3 C.7.6.16), one's own first."""
    groups = [*(ds.get("PerFrameFunctionalGroupsSequence") or [])[frame_index : frame_index + 1]]
    groups += [*(ds.get("SharedFunctionalGroupsSequence") or [])[:1]]
    for group in groups:
        for item in group.get(inside) or []:
            if item.get(keyword) is not None:
                return item.get(keyword)
    return ds.get(keyword)


def theirs(path: Path, frame_index: int, uid: str, decoded: DecodedFrame) -> tuple[Array, str]:
    """The frame's display values by pydicom, and by which pipeline."""
    try:
        ds = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in ds.file_meta:
            ds.file_meta.TransferSyntaxUID = uid
        values = decoded.stored_values if path.name in OUR_PIXELS else pixel_array(ds, index=frame_index)
    except Exception as error:
        raise NoOpinion(str(error).splitlines()[0]) from error
    if path.name in CODED_AS:
        values = convert_color_space(values, CODED_AS[path.name][0], "RGB")
    photometric = str(ds.get("PhotometricInterpretation", "MONOCHROME2"))  # ACR-NEMA had no other
    if photometric == "PALETTE COLOR":
        return palette_colours(ds, values), "palette"
    if values.ndim == 3:
        # pixel_array gives RGB for what a JPEG or JPEG 2000 code stream has converted, and for YBR_FULL.
        if ds.BitsStored > 8:
            values = np.floor(values.astype(float) * 255.0 / ((1 << ds.BitsStored) - 1) + 0.5).astype(np.uint8)
        return values, "colour"
    padded = np.zeros(values.shape, bool)
    if ds.get("PixelPaddingValue") is not None:
        ends = sorted((int(ds.PixelPaddingValue), int(ds.get("PixelPaddingRangeLimit", ds.PixelPaddingValue))))
        padded = (values >= ends[0]) & (values <= ends[1])
    modality, how = modality_values(ds, frame_index, values)
    grey, shown = grey_values(ds, frame_index, modality, padded)
    how += shown
    if photometric == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE":
        grey, how = 255.0 - grey, how + ", inverted"
    if padded.any():
        grey, how = np.where(padded, 0.0, grey), how + ", padded"
    if ds.get("PixelPresentation") in ("COLOR", "MIXED") and "RedPaletteColorLookupTableDescriptor" in ds:
        is_colour = values >= ds.RedPaletteColorLookupTableDescriptor[1]
        del ds.PixelPresentation  # pydicom does not do supplemental palettes; their colours are those of a palette
        return np.where(is_colour[..., None], palette_colours(ds, values), grey[..., None]), how + ", mixed"
    return np.asarray(grey), how


def palette_colours(ds: Any, values: Array) -> Array:
    for colour in ("Red", "Green", "Blue"):
        element = ds.get(f"{colour}PaletteColorLookupTableData")
        if element is not None and not ds.original_encoding[1]:
            # pydicom takes the words of OW in the machine's order; the same image in RLE shows that they are not
            setattr(ds, f"{colour}PaletteColorLookupTableData", np.frombuffer(element, ">u2").astype("<u2").tobytes())
    rgb = apply_color_lut(values, ds)
    return (rgb >> 8).astype(np.uint8) if rgb.dtype == np.uint16 else rgb


def first(value: Any) -> Any:
    return value[0] if isinstance(value, pydicom.multival.MultiValue | list | tuple) else value


def has_lut(ds: Any, keyword: str) -> bool:
    """An item without a descriptor is what some writers make of no LUT at all."""
    return any(item.get("LUTDescriptor") is not None for item in ds.get(keyword) or [])


def modality_values(ds: Any, frame_index: int, values: Array) -> tuple[Array, str]:
    if has_lut(ds, "ModalityLUTSequence"):
        return apply_modality_lut(values, ds).astype(np.float64), "modality LUT, "
    step = pydicom.Dataset()
    step.RescaleSlope = of_frame(ds, frame_index, "RescaleSlope", "PixelValueTransformationSequence")
    step.RescaleIntercept = of_frame(ds, frame_index, "RescaleIntercept", "PixelValueTransformationSequence")
    if step.RescaleSlope is None or step.RescaleIntercept is None:
        step.RescaleSlope, step.RescaleIntercept = 1, 0
    return apply_modality_lut(values.astype(np.float64), step), ""


def grey_values(ds: Any, frame_index: int, modality: Array, padded: Array) -> tuple[Array, str]:
    """0 to 255, before inversion: by VOI LUT, window, or what docs/imaging.md says of headers without either."""
    if has_lut(ds, "VOILUTSequence"):
        bits = ds.VOILUTSequence[0].LUTDescriptor[2]
        return apply_voi(modality.astype(np.int64), ds).astype(np.float64) * 255.0 / ((1 << bits) - 1), "VOI LUT"
    center = first(of_frame(ds, frame_index, "WindowCenter", "FrameVOILUTSequence"))
    width = first(of_frame(ds, frame_index, "WindowWidth", "FrameVOILUTSequence"))
    function = of_frame(ds, frame_index, "VOILUTFunction", "FrameVOILUTSequence") or "LINEAR"
    if center is None or not width or width <= 0:
        window = usual_window(ds, frame_index)
        if window is None:
            return by_range(ds, modality, padded)
        center, width, function = window
    elif width < 1 and function == "LINEAR":
        function = "LINEAR_EXACT"  # the other formula has no such widths
    # apply_windowing stretches to the range of what Bits Stored can hold; an 8-bit unsigned one is 0 to 255.
    step = pydicom.Dataset()
    step.WindowCenter, step.WindowWidth, step.VOILUTFunction = center, width, function
    step.PhotometricInterpretation, step.BitsStored, step.PixelRepresentation = "MONOCHROME2", 8, 0
    try:
        return apply_windowing(modality, step), str(function)
    except ValueError as error:
        raise NoOpinion(str(error)) from error


def usual_window(ds: Any, frame_index: int) -> tuple[float, float, str] | None:
    slope = of_frame(ds, frame_index, "RescaleSlope", "PixelValueTransformationSequence")
    intercept = of_frame(ds, frame_index, "RescaleIntercept", "PixelValueTransformationSequence")
    kind = of_frame(ds, frame_index, "RescaleType", "PixelValueTransformationSequence") or ""
    has_rescale = slope is not None or intercept is not None
    if ds.get("Modality") == "CT" and has_rescale and kind in ("", "HU") and not ds.get("ModalityLUTSequence"):
        return 40.0, 400.0, "LINEAR"
    bits = ds.get("BitsStored") or 64
    by_pixels = ("MR", "PT", "NM", "CR", "DX", "MG", "IO", "PX", "RG", "RF", "XA")
    if ds.get("Modality") not in by_pixels and bits <= 8 and not ds.get("ModalityLUTSequence"):
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if ds.get("PixelRepresentation") else (0, (1 << bits) - 1)
        ends = sorted(end * float(slope or 1) + float(intercept or 0) for end in (low, high))
        return sum(ends) / 2, ends[1] - ends[0], "LINEAR_EXACT"
    return None


def by_range(ds: Any, modality: Array, padded: Array) -> tuple[Array, str]:
    kept = modality[~padded & np.isfinite(modality)]
    kept = kept if kept.size else np.zeros(1)
    low, high, how = float(kept.min()), float(kept.max()), "range"
    if ds.get("Modality") == "MR":
        tail = np.quantile(kept, (0.01, 0.99), method="inverted_cdf")
        if tail[1] > tail[0]:
            (low, high), how = tail, "percentiles"
    if ds.get("Modality") in ("PT", "NM"):
        low, how = min(low, 0.0), "from zero"
    if low == high:  # a single value stands beside zero
        low, high = min(low, 0.0), max(high, 0.0)
    return np.clip((modality - low) / (high - low or 1.0), 0, 1) * 255.0, how


def compare(path: Path) -> list[Row]:
    content = path.read_bytes()
    try:
        scanned = scan(content, LIMITS)
    except EngineError:
        return []  # test_pixels has the table of those
    d, table, uid = scanned.frame_descriptor, scanned.frame_table, scanned.transfer_syntax_uid
    if d is None or table is None or uid not in DECODERS or table.kind is FrameTableKind.DEFLATED or not len(table):
        return []
    rows = []
    for index in sorted({0, len(table) - 1}):
        name = f"{path.name}" + (f" [{index + 1}]" if len(table) > 1 else "")
        try:
            mine, decoded = ours(content, index)
        except EngineError as error:
            rows.append(Row(name, uid, "", "not shown", str(error)))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                want, how = theirs(path, index, uid, decoded)
            except NoOpinion as error:
                rows.append(Row(name, uid, "", "pydicom has no pixels", str(error)))
                continue
        if mine.shape != want.shape:
            rows.append(Row(name, uid, how, "DIFFERENT", f"shape {mine.shape}, pydicom {want.shape}"))
            continue
        gap = np.abs(mine.astype(np.float64) - want.astype(np.float64))
        close = gap.max() <= GREY_MAX + 1e-6
        lossy = how == "colour" and uid.startswith("1.2.840.10008.1.2.4.5") and gap.mean() <= LOSSY_COLOUR_MEAN
        detail = f"largest {gap.max():.2f}, mean {gap.mean():.3f}"
        if path.name in OUR_PIXELS:
            detail += f"; of our pixels: {OUR_PIXELS[path.name]}"
        if path.name in CODED_AS:
            detail += f"; {CODED_AS[path.name][1]}"
        rows.append(Row(name, uid, how, "equal" if close else "within lossy bound" if lossy else "DIFFERENT", detail))
    return rows


def candidates() -> list[Path]:
    """Every file, but of each long series only some."""
    taken: dict[Path, int] = {}
    out = []
    for path in [*data_files(""), *pydicom_files()]:
        taken[path.parent] = taken.get(path.parent, 0) + 1
        is_series = path.is_relative_to(DATA) and path.parent.name.startswith(("ct-", "mr-"))
        if path.stat().st_size < SIZE_MAX and not (is_series and taken[path.parent] > SERIES_MAX):
            out.append(path)
    return out


# what is refused, and by which words
NOT_SHOWN: dict[str, tuple[str, ...]] = {
    "cannot be decoded": (  # test_pixels says why
        "fo-dicom__genFile.dcm",
        "fo-dicom__multiframe.dcm",
        "libdicom__generated_encapsulated_empty_bot_1_to_1.dcm",
        "libdicom__generated_encapsulated_empty_bot_2_to_1.dcm",
        "pydicom-data__liver_rle.dcm",
        "JPEG2000-embedded-sequence-delimiter.dcm",
    ),
}


@needs_data
@pytest.mark.timeout(600)
def test_rendered_images_equal_an_independent_pipeline() -> None:
    rows = [row for path in candidates() for row in compare(path)]
    out = Path(__file__).parents[2] / "build" / "reference"
    out.mkdir(parents=True, exist_ok=True)
    lines = ["| file [frame] | transfer syntax | pipeline | outcome | how |", "|---|---|---|---|---|"]
    lines += [f"| {r.name} | {r.transfer_syntax_uid} | {r.pipeline} | {r.outcome} | {r.detail} |" for r in rows]
    (out / "rendered.md").write_text("\n".join(lines) + "\n")
    assert [r for r in rows if r.outcome == "DIFFERENT"] == []
    assert {r.name.split(" [")[0] for r in rows if r.outcome == "pydicom has no pixels"} == set(NO_OPINION)
    refused = {
        (r.name.split(" [")[0], next((why for why in NOT_SHOWN if why in r.detail), r.detail))
        for r in rows
        if r.outcome == "not shown"
    }
    assert refused == {(name, why) for why, names in NOT_SHOWN.items() for name in names}
    assert sum(r.outcome in ("equal", "within lossy bound") for r in rows) >= 320
    assert len([r for r in rows if "inverted" in r.pipeline]) >= 10
    shown = {how for r in rows for how in r.pipeline.split(", ")}
    assert {
        "LINEAR",
        "LINEAR_EXACT",
        "range",
        "percentiles",
        "from zero",
        "colour",
        "palette",
        "mixed",
        "padded",
    } <= shown
    assert "modality LUT" in shown
