"""What is asked of Linux does what it is asked for, and never more harm than nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.archive.linux import is_cached, read_large

BYTES = 3 * 1024 * 1024 + 1234


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[int]:
    """A file whose pages are not in memory."""
    path = tmp_path / "file"
    path.write_bytes(os.urandom(BYTES))
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    yield fd
    os.close(fd)


def cached(fd: int, at: int, length: int) -> bool:
    return all(is_cached(fd, each) for each in (*range(at, at + length, 4096), at + length - 1))


@pytest.mark.parametrize(("at", "length"), [(0, BYTES), (4095, 2), (1_000_001, 165_000), (BYTES - 70_000, 70_000)])
def test_what_is_read_large_is_in_memory(cold: int, at: int, length: int) -> None:
    read_large(cold, at, length)
    assert cached(cold, at, length)


def test_a_range_that_is_not_there_harms_nobody(cold: int, tmp_path: Path) -> None:
    read_large(cold, BYTES - 10, 1_000_000)
    read_large(cold, 10 * BYTES, 100)
    with (tmp_path / "file").open("r+b") as file:
        file.truncate(100)
    read_large(cold, 0, BYTES)
    write_only = os.open(tmp_path / "file", os.O_WRONLY)
    read_large(write_only, 0, 100)
    os.close(write_only)
    assert os.pread(cold, 1000, 0) == (tmp_path / "file").read_bytes()


def test_where_the_page_cache_cannot_be_asked_nothing_is_in_it(cold: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    read_large(cold, 0, 100)
    assert is_cached(cold, 0)
    monkeypatch.setattr(os, "preadv", refuses)
    assert not is_cached(cold, 0)
