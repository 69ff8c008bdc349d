"""From a row of the list to its first image, in a real Chromium: what is asked for, in which order, and what was made ahead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from browser import Page
from built_page import browse, needs_page
from serving import Serving
from viewing import CT_SERIES, STUDY, viewers_study

pytestmark = needs_page

ROW = f"[data-study='{STUDY}']"
LISTED = f"document.querySelector({json.dumps(ROW)}) !== null"
CLICK = f"document.querySelector({json.dumps(ROW)}).click()"
IDENTIFIED = "document.querySelector('.voxcast-view .labels')?.innerText.includes('Nightingale')"
# What sessions say, in `window.said`: on its way to the worker that has their WebSocket.
_HEARD = """
window.said = [];
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (what, ...more) {
  if (what.kind === 'send') said.push(JSON.parse(what.text));
  return post.call(this, what, ...more);
};
"""
PREPARED = "said.some(({ type }) => type === 'hello')"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*viewers_study()).status_code == 200
        yield running


def at_the_list(server: Serving, steps: Any) -> None:
    """Steps in a page whose list is there, and what the first click needs, too."""

    async def prepared(page: Page) -> None:
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=_HEARD)
        await page.open(f"{server.url}/?")
        await page.until(LISTED)
        await page.until(PREPARED)
        page.requests.clear()
        await steps(page)

    browse(server, prepared, "/", ready=LISTED)


def test_a_click_asks_for_images_first_and_for_each_thing_once(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.value(CLICK)
        await page.until(IDENTIFIED)
        await page.until("document.querySelectorAll('.series').length > 0")
        await until(page, "Modality=PR")
        asked = [url.removeprefix(server.url) for url in page.requests]
        [series] = [at for at, url in enumerate(asked) if url.endswith("/series?includefield=00201209")]
        [headers] = [at for at, url in enumerate(asked) if url.endswith(f"/series/{CT_SERIES}/metadata")]
        [reports] = [at for at, url in enumerate(asked) if "Modality=SR" in url]
        [views] = [at for at, url in enumerate(asked) if "Modality=PR" in url]
        assert series == 0
        assert headers < min(reports, views)
        opened = [word for word in await page.value("said") if word["type"] == "open"]
        assert {(word["series"], word["seriesInstanceUID"]) for word in opened} == {(1, CT_SERIES)}
        looks = [word for word in await page.value("said") if word["type"] == "look"]
        assert looks[0]["width"] > 1, "it is said how large images are from the first word on"

    at_the_list(server, steps)


def test_a_pointer_that_is_down_asks_for_the_series_and_one_that_goes_elsewhere_gives_it_back(server: Serving) -> None:
    async def steps(page: Page) -> None:
        x, y = await page.centre(ROW)
        await page.mouse("mousePressed", x, y, button="left", clickCount=1)
        await page.until("said.some(({ type }) => type === 'open')")
        assert await page.value("document.querySelector('.voxcast-view')") is None
        await page.until("said.some(({ type, series }) => type === 'close' && series === 1)")
        words = [word["type"] for word in await page.value("said") if "viewport" in word]
        assert words[:1] == ["look"] and words[-1] == "close", "its image was on its way, and is no more"
        await page.mouse("mouseReleased", 5, 5, button="left", clickCount=1)
        await page.value(CLICK)
        await page.until(IDENTIFIED)
        warned = "[...document.querySelectorAll('.voxcast-view .warning')].every((one) => one.hidden)"
        assert await page.value(warned), "what was given back is no trouble"
        opened = [word["series"] for word in await page.value("said") if word["type"] == "open"]
        assert list(dict.fromkeys(opened)) == [1, 2]  # one whose pack is ready meanwhile is opened again, by its number

    at_the_list(server, steps)


def test_what_a_mouse_aims_at_is_what_its_click_shows(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.click(ROW)
        await page.until(IDENTIFIED)
        asked = [url for url in page.requests if url.endswith((f"/series/{CT_SERIES}/metadata", "=00201209"))]
        assert len(asked) == 2, "no second time"
        assert {w["series"] for w in await page.value("said") if w["type"] == "open"} == {1}

    at_the_list(server, steps)


def test_what_was_made_ahead_is_as_the_reader_chose_meanwhile(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.value(
            "(() => { const chooser = document.querySelector('.preferences select[name=overlay]');"
            " chooser.value = 'few'; chooser.dispatchEvent(new Event('change', { bubbles: true })); })()"
        )
        await page.value(CLICK)
        await page.until(IDENTIFIED)
        assert await page.value("document.querySelector('.voxcast-view .labels').classList.contains('few')")
        assert await page.value("document.querySelectorAll('.voxcast-view').length") == 1

    at_the_list(server, steps)


async def until(page: Page, part: str) -> None:
    """Wait until something was asked for."""
    for _ in range(200):
        if any(part in url for url in page.requests):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never asked for: {part} among {page.requests}")
