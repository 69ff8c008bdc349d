"""What commands that read an archive ask of its folder."""

from __future__ import annotations

from pathlib import Path

from engine.errors import InvalidParameter
from engine.settings import Settings


def existing(settings: Settings) -> Path:
    """The folder of the archive; `InvalidParameter` when it holds none, so that a mistyped path is no empty archive."""
    path = settings.archive
    assert path is not None  # `app` has seen to it
    if not (path / "segments").is_dir():
        raise InvalidParameter("archive", str(path), "a folder that holds an archive (segments/ and index.lmdb/)")
    return path
