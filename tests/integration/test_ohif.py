"""OHIF as its authors built it, in a real Chromium, on a real server: what a reader does first, and what they then see."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import WEBGL, Browser, Page, needs_chromium
from data import make_instance
from PIL import Image
from recording import Recording
from serving import Serving
from videos import KINDS, encoded, instance
from viewing import OHIF, ROOT, STUDY, viewers_study

pytestmark = [
    pytest.mark.peer,
    needs_chromium,
    pytest.mark.skipif(not OHIF.is_dir(), reason="OHIF is not there (.ci/clients.sh fetches it)"),
]
PANE = "[data-cy=viewport-pane]"
_BUTTONS = "[...document.querySelectorAll('button')].filter(b => /Confirm and hide|Skip all/.test(b.innerText))"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    tmp = tmp_path_factory.mktemp("ohif")
    config = tmp / "voxcast.toml"
    config.write_text(f'ohif = "{OHIF}"\n')
    with Serving(tmp / "archive", "--config", str(config)) as running:
        assert running.store(*viewers_study()).status_code == 200
        yield running


def seen(server: Serving, steps: Callable[[Page], Coroutine[Any, Any, None]], at: str) -> None:
    """Open OHIF at an address and do these steps; nothing may go wrong, and the docs must list all that it asks for."""

    async def run() -> set[str]:
        async with Recording(server.url) as proxy, Browser(1280, 800, *WEBGL) as page:
            await page.open(f"{proxy.url}/ohif/{at}")
            await steps(page)
            assert page.problems == []
            assert not [url for url in page.requests if url.startswith("http") and not url.startswith(proxy.url)]
            assert proxy.failed == []
            return proxy.asked

    listed = (ROOT / "docs" / "clients.md").read_text("utf_8")
    asked = asyncio.run(run())
    assert asked
    missing = sorted(one for one in asked if f"| `{one}` |" not in listed)
    assert not missing, "docs/clients.md does not list:\n" + "\n".join(missing)


async def says(page: Page, text: str, inside: str = "body") -> None:
    await page.until(f"(document.querySelector({inside!r})?.innerText ?? '').includes({text!r})")


async def dismiss(page: Page) -> None:
    """OHIF says first that it is for investigational use, and shows a newcomer round."""
    await page.until(f"{_BUTTONS}.length === 2")
    await page.value(f"{_BUTTONS}.forEach(b => b.click())")
    await page.until(f"{_BUTTONS}.length === 0")


async def shown(page: Page) -> np.ndarray:
    """The viewport as it looks, rows × columns × RGB."""
    box = await page.value(
        f"(() => {{ const r = document.querySelector({PANE!r}).getBoundingClientRect();"
        " return [r.left, r.top, r.right, r.bottom]; })()"
    )
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("RGB")
    return np.asarray(picture.crop(tuple(map(int, box)))).astype(int)


async def settles(page: Page, right: Callable[[np.ndarray], bool]) -> np.ndarray:
    """The viewport once it looks right; what it looks like after ten seconds otherwise."""
    for _ in range(40):
        picture = await shown(page)
        if right(picture):
            break
        await asyncio.sleep(0.25)
    return picture


def disk_place(picture: np.ndarray) -> tuple[float, int]:
    """How far right of the middle the bright disk is, in slice pixels, and the grey of the one around it."""
    grey = picture.mean(axis=2)
    height, width = grey.shape
    around = grey[height // 4 : -height // 4, width // 8 : -width // 8]  # no captions here
    level = int(np.median(around[(around > 20) & (around < 235)]))
    body = np.abs(grey - level) <= 8
    body[:, : width // 10] = body[:, -width // 10 :] = False
    rows, columns = np.nonzero(body)
    diameter = columns.max() - columns.min()
    bright = np.zeros_like(body)
    bright[rows.min() : rows.max(), columns.min() : columns.max()] = (
        grey[rows.min() : rows.max(), columns.min() : columns.max()] > 250
    )
    centre = (columns.max() + columns.min()) / 2
    return float((np.nonzero(bright)[1].mean() - centre) * 100 / diameter), level


def colours(picture: np.ndarray) -> int:
    """Number of pixels that are clearly red, which is what the segmentation recommends for its segment."""
    return int(np.count_nonzero((picture[..., 0] - picture[..., 2] > 40) & (picture[..., 0] - picture[..., 1] > 40)))


async def choose(page: Page, description: str) -> None:
    """Double-click a series in the list at the left."""
    await page.until(
        "(() => { document.querySelector('#picked')?.removeAttribute('id');"
        " const it = [...document.querySelectorAll('[data-cy^=study-browser-thumbnail]')]"
        f" .find(e => e.innerText.includes({description!r})); if (it) {{ it.id = 'picked'; it.scrollIntoView(); }}"
        " return !!it; })()"
    )
    await page.click("#picked", 2)


def test_the_study_list_and_a_search_by_a_part_of_a_name(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await says(page, "Nightingale")
        await says(page, "Thorax for viewers")
        await says(page, "Confirm and hide")
        await page.value(f"{_BUTTONS}.forEach(b => b.click())")
        for text, found in (("gale", True), ("nobody", False), ("flor", True)):
            await page.value(
                "(() => { const e = document.querySelector('th input, input'); e.focus(); e.select(); })()"
            )
            await page.type(text)
            await page.until(
                f"document.body.innerText.includes({'Nightingale' if found else 'No studies available'!r})"
                f" && performance.getEntriesByType('resource').some(e => e.name.includes('*{text}*'))"
            )
            await asyncio.sleep(0.3)
            assert await page.value("document.body.innerText.includes('Nightingale')") is found

    async def quiet(page: Page) -> None:
        await steps(page)
        quiet_about_no_match(page)

    seen(server, quiet, "")


_ASKED = "performance.getEntriesByType('resource').map(e => e.name)"


def quiet_about_no_match(page: Page) -> None:
    """dicomweb-client's JavaScript says so of every search without a match, which is 204 (PS3.18 10.6.3)."""
    page.problems = [p for p in page.problems if "empty response for request" not in p]


def test_searches_by_patient_id_and_by_date(server: Serving) -> None:
    async def steps(page: Page) -> None:
        at = await page.value("location.href.split('?')[0]")
        for query, key, found in (
            ("mrn=1820", "00100020=*1820*", True),
            ("mrn=1821", "00100020=*1821*", False),
            ("startDate=20240229&endDate=20240229", "StudyDate=20240229-20240229", True),
            ("startDate=20240301&endDate=20240401", "StudyDate=20240301-20240401", False),
        ):
            await page.open(f"{at}?{query}")
            await page.until(f"{_ASKED}.some(name => name.includes({key!r}))")
            await says(page, "Nightingale" if found else "No studies available")
            assert await page.value("document.body.innerText.includes('Nightingale')") is found
        quiet_about_no_match(page)

    seen(server, steps, "?mrn=N1820")


def test_the_upload_dialog_stores_a_file(server: Serving, tmp_path: Path) -> None:
    file = tmp_path / "new.dcm"
    file.write_bytes(make_instance("1.2.50.1.1", study="1.2.50", series="1.2.50.1", patient="SEACOLE^MARY"))

    async def steps(page: Page) -> None:
        await says(page, "Nightingale")
        await says(page, "Confirm and hide")
        await page.value(f"{_BUTTONS}.forEach(b => b.click())")
        await page.value("[...document.querySelectorAll('button')].find(b => b.innerText.trim() === 'Upload').click()")
        await page.until("document.querySelector('input[type=file]') !== null")
        document = await page.call("DOM.getDocument")
        chooser = await page.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector="input[type=file]")
        await page.call("DOM.setFileInputFiles", nodeId=chooser["nodeId"], files=[str(file)])
        await says(page, "1 file completed")
        # React's advice to OHIF's authors.
        page.problems = [p for p in page.problems if "for {DialogContent}" not in p]

    seen(server, steps, "")
    stored = server.get("/dicom-web/studies/1.2.50/series/1.2.50.1/instances/1.2.50.1.1", "application/dicom")
    assert stored.content == file.read_bytes()
    assert server.session.delete(server.url + "/dicom-web/studies/1.2.50", timeout=10).status_code == 200


def test_a_video_stored_as_a_transport_stream_plays(server: Serving) -> None:
    """OHIF's video element asks for ``rendered``; only as MP4 can Chromium play it."""
    kind = replace(KINDS["H.264, transport stream"], suffix="102")  # the one that OHIF takes for a video
    video = instance(kind, encoded(kind, 50), 50, "1.2.41.1.1", study="1.2.41", series="1.2.41.1")
    assert server.store(video).status_code == 200

    async def steps(page: Page) -> None:
        await says(page, "VIDEO")
        await dismiss(page)

        def is_frame(picture: np.ndarray) -> bool:
            """Green at the left below, magenta at the right above, as `videos.picture` has it."""
            height, width = picture.shape[:2]
            left, right = picture[height * 3 // 4, width // 20], picture[height // 3, width * 9 // 10]
            return bool(left[1] - max(left[0], left[2]) > 60 and min(right[0], right[2]) - right[1] > 30)

        assert is_frame(await settles(page, is_frame)), "no frame of the video is shown"
        # OHIF's own: what its data source is, as a warning, and a video's camera and place asked for before they are there.
        known = ("dataSource=", "initialCamera", "Unable to apply reference viewable")
        page.problems = [p for p in page.problems if not any(word in p for word in known)]

    seen(server, steps, "viewer?StudyInstanceUIDs=1.2.41")
    assert server.session.delete(server.url + "/dicom-web/studies/1.2.41", timeout=10).status_code == 200


def test_scroll_and_window(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await says(page, "(1/12)")
        await dismiss(page)
        text = await page.value(f"document.querySelector({PANE!r}).innerText")
        first = int(text.split("I:")[1].split(" ")[0])
        step = 1 if first == 1 else -1

        def place(number: int) -> float:
            return 4 * (number - 1) - 24

        picture = await settles(page, lambda p: abs(disk_place(p)[0] - place(first)) < 1)
        off, level = disk_place(picture)
        assert abs(off - place(first)) < 1, "the disk is not where this slice has it"
        assert abs(level - 128) <= 2, "water in a window of 400 around 40"
        await page.wheel(PANE, 3)
        await says(page, "(4/12)", PANE)
        picture = await settles(page, lambda p: abs(disk_place(p)[0] - place(first + 3 * step)) < 1)
        assert abs(disk_place(picture)[0] - place(first + 3 * step)) < 1
        await page.drag(PANE, 100, 60)
        await page.until(f"!document.querySelector({PANE!r}).innerText.match(/W:\\s*400/)")
        values = (await page.value(f"document.querySelector({PANE!r}).innerText")).split()
        width, centre = float(values[values.index("W:") + 1]), float(values[values.index("L:") + 1])
        expected = ((40 - (centre - 0.5)) / (width - 1) + 0.5) * 255
        picture = await settles(page, lambda p: abs(disk_place(p)[1] - expected) <= 2)
        assert abs(disk_place(picture)[1] - expected) <= 2

    seen(server, steps, f"viewer?StudyInstanceUIDs={STUDY}")


def test_frames_a_document_and_segments(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await says(page, "(1/12)")
        await dismiss(page)
        await choose(page, "Five frames")
        await says(page, "(1/5)", PANE)
        for frame in (1, 2, 3):

            def has_bars(picture: np.ndarray, count: int = frame) -> bool:
                line = picture[len(picture) // 2, :-50].mean(axis=1) > 200  # not the bar for scrolling
                return int(np.count_nonzero(line[1:] & ~line[:-1])) == count

            await says(page, f"({frame}/5)", PANE)
            assert has_bars(await settles(page, has_bars)), f"frame {frame} has {frame} bars"
            await page.wheel(PANE, 1)
        await choose(page, "Segments")
        await says(page, "Do you want to open this Segmentation?")
        await page.value("[...document.querySelectorAll('button')].find(b => b.innerText === 'Yes').click()")
        picture = await settles(page, lambda p: colours(p) > 1000)
        assert colours(picture) > 1000, "no segment is shown"
        await choose(page, "Report")
        await page.until("document.querySelector('object[type=\"application/pdf\"]')?.data.startsWith('blob:')")

        def is_page(picture: np.ndarray) -> bool:
            white, dark = (picture.min(axis=2) > 250).mean(), (picture.max(axis=2) < 40).mean()
            return bool(white > 0.2 and dark > 0.002)

        assert is_page(await settles(page, is_page)), "the document is not shown"

    seen(server, steps, f"viewer?StudyInstanceUIDs={STUDY}")
