"""What the viewer measures and stores, OHIF shows: the same places, the same numbers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from browser import WEBGL, Browser, Page, needs_chromium
from serving import Serving
from viewer import CELL, address, browse, exact_frame, needs_page
from viewing import CT_SERIES, OHIF, STUDY, viewers_study

pytestmark = [
    pytest.mark.peer,
    needs_chromium,
    needs_page,
    pytest.mark.skipif(not OHIF.is_dir(), reason="OHIF is not there (.ci/clients.sh fetches it)"),
]
SIDE = 128
_BUTTONS = "[...document.querySelectorAll('button')].filter(b => /Confirm and hide|Skip/i.test(b.innerText))"
_SERIES = "[...document.querySelectorAll('[data-cy^=study-browser-thumbnail]')]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    tmp = tmp_path_factory.mktemp("ohif")
    config = tmp / "voxcast.toml"
    config.write_text(f'ohif = "{OHIF}"\n')
    with Serving(tmp / "archive", "--config", str(config), "--workers", "1") as running:
        assert running.store(*viewers_study()).status_code == 200
        yield running


async def draw(page: Page, tool: str, *path: tuple[float, float]) -> None:
    """In pixels of the image from its middle."""
    await page.value(f"document.querySelector('.voxcast-view button[data-act=\"tool.{tool}\"]').click()")
    x, y = await page.centre(CELL)
    height = await page.value(f"document.querySelector('{CELL}').getBoundingClientRect().height")
    places = [(x + across * height / SIDE, y + down * height / SIDE) for across, down in path]
    await page.mouse("mousePressed", *places[0], button="left", clickCount=1)
    for place in places[1:]:
        await page.mouse("mouseMoved", *place, button="left", buttons=1)
    await page.mouse("mouseReleased", *places[-1], button="left", clickCount=1)


def test_ohif_shows_what_was_measured(server: Serving) -> None:
    async def measure(page: Page) -> None:
        await exact_frame(page, f"{CT_SERIES}.1 1")
        await draw(page, "length", (-40, -30), (-20, -30), (0, -30))
        await draw(page, "ellipse", (-30, 10), (-20, 20), (-10, 20))
        await draw(page, "angle", (20, -40), (40, -40))
        await draw(page, "angle", (40, -20))
        await page.until(f"document.querySelectorAll('{CELL} text.mark').length >= 3")
        await page.value("document.querySelector('[data-act=\"act.save\"]').click()")
        await page.until("document.querySelector('.voxcast-view').innerText.includes('3 measurements are stored')")

    browse(server, address(STUDY, CT_SERIES), measure)

    async def read() -> None:
        async with Browser(1400, 900, *WEBGL) as page:
            await page.open(f"{server.url}/ohif/viewer?StudyInstanceUIDs={STUDY}")
            await page.until(f"{_SERIES}.some(e => e.innerText.includes('Measurements'))")
            await page.until(f"{_BUTTONS}.length === 2")
            await page.value(f"{_BUTTONS}.forEach(b => b.click())")
            await page.until(f"{_BUTTONS}.length === 0")
            await asyncio.sleep(2)  # it draws its first image, which a choice before that would be lost behind
            await page.value(
                f"(() => {{ const it = {_SERIES}.find(e => e.innerText.includes('Measurements'));"
                " it.id = 'picked'; it.scrollIntoView(); })()"
            )
            await page.click("#picked", 2)
            # Pixels of 2 mm: 40 of them, and an ellipse of 20 × 10; the hand is right to a fifth of one.
            text = await page.until(
                "(t => / mm(?!2)/.test(t) && /mm2/.test(t) && / deg/.test(t) && t)(document.body.innerText)"
            )
            length, area, angle = (
                float(re.findall(rf"([\d.]+) {unit}", text)[0]) for unit in ("mm(?!2)", "mm2", "deg")
            )
            assert length == pytest.approx(80, abs=0.5)
            assert area == pytest.approx(3.14159 * 20 * 10, rel=0.04)
            assert angle == pytest.approx(90, abs=0.5)
            assert page.problems == []

    asyncio.run(read())
