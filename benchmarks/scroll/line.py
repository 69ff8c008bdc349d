"""A line between server and client: bandwidth, delay, and loss as the delay that it costs a reliable stream."""

from __future__ import annotations

import random
from dataclasses import dataclass

PACKET = 1448  # bytes of payload in one packet of TCP over Ethernet
MBIT = 125_000.0


@dataclass(frozen=True, slots=True)
class LineSpec:
    """A line by its figures: bytes per second, seconds one way, share of packets lost."""

    name: str
    bandwidth: float
    delay: float
    loss: float = 0.0


LINES = (
    LineSpec("8 Mbit/s, 40 ms", 8 * MBIT, 0.040),
    LineSpec("30 Mbit/s, 10 ms", 30 * MBIT, 0.010),
    LineSpec("30 Mbit/s, 10 ms, 1 % loss", 30 * MBIT, 0.010, 0.01),
    LineSpec("100 Mbit/s, 5 ms", 100 * MBIT, 0.005),
    LineSpec("1 Gbit/s, 0.5 ms", 1000 * MBIT, 0.0005),
)


class Line:
    """Carries bytes to the client in order. What was sent and does not fit yet waits in front of it (the kernel's buffer).

    A lost packet arrives one round trip and a packet later (a fast retransmission), and everything behind it waits for it, as on
    a TCP connection. Its congestion control is not simulated: the line carries its bandwidth from the first byte on, to every
    strategy alike.
    """

    def __init__(self, spec: LineSpec, seed: int = 1) -> None:
        self.spec = spec
        self._free = 0.0
        self._last = 0.0
        self._dice = random.Random(seed)

    def send(self, size: int, now: float) -> float:
        """When the last of so many bytes, sent now, arrives."""
        spec = self.spec
        self._free = max(self._free, now) + size / spec.bandwidth
        arrival = self._free + spec.delay
        if spec.loss and self._dice.random() < 1 - (1 - spec.loss) ** (size / PACKET):
            arrival += 2 * spec.delay + PACKET / spec.bandwidth
        self._last = max(self._last, arrival)
        return self._last

    def waiting(self, now: float) -> float:
        """Bytes that have not left yet."""
        return max(0.0, self._free - now) * self.spec.bandwidth
