"""Every decoder beside its peers on the same code stream: GDCM and pydicom's other plugins in this process, DCMTK's programs.

    python -m benchmarks.decoders [--quick] [--only WORD]

One 512² CT slice (8 bits and colour: the same through a window), the frame in memory, pixels into a new array. voxcast is
`decode_frame` with all its checks. Every peer's pixels are compared with ours once; the largest difference is in the row (of a
lossy stream one grey level is rounding, and colours of a JPEG more).

Traps: GDCM leaves the colours of a JPEG as YBR_FULL, and is spared a step; it hands pixels over as text that Python makes bytes of,
some 0.3 ms for 512 KiB that no caller of it can avoid. DCMTK has no binding: its time is that of a whole process, with its start,
one file read and one written; the start alone is the line below it. OpenJPEG works with two threads in voxcast, as its server
runs it. pydicom looks into the code stream before it decodes, and says what a plugin's own time is not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
from pydicom.encaps import encapsulate
from pydicom.pixels import convert_color_space, get_decoder
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes, RLELossless

from benchmarks.measure import Report, interleave
from benchmarks.streams import LIMITS, Coded, coded
from engine.codec.base import stored_dtype
from engine.codec.registry import decode_frame

Array = np.ndarray[Any, Any]
_PYDICOM = {
    str(uid) for uid in (RLELossless, *JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes)
}
_PYDICOM |= {f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)}
_ROUNDING = 16  # what upsampled chrominance makes of one grey level; anything beyond is another picture
DCMTK = {".5": "dcmdrle", ".4.50": "dcmdjpeg", ".4.51": "dcmdjpeg", ".4.70": "dcmdjpeg", ".4.80": "dcmdjpls"}


def main(arguments: list[str] | None = None) -> int:
    """0: measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    parser.add_argument("--only", default="", metavar="WORD", help="rows with this word")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    versions = {"gdcm": gdcm.Version.GetVersion(), "dcmtk": _dcmtk_version()}
    report = Report("decoders", "every decoder beside GDCM, pydicom's plugins and DCMTK", versions=versions)
    with tempfile.TemporaryDirectory() as folder:
        for stream in coded():
            if options.only in stream.name:
                row(report, stream, Path(folder), 20 if options.quick else 200)
    report.finish()
    return 0


def row(report: Report, stream: Coded, folder: Path, rounds: int) -> None:
    d, ours = stream.descriptor, decode_frame(stream.descriptor, stream.data, LIMITS).stored_values
    missing: dict[str, str] = {}
    detail: dict[str, object] = {"bytes": len(stream.data)}
    work: dict[str, Callable[[int], object]] = {"voxcast": lambda i: decode_frame(d, stream.data, LIMITS)}
    peers: dict[str, Callable[[], Array]] = {"GDCM": lambda: by_gdcm(stream)}
    decoder = get_decoder(UID(stream.uid)) if stream.uid in _PYDICOM else None
    for plugin in decoder.available_plugins if decoder is not None else ():
        if plugin != "gdcm":
            peers[f"pydicom, {plugin}"] = lambda plugin=plugin: by_pydicom(decoder, stream, plugin)
    for name, decode in peers.items():
        try:
            with _silent():
                theirs = decode().reshape(ours.shape)
        except Exception as error:  # noqa: BLE001 - each library has its own ways to say that it cannot
            reason = str(error).rpartition("available plugins:")[2]  # of pydicom's, what the plugin says
            missing[name] = " ".join(reason.split())[:60] or type(error).__name__
            continue
        if name == "GDCM" and d.photometric_interpretation == "YBR_FULL_422":
            theirs, detail["GDCM"] = convert_color_space(theirs, "YBR_FULL", "RGB"), "leaves it YBR_FULL"
        difference = int(np.abs(theirs.astype(np.int64) - ours).max())
        if difference > _ROUNDING:
            missing[name] = f"gives other pixels, by up to {difference}"
            continue
        detail[f"difference, {name}"] = difference
        work[name] = lambda i, decode=decode: decode()
    with _silent():
        samples = interleave(work, rounds, seconds_max=20)
    program = next((p for end, p in DCMTK.items() if stream.uid.endswith(end)), "")
    if program and shutil.which(program):
        processes = by_dcmtk(stream, folder, program)
        samples |= interleave(processes, max(5, rounds // 10), seconds_max=10, warmup=1)
    elif program:
        missing["DCMTK"] = "not installed"
    report.add(f"decode {stream.name}", "ms", samples, missing=missing, **detail)


@contextmanager
def _silent() -> Iterator[None]:
    """What C libraries write to stderr goes nowhere: GDCM's libjpeg says of each frame of 12 bits that it is none of 8."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def by_gdcm(stream: Coded) -> Array:
    """As pydicom's plugin does it, without pydicom."""
    d = stream.descriptor
    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    if stream.name.startswith("native"):
        element.SetByteStringValue(stream.data)
    else:
        fragment.SetByteStringValue(stream.data)
        fragments.AddFragment(fragment)
        element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((d.columns, d.rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(d.photometric_interpretation)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    if d.samples_per_pixel > 1:
        image.SetPlanarConfiguration(d.planar_configuration)
    code = gdcm.TransferSyntax.GetTSType(stream.uid)
    if code == gdcm.TransferSyntax.TS_END:
        raise ValueError("GDCM does not know this transfer syntax")
    image.SetTransferSyntax(gdcm.TransferSyntax(code))
    bits = d.bits_allocated, d.bits_stored, d.bits_stored - 1, d.pixel_representation
    image.SetPixelFormat(gdcm.PixelFormat(d.samples_per_pixel, *bits))
    text = image.GetBuffer()
    if text is None:
        raise ValueError("GDCM cannot decode it")
    pixels = np.frombuffer(text.encode("utf-8", "surrogateescape"), stored_dtype(d))
    if d.samples_per_pixel == 3 and d.planar_configuration and stream.name.startswith("native"):
        pixels = pixels.reshape(3, d.rows, d.columns).transpose(1, 2, 0)  # GDCM leaves them as they are
    return np.ascontiguousarray(pixels)


def by_pydicom(decoder: Any, stream: Coded, plugin: str) -> Array:
    """A frame's array by pydicom and one of its plugins."""
    d = stream.descriptor
    pixels, _ = decoder.as_array(
        encapsulate([stream.data]), index=0, decoding_plugin=plugin, raw=d.samples_per_pixel == 1, rows=d.rows,
        columns=d.columns, samples_per_pixel=d.samples_per_pixel, bits_allocated=d.bits_allocated, number_of_frames=1,
        bits_stored=d.bits_stored, photometric_interpretation=d.photometric_interpretation, planar_configuration=0,
        pixel_representation=d.pixel_representation, pixel_keyword="PixelData",
    )  # fmt: skip
    return np.asarray(pixels)


def by_dcmtk(stream: Coded, folder: Path, program: str) -> dict[str, Callable[[int], object]]:
    """A whole process that makes an uncompressed file of a compressed one, and one that only says its version."""
    d, source, target = stream.descriptor, folder / "coded.dcm", folder / "plain.dcm"
    ds = pydicom.Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = d.sop_class_uid, "2.999.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "2.999.2", "2.999.3", d.modality
    ds.Rows, ds.Columns, ds.SamplesPerPixel = d.rows, d.columns, d.samples_per_pixel
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = d.bits_allocated, d.bits_stored, d.high_bit
    ds.PixelRepresentation, ds.PhotometricInterpretation = d.pixel_representation, d.photometric_interpretation
    if d.samples_per_pixel > 1:
        ds.PlanarConfiguration = 0
    ds.PixelData = encapsulate([stream.data])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = stream.uid
    ds.save_as(source, enforce_file_format=True)
    decode = [program, str(source), str(target)]
    done = subprocess.run(decode, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr}")

    def run(command: list[str]) -> object:
        return subprocess.run(command, capture_output=True)

    return {
        f"DCMTK {program}, whole process": lambda i: run(decode),
        f"DCMTK {program}, its start alone": lambda i: run([program, "--version"]),
    }


def _dcmtk_version() -> str:
    if not shutil.which("dcmdjpeg"):
        return "not installed"
    return subprocess.run(["dcmdjpeg", "--version"], capture_output=True, text=True).stdout.split()[2]


if __name__ == "__main__":
    sys.exit(main())
