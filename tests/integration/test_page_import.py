"""Importing by the page: files and folders, chosen and dropped, over a line that breaks, with files that are none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from accessibility import needs_axe, violations
from browser import Page
from built_page import browse, needs_page, status
from data import make_instance
from serving import Serving

pytestmark = needs_page
SAID = "document.querySelector('.import-status')?.innerText"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path / "archive") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two studies below folders, the index of a file-set, and two files that are no images."""
    root = tmp_path / "disc"
    for n in range(70):
        file = root / f"ST{n % 2}" / f"IM{n:03}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            make_instance(f"1.2.7.{n % 2}.1.{n}", study=f"1.2.7.{n % 2}", series=f"1.2.7.{n % 2}.1", patient="Im^Port")
        )
    (root / "DICOMDIR").write_bytes(b"not looked at")
    (root / "ST0" / "letter.txt").write_bytes(b"Dear colleague, " * 20)
    (root / "ST1" / "torn.dcm").write_bytes((root / "ST1" / "IM001").read_bytes()[:-20])
    return root


async def choose(page: Page, selector: str, *files: Path) -> None:
    """As the file dialogue does."""
    document = await page.call("DOM.getDocument")
    node = await page.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
    await page.call("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=node["nodeId"])


async def drop(page: Page, *paths: Path) -> None:
    """Files and folders from the desktop, let go over the list."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        await page.call("Input.dispatchDragEvent", type=kind, x=600, y=400, data=data)


@needs_axe
def test_a_dropped_folder_is_stored_and_what_failed_is_named(server: Serving, folder: Path) -> None:
    async def steps(page: Page) -> None:
        assert await page.value(status("The archive is empty"))
        await drop(page, folder)
        await page.until(f"{SAID} === 'done: 70 of 72 safe'")
        failures = await page.value("document.querySelector('.failures').innerText")
        assert "2 files failed" in failures
        assert "disc/ST0/letter.txt" in failures
        assert "disc/ST1/torn.dcm" in failures
        assert "truncated" in failures  # the server's own words
        await page.until(status("2 studies"))
        assert await violations(page) == []
        page.problems[:] = [one for one in page.problems if "409" not in one]  # Chromium notes the server's refusals
        await page.value("[...document.querySelectorAll('.import button')].at(-1).click()")
        assert await page.value(SAID) is None

    browse(server, steps)
    answer = server.get("/dicom-web/instances?limit=200")
    assert len(answer.json()) == 70


def test_a_broken_line_interrupts_and_the_import_goes_on(server: Serving, folder: Path) -> None:
    async def steps(page: Page) -> None:
        await page.call(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        await choose(page, "#import-files", *sorted((folder / "ST0").glob("IM*")))
        await page.until(f"{SAID} === 'interrupted: 0 of 35 safe'")
        assert "does not answer" in await page.value("document.querySelector('.import .alarm').innerText")
        await page.call(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        await page.until(f"{SAID} === 'done: 35 of 35 safe'")
        assert await page.value("document.querySelector('.import .alarm') === null")
        page.problems[:] = [one for one in page.problems if "ERR_INTERNET_DISCONNECTED" not in one]

    browse(server, steps)
    assert len(server.get("/dicom-web/instances?limit=200").json()) == 35


def test_an_import_is_paused_and_goes_on(server: Serving, folder: Path) -> None:
    files = sorted(folder.glob("*/IM*"))

    async def steps(page: Page) -> None:
        # A slow line, so that there is time to press the button.
        await page.call(
            "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=60_000
        )
        await choose(page, "#import-files", *files)
        await page.until(f"{SAID}?.startsWith('0 of')")
        button = "[...document.querySelectorAll('.import button')].find((b) => b.innerText === '{}').click()"
        await page.value(button.format("Pause"))
        await page.until(f"{SAID} === 'paused: 64 of 70 safe' || {SAID} === 'paused: 64 of 65+ safe'")
        await asyncio.sleep(0.5)
        assert (await page.value(SAID)).startswith("paused: 64 of")
        await page.value(button.format("Go on"))
        await page.until(f"{SAID} === 'done: 70 of 70 safe'")

    browse(server, steps)
