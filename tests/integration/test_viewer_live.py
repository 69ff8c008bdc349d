"""A study that is still being received is open in Chromium: what comes, goes and is replaced is seen and said without a reload."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from browser import Page
from built_page import browse, needs_page
from pictures import part10
from serving import Serving
from viewing import CT_SERIES, SLICES, STUDY, US_SERIES, ct_slice, multi_frame

pytestmark = needs_page
AT = f"/viewer?StudyInstanceUIDs={STUDY}"
READY = "document.querySelector('.voxcast-view .labels')?.innerText.includes(' / ')"
LABELS = "document.querySelector('.voxcast-view .labels').innerText"
SERIES = "[...document.querySelectorAll('.series')].map((b) => b.dataset.series)"


def _slices(*numbers: int) -> list[bytes]:
    return [part10(ct_slice(n)) for n in numbers]


async def _press(page: Page, key: str) -> None:
    event = f"new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }})"
    await page.value(f"document.querySelector('.voxcast-view .cell').dispatchEvent({event})")


def test_images_come_and_series_go_while_the_study_is_open(tmp_path: Path) -> None:
    odd, even = range(1, SLICES, 2), range(0, SLICES, 2)
    with Serving(tmp_path / "archive") as server:
        assert server.store(*_slices(*odd)).status_code == 200

        async def steps(page: Page) -> None:
            await page.until(f"{LABELS}.includes('1 / 6')")
            await page.value("window.stayed = true")
            await _press(page, "ArrowDown")
            await page.until(f"{LABELS}.includes('2 / 6') && {LABELS}.includes('z 9 mm')")
            assert server.store(*_slices(*even)).status_code == 200
            # The image that is looked at stays, though others have come before it.
            await page.until(f"{LABELS}.includes('4 / 12') && {LABELS}.includes('z 9 mm')")
            await page.until("document.querySelector('.news[role=status]').innerText.includes('new image')")
            assert "Disk" in await page.value("document.querySelector('.news[role=status]').innerText")
            await page.until("document.querySelector('.series .badges').innerText.includes('12 images')")
            await _press(page, "ArrowUp")
            await page.until(
                f"{LABELS}.includes('3 / 12') && {LABELS}.includes('z 6 mm') && !{LABELS}.includes('loading')"
            )
            # A series that begins now is in the strip.
            assert server.store(part10(multi_frame())).status_code == 200
            await page.until(f'JSON.stringify({SERIES}) === \'["{CT_SERIES}","{US_SERIES}"]\'')
            await page.until(f"document.querySelector('.series[data-series=\"{US_SERIES}\"] img')?.naturalWidth > 0")
            # One that is deleted is said until it is read, and no longer offered.
            answer = server.session.delete(f"{server.url}/api/studies/{STUDY}/series/{US_SERIES}", timeout=20)
            assert answer.status_code == 200
            await page.until(
                "document.querySelector('.news[role=alert]').innerText.includes('Deleted from the archive')"
            )
            assert "Five frames" in await page.value("document.querySelector('.news[role=alert]').innerText")
            await page.until(f"JSON.stringify({SERIES}) === '[\"{CT_SERIES}\"]'")
            await page.value("document.querySelector('.news button').click()")
            await page.until("document.querySelector('.news[role=alert]').innerText === ''")
            # An image that goes is gone from the stack.
            path = f"/api/studies/{STUDY}/series/{CT_SERIES}/instances/{CT_SERIES}.1"
            assert server.session.delete(server.url + path, timeout=20).status_code == 200
            await page.until(f"{LABELS}.includes('2 / 11') && {LABELS}.includes('z 6 mm')")
            assert await page.value("window.stayed")

        browse(server, steps, AT, ready=READY)


def test_images_that_are_replaced_are_shown_anew_and_said(tmp_path: Path) -> None:
    brightest = """new Promise((done) => document.querySelector('.voxcast-view').dispatchEvent(new CustomEvent('voxcast:read',
      { detail: (image) => done(image ? image.data[(5 * image.width + 5) * 4] : -1) })))"""
    other = ct_slice(3)
    other.PixelData = np.full((128, 128), 1024 + 40, np.uint16).tobytes()
    with Serving(tmp_path / "archive", environ={"VOXCAST_ON_CONFLICT": "replace"}) as server:
        assert server.store(*_slices(3)).status_code == 200

        async def steps(page: Page) -> None:
            await page.until(f"{brightest}.then((grey) => grey === 0)")  # air
            assert server.store(part10(other)).status_code in (200, 202)
            await page.until(f"{brightest}.then((grey) => grey > 100)")  # water
            await page.until("document.querySelector('.news[role=alert]').innerText.includes('replaced')")

        browse(server, steps, AT, ready=READY)
