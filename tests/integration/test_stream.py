"""The stream as docs/stream.md has it, by a client that was written from that page alone."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from data import make_instance
from serving import Serving
from stream_reader import Reader, converse

PAGE = Path(__file__).resolve().parents[2] / "docs" / "stream.md"
STUDY, SERIES, COUNT = "1.2.3", "1.2.3.4", 12


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("stream") / "archive"
    # What is stored is what is expected here, however long these tests take: no pack comes in its place.
    with Serving(path, "--workers", "1", environ={"VOXCAST_RENDITIONS": "off"}) as serving:
        yield serving


@pytest.fixture(scope="module")
def pixels(server: Serving) -> list[bytes]:
    made = []
    for number in range(COUNT):
        own = bytes((number * 17 + k) % 251 for k in range(2 * 64 * 64))
        instance = make_instance(
            f"{SERIES}.{number + 1}", series=SERIES, number=number + 1, z=float(number), rows=64, columns=64, pixels=own
        )
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + instance + b"\r\n--b--\r\n"
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        assert server.session.post(f"{server.url}/dicom-web/studies", body, headers={"Content-Type": kind}).ok
        made.append(own)
    return made


async def opened(reader: Reader, **more: object) -> None:
    await reader.say(type="hello")
    await reader.say(type="open", series=5, study=STUDY, seriesInstanceUID=SERIES, **more)


def test_a_resting_viewport_gets_the_whole_series_as_stored(server: Serving, pixels: list[bytes]) -> None:
    async def talk(reader: Reader) -> None:
        await opened(reader)
        await reader.say(type="look", viewport=1, series=5, position=7)
        await reader.until(lambda: reader.is_whole(5))
        assert reader.texts[0]["type"] == "welcome"
        assert reader.order[0] == 7
        assert [bytes(reader.frames[5, at]) for at in range(COUNT)] == pixels
        table = reader.tables[5]
        assert [table["instances"][row[0]] for row in table["frames"]] == [f"{SERIES}.{n + 1}" for n in range(COUNT)]

    converse(server, talk)


def test_the_conversation_of_the_page_is_had_word_by_word(server: Serving, pixels: list[bytes]) -> None:
    said = re.findall(r"^(client|server)  (.+)$", PAGE.read_text(), re.MULTILINE)
    assert len(said) > 6

    async def talk(reader: Reader) -> None:
        for who, word in said:
            if who == "client":
                told = json.loads(word)
                if told["type"] == "got":
                    await reader.until(lambda most=told["bytes"]: reader.got >= most)
                await reader.socket.send_str(word)
            elif word.startswith("{"):
                await reader.until(lambda: bool(reader.texts))
                assert reader.texts.pop(0) == json.loads(word)
        assert reader.tables.keys() == {1}
        await reader.say(type="ping", value=1)  # it goes on: nothing of the page was refused
        await reader.until(lambda: bool(reader.texts))

    converse(server, talk)


def test_a_session_that_comes_back_gets_only_what_it_lacks(server: Serving, pixels: list[bytes]) -> None:
    async def talk(reader: Reader) -> None:
        await opened(reader)
        await reader.until(lambda: 5 in reader.tables)
        tag = reader.tables[5]["tag"]
        await reader.say(
            type="open", series=6, study=STUDY, seriesInstanceUID=SERIES, tag=tag, held=[[0, 8192], [3, 100]]
        )
        await reader.until(lambda: 6 in reader.tables)
        assert reader.resumed == {5: False, 6: True}
        reader.frames[6, 0], reader.frames[6, 3] = bytearray(pixels[0]), bytearray(pixels[3][:100])
        await reader.say(type="look", viewport=1, series=6, position=0)
        await reader.until(lambda: reader.is_whole(6))
        assert reader.got == COUNT * 8192 - 8192 - 100
        assert bytes(reader.frames[6, 3]) == pixels[3]

    converse(server, talk)


def test_a_client_that_says_nothing_of_what_it_got_gets_no_more_than_a_window(
    server: Serving, pixels: list[bytes]
) -> None:
    async def talk(reader: Reader) -> None:
        await opened(reader)
        await reader.say(type="look", viewport=1, series=5, position=0)
        heard = []
        try:
            while True:
                message = await reader.socket.receive(timeout=1)
                heard += [len(message.data)] if message.type is aiohttp.WSMsgType.BINARY else []
        except TimeoutError:
            pass
        assert 8192 < sum(heard) < 64 * 1024
        assert max(heard) < sum(heard) / 3, "or the line would be idle for a round trip after each message"

    converse(server, talk)


@pytest.mark.parametrize(
    "word", ["no json", "[]", '{"type":"fly"}', '{"type":"hello","memory":-1}', '{"type":"look","series":5}']
)
def test_a_word_that_is_none_ends_the_session_with_its_reason(server: Serving, word: str) -> None:
    async def talk(reader: Reader) -> None:
        await reader.socket.send_str(word)
        message = await reader.socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == 1008

    converse(server, talk)


def test_errors_name_the_series_and_the_session_goes_on(server: Serving, pixels: list[bytes]) -> None:
    async def talk(reader: Reader) -> None:
        await reader.say(type="hello")
        await reader.say(type="open", series=1, study=STUDY, seriesInstanceUID="9.9.9")
        await reader.until(lambda: len(reader.texts) == 2)
        assert (reader.texts[1]["error"], reader.texts[1]["series"]) == ("SeriesNotFound", 1)
        await reader.say(type="ping", value=3)
        await reader.until(lambda: reader.texts[-1] == {"type": "pong", "value": 3})

    converse(server, talk)


def test_pages_of_other_origins_and_plain_requests_are_refused(server: Serving) -> None:
    assert server.session.get(f"{server.url}/stream").status_code == 426
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        converse(server, lambda reader: asyncio.sleep(0), headers={"Origin": "https://elsewhere.example"})
    assert caught.value.status == 403


def store(server: Serving, study: str, count: int) -> None:
    for number in range(count):
        instance = make_instance(
            f"{study}.1.{number + 1}",
            study=study,
            series=f"{study}.1",
            number=number + 1,
            z=float(number),
            rows=64,
            columns=64,
        )
        body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + instance + b"\r\n--b--\r\n"
        kind = 'multipart/related; type="application/dicom"; boundary=b'
        assert server.session.post(f"{server.url}/dicom-web/studies", body, headers={"Content-Type": kind}).ok


def test_a_series_that_is_deleted_while_it_is_looked_at_ends_in_words_not_in_silence(
    server: Serving, pixels: list[bytes]
) -> None:
    store(server, "1.2.4", COUNT)

    async def talk(reader: Reader) -> None:
        await reader.say(type="hello")
        await reader.say(type="open", series=1, study="1.2.4", seriesInstanceUID="1.2.4.1")
        await reader.say(type="look", viewport=1, series=1, position=0, reach=0)
        await reader.until(lambda: (1, 0) in reader.frames and len(reader.frames[1, 0]) == 8192)
        gone = await asyncio.to_thread(server.session.delete, f"{server.url}/api/studies/1.2.4/series/1.2.4.1")
        assert gone.json()["deleted"] == COUNT
        await reader.say(type="look", viewport=1, series=1, position=COUNT - 1)

        def lost() -> set[int]:
            return {text["position"] for text in reader.texts if text.get("error") == "InstanceNotFound"}

        await reader.until(lambda: lost() == set(range(1, COUNT)))
        await reader.say(type="open", series=2, study="1.2.4", seriesInstanceUID="1.2.4.1")
        await reader.until(lambda: any(text.get("error") == "SeriesNotFound" for text in reader.texts))
        await opened_anew(reader)

    async def opened_anew(reader: Reader) -> None:
        """The session goes on with other series."""
        await reader.say(type="open", series=3, study=STUDY, seriesInstanceUID=SERIES)
        await reader.say(type="look", viewport=1, series=3, position=4, reach=0)
        await reader.until(lambda: len(reader.frames.get((3, 4), b"")) == 8192)

    converse(server, talk)


def test_the_bytes_that_the_server_counts_are_those_that_come(server: Serving, pixels: list[bytes]) -> None:
    def counted() -> int:
        text = server.session.get(f"{server.url}/metrics").text
        return int(text.partition("\nvoxcast_stream_bytes_total ")[2].split()[0])

    before = counted()

    async def talk(reader: Reader) -> None:
        await opened(reader)
        await reader.say(type="look", viewport=1, series=5, position=7)
        await reader.until(lambda: reader.is_whole(5))
        assert await asyncio.to_thread(counted) - before == reader.message_bytes > reader.got

    converse(server, talk)
