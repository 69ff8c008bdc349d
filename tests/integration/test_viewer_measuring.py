"""Measuring in the built viewer: drawn by hand, right in millimetres and HU, kept as TID 1500, shown again."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from browser import Page, needs_chromium
from pictures import image, part10
from pydicom.filebase import DicomBytesIO
from serving import Serving
from viewer import CELL, address, browse, draw, exact_frame, needs_page, press

pytestmark = [pytest.mark.peer, needs_chromium, needs_page]

STUDY, SERIES, SIDE = "1.2.80", "1.2.80.1", 128
TEXTS = f"[...document.querySelectorAll('{CELL} text.mark')].map((t) => t.textContent)"
DSRDUMP = shutil.which("dsrdump")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One image: 40 HU on the left half, 100 on the right; pixels of 0.5 mm."""
    values = np.full((SIDE, SIDE), 1024 + 40, np.uint16)
    values[:, SIDE // 2 :] = 1024 + 100
    ds = image(values, "CT", BitsStored=12)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY, SERIES
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{SERIES}.1"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.PatientName, ds.PatientID, ds.StudyDate, ds.PixelSpacing = "Measure^Mary", "M1", "20240229", [0.5, 0.5]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        assert running.store(part10(ds)).status_code == 200
        yield running


def numbers(report: Any) -> dict[str, tuple[float, str]]:
    """Measurements by concept and derivation, with their unit: the first of each."""
    found: dict[str, tuple[float, str]] = {}

    def walk(item: Any) -> None:
        for child in item.get("ContentSequence", []):
            if child.ValueType == "NUM":
                name = child.ConceptNameCodeSequence[0].CodeMeaning
                for inner in child.ContentSequence:
                    if inner.RelationshipType == "HAS CONCEPT MOD":
                        name += " " + inner.ConceptCodeSequence[0].CodeMeaning
                value = child.MeasuredValueSequence[0]
                found.setdefault(name, (float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue))
            walk(child)

    walk(report)
    return found


def test_what_is_drawn_is_measured_kept_and_shown_again(server: Serving, tmp_path: Path) -> None:
    async def measure(page: Page) -> None:
        await exact_frame(page, f"{SERIES}.1 1")
        await draw(page, "length", (-40, -30), (-20, -30), (0, -30))
        await page.until(f"{TEXTS}.some((t) => Math.abs(parseFloat(t) - 20) < 0.2 && t.endsWith('mm'))")
        await draw(page, "rectangle", (10, 10), (20, 20), (30, 20))
        await page.until(f"{TEXTS}.some((t) => t.includes('100 ± 0 HU'))")
        await draw(page, "ellipse", (-30, 10), (-20, 20), (-10, 20))
        await page.until(f"{TEXTS}.some((t) => t.includes('40 ± 0 HU') || t.includes('40.0 ± 0 HU'))")
        await draw(page, "probe", (-50, -50))
        await page.until(f"{TEXTS}.includes('40 HU')")
        await draw(page, "probe", (50, -50))
        await page.until(f"{TEXTS}.includes('100 HU')")
        await page.value("document.querySelector('[data-act=\"act.undo\"]').click()")
        await page.until(f"!{TEXTS}.includes('100 HU')")
        # As the reader has told the settings meanwhile; what would divide the name is no part of it.
        await page.click(".preferences-button")
        await page.value("document.querySelector('dialog[open] input[name=creator]').focus()")
        await page.type("Blackwell^\u0415lizabeth\\=x")
        await page.value("document.querySelector('dialog[open]').close()")
        await page.value("document.querySelector('[data-act=\"act.save\"]').click()")
        await page.until("document.querySelector('.voxcast-view').innerText.includes('4 measurements are stored')")
        assert await page.value("document.querySelector('[data-act=\"act.save\"]').disabled")

    browse(server, address(STUDY, SERIES), measure)

    rows = server.get(f"/dicom-web/studies/{STUDY}/instances?Modality=SR", "application/dicom+json").json()
    assert len(rows) == 1
    series, sop = (rows[0][tag]["Value"][0] for tag in ("0020000E", "00080018"))
    answer = server.get(f"/dicom-web/studies/{STUDY}/series/{series}/instances/{sop}", "application/dicom")
    report = pydicom.dcmread(DicomBytesIO(answer.content), force=True)
    assert (report.PatientName, report.PatientID, report.Modality) == ("Measure^Mary", "M1", "SR")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].SeriesInstanceUID == SERIES
    context = [item for item in report.ContentSequence if item.RelationshipType == "HAS OBS CONTEXT"]
    assert [item.ConceptNameCodeSequence[0].CodeValue for item in context][:3] == ["121005", "121008", "121005"]
    assert context[0].ConceptCodeSequence[0].CodeValue == "121006"  # a person, and then the device
    assert context[1].PersonName == "Blackwell^\u0415lizabeth  x"
    found = numbers(report)
    assert found["Length"][0] == pytest.approx(20, abs=0.2)
    assert found["Length"][1] == "mm"
    assert found["Area"] == (pytest.approx(20 * 10 * 0.25, rel=0.03), "mm2")
    assert found["Attenuation Coefficient Mean"] == (100, "[hnsf'U]")
    assert found["Attenuation Coefficient"] == (40, "[hnsf'U]")
    if DSRDUMP is not None:
        file = tmp_path / "report.dcm"
        file.write_bytes(answer.content)
        dumped = subprocess.run([DSRDUMP, file], capture_output=True, text=True, timeout=30, check=False)
        assert dumped.returncode == 0, dumped.stderr
        assert "Imaging Measurement Report" in dumped.stdout

    async def again(page: Page) -> None:
        await exact_frame(page, f"{SERIES}.1 1")
        await page.until(f"document.querySelectorAll('{CELL} text.mark.stored').length >= 4")
        texts = await page.value(TEXTS)
        assert any(text.endswith("mm") and abs(float(text.split()[0]) - 20) < 0.2 for text in texts), texts
        assert any("100 ± 0 HU" in text for text in texts)
        # A record stays: it can be neither moved nor deleted here.
        await draw(page, "pan", (0, -30), (0, -20))
        await page.value(
            f"document.querySelector('{CELL}').dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Delete', bubbles: true }}))"
        )
        await asyncio.sleep(0.3)
        assert await page.value(f"document.querySelectorAll('{CELL} polyline.mark.stored').length") == 1

    browse(server, address(STUDY, SERIES), again)


def test_an_angle_takes_two_strokes(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{SERIES}.1 1")
        await draw(page, "angle", (-30, 50), (0, 50))
        await draw(page, "angle", (0, 20))
        await page.until(f"{TEXTS}.some((t) => t.endsWith('°') && Math.abs(parseFloat(t) - 90) < 0.5)")

    browse(server, address(STUDY, SERIES), steps)


def test_marks_are_drawn_by_keyboard(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await exact_frame(page, f"{SERIES}.1 1")
        height = await page.value(f"document.querySelector('{CELL}').getBoundingClientRect().height")
        for key in ("l", "Enter", "Enter", *["ArrowRight"] * 10, "Enter"):
            await press(page, key)
        wanted = 80 / height * SIDE * 0.5  # ten steps of eight pixels of the screen
        await page.until(f"{TEXTS}.some((t) => t.endsWith('mm') && Math.abs(parseFloat(t) - {wanted}) < 0.2)")
        for key in ("q", *["ArrowUp"] * 6, "Enter"):
            await press(page, key)
        await page.until(f"{TEXTS}.includes('100 HU')")
        await press(page, "Delete")  # the one that was drawn last is the chosen one
        await page.until(f"!{TEXTS}.includes('100 HU')")

    browse(server, address(STUDY, SERIES), steps)
