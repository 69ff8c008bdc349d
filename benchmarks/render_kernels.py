"""What one picture costs, step by step: every kernel beside numpy and memcpy, the steps beside pydicom and Pillow, on one slice.

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
from pydicom.pixels import apply_modality_lut
from pydicom.pixels.processing import apply_windowing

from benchmarks.kernel_cases import cases
from benchmarks.measure import Report, interleave
from benchmarks.streams import LIMITS, WINDOW, slice_of_ct
from engine.codec.encode import encode_jpeg, encode_png
from engine.codec.registry import decode_frame
from engine.dicom.frame import FrameDescriptor, VoiLutFunction
from engine.imaging.kernels import gray
from engine.imaging.plan import plan, reduction
from engine.imaging.render import render
from engine.imaging.resize import resized
from engine.imaging.spec import RenderSpec
from engine.imaging.window import linear_terms

J2K, HTJ2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"
START = """
import time
start = time.perf_counter()
from engine.imaging import warmup
warmup._take_over = lambda: None  # or it would copy what this tree has compiled
warmup.warm_kernels()
print(time.perf_counter() - start)
"""
FIRST = """
import time
from benchmarks.streams import LIMITS, WINDOW, slice_of_ct
from engine.codec.encode import encode_jpeg, load_codecs
from engine.codec.registry import decode_frame
d, native = slice_of_ct()
load_codecs()
start = time.perf_counter()
from engine.imaging.plan import plan
from engine.imaging.render import render
from engine.imaging.spec import RenderSpec
values = decode_frame(d, native, LIMITS).stored_values
encode_jpeg(render(plan(d, 0, d.photometric_interpretation, RenderSpec(window=WINDOW), LIMITS), values), 90)
print(time.perf_counter() - start)
"""


def main(arguments: list[str] | None = None) -> int:
    """0: measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    rounds = 30 if parser.parse_args(arguments).quick else 300
    warnings.simplefilter("ignore")
    report = Report("render_kernels", "one picture, step by step, on one 512² CT slice")

    def row(
        name: str, unit: str, work: dict[str, Callable[[int], object]], *, repeat: int = 1,
        twin: Callable[[], object] | None = None, above: tuple[str, float] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        scale = {"µs": 1e6, "ms": 1e3}[unit]
        samples = interleave(work, rounds, repeat=repeat, scale=scale, seconds_max=30)
        if twin is not None:  # by itself: it is slow, and takes what the others have in the caches
            samples |= interleave({"numpy twin": lambda i: twin()}, rounds // 10, scale=scale, seconds_max=2)
        report.add(name, unit, samples, **more)
        if above is not None:  # of neighbours in time: what others do to the machine hits both
            less, limit = above
            ours, theirs = next(iter(samples.values())), samples[less]
            rest = [a - b for a, b in zip(ours, theirs, strict=True)]
            report.add(f"{name}, what {less} leaves", unit, {"voxcast": rest}, limit=limit)

    d, native = slice_of_ct()
    values = decode_frame(d, native, LIMITS).stored_values
    kernels(values, row)
    series(values, row)
    windows_by_pydicom(d, values, row)
    sizes(values, row)
    pictures(d, native, values, row)
    starts(report, 3 if rounds < 100 else 9)
    report.finish()
    return 0


def kernels(values: np.ndarray[Any, Any], row: Callable[..., None]) -> None:
    """Every kernel, its numpy twin, and a copy of the bytes that it reads; all buffers are the caller's, and warm."""
    for one in cases(values):
        work = {"kernel": lambda i, c=one: c.kernel(), "memcpy": lambda i, c=one: c.copy()}
        is_window = one.name.startswith("window, linear") and "signed" in one.name
        row(one.name, "µs", work, repeat=10, targets={"memcpy": 0.5} if is_window else {}, twin=one.twin)


def windows_by_pydicom(d: FrameDescriptor, values: np.ndarray[Any, Any], row: Callable[..., None]) -> None:
    """Stored values to 8 bits, beside pydicom's functions for the same steps."""
    rescale, out = d.rescale(0), np.empty(values.shape, np.uint8)
    step = pydicom.Dataset()
    step.RescaleSlope, step.RescaleIntercept = rescale.slope, rescale.intercept
    step.WindowCenter, step.WindowWidth = WINDOW.center, WINDOW.width
    step.PhotometricInterpretation, step.BitsStored, step.PixelRepresentation = "MONOCHROME2", 8, 0
    terms = linear_terms(WINDOW, rescale.slope, rescale.intercept)

    def by_pydicom(function: VoiLutFunction) -> np.ndarray[Any, Any]:
        step.VOILUTFunction = function.value
        return (apply_windowing(apply_modality_lut(values, step), step) + 0.5).astype(np.uint8)

    more = rescale.slope, rescale.intercept, WINDOW.center, WINDOW.width, False, out
    ours = {
        VoiLutFunction.LINEAR: lambda i: gray.linear(values, *terms, False, out),
        VoiLutFunction.SIGMOID: lambda i: gray.sigmoid(values, *more),
    }
    for function, kernel in ours.items():
        work = {"kernel": kernel, "pydicom": lambda i, f=function: by_pydicom(f)}
        row(f"window, {function.value.lower()}, beside pydicom", "µs", work)


def series(values: np.ndarray[Any, Any], row: Callable[..., None]) -> None:
    """A window and a copy over slices that no cache holds: each call takes the next of 100 MB."""
    slices = np.stack([np.roll(values, i, axis=0) for i in range(200)])
    out, room = np.empty((200, *values.shape), np.uint8), np.empty_like(slices)
    low, scale = linear_terms(WINDOW, 1.0, -1024.0)
    work = {
        "kernel": lambda i: gray.linear(slices[i % 200], low, scale, False, out[i % 200]),
        "memcpy": lambda i: np.copyto(room[i % 200], slices[i % 200]),
    }
    row("window, linear, every slice another", "µs", work, targets={"memcpy": 0.5})


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
        limit=0.5,
        targets={"pydicom": 3.0},
    )
    row(
        "JPEG 2000 to JPEG",
        "ms",
        {
            "voxcast": lambda i: ours(j2k, J2K, whole),
            "its decoder alone": lambda i: imagecodecs.jpeg2k_decode(j2k, numthreads=2),
            "pylibjpeg, pydicom": lambda i: peer(np.asarray(openjpeg.decode(j2k))),
        },
        above=("its decoder alone", 0.5),
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
            "its decoder alone": lambda i: imagecodecs.htj2k_decode(htj2k),
            "pylibjpeg, pydicom": lambda i: peer(np.asarray(openjpeg.decode(htj2k))),
        },
        above=("its decoder alone", 0.5),
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
    """What a process's first picture waits for, once the libraries are loaded (a web worker does that when a page is asked for)."""
    every: dict[str, list[float]] = {"from the cache": [], "compiling": []}
    first: dict[str, list[float]] = {"after warmup": [], "compiling": []}
    with tempfile.TemporaryDirectory() as warm:
        _start(START, warm)
        for i in range(rounds):
            every["from the cache"].append(_start(START, warm))
            first["after warmup"].append(_start(FIRST, warm))
            if i < 3:
                with tempfile.TemporaryDirectory() as cold, tempfile.TemporaryDirectory() as colder:
                    every["compiling"].append(_start(START, cold))
                    first["compiling"].append(_start(FIRST, colder))
    report.add("import, and every kernel for every usual type", "s", every)
    report.add("first picture of a process", "s", first)


def _start(script: str, cache: str) -> float:
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
