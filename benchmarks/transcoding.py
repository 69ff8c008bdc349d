"""What it costs to give an instance in another transfer syntax, beside GDCM and DCMTK on the same file in the same run.

    python -m benchmarks.transcoding [--quick]

Every alternative reads one multi-frame file of CT slices and writes another, both in memory (tmpfs): one thread, milliseconds a
frame. Traps: a program that is started pays for its start, so its file has many frames, and python-gdcm does the same work inside
this process; voxcast decodes every frame that it has encoded again and compares it, which the others do not; what comes out of
each is read and compared with the source before the clock starts; the coders of one syntax do not all make equally much of it,
so the sizes are in the row's detail.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import pixel_array
from pydicom.uid import ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from benchmarks.data import DATA
from benchmarks.measure import Report, interleave
from engine.cli.phantom import PhantomSeries, generate
from engine.codec.transcode import transcode
from engine.dicom.instance import StoredInstance
from engine.dicom.scan import scan
from engine.limits import Limits

LIMITS = Limits()
FRAMES = 24
_ROOT = "1.2.840.10008.1.2"
EXPLICIT, RLE, JPEG, JLS = str(ExplicitVRLittleEndian), _ROOT + ".5", _ROOT + ".4.70", _ROOT + ".4.80"
J2K, RPCL, JPEG_XL = _ROOT + ".4.90", _ROOT + ".4.202", _ROOT + ".4.110"
Work = Callable[[Path, Path], None]


@dataclass(frozen=True, slots=True)
class Coder:
    """A transfer syntax, and how each program is asked for it and back; empty where it cannot."""

    name: str
    uid: str
    gdcm: str = ""
    gdcmconv: str = ""
    dcmtk: str = ""
    dcmtk_back: str = ""


CODERS = (
    Coder("RLE", RLE, "RLELossless", "--rle", "dcmcrle", "dcmdrle"),
    Coder("JPEG lossless", JPEG, "JPEGLosslessProcess14_1", "--jpeg", "dcmcjpeg", "dcmdjpeg"),
    Coder("JPEG-LS", JLS, "JPEGLSLossless", "--jpegls", "dcmcjpls", "dcmdjpls"),
    Coder("JPEG 2000", J2K, "JPEG2000Lossless", "--j2k"),
    Coder("HTJ2K", RPCL),
    Coder("JPEG XL", JPEG_XL),
)


def main(arguments: list[str] | None = None) -> int:
    """0: measured; an alternative that gives other pixels than the source's ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    rounds = 10 if parser.parse_args(arguments).quick else 100
    warnings.simplefilter("ignore")
    report = Report(
        "transcoding", f"{FRAMES} CT slices of 512² from one transfer syntax to another", versions=versions()
    )
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as name:
        folder = Path(name)
        native = folder / "native.dcm"
        native.write_bytes(multi_frame())
        for coder in CODERS:
            coded = folder / "coded.dcm"
            by_voxcast(coder.uid)(native, coded)
            measure(report, f"to {coder.name}", native, encoders(coder), rounds, folder)
            measure(report, f"from {coder.name}", coded, decoders(coder), rounds, folder)
    report.finish()
    return 0


def measure(
    report: Report, name: str, source: Path, alternatives: Mapping[str, Work], rounds: int, folder: Path
) -> None:
    """One row: every alternative from `source` to a file of its own."""
    expected = pixels(source)
    missing = {who: "not installed" for who, work in alternatives.items() if work is unavailable}
    present = {who: work for who, work in alternatives.items() if work is not unavailable}
    sizes: dict[str, int] = {}
    for who, work in present.items():
        out = folder / "out.dcm"
        work(source, out)
        if not np.array_equal(pixels(out), expected):
            raise AssertionError(f"{who}, {name}: other pixels than the source's")
        sizes[who] = out.stat().st_size
    calls = {who: (lambda i, work=work: work(source, folder / "out.dcm")) for who, work in present.items()}
    times = interleave(calls, rounds, warmup=1, scale=1e3 / FRAMES, seconds_max=60)
    report.add(name, "ms", times, subject="voxcast", missing=missing, note="a frame", bytes=sizes)


def pixels(path: Path) -> np.ndarray:
    """Stored values, by pydicom where it knows the syntax, else by our own decoder through native pixels."""
    ds = pydicom.dcmread(path)
    if ds.file_meta.TransferSyntaxUID == JPEG_XL:
        content, out = path.read_bytes(), io.BytesIO()
        source = StoredInstance(scan(content, LIMITS), len(content), lambda at, size: content[at : at + size], LIMITS)
        transcode(source, EXPLICIT, out.write, LIMITS)
        ds = pydicom.dcmread(io.BytesIO(out.getvalue()))
    return pixel_array(ds, raw=True)


def multi_frame() -> bytes:
    """The middle of the shared real CT series, or of the demo's phantom without it, as one instance."""
    files = sorted((DATA / "ct-series").glob("*.dcm"))
    first = max(0, len(files) - FRAMES) // 2
    contents = [p.read_bytes() for p in files[first : first + FRAMES]] or list(generate(PhantomSeries(slices=FRAMES)))
    every = [pydicom.dcmread(io.BytesIO(content)) for content in contents]
    ds = every[0]
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    ds.NumberOfFrames = len(every)
    ds.PixelData = b"".join(one.PixelData for one in every)
    out = io.BytesIO()
    ds.save_as(out, implicit_vr=False, little_endian=True)
    return out.getvalue()


def encoders(coder: Coder) -> dict[str, Work]:
    """Who can write the syntax."""
    found: dict[str, Work] = {"voxcast": by_voxcast(coder.uid)}
    if coder.gdcm:
        found["gdcm, in this process"] = by_gdcm(coder.gdcm)
        found["gdcmconv"] = by_program("gdcmconv", coder.gdcmconv)
    if coder.dcmtk:
        found[coder.dcmtk] = by_program(coder.dcmtk)
    return found


def decoders(coder: Coder) -> dict[str, Work]:
    """Who can read it, into native pixels."""
    found: dict[str, Work] = {"voxcast": by_voxcast(EXPLICIT)}
    if coder.gdcm:
        found["gdcm, in this process"] = by_gdcm("ExplicitVRLittleEndian")
        found["gdcmconv"] = by_program("gdcmconv", "--raw")
    if coder.dcmtk_back:
        found[coder.dcmtk_back] = by_program(coder.dcmtk_back)
    return found


def by_voxcast(uid: str) -> Work:
    def work(source: Path, target: Path) -> None:
        content = source.read_bytes()
        stored = StoredInstance(scan(content, LIMITS), len(content), lambda at, size: content[at : at + size], LIMITS)
        with target.open("wb") as out:
            transcode(stored, uid, out.write, LIMITS)

    return work


def by_gdcm(name: str) -> Work:
    """python-gdcm, which holds the library that gdcmconv is made of."""
    try:
        import gdcm
    except ImportError:
        return unavailable

    def work(source: Path, target: Path) -> None:
        reader = gdcm.ImageReader()
        reader.SetFileName(str(source))
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
        if not reader.Read():
            raise RuntimeError(f"gdcm cannot read {source.name}")
        change.SetInput(reader.GetImage())
        if not change.Change():
            raise RuntimeError(f"gdcm cannot write {name}")
        writer = gdcm.ImageWriter()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(target))
        if not writer.Write():
            raise RuntimeError(f"gdcm cannot write {target.name}")

    return work


def by_program(program: str, *options: str) -> Work:
    if shutil.which(program) is None:
        return unavailable

    def work(source: Path, target: Path) -> None:
        subprocess.run([program, *options, source, target], check=True, capture_output=True)

    return work


def unavailable(source: Path, target: Path) -> None:
    """Stands for an alternative that is not installed."""
    raise RuntimeError("not installed")


def versions() -> dict[str, str]:
    """The first words of what the programs call themselves."""
    found = {}
    for program in ("gdcmconv", "dcmcjpeg"):
        if shutil.which(program):
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
            found[program] = " ".join(said.split("\n", 1)[0].replace("$", "").split())
    return found


if __name__ == "__main__":
    sys.exit(main())
