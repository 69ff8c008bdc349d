"""One candidate of an import: its name for people, and how its bytes are got or why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class Entry:
    """Either `path` or `open_stream` gives the bytes; or `failure` or `skipped` says why there are none.

    Attributes
    ----------
    size : int
        What the directory of a zip or tar file says; -1 where only reading tells.
    open_stream : callable
        Members of a zip or tar file share one stream: they are read in order, on the thread that lists them.
    """

    name: str
    size: int = -1
    path: Path | None = None
    open_stream: Callable[[], IO[bytes]] | None = None
    failure: str = ""
    skipped: str = ""


def text_of(path: Path) -> str:
    """A path as text that can be printed and sent, whatever bytes it has."""
    return os.fsencode(path).decode("utf_8", "replace")
