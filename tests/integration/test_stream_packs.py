"""The stream over renditions: the coarse pack first, small pictures of what has no smaller form, and word of what was made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import imagecodecs
import numpy as np
import pytest
from code_streams import slice_values
from serving import Serving
from stream_reader import Reader, converse
from streamed import make_renditions, store_lossy, store_slices, store_values
from wavelet import halved

PACKED, LOSSY, FRESH, NOISY, COUNT = "1.2.80", "1.2.81", "1.2.82", "1.2.83", 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Serving(tmp_path_factory.mktemp("archive"), "--workers", "1") as serving:
        yield serving


async def opened(reader: Reader, study: str, **more: object) -> dict[str, Any]:
    await reader.say(type="hello")
    await reader.say(type="open", series=1, study=study, seriesInstanceUID=f"{study}.1", **more)
    await reader.until(lambda: 1 in reader.tables)
    return reader.tables[1]


def test_the_coarse_pack_of_all_slices_comes_in_runs_before_any_neighbour_gets_more(server: Serving) -> None:
    values = store_slices(server, PACKED, COUNT, 256)
    make_renditions(server, PACKED)

    async def talk(reader: Reader) -> None:
        table = await opened(reader, PACKED)
        assert table["isComplete"]
        await reader.say(type="look", viewport=1, series=1, position=3, quality="coarse")
        await reader.until(lambda: len(reader.frames) == COUNT)
        assert {kind for kind, *_ in reader.records[1:]} == {2}, "runs, but for what is looked at"
        for at, row in enumerate(table["frames"]):
            first, halvings = row[7], len(row) - 8
            assert len(reader.frames[1, at]) == first
            small = imagecodecs.htj2k_decode(bytes(reader.frames[1, at]), skipres=halvings)
            assert np.array_equal(small.view(np.int16), halved(values[at], halvings)), "it may swing below 0"
        coarse = reader.got
        await reader.say(type="look", viewport=1, series=1, position=3)
        await reader.until(lambda: reader.is_whole(1))
        assert reader.got == sum(row[-1] for row in table["frames"]) > 20 * coarse
        for at in range(COUNT):
            assert np.array_equal(imagecodecs.htj2k_decode(bytes(reader.frames[1, at])), values[at])

    converse(server, talk)


@pytest.fixture(scope="module")
def lossy(server: Serving) -> list[bytes]:
    made = store_lossy(server, LOSSY, COUNT)
    make_renditions(server, LOSSY)
    return made


def test_a_frame_without_a_smaller_form_comes_behind_its_small_picture(server: Serving, lossy: list[bytes]) -> None:
    async def talk(reader: Reader) -> None:
        table = await opened(reader, LOSSY, small=True)
        assert all(table["small"])
        await reader.say(type="look", viewport=1, series=1, position=0, quality="coarse")
        await reader.until(lambda: len(reader.frames) == COUNT)
        for at, code in enumerate(lossy):
            small = table["small"][at]
            assert len(reader.frames[1, at]) == small < len(code)
            assert table["frames"][at][7:] == [small, *[small + len(code)] * 3]
            own = imagecodecs.jpeg8_decode(code)
            assert np.array_equal(imagecodecs.htj2k_decode(bytes(reader.frames[1, at])), own[::5, ::5])
        await reader.say(type="look", viewport=1, series=1, position=0)
        await reader.until(lambda: reader.is_whole(1))
        assert [bytes(reader.frames[1, at][table["small"][at] :]) for at in range(COUNT)] == lossy

    converse(server, talk)


def test_who_does_not_ask_for_small_pictures_gets_the_stored_bytes_alone(server: Serving, lossy: list[bytes]) -> None:
    async def talk(reader: Reader) -> None:
        table = await opened(reader, LOSSY)
        assert "small" not in table
        await reader.say(type="look", viewport=1, series=1)
        await reader.until(lambda: reader.is_whole(1))
        assert [bytes(reader.frames[1, at]) for at in range(COUNT)] == lossy

    converse(server, talk)


def test_who_asks_for_approximate_beginnings_gets_them_before_the_frames_own_bytes(server: Serving) -> None:
    """Decoded from docs/stream.md alone; the exact smaller images are those of a wavelet in numpy."""
    rng = np.random.default_rng(5)
    values = [np.clip(rng.normal(1000 + 90 * n, 40, (512, 512)), 0, 4095).astype(np.uint16) for n in range(COUNT)]
    for one in values:
        one[200:330, 100:250] = 4095
        one[330:400, 100:250] = 0
    store_values(server, NOISY, values)
    make_renditions(server, NOISY)

    def shown(reader: Reader, at: int) -> tuple[int, np.ndarray[Any, Any]]:
        """Halvings, and the finest picture that is held of a frame."""
        table = reader.tables[1]
        held, small, ends = bytes(reader.frames[1, at]), table["small"][at], table["frames"][at][7:]
        fit = max(n for n, end in enumerate(ends) if end <= len(held))
        halvings, last = len(ends) - 1 - fit, ends.index(small)
        if ends[fit] > small:
            return halvings, np.asarray(imagecodecs.htj2k_decode(held[small : ends[fit]], skipres=halvings))
        samples = np.asarray(imagecodecs.htj2k_decode(held[: ends[fit]], skipres=last - fit))
        bits, is_signed = table["frames"][at][6], table["cells"][table["frameCells"][at]][4]
        assert (samples.dtype, bits, is_signed) == (np.int16, 12, 0)
        return halvings, np.clip(samples, 0, (1 << bits) - 1)

    async def talk(reader: Reader) -> None:
        table = await opened(reader, NOISY, approximate=True)
        await reader.say(type="look", viewport=1, series=1, position=3, width=128, height=128, quality="fitting")
        await reader.until(lambda: len(reader.frames) == COUNT and all(is_quarter(reader, at) for at in range(COUNT)))
        assert reader.got == sum(table["small"]), "not a byte of the frames' own yet"
        for at in range(COUNT):
            halvings, picture = shown(reader, at)
            exact = np.clip(halved(values[at], 2), 0, 4095)
            assert (halvings, picture.shape) == (2, (128, 128))
            assert np.abs(picture - exact).max() <= 4095 / 16
            assert np.abs(picture - exact).mean() <= 4095 / 100
        await reader.say(type="look", viewport=1, series=1, position=3)
        await reader.until(lambda: reader.is_whole(1))
        for at, one in enumerate(values):
            halvings, picture = shown(reader, at)
            assert halvings == 0
            assert np.array_equal(picture, one)

    def is_quarter(reader: Reader, at: int) -> bool:
        return len(reader.frames[1, at]) >= reader.tables[1]["small"][at]

    async def alone(reader: Reader) -> None:
        table = await opened(reader, NOISY, small=True)
        assert "small" not in table
        await reader.say(type="look", viewport=1, series=1, position=3)
        await reader.until(lambda: reader.is_whole(1))
        for at, one in enumerate(values):
            assert np.array_equal(imagecodecs.htj2k_decode(bytes(reader.frames[1, at])), one)

    converse(server, talk)
    converse(server, alone)


def test_renditions_that_are_made_meanwhile_are_said_to_be_ready(server: Serving) -> None:
    values = [np.roll(slice_values(512, 512) & 0xFFF, 5 * n, 1).astype(np.uint16) for n in range(COUNT)]
    store_values(server, FRESH, values)

    async def talk(reader: Reader) -> None:
        table = await opened(reader, FRESH)
        assert not table["isComplete"]
        assert table["cells"] == [[1, 16, 12, 11, 0, 0]]
        assert table["frameCells"] == [0] * COUNT
        await reader.until(lambda: {"type": "ready", "series": 1} in reader.texts)
        await reader.say(type="open", series=1, study=FRESH, seriesInstanceUID=f"{FRESH}.1", tag=table["tag"], held=[])
        await reader.until(lambda: reader.tables[1]["isComplete"])
        assert reader.tables[1]["levels"] > 1
        await reader.say(type="look", viewport=1, series=1)
        await reader.until(lambda: reader.is_whole(1))
        for at, pixels in enumerate(values):
            assert np.array_equal(imagecodecs.htj2k_decode(bytes(reader.frames[1, at])), pixels)
        assert len([text for text in reader.texts if text["type"] == "ready"]) == 1

    converse(server, talk)
