"""Views in the built page: arrows and texts, kept as presentation states that other programs read, and chosen again."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
import pytest
from browser import Page, needs_chromium
from pictures import part10
from presenting import IMAGE_UID, SERIES_UID, STUDY_UID, Array, ct_image
from pydicom.filebase import DicomBytesIO
from serving import Serving
from viewer import CELL, address, browse, draw, exact_frame, needs_page, press, read_frame

pytestmark = [pytest.mark.peer, needs_chromium, needs_page]

SIDE = 128
TEXTS = f"[...document.querySelectorAll('{CELL} text.mark')].map((t) => t.textContent)"
GREYS = f"document.querySelector('{CELL}').innerText"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A ramp of 0 to 127 HU from left to right, stored 1000 higher."""
    values = np.tile(np.arange(SIDE, dtype=np.uint16) + 1000, (SIDE, 1))
    ds = ct_image(values, bits_stored=12, RescaleIntercept=-1000, RescaleType="HU", WindowCenter=64, WindowWidth=128)
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        assert running.store(part10(ds)).status_code == 200
        yield running


async def write(page: Page, text: str) -> None:
    """In the field of the mark that was just drawn, and Enter."""
    await page.until("document.activeElement?.classList.contains('mark-text')")
    assert await page.value("document.activeElement.getAttribute('aria-label')") == "Text of the mark"
    await page.value(
        f"(() => {{ const field = document.activeElement; field.value = {json.dumps(text)};"
        " field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true })); })()"
    )


def state(server: Serving) -> tuple[pydicom.Dataset, Array]:
    """The state that is stored, and the server's picture of it."""
    rows = server.get(f"/dicom-web/studies/{STUDY_UID}/instances?Modality=PR", "application/dicom+json").json()
    assert len(rows) == 1
    series, sop = (rows[0][tag]["Value"][0] for tag in ("0020000E", "00080018"))
    path = f"/dicom-web/studies/{STUDY_UID}/series/{series}/instances/{sop}"
    content = server.get(path, "application/dicom").content
    picture = PIL.Image.open(io.BytesIO(server.get(f"{path}/rendered", "image/png").content)).convert("L")
    return pydicom.dcmread(DicomBytesIO(content), force=True), np.asarray(picture, np.int16)


def test_a_view_is_kept_as_a_state_and_chosen_again(server: Serving, tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"

    async def store(page: Page) -> None:
        await exact_frame(page, f"{IMAGE_UID} 1")
        await draw(page, "arrow", (-10, -30), (-20, -20), (-40, -10))
        await write(page, "here")
        await draw(page, "text", (5, 20))
        await write(page, "gone")
        await press(page, "F2")
        await write(page, hostile)
        await page.until(f"{TEXTS}.includes({json.dumps(hostile)}) && {TEXTS}.includes('here')")
        await draw(page, "text", (5, 40))
        await write(page, "")  # nothing written: no mark
        await draw(page, "text", (5, 40))
        await write(page, "deleted")
        await press(page, "Delete")
        await page.until(f"!{TEXTS}.includes('deleted')")
        await page.value("document.querySelector('[data-act=\"act.undo\"]').click()")
        await page.until(f"{TEXTS}.includes('deleted')")
        await page.value("document.querySelector('[data-act=\"act.undo\"]').click()")
        await press(page, "r")
        await press(page, "h")
        await press(page, "i")
        await press(page, "2")  # the first window of CT behind that of the header
        await page.until(f"{GREYS}.includes('C 40 W 400')")
        await page.value("document.querySelector('.view-name').value = 'Turned over'")
        await page.value("document.querySelector('[data-act=\"act.store_view\"]').click()")
        await page.until("document.querySelector('.voxcast-view').innerText.includes('The view is stored')")

    browse(server, address(STUDY_UID, SERIES_UID), store)

    ds, picture = state(server)
    # 0 to 127 HU in a window of 40, 400 (PS3.3 C.11.2.1.2), white for black; the ramp goes from the top down after a quarter turn.
    greys = 255 - np.tile(((np.arange(SIDE) - 39.5) / 399 + 0.5) * 255, (SIDE, 1))
    there = np.abs(picture - np.fliplr(np.rot90(greys, -1))) <= 1
    assert there.mean() > 0.9  # but where the marks are
    assert there[0].all() and there[-1].all()
    assert ds.SOPClassUID == "1.2.840.10008.5.1.4.1.1.11.1"
    assert (ds.ContentLabel, ds.ContentDescription, ds.PatientName) == ("TURNED OVER", "Turned over", "DOE^JANE")
    assert ds.PresentationLUTShape == "INVERSE"
    assert (ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType) == (-1000, 1, "HU")
    voi = ds.SoftcopyVOILUTSequence[0]
    assert (voi.WindowCenter, voi.WindowWidth) == (40, 400)
    # A quarter turn, then mirrored: what the keys did, in the order of the state.
    assert (ds.ImageRotation, ds.ImageHorizontalFlip) == (90, "Y")
    (annotation,) = ds.GraphicAnnotationSequence
    assert annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID == IMAGE_UID
    texts = {text.UnformattedTextValue: text.AnchorPoint for text in annotation.TextObjectSequence}
    assert texts.keys() == {"here", hostile}
    assert texts["here"] == pytest.approx([24, 54], abs=1)
    assert texts[hostile] == pytest.approx([69, 84], abs=1)
    (arrow,) = annotation.GraphicObjectSequence
    assert (arrow.GraphicType, arrow.NumberOfGraphicPoints) == ("POLYLINE", 5)
    assert arrow.GraphicData[2:4] == pytest.approx([54, 34], abs=1)  # what it points at

    file = tmp_path / "state.dcm"
    ds.save_as(file, enforce_file_format=True)
    if shutil.which("dciodvfy") is not None:
        said = subprocess.run(["dciodvfy", file], capture_output=True, text=True, timeout=30, check=False)
        errors = [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]
        assert errors == []

    async def again(page: Page) -> None:
        await exact_frame(page, f"{IMAGE_UID} 1")
        await page.until(f"{TEXTS}.includes({json.dumps(hostile)}) && {TEXTS}.includes('here')")
        await page.until("!document.querySelector('[data-act=views]').hidden")
        assert "Turned over" in await page.value("document.querySelector('[data-act=views]').innerText")
        assert await page.value(f"{GREYS}.includes('C 64 W 128')")
        await page.value(
            "(() => { const list = document.querySelector('[data-act=views]'); list.selectedIndex = 1;"
            " list.dispatchEvent(new Event('change')); })()"
        )
        await page.until(f"{GREYS}.includes('C 40 W 400')")
        about, pixels = await read_frame(page)
        assert pixels is not None, about
        assert np.abs(pixels[..., 0] - greys).max() <= 1
        assert await page.value(f"{TEXTS}.filter((t) => t === 'here').length") == 1
        assert await page.value(f"document.querySelectorAll('{CELL} img').length") == 0

    browse(server, address(STUDY_UID, SERIES_UID), again)
