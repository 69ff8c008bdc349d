"""What one header costs: the native scanner beside pydicom on the same bytes, as the ingest path calls it.

    python -m benchmarks.scan [--quick] [--folder PATH]...

Traps: pydicom decodes a value only when it is asked for, so `dcmread` alone is its best case and a line of its own asks it for what
the scanner always gives; one slice scanned again and again flatters whoever caches, so every call takes the next slice of its
series. A call of some µs is ruled by what ran before it: the row "in a run" has twenty slices one after the other, as an import
has them, the row "alone" one slice right behind a millisecond of other work, which has taken the processor's caches. All bytes are
in memory, so no disk is measured; times are of one thread.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom

from benchmarks.data import DATA
from benchmarks.measure import Report, interleave
from engine.cli.phantom import PhantomSeries, generate
from engine.dicom.dictionary import keyword_of
from engine.dicom.levels import INDEX_TAGS
from engine.dicom.scan import dicom_json, scan
from engine.limits import Limits

LIMITS = Limits()
KEYWORDS = tuple(keyword_of(tag) for tag, _ in INDEX_TAGS)
PIXELS = (
    "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth",
    "ImagePositionPatient", "ImageOrientationPatient",
)  # fmt: skip
CT_HEADER_US = 30.0


def series(folder: Path) -> list[bytes]:
    return [p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()]


def main(arguments: list[str] | None = None) -> int:
    """0: measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    parser.add_argument("--folder", type=Path, action="append", help="series to read, each a folder of files")
    options = parser.parse_args(arguments)
    rounds = 60 if options.quick else 600
    warnings.simplefilter("ignore")
    report = Report("scan", "one header: UIDs, index values, pixel description, frame table; and its DICOM JSON")
    known = [p for p in (DATA / "ct-series", DATA / "ct-tilt", DATA / "mr-series", DATA / "mr-j2k") if p.is_dir()]
    folders = {folder.name: series(folder) for folder in options.folder or known}
    if not folders:
        folders = {"generated CT": list(generate(PhantomSeries(slices=20)))}
    for at, (name, files) in enumerate(folders.items()):
        measure(report, name, files, rounds, CT_HEADER_US if at == 0 else None)
    report.finish()
    return 0


def measure(report: Report, name: str, files: list[bytes], rounds: int, limit: float | None) -> None:
    """Three rows for one series."""
    headers = [data[: scan(data, LIMITS).header_length] for data in files]
    count = len(files)

    def values(data: bytes) -> Any:
        """What the scanner gives, read out of pydicom's data set."""
        ds = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        return [ds.get(keyword) for keyword in (*KEYWORDS, *PIXELS)]

    def document(data: bytes) -> str:
        return pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).to_json(suppress_invalid_tags=True)

    following = {who: itertools.cycle(files) for who in ("voxcast", "no pixels", "whole", "values")}
    work: dict[str, Callable[[int], object]] = {
        "voxcast": lambda i: scan(next(following["voxcast"]), LIMITS),
        "dcmread, no pixels": lambda i: pydicom.dcmread(
            io.BytesIO(next(following["no pixels"])), stop_before_pixels=True
        ),
        "dcmread": lambda i: pydicom.dcmread(io.BytesIO(next(following["whole"]))),
        "dcmread, the same values": lambda i: values(next(following["values"])),
    }
    for how, repeat, target in (("in a run", 20, limit), ("alone", 1, None)):
        report.add(
            f"scan a header, {how} ({name})",
            "µs",
            interleave(work, rounds // repeat * 4 if repeat > 1 else rounds, repeat=repeat, scale=1e6),
            limit=target,
            header_bytes=len(headers[0]),
            elements=len(pydicom.dcmread(io.BytesIO(files[0]), stop_before_pixels=True)),
        )
    report.add(
        f"DICOM JSON of a header ({name})",
        "µs",
        interleave(
            {
                "voxcast": lambda i: dicom_json(headers[i % count], LIMITS, "bulk"),
                "pydicom": lambda i: document(headers[i % count]),
            },
            rounds // 3,
            scale=1e6,
        ),
        json_bytes=len(json.dumps(json.loads(dicom_json(headers[0], LIMITS, "bulk")))),
    )


if __name__ == "__main__":
    sys.exit(main())
