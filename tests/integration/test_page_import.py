"""Importing by the page: files and folders, chosen and dropped, over a line that breaks, with files that are none."""

from __future__ import annotations

import asyncio
import io
import struct
import zipfile
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


def _zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_zip_files_are_unpacked_and_what_cannot_be_had_of_them_is_named(
    server: Serving, folder: Path, tmp_path: Path
) -> None:
    images = [(str(file.relative_to(folder)), file.read_bytes()) for file in sorted(folder.glob("*/IM*"))]
    good = _zip(
        ("DICOMDIR", b"not looked at"), ("__MACOSX/._IM000", b"leavings"), *images[:40], ("inner.zip", _zip(images[0]))
    )
    stored = _zip(*images[40:60], method=zipfile.ZIP_STORED)
    # A member whose bytes are not those that were packed, and one that is encrypted, beside some that are well.
    at = good.index(b"PK\x01\x02") - 4000
    damaged = bytearray(_zip(*images[60:], ("flipped", bytes(range(256)) * 64)))
    flipped = damaged.index(b"flipped") + len("flipped") + 20
    damaged[flipped] ^= 0xFF
    locked = bytearray(_zip(("locked", images[0][1])))
    for mark, where in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + where] |= 1
    cut = good[: at // 2]
    files = {
        "good.zip": good,
        "stored.zip": stored,
        "damaged.zip": damaged,
        "locked.zip": locked,
        "cut.zip": cut,
        "none.zip": b"no zip",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    async def steps(page: Page) -> None:
        await choose(page, "#import-files", *(tmp_path / name for name in files))
        await page.until(f"{SAID} === 'done: 70 of 75 safe'")
        failures = await page.value("[...document.querySelectorAll('.failures li')].map((li) => li.innerText)")
        said = {one.split(" ")[0]: one.split(" ", 1)[1] for one in failures}
        assert set(said) == {"good.zip/inner.zip", "damaged.zip/flipped", "locked.zip/locked", "cut.zip", "none.zip"}
        assert "not unpacked" in said["good.zip/inner.zip"]
        assert "damaged" in said["damaged.zip/flipped"]
        assert "encrypted" in said["locked.zip/locked"]
        assert "damaged" in said["cut.zip"]
        page.problems[:] = [one for one in page.problems if "409" not in one]

    browse(server, steps)
    found = server.get("/dicom-web/instances?limit=200").json()
    assert len(found) == 70
    # What came out of a zip file is what went in.
    for uid in ("1.2.7.0.1.0", "1.2.7.1.1.45"):
        answer = server.get(f"/dicom-web/studies/1.2.7.{uid[6]}/series/1.2.7.{uid[6]}.1/instances/{uid}")
        number = int(uid.rsplit(".", 1)[1])
        assert (folder / f"ST{number % 2}" / f"IM{number:03}").read_bytes() in answer.content


def test_a_zip_file_that_unpacks_to_far_too_much_is_given_up(server: Serving, folder: Path, tmp_path: Path) -> None:
    """Of a gigabyte of noughts no more is unpacked than is allowed; what a directory says of its size is not believed."""
    image = (folder / "ST0" / "IM000").read_bytes()
    bomb = bytearray(_zip(("IM000", image), ("noughts", b"\0" * (400 << 20)), ("behind", image)))
    lying = bytearray(_zip(("small", b"\0" * (100 << 20))))
    entry = lying.index(b"PK\x01\x02")
    for at in (entry + 24, 22):  # uncompressed size in the directory, and in the local header
        lying[at : at + 4] = struct.pack("<I", 1000)
    (tmp_path / "bomb.zip").write_bytes(bomb)
    (tmp_path / "lying.zip").write_bytes(lying)

    async def steps(page: Page) -> None:
        await choose(page, "#import-files", tmp_path / "bomb.zip", tmp_path / "lying.zip")
        await page.until(f"{SAID} === 'done: 1 of 3 safe'")
        failures = await page.value("[...document.querySelectorAll('.failures li')].map((li) => li.innerText)")
        assert failures[0].startswith("bomb.zip The zip file unpacks to far more than images do")
        assert failures[1].startswith("lying.zip/small The zip file is damaged here")

    browse(server, steps)


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
