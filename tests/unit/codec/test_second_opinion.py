"""The same frames by other libraries: pylibjpeg-openjpeg for JPEG 2000, gdcm for every compressed syntax it reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from code_streams import MADE
from data import data_files, needs_data, pydicom_files

from engine.codec.base import Array, DecodedFrame
from engine.codec.jpeg2000 import Jpeg2000Decoder
from engine.codec.openjpeg import Fallback, OpenJpegDecoder
from engine.codec.registry import DECODERS, decode_frame
from engine.dicom.frame import FrameDescriptor
from engine.dicom.frame_table import join_fragments
from engine.dicom.scan import scan
from engine.errors import BadFrame, EngineError
from engine.limits import Limits
from engine.types import Buffer

LIMITS = Limits()
JPEG_2000 = [f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 201, 202, 203)]
LOSSLESS = [f"1.2.840.10008.1.2.{n}" for n in ("4.57", "4.70", "4.80", "4.90", "5")]
LOSSY = [f"1.2.840.10008.1.2.{n}" for n in ("4.51", "4.53", "4.55", "4.81", "4.91")]


class Refuses:
    """A decoder that never can."""

    def decode(
        self, descriptor: FrameDescriptor, data: Buffer, out: Array | None, first_bit: int, reduce: int
    ) -> DecodedFrame:
        raise BadFrame(descriptor.transfer_syntax_uid, "no")


def real_frames(syntaxes: list[str]) -> list[tuple[Path, FrameDescriptor, bytes]]:
    """First frame of every real file of these syntaxes; the mr-j2k series once, it is 24 times the same."""
    found = []
    for path in [*data_files(""), *pydicom_files()]:
        if path.stat().st_size > 1 << 26 or (path.parent.name.startswith("mr-") and path.name > "0003.dcm"):
            continue
        content = path.read_bytes()
        try:
            scanned = scan(content, LIMITS)
        except EngineError:
            continue
        d, table = scanned.frame_descriptor, scanned.frame_table
        if d is None or table is None or not len(table) or d.transfer_syntax_uid not in syntaxes:
            continue
        span = table[0]
        code = join_fragments(content[span.offset : span.offset + span.length], span.fragment_count)
        found.append((path, d, bytes(code)))
    return found


def test_the_second_is_asked_when_the_first_refuses() -> None:
    made = MADE["jpeg 2000"]
    decoded = Fallback(Refuses(), OpenJpegDecoder()).decode(made.descriptor, made.stream(), None, 0, 0)
    np.testing.assert_array_equal(decoded.stored_values, made.values())
    out = np.empty_like(made.values())
    assert Fallback(Refuses(), OpenJpegDecoder()).decode(made.descriptor, made.stream(), out, 0, 0).stored_values is out
    np.testing.assert_array_equal(out, made.values())
    with pytest.raises(BadFrame, match="no"):
        Fallback(Refuses(), Refuses()).decode(made.descriptor, made.stream(), None, 0, 0)


@pytest.mark.parametrize("uid", JPEG_2000)
def test_jpeg_2000_is_registered_with_a_second_opinion(uid: str) -> None:
    assert isinstance(DECODERS[uid], Fallback)


@pytest.mark.parametrize("name", [n for n in MADE if "2000" in n or "htj2k" in n])
def test_both_libraries_give_the_same(name: str) -> None:
    made = MADE[name]
    first = Jpeg2000Decoder().decode(made.descriptor, made.stream(), None, 0, 0).stored_values
    second = OpenJpegDecoder().decode(made.descriptor, made.stream(), None, 0, 0).stored_values
    assert np.abs(first.astype(int) - second.astype(int)).max() <= (0 if made.is_lossless else 1)


@needs_data
def test_both_libraries_give_the_same_for_every_real_file() -> None:
    compared = 0
    for path, d, code in real_frames(JPEG_2000):
        answers: list[Any] = []
        for decoder in (Jpeg2000Decoder(), OpenJpegDecoder()):
            try:
                answers.append(decoder.decode(d, code, None, 0, 0))
            except BadFrame:
                answers.append(None)
        first, second = answers
        assert (first is None) == (second is None), path.name
        if first is None:
            continue
        assert first.photometric_interpretation == second.photometric_interpretation, path.name
        gap = np.abs(first.stored_values.astype(int) - second.stored_values.astype(int)).max()
        assert gap <= (1 if d.transfer_syntax_uid in ("1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203") else 0), (
            path.name
        )
        compared += 1
    assert compared >= 30


# gdcm aborts the process over some odd files, so it has one of its own: a path in each line, an answer in each file.
GDCM = """
import json, pathlib, sys, gdcm
for line in sys.stdin:
    path, into = json.loads(line)
    print(into, flush=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    if not reader.Read() or (buffer := reader.GetImage().GetBuffer()) is None:
        continue
    picture = reader.GetImage()
    kind, planar = picture.GetPixelFormat().GetScalarTypeAsString(), picture.GetPlanarConfiguration()
    pathlib.Path(into).write_bytes(f"{kind} {planar}\\n".encode() + buffer.encode("utf-8", "surrogateescape"))
"""
SIZES = {"UINT8": 1, "INT8": 1, "UINT12": 2, "INT12": 2, "UINT16": 2, "INT16": 2, "UINT32": 4, "INT32": 4}


def by_gdcm(frames: list[tuple[Path, FrameDescriptor, bytes]], folder: Path) -> list[np.ndarray[Any, Any] | None]:
    """First frame of each file as gdcm decodes it; None when it refuses, or dies."""
    pytest.importorskip("gdcm", reason="python-gdcm is not installed")
    lines = [json.dumps([str(path), str(folder / str(i))]) for i, (path, _, _) in enumerate(frames)]
    while lines:
        done = subprocess.run(
            [sys.executable, "-c", GDCM],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        lines = lines[len(done.stdout.splitlines()) :]
    return [_answer(folder / str(i), d) for i, (_, d, _) in enumerate(frames)]


def _answer(path: Path, d: FrameDescriptor) -> np.ndarray[Any, Any] | None:
    if not path.is_file():
        return None
    head, raw = path.read_bytes().split(b"\n", 1)
    kind, planar = head.decode().split()
    shape = (d.rows, d.columns) if d.samples_per_pixel == 1 else (d.rows, d.columns, d.samples_per_pixel)
    size, count = SIZES.get(kind, 0), int(np.prod(shape))
    if size == 0 or len(raw) < size * count:
        return None
    flat = np.frombuffer(raw, f"{'i' if d.pixel_representation else 'u'}{size}", count)
    if d.samples_per_pixel > 1 and planar == "1":
        return flat.reshape(d.samples_per_pixel, d.rows, d.columns).transpose(1, 2, 0)
    return flat.reshape(shape)


# gdcm's reasons to differ, looked at one by one; pydicom gives what we give for each
GDCM_DIFFERS = {
    "pydicom-data__JLSL_16_15_1_1F.dcm": "15 signed bits: gdcm does not extend the sign",
    "J2K_pixelrep_mismatch.dcm": "13 bits of signed values in an unsigned code stream: gdcm does not extend the sign",
    "SC_rgb_rle_16bit.dcm": "gdcm takes the byte planes of 16-bit colour for samples",
    "SC_rgb_rle_16bit_2frame.dcm": "gdcm takes the byte planes of 16-bit colour for samples",
    "SC_rgb_rle_32bit.dcm": "gdcm takes the byte planes of 32-bit colour for samples",
    "SC_rgb_rle_32bit_2frame.dcm": "gdcm takes the byte planes of 32-bit colour for samples",
    "fo-dicom__GH195.dcm": "gdcm leaves YBR as it is in the code stream, we give RGB",
    "dicom-test-files__RG3_JPLY": "8 pixels of 1024 in 10 bits: gdcm wraps them to 0, DCMTK leaves 1024, we give 1023",
    "pylibjpeg-data__JPEGExtended_3s_1f_u_08_08.dcm": "gdcm leaves YBR as it is in the code stream, we give RGB",
}


@needs_data
@pytest.mark.parametrize("syntaxes", [LOSSLESS, LOSSY], ids=["lossless", "lossy"])
def test_gdcm_gives_the_same_for_every_real_file(syntaxes: list[str], tmp_path: Path) -> None:
    compared, different = 0, []
    frames = real_frames(syntaxes)
    for (path, d, code), theirs in zip(frames, by_gdcm(frames, tmp_path), strict=True):
        if theirs is None:
            continue
        try:
            ours = decode_frame(d, code, LIMITS).stored_values
        except BadFrame:
            continue  # test_pixels says which files are refused, and why
        gap = np.abs(ours.astype(int) - theirs.astype(int)).max()
        if (gap > (0 if syntaxes is LOSSLESS else 2)) != (path.name in GDCM_DIFFERS):
            different.append((path.name, d.transfer_syntax_uid, int(gap)))
        compared += 1
    assert different == []
    assert compared >= (60 if syntaxes is LOSSLESS else 20)
