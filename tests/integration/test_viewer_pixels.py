"""Every frame of the real files as the viewer draws it at 1:1 against the server's picture without loss: ±1 grey."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import WEBGL, Page, needs_chromium
from data import DATA, data_files, needs_data, pydicom_files
from PIL import Image
from serving import Serving
from viewer import address, browse, drop_series, exact_frame, needs_page

from engine.dicom.scan import scan
from engine.errors import EngineError
from engine.limits import Limits

pytestmark = [pytest.mark.peer, needs_chromium, needs_page, needs_data]

GREY_MAX = 1
PIXELS_MAX = 20_000_000  # of a frame
# Larger ones take seconds each and go the same ways; a card that the processor plays takes longer.
QUICK_PIXELS_MAX = {"cpu": 300_000, "gpu": 70_000}
LIMITS = Limits()


def kind_of(content: bytes, pixels_max: int, *, is_quick: bool) -> tuple[object, ...] | None:
    """What decides how a frame is drawn, and unless `is_quick` how it comes; None where there is none to draw, or it is large."""
    try:
        d = scan(content, LIMITS).frame_descriptor
    except EngineError:
        return None
    if d is None or d.rows * d.columns > pixels_max or not d.rows * d.columns:
        return None
    windows = d.frame_windows(0)
    padding = d.pixel_padding_value is not None
    return (
        d.photometric_interpretation, d.samples_per_pixel, d.bits_allocated, d.bits_stored, d.high_bit, d.pixel_representation,
        d.planar_configuration, d.pixel_keyword, "" if is_quick else d.transfer_syntax_uid, d.modality if not windows else "",
        windows[0].function if windows else None, d.has_voi_lut, d.has_modality_lut, d.has_presentation_lut, padding,
        d.presentation_lut_shape, d.has_supplemental_palette,
    )  # fmt: skip


def chosen(pixels_max: int, *, is_quick: bool) -> list[Path]:
    """The first file of each kind."""
    kinds: dict[tuple[object, ...], Path] = {}
    for path in [*data_files("."), *pydicom_files()]:
        if "malformed" in path.parts or path.stat().st_size > 40_000_000:
            continue
        kind = kind_of(path.read_bytes(), pixels_max, is_quick=is_quick)
        if kind is not None:
            kinds.setdefault(kind, path)
    return sorted(kinds.values())


class Picture:
    """A frame and how the server draws it."""

    def __init__(self, study: str, series: str, key: str, pixels: np.ndarray[Any, Any]) -> None:
        self.study, self.series, self.key, self.pixels = study, series, key, pixels


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        yield running


def drawn_by_server(server: Serving, pixels_max: int, *, is_quick: bool) -> dict[str, Picture]:
    """File name → its first frame, for files that the server draws."""
    found: dict[str, Picture] = {}
    for path in chosen(pixels_max, is_quick=is_quick):
        answer = server.store(path.read_bytes())
        if answer.status_code != 200:
            continue
        stored = answer.json()["00081199"]["Value"][0]
        where = stored["00081190"]["Value"][0].partition("/studies/")[2].partition("/instances/")[0]
        study, _, series = where.partition("/series/")
        sop = stored["00081155"]["Value"][0]
        drawn = server.get(f"/dicom-web/studies/{study}/series/{series}/instances/{sop}/frames/1/rendered", "image/png")
        if drawn.status_code == 200:
            pixels = np.asarray(Image.open(io.BytesIO(drawn.content)).convert("RGB"))
            found[path.name] = Picture(study, series, f"{sop} 1", pixels)
    return found


def compare(server: Serving, pictures: dict[str, Picture], drawing: str) -> None:
    """Show each on one page, one after the other."""
    first = next(iter(pictures.values()))
    wrong: dict[str, str] = {}

    async def steps(page: Page) -> None:
        for name, picture in pictures.items():
            await drop_series(page, picture.study, picture.series)
            try:
                drawn = await exact_frame(page, picture.key)
            except AssertionError as error:
                wrong[name] = str(error)
                continue
            if drawn.shape != picture.pixels.shape:
                wrong[name] = f"{drawn.shape}, not {picture.pixels.shape}"
                continue
            apart = np.abs(drawn.astype(int) - picture.pixels)
            if apart.max() > GREY_MAX:
                wrong[name] = f"{apart.max()} greys apart, {np.count_nonzero(apart.max(axis=2) > GREY_MAX)} pixels"

    options = WEBGL if drawing == "gpu" else ()
    browse(server, f"{address(first.study, first.series)}#drawing={drawing}", steps, options=options)
    assert not wrong, "\n".join(f"{name}: {why}" for name, why in wrong.items())


@pytest.mark.parametrize("drawing", ["cpu", "gpu"])
def test_what_is_drawn_is_what_the_server_draws(server: Serving, drawing: str) -> None:
    """A file of each pixel format, photometric interpretation, VOI function and table, by both painters."""
    pictures = drawn_by_server(server, QUICK_PIXELS_MAX[drawing], is_quick=True)
    assert len(pictures) > 15, f"hardly any file was found in {DATA}"
    compare(server, pictures, drawing)


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_every_transfer_syntax_too(server: Serving) -> None:
    compare(server, drawn_by_server(server, PIXELS_MAX, is_quick=False), "cpu")
