"""The plain page in a real Chromium against a real server: list, thumbnails, wheel, drag, and whose image it is."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest
from browser import Browser, Page, needs_chromium
from data import make_instance
from pydicom import dcmread
from serving import Serving

from engine.cli.phantom import PhantomSeries, generate
from engine.cli.phantom.series import header

pytestmark = [pytest.mark.peer, needs_chromium]

ONE = PhantomSeries(slices=12, rows=128, columns=128)
TWO = PhantomSeries(
    slices=4,
    rows=96,
    columns=96,
    seed=2,
    patient_name="<b><i>BOLD</i></b>^TWO",
    patient_id="SECOND",
    study_date="20230101",
)
REPORT = PhantomSeries(slices=2, rows=16, columns=16, patient_name="REPORT^ONLY", patient_id="THIRD")
_PIXEL_DATA_HEADER = 12

LISTED = "document.querySelectorAll('#study-list button').length"
SHOWN = "!document.querySelector('#image').hidden"
PICTURE = """(() => {
  const c = document.querySelector('#image').cloneNode(), x = c.getContext('2d', { willReadFrequently: true });
  x.drawImage(document.querySelector('#image'), 0, 0);
  const d = x.getImageData(0, 0, c.width, c.height).data;
  return [c.width, c.height, Array.from({ length: c.width * c.height }, (_, i) => d[i * 4])];
})()"""


def text(selector: str) -> str:
    return f"document.querySelector({json.dumps(selector)}).innerText"


def study(series: PhantomSeries) -> str:
    return f"#study-list button[data-study='{series.study_instance_uid}']"


def slice_is(number: int, total: int) -> str:
    return f"{text('#label-slice')}.startsWith('{number} / {total}')"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        colour_free = make_instance(
            "1.2.9.1", study="1.2.9", series="1.2.9.9", patient="MANY^FRAMES", rows=16, columns=16, frames=5
        )
        report = [header(REPORT, i)[:-_PIXEL_DATA_HEADER] for i in range(2)]
        assert running.store(*generate(ONE), *generate(TWO), *report, colour_free).status_code == 200
        yield running


def browse(server: Serving, steps: Callable[[Page], Awaitable[None]], width: int = 1280, height: int = 800) -> None:
    """Run steps on the opened page; whatever the console or the content policy complains of fails the test."""

    async def run() -> None:
        async with Browser(width, height) as page:
            await page.open(server.url + "/plain/")
            await page.until(f"{LISTED} === 4")
            await steps(page)
            assert page.problems == []
            outside = [url for url in page.requests if not url.startswith((server.url + "/", "data:", "blob:"))]
            assert outside == []

    asyncio.run(run())


def expected(series: PhantomSeries, number: int, center: float, width: float) -> np.ndarray:
    """Slice `number` of the stack (from the feet on, as the archive orders it) through a window, by numpy."""
    ds = dcmread(io.BytesIO(list(generate(series))[series.slices - number]))
    values = ds.pixel_array.astype(float) + float(ds.RescaleIntercept)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255


async def difference(page: Page, series: PhantomSeries, number: int, center: float = 40, width: float = 400) -> float:
    """Mean difference of the canvas from what it should show, in grey levels; JPEG costs a few."""
    columns, rows, grey = await page.value(PICTURE)
    return float(np.abs(np.reshape(grey, (rows, columns)) - expected(series, number, center, width)).mean())


def test_a_study_is_listed_opened_and_scrolled(server: Serving) -> None:
    async def steps(page: Page) -> None:
        assert "PHANTOM, CT" in await page.value(text(study(ONE)))
        assert "2024-02-29" in await page.value(text(study(ONE)))
        await page.click(study(ONE))
        await page.until(SHOWN)
        await page.until("document.querySelector('#series-list img')?.naturalWidth === 128")
        # The thumbnail is a picture, not a plain square. Its size is known before its pixels are.
        await page.until(
            "(() => { const c = document.createElement('canvas'); c.width = c.height = 128; const x = c.getContext('2d');"
            " x.drawImage(document.querySelector('#series-list img'), 0, 0);"
            " return new Set(x.getImageData(0, 0, 128, 128).data).size > 50; })()"
        )
        await page.until(slice_is(1, 12))
        assert await difference(page, ONE, 1) < 6
        await page.wheel("#viewport", 4)
        await page.until(slice_is(5, 12))
        assert await difference(page, ONE, 5) < 6 < await difference(page, ONE, 1)
        await page.wheel("#viewport", -1)
        await page.until(slice_is(4, 12))
        assert "instance 9" in await page.value(text("#label-slice"))
        assert "PHANTOM, CT" in await page.value(text("#label-patient"))
        assert "generated phantom" in await page.value(text("#label-series"))
        letters = [await page.value(text(f"#side-{side}")) for side in ("top", "right", "bottom", "left")]
        assert letters == ["A", "L", "P", "R"]

    browse(server, steps)


def test_dragging_changes_the_window_and_a_double_click_brings_it_back(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.click(study(ONE))
        await page.until(SHOWN)
        await page.until(slice_is(1, 12))  # a neighbour may come first
        assert (await page.value(text("#label-window"))).startswith("C 40 W 400")
        # 400 pixels to the right double the width twice over; 400 down move the centre by the width.
        await page.drag("#viewport", 100, 50)
        await page.until(f"{text('#label-window')}.startsWith('C 90 W 600')")
        assert await difference(page, ONE, 1, 90, 600) < 6 < await difference(page, ONE, 1)
        await page.wheel("#viewport", 2)  # the window stays while scrolling
        await page.until(slice_is(3, 12))
        assert await difference(page, ONE, 3, 90, 600) < 6
        await page.value(
            "[...document.querySelectorAll('#presets button')].find((b) => b.innerText === 'LUNG').click()"
        )
        await page.until(f"{text('#label-window')}.startsWith('C -600 W 1500')")
        assert await difference(page, ONE, 3, -600, 1500) < 6
        await page.click("#viewport", 2)
        await page.until(f"{text('#label-window')}.startsWith('C 40 W 400')")
        assert await difference(page, ONE, 3) < 6

    browse(server, steps)


def test_keys_scroll(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.click(study(ONE))
        await page.until(SHOWN)
        await page.key("ArrowDown")  # the focus is in the list of studies: not ours
        assert await page.value("document.querySelector('#slider').value") == "1"
        await page.click("#series-list button")
        await page.until(slice_is(1, 12))
        for key, number in (
            ("ArrowDown", 2),
            ("PageDown", 12),
            ("ArrowUp", 11),
            ("Home", 1),
            ("End", 12),
            ("PageUp", 2),
        ):
            await page.key(key)
            await page.until(slice_is(number, 12))
        assert await difference(page, ONE, 2) < 6

    browse(server, steps)


def test_names_are_text_and_never_markup(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.click(study(TWO))
        await page.until(SHOWN)
        assert await page.value("document.querySelector('b, i') === null")
        for place in (study(TWO), "#study-title", "#label-patient"):
            assert "<b><i>BOLD</i></b>, TWO" in await page.value(text(place))

    browse(server, steps)


def test_a_late_image_of_another_patient_is_never_shown(server: Serving) -> None:
    async def steps(page: Page) -> None:
        # Answers for the first study are held back, and come although the page has given them up.
        await page.value(
            f"""(() => {{
              const real = window.fetch;
              window.late = [];
              window.signals = [];
              window.fetch = (url, options) => {{
                if (!String(url).includes("{ONE.study_instance_uid}")) return real(url, options);
                const {{ signal, ...rest }} = options;
                window.signals.push(signal);
                return new Promise((resolve) => window.late.push(() => resolve(real(url, rest))));
              }};
            }})()"""
        )
        for released in ("/series?", "/metadata"):
            await page.click(study(ONE))
            await page.until("window.late.length > 0")
            # The list of series comes in the first round; in the second also the metadata, and the images are late.
            await page.value("window.late.splice(0).forEach((go) => go())")
            await page.until("window.late.length > 0")
            if released == "/metadata":
                await page.value("window.late.splice(0).forEach((go) => go())")
                await page.until("window.late.length > 0")
            await page.click(study(TWO))
            await page.until(slice_is(1, 4))
            # Given up at once, so that the server stops working for nobody.
            assert await page.value("window.signals.slice(-window.late.length).every((signal) => signal.aborted)")
            await page.value("window.late.splice(0).forEach((go) => go())")
            await asyncio.sleep(0.5)
            assert "TWO" in await page.value(text("#label-patient"))
            assert await page.value(slice_is(1, 4))
            assert await difference(page, TWO, 1) < 6
            assert await page.value("document.querySelectorAll('#series-list button').length") == 1
            assert await page.value(
                f"document.querySelector('#series-list button').dataset.series === '{TWO.series_instance_uid}'"
            )

    browse(server, steps)


def test_the_last_image_stays_until_the_next_is_there(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.value(
            """(() => {
              const real = window.fetch;
              window.late = [];
              window.hold = false;
              window.fetch = (url, options) => (window.hold && String(url).includes("/rendered")
                ? new Promise((resolve, reject) => window.late.push(() => real(url, options).then(resolve, reject)))
                : real(url, options));
            })()"""
        )
        await page.click(study(ONE))
        await page.until(slice_is(1, 12))  # a neighbour may come first
        await page.value("(window.hold = true, [...document.querySelectorAll('#presets button')][1].click())")
        await page.until(f"{text('#waiting')} === 'loading slice 1 …'")
        assert await page.value(SHOWN)
        assert 1 <= await page.value("window.late.length") <= 4  # under way at once
        assert (await page.value(text("#label-window"))).startswith("C 40 W 400")  # still what is on the screen
        assert await difference(page, ONE, 1) < 6
        await page.value("(window.hold = false, window.late.splice(0).forEach((go) => go()))")
        await page.until(f"{text('#label-window')}.startsWith('C -600 W 1500')")
        assert await page.value(text("#waiting")) == ""

    browse(server, steps)


def test_frames_of_a_multi_frame_instance_scroll(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.click("#study-list button[data-study='1.2.9']")
        await page.until(SHOWN)
        await page.wheel("#viewport", 2)
        await page.until(slice_is(3, 5))
        assert "frame 3 of 5" in await page.value(text("#label-slice"))
        assert await page.value(text("#label-window")) != ""
        # No window in the header: dragging begins at the range of the values.
        await page.drag("#viewport", 60, 0)
        await page.until(f"{text('#label-window')}.startsWith('C ')")

    browse(server, steps)


def test_a_series_without_images_says_so(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.click(study(REPORT))
        await page.until(f"{text('#waiting')}.includes('holds no images')")
        assert not await page.value(SHOWN)
        await page.until("document.querySelector('#series-list .thumb').innerText === 'no picture'")
        # Chromium itself notes the thumbnail's 404; nothing else may be wrong.
        assert all("404" in problem and "thumbnail" in problem for problem in page.problems)
        page.problems.clear()

    browse(server, steps)


def test_searching_narrows_the_list(server: Serving) -> None:
    async def search(page: Page, **fields: str) -> None:
        for name, value in fields.items():
            await page.value(f"document.querySelector('[name={name}]').value = {value!r}")
        await page.value("document.querySelector('#search').requestSubmit()")
        await page.until(f"{text('#list-status')} !== 'searching …'")

    async def steps(page: Page) -> None:
        for fields, count in (
            ({"PatientName": "ct phan"}, 1),
            ({"PatientName": "*ONLY*"}, 1),
            ({"PatientName": "", "PatientID": "ECON"}, 1),
            ({"PatientID": "", "from": "2024-01-01"}, 2),
            ({"from": "2023-01-01", "to": "2023-01-01"}, 1),
            ({"from": "", "to": "", "ModalitiesInStudy": "ct"}, 4),
            ({"ModalitiesInStudy": "MR"}, 0),
        ):
            await search(page, **fields)
            assert await page.value(LISTED) == count, fields
        assert "No study matches" in await page.value(text("#list-status"))

    browse(server, steps)


def test_an_error_is_said_in_plain_words_and_can_be_tried_again(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.value(
            """(() => {
              const real = window.fetch;
              window.broken = true;
              window.fetch = (url, options) => (window.broken && String(url).includes("/rendered")
                ? Promise.reject(new TypeError("no network"))
                : real(url, options));
            })()"""
        )
        await page.click(study(ONE))
        await page.until(f"{text('#trouble')}.includes('The server does not answer')")
        assert not await page.value(SHOWN)  # nothing that could be taken for the image
        await page.value("window.broken = false")
        await page.click("#again")
        await page.until(slice_is(1, 12))  # a neighbour may come first
        assert await difference(page, ONE, 1) < 6

    browse(server, steps)


def test_a_narrow_window_shows_list_and_image_in_turn(server: Serving) -> None:
    async def steps(page: Page) -> None:
        assert not await page.value("document.querySelector('#reading').offsetParent !== null")
        await page.click(study(ONE))
        await page.until(SHOWN)
        assert await page.value("document.querySelector('#studies').offsetParent === null")
        assert await page.value("document.documentElement.scrollWidth <= innerWidth")
        box = await page.value(
            "(({ width, height }) => [width, height])(document.querySelector('#image').getBoundingClientRect())"
        )
        assert box[0] == pytest.approx(390, abs=1) and box[1] == pytest.approx(390, abs=1)
        await page.click("#back")
        await page.until("document.querySelector('#studies').offsetParent !== null")

    browse(server, steps, 390, 800)
