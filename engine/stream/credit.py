"""How many bytes may be under way to one client: its measured bandwidth times its round trip, and a little.

A byte in the kernel's buffer cannot be taken back. So no more is sent than the path itself holds: then a change of mind waits for
what is in the cable, about one round trip, and the line is never idle. The model is that of BBR (draft-ietf-ccwg-bbr: delivery rate
4.1, minimal round trip 4.3), one layer higher: chunks instead of packets, the client's word for acknowledgements, no pacing.
"""

from __future__ import annotations

from collections import deque

from engine.limits import KIB

# Before anything is known; RFC 6928 lets TCP send 14 KiB at once, what is more waits in the kernel once.
INITIAL = 32 * KIB
QUANTUM_MIN, QUANTUM_MAX = 8 * KIB, 64 * KIB
# A line that takes longer than this for the smallest chunk gets smaller ones: two more than what the path holds wait in front of
# it. 8 Mbit/s: 4 KiB.
QUANTUM_SLOW_S, QUANTUM_SLOW_MIN = 0.005, 4 * KIB
ROUND_TRIP_S_MAX = 10.0  # a minimal round trip older than this is measured again
QUANTA, QUANTUM_S = 16, 0.001
STARTING = (
    2.885  # 2 / ln 2: while the line is not full, the window grows as fast as rates measured a round late allow (BBR)
)
RATE_ROUNDS = 8  # the best rate of so many rounds is the bandwidth
FULL_ROUNDS = 3  # so many rounds without a quarter more: the line is full
# Of what the path holds, as much more for gusts: with that and two chunks it stays well below twice the path, which is where
# a queue of one path length overflows; what is dropped there makes gusts of its own.
GUST_MAX = 0.625
GUST_S = 0.004  # or what the line carries in this time, which nobody sees, where that is more
SLACK_S = 0.004  # a round trip longer than the best by a half and this much has waited behind other bytes


class _Flight:
    """One chunk on its way: bytes sent with it, and what was known when it left."""

    __slots__ = ("began_at", "delivered", "delivered_at", "is_clear", "is_idle", "sent", "sent_at", "size")

    def __init__(
        self,
        sent: int,
        size: int,
        sent_at: float,
        began_at: float,
        delivered: int,
        delivered_at: float,
        is_idle: bool,
        is_clear: bool,
    ) -> None:
        self.sent, self.size, self.sent_at, self.began_at = sent, size, sent_at, began_at
        self.delivered, self.delivered_at, self.is_idle, self.is_clear = delivered, delivered_at, is_idle, is_clear


class Credit:
    """Times are seconds of any clock that never goes back. Not for several threads.

    Parameters
    ----------
    bytes_max : int
        Never more than this under way, unless a single picture, which cannot be cut, is larger.

    Attributes
    ----------
    quantum : int
        The largest chunk: a sixteenth of what the path holds, so that two more make no queue to speak of, or what it carries in a
        millisecond, so that a fast line costs no more than a thousand decisions a second.
    """

    __slots__ = (
        "_began_at", "_bytes_max", "_delivered", "_delivered_at", "_flights", "_full_rate", "_full_rounds",
        "_gust_at", "_gust_from", "_gusts", "_idle_until",
        "_is_starting", "_rates", "_round", "_round_end", "_round_trip", "_round_trip_at", "_round_trip_size", "_sent", "_window",
        "quantum",
    )  # fmt: skip

    def __init__(self, bytes_max: int) -> None:
        if bytes_max < INITIAL + QUANTUM_MAX:
            raise ValueError(f"less than {INITIAL + QUANTUM_MAX} bytes under way is no stream")
        self._bytes_max = bytes_max
        self._sent = self._delivered = 0
        self._delivered_at = self._began_at = 0.0
        self._flights: deque[_Flight] = deque()
        self._rates: deque[tuple[int, float]] = deque()  # of falling rate: the first is the best
        self._round, self._round_end = 0, 0
        self._round_trip, self._round_trip_at, self._round_trip_size = 0.0, 0.0, 0
        self._is_starting, self._full_rate, self._full_rounds = True, 0.0, 0
        self._idle_until = -1
        self._gust_at, self._gust_from = 0.0, 0
        self._gusts: deque[tuple[int, float]] = deque()  # of falling size: the first is the largest
        self._window = INITIAL
        self.quantum = QUANTUM_MIN

    @property
    def in_flight(self) -> int:
        """Bytes sent and not yet acknowledged."""
        return self._sent - self._delivered

    @property
    def bandwidth(self) -> float:
        """Bytes per second; 0 before anything was measured."""
        return self._rates[0][1] if self._rates else 0.0

    @property
    def round_trip(self) -> float:
        """The shortest seen lately, in seconds; 0 before anything was measured."""
        return self._round_trip

    @property
    def window(self) -> int:
        """Bytes that may be under way."""
        return self._window

    @property
    def _path(self) -> int:
        """Bytes that the path holds, without those of the chunk that the round trip was measured with: they are sent meanwhile."""
        return max(0, int(self.bandwidth * self._round_trip) - self._round_trip_size)

    @property
    def _clear(self) -> int:
        """Bytes under way that make no queue: three quarters of what the path holds."""
        return max(2 * QUANTUM_MIN, int(self.bandwidth * self._round_trip) * 3 // 4)

    @property
    def delay(self) -> float:
        """Seconds from a byte sent now to the moment at which what the client says of it is known here, as it stands."""
        bandwidth = self.bandwidth
        return max(self._round_trip, self.in_flight / bandwidth) if bandwidth else 0.0

    def is_open(self) -> bool:
        """Whether the next chunk may go."""
        return self.in_flight < self._window

    def has_room(self, size: int) -> bool:
        """Whether a chunk of this size may go when the credit is open; one of at most `quantum` always may.

        A larger one is a picture, which cannot be cut: it waits until what is under way is no more than the path holds, or it would
        be old when its turn on the line comes.
        """
        if size <= self.quantum or not self.in_flight:
            return True
        most = self._window if self._is_starting else self._path
        return self.in_flight <= most and self.in_flight + size <= self._bytes_max

    def idle(self) -> None:
        """There is nothing to send though there is room: what is under way does not show how fast the line is."""
        self._idle_until = self._sent

    def send(self, size: int, now: float) -> None:
        """So many bytes are on their way."""
        if not self._flights:
            self._began_at = self._delivered_at = now
        is_clear = self.in_flight <= self._clear
        self._sent += size
        # Pictures, which cannot be cut, do not fill the line either (`has_room`).
        is_idle = self._idle_until >= self._delivered or size > self.quantum
        flight = _Flight(self._sent, size, now, self._began_at, self._delivered, self._delivered_at, is_idle, is_clear)
        self._flights.append(flight)

    def settle(self, size: int) -> None:
        """The last bytes sent were more by so many than was said (or less, below 0): a drawn picture was made."""
        self._sent += size
        if self._flights:
            self._flights[-1].sent += size
        while self._flights and self._flights[-1].sent <= self._delivered:
            self._flights.pop()

    def acknowledge(self, total: int, now: float) -> None:
        """The client has so many bytes in all since the session began.

        Raises
        ------
        ValueError : more than was sent.
        """
        if total > self._sent:
            raise ValueError(f"{total} bytes are acknowledged, {self._sent} were sent")
        last: _Flight | None = None
        while self._flights and self._flights[0].sent <= total:
            last = self._flights.popleft()
        self._delivered = max(self._delivered, total)
        if last is None:
            return
        self._delivered_at, self._began_at = now, last.sent_at
        took = now - last.sent_at
        is_old = now - self._round_trip_at > ROUND_TRIP_S_MAX
        if not self._round_trip or took <= self._round_trip or (is_old and last.is_clear):
            self._round_trip, self._round_trip_at, self._round_trip_size = max(took, 1e-6), now, last.size
        has_round = last.delivered >= self._round_end
        if has_round:
            self._round += 1
            self._round_end = self._delivered
        self._measure(last, now)
        self._gather(now)
        self._grow(took, has_round, last.is_idle, now)

    def _measure(self, last: _Flight, now: float) -> None:
        """A rate: what arrived since `last` left, by the longer of the times in which it was sent and in which it arrived.

        A low one while the line is not full shows nothing, unless it took longer than the rate before can explain.
        """
        elapsed = max(now - last.delivered_at, last.sent_at - last.began_at)
        if elapsed <= 0:
            return
        rate = (self._delivered - last.delivered) / elapsed
        rates = self._rates
        while rates and rates[0][0] < self._round - RATE_ROUNDS and len(rates) > 1:
            rates.popleft()
        if last.is_idle and rates and rate < rates[0][1]:
            explained = self._round_trip + (last.sent - last.delivered) / rates[0][1]
            if now - last.sent_at <= 1.5 * explained + SLACK_S:
                return
        if rates and rates[0][0] < self._round - RATE_ROUNDS:
            rates.popleft()
        while rates and rates[-1][1] <= rate:
            rates.pop()
        rates.append((self._round, rate))

    def _gather(self, now: float) -> None:
        """How much more came at once than the bandwidth brings: behind a lost packet, or from a client that answers in gusts.

        While a gust gathers nothing is acknowledged, so that much more may be under way, or the line would stand still meanwhile.
        """
        expected = self.bandwidth * (now - self._gust_at)
        if self._delivered - self._gust_from <= expected:
            self._gust_at, self._gust_from, expected = now, self._delivered, 0.0
        gust = self._delivered - self._gust_from - expected
        gusts = self._gusts
        while gusts and gusts[0][0] < self._round - RATE_ROUNDS:
            gusts.popleft()
        while gusts and gusts[-1][1] <= gust:
            gusts.pop()
        gusts.append((self._round, gust))

    def _grow(self, took: float, has_round: bool, is_idle: bool, now: float) -> None:
        path = self.bandwidth * self._round_trip
        quantum = int(max(path / QUANTA, self.bandwidth * QUANTUM_S))
        least = max(QUANTUM_SLOW_MIN, min(QUANTUM_MIN, int(self.bandwidth * QUANTUM_SLOW_S)))
        self.quantum = max(least, min(QUANTUM_MAX, quantum)) & ~1023
        if self._is_starting:
            if has_round and not is_idle:
                if self.bandwidth >= 1.25 * self._full_rate:
                    self._full_rate, self._full_rounds = self.bandwidth, 0
                else:
                    self._full_rounds += 1
            if self._full_rounds >= FULL_ROUNDS or took > 1.5 * self._round_trip + SLACK_S:
                self._is_starting = False
        if self._is_starting:
            window = max(INITIAL, int(STARTING * path))
        else:
            most = max(GUST_MAX * path, self.bandwidth * GUST_S)
            gust = min(max(0.0, self._gusts[0][1] - self.quantum), most)
            window = self._path + 2 * self.quantum + int(gust)
            if now - self._round_trip_at > ROUND_TRIP_S_MAX:  # until a chunk went on a clear line, and was answered
                window = self._clear
        self._window = min(window, self._bytes_max - self.quantum)
