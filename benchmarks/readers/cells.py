"""One reader, one link, one strategy, measured: a cell of the table, and what the link and the server say of the bytes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.links.forwarder import ACCOUNT_S, Entry
from benchmarks.links.namespaces import Namespace
from benchmarks.links.site import Link, LinkSpec
from benchmarks.readers.arrivals import read
from benchmarks.readers.hand import cut
from benchmarks.readers.material import Look, Material
from benchmarks.readers.requesting import DRAWN_END
from benchmarks.readers.server import Served
from benchmarks.scroll.figures import Figures, figures
from benchmarks.scroll.line import MBIT, LineSpec
from benchmarks.scroll.personas import PERSONAS, Trace
from benchmarks.scroll.simulation import Log
from benchmarks.scroll.strategies import SIDE
from engine.stream.supply import Supply

LINKS: dict[str, LinkSpec] = {
    "8 Mbit/s, 40 ms": LinkSpec(8 * MBIT, 0.040),
    "30 Mbit/s, 10 ms": LinkSpec(30 * MBIT, 0.010),
    "30 Mbit/s, 10 ms, 1 % loss": LinkSpec(30 * MBIT, 0.010, 0.01),
    "100 Mbit/s, 5 ms": LinkSpec(100 * MBIT, 0.005),
    "1 Gbit/s, 0.5 ms": LinkSpec(1000 * MBIT, 0.0005),
}
PATIENCE_S = 60.0  # for a reader beyond its seconds


@dataclass(frozen=True, slots=True)
class Strategy:
    """Who asks whom, and how (`reader`)."""

    how: str
    is_static: bool = False
    can_draw: bool = False
    can_stack: bool = True


STRATEGIES: dict[str, Strategy] = {
    "voxcast": Strategy("stream", can_draw=True),
    "cornerstone3D": Strategy("nearest", can_draw=True),
    "cornerstone3D, nginx": Strategy("nearest", is_static=True),
    "sequential": Strategy("in order"),
    "whole series": Strategy("whole"),
    "newest window": Strategy("newest", can_draw=True, can_stack=False),
}


class ReaderFailed(Exception):
    """A reader's process ended badly; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured.

    Attributes
    ----------
    log : of the reader.
    link_bytes : that the link delivered to the reader meanwhile, headers and repeated packets too.
    lost, overflows : packets that the link lost, and that its queue had no room for.
    late_s : the most by which the reader's own process was late with the hand.
    account : seconds of the reader's clock, bytes delivered since its begin; a tenth of a second apart.
    """

    log: Log
    link_bytes: int
    lost: int
    overflows: int
    late_s: float
    account: Sequence[tuple[float, int]]

    def figures(self) -> Figures:
        return figures(self.log, SIDE)


def is_possible(strategy: Strategy, trace: Trace) -> bool:
    """Files are not drawn."""
    return strategy.can_draw if trace.is_drawn else strategy.can_stack


def looked_at(persona: str, material: Material) -> list[Look]:
    """Of each viewport, its series."""
    trace = PERSONAS[persona]()
    if trace.slices == (90,):
        return [material.series["loop"]]
    return [material.series[name] for name, _ in zip(("left", "right"), trace.slices, strict=False)]


def measured(
    link: Link, served: Served, material: Material, persona: str, strategy: Strategy, seconds: float, folder: Path
) -> Cell:
    """Start the reader, wait for its end; raises ReaderFailed."""
    looks = looked_at(persona, material)
    trace = cut(PERSONAS[persona](), seconds)
    viewports = [
        look.job() | {"sizes": [look.supply.size(position) for position in range(look.supply.positions)]}
        for look in looks
    ]
    job = {
        "persona": persona, "seconds": seconds, "how": strategy.how, "is_static": strategy.is_static, "url": served.url,
        "side": SIDE, "viewports": viewports,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "job.json").write_text(json.dumps(job))
    overflows = link.overflows()
    before = _last(link.account())
    run(
        link.reader,
        "benchmarks.readers.reader",
        folder / "job.json",
        folder / "arrivals.json",
        trace.seconds + PATIENCE_S,
    )
    arrivals, began, late_s = read(folder / "arrivals.json")
    time.sleep(2 * ACCOUNT_S)
    account = link.account()
    after = _last(account)
    supplies: list[Supply] = [look.streamed if strategy.how == "stream" else look.supply for look in looks]
    if trace.is_drawn:
        supplies = [Supply.of([(DRAWN_END,)] * s.positions, SIDE, SIDE, is_whole=True, coarse=-1) for s in supplies]
    arrivals = [one for one in arrivals if one.at <= trace.seconds]
    line = LineSpec("", link.spec.rate, link.spec.delay_s, link.spec.loss)
    return Cell(
        Log(trace, line, arrivals, supplies), after.down.bytes - before.down.bytes, after.down.lost - before.down.lost,
        link.overflows() - overflows, late_s, [(one.at - began, one.down.bytes - before.down.bytes) for one in account],
    )  # fmt: skip


def run(where: Namespace, module: str, job: Path, target: Path, seconds_max: float) -> None:
    """A process in a namespace to its end; raises ReaderFailed."""
    command = where.within(sys.executable, "-m", module, str(job), str(target))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds_max)
    except subprocess.TimeoutExpired:
        raise ReaderFailed(f"{module} did not end within {seconds_max:.0f} s") from None
    if done.returncode:
        raise ReaderFailed(f"{module}: {done.stderr.strip()[-800:]}")


def _last(account: list[Entry]) -> Entry:
    if not account:
        raise ReaderFailed("the link's account is empty")
    return account[-1]
