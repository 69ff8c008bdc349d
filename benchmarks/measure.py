"""Times alternatives in turn and reports them: median, p99, spread, how many times better; as JSON, a table and a plot.

Traps this module answers: another program that wakes up in the middle must hit all alternatives alike (they run in turn, and
who goes first changes every round); the mean hides the tail (median and p99 are given, and the quartiles); a single ratio
looks more certain than it is (each has a bootstrap interval). It cannot answer a busy machine: the load is recorded instead.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
RATE_UNITS = ("/s", "MB/s", "instances/s", "requests/s")  # more is better; any other unit is a cost


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept of one alternative's samples, in the row's unit. `p99` is a value that occurred: the worst when under 100."""

    count: int
    median: float
    p99: float
    q1: float
    q3: float
    best: float
    worst: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times better the subject's median is than a peer's, with a 95 % interval."""

    times_better: float
    low: float
    high: float


@dataclass(slots=True)
class Row:
    """One thing measured. `missing` says why an alternative has no figures; `target` is the least `times_better` wanted."""

    name: str
    unit: str
    subject: str
    results: dict[str, Summary] = field(default_factory=dict)
    ratios: dict[str, Ratio] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    limit: float | None = None
    note: str = ""
    detail: dict[str, object] = field(default_factory=dict)

    @property
    def is_rate(self) -> bool:
        return self.unit in RATE_UNITS

    def met(self) -> bool | None:
        """Whether the subject reached every target that could be measured; None where there is none."""
        said = [self.ratios[peer].times_better >= least for peer, least in self.targets.items() if peer in self.ratios]
        if self.limit is not None and self.subject in self.results:
            median = self.results[self.subject].median
            said.append(median >= self.limit if self.is_rate else median <= self.limit)
        return all(said) if said else None


def interleave(
    work: Mapping[str, Callable[[int], object]],
    rounds: int = 100,
    *,
    warmup: int = 2,
    repeat: int = 1,
    burst: int = 1,
    seconds_max: float = 60.0,
    rounds_min: int = 5,
    scale: float = 1e3,
) -> dict[str, list[float]]:
    """Call every alternative once a round, who goes first changing each round, and return each one's times.

    Parameters
    ----------
    work : name → function of the round number (0, 1, … behind the warm-up's negative ones), so that inputs can differ
    repeat : calls timed as one, for work of a few microseconds; a sample is their mean
    burst : calls in a row before the next one's turn, each with a number of its own (so `rounds` times `burst` numbers). Of several
        the first is not kept: it pays for waking a server that slept while the others had their turns.
    seconds_max : no round begins after this long once there are `rounds_min`
    scale : 1e3 gives milliseconds, 1e6 microseconds
    """
    names = list(work)
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(-warmup, 0):
        for name in names:
            work[name](i)
    clock, end = time.perf_counter, time.perf_counter() + seconds_max
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for i in range(rounds):
            if i >= rounds_min and clock() > end:
                break
            for k in range(len(names)):
                name = names[(i + k) % len(names)]
                call, kept = work[name], times[name]
                for b in range(i * burst, (i + 1) * burst):
                    start = clock()
                    for _ in range(repeat):
                        call(b)
                    took = clock() - start
                    if burst == 1 or b > i * burst:
                        kept.append(took / repeat * scale)
    finally:
        if collecting:
            gc.enable()
    return times


def summarise(samples: Sequence[float]) -> Summary:
    """Median, p99 (nearest rank, so a value that occurred) and quartiles of at least one sample."""
    a = np.sort(np.asarray(samples, dtype=np.float64))
    if not a.size or not np.isfinite(a).all():
        raise ValueError("no samples, or one that is no number")
    q1, median, q3 = np.percentile(a, (25, 50, 75))
    p99 = a[int(np.ceil(0.99 * a.size)) - 1]
    return Summary(a.size, float(median), float(p99), float(q1), float(q3), float(a[0]), float(a[-1]))


def compare(subject: Sequence[float], peer: Sequence[float], *, is_rate: bool, resamples: int = 1000) -> Ratio:
    """How many times better the subject's median is; the interval is a bootstrap over both (same seed, same answer)."""
    rng = np.random.default_rng(20240517)
    ours, theirs = (np.asarray(s, dtype=np.float64) for s in (subject, peer))

    def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a / b if is_rate else b / a

    medians = [
        np.array([np.median(s[rng.integers(0, s.size, s.size)]) for _ in range(resamples)]) for s in (ours, theirs)
    ]
    low, high = np.percentile(ratio(*medians), (2.5, 97.5))
    return Ratio(float(ratio(np.median(ours), np.median(theirs))), float(low), float(high))


class Report:
    """Rows of one benchmark; printed as they come, written by `finish` to ``benchmarks/results/NAME.{json,txt,png}``."""

    def __init__(self, name: str, about: str = "", *, versions: Mapping[str, str] | None = None) -> None:
        self.name, self.about = name, about
        self.rows: list[Row] = []
        self.versions: dict[str, str] = dict(versions or {})
        self._began, self._load = time.time(), os.getloadavg()[0]

    def add(
        self,
        name: str,
        unit: str,
        samples: Mapping[str, Sequence[float]],
        *,
        subject: str | None = None,
        missing: Mapping[str, str] | None = None,
        targets: Mapping[str, float] | None = None,
        limit: float | None = None,
        note: str = "",
        **detail: object,
    ) -> Row:
        """Add what was measured and print its lines.

        Parameters
        ----------
        unit : of the samples; one of `RATE_UNITS` means more is better
        samples : alternative → samples; an empty one is left out
        subject : whom the others are compared with; the first alternative unless told
        missing : alternative → why it has no samples ("peer not installed")
        targets : peer → the least `times_better` wanted
        limit : what the subject's median must not pass (a rate: must reach)
        """
        subject = subject or next(iter(samples))
        row = Row(name, unit, subject, missing=dict(missing or {}), targets=dict(targets or {}), limit=limit, note=note)
        row.detail = dict(detail)
        names = sorted(samples, key=lambda who: who != subject)  # the subject first, the others as they came
        row.results = {who: summarise(samples[who]) for who in names if len(samples[who])}
        if subject in row.results:
            for who in row.results:
                if who != subject:
                    row.ratios[who] = compare(samples[subject], samples[who], is_rate=row.is_rate)
        self.rows.append(row)
        print(table([row]), flush=True)
        return row

    def finish(self, folder: Path | None = None) -> Path:
        """Write JSON, table and plot; return the JSON's path."""
        folder = folder or RESULTS
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(self.as_json(), indent=1) + "\n")
        (folder / f"{self.name}.txt").write_text(table(self.rows) + "\n")
        plot(self.rows, folder / f"{self.name}.png", self.name)
        print(f"wrote {path.name}, {self.name}.txt, {self.name}.png to {folder}", file=sys.stderr)
        return path

    def as_json(self) -> dict[str, object]:
        """Everything, with what it was measured on."""
        return {
            "name": self.name,
            "about": self.about,
            "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._began)),
            "seconds": round(time.time() - self._began, 1),
            "machine": machine() | {"load_before": self._load, "load_after": os.getloadavg()[0]},
            "versions": packages() | self.versions,
            "rows": [asdict(row) | {"met": row.met()} for row in self.rows],
        }


def rows_from_json(document: Mapping[str, object]) -> list[Row]:
    """The rows of a written report again, for a table or plot made later."""
    rows = []
    for said in document["rows"]:  # type: ignore[attr-defined]
        values = {k: v for k, v in said.items() if k != "met"}
        values["results"] = {who: Summary(**s) for who, s in said["results"].items()}
        values["ratios"] = {who: Ratio(**r) for who, r in said["ratios"].items()}
        rows.append(Row(**values))
    return rows


def number(value: float) -> str:
    """Three significant digits without an exponent."""
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


HEADER = ("what", "who", "n", "median", "p99", "quartiles", "times better (95 %)", "target")


def cells(row: Row) -> list[tuple[str, ...]]:
    """One line for each alternative, as text in the columns of `HEADER`."""
    lines = []
    name = f"{row.name} [{row.unit}]"
    for who, s in row.results.items():
        ratio, target = "", ""
        if who in row.ratios:
            r = row.ratios[who]
            ratio = f"{number(r.times_better)} ({number(r.low)}–{number(r.high)})"
            if who in row.targets:
                target = f"≥ {number(row.targets[who])} {'met' if r.times_better >= row.targets[who] else 'MISSED'}"
        elif who == row.subject and row.limit is not None:
            ok = s.median >= row.limit if row.is_rate else s.median <= row.limit
            target = f"{'≥' if row.is_rate else '≤'} {number(row.limit)} {'met' if ok else 'MISSED'}"
        tail = number(s.p99) if s.count >= 100 else f"{number(s.worst if not row.is_rate else s.best)} (worst)"
        lines.append((name, who, str(s.count), number(s.median), tail, f"{number(s.q1)}–{number(s.q3)}", ratio, target))
        name = ""
    for who, why in row.missing.items():
        lines.append((name, who, "", why, "", "", "", ""))
        name = ""
    return lines


def table(rows: Sequence[Row]) -> str:
    """Aligned plain text."""
    lines = [HEADER, *(line for row in rows for line in cells(row))]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def markdown(rows: Sequence[Row]) -> str:
    """The same as a table for a page."""
    lines = [HEADER, ("---",) * len(HEADER), *(line for row in rows for line in cells(row))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plot(rows: Sequence[Row], path: Path, title: str) -> None:
    """Medians and quartiles of every row, each beside the alternatives; says so and does nothing without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        print("no plot: `pip install matplotlib` (the `bench` extra)", file=sys.stderr)
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in rows if row.results]
    if not rows:
        return
    names = list(dict.fromkeys(who for row in rows for who in row.results))
    figure, axes = pyplot.subplots(len(rows), 1, figsize=(9, 0.9 + 1.0 * len(rows)), squeeze=False)
    for axis, row in zip(axes[:, 0], rows, strict=True):
        for at, (who, s) in enumerate(row.results.items()):
            error = [[s.median - s.q1], [s.q3 - s.median]]
            axis.barh(at, s.median, xerr=error, color=f"C{names.index(who)}", height=0.7, capsize=2)
            ratio = f"   {number(row.ratios[who].times_better)}×" if who in row.ratios else ""
            axis.text(s.median, at, f"  {number(s.median)}{ratio}", va="center", fontsize=7)
        axis.set_yticks(range(len(row.results)), list(row.results), fontsize=7)
        axis.invert_yaxis()
        axis.set_xlim(0, 1.25 * max(s.q3 for s in row.results.values()))
        axis.tick_params(axis="x", labelsize=6)
        axis.set_title(f"{row.name} [{row.unit}{', more is better' if row.is_rate else ''}]", fontsize=8, loc="left")
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def machine() -> dict[str, object]:
    """What the figures depend on and a reader cannot guess."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next(
            (x.split(":", 1)[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), cpu
        )
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def packages() -> dict[str, str]:
    """Versions of what does the work."""
    found = {}
    for name in ("voxcast", "numpy", "numba", "imagecodecs", "pydicom", "aiohttp", "uvloop", "lmdb"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
