"""Fonts that have the characters of a text: Pillow's own, and those of the system for what it lacks."""

from __future__ import annotations

import threading
import unicodedata
from functools import lru_cache
from typing import Any, TypeAlias

from PIL import ImageFont, features

Run: TypeAlias = tuple[Any, str]  # a font and what is written with it

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
_FROM_THE_RIGHT = ("R", "AL")  # Hebrew, Arabic
# Without FriBidi they would be drawn in the order in which they are stored, which reads as another name.
_IS_BIDIRECTIONAL = bool(features.check("raqm") and features.check("fribidi"))
_NO_CHARACTER = "\U0010ffff"  # what a font draws for this, it draws for all that it has not
# FreeType's faces are not for two threads at once, and Pillow keeps one for each font object.
LOCK = threading.RLock()


def runs_for(line: str, size: int) -> tuple[Run, ...]:
    """Fonts of `size` pixels and what to draw with each, from left to right; hold `LOCK` while they are used.

    One font for all of the line where one has all of it, otherwise the first that has a character for each. What no font
    has loses its accents, and what is then still missing becomes a question mark: a wrong name that looks right must
    not come of it. A line with writing from right to left is not put together from several fonts, whose order it
    would lose.
    """
    with LOCK:
        names = [name for name in ("", *_SYSTEM) if _font(name, size) is not None]
        for name in names:
            if all(_has(name, size, c) for c in line):
                return ((_font(name, size), line),)
        if any(unicodedata.bidirectional(c) in _FROM_THE_RIGHT for c in line):
            most = max(names, key=lambda name: sum(_has(name, size, c) for c in line))
            names = [most] if _has(most, size, "?") else [""]
        found: list[tuple[str, str]] = []
        for character in line:
            name, shown = _written(character, size, names)
            if found and found[-1][0] == name:
                found[-1] = name, found[-1][1] + shown
            else:
                found.append((name, shown))
        return tuple((_font(name, size), shown) for name, shown in found)


def length_of(runs: tuple[Run, ...]) -> float:
    """Pixels from the start of a line to its end; hold `LOCK`."""
    return float(sum(font.getlength(shown) for font, shown in runs))


def _written(character: str, size: int, names: list[str]) -> tuple[str, str]:
    """The name of a font and the character, or what stands for it."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    for shown in (character, plain, "?"):
        for name in names:
            if shown and all(_has(name, size, c) for c in shown):
                return name, shown
    return "", "?"


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
    if not _IS_BIDIRECTIONAL and unicodedata.bidirectional(character) in _FROM_THE_RIGHT:
        return False
    font = _font(name, size)
    return bytes(font.getmask(character)) != _missing(name, size) or font.getmask(character).size == (0, 0)


@lru_cache(maxsize=256)
def _missing(name: str, size: int) -> bytes:
    return bytes(_font(name, size).getmask(_NO_CHARACTER))
