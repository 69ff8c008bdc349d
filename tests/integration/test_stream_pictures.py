"""Pictures that the server draws in a session: the greys of the standard's window, and none for a window that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import pytest
from serving import Serving
from stream_reader import Reader, converse
from streamed import store_slices

STUDY, COUNT, SIDE = "1.2.90", 6, 256


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as serving:
        yield serving


@pytest.fixture(scope="module")
def slices(server: Serving) -> list[Any]:
    return store_slices(server, STUDY, COUNT, SIDE, is_signed=True)


def windowed(values: Any, center: float, width: float) -> Any:
    """PS3.3 C.11.2.1.2.1."""
    grey = ((values.astype(float) - (center - 0.5)) / (width - 1) + 0.5) * 255
    return np.clip(grey, 0, 255)


async def opened(reader: Reader) -> None:
    await reader.say(type="hello")
    await reader.say(type="open", series=1, study=STUDY, seriesInstanceUID=f"{STUDY}.1")
    await reader.until(lambda: 1 in reader.tables)


async def look(reader: Reader, position: int, side: int = SIDE, **picture: object) -> None:
    await reader.say(
        type="look", viewport=1, series=1, position=position, width=side, height=side, reach=0, picture=picture
    )


@pytest.mark.parametrize(
    ("media", "decode"),
    [("image/jpeg", imagecodecs.jpeg8_decode), ("image/webp", imagecodecs.webp_decode)],
)
@pytest.mark.parametrize("is_inverted", [False, True])
def test_greys_are_those_of_the_window(
    server: Serving, slices: list[Any], media: str, decode: Any, is_inverted: bool
) -> None:
    async def talk(reader: Reader) -> None:
        await opened(reader)
        for number, (center, width) in enumerate([(40, 400), (-600, 1500.5), (0, 4096)]):
            # a window that is much wider than the picture's own edges, so that coding it costs little
            await look(
                reader, 2, number=number, media=media, quality=100, center=center, width=width, invert=is_inverted
            )
            await reader.until(lambda number=number: bool(reader.pictures) and reader.pictures[-1][2] == number)
            series, position, _, made = reader.pictures[-1]
            assert (series, position) == (1, 2)
            shown = decode(made).astype(float)
            shown = shown[..., 0] if shown.ndim == 3 else shown
            expected = windowed(slices[2], center, width)
            expected = 255 - expected if is_inverted else expected
            assert shown.shape == (SIDE, SIDE)
            assert np.abs(shown - expected).mean() < 2.0
        assert not reader.frames, "no bytes of the frame beside"
        assert reader.got == sum(len(picture[3]) for picture in reader.pictures)

    converse(server, talk)


def test_a_picture_is_as_large_as_the_viewport_and_never_larger_than_the_frame(
    server: Serving, slices: list[Any]
) -> None:
    async def talk(reader: Reader) -> None:
        await opened(reader)
        for number, (side, due) in enumerate([(64, 64), (100, 100), (1000, SIDE)]):
            await look(reader, 0, side, number=number, center=0, width=4096)
            await reader.until(lambda number=number: bool(reader.pictures) and reader.pictures[-1][2] == number)
            assert imagecodecs.jpeg8_decode(reader.pictures[-1][3]).shape == (due, due)

    converse(server, talk)


def test_of_many_windows_in_a_row_the_last_one_is_drawn(server: Serving, slices: list[Any]) -> None:
    async def talk(reader: Reader) -> None:
        await opened(reader)
        for number in range(100):
            await look(reader, 3, number=number, center=number, width=400, quality=100)
        await reader.until(lambda: bool(reader.pictures) and reader.pictures[-1][2] == 99)
        assert len(reader.pictures) < 50
        shown = imagecodecs.jpeg8_decode(reader.pictures[-1][3]).astype(float)
        assert np.abs(shown - windowed(slices[3], 99, 400)).mean() < 2.0
        await reader.say(type="ping", value=1)
        await reader.until(lambda: {"type": "pong", "value": 1} in reader.texts)
        assert reader.pictures[-1][2] == 99, "nothing of an older window behind it"

    converse(server, talk)


def test_scrolling_draws_each_position_once_and_a_viewport_can_go_back_to_frames(
    server: Serving, slices: list[Any]
) -> None:
    async def talk(reader: Reader) -> None:
        await opened(reader)
        for position in (0, 1, 2, 1, 0):
            await look(reader, position, number=7, center=0, width=4096)
            await reader.until(lambda position=position: position in [picture[1] for picture in reader.pictures])
        assert sorted(picture[1] for picture in reader.pictures) == [0, 1, 2]
        await reader.say(type="look", viewport=1, series=1, position=5)
        await reader.until(lambda: reader.is_whole(1))
        assert all(reader.frames[1, at] for at in range(COUNT))
        assert len(reader.pictures) == 3

    converse(server, talk)


@pytest.mark.parametrize(
    "picture", [7, {"media": "image/gif"}, {"quality": 0}, {"center": 40}, {"width": 0, "center": 1}, {"number": -1}]
)
def test_a_picture_that_cannot_be_is_refused(server: Serving, slices: list[Any], picture: object) -> None:
    import aiohttp

    async def talk(reader: Reader) -> None:
        await opened(reader)
        await reader.say(type="look", viewport=1, series=1, picture=picture)
        message = await reader.socket.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)

    converse(server, talk)
