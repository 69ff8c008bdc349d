"""What of a fling's notes is told: shares of positions, blanks, lags, how long the page stood still."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

Note = tuple[float, float, float, float]  # ms, position, halvings, halvings that are enough

SOON_MS = 33.4  # two pictures of a screen


def fling(noted: dict[str, Any]) -> dict[str, float]:
    """Of one fling through all slices but the first, a step each.

    Returns
    -------
    dict
        ``drawn``, ``quarter``, ``half``, ``as needed``: shares of the positions that had a picture while the hand passed over
        the series, one of at least a quarter or half of the frame's sides, and the picture that the viewport needs; ``soon``:
        share of the steps whose position, or a later one, was on the screen within `SOON_MS`; ``blank``: pictures of the
        screen without an image; ``blocked``: ms of the longest task; ``exact``: ms from the last step to the exact image, -1
        where it never came.
    """
    steps: list[float] = noted["steps"]
    drawn: list[Note] = [tuple(one) for one in noted["drawn"]]
    times = [one[0] for one in drawn]
    during = [one for one in drawn if steps[0] <= one[0] <= steps[-1] + SOON_MS]
    wanted = range(1, len(steps) + 1)
    shown = {int(at) for _, at, halvings, _ in during if halvings >= 0}
    quarter, half = ({int(at) for _, at, halvings, _ in during if 0 <= halvings <= most} for most in (2, 1))
    fine = {int(at) for _, at, halvings, enough in during if 0 <= halvings <= enough}
    soon = 0
    for position, at in zip(wanted, steps, strict=True):
        behind = bisect_right(times, at + SOON_MS) - 1
        soon += behind >= 0 and drawn[behind][1] >= position and drawn[behind][2] >= 0
    last = len(steps)
    exact = next(
        (t - steps[-1] for t, at, halvings, _ in drawn if t >= steps[-1] and at == last and halvings == 0), -1.0
    )
    if exact < 0 and any(at == last and halvings == 0 for _, at, halvings, _ in during):
        exact = 0.0
    return {
        "drawn": len(shown.intersection(wanted)) / last,
        "quarter": len(quarter.intersection(wanted)) / last,
        "half": len(half.intersection(wanted)) / last,
        "as needed": len(fine.intersection(wanted)) / last,
        "soon": soon / last,
        "blank": float(sum(halvings < 0 for _, _, halvings, _ in during)),
        "blocked": max((took for began, took in noted["blocked"] if began >= steps[0] - took), default=0.0),
        "exact": exact,
    }
