"""What leaves the page says whose it is: the picture of the view pixel by pixel, and every page of paper."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from browser import Page
from built_page import browse, needs_page
from imagecodecs import png_decode
from pictures import part10
from pydicom import dcmread
from pypdf import PageObject, PdfReader
from serving import Serving
from viewing import SLICES, STUDY, ct_slice

pytestmark = needs_page
SR_SERIES = "1.2.40.6"
AT = f"/viewer?StudyInstanceUIDs={STUDY}"
READY = "document.querySelector('.voxcast-view .labels')?.innerText.includes('1 / 12')"
EXACT = "!/loading|COARSE/.test(document.querySelector('.voxcast-view .labels').innerText)"
CHOOSE = "[...document.querySelectorAll('#actions .entry')].find((b) => b.innerText === '{}').click()"
PLACES = """(() => {
  const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom].map(Math.round); };
  const lines = [...document.querySelectorAll('.labels p, .labels .edge')].filter((e) => e.innerText && e.checkVisibility());
  return [box(document.querySelector('.voxcast-view .screen')), lines.map((e) => [e.innerText, box(e)])];
})()"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        report = dcmread(Path(pydicom.__file__).parent / "data" / "test_files" / "reportsi.dcm")
        report.StudyInstanceUID, report.SeriesInstanceUID, report.SOPInstanceUID = STUDY, SR_SERIES, f"{SR_SERIES}.1"
        report.PatientName, report.PatientID = "Nightingale^Florence", "N1820"
        report.file_meta.MediaStorageSOPInstanceUID = report.SOPInstanceUID
        longest = max((e for e in report.iterall() if e.keyword == "TextValue"), key=lambda e: len(e.value))
        longest.value = "\n".join(f"Finding number {n} is as it was before." for n in range(200))
        buffer = io.BytesIO()
        report.save_as(buffer)
        assert running.store(*(part10(ct_slice(n)) for n in range(SLICES)), buffer.getvalue()).status_code == 200
        yield running


async def printed(page: Page) -> list[PageObject]:
    """Each sheet, as the browser prints it."""
    done = await page.call("Page.printToPDF", printBackground=False)
    return list(PdfReader(io.BytesIO(base64.b64decode(done["data"]))).pages)


async def paper(page: Page) -> list[str]:
    """The words of each sheet."""
    return [sheet.extract_text() for sheet in await printed(page)]


def cut(image: np.ndarray[Any, Any], box: list[int]) -> np.ndarray[Any, Any]:
    left, top, right, bottom = box
    return image[top:bottom, left:right, :3].astype(int)


def test_the_picture_is_the_view_with_all_that_is_said_beside_it(server: Serving, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.until(EXACT)
        await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        # A measurement, so that there is something drawn over the image.
        await page.value(
            "document.querySelector('.cell').dispatchEvent(new KeyboardEvent('keydown', { key: 'l', bubbles: true }))"
        )
        await page.drag(".voxcast-view .cell", 90, 60)
        x, y = await page.centre(".top-bar")
        await page.mouse("mouseMoved", x, y)
        await page.click(".actions > button")
        await page.value(CHOOSE.format("Picture of this view (PNG)"))
        file = tmp_path / "view.png"
        for _ in range(400):
            if file.exists() and file.stat().st_size:
                break
            await asyncio.sleep(0.025)
        await page.until("document.querySelector('#actions') === null")
        whole, lines = await page.value(PLACES)
        shot, picture = (
            cut(png_decode(await page.screenshot()), whole),
            png_decode(file.read_bytes())[..., :3].astype(int),
        )
        assert picture.shape == shot.shape
        # The words are where they stand on the screen: who it is above all.
        said = [text for text, _ in lines]
        for words in ("Nightingale, Florence", "N1820", "1 / 12", "L", "R"):
            assert words in said, said
        for words, (left, top, right, bottom) in lines:
            box = [left - whole[0], top - whole[1], right - whole[0], bottom - whole[1]]
            seen, drawn = cut(shot, box).max(2) > 140, cut(picture, box).max(2)
            # Letters may be a pixel off: of those that are seen most are drawn within it.
            wide = np.max([np.roll(drawn, (dy, dx), (0, 1)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0) > 110
            assert seen.sum() > 5, words
            assert (wide & seen).sum() >= 0.8 * seen.sum(), words
        # Everything else is the image and the mark over it, grey by grey.
        beside = np.ones(shot.shape[:2], bool)
        for _, (left, top, right, bottom) in lines:
            beside[
                max(top - whole[1] - 2, 0) : bottom - whole[1] + 2, max(left - whole[0] - 2, 0) : right - whole[0] + 2
            ] = False
        beside &= shot.max(2) - shot.min(2) < 12  # marks, frames and bars have colours, and edges that are smoothed
        differ = np.abs(shot - picture).max(2) > 2
        assert (differ & beside).sum() < 0.01 * beside.sum()
        assert beside.sum() > 0.8 * beside.size

    browse(server, steps, AT, ready=READY)


def test_a_printed_view_names_its_patient(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until(EXACT)
        # Whoever prints by the browser's own menu is told how, and whose study it is.
        (words,) = await paper(page)
        assert "Nightingale, Florence" in words
        assert "Print this view" in words
        await page.value("(window.print = () => { window.printed = true; }, true)")
        await page.click(".actions > button")
        await page.value(CHOOSE.format("Print this view"))
        await page.until("window.printed")
        await page.call("Emulation.setEmulatedMedia", media="print")
        sizes = "(({ naturalWidth, naturalHeight, width, height }) => [naturalWidth / naturalHeight, width / height, width])"
        natural, shown, width = await page.value(f"{sizes}(document.querySelector('img.paper-only'))")
        assert width > 300
        assert abs(natural - shown) < 0.02 * natural
        assert await page.value("getComputedStyle(document.querySelector('.strip')).display") == "none"
        await page.call("Emulation.setEmulatedMedia", media="")
        (sheet,) = await printed(page)
        words = sheet.extract_text()
        for part in ("Nightingale, Florence", "N1820", "1820-05-12", "2024-02-29", "Thorax for viewers"):
            assert part in words
        assert "Save" not in words
        assert [image.image.size[0] > 300 for image in sheet.images if image.image] == [True]
        # Afterwards nothing is left that could be printed as something else's.
        await page.until("document.querySelector('img.paper-only') === null")

    browse(server, steps, AT, ready=READY)


def test_every_page_of_a_printed_report_names_its_patient(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until("document.querySelectorAll('.report li').length > 3")
        pages = await paper(page)
        assert len(pages) >= 3
        for words in pages:
            assert "Nightingale, Florence" in words
            assert "N1820" in words
        whole = " ".join(" ".join(pages).split())
        assert [n for n in range(200) if f"Finding number {n} is as it was before." not in whole] == []
        assert "Back to the images" not in whole

    browse(server, steps, f"{AT}&SeriesInstanceUID={SR_SERIES}", ready="document.querySelector('.report') !== null")
