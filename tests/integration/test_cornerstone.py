"""cornerstone3D's own loader and viewports in Chromium, in a page of another origin: frames, byte ranges, stack, volume."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from browser import WEBGL, Browser, Page, needs_chromium
from bundling import OwnOrigin, bundle
from code_streams import rle, slice_values
from pictures import image
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from serving import Serving
from viewing import CT_SERIES, LIBRARIES, SIDE, SLICES, STUDY, US_SERIES, disk, viewers_study

pytestmark = [
    pytest.mark.peer,
    needs_chromium,
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(not LIBRARIES.is_dir(), reason="cornerstone3D is not there (.ci/clients.sh fetches it)"),
]
Array = np.ndarray[Any, Any]
ROWS, COLUMNS = 384, 320
STREAMABLE = "1.2.840.10008.1.2.4.202"
CODED: dict[str, Callable[[Array], bytes]] = {
    "1.2.840.10008.1.2.1": lambda a: a.tobytes(),
    "1.2.840.10008.1.2.5": rle,
    "1.2.840.10008.1.2.4.70": lambda a: imagecodecs.ljpeg_encode(a, bitspersample=16),
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
    "1.2.840.10008.1.2.4.90": lambda a: imagecodecs.jpeg2k_encode(a, reversible=True, codecformat="j2k"),
    "1.2.840.10008.1.2.4.201": lambda a: imagecodecs.htj2k_encode(a, reversible=True),
    STREAMABLE: lambda a: imagecodecs.htj2k_encode(a, reversible=True, tlm=True, tilepart=1, resolutions=5),
}
_GREY = slice_values(ROWS, COLUMNS).astype(int)
VALUES = (_GREY * 4000 // _GREY.max()).astype(np.uint16)  # within 12 bits


def coded_instance(number: int, uid: str) -> bytes:
    """The same slice in a transfer syntax, a series of its own."""
    ds = image(VALUES, "CT", BitsStored=12)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.50", f"1.2.50.{number}"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.50.{number}.1"
    ds.file_meta.TransferSyntaxUID = uid
    frame = CODED[uid](VALUES)
    if uid != "1.2.840.10008.1.2.1":
        ds.PixelData = encapsulate([frame])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class World:
    """The server, and the page at its own origin, which the server lets in."""

    server: Serving
    page_url: str

    def series(self, study: str, series: str) -> str:
        return f"{self.server.url}/dicom-web/studies/{study}/series/{series}"

    def run(self, expression: str) -> tuple[Any, Array]:
        """What the page's expression gives, and what the page looks like half a second later; nothing may go wrong in it."""

        async def steps() -> tuple[Any, Array]:
            async with Browser(512, 512, *WEBGL) as page:
                await page.open(f"{self.page_url}/index.html")
                await page.until("!!window.page")
                found = await page.value(expression)
                await asyncio.sleep(0.5)
                picture = await picture_of(page)
                assert page.problems == []
                return found, picture

        return asyncio.run(steps())


async def picture_of(page: Page) -> Array:
    return np.asarray(Image.open(io.BytesIO(await page.screenshot())).convert("L")).astype(int)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("page")
    bundle(folder)
    with OwnOrigin(folder) as page_url:
        config = folder.parent / "cornerstone.toml"
        config.write_text(f'cors_origins = "{page_url}"\n')
        with Serving(tmp_path_factory.mktemp("archive"), "--config", str(config)) as server:
            contents = [coded_instance(number, uid) for number, uid in enumerate(CODED)]
            assert server.store(*viewers_study(), *contents).status_code == 200
            yield World(server, page_url)


def pixels_of(found: dict[str, Any]) -> Array:
    kind = {"Uint8Array": np.uint8, "Uint8ClampedArray": np.uint8, "Uint16Array": np.uint16, "Int16Array": np.int16}[
        found["kind"]
    ]
    return np.frombuffer(base64.b64decode(found["pixels"]), kind).reshape(found["rows"], found["columns"], -1).squeeze()


def test_frames_as_stored_decode_to_the_pixels_that_went_in(world: World) -> None:
    """``transfer-syntax=*`` gives the stored code stream; the part's type tells the loader which codec to take."""
    series = [world.series("1.2.50", f"1.2.50.{number}") for number in range(len(CODED))]
    found, _ = world.run(f"Promise.all({json.dumps(series)}.map(page.load))")
    assert [one["syntax"] for [one] in found] == list(CODED)
    for uid, [one] in zip(CODED, found, strict=True):
        assert np.array_equal(pixels_of(one), VALUES), uid


def test_frames_of_one_instance(world: World) -> None:
    found, _ = world.run(f"page.load({world.series(STUDY, US_SERIES)!r})")
    bars = [int(np.count_nonzero(np.diff((pixels_of(one)[64] > 128).astype(int)) == 1)) for one in found]
    assert bars == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "first",
    [{"rangeIndex": 0, "chunkSize": 16384, "initialChunkSize": 16384}, {"streaming": True}],
    ids=["ranges", "stream"],
)
def test_a_frame_sharpens_as_its_bytes_come(world: World, first: dict[str, object]) -> None:
    """The first bytes of an RPCL code stream are a smaller picture of the same; the last ones make it exact."""
    stages = {"first": first} | ({"last": {"rangeIndex": -1, "chunkSize": 16384}} if "rangeIndex" in first else {})
    number = list(CODED).index(STREAMABLE)
    found, _ = world.run(f"page.progressive({world.series('1.2.50', f'1.2.50.{number}')!r}, {json.dumps(stages)})")
    assert found["errors"] == []
    states = found["states"]
    assert np.array_equal(pixels_of(states[-1]), VALUES)
    if "rangeIndex" in first:
        coarse = states[0]
        assert len(states) == 2
        assert coarse["quality"] < states[-1]["quality"]
        small = pixels_of(coarse).astype(float)
        assert small.size < VALUES.size
        times = ROWS // small.shape[0]
        assert times in (2, 4, 8, 16)
        means = VALUES.reshape(ROWS // times, times, COLUMNS // times, times).mean(axis=(1, 3))
        assert np.corrcoef(means.ravel(), small.ravel())[0, 1] > 0.95


SUBRESOLUTION, LOSSY = {"imageQualityStatus": 6}, {"imageQualityStatus": 7}
CHUNKS = {"framesPath": "/htj2k/", "chunkSize": 8192, "initialChunkSize": 8192}
JPIP = {"framesPath": "/jpip?target=", "urlArguments": "fsiz=96,96"}
# What is fetched first, what last, and how many times smaller the first picture is.
STEPS: list[tuple[dict[str, object], dict[str, object], int]] = [
    (
        {"framesPath": "/htj2kThumbnail/", "decodeLevel": 1, **SUBRESOLUTION},
        {"framesPath": "/htj2k/", "streaming": True},
        2,
    ),
    ({**JPIP, "decodeLevel": 2, **SUBRESOLUTION}, {}, 4),
    ({"urlArguments": "fsiz=160,192", "decodeLevel": 1, **SUBRESOLUTION}, {"urlArguments": "accept=image/jphc"}, 2),
    ({"rangeIndex": 0, **CHUNKS}, {"rangeIndex": -1, **CHUNKS}, 2),
    ({"framesPath": "/jlsThumbnail/", **SUBRESOLUTION}, {"framesPath": "/jls/"}, 2),
    ({"framesPath": "/lossy/", **LOSSY}, {}, 1),
]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90", STREAMABLE])
def test_a_frame_in_other_forms_sharpens_too(world: World, syntax: str) -> None:
    """``framesPath`` and ``urlArguments``, of frames stored natively, as JPEG 2000 and as HTJ2K: first coarse, in the end exact."""
    at = world.series("1.2.50", f"1.2.50.{list(CODED).index(syntax)}")
    every = json.dumps([{"first": first, "last": last} for first, last, _ in STEPS])
    one_by_one = f"for (const stages of {every}) found.push(await page.progressive({at!r}, stages));"
    found, _ = world.run(f"(async () => {{ const found = []; {one_by_one} return found; }})()")
    for (first, _, times), one in zip(STEPS, found, strict=True):
        assert one["errors"] == []
        coarse, exact = one["states"][0], one["states"][-1]
        assert np.array_equal(pixels_of(exact), VALUES), first
        assert coarse["quality"] < exact["quality"]
        small = pixels_of(coarse).astype(float)
        assert small.shape == (ROWS // times, COLUMNS // times), first
        means = VALUES.reshape(ROWS // times, times, COLUMNS // times, times).mean(axis=(1, 3))
        assert np.corrcoef(means.ravel(), small.ravel())[0, 1] > 0.95


def test_a_stack_shows_the_slice_that_is_asked_for(world: World) -> None:
    count, picture = world.run(f"page.stack({world.series(STUDY, CT_SERIES)!r}, 5, -160, 240)")
    assert count == SLICES
    expected = np.kron(disk(5), np.ones((4, 4), bool))
    assert picture.shape == expected.shape == (4 * SIDE, 4 * SIDE)
    shown = picture > 250
    # Edges are interpolated by the graphics card, half a stored pixel on each side.
    assert np.count_nonzero(shown ^ expected) < 0.15 * np.count_nonzero(expected)
    assert abs(int(np.median(picture[(picture > 20) & (picture < 235)])) - 128) <= 2, (
        "water in a window of 400 around 40"
    )


def test_a_volume_is_put_together_from_its_slices(world: World) -> None:
    """Cut from left to right the wandering disk is a slanting band: 4 pixels of 2 mm further in every slice of 3 mm."""
    dimensions, picture = world.run(f"page.volume({world.series(STUDY, CT_SERIES)!r}, -160, 240)")
    assert dimensions == [SIDE, SIDE, SLICES]
    rows, columns = np.nonzero(picture > 200)
    assert rows.size > 500
    # Head is up and left is at the right: the higher slices, where the disk is further left in the patient, are at the top.
    centres = [(row, columns[rows == row].mean()) for row in np.unique(rows)]
    slope = np.polyfit([row for row, _ in centres], [column for _, column in centres], 1)[0]
    assert abs(slope + 8 / 3) < 0.3


def test_thumbnails(world: World) -> None:
    at = world.series(STUDY, CT_SERIES)
    for path, size in ((f"{at}/thumbnail", 128), (f"{at}/instances/{CT_SERIES}.1/rendered", SIDE)):
        found, _ = world.run(f"page.thumbnail({path!r})")
        assert found == {"type": "image/jpeg", "width": size, "height": size}


def test_a_page_that_is_not_welcome_gets_nothing(world: World, tmp_path: Path) -> None:
    """Without the setting the same page is refused by the browser: what the others show is CORS at work."""

    async def steps(folder: Path) -> Any:
        with OwnOrigin(folder) as stranger:
            async with Browser(512, 512) as page:
                await page.open(f"{stranger}/blank.html")
                await page.until("document.readyState === 'complete'")
                return await page.value(
                    f"fetch({world.server.url + '/dicom-web/studies'!r}).then(() => 'read', e => e.name)"
                )

    (tmp_path / "blank.html").write_text("<!doctype html><title>x</title>")
    assert asyncio.run(steps(tmp_path)) == "TypeError"
