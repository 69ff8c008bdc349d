"""Reading in the built viewer, in a real Chromium: scrolling without a blank, tools, several viewports, and whose image it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from accessibility import needs_axe, violations
from browser import Page, needs_chromium
from pictures import image, part10
from serving import Serving
from viewer import CELL, address, browse, drop_series, exact_frame, needs_page, press, read_frame

pytestmark = [pytest.mark.peer, needs_chromium, needs_page]

STUDY, AXIAL, CORONAL, SPACE = "1.2.70", "1.2.70.1", "1.2.70.2", "1.2.70.9"
OTHER_STUDY, OTHER = "1.2.71", "1.2.71.1"
SIDE, SLICES = 128, 60
EVIL = "<img onerror>^<b>Eve</b>"
LABELS = f"document.querySelector('{CELL} .labels').innerText"


def slice_of(study: str, series: str, number: int, values: np.ndarray, **attributes: object) -> bytes:
    ds = image(values.astype(np.uint16), "CT", BitsStored=12)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number + 1}"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.PatientName, ds.PatientID, ds.PatientSex, ds.PatientBirthDate = EVIL, "E1", "F", "19700101"
    ds.StudyDate, ds.InstanceNumber, ds.PixelSpacing, ds.SliceThickness = "20240229", number + 1, [2, 2], 2
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.FrameOfReferenceUID = SPACE
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return part10(ds)


def at(position: list[int], orientation: list[int]) -> dict[str, object]:
    return {"ImagePositionPatient": position, "ImageOrientationPatient": orientation}


def made() -> list[bytes]:
    """A block whose value says how deep it is, cut across and along; another patient's single image."""
    noise = np.random.default_rng(5).integers(0, 60, (SIDE, SIDE))
    across = [
        slice_of(STUDY, AXIAL, n, noise + 900 + 5 * n, **at([0, 0, 2 * n], [1, 0, 0, 0, 1, 0]))
        for n in range(SLICES)
    ]  # fmt: skip
    along = [
        slice_of(STUDY, CORONAL, n, noise + 1000, **at([0, 40 * n + 7 * (n == 2), 187], [1, 0, 0, 0, 0, -1]))
        for n in range(4)
    ]  # fmt: skip
    other = slice_of(
        OTHER_STUDY, OTHER, 0, noise + 1000, PatientName="ELSE^SOMEONE", PatientID="S2", SeriesDescription="Other"
    )
    return [*across, *along, other]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        assert running.store(*made()).status_code == 200
        yield running


async def chosen(page: Page, act: str) -> None:
    await page.value(f"document.querySelector('.voxcast-view button[data-act=\"{act}\"]').click()")


async def layout(page: Page, shape: str) -> None:
    await page.value(
        "(() => { const chooser = [...document.querySelectorAll('.voxcast-view .toolbar select')]"
        f".find((one) => [...one.options].some((option) => option.value === '{shape}'));"
        f" chooser.value = '{shape}'; chooser.dispatchEvent(new Event('change')); }})()"
    )


# What the word "COARSE" lies on, in every cell.
UNDER_BADGES = f"""[...document.querySelectorAll('{CELL}')].flatMap((cell) => {{
  const badge = cell.querySelector('.badge'), kept = badge.textContent;
  badge.textContent = 'COARSE';
  const b = badge.getBoundingClientRect();
  const under = [...cell.querySelectorAll('.corner p, .edge, .scale-bar')].filter((one) => {{
    const r = one.getBoundingClientRect();
    return r.width && r.left < b.right && b.left < r.right && r.top < b.bottom && b.top < r.bottom;
  }});
  badge.textContent = kept;
  return under.map((one) => one.textContent);
}})"""
FLING = """new Promise((done) => {
  const view = document.querySelector('.voxcast-view'), cell = view.querySelector('.cell'), seen = [];
  view.addEventListener('voxcast:drawn', ({ detail }) => {
    const [{ position, halvings }] = detail.shown;
    seen.push([position, halvings, cell.querySelector('.labels').innerText]);
  });
  let steps = 0;
  const tick = () => {
    cell.dispatchEvent(new WheelEvent('wheel', { deltaY: 100, bubbles: true, cancelable: true }));
    if (++steps < 59) requestAnimationFrame(tick);
    else setTimeout(() => done(seen), 300);
  };
  requestAnimationFrame(tick);
})"""


def test_a_fling_shows_an_image_of_every_position_and_ends_exact(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{AXIAL}.1 1")
        # Every position has something to show by then: its bar has no missing one.
        await asyncio.sleep(1.5)
        seen = await page.value(FLING)
        assert len({position for position, _, _ in seen}) > 20
        assert [one for one in seen if one[1] < 0] == [], "a blank"
        for position, halvings, labels in seen:
            assert f"{position + 1} / {SLICES}" in labels
            assert ("COARSE" in labels) == (halvings > 0)
        pixels = await exact_frame(page, f"{AXIAL}.60 1")
        assert pixels.std() > 1
        assert f"{SLICES} / {SLICES}" in await page.value(LABELS)

    browse(server, address(STUDY, AXIAL), steps)


def test_what_a_header_says_is_text_and_never_markup(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{AXIAL}.1 1")
        labels = await page.value(LABELS)
        assert "<img onerror>, <b>Eve</b>" in labels
        assert "E1" in labels and "1970-01-01 F 54 years" in labels
        assert await page.value("document.querySelectorAll('.voxcast-view img, .voxcast-view b').length") == 0

    browse(server, address(STUDY, AXIAL), steps)


def test_tools_by_keyboard(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{AXIAL}.1 1")
        edges = (
            "['top', 'right', 'bottom', 'left'].map((e) => document.querySelector(`.edge.${e}`).textContent).join('')"
        )
        assert await page.value(edges) == "ALPR"
        await page.key("r")  # the image has the keys without a click
        await page.until(f"{edges} === 'RALP'")
        await press(page, "h")
        await page.until(f"{edges} === 'RPLA'")
        await press(page, "2")  # the second preset of CT: lung
        await page.until(f"{LABELS}.includes('C -600') && {LABELS}.includes('W 1500')")
        before = (await read_frame(page))[1]
        await press(page, "i")
        await asyncio.sleep(0.2)
        after = (await read_frame(page))[1]
        assert before is not None and after is not None
        assert np.array_equal(255 - before, after)
        await press(page, "End")
        await page.until(f"{LABELS}.includes('{SLICES} / {SLICES}')")
        await press(page, "PageUp")
        await page.until(f"{LABELS}.includes('{SLICES - 10} / {SLICES}')")
        await press(page, "o")
        await page.until(f"{LABELS}.includes('100 %')")
        await press(page, " ")
        await page.until(f"!{LABELS}.includes('{SLICES - 10} / {SLICES}')")

    browse(server, address(STUDY, AXIAL), steps)


def test_dragging_moves_the_window(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{AXIAL}.1 1")
        assert "C 40" in await page.value(LABELS)
        await page.drag(CELL, 100, -30)
        # 400 wide goes by 2 HU a pixel: 100 to the right are 200 wider, 30 up are 60 lower.
        await page.until(f"{LABELS}.includes('C -20')")
        assert "W 600" in await page.value(LABELS)

    browse(server, address(STUDY, AXIAL), steps)


def test_two_series_of_one_space_know_each_other(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{AXIAL}.1 1")
        await layout(page, "1 2")
        await drop_series(page, STUDY, CORONAL, 1)
        first, second = (f"document.querySelectorAll('{CELL}')[{n}]" for n in (0, 1))
        await page.until(f"{second}.innerText.includes('1 / 4')")
        # The dropped one is in use: on the other lies the line where it cuts it, at y = 0, the middle of the first row.
        await page.until(f"!!{first}.querySelector('.reference')")
        line = await page.value(
            f"(() => {{ const l = {first}.querySelector('.reference'); return ['y1', 'y2'].map((a) => l.getAttribute(a)); }})()"
        )
        assert line[0] == line[1]
        # A click with the crosshair brings the other to that place: the middle of the coronal image is at z = 60 mm.
        await chosen(page, "tool.crosshair")
        box = await page.value(
            f"(() => {{ const b = {second}.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]; }})()"
        )
        await page.mouse("mousePressed", *box, button="left", clickCount=1)
        await page.mouse("mouseReleased", *box, button="left", clickCount=1)
        await page.until(f"{first}.innerText.includes('31 / {SLICES}')")
        await page.until(f"document.querySelectorAll('{CELL} .cross').length === 8")

    browse(server, address(STUDY, AXIAL), steps)


def test_different_patients_are_warned_about(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{AXIAL}.1 1")
        shown = "[...document.querySelectorAll('.voxcast-view .warning')].filter((w) => !w.hidden)"
        warned = f"{shown}.some((w) => w.innerText.includes('patients'))"
        assert not await page.value(warned)
        await layout(page, "1 2")
        await drop_series(page, OTHER_STUDY, OTHER, 1)
        await page.until(warned)
        await drop_series(page, STUDY, CORONAL, 1)
        await page.until(f"!({warned})")

    browse(server, address(STUDY, AXIAL), steps)


@needs_axe
def test_a_line_that_is_cut_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Serving(tmp_path_factory.mktemp("cut"), "--workers", "1").start()
    try:
        assert server.store(*made()[:3]).status_code == 200

        async def steps(page: Page) -> None:
            await exact_frame(page, f"{AXIAL}.1 1")
            warned = "[...document.querySelectorAll('.voxcast-view .warning')].find((w) => !w.hidden)?.innerText ?? ''"
            assert await page.value(warned) == ""
            server.kill()
            await page.until(f"({warned}).includes('interrupted')")
            pixels = (await read_frame(page))[1]
            assert pixels is not None and pixels.std() > 1, "what was exact stays"
            assert await violations(page) == []
            page.problems.clear()  # the browser's own words about a server that is gone

        browse(server, address(STUDY, AXIAL), steps)
    finally:
        server.kill()


def test_the_picture_of_a_frame_is_the_frame(server: Serving) -> None:
    """Values are told from one another: slice n is 5 greys of the header's window above the one before."""

    async def steps(page: Page) -> None:
        means = []
        for number in (1, 21, 41):
            pixels = await exact_frame(page, f"{AXIAL}.{number} 1")
            means.append(float(pixels.mean()))
        assert means[1] - means[0] == pytest.approx(100 * 255 / 399, abs=1.5)
        assert means[2] - means[1] == pytest.approx(100 * 255 / 399, abs=1.5)

    browse(server, address(STUDY, AXIAL), steps)


def test_planes_through_a_series_are_its_values(server: Serving) -> None:
    """Slice n is 5 HU above the one before, so a coronal plane is lit from above, 5 HU a row; a slab has its brightest."""

    async def steps(page: Page) -> None:
        await exact_frame(page, f"{AXIAL}.1 1")
        await chosen(page, "act.planes")
        await page.until(f"document.querySelectorAll('{CELL}').length === 3")
        await page.value(f"document.querySelectorAll('{CELL}')[1].dispatchEvent(new FocusEvent('focus'))")
        coronal = f"document.querySelectorAll('{CELL}')[1]"
        await page.until(f"{coronal}.innerText.includes('64 / 128') || {coronal}.innerText.includes('65 / 128')")
        for _ in range(400):
            pixels = (await read_frame(page))[1]
            if pixels is not None:
                break
            await asyncio.sleep(0.03)
        assert pixels is not None, "never exact"
        assert pixels.shape == (SLICES, SIDE, 3)
        rows = pixels[..., 0].mean(axis=1)
        assert np.diff(rows) == pytest.approx(-5 * 255 / 399, abs=1.0)
        edges = "['top', 'right', 'bottom', 'left'].map((e) => {}.querySelector(`.edge.${{e}}`).textContent).join('')"
        assert await page.value(edges.format(coronal)) == "HLFR"
        assert await page.value(edges.format(f"document.querySelectorAll('{CELL}')[2]")) == "HPFA"
        assert "Reformatted" in await page.value(f"{coronal}.innerText")
        # Of the slab each pixel is the brightest of 10 rows of noise: brighter, and never darker, than one plane of them.
        await chosen(page, "act.slab")
        await page.until(f"{coronal}.innerText.includes('20 mm')")
        slab = (await read_frame(page))[1]
        assert slab is not None
        assert (slab.astype(int) - pixels >= 0).all()
        assert slab.mean() > pixels.mean() + 5

    browse(server, address(STUDY, AXIAL), steps)


def test_that_an_image_is_coarse_hides_no_text(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{AXIAL}.1 1")
        for shape in ("1 1", "1 3", "3 3"):
            await layout(page, shape)
            for size in ((1280, 800), (768, 1024), (390, 844)):
                await page.resize(*size)
                await page.until(f"!({UNDER_BADGES}).length")  # once the tools above have found their rows

    browse(server, address(STUDY, AXIAL), steps)


def test_what_is_no_volume_is_said(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until(f"{LABELS}.includes('1 / 4')")
        await chosen(page, "act.planes")
        await page.until("document.querySelector('.voxcast-view').innerText.includes('no volume')")

    browse(server, address(STUDY, CORONAL), steps)
