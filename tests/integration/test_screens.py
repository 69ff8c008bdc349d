"""Every screen of the page in both languages, at three sizes: axe-core's rules, nothing out of sight or too small to hit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from accessibility import needs_axe, violations
from browser import Browser, Page
from built_page import LISTED, choose, fits, needs_page
from serving import Serving
from viewer import CELL, draw
from viewing import CT_SERIES, PDF_SERIES, SEG_SERIES, STUDY, borrowed, viewers_study

pytestmark = [*needs_page, needs_axe]

SIZES = ((1280, 800), (768, 1024), (390, 844))
ECG_SERIES, SR_SERIES = "1.2.40.5", "1.2.40.6"
_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
_AT = f"/viewer?StudyInstanceUIDs={STUDY}&SeriesInstanceUID="
_EXACT = f"/^1 \\/ 12$/m.test(document.querySelector('{CELL}')?.innerText) && !document.querySelector('{CELL} .badge').textContent"
# Of the tools that always stand above the images; 0 where there are none.
_ROWS = (
    "(() => { const bar = document.querySelector('.toolbar'), rest = bar?.querySelector('.rest');"
    " return bar === null ? 0 : Math.floor((bar.clientHeight - rest.offsetHeight - 4) / 30); })()"
)
_PRESS = "document.querySelector('[data-act=\"act.{}\"]').click()"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        documents = [borrowed("waveform_ecg.dcm", ECG_SERIES), borrowed("reportsi.dcm", SR_SERIES)]
        assert running.store(*viewers_study(), *documents).status_code == 200
        yield running


async def _nothing(page: Page) -> None:
    pass


async def _marks(page: Page) -> None:
    await draw(page, "length", (-40, -30), (0, -20), (30, -10))
    await draw(page, "ellipse", (-30, 10), (0, 20), (10, 40))
    await page.until(f"document.querySelectorAll('{CELL} text.mark').length >= 4")


async def _more(page: Page) -> None:
    await page.click("[data-act='tool.more']")
    await page.until("document.querySelector('.toolbar .rest').clientHeight > 0")


async def _planes(page: Page) -> None:
    await page.value(_PRESS.format("planes"))
    await page.until(f"document.querySelectorAll('{CELL}').length === 3")
    await page.until("[...document.querySelectorAll('.cell .badge')].every((b) => !b.textContent)")


async def _volume(page: Page) -> None:
    await page.value(_PRESS.format("volume"))
    await page.until("!document.querySelector('.volume-panel').hidden")


async def _settings(page: Page) -> None:
    await page.value("document.querySelector('.preferences-button').click()")
    await page.until("document.querySelector('dialog[open]') !== null")


async def _import(page: Page) -> None:
    """A file that is no DICOM at all: refused, and named."""
    document = await page.call("DOM.getDocument")
    node = await page.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector="#import-files")
    await page.call("DOM.setFileInputFiles", files=[str(Path(__file__))], nodeId=node["nodeId"])
    await page.until("document.querySelector('.failures') !== null")


_STUDY_READY = "document.querySelectorAll('.series').length === 6"
# Name, address, when it is there, what is done on it.
SCREENS: dict[str, tuple[str, str, Callable[[Page], Awaitable[None]]]] = {
    "list": ("/", LISTED, _nothing),
    "nothing found": ("/?q=zzzz", LISTED, _nothing),
    "importing": ("/", LISTED, _import),
    "list settings": ("/", LISTED, _settings),
    "images": (_AT + CT_SERIES, _EXACT, _marks),
    "more tools": (_AT + CT_SERIES, _EXACT, _more),
    "image that does not come": (_AT + SEG_SERIES, "document.querySelector('.cell .trouble:not([hidden])') !== null", _nothing),
    "planes": (_AT + CT_SERIES, _EXACT, _planes),
    "volume": (_AT + CT_SERIES, _EXACT, _volume),
    "settings": (_AT + CT_SERIES, _EXACT, _settings),
    "report": (_AT + SR_SERIES, "document.querySelectorAll('.report li').length > 3", _nothing),
    "waveform": (_AT + ECG_SERIES, "document.querySelectorAll('.waves canvas').length >= 12", _nothing),
    "PDF": (_AT + PDF_SERIES, "document.querySelector('.document iframe, .document embed, .document object') !== null", _nothing),
    "no study": ("/viewer?StudyInstanceUIDs=1.2.99", "document.querySelector('[role=alert]')?.innerText.length > 0", _nothing),
}  # fmt: skip
_REFUSED = {"image that does not come": ["*/frames/*"]}  # of the server's answers


async def screens(page: Page, server: Serving, language: str, contrast: str) -> AsyncIterator[str]:
    """Go through all of them."""
    for name, (path, ready, steps) in SCREENS.items():
        await page.call("Network.setBlockedURLs", urls=_REFUSED.get(name, []))
        await page.open(server.url + path)
        await choose(page, ready, language=language, contrast=contrast)
        await steps(page)
        yield name
        # The browser asks before it leaves what is not stored.
        await page.value(
            "(() => { const undo = document.querySelector('[data-act=\"act.undo\"]');"
            " for (let n = 0; n < 9 && undo; n++) undo.click(); })()"
        )


@pytest.mark.parametrize(("language", "contrast"), [("en", "calm"), ("ar", "high")])
def test_every_screen_is_accessible_and_fits_every_size(server: Serving, language: str, contrast: str) -> None:
    broken: dict[str, object] = {}

    async def run() -> None:
        async with Browser(*SIZES[0]) as page:
            async for name in screens(page, server, language, contrast):
                for size in SIZES:
                    await page.resize(*size)
                    await page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                    try:
                        await fits(page)
                    except AssertionError as error:
                        broken[f"{name} {size}"] = str(error)
                    if (rows := await page.value(_ROWS)) > 2:
                        broken[f"{name} {size} tools"] = f"{rows} rows"
                    if found := await violations(page):
                        broken[f"{name} {size} axe"] = found
                await page.resize(*SIZES[0])

    asyncio.run(run())
    assert broken == {}
