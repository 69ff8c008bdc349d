"""Where a command's words go: results to stdout (text, or one JSON object a line), everything for people to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from engine.errors import EngineError, InvalidParameter
from engine.log import one_line

DONE, FAILED, WRONG_USAGE = 0, 1, 2


class Terminal:
    """One command's output.

    Attributes
    ----------
    is_json : bool
        stdout carries one JSON object a line, nothing else.
    """

    def __init__(self, is_json: bool = False) -> None:
        self.is_json = is_json

    def result(self, record: dict[str, object], text: str = "") -> None:
        """One result: `record` for programs, `text` for people (a record without a text is for programs only)."""
        if self.is_json:
            print(json.dumps(record), flush=True)  # whoever reads may act on each at once
        elif text:
            print(text)

    def heading(self, text: str) -> None:
        """A line of stdout that only people read."""
        if not self.is_json:
            print(text)

    def say(self, text: str) -> None:
        """A line for people."""
        print(one_line(text), file=sys.stderr, flush=True)


@contextmanager
def exit_codes(terminal: Terminal) -> Iterator[None]:
    """Errors that are meant for the user become a line and an exit code; any other is a bug and keeps its traceback."""
    try:
        yield
    except InvalidParameter as error:
        terminal.say(f"voxcast: {error}")
        raise typer.Exit(WRONG_USAGE) from None
    except BrokenPipeError:
        raise  # typer ends quietly: whoever read our stdout has seen enough
    except (EngineError, OSError) as error:
        terminal.say(f"voxcast: {error}")
        raise typer.Exit(FAILED) from None


def bytes_text(count: float) -> str:
    """``1.5 GB``: decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


_PLURALS = {"series": "series", "study": "studies", "entry": "entries"}


def plural(count: int, noun: str) -> str:
    """``1 file``, ``1 200 files``."""
    return f"{count:,} ".replace(",", " ") + (noun if count == 1 else _PLURALS.get(noun, noun + "s"))
