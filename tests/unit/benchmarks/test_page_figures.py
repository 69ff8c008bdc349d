"""What is told of a fling, from notes made by hand."""

from __future__ import annotations

from benchmarks.page.figures import fling


def test_a_fling_that_is_followed() -> None:
    steps = [100.0, 120.0, 140.0, 160.0]
    drawn = [
        [105.0, 1, 2, 0],
        [125.0, 2, 0, 0],
        [145.0, 3, -1, 0],
        [150.0, 3, 1, 1],
        [170.0, 4, 2, 0],
        [400.0, 4, 0, 0],
    ]
    assert fling({"steps": steps, "drawn": drawn, "blocked": [[90.0, 60.0], [20.0, 500.0], [0.0, 5.0]]}) == {
        "drawn": 1.0,
        "quarter": 1.0,
        "half": 0.5,
        "as needed": 0.5,
        "soon": 1.0,
        "blank": 1.0,
        "blocked": 500.0,
        "exact": 240.0,
    }


def test_one_that_hangs_behind() -> None:
    steps = [100.0, 120.0, 140.0, 160.0]
    found = fling({"steps": steps, "drawn": [[115.0, 1, 0, 0], [185.0, 4, 0, 0]], "blocked": []})
    assert (found["drawn"], found["soon"], found["blocked"]) == (0.5, 0.5, 0.0)
    assert found["exact"] == 25.0
    assert fling({"steps": steps, "drawn": [[90.0, 0, 0, 0]], "blocked": []})["exact"] == -1.0
