"""A reader's tasks by keys alone, by mouse alone, by fingers alone: find, scroll, window, measure, store, reopen, compare."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from browser import Browser, Page
from built_page import LISTED, needs_page
from pictures import part10
from pydicom.dataset import Dataset
from serving import Serving
from viewer import CELL
from viewing import SLICES, STUDY, ct_slice

pytestmark = needs_page

PRIOR = "1.2.41"
LABELS = f"(document.querySelector('{CELL}')?.innerText ?? '')"
EXACT = f"!document.querySelector('{CELL} .badge').textContent"
LENGTHS = f"[...document.querySelectorAll('{CELL} text.mark')].map((t) => t.textContent)"
SAID = f"document.querySelector('{CELL} [role=status].hidden').textContent"


def _prior(index: int) -> Dataset:
    ds = ct_slice(index)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = PRIOR, f"{PRIOR}.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{PRIOR}.1.{index + 1}"
    ds.StudyDate, ds.StudyDescription = "20230101", "A year before"
    return ds


@pytest.fixture
def server(tmp_path: Any) -> Iterator[Serving]:
    with Serving(tmp_path / "archive", "--workers", "1") as running:
        images = [part10(of(n)) for of in (ct_slice, _prior) for n in range(SLICES)]
        assert running.store(*images).status_code == 200
        yield running


_CODES = {
    "Enter": 13,
    "Tab": 9,
    "Escape": 27,
    "End": 35,
    "ArrowRight": 39,
    "ArrowLeft": 37,
    "ArrowDown": 40,
    "ArrowUp": 38,
}


class Keys:
    """Nothing but keys, as a keyboard sends them; where the focus is, is asked, never set."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def press(self, *keys: str) -> None:
        for key in keys:
            shift = 8 if key.startswith("Shift+") else 0
            name = key.removeprefix("Shift+")
            more = {"text": "\r"} if name == "Enter" else {"text": name} if len(name) == 1 else {}
            code = _CODES.get(name, ord(name[0].upper()))
            common = {"key": name, "code": name, "modifiers": shift, "windowsVirtualKeyCode": code}
            await self.page.call("Input.dispatchKeyEvent", type="keyDown", **common, **more)
            await self.page.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def to(self, selector: str, key: str, most: int) -> None:
        """Press a key until an element has the focus, and shows that it has."""
        trail = []
        for _ in range(most):
            trail.append(await self.page.value("document.activeElement?.outerHTML.slice(0, 90)"))
            if await self.page.value(f"document.activeElement?.matches({selector!r})"):
                assert await self.page.value("getComputedStyle(document.activeElement).outlineStyle !== 'none'")
                return
            await self.press(key)
        raise AssertionError(f"{key} does not come to {selector}: {trail}")

    async def find(self) -> None:
        await self.press("/", *"viewers")
        await self.page.until("document.querySelectorAll('.study').length === 1")
        await self.press("ArrowDown", "Enter")

    async def to_the_end(self) -> None:
        await self.press("End")

    async def window(self) -> None:
        await self.press("3")
        await self.page.until(f"{LABELS}.includes('C -600 W 1500')")
        await self.press("w", "Enter", *["ArrowRight"] * 3, "ArrowDown", "Enter")
        await self.page.until(f"{SAID}.startsWith('Center ')")

    async def measure(self) -> None:
        await self.press("l", "Enter")
        # In the middle, which is where four pixels meet.
        await self.page.until(f"/^Column 6[45], row 6[45], 40 HU$/.test({SAID})")
        await self.press("Enter", *["ArrowRight"] * 10, "Enter")
        await self.page.until(f"/^Length, \\d+(\\.\\d+)? mm$/.test({SAID})")

    async def store(self) -> None:
        await self.to(".toolbar button[tabindex='0']", "Shift+Tab", 12)
        await self.to("[data-act='act.save']", "ArrowRight", 40)
        await self.press("Enter")

    async def close(self) -> None:
        await self.to(".back", "Shift+Tab", 40)
        await self.press("Enter")

    async def compare(self) -> None:
        await self.to(".prior", "Tab", 60)
        await self.press("Enter")


class Mouse:
    """Nothing but the pointer of a mouse and its wheel."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def tap(self, selector: str) -> None:
        await self.page.click(selector)

    async def stroke(self, right: float, down: float) -> None:
        await self.page.drag(CELL, right, down)

    async def find(self) -> None:
        await self.tap(f".study[data-study='{STUDY}']")

    async def to_the_end(self) -> None:
        await self.page.wheel(CELL, 14)

    async def window(self) -> None:
        await self.stroke(60, 30)

    async def measure(self) -> None:
        await self.tap("[data-act='tool.length']")
        await self.stroke(80, 40)

    async def store(self) -> None:
        await self.tap("[data-act='act.save']")

    async def close(self) -> None:
        await self.tap(".top-bar button, .top-bar a")

    async def compare(self) -> None:
        await self.tap(".prior")


_APART_S = 0.35  # two touches that are nearer in time are a double tap to the browser


class Fingers(Mouse):
    """Nothing but touches."""

    async def tap(self, selector: str) -> None:
        hidden = "e => e.closest('.toolbar .rest')?.hidden === true"
        if await self.page.value(f"({hidden})(document.querySelector({selector!r}))"):
            await self.tap("[data-act='tool.more']")
        # What is beyond the edge of a row of series is brought into view, as a finger pushes the row.
        await self.page.value(
            f"((e) => {{ const r = e.getBoundingClientRect(); if (r.left < 0 || r.right > innerWidth)"
            f" e.scrollIntoView({{ inline: 'center', block: 'nearest' }}); }})(document.querySelector({selector!r}))"
        )
        x, y = await self.page.centre(selector)
        await self.page.touch([(x, y)])
        await asyncio.sleep(_APART_S)

    async def stroke(self, right: float, down: float) -> None:
        x, y = await self.page.centre(CELL)
        await self.page.touch([(x + right * n / 8, y + down * n / 8) for n in range(9)])
        await asyncio.sleep(_APART_S)

    async def to_the_end(self) -> None:
        x, y = await self.page.centre(CELL)
        for _ in range(3):
            ways = [[(x + side, y - 150 + 300 * n / 12) for n in range(13)] for side in (-50, 50)]
            await self.page.touch(*ways)
            await asyncio.sleep(_APART_S)


@pytest.mark.parametrize(("hand", "size"), [(Keys, (1280, 800)), (Mouse, (1280, 800)), (Fingers, (390, 844))])
def test_a_study_is_read_measured_kept_and_compared(server: Serving, hand: type[Any], size: tuple[int, int]) -> None:
    async def run() -> None:
        async with Browser(*size) as page:
            by = hand(page)
            if hand is Fingers:  # before anything is laid out: buttons are larger for fingers
                await page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)
            await page.open(server.url + "/")
            await page.until(LISTED)
            await page.until("document.querySelectorAll('.study').length === 2")
            await by.find()
            await page.until(f"{LABELS}.includes('1 / {SLICES}')")
            await by.to_the_end()
            await page.until(f"{LABELS}.includes('{SLICES} / {SLICES}') && {EXACT}")
            await by.window()
            await page.until(f"!{LABELS}.includes('C 40 W 400')")
            await by.measure()
            await page.until(f"{LENGTHS}.length === 1 && {LENGTHS}[0].endsWith(' mm')")
            length = await page.value(f"{LENGTHS}[0]")
            await by.store()
            await page.until("document.querySelector('.voxcast-view').innerText.includes('1 measurement is stored.')")
            await by.close()
            await page.until("location.pathname === '/' && document.querySelector('.study') !== null")
            if hand is Keys:
                await by.press("/", "ArrowDown", "Enter")
            else:
                await by.find()
            await page.until(f"{LABELS}.includes('1 / {SLICES}')")
            await by.to_the_end()
            await page.until(f"{LENGTHS}.join() === {length!r}")
            await page.until(
                "document.querySelectorAll('.series').length === 2 && document.querySelector('.prior') !== null"
            )
            await by.window()  # and Chromium makes no click of a touch that comes straight after two fingers
            await by.compare()
            await page.until(f"document.querySelectorAll('{CELL}').length === 2")
            await page.until(
                f"[...document.querySelectorAll('{CELL}')].some((c) => c.innerText.includes('A year before'))"
            )
            assert page.problems == []

    asyncio.run(run())
