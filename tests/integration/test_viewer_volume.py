"""A series as a volume in the built viewer: every side against a projection by numpy, and what a reader does with it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Iterator
from typing import Any

import numpy as np
import pytest
from accessibility import needs_axe, violations
from browser import WEBGL, Page, needs_chromium
from built_page import SIZES, fits
from pictures import image, part10
from serving import Serving
from viewer import CELL, address, browse, needs_page, press, read_frame

pytestmark = [pytest.mark.peer, needs_chromium, needs_page]

STUDY, SERIES, GAP = "1.2.80", "1.2.80.1", "1.2.80.2"
COLUMNS, ROWS, SLICES = 48, 40, 24
STEPS = np.array([1.0, 1.5, 2.5])  # millimetres to the left, behind and up
LOW, HIGH = -200, 900  # what the largest values are shown between
LABELS = f"document.querySelector('{CELL} .labels').innerText"
EDGES = "['top', 'right', 'bottom', 'left'].map((e) => document.querySelector(`.edge.${e}`).textContent).join('')"
# Seen from each side: letters at top, right, bottom, left; which axis runs to the right and which down, and their senses.
SIDES = {
    "A": ("HLFR", (0, 1), (2, -1)),
    "P": ("HRFL", (0, -1), (2, -1)),
    "L": ("HPFA", (1, 1), (2, -1)),
    "R": ("HAFP", (1, -1), (2, -1)),
    "H": ("ARPL", (0, -1), (1, 1)),
    "F": ("ALPR", (0, 1), (1, 1)),
}


def phantom() -> np.ndarray[Any, Any]:
    """HU by column, row and slice: a body of water, a marker of its own size at the left, one in front, one at the head."""
    x, y, z = np.meshgrid(*(np.arange(n) for n in (COLUMNS, ROWS, SLICES)), indexing="ij")
    hu = np.full((COLUMNS, ROWS, SLICES), -1000)
    hu[np.hypot(np.hypot((x - 23.5) / 20, (y - 19.5) / 17), (z - 11.5) / 10) < 1] = 40
    hu[38:44, 16:24, 9:15] = 1000  # left
    hu[20:24, 2:5, 10:13] = 700  # in front
    hu[22:34, 18:22, 20:23] = 500  # at the head
    return hu


def slices(series: str, positions: list[float]) -> list[bytes]:
    hu = phantom()
    made = []
    for number, z in enumerate(positions):
        ds = image((hu[:, :, number].T + 1024).astype(np.uint16), "CT", BitsStored=12)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY, series
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number + 1}"
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        ds.PatientName, ds.PatientID, ds.PatientSex, ds.PatientBirthDate = "CUBE^CLARA", "V1", "F", "19700101"
        ds.StudyDate, ds.InstanceNumber, ds.SliceThickness = "20240229", number + 1, 2.5
        ds.PixelSpacing = [float(STEPS[1]), float(STEPS[0])]
        ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
        ds.FrameOfReferenceUID, ds.ImageOrientationPatient = "1.2.80.9", [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [-20, -30, z]
        made.append(part10(ds))
    return made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        even = [float(STEPS[2]) * n for n in range(SLICES)]
        gap = [2.5 * n + (20 if n > 3 else 0) for n in range(8)]
        assert running.store(*slices(SERIES, even), *slices(GAP, gap)).status_code == 200
        yield running


def projected(side: str, shape: tuple[int, int], millimetres: float) -> np.ndarray[Any, Any]:
    """The largest value behind each pixel, in greys: between samples linear, beside the first and the last black."""
    _, (right, right_sign), (down, down_sign) = SIDES[side]
    hu = np.moveaxis(phantom().astype(float), [right, down], [0, 1])

    def places(
        count: int, axis: int, sign: int
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        size = phantom().shape[axis]
        at = sign * (np.arange(count) + 0.5 - count / 2) * millimetres / STEPS[axis] + (size - 1) / 2
        first = np.clip(np.floor(at).astype(int), 0, size - 2)
        return first, at - first, (at >= 0) & (at <= size - 1)

    (x, fx, is_x), (y, fy, is_y) = places(shape[1], right, right_sign), places(shape[0], down, down_sign)
    out = np.zeros(shape)
    for plane in range(hu.shape[2]):
        flat = hu[:, :, plane]
        across = flat[x, :] * (1 - fx)[:, None] + flat[x + 1, :] * fx[:, None]
        between = (across[:, y] * (1 - fy) + across[:, y + 1] * fy).T
        out = between if plane == 0 else np.maximum(out, between)
    grey = np.clip((out - LOW) / (HIGH - LOW), 0, 1) * 255
    grey[~(is_y[:, None] & is_x[None, :])] = 0
    return grey


async def opened(page: Page) -> None:
    await page.until(f"{LABELS}.includes('1 / {SLICES}')")
    await page.key("v")
    await page.until(f"{LABELS}.includes('Volume rendering')")


async def exact_picture(page: Page, patience_s: float = 20) -> np.ndarray[Any, Any]:
    for _ in range(int(patience_s / 0.03)):
        pixels = (await read_frame(page))[1]
        if pixels is not None:
            return pixels
        await asyncio.sleep(0.03)
    raise AssertionError(f"never exact: {await page.value(LABELS)}")


def test_the_graphics_card_draws_what_the_workers_draw(server: Serving) -> None:
    """Played by the processor, so small: light and shade from askew, and the largest values against numpy."""
    pictures: dict[str, list[np.ndarray[Any, Any]]] = {}

    def by(drawing: str) -> None:
        async def steps(page: Page) -> None:
            await page.until(f"document.querySelector('{CELL} .labels')?.innerText.includes('Soft tissue')")
            soft = await exact_picture(page, 60)
            largest = await redrawn(page, press(page, "6"), 60)
            if drawing == "gpu":
                await shift_press(page, "L")
                await page.until(f"{EDGES} === '{SIDES['L'][0]}'")
                side = await exact_picture(page, 60)
                expected = projected("L", side.shape[:2], await scale(page))
                assert (np.abs(side[..., 0] - expected) > 2).mean() < 0.004
            pictures[drawing] = [soft, largest]
            # One script of workers decodes; the other one, that casts, is for whom no card does.
            scripts = {url for url in page.requests if re.search(r"/static/worker-[^/]*\.js$", url)}
            assert len(scripts) == (2 if drawing == "cpu" else 1), scripts

        askew = "ct_muscle,0.8,0.6,0,0.3,-0.4,-0.866,1,0,0,0,1,0,1,0,1,0,0.9"
        at = address(STUDY, SERIES) + f"#drawing={drawing}&volume={askew}"
        browse(server, at, steps, size=(400, 340), options=WEBGL)

    by("cpu")
    by("gpu")
    for one, other in zip(pictures["cpu"], pictures["gpu"], strict=True):
        assert one.max() > 150
        # A ray in a thousand may have a step more or less where it enters; half floats are a grey off here and there.
        difference = np.abs(one.astype(int) - other)
        assert np.quantile(difference, 0.99) <= 3, np.quantile(difference, [0.5, 0.9, 0.99, 1])


SEEN = """(() => {
  const isHeard = window.drawings !== undefined;
  window.drawings = [];
  if (!isHeard) document.querySelector('.voxcast-view').addEventListener('voxcast:drawn', ({ detail }) => {
    const cell = document.querySelector('.voxcast-view .cell');
    const labels = cell.querySelector('.labels');
    const faces = cell.querySelectorAll('.drawing polygon.cube').length;
    window.drawings.push([detail.shown[0].halvings, labels.hidden ? '' : labels.innerText, faces]);
  });
  return true;
})()"""


async def redrawn(page: Page, act: Awaitable[None], patience_s: float = 20) -> np.ndarray[Any, Any]:
    """The exact picture after something was done: the first one after it is a coarse one of what is new."""
    await page.value(SEEN)
    await act
    await page.until("window.drawings.some(([halvings]) => halvings > 0)")
    return await exact_picture(page, patience_s)


async def scale(page: Page) -> float:
    """Millimetres of a pixel, as the bar on the screen says."""
    said, width = await page.value(
        "(() => { const b = document.querySelector('.scale-bar'); return [b.textContent, parseFloat(b.style.width)]; })()"
    )
    return float(said.removesuffix(" mm")) / float(width)


async def shift_press(page: Page, key: str) -> None:
    named = json.dumps({"key": key, "shiftKey": True, "bubbles": True, "cancelable": True})
    await page.value(f"document.querySelector('{CELL}').dispatchEvent(new KeyboardEvent('keydown', {named}))")


def test_each_side_is_the_projection_of_the_same_values(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await opened(page)
        assert await page.value("document.querySelector('.cell').innerText.includes('CUBE, CLARA')")
        await press(page, "6")
        await page.until(f"{LABELS}.includes('MIP')")
        for side, (letters, *_) in SIDES.items():
            await shift_press(page, side)
            await page.until(f"{EDGES} === '{letters}'")
            pixels = await exact_picture(page)
            expected = projected(side, pixels.shape[:2], await scale(page))
            wrong = np.abs(pixels[..., 0] - expected) > 2
            # Where the volume ends a pixel may be in or out.
            assert wrong.mean() < 0.002, (side, wrong.mean())
            assert (pixels[..., 0] > 250).sum() > 100, side

    browse(server, address(STUDY, SERIES), steps, size=(760, 620))


def test_who_it_is_and_that_it_is_coarse_is_said_at_every_drawing(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{LABELS}.includes('1 / {SLICES}')")
        await page.value(SEEN)
        await page.key("v")
        await page.until(f"{LABELS}.includes('Volume rendering')")
        await exact_picture(page)
        await page.drag(CELL, 60, 25)
        await page.until(f"{EDGES} !== 'HLFR'")
        await exact_picture(page)
        drawings = [one for one in await page.value("window.drawings") if "Volume" in one[1]]
        coarse = [one for one in drawings if one[0] > 0]
        assert coarse and any(one[0] == 0 for one in drawings)
        for halvings, said, faces in drawings:
            if halvings >= 0:
                assert "CUBE, CLARA" in said and "V1" in said
                assert ("COARSE" in said) == (halvings > 0)
                assert 1 <= faces <= 3

    browse(server, address(STUDY, SERIES), steps)


def test_it_follows_the_hand_and_its_keys(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await opened(page)
        side = await page.value(
            f"(() => {{ const b = document.querySelector('{CELL}').getBoundingClientRect();"
            " return Math.min(b.width, b.height); })()"
        )
        # Half of the smaller side is a quarter turn: the face goes to the reader's right, and the patient's right side is seen.
        await page.drag(CELL, side / 2, 0)
        await page.until(f"{EDGES} === '{SIDES['R'][0]}'")
        for _ in range(12):
            await press(page, "ArrowLeft")  # back, by keys: 12 × 7.5°
        await page.until(f"{EDGES} === '{SIDES['A'][0]}'")
        before, size = await redrawn(page, press(page, "6")), await scale(page)
        after = await redrawn(page, press(page, "+"))
        assert await scale(page) == pytest.approx(size / 1.25, rel=0.01)
        assert (after > 20).mean() == pytest.approx((before > 20).mean() * 1.25**2, rel=0.05)
        again = await redrawn(page, press(page, "f"))
        assert np.abs(again.astype(int) - before).max() <= 1
        # Opacities go like a window: down is darker.
        await press(page, "w")
        assert (await redrawn(page, page.drag(CELL, 0, 100))).mean() < before.mean() * 0.9

    browse(server, address(STUDY, SERIES), steps, size=(760, 620))


def test_what_is_cut_away_is_gone_and_said(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await opened(page)
        before = await redrawn(page, press(page, "6"))
        half = before.shape[1] // 2
        assert (before[:, half:, 0] > 250).any(), "the marker at the left is on the right of the screen"
        await page.click("[data-act='volume.more']")
        names = await page.value("[...document.querySelectorAll('.sliders label')].map((l) => l.innerText)")
        assert [name[-1] for name in names[2:]] == ["R", "L", "A", "P", "F", "H"]
        await page.value(
            "(() => { const i = document.querySelector('[data-cut=\"1\"]'); i.value = 60;"
            " i.dispatchEvent(new Event('input', { bubbles: true })); })()"
        )
        await page.until(f"{LABELS}.includes(', cut')")
        after = await exact_picture(page)
        assert not (after[..., 0] > 250).any()
        assert (after[:, :half] > 40).any()

    browse(server, address(STUDY, SERIES), steps, size=(760, 620))


def test_a_view_is_shared_by_its_address_and_left_again(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await opened(page)
        await shift_press(page, "L")
        await press(page, "5")
        await page.until("location.hash.includes('volume=ct_skin,0,1,0,0,0,-1')")
        assert await page.value(f"new URLSearchParams(location.search).get('SeriesInstanceUID') === '{SERIES}'")
        shared = await page.value("location.href")
        await page.open("about:blank")
        await page.open(shared)
        await page.until(f"document.querySelector('{CELL} .labels')?.innerText.includes('Skin')")
        await page.until(f"{EDGES} === '{SIDES['L'][0]}'")
        await exact_picture(page)
        # Back to the images: the bar of the volume, its words and its part of the address are gone.
        await press(page, "v")
        await page.until(f"{LABELS}.includes(' / {SLICES}') && !{LABELS}.includes('Volume')")
        await page.until("!location.hash.includes('volume')")
        assert await page.value("document.querySelector('.volume-panel').hidden")

    browse(server, address(STUDY, SERIES), steps)


def test_its_workers_end_with_it(server: Serving) -> None:
    async def steps(page: Page) -> None:
        # Every worker from now on is counted, until it is given back.
        await page.value(
            "(() => { window.alive = 0; const { Worker: W } = window;"
            " window.Worker = class extends W { constructor(...a) { super(...a); window.alive++; }"
            " terminate() { window.alive--; super.terminate(); } }; return true; })()"
        )
        await opened(page)
        alive = await page.value("window.alive")
        assert 1 <= alive <= 4
        await exact_picture(page)
        await page.key("v")
        await page.until("window.alive === 0")
        await page.key("v")
        await page.until("window.alive > 0")
        await page.click(".back")
        await page.until("location.pathname === '/' && window.alive === 0")

    browse(server, address(STUDY, SERIES), steps)


def test_what_is_no_volume_is_said(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{LABELS}.includes('1 / 8')")
        await page.key("v")
        await page.until("document.querySelector('.voxcast-view').innerText.includes('no volume')")
        assert "1 / 8" in await page.value(LABELS)

    browse(server, address(STUDY, GAP), steps)


@needs_axe
@SIZES
def test_it_is_accessible_and_fits(server: Serving, size: tuple[int, int]) -> None:
    at = address(STUDY, SERIES) + "#volume=ct_bone"

    async def steps(page: Page) -> None:
        for language in ("en", "ar"):
            await page.value(f"localStorage.setItem('voxcast.language', JSON.stringify('{language}'))")
            await page.open("about:blank")  # for what is behind # alone loads nothing
            await page.open(server.url + at)
            await page.until(f"document.querySelector('{CELL} .labels')?.innerText.includes('CUBE')")
            await page.until("document.querySelector('.volume-panel')?.hidden === false")
            await page.value("document.querySelector('[data-act=\"volume.more\"]').click()")
            await page.until("document.querySelector('.sliders').offsetParent !== null")
            assert await violations(page) == []
            await fits(page)
            names = await page.value(
                "[...document.querySelectorAll('[data-side]')].map((b) => b.getAttribute('aria-label'))"
            )
            assert len(names) == 6 and all(re.search(r"\b[APLRHF]$", name) for name in names)

    browse(server, at, steps, size=size)
