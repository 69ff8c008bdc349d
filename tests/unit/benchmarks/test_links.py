"""Links between namespaces against their own figures: round trip, rate, queue, loss; and nothing stays behind.

Times are what is tested here. They are never shorter than said; that they are not much longer is asserted of the best of several,
or with room for a busy machine.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from benchmarks.links.forwarder import entries
from benchmarks.links.namespaces import FOLDER, Namespace, sweep, why_not
from benchmarks.links.site import HOST, Link, LinkSpec, Site

_MISSING = why_not()
needs_links = pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "links can be made")
MBIT = 125_000.0
PORT = 7007
_RCVBUFFORCE = 33  # SO_RCVBUFFORCE has no name in Python


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


def udp(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(2)
    made.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 8 << 20)  # beyond net.core.rmem_max, as root may
    made.bind((host, PORT))
    return made


def pair(site: Site, link: Link) -> tuple[socket.socket, socket.socket]:
    return site.server.socket(partial(udp, HOST)), link.reader.socket(partial(udp, link.address))


def round_trips(site: Site, link: Link, count: int) -> list[float]:
    server, reader = pair(site, link)
    times = []
    with server, reader:
        for _ in range(count):
            began = time.perf_counter()
            reader.sendto(b"ping", (HOST, PORT))
            server.sendto(*server.recvfrom(64))
            assert reader.recvfrom(64)[0] == b"ping"
            times.append(time.perf_counter() - began)
    return sorted(times)


@needs_links
def test_a_round_trip_takes_twice_the_delay(site: Site) -> None:
    with site.link(LinkSpec(8 * MBIT, 0.040)) as link:
        assert round_trips(site, link, 4)[0] >= 0.080, "never sooner"
        assert round_trips(site, link, 10)[0] < 0.084


@needs_links
def test_a_short_delay_is_not_much_longer(site: Site) -> None:
    with site.link(LinkSpec(1000 * MBIT, 0.0005)) as link:
        times = round_trips(site, link, 50)
        assert times[0] >= 0.001
        assert times[0] < 0.002


def received(site: Site, link: Link, size: int) -> tuple[float, float]:
    """Seconds until the first byte of a TCP transfer to the reader, and from there to the last."""

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.sendall(bytes(size))

    listener = site.server.socket(lambda: socket.create_server((HOST, PORT)))
    with listener:
        thread = threading.Thread(target=serve)
        thread.start()
        began = time.perf_counter()
        with link.reader.socket(lambda: socket.create_connection((HOST, PORT), 5)) as reader:
            buffer, got, first = bytearray(1 << 18), 0, 0.0
            while count := reader.recv_into(buffer):
                first = first or time.perf_counter()
                got += count
        ended = time.perf_counter()
        thread.join()
    assert got == size
    return first - began, ended - first


@needs_links
def test_tcp_gets_the_rate_and_the_account_has_its_bytes(site: Site) -> None:
    spec, size = LinkSpec(30 * MBIT, 0.010), 5_000_000
    with site.link(spec) as link:
        first, took = received(site, link, size)
        time.sleep(0.15)
        down = link.account()[-1].down
    assert first >= 0.040, "the handshake and the first word: two round trips"
    assert size / spec.rate < took, "no faster than the rate"
    assert took < 1.8 * size / spec.rate, "slow start and headers are not so much"
    assert size * 1.02 < down.bytes < size * 1.2, "headers, and what was sent again behind a full queue"
    assert down.lost == down.no_room == 0


@needs_links
def test_the_forwarder_takes_a_gigabit(site: Site) -> None:
    with site.link(LinkSpec(1000 * MBIT, 0.0005)) as link:
        received(site, link, 30_000_000)
        time.sleep(0.15)
        account = link.account()[-1]
    assert account.down.no_room == account.up.no_room == 0
    assert account.down.bytes >= 30_000_000


@needs_links
def test_packets_are_lost_as_often_as_it_is_said(site: Site) -> None:
    count = 4000
    with site.link(LinkSpec(100 * MBIT, 0.001, loss=0.05)) as link:
        server, reader = pair(site, link)
        with server, reader:
            for number in range(count):
                server.sendto(number.to_bytes(4, "big"), (link.address, PORT))
                if number % 20 == 0:
                    time.sleep(0.001)  # the queue in front of the rate has room for 32 packets
            time.sleep(0.2)
            reader.settimeout(0.2)
            got = []
            with pytest.raises(TimeoutError):
                while True:
                    got.append(int.from_bytes(reader.recv(64), "big"))
        account = link.account()[-1].down
        dropped = link.overflows()
    assert got == sorted(got), "the order stays"
    assert len(got) == account.packets == count - account.lost - dropped
    assert 0.03 * count < account.lost < 0.07 * count, "six standard deviations"


@needs_links
def test_a_full_queue_drops(site: Site) -> None:
    with site.link(LinkSpec(8 * MBIT, 0.001)) as link:
        server, reader = pair(site, link)
        with server, reader:
            for _ in range(200):
                server.sendto(bytes(1400), (link.address, PORT))
            time.sleep(0.5)
        account = link.account()[-1].down
        assert link.overflows() == 200 - account.packets
        assert 32 <= account.packets < 80, "what fits into the queue, and what went out meanwhile"


@needs_links
def test_nothing_stays_behind_after_a_crash(site: Site) -> None:
    root = Path(__file__).parents[3]
    program = (
        "import os, signal\n"
        "from benchmarks.links.site import LinkSpec, Site\n"
        "with Site() as site, site.link(LinkSpec(1e6, 0.001)) as link:\n"
        "    print(os.getpid(), link._forwarder.process.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    parent, child = done.stdout.split()
    forwarder = Path(f"/proc/{child}/stat")
    deadline = time.monotonic() + 5
    while forwarder.exists() and forwarder.read_text().rpartition(")")[2].split()[0] not in "ZX":
        assert time.monotonic() < deadline, "the forwarder leaves with its parent"
        time.sleep(0.01)
    sweep()  # here, or by another process that made links meanwhile
    assert not list(FOLDER.glob(f"voxlink-{parent}-*"))
    assert list(FOLDER.glob(f"voxlink-{os.getpid()}-*")), "those of the living stay"


@needs_links
def test_a_namespace_reaches_nothing_outside() -> None:
    with Namespace("alone") as there:
        with pytest.raises(OSError, match="unreachable"):
            there.socket(lambda: socket.create_connection(("192.0.2.1", 80), 1))
        assert there.run("ip", "-o", "link", "show").count("\n") == 1, "lo, and no other device"


def test_a_cut_line_of_the_account_is_none() -> None:
    first, *more = entries(["12.5 1 1500 2 0 3 120 4 1", "12.6 1 15"])
    assert not more
    assert (first.at, first.down.bytes, first.down.lost, first.up.packets, first.up.no_room) == (12.5, 1500, 2, 3, 1)
