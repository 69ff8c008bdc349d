"""Fingers in Chromium: two that pinch or go side by side, one with the tool, one that rests; on images and on the study list."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from browser import Page
from built_page import LISTED, browse, needs_page
from pictures import image, part10
from serving import Serving
from viewing import CT_SERIES, SLICES, STUDY, ct_slice

pytestmark = needs_page
AT = f"/viewer?StudyInstanceUIDs={STUDY}&SeriesInstanceUID={CT_SERIES}"
READY = "document.querySelector('.voxcast-view .labels')?.innerText.includes('1 / 12')"
LABELS = "document.querySelector('.voxcast-view .labels').innerText"
ZOOM = f"Number(/(\\d+) %/.exec({LABELS})[1])"
WINDOW = f"/C (\\S+) +W (\\S+)/.exec({LABELS}).slice(1).map(Number)"
SIZE = (820, 1180)
CROWD = 80


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        crowd = []
        for n in range(CROWD):
            ds = image(np.zeros((4, 4), np.uint16), "OT")
            ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.5.{n}", f"1.2.5.{n}.1"
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.5.{n}.1.1"
            crowd.append(part10(ds))
        assert running.store(*crowd, *(part10(ct_slice(n)) for n in range(SLICES))).status_code == 200
        yield running


def along(begin: tuple[float, float], end: tuple[float, float], steps: int = 12) -> list[tuple[float, float]]:
    return [
        (begin[0] + (end[0] - begin[0]) * n / steps, begin[1] + (end[1] - begin[1]) * n / steps)
        for n in range(steps + 1)
    ]


def test_fingers_on_an_image(server: Serving) -> None:
    async def steps(page: Page) -> None:
        x, y = await page.centre(".voxcast-view .cell")
        before = await page.value(ZOOM)
        # Apart from 100 to 300 pixels: three times as large, less the little after which it is known for a pinch.
        await page.touch(along((x - 50, y), (x - 150, y)), along((x + 50, y), (x + 150, y)))
        await page.until(f"{ZOOM} > {before * 2}")
        assert await page.value(ZOOM) < before * 3.2
        await page.touch(along((x, y - 150), (x, y - 50)), along((x, y + 150), (x, y + 50)))
        await page.until(f"Math.abs({ZOOM} - {before}) < {before} * 0.35")
        assert await page.value(f"{LABELS}.includes('1 / 12')")
        # Side by side they scroll, whichever way they stand, and do not zoom.
        zoom = await page.value(ZOOM)
        for first, second, down, expected in (((-60, 0), (60, 0), 250, "down"), ((0, -150), (0, -30), -150, "up")):
            position = int((await page.value(LABELS)).split(" / ")[0].rsplit(None, 1)[-1])
            start, other = (x + first[0], y + first[1]), (x + second[0], y + second[1])
            await page.touch(along(start, (start[0], start[1] + down)), along(other, (other[0], other[1] + down)))
            sign = ">" if expected == "down" else "<"
            await page.until(f"parseInt(/(\\d+) \\/ 12/.exec({LABELS})[1]) {sign} {position}")
            assert await page.value(ZOOM) == zoom
        # One finger does what the tool does: right is wider, down is darker.
        center, width = await page.value(WINDOW)
        await page.touch(along((x, y), (x + 80, y + 40)))
        await page.until(f"(([c, w]) => c > {center} && w > {width})({WINDOW})")
        # One that rests first moves the image, and the window stays.
        window = await page.value(WINDOW)
        matrix = "document.querySelector('.voxcast-view .scale-bar').getBoundingClientRect().width"
        scale = await page.value(matrix)
        shot = await page.screenshot()
        await page.touch(along((x, y), (x + 120, y)), hold_s=0.7)
        assert await page.value(WINDOW) == window
        assert await page.value(matrix) == scale
        assert await page.screenshot() != shot
        assert await page.value("document.querySelector('.cell').dataset.held === undefined")

    browse(server, steps, AT, SIZE, READY)


def test_fingers_on_the_list(server: Serving) -> None:
    async def steps(page: Page) -> None:
        x, y = await page.centre(".scroll")
        await page.touch(along((x, y + 250), (x, y - 250), 20))
        await page.until("document.querySelector('.scroll').scrollTop > 200")
        assert await page.value("location.pathname") == "/"
        assert await page.value("document.querySelectorAll('.study').length > 10")
        # A long press opens nothing; a tap does.
        await page.touch([(x, y)], hold_s=0.8)
        assert await page.value("location.pathname") == "/"
        await page.touch([(x, y)])
        await page.until("location.pathname === '/viewer'")

    browse(server, steps, "/", SIZE, LISTED)
