"""The built page in a real Chromium against a real server: what each screen shows, by whose words, and what it asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Page
from built_page import DIST, browse, needs_page
from serving import Serving

from engine.cli.phantom import PhantomSeries, generate

pytestmark = needs_page
ONE = PhantomSeries(slices=12, rows=128, columns=128)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*generate(ONE)).status_code == 200
        yield running


def test_an_address_of_a_study_opens_it(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until("document.querySelector('.voxcast-view .labels')?.innerText.includes('PHANTOM, CT')")
        await page.until("document.querySelector('.voxcast-view .labels').innerText.includes('1 / 12')")

    browse(server, steps, f"/viewer?StudyInstanceUIDs={ONE.study_instance_uid}", ready="true")


def test_files_are_named_by_their_content_and_kept_for_ever(server: Serving) -> None:
    page = server.get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    (script,) = [line.split('src="')[1].split('"')[0] for line in page.text.splitlines() if "<script" in line]
    answer = server.get(script)
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.content == (DIST / script.removeprefix("/static/")).read_bytes()
    assert "script-src 'self' 'wasm-unsafe-eval';" in page.headers["Content-Security-Policy"]
