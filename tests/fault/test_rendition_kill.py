"""Makers of packs that are killed at any moment, and packs that go while somebody reads them: nothing half, nothing wrong."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from renditions import LIMITS, SERIES, STUDY, Made, as_j2k, ct
from serving import Serving

from engine.archive.archive import Archive
from engine.archive.index import series_key
from engine.archive.renditions.shelf import Shelf
from engine.codec.registry import decode_frame
from engine.codec.rendition import decode_rendition

DEADLINE_S = 60.0
_MAKE = """
import sys
from pathlib import Path
from engine.archive.archive import Archive
from engine.archive.index import series_key
from engine.archive.renditions.shelf import Shelf
from engine.limits import Limits
from engine.metrics import Metrics
from engine.stream.making import SeriesMaker
limits = Limits(rendition_reserve_bytes=1)
archive = Archive.open(Path(sys.argv[1]), limits, mode="read")
shelf = Shelf(archive.path, limits)
maker = SeriesMaker(archive, shelf, limits, Metrics())
print("begun", flush=True)
while True:
    for _ in maker.make("1.2.3", "1.2.3.4", 1):
        pass
    shelf.remove(series_key("1.2.3", "1.2.3.4"))
"""


def assert_sound(made: Made) -> None:
    """Every frame of the pack, if there is one, is the stored one."""
    pack = Shelf(made.archive.path, LIMITS).find(STUDY, SERIES)
    if pack is None:
        return
    for place in range(len(pack)):
        frame, record = pack[place], made.archive.instance(pack.instance_at(place).sop_instance_uid)
        assert pack.is_sound(frame)
        body = made.archive.frame_bytes(record, 0)
        assert record.frame_descriptor is not None
        assert body is not None
        plain = decode_frame(record.frame_descriptor, body, LIMITS).stored_values
        code, photometric = pack.code_stream(frame), frame.photometric_interpretation
        back = decode_rendition(record.frame_descriptor, code, photometric, frame.bits, LIMITS).stored_values
        assert (plain == back).all()


def test_a_maker_killed_at_any_moment_leaves_nothing_half(tmp_path: Path) -> None:
    made = Made.of(tmp_path, *(ct(n, rows=64, columns=64) for n in range(1, 6)))
    moments = random.Random(4)
    for _ in range(8):
        process = subprocess.Popen([sys.executable, "-P", "-c", _MAKE, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(moments.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        process.stdout.close()
        assert_sound(made)
        made.shelf.sweep([series_key(STUDY, SERIES)])
        assert not [name for name in made.files if not name.endswith(".pack")]
    made.make()
    assert_sound(made)
    made.archive.close()


def test_a_server_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    with Serving(tmp_path) as server:
        assert server.store(*(as_j2k(ct(n)) for n in range(1, 40))).status_code == 200
        deadline = time.monotonic() + DEADLINE_S
        packs = tmp_path / "renditions" / "packs"
        while not (packs.is_dir() and any(packs.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.01)
        server.kill()
        server.start()
        while time.monotonic() < deadline and [p.suffix for p in packs.iterdir()] != [".pack"]:
            time.sleep(0.05)
    made = Made(Archive.open(tmp_path, LIMITS))
    assert made.shelf.is_current(made.archive.series(STUDY, SERIES), made.maker.encoder)
    assert_sound(made)
    made.archive.close()


def test_packs_that_go_while_they_are_read(tmp_path: Path) -> None:
    """Deleted, replaced and evicted under a reader: what it has goes on being what it was."""
    made = Made.of(tmp_path, *(ct(n) for n in range(1, 4)))
    made.make()
    pieces = made.pieces()
    before = [bytes(pieces.read(place)) for place in range(3)]
    for go in (
        lambda: made.shelf.remove(series_key(STUDY, SERIES)),
        made.make,
        made.make,
        made.shelf.clear,
        made.make,
    ):
        go()
        assert [bytes(pieces.read(place)) for place in range(3)] == before
        assert bytes(pieces.coarse) == b"".join(
            bytes(pieces.read(n, pieces.frames[n].coarse_pieces - 1)) for n in range(3)
        )
    made.archive.close()


def test_the_folder_may_be_deleted_at_any_moment(tmp_path: Path) -> None:
    made = Made.of(tmp_path, as_j2k(ct(1)), as_j2k(ct(2)))
    steps = made.maker.make(STUDY, SERIES, 1)
    next(steps)
    shutil.rmtree(tmp_path / "renditions")
    with suppress(OSError):  # said by the worker, which makes it again
        list(steps)
    assert made.shelf.find(STUDY, SERIES) is None
    assert not made.pieces().is_complete
    made.make()
    assert made.pieces().is_complete
    made.archive.close()
