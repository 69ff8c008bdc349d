"""Approximate beginnings in the built viewer: its own worker decodes them near the exact image; what rests is exact."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
from browser import Page, needs_chromium
from code_streams import GREY12, GREY16, GREY16_SIGNED
from serving import Serving
from streamed import make_renditions, store_values
from viewer import CELL, DIST, address, browse, exact_frame, needs_page
from wavelet import halved

from engine.codec.approximate import Approximating
from engine.codec.base import DecodedFrame
from engine.codec.rendition import make_rendition
from engine.dicom.frame import FrameDescriptor
from engine.limits import Limits

pytestmark = [pytest.mark.peer, needs_chromium, needs_page]

STUDY, COUNT, SIDE = "1.2.95", 12, 512
FORMS = [
    replace(one, rows=SIDE, columns=SIDE)
    for one in (GREY12, replace(GREY16_SIGNED, bits_stored=12, high_bit=11), GREY16)
]
FLING = """new Promise((done) => {
  const view = document.querySelector('.voxcast-view'), cell = view.querySelector('.cell'), seen = [];
  view.addEventListener('voxcast:drawn', ({ detail }) => {
    const [{ position, halvings }] = detail.shown;
    seen.push([position, halvings, cell.querySelector('.labels').innerText]);
  });
  let steps = 0;
  const tick = () => {
    cell.dispatchEvent(new WheelEvent('wheel', { deltaY: 100, bubbles: true, cancelable: true }));
    if (++steps < COUNT - 1) requestAnimationFrame(tick);
    else setTimeout(() => done(seen), 300);
  };
  requestAnimationFrame(tick);
})""".replace("COUNT", str(COUNT))
# The page's own worker is asked as its pool asks it.
DECODE = """new Promise((done, fail) => {
  const worker = new Worker('/static/WORKER', { type: 'module' });
  worker.onerror = (event) => fail(new Error(event.message));
  worker.onmessage = ({ data }) => {
    worker.terminate();
    if (data.error) return fail(new Error(data.error));
    const { width, height, halvings, values } = data.pixels;
    done({ width, height, halvings, kind: values.constructor.name, values: [...values] });
  };
  const { coding, text, size } = JOB;
  worker.postMessage({ number: 1, coding, bytes: Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), size });
})"""


def slice_of(number: int) -> np.ndarray[Any, Any]:
    """12 bits, edges up to both ends, noise as CT has it."""
    values = np.random.default_rng(number).normal(1000 + 50 * number, 40, (SIDE, SIDE))
    values[200:330, 100:250], values[330:400, 100:250] = 4095, 0
    return np.clip(values, 0, 4095).astype(np.uint16)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        store_values(running, STUDY, [slice_of(number) for number in range(COUNT)])
        make_renditions(running, STUDY)
        yield running


def job(d: FrameDescriptor, code: bytes, halvings: int, reduce: int) -> str:
    coding = {
        "form": "htj2k", "rows": d.rows, "columns": d.columns, "samplesPerPixel": 1, "bitsAllocated": d.bits_allocated,
        "bitsStored": d.bits_stored, "highBit": d.high_bit, "isSigned": bool(d.pixel_representation), "planarConfiguration": 0,
        "photometricInterpretation": "MONOCHROME2", "isMasked": False,
    }  # fmt: skip
    size = {"halvings": halvings, "reduce": reduce, "isApproximate": True}
    worker = next(path.name for path in DIST.glob("worker-*.js") if "HTJ2KDecoder" in path.read_text())
    told = json.dumps({"coding": coding, "text": base64.b64encode(code).decode(), "size": size})
    return DECODE.replace("WORKER", worker).replace("JOB", told)


def test_the_worker_shows_them_in_the_frames_own_values_and_a_fling_ends_exact(server: Serving) -> None:
    async def steps(page: Page) -> None:
        for d in FORMS:
            values = slice_of(1).view(np.int16) - np.int16(2048) if d.pixel_representation else slice_of(1)
            made = make_rendition(d, DecodedFrame(values, "MONOCHROME2", 0), Limits())
            found = Approximating().beginning(d, made.code_stream, made.ends)
            assert found is not None
            low, high = (-2048, 2047) if d.pixel_representation else (0, (1 << d.bits_stored) - 1)
            for less, end in enumerate(reversed(found.ends)):
                shown = await page.value(job(d, found.code_stream[:end], 2 + less, less))
                picture = np.array(shown["values"]).reshape(shown["height"], shown["width"])
                assert (shown["halvings"], picture.shape) == (2 + less, (128 >> less, 128 >> less))
                assert shown["kind"] == ("Int16Array" if d.pixel_representation else "Uint16Array")
                again = np.clip(imagecodecs.htj2k_decode(found.code_stream[:end], skipres=less), low, high)
                assert np.abs(picture - again).max() <= 1, "as another OpenJPH decodes it"
            exact = np.clip(halved(values, 2), low, high)
            whole = np.clip(np.asarray(imagecodecs.jpeg2k_decode(found.code_stream)).astype(int), low, high)
            assert np.abs(whole - exact).max() <= 4095 / 16
        await exact_frame(page, f"{STUDY}.1.1 1")
        seen = await page.value(FLING)
        assert [one for one in seen if one[1] < 0] == [], "a blank"
        labels = f"document.querySelector('{CELL} .labels').innerText"
        for _, halvings, words in seen:
            assert ("COARSE" in words) == (halvings > 0)
        await exact_frame(page, f"{STUDY}.1.{COUNT} 1")
        assert "COARSE" not in await page.value(labels)

    browse(server, address(STUDY, f"{STUDY}.1"), steps)
