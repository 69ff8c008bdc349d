"""A series is read in few pieces, once, and not when it is in memory."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

import pytest
from archives import LIMITS, incoming
from data import make_instance

from engine.archive import reading
from engine.archive.archive import Archive
from engine.archive.sweep import sweep

BYTES = 5 * 1024 * 1024


def test_places_beside_each_other_are_one_range_and_what_is_in_memory_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(BYTES))
    with FileIO(path) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        near = [(file, 600_000 - i * 50_000, 49_000) for i in range(10)]
        assert sweep([*near, (file, 4_000_000, 500_000)]) == 2
        assert sweep([*near, (file, 4_000_000, 500_000)]) == 0
        assert os.preadv(file.fileno(), [bytearray(459_000)], 150_000, os.RWF_NOWAIT) == 459_000


@pytest.mark.parametrize("bytes_max", [BYTES, 100])
def test_a_series_is_swept_unless_it_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bytes_max: int
) -> None:
    monkeypatch.setattr(reading, "SWEEP_BYTES_MAX", bytes_max)
    archive = Archive.open(tmp_path, LIMITS)
    for i in range(1, 6):
        archive.store([incoming(make_instance(f"1.2.3.4.{i}", number=i, rows=200, columns=200), i)])
    series = archive.series("1.2.3", "1.2.3.4")
    segments = list((tmp_path / "segments").glob("*.tar"))
    for path in segments:
        with FileIO(path) as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert archive.sweep(series) == (len(segments) if bytes_max == BYTES else 0)
    archive.close()
