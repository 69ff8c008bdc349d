"""Presentation states as other systems write them, chosen in the page: its pixels against the server's picture and DCMTK's."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pydicom
import pytest
from browser import Browser, Page, needs_chromium
from pictures import image as plain_image
from presenting import (
    IMAGE_UID,
    SERIES_UID,
    STUDY_UID,
    Array,
    area,
    by_dcmtk,
    complaints,
    ct_image,
    image_reference,
    item,
    lut_item,
    needs_dciodvfy,
    needs_dcmtk,
    state_of,
    window,
    written,
)
from pydicom.dataset import Dataset
from serving import Serving
from viewer import CELL, address, needs_page, read_frame

from engine.dicom.presentation import StateKind

pytestmark = [pytest.mark.peer, needs_chromium, needs_page]

ROWS, COLUMNS, FRAMES = 96, 128, 5
SECOND_UID, MULTI_SERIES, MULTI_UID, COLOUR_SERIES, COLOUR_UID = (
    "1.2.3.4.2",
    "1.2.3.6",
    "1.2.3.6.1",
    "1.2.3.7",
    "1.2.3.7.1",
)
Y, X = np.mgrid[:ROWS, :COLUMNS]
RAMP = (100 + 16 * X + 18 * Y).astype(np.uint16)  # 100 to 3842: no two corners, and no two turns, are alike
PRESENTATION_LUT = np.rint(np.linspace(0, 1, 4096) ** 0.6 * 4095).astype(np.uint16)
MODALITY_LUT = np.rint(np.linspace(0, 1, 4096) ** 1.4 * 65535).astype(np.uint16)
LONG_VOI_LUT = np.rint(np.linspace(0, 1, 50_000) ** 0.8 * 1023).astype(np.uint16)  # too long to stand in the metadata
VOI_LUT = np.rint(np.clip(np.linspace(-0.5, 1.5, 3000), 0, 1) * 1023).astype(np.uint16)

FIRST = ct_image(RAMP, bits_stored=12, RescaleIntercept=-1024, RescaleType="HU", WindowCenter=500, WindowWidth=2000)
SECOND = ct_image(RAMP[::-1], uid=SECOND_UID, bits_stored=12, InstanceNumber=2, ImagePositionPatient=[0, 0, 1])
MULTI = ct_image(
    np.stack([np.roll(RAMP, 10 * n, 1) for n in range(FRAMES)]),
    uid=MULTI_UID,
    bits_stored=12,
    SeriesInstanceUID=MULTI_SERIES,
)


def colour_image() -> Dataset:
    ds: Dataset = plain_image(np.stack([X + 100, Y + 100, 200 - X], -1).astype(np.uint8), "US", "RGB")
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY_UID, COLOUR_SERIES
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = COLOUR_UID
    ds.PatientName, ds.PatientID = FIRST.PatientName, FIRST.PatientID
    return ds


COLOUR = colour_image()
STATES: dict[str, Dataset] = {}


def add(name: str, of: Dataset, kind: StateKind = StateKind.GRAYSCALE, /, **attributes: Any) -> Dataset:
    """A state that the list names so; as others make them, the rescale of the image is said again."""
    ds = state_of(of, kind, ContentDescription=name, **attributes)
    number = len(STATES) + 1
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.5.{number}"
    ds.InstanceNumber = number
    STATES[name] = ds
    return ds


def overlay(ds: Dataset, group: int, bits: Array, origin: tuple[int, int] = (1, 1), layer: str = "") -> None:
    ds.add_new((group, 0x0010), "US", bits.shape[-2])
    ds.add_new((group, 0x0011), "US", bits.shape[-1])
    ds.add_new((group, 0x0040), "CS", "G")
    ds.add_new((group, 0x0050), "SS", list(origin))
    ds.add_new((group, 0x0100), "US", 1)
    ds.add_new((group, 0x0102), "US", 0)
    if layer:
        ds.add_new((group, 0x1001), "CS", layer)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    ds.add_new((group, 0x3000), "OW", packed + b"\0" * (len(packed) % 2))


HU = {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}
add("window", FIRST, **HU, SoftcopyVOILUTSequence=[window(800, 1500)])
add("sigmoid", FIRST, **HU, SoftcopyVOILUTSequence=[window(800, 1500, "SIGMOID")], PresentationLUTShape="INVERSE")
add("nothing", FIRST)
add(
    "rescale",
    FIRST,
    RescaleSlope=2,
    RescaleIntercept=-500,
    RescaleType="US",
    SoftcopyVOILUTSequence=[window(3000, 5000)],
)
TABLES = add(
    "tables", FIRST, ModalityLUTSequence=[lut_item(0, MODALITY_LUT, 16)],
    PresentationLUTSequence=[lut_item(0, PRESENTATION_LUT, 12)],
    SoftcopyVOILUTSequence=[item(VOILUTSequence=[lut_item(400, LONG_VOI_LUT, 10)])],
)  # fmt: skip
TABLES.ModalityLUTSequence[0].ModalityLUTType = "US"
del TABLES.PresentationLUTShape
add(
    "signed table",
    FIRST,
    **HU,
    SoftcopyVOILUTSequence=[item(VOILUTSequence=[lut_item(-1000, VOI_LUT, 10, signed=True)])],
)
GREYS = list(STATES)

add(
    "shutters", FIRST, **HU, SoftcopyVOILUTSequence=[window(800, 4000)], ShutterShape=["RECTANGULAR", "CIRCULAR", "POLYGONAL"],
    ShutterLeftVerticalEdge=11, ShutterRightVerticalEdge=120, ShutterUpperHorizontalEdge=5, ShutterLowerHorizontalEdge=90,
    CenterOfCircularShutter=[48, 60], RadiusOfCircularShutter=58, ShutterPresentationValue=0x4000,
    VerticesOfThePolygonalShutter=[2, 10, 2, 100, 60, 126, 95, 64, 50, 3],
)  # fmt: skip
BITMAP = add(
    "bitmap", FIRST, **HU, SoftcopyVOILUTSequence=[window(800, 4000)], ShutterShape="BITMAP", ShutterOverlayGroup=0x6002,
    ShutterPresentationValue=0xFFFF,
    GraphicLayerSequence=[item(GraphicLayer="BONES", GraphicLayerOrder=1, GraphicLayerRecommendedDisplayGrayscaleValue=0x8000)],
)  # fmt: skip
overlay(BITMAP, 0x6000, (X[:40, :50] + Y[:40, :50]) % 7 == 0, (-3, 90), "BONES")  # over two of the image's edges
overlay(BITMAP, 0x6002, np.hypot(X - 30, Y - 40) < 20)
add(
    "round and coloured", COLOUR, StateKind.COLOR, ShutterShape="CIRCULAR", CenterOfCircularShutter=[40, 50],
    RadiusOfCircularShutter=35,
    ShutterPresentationValue=0, ShutterPresentationColorCIELabValue=[34734, 53456, 50115],
)  # fmt: skip
# Planes of the images themselves, which a state lays over them by its layers: one, and one that has frames of its own.
OWN, OWN_AT = (X[:60, :70] // 5 + Y[:60, :70] // 3) % 4 == 0, (21, -9)
OWN_FRAMES, OWN_FIRST = np.stack([(X[:30, :40] + n * Y[:30, :40]) % 5 == 0 for n in (1, 2)]), 3
overlay(FIRST, 0x6004, OWN, OWN_AT)
overlay(MULTI, 0x6000, OWN_FRAMES, (11, 21))
MULTI.add_new((0x6000, 0x0015), "IS", len(OWN_FRAMES))
MULTI.add_new((0x6000, 0x0051), "US", OWN_FIRST)
LAYER = [item(GraphicLayer="OWN", GraphicLayerOrder=1, GraphicLayerRecommendedDisplayGrayscaleValue=0xC000)]
add("own plane", FIRST, **HU, SoftcopyVOILUTSequence=[window(800, 4000)], GraphicLayerSequence=LAYER)
STATES["own plane"].add_new((0x6004, 0x1001), "CS", "OWN")
add("own frames", MULTI, GraphicLayerSequence=LAYER)
STATES["own frames"].add_new((0x6000, 0x1001), "CS", "OWN")
COVERS = ["shutters", "bitmap", "round and coloured", "own plane"]

BOTH = add("by image", FIRST, **HU)
BOTH.ReferencedSeriesSequence = [
    item(
        SeriesInstanceUID=SERIES_UID, ReferencedImageSequence=[image_reference(SECOND_UID), image_reference(IMAGE_UID)]
    ),
    item(SeriesInstanceUID=MULTI_SERIES, ReferencedImageSequence=[image_reference(MULTI_UID, [4])]),
]
BOTH.SoftcopyVOILUTSequence = [
    item(
        ReferencedImageSequence=[image_reference(SECOND_UID), image_reference(MULTI_UID, [4])],
        WindowCenter=100,
        WindowWidth=900,
    ),
    item(ReferencedImageSequence=[image_reference(IMAGE_UID)], WindowCenter=1500, WindowWidth=700),
]
BOTH.DisplayedAreaSelectionSequence = [
    item(ReferencedImageSequence=[image_reference(SECOND_UID), image_reference(IMAGE_UID)], **{
        e.keyword: e.value for e in area((1, 1), (COLUMNS, ROWS))
    }),
    item(ReferencedImageSequence=[image_reference(MULTI_UID, [4])], **{e.keyword: e.value for e in area((33, 25), (96, 72))}),
]  # fmt: skip
BOTH.GraphicLayerSequence = [item(GraphicLayer="L", GraphicLayerOrder=1)]


def label(text: str, units: str, x: float, y: float) -> Dataset:
    return item(
        AnchorPointAnnotationUnits=units, UnformattedTextValue=text, AnchorPoint=[x, y], AnchorPointVisibility="N"
    )


BOTH.GraphicAnnotationSequence = [
    item(GraphicLayer="L", ReferencedImageSequence=[image_reference(MULTI_UID)],
         TextObjectSequence=[label("of the fourth", "PIXEL", 50, 50)]),
    item(GraphicLayer="L", TextObjectSequence=[label("of all", "DISPLAY", 0.25, 0.75)]),
]  # fmt: skip

AREAS = {
    "part": area((21, 11), (84, 58)),
    "beyond": area((-19, -9), (100, 120)),
    "magnified": area((1, 1), (COLUMNS, ROWS), PresentationSizeMode="MAGNIFY", PresentationPixelMagnificationRatio=2),
}
for rotation in (0, 90, 180, 270):
    for flip in "NY":
        # Corners are those that are seen: after the rotation the first is another one of the stored image.
        add(
            f"turn {rotation} {flip}", FIRST, **HU, ImageRotation=rotation, ImageHorizontalFlip=flip,
            SoftcopyVOILUTSequence=[window(900, 4000)], DisplayedAreaSelectionSequence=[AREAS["part"]],
        )  # fmt: skip
for name, shown in AREAS.items():
    add(name, FIRST, **HU, SoftcopyVOILUTSequence=[window(900, 4000)], DisplayedAreaSelectionSequence=[shown])
PLACES = [*(f"turn {rotation} {flip}" for rotation in (0, 90, 180, 270) for flip in "NY"), *AREAS]


@asynccontextmanager
async def viewing(server: Serving, series: str) -> AsyncIterator[Page]:
    """A browser that has this series open."""
    async with Browser(1280, 800) as page:
        await page.open(server.url + address(STUDY_UID, series))
        await page.until(f"!!document.querySelector('{CELL}')")
        yield page


async def choose(page: Page, name: str) -> None:
    """From the list *Views*; until the page says that it is seen so."""
    await page.until(
        f"[...(document.querySelector('[data-act=views]')?.options ?? [])].some((o) => o.text.startsWith({json.dumps(name)}))"
    )
    await page.value(
        "(() => { const list = document.querySelector('[data-act=views]');"
        f" list.value = [...list.options].find((o) => o.text.startsWith({json.dumps(name)})).value;"
        " list.dispatchEvent(new Event('change')); })()"
    )
    await page.until(f"document.querySelector('{CELL}').textContent.includes({json.dumps('View: ' + name)})")


async def pixels(page: Page, key: str) -> Array:
    """The frame as it is seen, with what is laid over it, once it is exact."""
    for _ in range(400):
        about, found = await read_frame(page)
        assert not about.get("trouble"), about
        if found is not None and about.get("key") == key:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{key} is not shown exactly: {about}")


async def seen(page: Page) -> Array:
    """The active cell on the screen, without words."""
    await page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    left, top, width, height = await page.value(
        f"(() => {{ const r = document.querySelector('{CELL}').getBoundingClientRect();"
        " return [r.left, r.top, r.width, r.height].map(Math.round); })()"
    )
    whole = PIL.Image.open(io.BytesIO(await page.screenshot())).convert("L")
    return np.asarray(whole.crop((left, top, left + width, top + height)), np.int16)


BARE = ".labels, .drawing, .jump-bar { visibility: hidden !important }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        assert (
            running.store(*(written(ds) for ds in (FIRST, SECOND, MULTI, COLOUR, *STATES.values()))).status_code == 200
        )
        yield running


@pytest.fixture(scope="module")
def shown(server: Serving) -> dict[str, Array]:
    """All that is chosen, in one browser: the frames of `GREYS` and `COVERS`, the screen of `PLACES`."""
    found: dict[str, Array] = {}

    async def run() -> None:
        async with viewing(server, SERIES_UID) as page:
            for name in GREYS:
                await choose(page, name)
                found[name] = await pixels(page, f"{IMAGE_UID} 1")
            for name in COVERS:
                await choose(page, name)
                key = (
                    f"{STATES[name].ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID} 1"
                )
                await page.until(f"!!document.querySelector('{CELL} > canvas.cover')")
                found[name] = await pixels(page, key)
            await page.value(
                f"(() => {{ const s = new CSSStyleSheet(); s.replaceSync({json.dumps(BARE)});"
                " document.adoptedStyleSheets.push(s); })()"
            )
            for name in PLACES:
                await choose(page, name)
                await pixels(page, f"{IMAGE_UID} 1")
                found[name] = await seen(page)
            assert page.problems == []

    asyncio.run(run())
    return found


def by_server(server: Serving, name: str, key: str = f"{IMAGE_UID} 1", **more: str) -> Array:
    uid, number = key.split()
    series = {MULTI_UID: MULTI_SERIES, COLOUR_UID: COLOUR_SERIES}.get(uid, SERIES_UID)
    query = "".join(f"&{k}={v}" for k, v in more.items())
    path = f"/dicom-web/studies/{STUDY_UID}/series/{series}/instances/{uid}/frames/{number}/rendered"
    path += f"?presentationUID={STATES[name].SOPInstanceUID}{query}"
    answer = server.get(path, "image/png")
    assert answer.status_code == 200, answer.text
    return np.asarray(PIL.Image.open(io.BytesIO(answer.content)).convert("RGB"), np.int16)


@pytest.mark.parametrize("name", [*GREYS, *COVERS])
def test_a_frame_is_the_servers_within_one_grey(server: Serving, shown: dict[str, Array], name: str) -> None:
    key = f"{COLOUR_UID} 1" if name == "round and coloured" else f"{IMAGE_UID} 1"
    expected = by_server(server, name, key)
    assert len(np.unique(expected)) > 50, "a picture that says nothing"
    assert np.abs(shown[name].astype(np.int16) - expected).max() <= 1


def test_a_plane_of_the_image_lies_where_its_bits_are(shown: dict[str, Array]) -> None:
    """In the grey of its layer, cut at the image's edge; by numpy alone."""
    covered = np.zeros((ROWS, COLUMNS), bool)
    top, left = OWN_AT[0] - 1, OWN_AT[1] - 1
    covered[top : top + OWN.shape[0], : OWN.shape[1] + left] = OWN[:, -left:]
    plain = np.clip((RAMP.astype(float) - 1024 - 799.5) / 3999 + 0.5, 0, 1) * 255
    found = shown["own plane"][..., 0].astype(float)
    assert np.abs(found[covered] - 0xC0).max() <= 1
    assert np.abs(found - plain)[~covered].max() <= 1


def test_frames_of_a_plane_lie_over_those_that_they_are_for(server: Serving) -> None:
    async def run() -> None:
        async with viewing(server, MULTI_SERIES) as page:
            await choose(page, "own frames")
            laid = []
            for number in range(1, FRAMES + 1):
                if number > 1:
                    await page.key("ArrowDown")
                await page.until(f"!!document.querySelector('{CELL} > canvas.cover')")
                expected = by_server(server, "own frames", f"{MULTI_UID} {number}")
                for _ in range(100):  # the cover comes when its bits have, which nothing tells
                    found = (await pixels(page, f"{MULTI_UID} {number}")).astype(np.int16)
                    if np.abs(found - expected).max() <= 1:
                        break
                    await asyncio.sleep(0.05)
                assert np.abs(found - expected).max() <= 1, number
                at = number - OWN_FIRST
                bits = OWN_FRAMES[at] if 0 <= at < len(OWN_FRAMES) else np.zeros(OWN_FRAMES.shape[1:], bool)
                laid.append(float((np.abs(found[10:40, 20:60, 0] - 0xC0) <= 1)[bits].mean()) if bits.any() else 0.0)
            assert laid == [0, 0, 1, 1, 0]
            assert page.problems == []

    asyncio.run(run())


@needs_dcmtk
@pytest.mark.parametrize("name", [name for name in GREYS if name != "sigmoid"])  # which DCMTK does not know in a state
def test_greys_are_those_of_dcmtk(shown: dict[str, Array], name: str, tmp_path: Path) -> None:
    expected = by_dcmtk(FIRST, STATES[name], tmp_path).astype(np.int16)
    assert np.abs(shown[name][..., 0].astype(np.int16) - expected).max() <= 2  # it cuts fractions off, at every step


@pytest.mark.parametrize("name", PLACES)
def test_a_place_on_the_screen_is_the_servers(server: Serving, shown: dict[str, Array], name: str) -> None:
    """The displayed area lies in the middle; the cell has room for more of the image at two sides, which is seen, too."""
    height, width = shown[name].shape
    size = {} if name == "magnified" else {"viewport": f"{width},{height}"}
    expected = by_server(server, name, **size)[..., 0]
    tall, wide = expected.shape
    top, left = (height - tall) // 2, (width - wide) // 2
    difference = np.abs(shown[name][top : top + tall, left : left + wide] - expected)[8:-8, 8:-8]
    # Where it is enlarged, interpolation differs at the edges of the image alone.
    assert np.percentile(difference, 95) <= 4 and difference.mean() < 1.5
    for other in (np.fliplr(expected), np.flipud(expected), np.rot90(expected, 2)):
        assert np.abs(shown[name][top : top + tall, left : left + wide] - other).mean() > 8


def test_a_state_of_several_series_and_of_one_frame(server: Serving) -> None:
    """Each image has its window; a frame that the state is not for is as its header says; marks stand where they are meant."""

    async def run() -> None:
        async with viewing(server, SERIES_UID) as page:
            await choose(page, "by image (1/2)")
            texts = f"[...document.querySelectorAll('{CELL} text.mark')].map((t) => t.textContent)"
            for key in (f"{IMAGE_UID} 1", f"{SECOND_UID} 1"):
                if key != f"{IMAGE_UID} 1":
                    await page.key("ArrowDown")
                found = await pixels(page, key)
                # What is for the whole screen stands on the picture of the server, too: lower left.
                difference = np.abs(found[..., 0].astype(np.int16) - by_server(server, "by image", key)[..., 0])[:48]
                assert difference.max() <= 1
                await page.until(f"{texts}.join() === 'of all'")
            await choose(page, "by image (2/2)")
            await pixels(page, f"{MULTI_UID} 4")
            await page.until(f"{texts}.sort().join() === 'of all,of the fourth'")
            await page.until(f"document.querySelector('{CELL}').innerText.includes('C 100 W 900')")
            await page.key("ArrowUp")
            plain = await pixels(page, f"{MULTI_UID} 3")
            said = f"document.querySelector('{CELL}').innerText"
            await page.until(f"!{said}.includes('View:') && !{said}.includes('C 100 W 900')")
            await page.until(f"{texts}.join() === ''")
            answer = server.get(
                f"/dicom-web/studies/{STUDY_UID}/series/{MULTI_SERIES}/instances/{MULTI_UID}/frames/3/rendered",
                "image/png",
            )
            picture = np.asarray(PIL.Image.open(io.BytesIO(answer.content)).convert("L"), np.int16)
            assert np.abs(plain[..., 0] - picture).max() <= 1
            assert page.problems == []

    asyncio.run(run())


@needs_dciodvfy
@pytest.mark.parametrize("name", ["tables", "bitmap"])
def test_what_is_seen_through_a_state_is_stored_as_another_that_looks_the_same(
    server: Serving, shown: dict[str, Array], name: str, tmp_path: Path
) -> None:
    before = _ours(server)

    async def run() -> None:
        async with viewing(server, SERIES_UID) as page:
            await choose(page, name)
            await pixels(page, f"{IMAGE_UID} 1")
            await page.value(f"document.querySelector('.view-name').value = 'ours {name}'")
            await page.value("document.querySelector('[data-act=\"act.store_view\"]').click()")
            await page.until("document.querySelector('.voxcast-view').innerText.includes('The view is stored')")

    asyncio.run(run())
    (uid,) = _ours(server) - before
    content = server.get(
        f"/dicom-web/studies/{STUDY_UID}/series/{_series_of(server, uid)}/instances/{uid}", "application/dicom"
    ).content
    ds = pydicom.dcmread(io.BytesIO(content), force=True)
    STATES[f"ours {name}"] = ds
    assert complaints(ds, tmp_path) == []
    assert np.abs(by_server(server, f"ours {name}") - shown[name]).max() <= 1


def _ours(server: Serving) -> set[str]:
    answer = server.get(f"/dicom-web/studies/{STUDY_UID}/instances?Modality=PR&limit=200", "application/dicom+json")
    return {row["00080018"]["Value"][0] for row in answer.json()}


def _series_of(server: Serving, uid: str) -> str:
    rows = server.get(f"/dicom-web/studies/{STUDY_UID}/instances?SOPInstanceUID={uid}", "application/dicom+json").json()
    return str(rows[0]["0020000E"]["Value"][0])
