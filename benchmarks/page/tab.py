"""The tests' headless Chromium, for who measures; and what its pages take."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

_TESTS = str(Path(__file__).resolve().parents[2] / "tests")
_KIB = 1024


def browser(*options: str) -> Any:
    """``async with browser() as page``: see `tests/browser.py`. Cold: nothing is in its cache."""
    if _TESTS not in sys.path:
        sys.path.append(_TESTS)
    return importlib.import_module("browser").Browser(1280, 800, *options)


async def unwatched(page: Any) -> None:
    """Hear no more of the network: DevTools otherwise gets every message of a WebSocket, in Base64, on the page's own thread.

    That took a quarter of what two processors have while a series of 24 MB streams; what HTTP brings is not told so.
    """
    await page.call("Network.disable")


def webgl() -> tuple[str, ...]:
    """Options for pages that draw by WebGL alone."""
    browser()
    return tuple(importlib.import_module("browser").WEBGL)


def page_bytes(process: int) -> int:
    """What the pages of a Chromium hold in memory: of its renderers, shared pages in parts (PSS)."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) != process or b"--type=renderer" not in (folder / "cmdline").read_bytes():
                continue
            lines = (folder / "smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended meanwhile
            continue
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * _KIB
    return total
