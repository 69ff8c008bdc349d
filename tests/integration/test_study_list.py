"""The study list in a real Chromium against a real server: finding, sorting, opening, importing, by mouse and by keyboard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import numpy as np
import pytest
from accessibility import needs_axe, violations
from browser import Page
from built_page import LISTED, SIZES, browse, choose, fits, needs_page, status
from pictures import image, part10
from serving import Serving

pytestmark = needs_page

HOSTILE = '<img src=x onerror="document.title=1">^EVIL'
MANY = 150  # more than two pages
ROWS = "[...document.querySelectorAll('.study')].map((r) => r.dataset.study)"
FOCUS = "document.activeElement.id || document.activeElement.name || document.activeElement.tagName"


def one(uid: str, name: str, **tags: object) -> bytes:
    """A study of one small image."""
    ds = image(np.zeros((4, 4), np.uint16), str(tags.pop("Modality", "OT")))
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid, f"{uid}.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{uid}.1.1"
    ds.PatientName = name
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return part10(ds)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive")) as running:
        crowd = [
            one(f"1.2.5.{n}", f"Crowd^N{n:03}", StudyDate=f"2001{n // 28 + 1:02}{n % 28 + 1:02}") for n in range(MANY)
        ]
        special = [
            one("1.2.6.1", "Doe^Jane", PatientID="J1", StudyDate="20240105", Modality="CT", StudyDescription="Chest"),
            one("1.2.6.2", "Doe^John", PatientID="J2", StudyDate="20240103", Modality="MR", AccessionNumber="ACC77"),
            one("1.2.6.3", HOSTILE, StudyDate="20240102", Modality="US", StudyDescription=HOSTILE),
            one(
                "1.2.6.4",
                "Rex^",
                StudyDate="20240101",
                Modality="DX",
                PatientSpeciesDescription="Canine species",
                PatientBreedDescription="Beagle",
                ResponsiblePerson="Keeper^Karl",
            ),
        ]
        assert running.store(*crowd, *special).status_code == 200
        yield running


async def type_words(page: Page, words: str) -> None:
    await page.value("(document.querySelector('[name=q]').select(), true)")
    if words:
        await page.type(words)
    else:
        await page.key("Escape")


def test_words_are_searched_for_as_they_are_typed(server: Serving) -> None:
    async def steps(page: Page) -> None:
        assert await page.value(status(f"{MANY + 4} studies"))
        for words, uids in (
            ("doe", ["1.2.6.1", "1.2.6.2"]),
            ("doe jan", ["1.2.6.1"]),
            ("j2", ["1.2.6.2"]),
            ("acc77", ["1.2.6.2"]),
            ("chest", ["1.2.6.1"]),
            ("karl", ["1.2.6.4"]),
            ("beag", ["1.2.6.4"]),
        ):
            await type_words(page, words)
            await page.until(f"new URLSearchParams(location.search).get('q') === '{words}'")
            await page.until(f"JSON.stringify({ROWS}) === '{json.dumps(uids, separators=(',', ':'))}'")
        await type_words(page, "nobody")
        await page.until(status("No study matches"))
        await page.value("[...document.querySelectorAll('.status button')][0].click()")
        await page.until(status(f"{MANY + 4} studies"))
        assert await page.value("location.search") == ""

    browse(server, steps)


def test_a_name_is_text_and_never_markup(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await type_words(page, "<img")
        await page.until(status("1 study"))
        # In a name, "=" stands between its alphabetic and its ideographic form (PS3.5 6.2.1).
        assert await page.value("document.querySelector('.study .name').innerText.includes('<img src (x onerror)')")
        assert await page.value("document.querySelector('.study .description').innerText") == HOSTILE
        assert await page.value("document.querySelector('.grid img') === null")
        assert await page.value("document.title") == "voxcast"

    browse(server, steps)


def test_modalities_species_and_periods_narrow_the_list(server: Serving) -> None:
    async def steps(page: Page) -> None:
        chip = "[...document.querySelectorAll('.chip')].find((c) => c.innerText === '{}').click()"
        await page.value(chip.format("MR"))
        await page.until(f"JSON.stringify({ROWS}) === '[\"1.2.6.2\"]'")
        await page.value(chip.format("US"))
        await page.until(status("2 studies"))
        assert await page.value("new URLSearchParams(location.search).get('modality')") == "MR,US"
        await page.value(chip.format("MR"))
        await page.until(f"JSON.stringify({ROWS}) === '[\"1.2.6.3\"]'")
        await page.value(chip.format("US"))
        await page.until(status(f"{MANY + 4} studies"))
        choose = (
            "((s) => {{ s.value = '{1}'; s.dispatchEvent(new Event('change', {{ bubbles: true }})); }})"
            "(document.querySelector('select[name={0}]'))"
        )
        await page.value(choose.format("species", "Canine species"))
        await page.until(f"JSON.stringify({ROWS}) === '[\"1.2.6.4\"]'")
        await page.value(choose.format("species", ""))
        await page.value(choose.format("period", "today"))
        await page.until(status("No study matches"))
        await page.value(choose.format("period", "between"))
        for field, day in (("from", "2024-01-02"), ("to", "2024-01-03")):
            await page.value(
                f"((s) => {{ s.value = '{day}'; s.dispatchEvent(new Event('input', {{ bubbles: true }})); }})"
                f"(document.querySelector('input[name={field}]'))"
            )
        await page.until(status("2 studies"))

    browse(server, steps)


def test_every_row_is_reached_in_the_order_that_was_asked_for(server: Serving) -> None:
    async def steps(page: Page) -> None:
        assert (await page.value(ROWS))[:4] == ["1.2.6.1", "1.2.6.2", "1.2.6.3", "1.2.6.4"]  # the newest first
        # Only what is in view has been made, and asked for.
        assert await page.value("document.querySelectorAll('.study').length") < 60
        assert sum("/dicom-web/studies?" in url for url in page.requests) == 1
        await page.value("document.querySelector('.scroll').scrollTop = 1e9")
        await page.until(f"{ROWS}.at(-1) === '1.2.5.0'")  # the oldest
        await page.value("document.querySelector('[role=columnheader].name button').click()")
        await page.until(f"{ROWS}[0] === '1.2.6.3'")  # "<" comes before the letters
        assert await page.value("document.querySelector('[role=columnheader].name').ariaSort") == "ascending"
        seen: set[str] = set()
        for top in range(0, (MANY + 4) * 48, 600):
            await page.value(f"document.querySelector('.scroll').scrollTop = {top}")
            await page.until(
                "document.querySelector('.window').children.length > 0"
                " && document.querySelectorAll('.window > .line:not(.study)').length === 0"
            )
            await asyncio.sleep(0.05)
            seen |= set(await page.value(ROWS))
        assert len(seen) == MANY + 4
        await page.value("document.querySelector('[role=columnheader].name button').click()")
        await page.until(f"{ROWS}[0] === '1.2.6.4'")

    browse(server, steps)


def test_a_study_is_found_and_opened_by_keys_alone_and_is_remembered(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until("document.querySelector('.study[aria-selected]') !== null")
        await page.key("ArrowDown")  # the list, where nothing has been chosen yet
        assert await page.value(FOCUS) == "studies"
        await page.call("Input.dispatchKeyEvent", type="keyDown", key="/", code="Slash", text="/")
        assert await page.value(FOCUS) == "q"
        await page.type("doe")
        await page.until(status("2 studies"))
        await page.key("ArrowDown")
        assert await page.value(FOCUS) == "studies"
        active = (
            "document.querySelector('#' + document.querySelector('#studies').getAttribute('aria-activedescendant'))"
        )
        await page.until(f"{active}?.dataset.study === '1.2.6.1'")
        await page.key("ArrowDown")
        await page.until(f"{active}?.dataset.study === '1.2.6.2'")
        assert await page.value(f"{active}.ariaSelected") == "true"
        await page.key("Home")
        await page.until(f"{active}?.dataset.study === '1.2.6.1'")
        await page.key("ArrowUp")
        await page.until(f"({FOCUS}) === 'q'")
        await page.key("ArrowDown")
        await page.call(
            "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
        )
        await page.until("location.pathname === '/viewer'")
        assert await page.value("new URLSearchParams(location.search).get('StudyInstanceUIDs')") == "1.2.6.1"
        await page.value("history.back()")
        await page.until(f"location.pathname === '/' && {status('2 studies')}")  # as it was left
        await page.value("document.querySelector('.recent button').click()")
        await page.until("document.querySelector('#recent a')?.innerText.includes('Doe, Jane')")
        # What is kept in the browser names no patient.
        assert not await page.value("JSON.stringify({ ...localStorage }).includes('Jane')")

    browse(server, steps)


def test_the_address_carries_the_search(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.until(f'JSON.stringify({ROWS}) === \'["1.2.6.2","1.2.6.1"]\'')
        assert await page.value("document.querySelector('[name=q]').value") == "doe"
        assert await page.value("document.querySelector('.chip[aria-pressed=true]') === null")

    browse(server, steps, "/?q=doe&sort=date")


def test_a_server_that_does_not_answer_is_said_and_asked_again(server: Serving) -> None:
    async def steps(page: Page) -> None:
        await page.value(
            "(window.real = window.fetch, window.fetch = () => Promise.reject(new TypeError('no network')))"
        )
        await type_words(page, "doe")
        await page.until(
            "document.querySelector('.bar [role=alert]')?.innerText.includes('The server does not answer')"
        )
        await page.value("(window.fetch = window.real, document.querySelector('.bar [role=alert] button').click())")
        await page.until(status("2 studies"))

    browse(server, steps)


@needs_axe
@SIZES
def test_it_is_accessible_and_fits_at_every_size_in_both_directions(server: Serving, size: tuple[int, int]) -> None:
    async def steps(page: Page) -> None:
        for language, contrast in (("en", "calm"), ("ar", "high")):
            await choose(page, LISTED, language=language, contrast=contrast)
            said = await page.value("[document.documentElement.lang, document.documentElement.dir]")
            assert said == [language, "rtl" if language == "ar" else "ltr"]
            assert await violations(page) == []
            await fits(page)

    browse(server, steps, size=size)
