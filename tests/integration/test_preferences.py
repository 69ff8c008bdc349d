"""Settings on both screens and the account of a series, in Chromium: by keys alone, kept, heeded, and fit for every size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from accessibility import needs_axe, violations
from browser import Page
from built_page import LISTED, SIZES, browse, choose, fits, needs_page
from pictures import part10
from serving import Serving
from viewing import CT_SERIES, SLICES, STUDY, ct_slice

pytestmark = needs_page
AT = f"/viewer?StudyInstanceUIDs={STUDY}"
READY = "document.querySelector('.voxcast-view .labels')?.innerText.includes('1 / 12')"
KEPT = "localStorage.getItem('voxcast.{}')"
CHANGE = (
    "((e) => {{ e.value = '{1}'; e.dispatchEvent(new Event('change', {{ bubbles: true }})); }})"
    "(document.querySelector('dialog[open] select[name={0}]'))"
)
SHOWN = (
    "[...document.querySelectorAll('.labels p')].filter((e) => e.checkVisibility({ visibilityProperty: true })).length"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        assert running.store(*(part10(ct_slice(n)) for n in range(SLICES))).status_code == 200
        yield running


async def enter(page: Page) -> None:
    await page.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
    )
    await page.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter", windowsVirtualKeyCode=13)


async def escape(page: Page) -> None:
    for kind in ("keyDown", "keyUp"):
        await page.call("Input.dispatchKeyEvent", type=kind, key="Escape", code="Escape", windowsVirtualKeyCode=27)


def test_settings_are_kept_and_heeded(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until("!/loading|COARSE/.test(document.querySelector('.labels').innerText)")
        before = await page.value(SHOWN)
        await page.until("document.querySelector('.toolbar [aria-pressed=true]')?.innerText === 'Window'")
        await page.value("document.querySelector('.preferences-button').focus()")
        await enter(page)
        await page.until("document.querySelector('dialog[open]') !== null")
        await page.value(CHANGE.format("tool", "scroll"))
        await page.value(CHANGE.format("overlay", "few"))
        await page.value(CHANGE.format("contrast", "high"))
        assert await page.value("document.documentElement.classList.contains('high-contrast')")
        await page.value("document.querySelector('dialog[open] input[name=creator]').focus()")
        # Letters mean the field, not the tools below the dialogue.
        await page.type("Blackwell^Elizabeth")
        await page.value("document.querySelector('dialog[open] input[name=linked]').click()")
        await escape(page)
        await page.until("document.querySelector('dialog[open]') === null")
        assert await page.value("document.activeElement.className") == "preferences-button"
        for name, value in (
            ("tool", '"scroll"'), ("overlay", '"few"'), ("creator", '"Blackwell^Elizabeth"'), ("linked", "false"),
        ):  # fmt: skip
            assert await page.value(KEPT.format(name)) == value
        await page.call("Page.reload")
        await page.until("document.querySelector('.voxcast-view .labels')?.innerText.includes('Nightingale')")
        pressed = "[...document.querySelectorAll('.toolbar [aria-pressed=true]')].map((b) => b.innerText).join()"
        await page.until(f"{pressed} === 'Scroll'")
        await page.until(f"{SHOWN} > 0 && {SHOWN} < {before}")
        assert "Nightingale" in await page.value("document.querySelector('.labels').innerText")
        # The same on the list.
        await page.value("document.querySelector('.back').click()")
        await page.until(LISTED)
        await page.click(".preferences-button")
        await page.until("document.querySelector('dialog[open]') !== null")
        assert (
            await page.value("document.querySelector('dialog[open] input[name=creator]').value")
            == "Blackwell^Elizabeth"
        )

    browse(server, steps, AT, ready=READY)


def test_the_account_of_a_series_is_opened_and_left_by_keys(server: Serving) -> None:
    async def steps(page: Page) -> None:
        button = f".passport-button[data-of='{CT_SERIES}']"
        assert await page.value(f'document.querySelector("{button}").ariaLabel') == "About this series: 1  Disk"
        await page.value(f'document.querySelector("{button}").focus()')
        await enter(page)
        await page.until("document.querySelector('dialog[open] dl') !== null")
        said = await page.value("document.querySelector('dialog[open]').innerText")
        for words in ("12 images", "Explicit VR Little Endian", "without loss", "SHA-256", "web (STOW-RS) 127.0.0.1"):
            assert words in said, said
        await escape(page)
        await page.until("document.querySelector('dialog[open]') === null")
        assert await page.value(f'document.activeElement === document.querySelector("{button}")')

    browse(server, steps, AT, ready=READY)


@needs_axe
@SIZES
def test_they_are_accessible_and_fit(server: Serving, size: tuple[int, int]) -> None:
    async def steps(page: Page) -> None:
        for language, contrast in (("en", "calm"), ("ar", "high")):
            await choose(page, READY, language=language, contrast=contrast)
            for opener in (".preferences-button", ".passport-button"):
                await page.value(f"document.querySelector('{opener}').click()")
                await page.until("document.querySelector('dialog[open] dl, dialog[open] select') !== null")
                assert await violations(page) == []
                await fits(page)
                box = await page.value(
                    "(({ left, right, top, bottom }) => [left, right, top, bottom])"
                    "(document.querySelector('dialog[open]').getBoundingClientRect())"
                )
                assert box[0] >= 0
                assert box[1] <= size[0]
                assert box[2] >= 0
                assert box[3] <= size[1]
                await page.value("document.querySelector('dialog[open]').close()")
                await page.until("document.querySelector('dialog[open]') === null")

    browse(server, steps, AT, size, READY)
