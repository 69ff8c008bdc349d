"""The viewer's screen in a real Chromium: whose study it is, its series, priors, documents, and what is taken away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from accessibility import needs_axe, violations
from browser import Page
from built_page import DIST, SIZES, browse, choose, fits, needs_page
from pictures import part10
from pydicom import FileDataset, dcmread
from pydicom.waveforms import multiplex_array
from serving import Serving
from videos import COLUMNS, KINDS, encoded, instance
from viewing import CT_SERIES, PDF_SERIES, SEG_SERIES, STUDY, US_SERIES, borrowed, ct_slice, viewers_study

pytestmark = needs_page

_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
ECG_SERIES, SR_SERIES, PRIOR, NAMESAKE, SWAPPED = "1.2.40.5", "1.2.40.6", "1.2.41", "1.2.42", "1.2.44"
HOSTILE = "<img src=x onerror=alert(1)>"
STRIP = "[...document.querySelectorAll('.series')].map((b) => b.dataset.series)"
READY = "document.querySelectorAll('.series').length === 6"
AT = f"/viewer?StudyInstanceUIDs={STUDY}"


def text(selector: str) -> str:
    return f"(document.querySelector({json.dumps(selector)})?.innerText ?? '')"


def _other(study: str, issuer: str) -> bytes:
    ds = ct_slice(0)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.1"
    ds.StudyDate, ds.StudyDescription, ds.SeriesDescription = "20230101", HOSTILE, HOSTILE
    ds.LossyImageCompression, ds.BurnedInAnnotation = "01", "YES"
    del ds.PixelSpacing
    if issuer:
        ds.IssuerOfPatientID = issuer
    return part10(ds)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        documents = [borrowed("waveform_ecg.dcm", ECG_SERIES), borrowed("reportsi.dcm", SR_SERIES)]
        others = [_other(PRIOR, ""), _other(NAMESAKE, "ANOTHER HOSPITAL")]
        assert running.store(*viewers_study(), *documents, *others, _big_endian()).status_code == 200
        yield running


def test_a_study_opens_with_its_patient_its_series_and_its_first_images(server: Serving) -> None:
    async def steps(page: Page) -> None:
        said = await page.value(text(".patient"))
        for part in ("Nightingale, Florence", "N1820", "1820-05-12", "F", "2024-02-29", "Thorax for viewers", "A1"):
            assert part in said
        assert set(await page.value(STRIP)) == {CT_SERIES, SEG_SERIES, PDF_SERIES, US_SERIES, ECG_SERIES, SR_SERIES}
        assert (await page.value(STRIP))[0] == CT_SERIES
        await page.until(f"document.querySelector('.series[aria-current]')?.dataset.series === '{CT_SERIES}'")
        await page.until("document.querySelector('.series img')?.naturalWidth === 128")
        for words in ("CT", "12 images", "3 mm"):
            badges = text(f".series[data-series='{CT_SERIES}'] .badges")
            await page.until(f"{badges}.includes('{words}')")
        await page.until("document.querySelector('.voxcast-view .labels')?.innerText.includes('1 / 12')")
        assert "Nightingale" in await page.value(text(".voxcast-view .labels"))
        # The view can be shared.
        await page.until(f"new URLSearchParams(location.search).get('SeriesInstanceUID') === '{CT_SERIES}'")

    browse(server, steps, AT, ready=READY)


def test_the_list_is_connected_before_a_study_is_opened_from_it(server: Serving) -> None:
    async def steps(page: Page) -> None:
        for count in (1, 2):
            await until_sessions(before + count)
            await page.value(f"document.querySelector('[data-study=\"{STUDY}\"]').click()")
            await page.until("document.querySelector('.voxcast-view .labels')?.innerText.includes('1 / 12')")
            assert sessions() == before + count, "it was used"
            await page.value("document.querySelector('.back').click()")

    async def until_sessions(count: int) -> None:
        for _ in range(200):
            if sessions() == count:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{sessions()} sessions, not {count}")

    def sessions() -> int:
        [line] = [
            one for one in server.get("/metrics").text.splitlines() if one.startswith("voxcast_stream_sessions_total")
        ]
        return int(float(line.rpartition(" ")[2]))

    before = sessions()
    browse(server, steps, "/", ready=f"document.querySelector('[data-study=\"{STUDY}\"]') !== null")


def test_priors_are_the_same_patients_alone_and_come_beside(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until("document.querySelectorAll('.prior').length > 0")
        assert await page.value("[...document.querySelectorAll('.prior')].map((b) => b.dataset.study)") == [PRIOR]
        assert HOSTILE in await page.value(text(".prior"))
        await page.value("document.querySelector('.prior').click()")
        await page.until("document.querySelectorAll('.series').length === 7")
        prior = f".series[data-series='{PRIOR}.1']"
        assert HOSTILE in await page.value(text(prior))
        for words in ("lossy", "burned-in text", "no scale"):
            await page.until(f"{text(f'{prior} .badges')}.includes('{words}')")
        assert await page.value("document.querySelector('.prior') === null")
        await page.value(f'document.querySelector("{prior}").click()')
        await page.until(
            f"[...document.querySelectorAll('.series[aria-current]')].some((b) => b.dataset.series === '{PRIOR}.1')"
        )
        # It is beside what was there, at once.
        await page.until("document.querySelectorAll('.voxcast-view .cell').length === 2")
        assert await page.value("[...document.querySelectorAll('img')].every((i) => !i.src.endsWith('/x'))")

    browse(server, steps, AT, ready=READY)


def test_several_patients_are_warned_about(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{text('.patient')}.includes('Studies of 2 patients are open')")

    browse(server, steps, f"{AT},{NAMESAKE}", ready="true")


def test_a_report_is_read_as_text(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.click(f".series[data-series='{SR_SERIES}']")
        await page.until("document.querySelectorAll('.report li').length > 3")
        said = await page.value(text(".document"))
        assert "Nightingale, Florence" in said
        ds = dcmread(_FILES / "reportsi.dcm")
        expected = [str(e.value) for e in ds.iterall() if e.keyword == "TextValue"]
        assert expected
        squeezed = "".join(said.split())
        assert [one for one in expected if "".join(one.split()) not in squeezed] == []
        await page.until(f"new URLSearchParams(location.search).get('SeriesInstanceUID') === '{SR_SERIES}'")
        await page.value("document.querySelector('.document header button').click()")
        await page.until("document.querySelector('.document') === null && !document.querySelector('.viewer').hidden")

    browse(server, steps, AT, ready=READY)


def _big_endian() -> bytes:
    """The same electrocardiogram, its samples and all else the other way round (PS3.5 A.3), in a study of its own."""
    ds = dcmread(_FILES / "waveform_ecg.dcm")
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = SWAPPED, f"{SWAPPED}.1", f"{SWAPPED}.1.1"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    # One that was made, not read: pydicom turns nothing that it has read.
    made = FileDataset("", {}, file_meta=ds.file_meta, preamble=b"\0" * 128)
    for element in ds:
        made.add(element)
    return part10(made, "big")


@pytest.mark.parametrize(
    ("address", "ready"),
    [(f"{AT}&SeriesInstanceUID={ECG_SERIES}", READY), (f"/viewer?StudyInstanceUIDs={SWAPPED}", "true")],
    ids=["little endian", "big endian"],
)
def test_an_electrocardiogram_is_drawn_to_scale(server: Serving, address: str, ready: str) -> None:
    """Where the curve is on the paper, found in the canvas, against pydicom's values: 25 mm/s and 10 mm/mV at 96 dots an inch."""
    ds = dcmread(_FILES / "waveform_ecg.dcm")
    values = multiplex_array(ds, 0, as_raw=False)[:, 1] / 1000  # lead II: microvolts to millivolts
    mm = 96 / 25.4

    async def steps(page: Page) -> None:
        await page.until("document.querySelectorAll('.waves canvas').length >= 12")
        assert "Lead II" in await page.value(text(".waves figure:nth-child(2)"))
        width, height, tops = await page.value(
            """(() => { const c = document.querySelectorAll('.waves canvas')[1];
              const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, tops = [];
              for (let x = 0; x < c.width; x += 1) {
                let y = 0;
                while (y < c.height && d[(y * c.width + x) * 4 + 2] < 90) y += 1;
                tops.push(y);
              }
              return [c.width, c.height, tops]; })()"""
        )
        assert width == pytest.approx(10 * 25 * mm, abs=1)
        middle = (values.max() + values.min()) / 2
        for x in range(10, width - 10, 7):
            at = [int(n) for n in np.arange(x - 1.0, x + 2.0, 0.05) / (25 * mm) * 1000]
            highest = height / 2 - (values[at].max() - middle) * 10 * mm
            lowest = height / 2 - (values[at].min() - middle) * 10 * mm
            assert highest - 2 <= tops[x] <= lowest + 2, x

    browse(server, steps, address, ready=ready)


def test_a_pdf_opens_in_the_page(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until("document.querySelector('iframe.page') !== null")
        await page.until(f"{text('.document .who')}.includes('Report')")
        source = await page.value("document.querySelector('iframe.page').src")
        answer = server.get(source.removeprefix(server.url))
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF-")
        # Chromium's own viewer has taken it; the content policy let it in.
        for _ in range(400):
            frames = (await page.call("Page.getFrameTree"))["frameTree"].get("childFrames", [])
            if [frame["frame"]["url"] for frame in frames] == [source]:
                break
            await asyncio.sleep(0.025)
        else:
            raise AssertionError(f"the frame never showed it: {frames}")

    browse(server, steps, f"{AT}&SeriesInstanceUID={PDF_SERIES}", ready=READY)


def test_files_and_a_picture_are_taken_away(server: Serving, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        await page.until("document.querySelector('.series[aria-current]') !== null")
        await page.click(".actions > button")
        links = await page.value("[...document.querySelectorAll('#actions a')].map((a) => a.getAttribute('href'))")
        for link, instances in zip(links, (17, 12), strict=True):
            answer = server.get(link)
            assert answer.headers["Content-Type"] == "application/zip", (answer.text, server.said()[-3000:])
            assert answer.content.count(b"PK\x01\x02") >= instances
        # The image is there when the viewer has one to give.
        await page.until("document.querySelector('.voxcast-view .labels')?.innerText.includes('1 / 12')")
        await page.value("[...document.querySelectorAll('#actions .entry')][0].click()")
        picture = tmp_path / "view.png"
        for _ in range(400):
            if picture.exists() and picture.stat().st_size:
                break
            await asyncio.sleep(0.025)
        assert picture.read_bytes().startswith(b"\x89PNG")

    browse(server, steps, AT, ready=READY)


def test_it_is_left_and_come_back_to_by_keys(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.value("document.querySelector('.series').focus()")
        await page.key("ArrowDown")
        assert await page.value(f"document.activeElement.dataset.series === {STRIP}[1]")
        await page.value("document.querySelector('.back').focus()")
        await page.call(
            "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
        )
        await page.until("location.pathname === '/' && document.querySelectorAll('.study').length === 4")
        await page.value("history.back()")
        await page.until(READY)

    browse(server, steps, AT, ready=READY)


@needs_axe
@SIZES
@pytest.mark.parametrize("series", [CT_SERIES, SR_SERIES, ECG_SERIES], ids=["images", "report", "waveform"])
def test_it_is_accessible_and_fits(server: Serving, size: tuple[int, int], series: str) -> None:
    async def steps(page: Page) -> None:
        for language, contrast in (("en", "calm"), ("ar", "high")):
            await choose(page, READY, language=language, contrast=contrast)
            content = {CT_SERIES: ".series[aria-current]", SR_SERIES: ".report li", ECG_SERIES: ".waves canvas"}[series]
            await page.until(f"document.querySelector('{content}') !== null")
            assert await violations(page) == []
            await fits(page)

    browse(server, steps, f"{AT}&SeriesInstanceUID={series}", size, READY)


def test_the_page_keeps_to_its_budget(server: Serving) -> None:
    """All that is loaded before the first image, as it is sent: compressed (350 KB); everything that was built: 2.5 MB."""

    async def steps(page: Page) -> None:
        await page.until("document.querySelector('.voxcast-view .labels')?.innerText.includes('1 / 12')")
        names = {url.rsplit("/", 1)[1] for url in page.requests if url.startswith(f"{server.url}/static/")}
        assert any(name.endswith(".css") for name in names)
        sent = sum(_sent(server, f"/static/{name}") for name in names)
        assert sent <= 350_000, (sent, names)

    browse(server, steps, AT, ready=READY)
    whole = sum(_sent(server, f"/static/{file.name}") for file in DIST.iterdir() if not file.name.startswith("."))
    assert whole <= 2_500_000


def _sent(server: Serving, path: str) -> int:
    """Bytes of the body as they go over the line."""
    answer = server.session.get(server.url + path, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=60)
    assert answer.status_code == 200, path
    return len(answer.raw.read(decode_content=False))


def test_files_are_named_by_their_content_and_kept_for_ever(server: Serving) -> None:
    page = server.get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    (script,) = [line.split('src="')[1].split('"')[0] for line in page.text.splitlines() if "<script" in line]
    answer = server.get(script)
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.content == (DIST / script.removeprefix("/static/")).read_bytes()
    assert "script-src 'self' 'wasm-unsafe-eval';" in page.headers["Content-Security-Policy"]


def test_a_video_is_played(tmp_path: Path) -> None:
    kind = KINDS["H.264, transport stream"]
    video = instance(kind, encoded(kind, 10), 10, "1.2.43.1.1", study="1.2.43", series="1.2.43.1")

    async def steps(page: Page) -> None:
        await page.until("document.querySelector('video.page')?.readyState >= 2")
        assert await page.value("document.querySelector('video.page').videoWidth") == COLUMNS

    with Serving(tmp_path / "archive") as running:
        assert running.store(video).status_code == 200
        browse(running, steps, "/viewer?StudyInstanceUIDs=1.2.43&SeriesInstanceUID=1.2.43.1", ready="true")
