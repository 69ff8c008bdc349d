"""Kernels are compiled when a server starts where no `voxcast warmup` was: a wheel's first start, or another processor."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from engine.imaging.warmup import cache_folder, is_warm

_LOG = logging.getLogger(__name__)


def keep_kernels_below(run_folder: Path) -> None:
    """Give numba a folder of the archive in this process and those that it starts, where there is no other to be written to."""
    if cache_folder() is None:
        os.environ["NUMBA_CACHE_DIR"] = str(run_folder / "kernels")


def begin_warmup() -> subprocess.Popen[bytes] | None:
    """Compile what is not compiled in a process of its own (20 s, 150 MB); None where there is nothing to do."""
    if cache_folder() is None or is_warm():
        return None
    _LOG.info("compiling kernels into %s", cache_folder())
    command = [sys.executable, "-P", "-m", "engine.imaging.warmup"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def end_warmup(process: subprocess.Popen[bytes]) -> None:
    """What was compiled is kept; the rest is for the next start."""
    process.terminate()
    process.wait()
