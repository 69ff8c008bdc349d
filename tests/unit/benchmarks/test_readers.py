"""The readers of benchmarks/readers against a real server on loopback: whatever the way, they note all of what there is."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from renditions import SERIES, STUDY, ct
from serving import Serving

from benchmarks.readers import opener, reader, seats
from benchmarks.readers.arrivals import read
from benchmarks.readers.cells import Cell, ReaderFailed, run
from benchmarks.readers.hand import cut, said_of
from benchmarks.readers.requesting import BadAnswer
from benchmarks.readers.rows import Wanted, about, merged, read_rows, row
from benchmarks.readers.streaming import BadStream
from benchmarks.scroll.line import LineSpec
from benchmarks.scroll.ours import Ours
from benchmarks.scroll.personas import PERSONAS, Step, Trace, fling
from benchmarks.scroll.simulation import run as run_simulated
from engine.archive.archive import Archive
from engine.archive.renditions.shelf import Shelf
from engine.archive.renditions.supply import pieces
from engine.ingest.accept import Acceptor
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.making import SeriesMaker
from engine.types import Source

COUNT = 8
LIMITS = Limits(rendition_reserve_bytes=1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, list[int]]]:
    """A series with its pack, and the bytes of its frames' code streams."""
    path = tmp_path_factory.mktemp("readers") / "archive"
    archive = Archive.open(path, LIMITS)
    acceptor, shelf = Acceptor(archive, LIMITS), Shelf(path, LIMITS)
    for waiting in [acceptor.submit(ct(number), Source("import", "test")) for number in range(1, COUNT + 1)]:
        waiting.result(30)
    acceptor.close()
    for _ in SeriesMaker(archive, shelf, LIMITS, Metrics()).make(STUDY, SERIES, 1):
        pass
    sizes = [frame.ends[-1] for frame in pieces(archive, shelf, STUDY, SERIES).frames]
    archive.close()
    with Serving(path, "--workers", "1") as server:
        assert server.get(f"/dicom-web/studies/{STUDY}/series/{SERIES}/rendered", "image/jpeg").ok  # codecs are loaded
        yield server, sizes


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A persona that looks at the middle for a second, and then at the next slice."""
    trace = Trace("still", (COUNT,), (Step(0.0, 0, 4), Step(1.0, 0, 5)), 1.5)
    monkeypatch.setitem(PERSONAS, "still", lambda: trace)
    drawn = Trace("drawn", (COUNT,), (Step(0.0, 0, 4), Step(1.0, 0, 4, 1)), 2.5, is_drawn=True)
    monkeypatch.setitem(PERSONAS, "drawn", lambda: drawn)


def job(server: Serving, sizes: list[int], **more: Any) -> dict[str, Any]:
    frames = [(f"{SERIES}.{number}", 1) for number in range(1, COUNT + 1)]
    series = {"name": "x", "study": STUDY, "series": SERIES, "frames": frames, "sizes": sizes}
    known = {
        "persona": "still",
        "seconds": 9.0,
        "is_static": False,
        "url": server.url,
        "side": 512,
        "viewports": [series],
    }
    return known | more


def arrived(folder: Path, told: dict[str, Any]) -> dict[int, int]:
    """Position → the most that could be shown of it."""
    (folder / "job.json").write_text(json.dumps(told))
    assert reader.main([str(folder / "job.json"), str(folder / "arrivals.json")]) == 0
    found: dict[int, int] = {}
    for arrival in read(folder / "arrivals.json")[0]:
        for position, end in enumerate(arrival.parcel.ends, arrival.parcel.position):
            found[position] = max(found.get(position, 0), end)
    return found


@pytest.mark.parametrize("how", ["stream", "nearest", "in order", "whole"])
def test_a_reader_that_waits_has_every_slice(served: tuple[Serving, list[int]], tmp_path: Path, how: str) -> None:
    server, sizes = served
    assert arrived(tmp_path, job(server, sizes, how=how)) == dict(enumerate(sizes))


def test_a_reader_of_drawn_pictures_asks_for_the_newest_window(
    served: tuple[Serving, list[int]], tmp_path: Path
) -> None:
    server, sizes = served
    assert arrived(tmp_path, job(server, sizes, how="newest", persona="drawn")) == {4: 1000}
    rows = [arrival.parcel.series for arrival in read(tmp_path / "arrivals.json")[0]]
    assert rows == [(0, 0), (0, 1)]


def test_a_session_that_has_pictures_drawn_gets_each_window(served: tuple[Serving, list[int]], tmp_path: Path) -> None:
    server, sizes = served
    found = arrived(tmp_path, job(server, sizes, how="stream", persona="drawn"))
    assert found == dict.fromkeys(range(2, 7), 1000), "the shown one, and two on either side when the hand rests"
    shown = [one.parcel.series for one in read(tmp_path / "arrivals.json")[0] if one.parcel.position == 4]
    assert shown == [(0, 0), (0, 1)]


def test_the_table_is_measured_a_part_at_a_time(tmp_path: Path) -> None:
    trace = PERSONAS["jump"]()
    log = run_simulated(cut(trace, 2.0), LineSpec("", 1e6, 0.01), Ours(trace, 512))
    cell = Cell(log, 0, 0, 0, 0.001, [])
    lines, strategies = ("8 Mbit/s, 40 ms", "100 Mbit/s, 5 ms"), ("voxcast", "sequential")
    wanted = [Wanted("jump", line, strategy) for line in lines for strategy in strategies]
    first = [row(want, cell, 20.0, 0.5) for want in reversed(wanted)]
    again = row(wanted[1], cell, 8.0, 0.25)
    rows = merged(first, [again])
    assert [(one["line"], one["strategy"]) for one in rows] == [(want.line, want.strategy) for want in wanted]
    assert rows[1] is again
    (tmp_path / "rows.json").write_text(json.dumps({"rows": rows}))
    assert merged(read_rows(tmp_path / "rows.json"), []) == rows
    assert read_rows(tmp_path / "none.json") == []
    assert about(rows).startswith(
        "Measured over the first 8 or 20 s of each trace; load of the machine before it: 0.2 to 0.5;"
    )
    with pytest.raises(ValueError, match="measured again"):
        merged([{name: value for name, value in again.items() if name != "late"}], [])
    with pytest.raises(ValueError, match="no such row"):
        merged([dict(again) | {"line": "a string between tins"}], [])


def test_a_series_that_is_not_there_ends_the_reader(served: tuple[Serving, list[int]], tmp_path: Path) -> None:
    server, sizes = served
    for how, error in (("stream", BadStream), ("nearest", BadAnswer), ("whole", BadAnswer)):
        told = job(server, sizes, how=how)
        told["viewports"][0]["series"] = "1.2.9"
        with pytest.raises(error):
            arrived(tmp_path, told)


def test_an_opener_waits_for_all_it_is_told(served: tuple[Serving, list[int]], tmp_path: Path) -> None:
    server, sizes = served
    ends = [[1, size // 2, size] for size in sizes]
    told = {"url": server.url, "study": STUDY, "series": SERIES, "side": 512, "position": 3, "ends": ends, "rounds": 2}
    for spread, last in (("around", "whole first frame"), ("volume", "every slice, all of it")):
        (tmp_path / "job.json").write_text(json.dumps(told | {"spread": spread}))
        assert opener.main([str(tmp_path / "job.json"), str(tmp_path / "times.json")]) == 0
        times = json.loads((tmp_path / "times.json").read_text())
        assert {len(values) for values in times.values()} == {2}
        assert all(first <= end for first, end in zip(times["first picture"], times[last], strict=True))


def seated(served: tuple[Serving, list[int]], folder: Path, series: str) -> subprocess.CompletedProcess[str]:
    address = urlsplit(served[0].url)
    assert address.hostname is not None and address.port is not None
    seats.program()
    begin_at = time.monotonic() + 1.0
    command = seats.command(
        address.hostname, address.port, STUDY, series, 512, folder / "job", folder / "seated", begin_at
    )
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_several_seats_have_a_session_each(served: tuple[Serving, list[int]], tmp_path: Path) -> None:
    server, sizes = served
    readers = [Trace("still", (COUNT,), (Step(0.0, 0, at), Step(0.3, 0, at + 1)), 0.8) for at in (0, 2, 4)]
    seats.write_job(tmp_path / "job", readers)
    assert seated(served, tmp_path, SERIES).stderr == ""
    found = seats.read_seats(tmp_path / "seated", readers)
    assert len(found) == 3
    assert {sum(size for *_, size in seat.arrivals.rows) for seat in found} == {sum(sizes)}, (
        "each has all of the series"
    )
    assert all(0 <= seat.late_s < 5 for seat in found)
    counted = float(server.get("/metrics").text.partition("\nvoxcast_stream_bytes_total ")[2].split()[0])
    assert counted >= 3 * sum(sizes)
    whole = (tmp_path / "seated").read_bytes()
    (tmp_path / "seated").write_bytes(whole[:-1])
    with pytest.raises(BadStream, match="cut"):
        seats.read_seats(tmp_path / "seated", readers)


def test_a_seat_without_its_series_ends_the_program(served: tuple[Serving, list[int]], tmp_path: Path) -> None:
    seats.write_job(tmp_path / "job", [Trace("still", (COUNT,), (Step(0.0, 0, 1),), 5.0)])
    done = seated(served, tmp_path, "1.2.9")
    assert done.returncode == 1 and "SeriesNotFound" in done.stderr


class Noting(Ours):
    """Notes what the hand says in simulated time."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace, 512)
        self.heard: list[tuple[float, int, float, int]] = []

    def moved(self, step: Step, velocity: float, direction: int, now: float) -> list[object]:
        self.heard.append((now, step.position, velocity, direction))
        return []


@pytest.mark.parametrize("seed", [1, 2])
def test_what_a_hand_says_is_known_beforehand(seed: int) -> None:
    trace = cut(fling(seed), 6.0)
    noting = Noting(trace)
    run_simulated(trace, LineSpec("", 1e6, 0.01), noting)
    said = [(one.at, one.step.position, one.velocity, one.direction) for one in said_of(trace)]
    assert [one[1:] for one in said] == [one[1:] for one in noting.heard]
    assert [at for at, *_ in said] == pytest.approx([at for at, *_ in noting.heard])
    assert any(velocity == 0 for _, _, velocity, _ in said[1:]) and len(said) > 50


def test_a_reader_that_fails_says_why(tmp_path: Path) -> None:
    class Here:
        def within(self, *command: str) -> list[str]:
            return list(command)

    with pytest.raises(ReaderFailed, match="No such file"):
        run(Here(), "benchmarks.readers.reader", tmp_path / "none.json", tmp_path / "out.json", 60)  # type: ignore[arg-type]


def test_plots_are_drawn_of_what_was_measured(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is in the extra `bench`")
    from benchmarks.readers.__main__ import Wanted
    from benchmarks.readers.plots import draw

    trace = Trace("still", (20,), (Step(0.0, 0, 4), Step(1.0, 0, 5)), 2.0)
    line = LineSpec("", 1e6, 0.01)
    account = [(0.1 * at, 100_000 * at) for at in range(20)]
    cell = Cell(run_simulated(trace, line, Ours(trace, 512)), 2_000_000, 0, 0, 0.0, account)
    [made] = draw({Wanted("search", "8 Mbit/s, 40 ms", "voxcast"): cell}, tmp_path)
    assert made.read_bytes().startswith(b"\x89PNG")
    assert made.stat().st_size > 5000
