"""Short turns for who answers readers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.server import processor


def turn_ns(thread: int) -> int:
    """What Linux gives a thread at once, as it tells; skips where it does not, or has no turns of one's own."""
    try:
        lines = Path(f"/proc/self/task/{thread}/sched").read_text().splitlines()
    except FileNotFoundError:
        pytest.skip("this kernel has no /proc/PID/sched (CONFIG_SCHED_DEBUG)")
    turns = [int(line.rpartition(":")[2]) for line in lines if line.startswith("se.slice")]
    if not turns:
        pytest.skip("this kernel has no turns that a thread chooses (Linux 6.12)")
    return turns[0]


def test_who_answers_readers_has_short_turns_and_so_have_its_threads() -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(threading.get_native_id())
        begun.set()
        asked.wait(10)

    def work() -> None:
        processor.for_readers()
        one = threading.Thread(target=look)
        one.start()
        one.join()

    begun, asked = threading.Event(), threading.Event()
    thread = threading.Thread(target=work)  # not the one that runs all tests
    thread.start()
    assert begun.wait(10)
    try:
        assert thread.native_id is not None
        assert [turn_ns(thread.native_id), turn_ns(seen[0])] == [processor.TURN_NS] * 2
        assert turn_ns(threading.get_native_id()) != processor.TURN_NS
    finally:
        asked.set()
        thread.join()
