"""What others do: cornerstone3D's nearest first, the whole series in order, and only the newest word."""

from __future__ import annotations

from collections import deque

from benchmarks.scroll.personas import Step, Trace
from benchmarks.scroll.strategies import Parcel, Series, supply

SEGMENT = 16 * 1024  # responses on several connections share the line by so many bytes
BUFFER = (
    256 * 1024
)  # what Linux lets a connection have unsent once its window has grown (net.ipv4.tcp_wmem goes to 4 MiB)
CONNECTIONS = 6  # of a browser to one origin over HTTP/1.1
Frame = tuple[Series, int]


class Whole:
    """The frame is shown when its last byte is there; all resolutions are sent, whatever the viewport's pixels."""

    buffer = BUFFER

    def __init__(self, trace: Trace, side: int) -> None:
        self._trace = trace
        self.supplies = [supply(trace, viewport) for viewport in range(len(trace.slices))]
        self._under_way: deque[tuple[Frame, int]] = deque()  # frames that are being sent, and how far

    def size(self, frame: Frame) -> int:
        (viewport, _), position = frame
        return self.supplies[viewport].size(position)

    def next(self, now: float) -> Parcel | None:
        """A segment of one, then of the next."""
        if not self._under_way:
            return None
        frame, at = self._under_way.popleft()
        end = min(at + SEGMENT, self.size(frame))
        is_last = end == self.size(frame)
        if not is_last:
            self._under_way.append((frame, end))
        series, position = frame
        return Parcel(series, position, (end,) if is_last else (), end - at, frame if is_last else None)

    def arrived(self, parcel: Parcel, now: float) -> list[object]:
        return []

    def wakes_at(self) -> float | None:
        return None


class Cornerstone(Whole):
    """cornerstone3D's stackPrefetch: the shown image at once, then the nearest ones, below and above by turns; nothing is aborted.

    Kinder than the original, whose pool keeps the prefetch requests of the positions before in front (`preserveExistingPool`):
    here the list is made anew whenever the hand moves, without its delay of 10 ms.
    """

    def __init__(self, trace: Trace, side: int) -> None:
        super().__init__(trace, side)
        self._asked: set[Frame] = set()
        self._shown: deque[Frame] = deque()
        self._open = 0
        self._at: dict[int, Frame] = {}

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]:
        frame = ((step.viewport, step.window), step.position)
        self._at[step.viewport] = frame
        if frame not in self._asked and frame not in self._shown:
            self._shown.append(frame)
        return self._ask()

    def arrived(self, parcel: Parcel, now: float) -> list[object]:
        if parcel.tag is None:
            return []
        self._open -= 1
        return self._ask()

    def told(self, word: object, now: float) -> None:
        assert isinstance(word, tuple)
        self._under_way.append((word, 0))  # type: ignore[arg-type]

    def _ask(self) -> list[object]:
        words: list[object] = []
        while self._open < CONNECTIONS and (frame := self._first()) is not None:
            self._asked.add(frame)
            self._open += 1
            words.append(frame)
        return words

    def _first(self) -> Frame | None:
        if self._shown:
            return self._shown.popleft()
        nearest = [self._nearest(frame) for frame in self._at.values()]
        found = [one for one in nearest if one is not None]
        return min(found)[1] if found else None

    def _nearest(self, frame: Frame) -> tuple[int, Frame] | None:
        series, position = frame
        if self._trace.is_drawn:
            return None
        count = self._trace.slices[series[0]]
        for apart in range(1, count):
            for other in (position - apart, position + apart):
                if 0 <= other < count and (series, other) not in self._asked:
                    return apart, (series, other)
        return None


class Sequential(Whole):
    """The whole series from first to last, whatever the hand does; of drawn pictures, every one that was asked for."""

    def __init__(self, trace: Trace, side: int) -> None:
        super().__init__(trace, side)
        self._left: deque[Frame] = deque()
        if not trace.is_drawn:
            longest = max(trace.slices)
            self._left.extend(
                ((viewport, 0), position)
                for position in range(longest)
                for viewport, count in enumerate(trace.slices)
                if position < count
            )

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]:
        return [((step.viewport, step.window), step.position)]

    def told(self, word: object, now: float) -> None:
        if self._trace.is_drawn:
            assert isinstance(word, tuple)
            if word not in self._left:
                self._left.append(word)  # type: ignore[arg-type]

    def next(self, now: float) -> Parcel | None:
        if not self._under_way and self._left:
            self._under_way.append((self._left.popleft(), 0))
        return super().next(now)


class Latest(Whole):
    """Only the newest word counts: the frame that is asked for last is sent as soon as the one before is out; no prefetch."""

    def __init__(self, trace: Trace, side: int) -> None:
        super().__init__(trace, side)
        self._wanted: dict[int, Frame] = {}
        self._sent: set[Frame] = set()

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]:
        return [((step.viewport, step.window), step.position)]

    def told(self, word: object, now: float) -> None:
        assert isinstance(word, tuple)
        self._wanted[word[0][0]] = word  # type: ignore[assignment]

    def next(self, now: float) -> Parcel | None:
        if not self._under_way:
            for frame in self._wanted.values():
                if frame not in self._sent:
                    self._sent.add(frame)
                    self._under_way.append((frame, 0))
        return super().next(now)
