"""The Python client against a real server: what it yields, resumes and costs, and how it fails (docs/python-client.md)."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import imagecodecs
import numpy as np
import pytest
from cutting import Link
from serving import Serving
from streamed import make_renditions, store_lossy, store_slices
from wavelet import halved

from voxcast.client import ClosedError, ConnectionLost, Frame, ProtocolError, SeriesError, Session, connect

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python-client.md"
PACKED, STORED, LONG, LOSSY, FRESH, SIDE = "1.2.70", "1.2.71", "1.2.72", "1.2.74", "1.2.75", 256


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as serving:
        yield serving


@pytest.fixture(scope="module")
def packed(server: Serving) -> list[Any]:
    made = store_slices(server, PACKED, 10, SIDE, is_signed=True)
    make_renditions(server, PACKED)
    return made


@pytest.fixture(scope="module")
def long(server: Serving) -> list[Any]:
    made = store_slices(server, LONG, 60, SIDE)
    make_renditions(server, LONG)
    return made


def run(server: Serving, talk: Callable[[Session], Awaitable[None]], **options: Any) -> None:
    async def within() -> None:
        async with asyncio.timeout(60), connect(f"{server.url}/stream", **options) as session:
            await talk(session)

    asyncio.run(within())


def shows(frame: Frame, stored: Any, low: int, high: int) -> None:
    """It is the image halved; nearly so where it says that it is approximate."""
    exact = np.clip(halved(stored, frame.halvings), low, high)
    if frame.is_approximate:
        assert frame.halvings > 0
        assert (frame.values.dtype, frame.values.shape) == (stored.dtype, exact.shape)
        # At edges of 4 000 another wavelet shows other values; elsewhere the same. In a picture of 16 × 16 much is near an edge,
        # in one of 8 × 8 all.
        part = next(part for side, part in ((32, 50), (8, 20), (0, 10)) if min(exact.shape) > side)
        assert np.median(np.abs(frame.values.astype(int) - exact)) < (high - low) / part
    else:
        assert np.array_equal(frame.values, exact)


def test_frames_refine_to_what_was_stored_and_each_step_is_the_image_halved(server: Serving, packed: list[Any]) -> None:
    seen: dict[int, list[int]] = {}
    near: list[int] = []

    async def talk(session: Session) -> None:
        series = session.open(PACKED, f"{PACKED}.1")
        session.viewport().look(series, 4)
        async for frame in series.frames():
            seen.setdefault(frame.position, []).append(frame.halvings)
            shows(frame, packed[frame.position], -2048, 2047)
            near.extend([frame.halvings] * frame.is_approximate)
            assert frame.values.dtype == np.int16
            assert frame.entry.sop_instance_uid == f"{PACKED}.1.{frame.position + 1}"
        assert series.is_whole
        assert series.repeated_bytes == 0

    run(server, talk)
    assert next(iter(seen)) == 4
    assert sorted(seen) == list(range(10))
    for steps in seen.values():
        assert steps == sorted(set(steps), reverse=True)
        assert steps[-1] == 0
    assert max(map(len, seen.values())) > 1, "something came coarse before it came fine"
    assert near
    assert min(near) > 0, "never the whole frame"


def test_native_frames_come_as_values_with_their_sign(server: Serving) -> None:
    made = store_slices(server, STORED, 3, 32, is_signed=True)

    async def talk(session: Session) -> None:
        series = session.open(STORED, f"{STORED}.1")
        session.viewport().look(series)
        found = {frame.position: frame.values async for frame in series.frames()}
        assert all(np.array_equal(found[at], values) for at, values in enumerate(made))

    run(server, talk)


def test_a_link_cut_in_the_middle_of_a_fling_costs_nothing_twice(server: Serving, long: list[Any]) -> None:
    address = urlsplit(server.url)
    held: list[int] = []

    async def within() -> None:
        series: Any = None
        async with (
            asyncio.timeout(90),
            Link(
                address.hostname or "",
                address.port or 0,
                begun=lambda: held.append(0 if series is None else series.byte_count),
            ) as link,
            connect(link.url) as session,
        ):
            series = session.open(LONG, f"{LONG}.1")
            table = await series.table()
            whole = sum(entry.size for entry in table.frames)
            told = link.carried[0]
            link.cut_after = told + whole // 3  # inside a record, most likely inside a WebSocket frame
            viewport = session.viewport()

            async def fling() -> None:
                for position in range(0, 60, 2):
                    viewport.look(series, position, width=256, height=256, velocity=120.0)
                    await asyncio.sleep(1 / 60)
                viewport.look(series, 59, width=256, height=256)

            flinging = asyncio.create_task(fling())
            exact = {}
            async for frame in series.frames():
                if frame.is_exact:
                    exact[frame.position] = frame.values
                else:
                    shows(frame, long[frame.position], 0, 4095)
            await flinging
            assert session.connections == 2
            assert series.repeated_bytes == 0
            assert all(np.array_equal(exact[at], values) for at, values in enumerate(long))
            # What the second connection carried is what was missing, with the heads of records and one table.
            assert 0 < held[1] < whole
            missing = whole - held[1]
            assert missing <= link.carried[1] < missing * 1.03 + told + 24 * 60 * len(table.frames)

    asyncio.run(within())


def test_what_has_no_smaller_form_comes_behind_a_small_picture(server: Serving) -> None:
    codes = store_lossy(server, LOSSY, 6)
    make_renditions(server, LOSSY)
    steps: dict[int, list[int]] = {}

    async def talk(session: Session) -> None:
        series = session.open(LOSSY, f"{LOSSY}.1")
        viewport = session.viewport()
        viewport.look(series, quality="coarse")
        async for frame in series.frames(until_exact=False):
            steps.setdefault(frame.position, []).append(frame.halvings)
            own = imagecodecs.jpeg8_decode(codes[frame.position])
            assert np.array_equal(frame.values, own if frame.is_exact else own[::5, ::5])
            if len(steps) == 6:
                viewport.look(series)
            if sum(0 in one for one in steps.values()) == 6:
                break
        assert series.is_whole

    run(server, talk)
    assert all(one == [3, 0] for one in steps.values())


def test_renditions_that_are_made_meanwhile_are_used(server: Serving) -> None:
    made = store_slices(server, FRESH, 6, 512)

    async def talk(session: Session) -> None:
        series = session.open(FRESH, f"{FRESH}.1")
        assert not (await series.table()).is_complete
        async with asyncio.timeout(40):
            while not (await series.table()).is_complete:  # noqa: ASYNC110 - the client tells of frames, not of tables
                await asyncio.sleep(0.05)
        session.viewport().look(series, 1)
        found = {frame.position: frame async for frame in series.frames()}
        assert {frame.entry.transfer_syntax_uid for frame in found.values()} == {"1.2.840.10008.1.2.4.202"}
        assert all(np.array_equal(found[at].values, values) for at, values in enumerate(made))

    run(server, talk)


def test_pictures_drawn_by_the_server(server: Serving, packed: list[Any]) -> None:
    async def talk(session: Session) -> None:
        series = session.open(PACKED, f"{PACKED}.1")
        viewport, seen = session.viewport(), []
        viewport.look(series, 3, width=64, height=64, reach=0, picture={"number": 5, "center": 0, "width": 4096})
        async for picture in series.pictures():
            seen.append((picture.position, picture.number, imagecodecs.jpeg8_decode(picture.data).shape))
            if len(seen) == 1:
                viewport.look(series, 4, width=32, height=32, reach=0, picture={"number": 6, "media": "image/jpeg"})
            else:
                series.close()
        assert seen == [(3, 5, (64, 64)), (4, 6, (32, 32))]

    run(server, talk)


def test_two_viewports_share_and_a_closed_one_gets_nothing(server: Serving, packed: list[Any], long: list[Any]) -> None:
    async def talk(session: Session) -> None:
        one, other = session.open(PACKED, f"{PACKED}.1"), session.open(LONG, f"{LONG}.1")
        left, right = session.viewport(), session.viewport()
        left.look(one, 2, reach=0)
        right.look(other, 30, reach=1)
        left_frames = {frame.position async for frame in one.frames([2])}
        right_frames = {frame.position async for frame in other.frames([29, 30, 31])}
        assert (left_frames, right_frames) == ({2}, {29, 30, 31})
        right.close()
        other.close()
        assert session.byte_count == one.byte_count > 0
        with pytest.raises(ClosedError):
            right.look(other, 3)

    run(server, talk)


def test_a_memory_that_is_too_small_is_kept(server: Serving) -> None:
    """Twice as much noise as there is room for: the nearest frames are whole, and no moment has more than the room."""
    random, study, room = np.random.default_rng(1), "1.2.73", 1 << 20
    from pictures import image, part10

    for number in range(16):
        ds = image(random.integers(0, 4096, (SIDE, SIDE), dtype=np.uint16), "CT", BitsStored=12)
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = study, f"{study}.1", number + 1
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number + 1}"
        assert server.store(part10(ds)).status_code == 200

    async def talk(session: Session) -> None:
        series = session.open(study, f"{study}.1")
        viewport = session.viewport()
        most = 0
        for position in (0, 15, 7):
            viewport.look(series, position)
            async for frame in series.frames([position]):
                most = max(most, session.byte_count)
                assert frame.position == position
        assert room / 4 < most <= room  # more than one frame of 128 KiB, which is what each look waits for
        assert series.halvings(7) == 0

    run(server, talk, memory=room)


def test_errors_are_told_and_nobody_waits_for_what_will_not_come(server: Serving, packed: list[Any]) -> None:
    async def talk(session: Session) -> None:
        gone = session.open("9.9", "9.9.9")
        with pytest.raises(SeriesError) as caught:
            await gone.table()
        assert caught.value.error == "SeriesNotFound"
        series = session.open(PACKED, f"{PACKED}.1")
        session.viewport().look(series, width=0)  # no such size: the server ends the session
        with pytest.raises(ProtocolError, match="width"):
            async for _ in series.frames():
                pass
        with pytest.raises(ProtocolError):
            session.open(PACKED, f"{PACKED}.1")

    run(server, talk)


def test_a_server_that_is_not_there_is_given_up() -> None:
    async def within() -> None:
        async with connect("http://127.0.0.1:9/stream", give_up_s=0.2) as session:
            with pytest.raises(ConnectionLost):
                await session.open("1.2", "1.2.3").table()

    asyncio.run(within())


def test_iterators_end_when_their_series_or_session_does(server: Serving, packed: list[Any]) -> None:
    async def talk(session: Session) -> None:
        series = session.open(PACKED, f"{PACKED}.1")

        async def all_of_it() -> list[int]:
            return [frame.position async for frame in series.frames(until_exact=False)]

        reading = asyncio.create_task(all_of_it())
        await series.table()
        await asyncio.sleep(0)
        series.close()
        assert await reading == []

    run(server, talk)


def test_the_example_of_the_page_runs(server: Serving, packed: list[Any], tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf_8"), re.S)
    (tmp_path / "example.py").write_text(example)
    command = [sys.executable, "example.py", f"{server.url}/stream", PACKED, f"{PACKED}.1"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert lines[0].startswith("7 ")
    assert sum("exact" in line for line in lines) == 10


def test_it_loads_nothing_of_the_server() -> None:
    script = (
        "import sys, voxcast.client; sys.exit(any(name.split('.')[0] in ('engine', 'pydicom') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
