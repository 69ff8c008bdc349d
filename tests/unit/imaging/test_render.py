"""Grey and colour of rendered frames against pydicom's functions for the same steps."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from code_streams import GREY8, GREY16, RGB8, image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, convert_color_space

from engine.dicom.frame import FrameDescriptor, Rescale, VoiLutFunction, Window
from engine.imaging.plan import plan
from engine.imaging.render import render
from engine.imaging.spec import RenderSpec
from engine.limits import Limits

LIMITS = Limits()
Array = np.ndarray[Any, Any]


def rendered(d: FrameDescriptor, values: Array, spec: RenderSpec | None = None, frame_index: int = 0) -> Array:
    return render(plan(d, frame_index, d.photometric_interpretation, spec or RenderSpec(), LIMITS), values)


def by_pydicom(d: FrameDescriptor, values: Array, rescale: Rescale, window: Window) -> Array:
    """Modality and VOI by pydicom, whose result spans the modality values' range; then to 8 bits."""
    ds = Dataset()
    ds.RescaleSlope, ds.RescaleIntercept = rescale.slope, rescale.intercept
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = window.center, window.width, window.function.value
    ds.PhotometricInterpretation, ds.BitsStored = "MONOCHROME2", d.bits_stored
    ds.PixelRepresentation = d.pixel_representation
    voi = apply_voi_lut(apply_modality_lut(values, ds), ds, prefer_lut=False)
    # The range pydicom stretches to (PS3.3 C.11.2.1.2: "output range" is the application's).
    lowest, highest = (
        (-(1 << d.bits_stored - 1), (1 << d.bits_stored - 1) - 1)
        if d.pixel_representation
        else (0, (1 << d.bits_stored) - 1)
    )
    ends = sorted(v * rescale.slope + rescale.intercept for v in (lowest, highest))
    return (voi - ends[0]) / (ends[1] - ends[0]) * 255.0


@pytest.mark.parametrize("function", list(VoiLutFunction))
@pytest.mark.parametrize("rescale", [Rescale(1, -1024), Rescale(0.5, 3.25), Rescale(2.0, 0.0)])
@pytest.mark.parametrize(("center", "width"), [(40.0, 400.0), (0.5, 2.0), (600.25, 1600.5), (-700.0, 1500.0)])
@pytest.mark.parametrize("representation", [0, 1])
def test_windows_equal_pydicoms(
    function: VoiLutFunction, rescale: Rescale, center: float, width: float, representation: int
) -> None:
    d = replace(GREY16, bits_stored=12, high_bit=11, pixel_representation=representation, rescales=(rescale,))
    kind = np.int16 if representation else np.uint16
    values = np.arange(-2048, 2048).astype(np.int16) if representation else np.arange(4096, dtype=np.uint16)
    values = values.astype(kind).reshape(64, 64)
    d = replace(d, rows=64, columns=64)
    window = Window(center, width, function)
    ours = rendered(d, values, RenderSpec(window=window))
    assert np.abs(ours - by_pydicom(d, values, rescale, window)).max() <= 1.0


def test_a_negative_slope_turns_the_ramp_round() -> None:
    d = replace(GREY16, rescales=(Rescale(-1.0, 4096.0),))
    window = RenderSpec(window=Window(2048, 4096))
    values = image(GREY16)
    turned = (4096 - values.astype(int)).astype(np.uint16)
    np.testing.assert_array_equal(rendered(d, values, window), rendered(GREY16, turned, window))


def test_monochrome1_is_inverted_once() -> None:
    values = image(GREY16)
    window = RenderSpec(window=Window(1000, 2000))
    plain = rendered(GREY16, values, window)
    for d in (
        replace(GREY16, photometric_interpretation="MONOCHROME1"),
        replace(GREY16, photometric_interpretation="MONOCHROME1", presentation_lut_shape="INVERSE"),
        replace(GREY16, presentation_lut_shape="INVERSE"),
    ):
        np.testing.assert_array_equal(rendered(d, values, window), 255 - plain)


def test_without_a_window_from_black_to_white() -> None:
    values = image(GREY16) + 100
    grey = rendered(GREY16, values)
    assert (grey.min(), grey.max()) == (0, 255)
    assert (grey[values == values.min()] == 0).all() and (grey[values == values.max()] == 255).all()


@pytest.mark.parametrize(("value", "grey"), [(5, 255), (0, 0), (-7, 0)])
def test_a_single_value_stands_beside_zero(value: int, grey: int) -> None:
    """An empty segmentation is black, a full one white."""
    d = replace(GREY16, pixel_representation=1)
    assert np.unique(rendered(d, np.full((48, 64), value, np.int16))).tolist() == [grey]


def test_padding_does_not_stretch_the_range() -> None:
    d = replace(GREY16, pixel_padding_value=60000, pixel_padding_range_limit=65535)
    values = image(GREY16)
    alone = rendered(GREY16, values)
    with_padding = values.copy()
    with_padding[0] = 63000
    grey = rendered(d, with_padding)
    keep = (values != values.min()) & (values != values.max())
    keep[0] = False
    assert np.abs(grey[keep].astype(int) - alone[keep]).max() <= 2
    assert (grey[0] == 0).all()  # black, though the largest values there are


def test_the_same_values_of_any_type_give_the_same_grey() -> None:
    values = image(GREY8)
    want = rendered(GREY8, values, RenderSpec(window=Window(100, 120)))
    for kind in ("u2", "i2", "u4", "i4", "f4", "f8"):
        np.testing.assert_array_equal(rendered(GREY8, values.astype(kind), RenderSpec(window=Window(100, 120))), want)


def test_a_region_is_a_part_of_the_whole() -> None:
    values = image(GREY16)
    window = Window(1000, 2000)
    whole = rendered(GREY16, values, RenderSpec(window=window))
    part = rendered(GREY16, values, RenderSpec(window=window, region=(5, 7, 20, 11)))
    np.testing.assert_array_equal(part, whole[7:18, 5:25])
    assert part.flags.c_contiguous


def test_ybr_equals_pydicoms() -> None:
    d = replace(RGB8, photometric_interpretation="YBR_FULL", rows=256, columns=256)
    ybr = np.random.default_rng(3).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    want = convert_color_space(ybr, "YBR_FULL", "RGB")
    assert np.abs(rendered(d, ybr).astype(int) - want).max() <= 1


def test_rgb_is_left_alone_and_deep_rgb_comes_down_to_eight_bits() -> None:
    values = image(RGB8)
    np.testing.assert_array_equal(rendered(RGB8, values), values)
    deep = replace(RGB8, bits_allocated=16, bits_stored=16)
    np.testing.assert_array_equal(rendered(deep, values.astype(np.uint16) * 257), values)


def test_warmup_loads_what_the_usual_pictures_need() -> None:
    """In a process of its own, where no other test has loaded anything."""
    script = """
import importlib, pkgutil
import numpy as np
from code_streams import GREY8, GREY16, RGB8, image
from dataclasses import replace
from engine.imaging import kernels, render
from engine.imaging.kernels.typed import TypedKernel
from engine.imaging.plan import plan
from engine.imaging.spec import RenderSpec
from engine.dicom.frame import Window
from engine.limits import Limits

modules = [importlib.import_module(f"{kernels.__name__}.{m.name}") for m in pkgutil.iter_modules(kernels.__path__)]
every = {k for module in modules for k in vars(module).values() if isinstance(k, TypedKernel)}
count = lambda: sum(k.loaded + k.compiled for k in every)
assert count() == 0
render.warmup()
before = count()
assert before > 10
for d, kind in ((GREY8, "u1"), (GREY16, "u2"), (replace(GREY16, pixel_representation=1), "i2"), (RGB8, "u1")):
    for modality in ("CT", "MR", "CR", "US"):
        d = replace(d, modality=modality)
        values = image(d).astype(kind)
        for width in (d.columns, d.columns // 2, 50, 100):
            for window in (None, Window(100, 300)) if d is not RGB8 else (None,):
                spec = RenderSpec(width=width, window=window)
                render.render(plan(d, 0, d.photometric_interpretation, spec, Limits()), values)
d = replace(RGB8, photometric_interpretation="YBR_FULL")
render.render(plan(d, 0, "YBR_FULL", RenderSpec(), Limits()), image(RGB8))
print(count() - before)
"""
    here = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(here)}, cwd=here.parent, text=True,
        capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
