"""Small C++ programs of the benchmarks, compiled once for each version of their source."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from pathlib import Path

from benchmarks.links.namespaces import CannotLink

_BUILD = Path(__file__).parents[2] / "build" / "links"


def compiled(source: Path) -> Path:
    """The program; compiled when it is not there or its source is another.

    Raises
    ------
    CannotLink : no C++ compiler, or it refuses.
    """
    target = _BUILD / f"{source.stem}-{hashlib.sha256(source.read_bytes()).hexdigest()[:16]}"
    if target.exists():
        return target
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise CannotLink(f"there is no C++ compiler for {source.name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    command = [compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", "-o", str(part), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise CannotLink(f"{source.name} does not compile: {done.stderr[-500:]}")
    part.rename(target)
    return target
