"""What one picture costs, step by step, beside numpy, pydicom and Pillow on the same slice: decode, window, resize, encode.

    python -m benchmarks.render_kernels [--quick]

Traps: a kernel's first call compiles (all are called before the clock starts; cold and warm starts are rows of their own, each in
a fresh process); pydicom's functions give other types than display values, so each peer is carried to the same 8-bit picture;
a few microseconds are near the clock's own cost, so short work is timed ten calls at a time.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import openjpeg
import pydicom
from PIL import Image, Jpeg2KImagePlugin
from pydicom.pixels import apply_modality_lut, convert_color_space
from pydicom.pixels.processing import apply_windowing

from benchmarks.data import DATA
from benchmarks.measure import Report, interleave
from engine.cli.phantom import PhantomSeries, generate
from engine.codec.encode import encode_jpeg, encode_png
from engine.codec.registry import decode_frame
from engine.dicom.frame import FrameDescriptor, VoiLutFunction, Window
from engine.dicom.scan import scan
from engine.imaging.kernels import colour, gray, twins
from engine.imaging.plan import plan, reduction
from engine.imaging.render import render
from engine.imaging.resize import resized
from engine.imaging.spec import RenderSpec
from engine.imaging.window import linear_terms
from engine.limits import Limits

LIMITS = Limits()
WINDOW = Window(40.0, 400.0)
J2K, HTJ2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"
START = """
import time
start = time.perf_counter()
from engine.imaging.render import warmup
warmup()
print(time.perf_counter() - start)
"""


def slice_of_ct() -> tuple[FrameDescriptor, bytes]:
    """The middle of the shared real CT series, or of the demo's phantom without it: descriptor and native pixels."""
    files = sorted((DATA / "ct-series").glob("*.dcm"))
    content = files[len(files) // 2].read_bytes() if files else list(generate(PhantomSeries(slices=3)))[1]
    scanned = scan(content, LIMITS)
    assert scanned.frame_descriptor is not None and scanned.frame_table is not None
    span = scanned.frame_table[0]
    return scanned.frame_descriptor, content[span.offset : span.offset + span.length]


def main(arguments: list[str] | None = None) -> int:
    """0: measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    rounds = 30 if parser.parse_args(arguments).quick else 300
    warnings.simplefilter("ignore")
    report = Report("render_kernels", "one picture, step by step, on one 512² CT slice")

    def row(name: str, unit: str, work: dict[str, Callable[[int], object]], *, repeat: int = 1, **more: Any) -> None:
        scale = {"µs": 1e6, "ms": 1e3}[unit]
        report.add(name, unit, interleave(work, rounds, repeat=repeat, scale=scale, seconds_max=30), **more)

    d, native = slice_of_ct()
    values = decode_frame(d, native, LIMITS).stored_values
    grey(d, values, row)
    sizes(values, row)
    pictures(d, native, values, row)
    starts(report, 3 if rounds < 100 else 9)
    report.finish()
    return 0


def grey(d: FrameDescriptor, values: np.ndarray[Any, Any], row: Callable[..., None]) -> None:
    """Stored values to 8 bits."""
    rescale, out = d.rescale(0), np.empty(values.shape, np.uint8)
    step = pydicom.Dataset()
    step.RescaleSlope, step.RescaleIntercept = rescale.slope, rescale.intercept
    step.WindowCenter, step.WindowWidth = WINDOW.center, WINDOW.width
    step.PhotometricInterpretation, step.BitsStored, step.PixelRepresentation = "MONOCHROME2", 8, 0
    terms = linear_terms(WINDOW, rescale.slope, rescale.intercept)

    def by_pydicom(function: VoiLutFunction) -> np.ndarray[Any, Any]:
        step.VOILUTFunction = function.value
        return (apply_windowing(apply_modality_lut(values, step), step) + 0.5).astype(np.uint8)

    row(
        "window, linear",
        "µs",
        {
            "kernel": lambda i: gray.linear(values, *terms, False, out),
            "numpy twin": lambda i: twins.linear(values, *terms, False, out),
            "pydicom": lambda i: by_pydicom(VoiLutFunction.LINEAR),
        },
        repeat=10,
        limit=60.0,
    )
    more = rescale.slope, rescale.intercept, WINDOW.center, WINDOW.width, False, out
    row(
        "window, sigmoid",
        "µs",
        {
            "kernel": lambda i: gray.sigmoid(values, *more),
            "numpy twin": lambda i: twins.sigmoid(values, *more),
            "pydicom": lambda i: by_pydicom(VoiLutFunction.SIGMOID),
        },
    )
    ybr = np.ascontiguousarray(np.dstack([(values & 0xFF).astype(np.uint8)] * 3))
    rgb = np.empty_like(ybr)
    row(
        "YBR_FULL to RGB",
        "µs",
        {
            "kernel": lambda i: colour.ybr_full_to_rgb(ybr, rgb),
            "numpy twin": lambda i: twins.ybr_full_to_rgb(ybr, rgb),
            "pydicom": lambda i: convert_color_space(ybr, "YBR_FULL", "RGB"),
        },
    )


def sizes(values: np.ndarray[Any, Any], row: Callable[..., None]) -> None:
    """Other sizes, before the window; Pillow's bilinear is the same filter in 32-bit floats."""
    rows, columns = values.shape
    for side in (128, 256, 1024):
        row(
            f"512² to {side}²",
            "µs",
            {
                "kernel": lambda i, side=side: resized(values, (side, side), (columns, rows), 0),
                "Pillow": lambda i, side=side: np.asarray(
                    Image.fromarray(values.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
                ),
            },
        )


def pictures(d: FrameDescriptor, native: bytes, values: np.ndarray[Any, Any], row: Callable[..., None]) -> None:
    """From the bytes of a frame to those of a picture, all steps."""
    unsigned = values.view(f"u{values.itemsize}")
    j2k = imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat="j2k")
    htj2k = imagecodecs.htj2k_encode(values, reversible=True, resolutions=5)
    display = render(plan(d, 0, "MONOCHROME2", RenderSpec(window=WINDOW), LIMITS), values)

    def ours(code: bytes, uid: str, spec: RenderSpec, may_reduce: bool = True) -> bytes:
        what = replace(d, transfer_syntax_uid=uid)
        by = reduction(what, 0, spec, LIMITS) if may_reduce else 0
        decoded = decode_frame(what, code, LIMITS, reduce=by)
        picture = plan(what, 0, decoded.photometric_interpretation, spec, LIMITS)
        return encode_jpeg(render(picture, decoded.stored_values, decoded.reduce), 90)

    def peer(stored: np.ndarray[Any, Any], size: int | None = None) -> bytes:
        """pydicom, numpy and Pillow, as a careful script would."""
        step = pydicom.Dataset()
        step.RescaleSlope, step.RescaleIntercept = d.rescale(0).slope, d.rescale(0).intercept
        step.WindowCenter, step.WindowWidth, step.VOILUTFunction = WINDOW.center, WINDOW.width, "LINEAR"
        step.PhotometricInterpretation, step.BitsStored, step.PixelRepresentation = "MONOCHROME2", 8, 0
        picture = Image.fromarray((apply_windowing(apply_modality_lut(stored, step), step) + 0.5).astype(np.uint8))
        if size is not None:
            picture = picture.resize((size, size), Image.Resampling.BILINEAR)
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=90)
        return out.getvalue()

    def half_by_pillow(reduce: int) -> object:
        picture = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(j2k))
        picture.reduce = reduce
        return picture.load()

    whole, small = RenderSpec(window=WINDOW), RenderSpec(window=WINDOW, width=128)
    kind = values.dtype
    row(
        "encode JPEG, quality 90",
        "µs",
        {
            "imagecodecs": lambda i: encode_jpeg(display, 90),
            "Pillow": lambda i: Image.fromarray(display).save(io.BytesIO(), "JPEG", quality=90),
        },
    )
    row(
        "encode PNG",
        "µs",
        {
            "imagecodecs": lambda i: encode_png(display),
            "Pillow, level 1": lambda i: Image.fromarray(display).save(io.BytesIO(), "PNG", compress_level=1),
        },
    )
    row(
        "raw to JPEG",
        "ms",
        {
            "voxcast": lambda i: ours(native, d.transfer_syntax_uid, whole),
            "pydicom": lambda i: peer(np.frombuffer(native, kind).reshape(values.shape)),
        },
        targets={"pydicom": 3.0},
    )
    row(
        "JPEG 2000 to JPEG",
        "ms",
        {
            "voxcast": lambda i: ours(j2k, J2K, whole),
            "pylibjpeg, pydicom": lambda i: peer(np.asarray(openjpeg.decode(j2k))),
        },
    )
    row(
        "JPEG 2000 to a 128² JPEG",
        "ms",
        {
            "voxcast, reduced": lambda i: ours(j2k, J2K, small),
            "voxcast, whole": lambda i: ours(j2k, J2K, small, may_reduce=False),
            "pylibjpeg, pydicom": lambda i: peer(np.asarray(openjpeg.decode(j2k)), 128),
            "Pillow, decoding alone": lambda i: half_by_pillow(2),
        },
    )
    row(
        "HTJ2K to JPEG",
        "ms",
        {
            "voxcast": lambda i: ours(htj2k, HTJ2K, whole),
            "pylibjpeg, pydicom": lambda i: peer(np.asarray(openjpeg.decode(htj2k))),
        },
    )
    rooms: dict[str, tuple[bytes, Callable[..., object]]] = {
        "JPEG-LS": (imagecodecs.jpegls_encode(unsigned), imagecodecs.jpegls_decode),
        "HTJ2K": (htj2k, imagecodecs.htj2k_decode),
    }
    for name, (code, decode) in rooms.items():
        into = np.empty_like(unsigned)
        row(
            f"decode {name}",
            "ms",
            {
                "into the caller's array": lambda i, c=code, f=decode, o=into: f(c, out=o),
                "into a new one": lambda i, c=code, f=decode: f(c),
            },
        )


def starts(report: Report, rounds: int) -> None:
    """A process's first picture waits for this; `warmup` runs on a thread when a server starts."""
    samples: dict[str, list[float]] = {"cached": [], "compiling": []}
    with tempfile.TemporaryDirectory() as warm:
        _start(warm)
        for _ in range(rounds):
            samples["cached"].append(_start(warm))
            if len(samples["compiling"]) < 3:
                with tempfile.TemporaryDirectory() as cold:
                    samples["compiling"].append(_start(cold))
    report.add("import and warmup of all kernels", "s", samples, limit=0.5)


def _start(cache: str) -> float:
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", START], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
