"""The built page in a real Chromium against a real server: what each screen shows, by whose words, and what it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from browser import Browser, Page, needs_chromium
from serving import Serving

from engine.cli.phantom import PhantomSeries, generate

BUILT = Path(__file__).parents[2] / "engine" / "viewer" / "dist" / "index.html"
needs_page = pytest.mark.skipif(not BUILT.is_file(), reason="the page is not built (make viewer)")
pytestmark = [pytest.mark.peer, needs_chromium, needs_page]

ONE = PhantomSeries(slices=12, rows=128, columns=128)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*generate(ONE)).status_code == 200
        yield running


def browse(
    server: Serving, path: str, steps: Callable[[Page], Awaitable[None]], size: tuple[int, int] = (1280, 800)
) -> None:
    """Run steps on a page; whatever the console or the content policy complains of fails the test."""

    async def run() -> None:
        async with Browser(*size) as page:
            await page.open(server.url + path)
            await steps(page)
            assert page.problems == []
            outside = [url for url in page.requests if not url.startswith((server.url + "/", "data:", "blob:"))]
            assert outside == []

    asyncio.run(run())


def test_an_address_of_a_study_opens_it(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until("document.querySelector('#label-patient')?.innerText.includes('PHANTOM, CT')")
        await page.until("!document.querySelector('#image').hidden")

    browse(server, f"/viewer?StudyInstanceUIDs={ONE.study_instance_uid}", steps)


def test_files_are_named_by_their_content_and_kept_for_ever(server: Serving) -> None:
    page = server.get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    (script,) = [line.split('src="')[1].split('"')[0] for line in page.text.splitlines() if "<script" in line]
    answer = server.get(script)
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.content == (BUILT.parent / script.removeprefix("/static/")).read_bytes()
    assert "script-src 'self' 'wasm-unsafe-eval';" in page.headers["Content-Security-Policy"]
