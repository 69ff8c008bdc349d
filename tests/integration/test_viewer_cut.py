"""A line that is cut in mid fling, by a close or by a black hole: what is shown, said, and mended by itself."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator

import numpy as np
import PIL.Image
import pytest
from browser import Browser, Page
from built_page import needs_page
from pictures import part10
from serving import Serving
from viewer import CELL, address, read_frame
from viewing import CT_SERIES, STUDY, ct_slice

pytestmark = needs_page

SLICES, SIDE = 60, 256
BYTES_A_SECOND = 1_500_000  # so that the series is still on its way when the line goes
WARNED = "([...document.querySelectorAll('.voxcast-view .warning')].find((w) => !w.hidden)?.innerText ?? '')"
BADGE = f"document.querySelector('{CELL} .badge').textContent"


class Line:
    """A TCP line to the server that can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.is_closed = False  # new connections are refused
        self._flows = asyncio.Event()
        self._flows.set()

    async def __aenter__(self) -> Line:
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._flows.set()
        self.close()
        self._server.close()

    def close(self) -> None:
        self.is_closed = True
        for writer in self._writers:
            writer.transport.abort()

    def swallow(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        self._flows.clear()

    def mend(self) -> None:
        self.is_closed = False
        self._flows.set()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_closed:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back, None), self._pump(there, writer, BYTES_A_SECOND))
        finally:
            self._writers -= {writer, back}
            for one in (writer, back):
                one.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, pace: int | None) -> None:
        try:
            while part := await source.read(1 << 14):
                await self._flows.wait()
                to.write(part)
                await to.drain()
                if pace is not None:
                    await asyncio.sleep(len(part) / pace)
            to.write_eof()
        except OSError:
            return  # one side has gone: so does the other


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Noise, which takes the most bytes, round another value in each slice."""
    noise = np.random.default_rng(5)
    made = []
    for n in range(SLICES):
        ds = ct_slice(n)
        ds.Rows = ds.Columns = SIDE
        ds.PixelData = noise.integers(1000 + n, 1080 + n, (SIDE, SIDE)).astype("<u2").tobytes()
        made.append(part10(ds))
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as running:
        assert running.store(*made).status_code == 200
        yield running


@pytest.mark.parametrize(
    "way", ["close", pytest.param("swallow", marks=pytest.mark.torture)]  # which is noticed after 15 seconds
)  # fmt: skip
def test_a_fling_over_a_cut_line_is_said_and_goes_on(server: Serving, way: str) -> None:
    async def run() -> None:
        async with Line(int(server.url.rsplit(":", 1)[1])) as line, Browser(1280, 800) as page:
            await page.open(f"http://127.0.0.1:{line.port}" + address(STUDY, CT_SERIES))
            await page.until(f"(document.querySelector('{CELL}')?.innerText ?? '').includes('1 / {SLICES}')")
            await page.value(
                "(window.drawn = [], document.addEventListener('voxcast:drawn', ({ detail }) => window.drawn.push("
                f"[detail.shown[0].position, detail.shown[0].halvings, {BADGE}, document.querySelector('{CELL}').innerText])), 1)"
            )
            for step in range(SLICES + 5):
                await page.key("ArrowDown")
                if step == SLICES // 3:
                    getattr(line, way)()
            await page.until(f"{WARNED}.includes('interrupted')")
            drawn = await page.value("window.drawn")
            assert any(halvings != 0 for _, halvings, _, _ in drawn), "all was there before the line was cut"
            for position, halvings, badge, said in drawn:
                assert f"{position + 1} / {SLICES}" in said, "what is said is said of another image"
                # A place without an image says so, and one that is not exact says so.
                assert ("loading" in badge) == (halvings < 0)
                assert ("COARSE" in badge) == (halvings > 0)
            line.mend()
            await page.until(f"{WARNED} === ''")
            page.problems.clear()  # the browser's own words about a line that is gone
            await _exact(page, server, SLICES)
            await page.key("Home")
            await _exact(page, server, 1)
            assert page.problems == []

    asyncio.run(run())


async def _exact(page: Page, server: Serving, number: int) -> None:
    uid = f"{CT_SERIES}.{number}"
    for _ in range(600):
        about, pixels = await read_frame(page)
        if pixels is not None and about["key"] == f"{uid} 1":
            break
        await asyncio.sleep(0.03)
    assert pixels is not None, about
    assert about["key"] == f"{uid} 1"
    answer = server.get(f"/dicom-web/studies/{STUDY}/series/{CT_SERIES}/instances/{uid}/frames/1/rendered", "image/png")
    expected = np.asarray(PIL.Image.open(io.BytesIO(answer.content)).convert("L"), np.int16)
    assert np.abs(pixels[..., 0] - expected).max() <= 1
