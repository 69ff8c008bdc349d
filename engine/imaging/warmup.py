"""Compiles every kernel for the usual types into numba's cache, so that no process waits for a compiler at its first picture.

`voxcast warmup` does it, `make` runs that, and a server's background process runs this module where it was not done
(a wheel's first start). Importable without numba and numpy, which only `warm_kernels` loads.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_KERNELS = Path(__file__).parent / "kernels"
_PACKAGE = _KERNELS / "__pycache__"
_STAMP = "voxcast-kernels.json"


@dataclass(frozen=True, slots=True)
class WarmKernel:
    """One kernel for one type of its first argument. `is_compiled`: now; else it came from the cache."""

    name: str
    kind: str
    is_compiled: bool
    seconds: float


def warm_kernels(tell: Callable[[WarmKernel], None] = lambda _: None) -> list[WarmKernel]:
    """Compile, or load from the cache, every kernel for every usual type, and remember that it was done. Any thread.

    Some 20 s with nothing in the cache, half a second with all of it, and 100 MB that stay: for a process of its own.
    Where the package is another user's, who has done it, what lies there is copied: numba reads no folder that it cannot write to.
    """
    import pkgutil

    import numpy as np

    from engine.imaging import kernels
    from engine.imaging.kernels.typed import TypedKernel

    done, seen = [], set()
    _take_over()
    for info in sorted(pkgutil.iter_modules(kernels.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{kernels.__name__}.{info.name}")
        for name, kernel in vars(module).items():
            if not isinstance(kernel, TypedKernel) or kernel in seen:
                continue
            seen.add(kernel)
            for kind in kernel.usual:
                start, before = time.perf_counter(), kernel.compiled
                kernel.prepare(np.dtype(kind))
                took = time.perf_counter() - start
                done.append(WarmKernel(f"{info.name}.{name}", kind, kernel.compiled > before, took))
                tell(done[-1])
    _remember()
    return done


def is_warm() -> bool:
    """Whether `warm_kernels` was done with these kernels, this numba and this processor; no numba is loaded for that."""
    folder = cache_folder()
    return folder is not None and _is_done_in(folder)


def cache_folder() -> Path | None:
    """Where numba keeps what it compiles: its own rules, without loading it. None where nothing can be written."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "numba"
    given = os.environ.get("NUMBA_CACHE_DIR")
    for folder in ([Path(given)] if given else []) + [_PACKAGE, user]:
        there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
            return folder
    return None


def _is_done_in(folder: Path) -> bool:
    try:
        said = json.loads((folder / _STAMP).read_text())
    except (OSError, ValueError):
        return False
    return bool(said == _fingerprint())


def _remember() -> None:
    folder = cache_folder()
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f"{_STAMP}.{os.getpid()}"
    new.write_text(json.dumps(_fingerprint()))
    new.replace(folder / _STAMP)


def _take_over() -> None:
    """Copy what was compiled beside the kernels to where numba looks, if that is elsewhere and has nothing yet."""
    import shutil

    from engine.imaging.kernels.typed import cache_path

    place, folder = cache_path(), cache_folder()
    if place is None or folder is None or place == _PACKAGE or _is_done_in(folder) or not _is_done_in(_PACKAGE):
        return
    place.mkdir(parents=True, exist_ok=True)
    for file in (*_PACKAGE.glob("*.nbc"), *_PACKAGE.glob("*.nbi")):  # the indices last: what they name is there
        new = place / f"{file.name}.{os.getpid()}"
        shutil.copyfile(file, new)
        new.replace(place / file.name)


def _fingerprint() -> dict[str, object]:
    """What numba's cache depends on, its files apart."""
    from importlib import metadata  # 50 ms, and 3 MB, which the supervisor need not have

    files = {p.name: [p.stat().st_mtime, p.stat().st_size] for p in sorted(_KERNELS.glob("*.py"))}
    return {
        "folder": str(_KERNELS),
        "kernels": files,
        "numba": metadata.version("numba"),
        "llvmlite": metadata.version("llvmlite"),
        "python": sys.version,
        "processor": _processor(),
    }


def _processor() -> str:
    """Model and abilities: code is compiled for exactly this one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return " ".join(os.uname())
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


if __name__ == "__main__":
    warm_kernels()
    sys.exit(0)
