"""Who waits for renditions: the wish is said until somebody has heard it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from renditions import SERIES, STUDY, Made, ct

from engine.archive.renditions.asking import Asked, Asking
from engine.stream.opened import OpenedSeries
from engine.stream.readiness import Readiness


def test_a_maker_that_begins_behind_the_reader_hears_what_it_waits_for(tmp_path: Path) -> None:
    made = Made.of(tmp_path / "archive", ct(1), ct(2))
    asking = Asking(made.archive.path)
    told = threading.Event()

    async def wait() -> None:
        with ThreadPoolExecutor(1) as pool:
            series = OpenedSeries(made.archive, made.shelf, asking)
            readiness = Readiness(series, pool)
            opened = series.open(STUDY, SERIES)  # no maker is there: nobody hears of it
            assert not opened.is_complete
            readiness.watch("reader", opened, told.set)
            maker = Asked(tmp_path / "archive")
            try:
                async with asyncio.timeout(20):
                    while not (heard := maker.take()):  # noqa: ASYNC110 - a pipe of another process
                        await asyncio.sleep(0.05)
                    assert heard == [(STUDY, SERIES)]
                    made.make()
                    while not told.is_set():  # noqa: ASYNC110 - nothing tells
                        await asyncio.sleep(0.05)
                assert maker.take() == []  # what was heard is not said twice a second
            finally:
                maker.close()
                readiness.close()

    asyncio.run(wait())


def test_a_wish_is_remembered_only_where_it_was_heard(tmp_path: Path) -> None:
    asking = Asking(tmp_path)
    assert not asking.ask(STUDY, SERIES)
    maker = Asked(tmp_path)
    assert asking.ask(STUDY, SERIES)
    assert asking.ask(STUDY, SERIES)
    assert maker.take() == [(STUDY, SERIES)]
    assert asking.ask(STUDY, SERIES)
    assert maker.take() == []
    maker.close()
