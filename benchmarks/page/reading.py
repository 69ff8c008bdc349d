"""Reads with a viewer, as a process at the end of a link: ``python -m benchmarks.page.reading JOB.json FOUND.json``.

Each round is a cold browser. Of our page: the list, a click on the study, the first image, the last slice by a key right after
it; then a fling through the series from its start. Of OHIF, whose address opens the study: the first image and the same fling.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.page import scripts
from benchmarks.page.tab import browser, page_bytes, unwatched, webgl

_REST_S = 3.0
_REACHED_S, _DOWN_S = 0.2, 0.07  # a hand that is quick
_QUIET_S = 1.5  # what the list fetches ahead is there; people look at a list for longer
_CELL = ".voxcast-view .cell"
_PANE = "[data-cy=viewport-pane] .cornerstone-canvas"
_FIRST = "performance.getEntriesByName('voxcast:first-image')[0]?.startTime"
_HINTS = "[...document.querySelectorAll('button')].filter(b => /Confirm and hide|Skip all/.test(b.innerText))"

Found = dict[str, Any]


async def ours(job: Found) -> Found:
    """One round."""
    async with browser() as page:
        listed, row = await _list(page, job)
        clicked = await _clicked(page, row)
        first = await page.until(_FIRST)
        await page.value(scripts.key(_CELL, "End"))
        last = job["slices"] - 1
        other = await page.until(f"noted.drawn.find(([, at, halvings]) => at === {last} && halvings >= 0)?.[0]")
        await page.value(scripts.key(_CELL, "Home"))
        await page.until("noted.drawn.at(-1)[1] === 0")
        return {
            "list": listed,
            "first image": first - clicked,
            "another position": other - clicked,
        } | await _fling(page, job, _CELL)


async def unaimed(job: Found) -> Found:
    """A click out of nothing, as a program's is: no pointer came, rested and went down before."""
    async with browser() as page:
        _, row = await _list(page, job)
        await page.value(f"document.querySelector({json.dumps(row)}).click()")
        return {"unaimed click to first image": await page.until(_FIRST) - await page.until("noted.clicked")}


async def _list(page: Any, job: Found) -> tuple[float, str]:
    """When the list was ready, and the row of the study in it; after a while in which it was looked at."""
    await unwatched(page)
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=scripts.OURS)
    await page.open(job["url"] + "/")
    row = f"[data-study='{job['study']}']"
    await page.until(f"!!document.querySelector({json.dumps(row)})")
    listed = await page.until("performance.getEntriesByName('voxcast:list-ready')[0]?.startTime")
    await asyncio.sleep(_QUIET_S)
    return listed, row


async def _clicked(page: Any, selector: str) -> float:
    """A hand's click: the pointer comes, rests a moment, goes down and up; the time of the click, which is that of going up."""
    x, y = await page.centre(selector)
    await page.mouse("mouseMoved", x, y)
    await asyncio.sleep(_REACHED_S)
    await page.mouse("mousePressed", x, y, button="left", clickCount=1)
    await asyncio.sleep(_DOWN_S)
    await page.mouse("mouseReleased", x, y, button="left", clickCount=1)
    return float(await page.until("noted.clicked"))


async def ohif(job: Found) -> Found:
    """One round."""
    async with browser(*webgl()) as page:
        await unwatched(page)
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=scripts.OHIF)
        await page.open(f"{job['url']}/ohif/viewer?StudyInstanceUIDs={job['study']}")
        first = await page.until("noted.drawn[0]?.[0]")
        await page.until(f"{_HINTS}.length === 2")
        await page.value(f"{_HINTS}.forEach((button) => button.click())")
        await asyncio.sleep(0.5)
        return {"address to first image": first} | await _fling(page, job, _PANE)


async def _fling(page: Any, job: Found, target: str) -> Found:
    """From the first slice to the last; what was drawn meanwhile."""
    await page.value("(noted.drawn = [], noted.blocked = [], 0)")
    await page.value(scripts.fling(target, job["slices"] - 1, job["seconds"]))
    await asyncio.sleep(_REST_S)
    return {"fling": await page.value("noted")}


async def cold(job: Found) -> Found:
    """Our viewer by its address, as OHIF is opened."""
    async with browser() as page:
        await unwatched(page)
        await page.open(f"{job['url']}/viewer?StudyInstanceUIDs={job['study']}&SeriesInstanceUID={job['series']}")
        first = await page.until(_FIRST)
        return {"address to first image": first}


async def memory(job: Found) -> Found:
    """What the page holds with several series side by side, scrolled through; MiB."""
    chromium = browser()
    async with chromium as page:
        await unwatched(page)
        await page.open(f"{job['url']}/viewer?StudyInstanceUIDs={job['study']}&SeriesInstanceUID={job['several'][0]}")
        await page.until(f"!!document.querySelector('{_CELL}')")
        await page.value(
            "(() => { const chooser = [...document.querySelectorAll('.voxcast-view .toolbar select')]"
            ".find((one) => [...one.options].some((option) => option.value === '2 2'));"
            " chooser.value = '2 2'; chooser.dispatchEvent(new Event('change')); })()"
        )
        await page.until(f"document.querySelectorAll('{_CELL}').length === 4")
        for number, series in enumerate(job["several"]):
            what = json.dumps(json.dumps({"study": job["study"], "series": series}))
            await page.value(
                f"(() => {{ const t = new DataTransfer(); t.setData('application/x-voxcast-series', {what});"
                f" document.querySelectorAll('{_CELL}')[{number}].dispatchEvent(new DragEvent('drop',"
                " { dataTransfer: t, bubbles: true, cancelable: true })); })()"
            )
        held = []
        for _ in range(job["looks"]):
            for number in range(len(job["several"])):
                await page.value(
                    f"(() => {{ const cell = document.querySelectorAll('{_CELL}')[{number}];"
                    " cell.dispatchEvent(new WheelEvent('wheel', { deltaY: 3000, bubbles: true, cancelable: true })); })()"
                )
                await asyncio.sleep(0.5)
            held.append(page_bytes(chromium._process.pid) / (1 << 20))
        return {"memory": max(held), "memory at the end": held[-1]}


KINDS = {"ours": ours, "unaimed": unaimed, "ohif": ohif, "cold": cold, "memory": memory}


async def every(job: Found) -> list[Found]:
    return [await KINDS[job["kind"]](job) for _ in range(job["rounds"])]


if __name__ == "__main__":
    made = asyncio.run(every(json.loads(Path(sys.argv[1]).read_text())))
    Path(sys.argv[2]).write_text(json.dumps(made))
