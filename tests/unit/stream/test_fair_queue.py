"""Turns by weight: the bound of start-time fair queueing, and what sleepers may ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.stream.fairness import FairQueue

flows = st.lists(
    st.tuples(st.floats(0.1, 10), st.lists(st.integers(1, 1000), min_size=1, max_size=5)), min_size=2, max_size=6
)


@given(flows, st.integers(1, 300))
def test_two_that_always_want_differ_by_one_turn_each(given_flows: list[tuple[float, list[int]]], turns: int) -> None:
    queue, got = FairQueue(), [0] * len(given_flows)
    for key, (weight, _) in enumerate(given_flows):
        queue.add(key, weight)
        queue.wake(key)
    for turn in range(turns):
        key = queue.first()
        assert isinstance(key, int)
        costs = given_flows[key][1]
        cost = costs[turn % len(costs)]
        queue.charge(key, cost)
        got[key] += cost
        for i, (weight_i, costs_i) in enumerate(given_flows):
            for j, (weight_j, costs_j) in enumerate(given_flows):
                bound = max(costs_i) / weight_i + max(costs_j) / weight_j
                assert abs(got[i] / weight_i - got[j] / weight_j) <= bound * (1 + 1e-9)


def test_who_slept_has_saved_nothing_and_waits_for_nobody() -> None:
    queue = FairQueue()
    for key in "ab":
        queue.add(key)
    queue.wake("a")
    for _ in range(100):
        assert queue.first() == "a"
        queue.charge("a", 10)
    queue.wake("b")
    turns = []
    for _ in range(6):
        key = queue.first()
        assert isinstance(key, str)
        turns.append(key)
        queue.charge(key, 10)
    assert sorted(turns) == ["a", "a", "a", "b", "b", "b"]


def test_nobody_is_first_when_all_sleep() -> None:
    queue = FairQueue()
    queue.add("a")
    assert queue.first() is None
    queue.wake("a")
    queue.wake("a")
    assert queue.first() == "a"
    queue.sleep("a")
    assert queue.first() is None
    queue.wake("a")
    queue.remove("a")
    assert queue.first() is None
    with pytest.raises(ValueError, match="above 0"):
        queue.add("b", 0)
