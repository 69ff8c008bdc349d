"""Positions by quality, and bytes on the link, over the time of a reader: one picture for each reader and link."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.scroll.figures import seen

if TYPE_CHECKING:
    from benchmarks.readers.__main__ import Wanted
    from benchmarks.readers.cells import Cell

_COLOURS = ("#c62828", "#ef9a9a", "#ffe082", "#a5d6a7", "#2e7d32")
_NAMES = ("no picture", "coarser than 1/4", "1/4", "1/2", "all")
_BINS = 40


def draw(found: Mapping[Wanted, Cell], folder: Path) -> list[Path]:
    """PNG files; needs matplotlib (the extra `bench`)."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    made = []
    for persona, line in dict.fromkeys((want.persona, want.line) for want in found):
        own = [(want, cell) for want, cell in found.items() if (want.persona, want.line) == (persona, line)]
        figure, axes = plt.subplots(
            len(own), 2, figsize=(12, 2.1 * len(own)), squeeze=False, sharex=True, layout="constrained"
        )
        for (want, cell), (left, right) in zip(own, axes, strict=True):
            seconds = cell.log.trace.seconds
            edges = np.linspace(0, seconds, _BINS + 1)
            shares = _shares(cell, edges)
            left.stackplot((edges[:-1] + edges[1:]) / 2, shares.T, colors=_COLOURS, labels=_NAMES)
            left.set(ylim=(0, 1), ylabel=want.strategy)
            at, total = np.array(cell.account).T if len(cell.account) > 1 else (np.zeros(2), np.zeros(2))
            right.plot(at[1:], np.diff(total) / np.maximum(np.diff(at), 1e-3) * 8e-6, linewidth=1)
            right.axhline(cell.log.line.bandwidth * 8e-6, color="grey", linewidth=0.7)
            right.set(xlim=(0, seconds), ylabel="Mbit/s")
        axes[0][0].set_title(f"{own[0][1].log.trace.name}, {line}: share of positions in time")
        axes[0][1].set_title("on the link, to the reader")
        axes[-1][0].legend(loc="lower right", fontsize=7, ncols=5)
        target = folder / f"readers-{_word(persona)}-{_word(line)}.png"
        figure.savefig(target, dpi=90)
        plt.close(figure)
        made.append(target)
    return made


def _shares(cell: Cell, edges: np.ndarray) -> np.ndarray:
    """Of each bin of time, the shares of the five qualities among the visits that began in it (the last known, if none did)."""
    counts = np.zeros((len(edges) - 1, len(_NAMES)))
    for visit in seen(cell.log):
        bin_ = min(int(np.searchsorted(edges, visit.begin, "right")) - 1, len(counts) - 1)
        counts[bin_, _quality(visit.level, visit.levels)] += 1
    for bin_ in range(1, len(counts)):
        if not counts[bin_].any():
            counts[bin_] = counts[bin_ - 1]
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def _quality(level: int, levels: int) -> int:
    if level < 0:
        return 0
    return max(1, len(_NAMES) - (levels - level))


def _word(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text).strip("-")
