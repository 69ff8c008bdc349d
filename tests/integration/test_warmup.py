"""A server's first start compiles kernels in the background, and leaves nothing behind when it is stopped meanwhile."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from serving import Serving

from engine.server.kernels import begin_warmup, keep_kernels_below


def compiling(folder: Path) -> list[int]:
    """Processes that compile into a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            wanted = f"NUMBA_CACHE_DIR={folder}".encode()
            is_ours = wanted in (process / "environ").read_bytes().split(b"\0")
            if is_ours and b"engine.imaging.warmup" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


def test_the_first_start_compiles_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache))
    with Serving(tmp_path / "archive") as server:
        deadline = time.monotonic() + 60
        while len(list(cache.rglob("*.nbc"))) < 2:
            assert time.monotonic() < deadline, server.said()
            time.sleep(0.1)
        (pid,) = compiling(cache)
        assert os.getpriority(os.PRIO_PROCESS, pid) >= 10
        assert server.get("/readyz").status_code == 200
    assert not compiling(cache)


def test_a_warm_start_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.imaging import warmup

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    warmup._remember()
    assert begin_warmup() is None


def test_without_any_folder_kernels_are_kept_in_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.server import kernels

    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr(kernels, "cache_folder", lambda: tmp_path)
    keep_kernels_below(tmp_path / "run")
    assert os.environ["NUMBA_CACHE_DIR"] == ""
    monkeypatch.setattr(kernels, "cache_folder", lambda: None)
    keep_kernels_below(tmp_path / "run")
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "run" / "kernels")
