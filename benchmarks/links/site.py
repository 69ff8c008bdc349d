"""A server's namespace, and links from it to readers in namespaces of their own."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.links.forwarder import Entry, Forwarder
from benchmarks.links.namespaces import Namespace
from benchmarks.process import cpu_ticks

HOST = "127.77.0.1"  # the server's, for all its readers
_SERVER_MAC, _WAY_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
_PACKET = 1500
_BURST_S = 0.001
_LINKS_MAX = 200


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A link by its figures.

    Attributes
    ----------
    rate : bytes a second in either direction, counted with their IP headers.
    delay_s : one way, besides what waits in the queue in front of the rate.
    loss : share of packets, in either direction.
    """

    rate: float
    delay_s: float
    loss: float = 0.0

    @property
    def queue_bytes(self) -> int:
        """What may wait at the bottleneck: what the path holds in a round trip, the usual rule for routers; 32 packets at least."""
        return max(32 * _PACKET, round(self.rate * 2 * self.delay_s))


class Site:
    """``with Site() as site, site.link(spec) as link``: run the server by `site.server.within`, readers by `link.reader.within`."""

    def __init__(self) -> None:
        self.server = Namespace("server")
        self._stack = ExitStack()
        self._count = 0

    def __enter__(self) -> Site:
        with ExitStack() as stack:
            stack.enter_context(self.server)
            self.server.run("ip", "address", "add", f"{HOST}/32", "dev", "lo")
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxlink-")))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def link(self, spec: LinkSpec, seed: int = 1) -> Link:
        """Another reader's link; leaves with the site if not before."""
        self._count += 1
        if self._count > _LINKS_MAX:
            raise ValueError(f"more than {_LINKS_MAX} links")
        made = Link(self, self._count, spec, seed)
        self._stack.callback(made.close)
        return made


class Link:
    """One reader's namespace, and the way from the server to it."""

    def __init__(self, site: Site, number: int, spec: LinkSpec, seed: int) -> None:
        self.spec, self.host, self.address = spec, HOST, f"127.77.{number}.2"
        self.reader, self._way = Namespace(f"reader{number}"), Namespace(f"way{number}")
        self._site, self._number, self._seed = site, number, seed
        with ExitStack() as stack:
            stack.enter_context(self.reader)
            stack.enter_context(self._way)
            self._wire(stack)
            self._stack = stack.pop_all()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Harmless a second time."""
        self._stack.close()

    def account(self) -> list[Entry]:
        """What the link has carried, a tenth of a second apart."""
        return self._forwarder.account()

    def cpu_seconds(self) -> float:
        """Of the process that carries its packets."""
        return cpu_ticks(Path(f"/proc/{self._forwarder.process.pid}/stat").read_text()) / os.sysconf("SC_CLK_TCK")

    def overflows(self) -> int:
        """Packets that the queue in front of the rate had no room for, on the way to the reader."""
        said = self._way.run("tc", "-s", "qdisc", "show", "dev", "out")
        return int(said.partition("dropped ")[2].split(",")[0])

    def _wire(self, stack: ExitStack) -> None:
        server, way, reader = self._site.server, self._way, self.reader
        near = f"to{self._number}"
        server.run(
            "ip", "link", "add", near, "address", _SERVER_MAC, "type", "veth",
            "peer", "name", "in", "address", _WAY_MAC, "netns", way.name,
        )  # fmt: skip
        stack.callback(server.close_device, near)
        account = self._site.folder / f"link{self._number}"
        self._forwarder = Forwarder(
            (way, "out"), (reader, "net"), self.spec.delay_s, self.spec.loss, account, self._seed
        )
        stack.callback(self._forwarder.close)
        reader.run("ip", "address", "add", f"{self.address}/32", "dev", "net")
        for namespace, device in ((server, near), (way, "in"), (way, "out"), (reader, "net")):
            namespace.run("ip", "link", "set", device, "txqueuelen", "10000", "up")
        # No addresses on the way, so nobody there to answer ARP: the neighbours are told.
        for namespace, device, host, mac in ((server, near, self.address, _WAY_MAC), (way, "in", HOST, _SERVER_MAC)):
            namespace.run("ip", "neighbour", "add", host, "lladdr", mac, "dev", device, "nud", "permanent")
        server.run("ip", "route", "add", f"{self.address}/32", "dev", near, "src", HOST)
        way.run("ip", "route", "add", f"{HOST}/32", "dev", "in")
        way.run("ip", "route", "add", f"{self.address}/32", "dev", "out")
        reader.run("ip", "route", "add", f"{HOST}/32", "dev", "net", "src", self.address)
        way.set("net.ipv4.ip_forward=1")
        for namespace, device in ((way, "out"), (reader, "net")):
            self._shape(namespace, device)

    def _shape(self, namespace: Namespace, device: str) -> None:
        spec = self.spec
        burst = max(3 * _PACKET, round(spec.rate * _BURST_S))
        namespace.run(
            "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{round(spec.rate * 8)}bit", "burst", str(burst),
            "limit", str(spec.queue_bytes),
        )  # fmt: skip
