"""The short ways of frames and pictures give what the long way gives, and are left whenever something is out of the ordinary."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import BadFrame
from engine.limits import Limits
from engine.web import door, passport, quick_frame
from engine.web.door import Door
from engine.web.errors import STATUS
from tests.archives import incoming
from tests.data import make_instance
from tests.in_process import InProcess

RENDERED = "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{sop}/frames/{frame}/rendered?window=100,200,linear"
FRAME = "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/{sop}/frames/{frame}"
ACCEPT = "multipart/related; type=application/octet-stream; transfer-syntax=*"
_VARY = ("x-request-id", "server-timing", "date")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    with InProcess(tmp_path / "a") as running:
        running.archive.store(
            [incoming(make_instance(f"1.2.3.4.{n}", number=n, frames=3)) for n in (1, 2, 3)],
        )
        yield running


class Client:
    """One connection that speaks HTTP/1.1 by hand: what goes out in one packet is the test's choice."""

    def __init__(self, server: InProcess) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = server
        self._host = f"127.0.0.1:{server.port}"
        self._left = b""

    def head(self, path: str, method: str = "GET", **headers: str) -> bytes:
        lines = {"Host": self._host, "Accept": ACCEPT, "Sec-Fetch-Mode": "cors"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return (f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n").encode()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        while b"\r\n\r\n" not in self._left:
            self._left += self._more()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin_1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0")) if has_body else 0
        while len(self._left) < length:
            self._left += self._more()
        body, self._left = self._left[:length], self._left[length:]
        return int(status.split()[1]), headers, body

    def get(self, sop: str = "1.2.3.4.1", frame: int = 1, **headers: str) -> tuple[int, dict[str, str], bytes]:
        self.send(self.head(FRAME.format(sop=sop, frame=frame), **headers))
        answer = self.answer()
        # The answer may be here before the server's task is back at its post; real clients are slower than that.
        _wait(lambda: all(one._is_idle() for one in self._server.doors()))
        self._server.call(lambda: None)  # and before it is counted
        return answer

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        assert data, "the server has closed the connection"
        return data

    def doors(self) -> list[Door]:
        return self._server.doors()

    def ended(self) -> bool:
        return not self._socket.recv(1)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def client(server: InProcess) -> Iterator[Client]:
    connected = Client(server)
    yield connected
    connected.close()


def _quick(server: InProcess) -> int:
    return sum(one.quick_count for one in server.doors()) + server.lending().answered


def _same(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _VARY}


def test_both_ways_give_the_same(server: InProcess, client: Client) -> None:
    long = {}
    for frame in (1, 2, 3):
        other = Client(server)
        long[frame] = other.get(frame=frame)
        other.close()
    assert _quick(server) == 0
    client.get(frame=3)
    for frame in (1, 2, 3):
        status, headers, body = client.get(frame=frame)
        assert (status, _same(headers), body) == (200, _same(long[frame][1]), long[frame][2])
        assert set(headers) >= set(_VARY)
    assert _quick(server) == 3


def test_what_the_socket_does_not_take_at_once_follows(tmp_path: Path) -> None:
    pixels = bytes(range(256)) * 3072  # 768 KiB: more than a socket holds while nobody reads
    with InProcess(tmp_path / "a") as server:
        server.archive.store([incoming(make_instance("1.2.3.4.1", rows=768, columns=512, pixels=pixels))])
        client = Client(server)
        for _ in range(3):
            client.get()
        [door] = server.doors()
        assert door.transport is not None
        door.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.send(client.head(FRAME.format(sop="1.2.3.4.1", frame=1)))
        _wait(lambda: door.transport is not None and door.transport.get_write_buffer_size() > 0)
        status, _, body = client.answer()
        assert status == 200
        assert pixels in body
        _wait(lambda: all(one._is_idle() for one in server.doors()))
        assert client.get()[2] == body
        assert _quick(server) == 4
        client.close()


def test_one_get_and_one_read(server: InProcess, client: Client) -> None:
    client.get()
    gets, reads = server.archive.gets, server.archive.reads
    client.get("1.2.3.4.2")
    assert (server.archive.gets - gets, server.archive.reads - reads) == (1, 1)
    assert _quick(server) == 1


def test_requests_are_counted(server: InProcess, client: Client) -> None:
    for frame in (1, 2, 3):
        client.get(frame=frame)
    client.send(client.head("/healthz"))
    client.answer()  # an answer is counted when it has been written: by now all three are
    assert 'voxcast_requests_total{kind="frame",code="2xx"} 3' in server.services.metrics.text()


@pytest.mark.parametrize(
    ("sop", "frame", "status"),
    [("1.2.3.4.9", 1, 404), ("1.2.3.4.1", 4, 404), ("1.2.3.4.1", 999999999, 404)],
)
def test_what_is_not_there_is_an_error_with_its_name(
    server: InProcess, client: Client, sop: str, frame: int, status: int
) -> None:
    client.get()
    found, headers, body = client.get(sop, frame)
    assert (found, headers["content-type"]) == (status, "application/problem+json")
    assert b'"detail"' in body
    assert client.get()[0] == 200


def test_an_instance_of_another_series_is_not_given(server: InProcess, client: Client) -> None:
    client.get()
    client.send(client.head(FRAME.format(sop="1.2.3.4.1", frame=1).replace("series/1.2.3.4", "series/1.2.3.5")))
    assert client.answer()[0] == 404


def test_deleted_is_gone_at_once(server: InProcess, client: Client) -> None:
    client.get("1.2.3.4.2")
    assert client.get("1.2.3.4.2")[0] == 200
    server.archive.delete(sop_uid="1.2.3.4.2")
    assert client.get("1.2.3.4.2")[0] == 404


def test_replaced_is_new_at_once(server: InProcess, client: Client) -> None:
    client.get()
    before = client.get()
    server.archive.store([incoming(make_instance("1.2.3.4.1", frames=3, number=7), received_ns=2)])
    after = client.get()
    assert after[2] != before[2]
    assert after[1]["etag"] != before[1]["etag"]
    assert _quick(server) == 2


def test_the_passport_is_for_the_same_headers_only(server: InProcess, client: Client) -> None:
    client.get()
    assert client.get(Accept="text/html")[0] == 406
    status, headers, body = client.get(Accept="application/octet-stream")
    assert (status, len(body)) == (200, 32)
    assert headers["content-type"] == "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    assert client.get(Host="elsewhere.example")[0] == 403
    assert _quick(server) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Range", "bytes=0-9"),
        ("If_None_Match", "*"),
        ("X_Request_Id", "mine"),
        ("Priority", "u=1"),
        ("Expect", "100-continue"),
    ],
)
def test_headers_that_mean_this_request_take_the_long_way(
    server: InProcess, client: Client, name: str, value: str
) -> None:
    for _ in range(2):
        client.send(client.head(FRAME.format(sop="1.2.3.4.1", frame=1), **{name: value}))
        status, headers, _body = client.answer()
        if status == 100:
            status, headers, _body = client.answer()
        assert status in (200, 206, 304)
        if name == "X_Request_Id":
            assert headers["x-request-id"] == "mine"
    assert _quick(server) == 0


def test_a_passport_ends(server: InProcess, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passport, "PASSPORT_S", 0.0)
    client.get()
    assert client.get()[0] == 200
    assert _quick(server) == 0


@pytest.mark.parametrize(("turns", "quick"), [(1, 1), (5, 1), (100, 0)])
def test_a_request_that_comes_before_the_task_is_back_waits_a_moment(
    server: InProcess, client: Client, monkeypatch: pytest.MonkeyPatch, turns: int, quick: int
) -> None:
    client.get()
    client.get()
    before = sum(one.quick_count for one in client.doors())
    is_idle, left = Door._is_idle, [turns]

    def late(door: Door) -> bool:
        left[0] -= 1
        return left[0] < 0 and is_idle(door)

    monkeypatch.setattr(Door, "_is_idle", late)
    client.send(client.head(FRAME.format(sop="1.2.3.4.2", frame=2)))
    status, _, body = client.answer()
    monkeypatch.undo()
    server.call(lambda: None)  # it is counted behind the sending
    assert status == 200
    assert sum(one.quick_count for one in client.doors()) - before == quick
    assert client.get(sop="1.2.3.4.2", frame=2)[2] == body, "the connection goes on"


def test_two_requests_of_which_one_is_early_are_answered_in_order(
    server: InProcess, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [client.get(frame=frame)[2] for frame in (1, 2, 3)]
    is_idle, left = Door._is_idle, [3]
    monkeypatch.setattr(Door, "_is_idle", lambda door: left.append(left.pop() - 1) or (left[0] < 0 and is_idle(door)))
    for frame in (1, 2, 3):
        client.send(client.head(FRAME.format(sop="1.2.3.4.1", frame=frame)))
        time.sleep(0.002 * frame)
    assert [client.answer()[2] for _ in range(3)] == wanted


def test_a_frame_that_was_asked_for_before_is_planned_once(
    server: InProcess, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [client.get(frame=frame) for frame in (1, 1, 2, 2)]
    planned: list[str] = []
    plan = door.frame_plan
    monkeypatch.setattr(door, "frame_plan", lambda *all: planned.append(all[-1]) or plan(*all))
    again = [client.get(frame=frame) for frame in (1, 2, 1, 2, 3)]
    assert [body for _, _, body in again[:4]] == [first[1][2], first[3][2]] * 2
    assert planned == ["3"]
    for (_, headers, _), (_, other, _) in zip(again[:2], (first[1], first[3]), strict=True):
        assert {n: v for n, v in headers.items() if n not in _VARY} == {
            n: v for n, v in other.items() if n not in _VARY
        }


def test_pages_of_another_origin(server: InProcess, client: Client) -> None:
    first = client.get(Origin="https://elsewhere.example")
    second = client.get(Origin="https://elsewhere.example")
    assert second[0] == 200
    assert _same(first[1]) == _same(second[1])
    assert (second[1]["vary"], "access-control-allow-origin" in second[1]) == ("Origin", False)
    assert _quick(server) == 1


def test_pipelined_requests_are_answered_in_order(server: InProcess, client: Client) -> None:
    bodies = [client.get(frame=frame)[2] for frame in (1, 2, 3)]
    heads = [client.head(FRAME.format(sop="1.2.3.4.1", frame=frame)) for frame in (3, 1, 2)]
    client.send(b"".join(heads))
    assert [client.answer()[2] for _ in heads] == [bodies[2], bodies[0], bodies[1]]
    for head in heads:
        client.send(head)
    assert [client.answer()[2] for _ in heads] == [bodies[2], bodies[0], bodies[1]]


def test_a_head_in_pieces_is_one_request(server: InProcess, client: Client) -> None:
    client.get()
    body = client.get(frame=2)[2]
    # What looks like a lone request is the rest of a head that aiohttp has begun to read: the header X of a request for 1.
    begun = f"GET {FRAME.format(sop='1.2.3.4.3', frame=1)} HTTP/1.1\r\nX: ".encode()
    client.send(begun)
    _wait(lambda: all(one._passport is None for one in server.doors()))  # a later packet must not join this one
    client.send(client.head(FRAME.format(sop="1.2.3.4.1", frame=2)))
    status, _, inner = client.answer()
    assert (status, inner) == (200, client.get("1.2.3.4.3")[2])
    assert inner != body
    assert _quick(server) == 1, "the second of the first two; an answer to half a head gives no passport"


def test_a_body_that_looks_like_a_request_is_a_body(server: InProcess, client: Client) -> None:
    client.get()
    client.get()
    inside = client.head(FRAME.format(sop="1.2.3.4.1", frame=1))
    post = {"Accept": "*/*", "Content_Type": "application/dicom", "Content_Length": str(len(inside))}
    client.send(client.head("/dicom-web/studies", "POST", **post))
    client.send(inside)
    status, headers, _ = client.answer()
    assert status in (400, 409), headers
    assert _quick(server) == 1


def test_head_has_no_body(server: InProcess, client: Client) -> None:
    long = client.get()
    client.get()
    client.send(client.head(FRAME.format(sop="1.2.3.4.1", frame=1), "HEAD"))
    status, headers, _ = client.answer(has_body=False)
    assert (status, headers["content-length"]) == (200, long[1]["content-length"])
    assert client.get()[2] == long[2]


def test_a_connection_that_is_used_stays(server: InProcess, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.get()
    [one] = server.doors()
    before = one._next_keepalive_close_time  # the deadline of an idle connection, which a quick answer moves too
    client.get()
    assert _quick(server) == 1
    assert one._next_keepalive_close_time > before


def test_long_frames_and_slow_disks_take_the_long_way(
    server: InProcess, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = client.get()[2]
    with monkeypatch.context() as patch:
        patch.setattr(quick_frame, "QUICK_BYTES_MAX", 10)
        assert client.get()[2] == body
    with monkeypatch.context() as patch:
        patch.setattr(server.archive, "read_by", lambda *_: None)
        assert client.get()[2] == body
    assert _quick(server) == 0
    assert client.get()[2] == body
    assert _quick(server) == 1


# -- pictures


def _shown(client: Client, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    client.send(client.head(path, **({"Accept": "image/jpeg"} | headers)))
    answer = client.answer()
    _wait(lambda: all(one._is_idle() for one in client.doors()))
    return answer


PICTURES = (
    RENDERED.format(sop="1.2.3.4.1", frame=1),
    RENDERED.format(sop="1.2.3.4.1", frame=3),
    RENDERED.format(sop="1.2.3.4.2", frame=2).replace("100,200", "7,30"),
    "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.3/rendered",
    "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.3/thumbnail",
    "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.3/frames/2/thumbnail?quality=40",
    "/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.3/rendered?viewport=8%2C8&quality=70",
)


def test_both_ways_give_the_same_pictures(server: InProcess, client: Client) -> None:
    long = {}
    for path in PICTURES:
        other = Client(server)
        long[path] = _shown(other, path)
        other.close()
    assert _quick(server) == 0
    _shown(client, PICTURES[1])
    for path in PICTURES:
        status, headers, body = _shown(client, path)
        assert (status, _same(headers), body) == (200, _same(long[path][1]), long[path][2]), path
        assert set(headers) >= set(_VARY)
        assert {step.split(";")[0].strip() for step in headers["server-timing"].split(",")} >= {"queue", "render"}
    assert _quick(server) == len(PICTURES)


def test_pictures_in_other_formats_by_what_is_accepted(server: InProcess, client: Client) -> None:
    for accept, starts in (("image/png", b"\x89PNG"), ("image/webp", b"RIFF"), ("*/*", b"\xff\xd8")):
        bodies = [_shown(client, PICTURES[0], Accept=accept)[2] for _ in range(2)]
        assert bodies[0] == bodies[1] and bodies[0].startswith(starts)
    assert _quick(server) == 3


def test_pictures_and_frames_share_a_passport(server: InProcess, client: Client) -> None:
    client.get(Accept="*/*")
    assert _shown(client, PICTURES[0], Accept="*/*")[2].startswith(b"\xff\xd8")
    assert client.get(Accept="*/*")[0] == 200
    assert _quick(server) == 2


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dicom-web/studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.9/rendered", 404),
        (PICTURES[0].replace("frames/1", "frames/4"), 404),
        (PICTURES[0].replace("series/1.2.3.4", "series/1.2.3.5"), 404),
        (PICTURES[0] + "&windo=1,2", 400),
        (PICTURES[0].replace("100,200", "100,0"), 400),
        (PICTURES[0] + "&presentationUID=1.2.9", 404),
        (PICTURES[0] + "&accept=image/png", 200),
        (PICTURES[0] + "&annotation=patient", 200),
        (PICTURES[0].replace("frames/1", "frames/0"), 400),
    ],
)
def test_what_only_the_handler_can_say(server: InProcess, client: Client, path: str, status: int) -> None:
    other = Client(server)
    want = _shown(other, path)
    other.close()
    _shown(client, PICTURES[1])
    found = _shown(client, path)
    assert (found[0], found[2]) == (want[0], want[2]) or status >= 400
    assert found[0] == want[0]
    assert _quick(server) == 0
    assert _shown(client, PICTURES[0])[0] == 200


def test_pictures_are_counted(server: InProcess, client: Client) -> None:
    for path in PICTURES:
        _shown(client, path)
    text = server.services.metrics.text()
    assert f'voxcast_requests_total{{kind="rendered",code="2xx"}} {len(PICTURES)}' in text
    assert f"voxcast_frames_decoded_total {len(PICTURES)}" in text


class _Gate:
    """Holds the decode threads of a server, so that a picture stays on its way until the test says so."""

    def __init__(self, server: InProcess) -> None:
        self._open = threading.Event()
        for _ in range(2):
            server.services.executors.decode.submit(self._open.wait, 20)

    def open(self) -> None:
        self._open.set()


def _on_its_way(server: InProcess, count: int = 1) -> None:
    _wait(lambda: sum(one._picture is not None for one in server.doors()) == count)


def test_what_comes_meanwhile_is_answered_in_its_turn(server: InProcess, client: Client) -> None:
    wanted = [_shown(client, PICTURES[0])[2], client.get(Accept="*/*")[2], _shown(client, PICTURES[1])[2]]
    gate = _Gate(server)
    client.send(client.head(PICTURES[0], Accept="image/jpeg"))
    _on_its_way(server)
    frame = client.head(FRAME.format(sop="1.2.3.4.1", frame=1), Accept="*/*")
    client.send(frame[:50])
    time.sleep(0.05)
    client.send(frame[50:] + client.head(PICTURES[1], Accept="image/jpeg"))
    time.sleep(0.05)
    gate.open()
    assert [client.answer()[2] for _ in range(3)] == wanted


def test_a_client_that_goes_away_takes_its_picture_with_it(server: InProcess, client: Client) -> None:
    _shown(client, PICTURES[0])
    gate, load = _Gate(server), server.load()
    client.send(client.head(PICTURES[1], Accept="image/jpeg"))
    _on_its_way(server)
    assert load._total == 1
    client.close()
    _wait(lambda: load._total == 0)
    assert not server.services.frames.flight._under_way
    gate.open()
    text = server.services.metrics.text()
    assert 'voxcast_requests_total{kind="rendered",code="gone"} 1' in text
    assert "voxcast_frames_decoded_total 1" in text


def test_equal_pictures_on_two_connections_are_made_once(server: InProcess, client: Client) -> None:
    other = Client(server)
    wanted, _ = (_shown(one, PICTURES[0])[2] for one in (client, other))
    gate = _Gate(server)
    for one in (client, other):
        one.send(one.head(PICTURES[0], Accept="image/jpeg"))
    _on_its_way(server, 2)
    gate.open()
    assert [one.answer()[2] for one in (client, other)] == [wanted, wanted]
    assert "voxcast_frames_decoded_total 3" in server.services.metrics.text()
    other.close()


def test_one_client_cannot_have_more_than_its_places(tmp_path: Path) -> None:
    with InProcess(tmp_path / "a", Limits(client_requests_max=1)) as server:
        server.archive.store([incoming(make_instance("1.2.3.4.1", frames=3))])
        first, second = Client(server), Client(server)
        for one in (first, second):
            _shown(one, PICTURES[0])
        gate = _Gate(server)
        first.send(first.head(PICTURES[0], Accept="image/jpeg"))
        _on_its_way(server)
        status, headers, _ = _shown_now(second, PICTURES[1])
        assert (status, "retry-after" in headers) == (503, True)
        gate.open()
        assert first.answer()[0] == 200
        first.close()
        second.close()


def _shown_now(client: Client, path: str) -> tuple[int, dict[str, str], bytes]:
    client.send(client.head(path, Accept="image/jpeg"))
    return client.answer()


def test_a_picture_on_its_way_is_finished_before_the_server_stops(server: InProcess, client: Client) -> None:
    _shown(client, PICTURES[0])
    gate, load = _Gate(server), server.load()
    client.send(client.head(PICTURES[1], Accept="image/jpeg"))
    _on_its_way(server)
    draining = server.drain()
    _wait(lambda: load.is_draining)
    assert not draining.done()
    gate.open()
    status, headers, body = client.answer()
    assert (status, headers["connection"], body[:2]) == (200, "close", b"\xff\xd8")
    assert client.ended()
    draining.result(5)


def test_what_fails_on_its_way_is_the_handlers_to_say(
    server: InProcess, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _shown(client, PICTURES[0])

    def broken(*_: object) -> bytes:
        raise BadFrame("1.2.3", "broken")

    monkeypatch.setattr(server.services.frames, "_picture", broken)
    status, headers, body = _shown(client, PICTURES[1])
    assert (status, headers["content-type"]) == (STATUS[BadFrame], "application/problem+json")
    assert b"broken" in body
    assert _quick(server) == 0


def test_bytes_that_the_disk_has_come_from_the_disk(
    server: InProcess, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = _shown(client, PICTURES[0])[2]
    monkeypatch.setattr(server.archive, "read_by", lambda *_: None)
    monkeypatch.setattr(server.archive, "read_cached", lambda *_: None)
    status, headers, body = _shown(client, PICTURES[0])
    assert (status, body) == (200, wanted)
    assert _quick(server) == 1
    assert "read" in headers["server-timing"]


def test_a_connection_with_a_picture_on_its_way_is_not_idle(server: InProcess, client: Client) -> None:
    _shown(client, PICTURES[0])
    gate = _Gate(server)
    client.send(client.head(PICTURES[1], Accept="image/jpeg"))
    _on_its_way(server)
    [one] = server.doors()
    one._next_keepalive_close_time = 0.0
    server.call(one._process_keepalive)
    gate.open()
    assert client.answer()[0] == 200
    assert _quick(server) == 1


def _wait(is_true: Callable[[], bool]) -> None:
    for _ in range(2000):
        if is_true():
            return
        time.sleep(0.002)
    raise AssertionError("the server did not get there")
