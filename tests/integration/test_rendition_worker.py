"""The process that makes packs: what it makes by itself, what it makes because somebody asks, and what it leaves alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from archives import incoming
from renditions import LIMITS, SERIES, STUDY, Made, as_j2k, ct
from serving import Serving

from engine.archive.index import series_key
from engine.archive.renditions.asking import Asking
from engine.server import rendition_worker
from engine.server.rendition_worker import RenditionWorker
from engine.settings import Settings

DEADLINE_S = 30.0
HTJ2K = 'multipart/related; type="image/jphc"; transfer-syntax=1.2.840.10008.1.2.4.202'


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def working(made: Made, renditions: str = "all") -> Iterator[RenditionWorker]:
    """The worker on a thread of its own, as the process has it."""
    stop = threading.Event()
    settings = Settings(archive=made.archive.path, renditions=renditions, limits=made.limits)
    worker = RenditionWorker(made.archive, settings, made.metrics, stop)
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert not [name for name in made.files if not name.endswith(".pack")]


def is_made(made: Made, series: str = SERIES) -> bool:
    return made.shelf.is_current(made.archive.series(STUDY, series), made.maker.encoder)


def quiet(made: Made) -> None:
    """What the background does once a series is quiet."""
    for study, series, token in made.archive.pending_series():
        made.archive.series_done((series_key(study, series), token))


def test_it_makes_what_was_there_and_what_comes(tmp_path: Path) -> None:
    made = Made.of(tmp_path, ct(1), ct(2))
    with working(made):
        assert until(lambda: is_made(made))
        made.archive.store([incoming(ct(1, series="1.2.3.9"), 5)])
        quiet(made)
        assert until(lambda: is_made(made, "1.2.3.9"))
        made.archive.delete(sop_uid=f"{SERIES}.2")
        assert not is_made(made)
        quiet(made)
        assert until(lambda: is_made(made))
    made.archive.close()


def test_a_restless_series_is_made_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendition_worker, "_RESTLESS_S", 0.3)
    monkeypatch.setattr(rendition_worker, "_PENDING_EVERY_S", 0.05)
    made = Made.of(tmp_path)
    with working(made):
        time.sleep(0.3)  # it has looked through the empty archive
        made.store(ct(1))
        assert until(lambda: is_made(made))
    made.archive.close()


def test_one_that_is_asked_for_is_made_before_the_rest(tmp_path: Path) -> None:
    made = Made.of(tmp_path, ct(1, series="1.2.3.9"), *(ct(n) for n in range(1, 60)))
    order: list[str] = []
    publish = made.shelf.published
    with working(made) as worker:
        worker._shelf.published = lambda size: (order.append(str(size)), publish(size))[1]  # type: ignore[method-assign]
        Asking(tmp_path).ask(STUDY, "1.2.3.9")
        assert until(lambda: is_made(made, "1.2.3.9"))
        assert until(lambda: is_made(made))
    packs = [made.shelf.find(STUDY, series) for series in ("1.2.3.9", SERIES)]
    assert order == [str(pack.size_bytes) for pack in packs if pack is not None]
    assert packs[0] is not None
    assert made.shelf.used_ns(packs[0]) > time.time_ns() - int(DEADLINE_S * 2e9)  # it is in use
    made.archive.close()


def test_only_what_is_asked_for(tmp_path: Path) -> None:
    made = Made.of(tmp_path, ct(1), ct(1, series="1.2.3.9"))
    with working(made, "asked"):
        assert until(lambda: Asking(tmp_path).ask(STUDY, SERIES))
        assert until(lambda: is_made(made))
        quiet(made)
        made.archive.store([incoming(ct(2), 7)])
        quiet(made)
        assert until(lambda: is_made(made))
    assert not is_made(made, "1.2.3.9")
    made.archive.close()


def test_the_newest_get_the_room_and_deleted_ones_are_not_kept(tmp_path: Path) -> None:
    made = Made.of(tmp_path, *(ct(1, series=f"1.2.3.{n}") for n in range(1, 6)))
    size = made.make("1.2.3.1", used_ns=1).size_bytes
    tight = Made(made.archive, replace(LIMITS, rendition_bytes_max=int(size * 3.3)))
    with working(tight):
        assert until(lambda: all(is_made(tight, f"1.2.3.{n}") for n in (3, 4, 5)))
        assert until(lambda: len(tight.files) == 3)
        tight.archive.store([incoming(ct(2, series="1.2.3.9"), 9)])
        quiet(tight)
        assert until(lambda: is_made(tight, "1.2.3.9"))
    assert not is_made(tight, "1.2.3.3")
    made.archive.close()


def test_packs_of_series_that_are_gone_are_swept(tmp_path: Path) -> None:
    made = Made.of(tmp_path, ct(1), ct(1, series="1.2.3.9"))
    made.make()
    made.archive.delete(study_uid=STUDY, series_uid=SERIES)
    packs = tmp_path / "renditions" / "packs"
    (packs / "of-a-maker-that-died.part").write_bytes(b"half")
    with working(made):
        assert until(lambda: is_made(made, "1.2.3.9"))
    assert made.files == [made.shelf.name_of(series_key(STUDY, "1.2.3.9"))]
    made.archive.close()


def test_a_series_that_ends_the_process_again_and_again_is_given_up(tmp_path: Path) -> None:
    made = Made.of(tmp_path, ct(1))
    key = f"{STUDY}\\u0000{SERIES}"
    state = tmp_path / "run" / "renditions.json"
    state.write_text('{"making": null, "deaths": {"' + key + '": 3}}')
    with working(made):
        assert until(lambda: is_made(made))
    pack = made.shelf.find(STUDY, SERIES)
    assert pack is not None
    assert list(pack.reasons()) == [("making it has ended the program 3 times", 1)]
    assert len(made.pieces().frames[0].ends) == 1
    assert not state.exists()
    made.archive.close()


def test_no_memory_of_deaths_is_needed(tmp_path: Path) -> None:
    made = Made.of(tmp_path, ct(1))
    (tmp_path / "run" / "renditions.json").write_text("[]")
    with working(made):
        assert until(lambda: is_made(made))
    made.archive.close()


def test_a_server_makes_and_uses_them(tmp_path: Path) -> None:
    address = f"/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{SERIES}.3"
    with Serving(tmp_path) as server:
        assert server.store(*(as_j2k(ct(n)) for n in range(1, 6))).status_code == 200
        plain = server.get(address + "/rendered", accept="image/png")
        coded = server.get(address + "/frames/1", accept=HTJ2K)
        assert "rendition" not in plain.headers["Server-Timing"]
        packs = tmp_path / "renditions" / "packs"
        assert until(lambda: packs.is_dir() and any(packs.glob("*.pack")))
        other = address.removesuffix("3") + "4"  # no decoded frame of it is kept
        through = server.get(other + "/rendered", accept="image/png")
        assert 'rendition;desc="decoded' in through.headers["Server-Timing"]
        ready = server.get(address + "/frames/1", accept=HTJ2K)
        assert 'rendition;desc="sent' in ready.headers["Server-Timing"]
        assert (ready.content, ready.headers["ETag"]) == (coded.content, coded.headers["ETag"])
        counted = server.get("/metrics").text
        assert "voxcast_renditions_made_total 1" in counted
        assert "voxcast_rendition_frames_made_total 5" in counted
        stored = server.get(address + "/frames/1", accept="*/*")
        assert "rendition" not in stored.headers["Server-Timing"]
        assert server.session.delete(f"{server.url}/api/studies/{STUDY}").status_code == 200
        assert until(lambda: not any(packs.glob("*.pack")))


def test_off_is_off(tmp_path: Path) -> None:
    with Serving(tmp_path, environ={"VOXCAST_RENDITIONS": "off"}) as server:
        server.store(as_j2k(ct(1)))
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert not any(b"rendition_worker" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children)
