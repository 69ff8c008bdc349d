"""What others make of an instance's first frame: pydicom, GDCM, DCMTK and FFmpeg; None where they cannot read it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import convert_color_space, pixel_array

from engine.codec.second_opinion import second_opinion
from engine.dicom.frame import FrameDescriptor
from engine.errors import EngineError
from engine.limits import Limits

Array = np.ndarray[Any, Any]
ROOT = "1.2.840.10008.1.2"
_DCMTK = {
    **{ROOT + end: "dcmconv" for end in ("", ".1", ".1.99", ".2")},
    **{ROOT + f".4.{n}": "dcmdjpeg" for n in (50, 51, 53, 55, 57, 70)},
    **{ROOT + f".4.{n}": "dcmdjpls" for n in (80, 81)},
    ROOT + ".5": "dcmdrle",
}
# GDCM ends the process over some odd files, so it has one of its own: a path in each line, an answer in each file.
_GDCM = """
import json, pathlib, sys, gdcm
gdcm.Trace.WarningOff(); gdcm.Trace.ErrorOff()
for line in sys.stdin:
    path, into = json.loads(line)
    print(into, flush=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    if not reader.Read() or (buffer := reader.GetImage().GetBuffer()) is None:
        continue
    picture = reader.GetImage()
    format = picture.GetPixelFormat()
    name = gdcm.PhotometricInterpretation.GetPIString(picture.GetPhotometricInterpretation().GetType())
    head = [format.GetScalarTypeAsString(), picture.GetPlanarConfiguration(), name]
    pathlib.Path(into).write_bytes(json.dumps(head).encode() + b"\\n" + buffer.encode("utf-8", "surrogateescape"))
"""
_KINDS = {
    **{f"{'' if sign == 'i' else 'U'}INT{bits}": f"{sign}{max(1, bits // 8)}" for sign in "iu" for bits in (8, 16, 32)},
    "UINT12": "u2",
    "INT12": "i2",
    "FLOAT32": "f4",
    "FLOAT64": "f8",
}


def missing() -> str:
    """Which of them are not installed."""
    tools = [tool for tool in sorted({*_DCMTK.values(), "ffmpeg"}) if shutil.which(tool) is None]
    return ", ".join(tools + [module for module in ("gdcm", "av") if find_spec(module) is None])


def by_pydicom(content: bytes, is_ybr: bool) -> Array | None:
    """By whichever plugin it chooses, in RGB unless `is_ybr`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.asarray(pixel_array(pydicom.dcmread(io.BytesIO(content)), raw=is_ybr, index=0))
        except (AttributeError, NotImplementedError, RuntimeError, ValueError, KeyError, TypeError):
            return None


def by_dcmtk(content: bytes, uid: str, folder: Path, is_ybr: bool) -> Array | None:
    """Decompressed, or written anew, by its tool for the transfer syntax."""
    tool = _DCMTK.get(uid)
    if tool is None:
        return None
    source, target = folder / "dcmtk-in.dcm", folder / "dcmtk-out.dcm"
    source.write_bytes(content)
    target.unlink(missing_ok=True)
    how = ["+te"] if tool == "dcmconv" else []
    done = subprocess.run([tool, *how, source, target], capture_output=True, check=False, timeout=60)
    return by_pydicom(target.read_bytes(), is_ybr) if done.returncode == 0 and target.is_file() else None


def by_ffmpeg(d: FrameDescriptor, frame: bytes) -> Array | None:
    """The code stream alone, by FFmpeg's own decoders of JPEG, JPEG-LS and JPEG 2000."""
    try:
        opinion = second_opinion(d, frame, Limits())
    except EngineError:
        return None
    return opinion.frame.stored_values if opinion.frame is not None and opinion.decoder == "FFmpeg" else None


def by_gdcm(contents: list[tuple[bytes, FrameDescriptor, bool]], folder: Path) -> list[Array | None]:
    """All of them in one process; for colour that is YCbCr in its answer, RGB is wanted unless the last item says so."""
    lines = []
    for i, (content, _, _) in enumerate(contents):
        (folder / f"gdcm-{i}.dcm").write_bytes(content)
        lines.append(json.dumps([str(folder / f"gdcm-{i}.dcm"), str(folder / f"gdcm-{i}.raw")]))
    while lines:
        command = [sys.executable, "-c", _GDCM]
        done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, timeout=120, check=False)
        lines = lines[max(1, len(done.stdout.splitlines())) :]
    return [_from_gdcm(folder / f"gdcm-{i}.raw", d, is_ybr) for i, (_, d, is_ybr) in enumerate(contents)]


def _from_gdcm(path: Path, d: FrameDescriptor, is_ybr: bool) -> Array | None:
    if not path.is_file():
        return None
    head, raw = path.read_bytes().split(b"\n", 1)
    kind, planar, photometric = json.loads(head)
    shape = (d.rows, d.columns) if d.samples_per_pixel == 1 else (d.rows, d.columns, d.samples_per_pixel)
    count = int(np.prod(shape))
    if kind not in _KINDS or len(raw) < np.dtype(_KINDS[kind]).itemsize * count:
        return None
    flat = np.frombuffer(raw, _KINDS[kind], count)
    if d.samples_per_pixel == 1:
        return flat.reshape(shape)
    values = flat.reshape(d.samples_per_pixel, d.rows, d.columns).transpose(1, 2, 0) if planar else flat.reshape(shape)
    if photometric in ("YBR_FULL", "YBR_FULL_422") and not is_ybr:
        return np.asarray(convert_color_space(values, "YBR_FULL", "RGB"))
    return values
