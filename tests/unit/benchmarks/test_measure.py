"""The statistics of the benchmarks: what is summed up, which way a ratio goes, what a report says and keeps."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import measure
from benchmarks.measure import Report, compare, interleave, rows_from_json, summarise, table


def test_a_summary_of_known_numbers() -> None:
    s = summarise([float(i) for i in range(200, 0, -1)])
    assert (s.count, s.best, s.worst) == (200, 1, 200)
    assert s.median == 100.5
    assert (s.q1, s.q3) == (50.75, 150.25)
    assert s.p99 == 198  # nearest rank: 99 % of 200 values are not above it, and it occurred
    assert summarise([3.0]).p99 == 3
    assert summarise([1.0, 9.0]).p99 == 9


@pytest.mark.parametrize("samples", [[], [1.0, float("nan")], [float("inf")]])
def test_no_summary_of_nothing(samples: list[float]) -> None:
    with pytest.raises(ValueError, match="no samples"):
        summarise(samples)


def test_a_ratio_says_how_many_times_better_the_subject_is() -> None:
    rng = np.random.default_rng(1)
    fast, slow = rng.normal(2, 0.1, 200), rng.normal(8, 0.4, 200)
    cost, rate = compare(fast, slow, is_rate=False), compare(fast, slow, is_rate=True)
    assert cost.low < cost.times_better < cost.high
    assert cost.times_better == pytest.approx(np.median(slow) / np.median(fast))
    assert rate.times_better == pytest.approx(np.median(fast) / np.median(slow))
    assert cost.low < 4 < cost.high
    assert (cost.high - cost.low) < 0.4
    assert compare(fast, slow, is_rate=False) == cost


def test_the_interval_is_wide_when_samples_differ() -> None:
    rng = np.random.default_rng(2)
    steady, wild = rng.normal(5, 0.05, 30), rng.uniform(1, 9, 30)
    calm, shaky = compare(steady, steady, is_rate=False), compare(steady, wild, is_rate=False)
    assert shaky.high - shaky.low > 5 * (calm.high - calm.low)


def test_alternatives_run_in_turn_and_who_begins_changes() -> None:
    calls: list[tuple[str, int]] = []
    work = {name: (lambda i, name=name: calls.append((name, i))) for name in "abc"}  # type: ignore[misc]
    times = interleave(work, 3, warmup=1)
    assert [c for c in calls if c[1] < 0] == [("a", -1), ("b", -1), ("c", -1)]
    assert calls[3:] == [(n, i) for i, order in enumerate(("abc", "bca", "cab")) for n in order]
    assert {name: len(t) for name, t in times.items()} == {"a": 3, "b": 3, "c": 3}
    assert gc.isenabled()


def test_repeated_calls_are_one_sample() -> None:
    calls: list[int] = []
    assert len(interleave({"a": calls.append}, 2, warmup=0, repeat=10)["a"]) == 2
    assert calls == [0] * 10 + [1] * 10


def test_the_first_call_of_a_burst_is_not_kept() -> None:
    calls: list[tuple[str, int]] = []
    work = {name: (lambda i, name=name: calls.append((name, i))) for name in "ab"}  # type: ignore[misc]
    times = interleave(work, 2, warmup=0, burst=3)
    turns = (("a", 0, 3), ("b", 0, 3), ("b", 3, 6), ("a", 3, 6))
    assert calls == [(name, i) for name, first, end in turns for i in range(first, end)]
    assert {name: len(t) for name, t in times.items()} == {"a": 4, "b": 4}


def test_a_measurement_ends_in_time_and_leaves_collection_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10_000))
    monkeypatch.setattr(measure.time, "perf_counter", lambda: float(next(now)))
    times = interleave({"a": lambda i: None}, 1000, warmup=0, seconds_max=20.0, rounds_min=2, scale=1.0)
    assert set(times["a"]) == {1.0}
    assert 2 <= len(times["a"]) < 20

    def fail(i: int) -> None:
        raise KeyError(i)

    with pytest.raises(KeyError):
        interleave({"a": fail}, 1, warmup=0)
    assert gc.isenabled()


@pytest.fixture
def report() -> Report:
    made = Report("x", "about", versions={"peer": "1.2"})
    made.add("time", "ms", {"us": [1.0, 1.0, 2.0], "peer": [4.0, 4.0, 5.0]}, targets={"peer": 3.0}, note="said", n=3)
    made.add("rate", "instances/s", {"us": [900.0], "peer": []}, missing={"other": "peer not installed"}, limit=1000.0)
    made.add("size", "MB", {"us": [150.0]}, limit=200.0)
    return made


def test_targets_and_limits(report: Report) -> None:
    time, rate, size = report.rows
    assert time.met() is True
    assert rate.met() is False  # more would be better, and it is less than the limit
    assert size.met() is True
    time.targets = {"peer": 4.5}
    assert time.met() is False
    time.targets = {"absent": 4.5}
    assert time.met() is None


def test_the_table_says_all_of_it(report: Report) -> None:
    text = table(report.rows)
    assert "4 (2–5)" in text or "4 (2–4)" in text
    for words in ("≥ 3 met", "peer not installed", "≥ 1 000 MISSED", "≤ 200 met", "900 (worst)"):
        assert words in text
    lines = measure.markdown(report.rows).splitlines()
    assert {line.count("|") for line in lines} == {9}
    assert len(lines) == 2 + 2 + 2 + 1


def test_the_subject_stands_first() -> None:
    row = Report("x").add("time", "ms", {"b": [1.0], "us": [1.0], "a": [2.0]}, subject="us")
    assert list(row.results) == ["us", "b", "a"]
    assert list(row.ratios) == ["b", "a"]


def test_a_report_is_kept_whole(report: Report, tmp_path: Path) -> None:
    document = json.loads(report.finish(tmp_path).read_text())
    assert rows_from_json(document) == report.rows
    assert [row["met"] for row in document["rows"]] == [True, False, True]
    assert document["versions"]["peer"] == "1.2"
    assert document["machine"]["cores"] >= 1
    assert (tmp_path / "x.txt").read_text().rstrip("\n") == table(report.rows)


def test_a_plot_is_made(report: Report, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="a plot needs the `bench` extra")
    measure.plot(report.rows, tmp_path / "x.png", "title")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (2.0, "2"), (99.94, "99.9"), (345.6, "346"), (12345.6, "12 346"), (0.0, "0")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert measure.number(value) == text
