"""Fonts that have the characters of a text: Pillow's own, and those of the system for what it lacks."""

from __future__ import annotations

import threading
import unicodedata
from functools import lru_cache
from typing import Any

from PIL import ImageFont

# Pillow's own font has ASCII only. These are found by name wherever the system keeps its fonts; the first that has all
# characters of a line is taken. DejaVu has Latin, Greek, Cyrillic, Hebrew and Arabic, the others East Asian writing.
_SYSTEM = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKjp-Regular.otf",
    "DroidSansFallbackFull.ttf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "unifont.ttf",
)
_NO_CHARACTER = "\U0010ffff"  # what a font draws for this, it draws for all that it has not
# FreeType's faces are not for two threads at once, and Pillow keeps one for each font object.
LOCK = threading.RLock()


def font_for(line: str, size: int) -> tuple[Any, str]:
    """A font of `size` pixels and the text to draw with it; hold `LOCK` while it is used.

    Where no font has all characters, the one with the most is taken; a letter that it lacks loses its accents, and what
    is then still missing becomes a question mark: a wrong name that looks right must not come of it.
    """
    with LOCK:
        best, best_missing = None, len(line) + 1
        for name in ("", *_SYSTEM):
            font = _font(name, size)
            if font is None:
                continue
            missing = sum(not _has(name, size, c) for c in line)
            if missing == 0:
                return font, line
            if missing < best_missing:
                best, best_missing = (name, font), missing
        assert best is not None  # Pillow's own is always there
        name, font = best
        return font, "".join(_replaced(name, size, c) for c in line)


def _replaced(name: str, size: int, character: str) -> str:
    if _has(name, size, character):
        return character
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return plain if plain and all(_has(name, size, c) for c in plain) else "?"


@lru_cache(maxsize=256)
def _font(name: str, size: int) -> Any:
    if not name:
        return ImageFont.load_default(size)
    try:
        return ImageFont.truetype(name, size)
    except OSError:  # not installed here
        return None


@lru_cache(maxsize=8192)
def _has(name: str, size: int, character: str) -> bool:
    if character.isspace():
        return True
    font = _font(name, size)
    return bytes(font.getmask(character)) != _missing(name, size) or font.getmask(character).size == (0, 0)


@lru_cache(maxsize=256)
def _missing(name: str, size: int) -> bytes:
    return bytes(_font(name, size).getmask(_NO_CHARACTER))
