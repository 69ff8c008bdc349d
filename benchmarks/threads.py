"""Two threads beside one, on every decoder and kernel: what the global lock, the allocator and the memory bus leave of a core.

    python -m benchmarks.threads [--quick] [--only WORD]

Each row is a rate: frames per second of one thread, and of two that have buffers of their own. A round measures both in turn for
the same time, and only what was done while both threads ran counts. "times better" above 1.9 is the target on two real cores.
Two processes that have nothing in common are the last alternative: what the machine itself can give, whatever we do; threads cannot
be faster than that.

Traps: OpenJPEG is told to use two threads for one frame (half the time, where a core has nothing else to do), so that two frames
at once are hardly faster than one after the other: a row of its own has it with one. Two virtual processors may be one core (the
processes then stay below 1.9 as well), a clock that falls when both cores work does the same, and any other program takes its part
from the second thread alone: see the load in the result.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np

from benchmarks.kernel_cases import cases
from benchmarks.measure import Report
from benchmarks.streams import LIMITS, coded, slice_of_ct
from engine.codec.base import frame_shape, stored_dtype
from engine.codec.encode import encode_jpeg, encode_png
from engine.codec.registry import decode_frame

Make = Callable[[], Callable[[], object]]
ONE, TWO, PROCESSES = "one thread", "two threads", "two processes"
BURST_S = 0.002  # calls between two looks at the clock, in time


def main(arguments: list[str] | None = None) -> int:
    """0: measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds")
    parser.add_argument("--only", default="", metavar="WORD", help="rows with this word")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    report = Report("threads", "two threads beside one on every decoder, encoder and kernel")
    rounds, seconds = (4, 0.1) if options.quick else (20, 0.25)
    for name, make in work().items():
        if options.only in name:
            row(report, name, make, rounds, seconds)
    missed = [r.name for r in report.rows if r.met() is False]
    print(f"{len(report.rows) - len(missed)} of {len(report.rows)} rows at 1.9 or above", file=sys.stderr)
    report.finish()
    return 0


def work() -> dict[str, Make]:
    """Name → what makes one thread's work, with its own buffers."""
    found: dict[str, Make] = {}
    for stream in coded():

        def decoding(stream: Any = stream) -> Callable[[], object]:
            d, data = stream.descriptor, stream.data
            out = np.empty(frame_shape(d), stored_dtype(d))
            return lambda: decode_frame(d, data, LIMITS, out)

        found[f"decode {stream.name}"] = decoding
        if stream.name == "JPEG 2000":
            found["OpenJPEG alone, with one thread of its own"] = lambda data=stream.data: (
                lambda: imagecodecs.jpeg2k_decode(data, numthreads=1)
            )
    d, native = slice_of_ct()
    values = decode_frame(d, native, LIMITS).stored_values
    grey = (values >> 4).astype(np.uint8)
    found["encode JPEG"] = lambda: lambda: encode_jpeg(grey, 90)
    found["encode PNG"] = lambda: lambda: encode_png(grey)
    for at, one in enumerate(cases(values)):
        found[f"kernel: {one.name}"] = lambda at=at: cases(values)[at].kernel
    return found


def row(report: Report, name: str, make: Make, rounds: int, seconds: float) -> None:
    """Rates of one and of two, in turn."""
    first, second = make(), make()
    calls = _calls(first)
    second()
    samples: dict[str, list[float]] = {TWO: [], ONE: [], PROCESSES: []}
    beside = _Beside(make, calls)
    try:
        for i in range(rounds):
            turns = [
                (ONE, lambda: _rate([first], calls, seconds)),
                (TWO, lambda: _rate([first, second], calls, seconds)),
                (PROCESSES, lambda: beside.rate(first, seconds)),
            ]
            for k in range(3):
                who, turn = turns[(i + k) % 3]
                samples[who].append(turn())
    finally:
        beside.close()
    report.add(name, "/s", samples, subject=TWO, targets={ONE: 1.9})


def _calls(call: Callable[[], object]) -> int:
    """How many calls take `BURST_S`; the first ones compile."""
    call()
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return max(1, int(BURST_S / best))


def _counted(call: Callable[[], object], calls: int, start: float, end: float) -> float:
    """Calls per second between two moments; both threads are at work from before `start` until after `end`."""
    clock, done, first, last = time.perf_counter, 0, 0.0, 0.0
    while True:
        for _ in range(calls):
            call()
        now = clock()
        if now < start:
            continue
        if not first:
            first, done = now, 0
            continue
        done, last = done + calls, now
        if now >= end:
            return done / (last - first)


def _rate(work: list[Callable[[], object]], calls: int, seconds: float) -> float:
    start = time.perf_counter() + 0.02
    end, rates = start + seconds, [0.0] * len(work)

    def run(at: int) -> None:
        rates[at] = _counted(work[at], calls, start, end)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(rates)


class _Beside:
    """A forked process that does the same work when it is told to."""

    def __init__(self, make: Make, calls: int) -> None:
        self._calls = calls
        context = multiprocessing.get_context("fork")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=self._serve, args=(theirs, make, calls), daemon=True)
        self._process.start()

    @staticmethod
    def _serve(pipe: Any, make: Make, calls: int) -> None:
        call = make()
        call()
        while (span := pipe.recv()) is not None:
            pipe.send(_counted(call, calls, *span))

    def rate(self, call: Callable[[], object], seconds: float) -> float:
        start = time.perf_counter() + 0.02  # one clock for all processes of a machine
        span = start, start + seconds
        self._ours.send(span)
        return _counted(call, self._calls, *span) + float(self._ours.recv())

    def close(self) -> None:
        self._ours.send(None)
        self._process.join()


if __name__ == "__main__":
    sys.exit(main())
