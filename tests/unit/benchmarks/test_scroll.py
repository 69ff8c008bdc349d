"""The simulator against lines and readers whose figures are known beforehand."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import pytest

from benchmarks.scroll.figures import figures, seen
from benchmarks.scroll.line import LINES, MBIT, PACKET, Line, LineSpec
from benchmarks.scroll.others import Cornerstone, Latest, Sequential
from benchmarks.scroll.ours import Ours
from benchmarks.scroll.page import with_table
from benchmarks.scroll.personas import PERSONAS, Step, Trace
from benchmarks.scroll.simulation import run
from benchmarks.scroll.strategies import SIDE, supply
from engine.stream.motion import Motion

SLOW = LineSpec("slow", 1_000_000.0, 0.040)


def still(seconds: float = 3.0, slices: int = 20) -> Trace:
    return Trace("still", (slices,), (Step(0.0, 0, 7),), seconds)


def test_a_line_carries_its_bandwidth_after_its_delay() -> None:
    line = Line(SLOW)
    assert line.send(100_000, 1.0) == pytest.approx(1.14)
    assert line.send(100_000, 1.0) == pytest.approx(1.24)
    assert line.waiting(1.1) == pytest.approx(100_000)
    assert line.send(1, 9.0) == pytest.approx(9.040001)


def test_a_lost_packet_holds_up_what_is_behind_it() -> None:
    lossy = Line(LineSpec("lossy", 30 * MBIT, 0.010, 0.01))
    arrivals = [lossy.send(PACKET, index * 0.01) - index * 0.01 for index in range(5000)]
    late = sum(arrival > 0.012 for arrival in arrivals)
    assert 0.005 < late / 5000 < 0.05
    assert arrivals == [line.send(PACKET, i * 0.01) - i * 0.01 for line in [Line(lossy.spec)] for i in range(5000)]


def test_one_frame_takes_a_round_trip_and_its_bytes() -> None:
    size = supply(still(), 0).size(7)
    found = figures(run(still(), SLOW, Latest(still(), SIDE)))
    assert found.exact_ms_p50 == pytest.approx(80 + size / 1000, abs=1)
    assert found.megabytes == pytest.approx(size / 1e6)
    assert found.first_ms_p50 == found.exact_ms_p50, "whole frames are shown whole"


def test_ours_shows_something_sooner_and_all_as_soon() -> None:
    size = supply(still(), 0).size(7)
    found = figures(run(still(), SLOW, Ours(still(), SIDE)))
    assert found.first_ms_p50 < 90
    assert found.exact_ms_p50 < 80 + 1.5 * size / 1000 + 80, "the credit grows within two round trips"


def test_every_strategy_ends_with_the_whole_series() -> None:
    trace = still(30.0)
    whole = sum(supply(trace, 0).size(position) for position in range(20))
    for kind in (partial(Ours, is_approximate=False), Cornerstone, Sequential):
        found = figures(run(trace, SLOW, kind(trace, SIDE)))
        assert found.megabytes * 1e6 == pytest.approx(whole), kind
    # An approximate beginning is no part of the exact bytes behind it, and small.
    assert whole < figures(run(trace, SLOW, Ours(trace, SIDE))).megabytes * 1e6 < 1.03 * whole


@pytest.mark.parametrize("name", sorted(PERSONAS))
def test_a_trace_is_the_same_every_time_and_stays_in_its_series(name: str) -> None:
    trace = PERSONAS[name]()
    assert trace == PERSONAS[name]()
    assert all(0 <= step.position < trace.slices[step.viewport] for step in trace.steps)
    assert [step.at for step in trace.steps] == sorted(step.at for step in trace.steps)
    assert trace.steps[-1].at < trace.seconds


def test_the_targets_at_60_slices_a_second() -> None:
    """100 Mbit/s: 99.9 % have a picture, 95 % what the viewport needs; 30 Mbit/s: 99 % have a quarter. Passed by: at most 10 %."""
    trace = PERSONAS["steady"]()
    by_name = {line.name: line for line in LINES}
    fast = figures(run(trace, by_name["100 Mbit/s, 5 ms"], Ours(trace, SIDE)))
    assert fast.picture >= 0.999
    assert fast.needed >= 0.95
    slow = figures(run(trace, by_name["30 Mbit/s, 10 ms"], Ours(trace, SIDE)))
    assert slow.quarter >= 0.99
    assert slow.stale <= 0.1
    assert slow.exact_over_ms_worst <= 10


def test_the_velocity_of_a_hand() -> None:
    motion = Motion()
    assert motion.moved(10, 0.0) == 0
    assert [round(motion.moved(10 + k, k / 60)) for k in range(1, 8)] == [60] * 7
    assert motion.pause == pytest.approx(0.02)
    assert motion.moved(16, 8 / 60) == pytest.approx(-60)
    assert motion.direction == -1
    assert motion.moved(15, 2.0) == 0, "after a pause it begins anew"
    assert motion.moved(900, 2.1) == 0, "a jump has no velocity"
    assert motion.moved(910, 2.12) == pytest.approx(500), "a second step as long is a quick hand"


def test_what_was_seen_of_each_visit_adds_up_to_the_shares() -> None:
    log = run(PERSONAS["jump"](), SLOW, Ours(PERSONAS["jump"](), SIDE))
    visits, found = seen(log), figures(log)
    assert len(visits) == found.visits
    assert sum(visit.level >= 0 for visit in visits) / len(visits) == pytest.approx(found.picture)
    assert sum(visit.level >= visit.levels - 3 for visit in visits) / len(visits) == pytest.approx(found.quarter)


def test_a_trace_without_a_look_has_no_time_until_it_is_exact() -> None:
    trace = Trace("passing", (20,), tuple(Step(at / 10, 0, at) for at in range(20)), 2.0)
    found = figures(run(trace, SLOW, Ours(trace, SIDE)))
    assert (found.exact_ms_p50, found.exact_ms_worst) == (0.0, 0.0)
    assert found.visits == 20


def test_the_table_stands_between_its_marks() -> None:
    rows = [{"reader": "r", "line": "l", "strategy": "s"} | asdict(figures(run(still(), SLOW, Ours(still(), SIDE))))]
    page = with_table("before\n<a>\nold\n<b>\nafter", rows, "<a>", "<b>")
    assert page.startswith("before\n<a>\n| reader |")
    assert page.endswith("%% |\n<b>\nafter".replace("%%", "%"))
    assert "old" not in page
    with pytest.raises(ValueError, match="no place"):
        with_table("nothing", rows, "<a>", "<b>")
