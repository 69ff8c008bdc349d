"""The study list over millions of studies in Chromium: every row is reached by bar, wheel and keys, by few requests.

The searches are answered in the page: what the server does with so many is measured by ``benchmarks.searching``, not tested here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from browser import Page
from built_page import browse, needs_page
from serving import Serving

pytestmark = needs_page
STUDIES = 3_000_000
READY = f"document.querySelector('.status')?.innerText === '{STUDIES:,} studies'"
ROWS = "[...document.querySelectorAll('.study')].map((r) => Number(r.dataset.study.slice(4)))"
# Rows that can be seen between the heads and the foot of the list, and where the first of them begins.
SEEN = """(() => {
  const box = document.querySelector('.scroll').getBoundingClientRect();
  const rows = [...document.querySelectorAll('.study')].map((r) => [Number(r.dataset.study.slice(4)), r.getBoundingClientRect()]);
  return rows.filter(([, r]) => r.bottom > box.top + 1 && r.top < box.bottom - 1).map(([n, r]) => [n, Math.round(r.top - box.top)]);
})()"""
LOADED = "document.querySelectorAll('.window > .line:not(.study)').length === 0 && document.querySelectorAll('.study').length > 5"
# Rows number `offset` and following of a search whose count is known, as the server answers it.
ANSWERS = f"""(() => {{
  const real = window.fetch;
  window.asked = [];
  window.fetch = (input, init) => {{
    const url = new URL(String(input), location.href);
    if (url.pathname !== '/dicom-web/studies' || !url.searchParams.has('limit')) return real(input, init);
    const [offset, limit] = ['offset', 'limit'].map((name) => Number(url.searchParams.get(name)));
    window.asked.push(offset);
    const rows = Array.from({{ length: Math.min(limit, {STUDIES} - offset) }}, (_, n) => ({{
      '0020000D': {{ vr: 'UI', Value: [`1.2.${{offset + n}}`] }},
      '00100010': {{ vr: 'PN', Value: [{{ Alphabetic: `N${{offset + n}}` }}] }},
    }}));
    return Promise.resolve(new Response(JSON.stringify(rows), {{ headers: {{ 'X-Total-Count': '{STUDIES}' }} }}));
  }};
}})()"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        yield running


async def begin(page: Page) -> None:
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=ANSWERS)
    await page.call("Page.reload")
    await page.until(READY)
    await page.until(LOADED)


async def seen(page: Page) -> list[list[int]]:
    """Number and place of each row in view; fails unless they follow one another, one row's height apart, and fill the view."""
    await page.until(LOADED)
    rows = await page.value(SEEN)
    numbers = [number for number, _ in rows]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert {after[1] - before[1] for before, after in pairwise(rows)} == {48}
    assert rows[0][1] <= 1, "there is a gap above the rows"
    return rows  # type: ignore[no-any-return]


def test_keys_reach_the_first_row_the_last_and_those_between(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await begin(page)
        await page.value("document.querySelector('#studies').focus()")
        await page.key("End")
        await page.until(f"document.querySelector('#study-{STUDIES - 1}')?.ariaSelected === 'true'")
        rows = await seen(page)
        assert rows[-1][0] == STUDIES - 1
        assert await page.value(f"document.querySelector('#study-{STUDIES - 1}').ariaRowIndex") == str(STUDIES + 1)
        for _ in range(3):
            await page.key("PageUp")
        moved = int((await page.value("document.querySelector('#studies').getAttribute('aria-activedescendant')"))[6:])
        assert STUDIES - 100 < moved < STUDIES - 10
        assert moved in [number for number, _ in await seen(page)]
        await page.key("Home")
        await page.until("document.querySelector('#study-0')?.ariaSelected === 'true'")
        assert (await seen(page))[0] == [0, 0]
        assert await page.value("window.asked.length") < 12

    browse(server, steps)


def test_the_bar_goes_anywhere_and_the_wheel_goes_on_from_there(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await begin(page)
        last = await page.value(
            "(({ scrollHeight, clientHeight }) => scrollHeight - clientHeight)(document.querySelector('.scroll'))"
        )
        assert last < 17_000_000, "no browser lays that out"
        before = -1
        for part in (0.1, 0.25, 0.5, 0.75, 0.9):
            await page.value(f"document.querySelector('.scroll').scrollTop = {last * part}")
            await page.until(f"({ROWS})[0] > {before + 1000}")
            first = (await seen(page))[0][0]
            assert abs(first / STUDIES - part) < 0.1
            before = first
        # A notch is a hundred pixels wherever one is: no row is passed over.
        await page.value(f"document.querySelector('.scroll').scrollTop = {last // 2}")
        await page.until(f"Math.abs(({ROWS})[0] - {STUDIES // 2}) < 1000")
        number, top = (await seen(page))[0]
        for notch in range(1, 31):
            await page.wheel(".scroll", 1)
            expected = number * 48 - top + 100 * notch
            await page.until(f"(([n, top]) => n * 48 - top)(({SEEN})[0]) === {expected}")
            await seen(page)
        # When the hand rests the bar is put where it belongs, and nothing moves on the screen.
        shown = await seen(page)
        await page.until(f"Math.abs(document.querySelector('.scroll').scrollTop - {last // 2}) < 2000")
        assert await seen(page) == shown
        await page.value("document.querySelector('.scroll').scrollTop = 1e9")
        await page.until(f"({ROWS}).at(-1) === {STUDIES - 1}")
        assert (await seen(page))[-1][0] == STUDIES - 1
        assert await page.value("document.querySelectorAll('.study').length") < 60

    browse(server, steps)
